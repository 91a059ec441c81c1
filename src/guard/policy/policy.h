#ifndef BEDWARDEN_GUARD_POLICY_POLICY_H
#define BEDWARDEN_GUARD_POLICY_POLICY_H
/*
 * A policy, compiled: the flat tables that the floor reads, in the kernel and
 * in user space alike, plus the names that events and people need. Built once
 * from a config, immutable, in one block of memory without pointers, so that
 * the parent hands it to guards as a sealed memfd.
 */
#include "base/config.h"
#include "bpf/shared.h"

struct gate_tables;
struct policy; /* one block: header, tables, strings */

/* What the config does not say: which interface is which here. */
struct policy_port {
	char name[16];
	uint32_t ifindex;
	uint8_t mac[6];
};

/*
 * Compiles. `ports` may be empty (for `policy check` and files): segments then get
 * ifindexes 2s+1 (ward) and 2s+2 (hospital). NULL with errno ENOMEM or E2BIG (a device with more than
 * GATE_MAX_RULES_PER_DEVICE rules, after roles were narrowed to peers; ret_error 256 bytes).
 */
struct policy *policy_compile(const struct config *c, const struct policy_port *ports,
			      unsigned port_count, uint32_t generation, char *ret_error);
void policy_free(struct policy *p);

/* The block as bytes, and back: open() checks every offset and index before it believes one,
 * and borrows `data`, which must be 8-aligned and outlive the policy. */
struct bytes policy_bytes(const struct policy *p);
const struct policy *policy_open(struct bytes data);

uint32_t policy_generation(const struct policy *p);

/* The rows are those of bpf/shared.h. */
const struct policy_port_row *policy_ports(const struct policy *p, uint32_t *ret_count);
const struct gate_device *policy_devices(const struct policy *p, uint32_t *ret_count);
const struct gate_rule *policy_rules(const struct policy *p, uint32_t *ret_count);
const struct policy_mac_row *policy_macs(const struct policy *p, uint32_t *ret_count);
const struct policy_ip_row *policy_ips(const struct policy *p, uint32_t *ret_count);
const struct policy_net_row *policy_nets(const struct policy *p, uint32_t *ret_count);
/* All of them, as gate_apply() takes them: borrowed from the policy. */
void policy_tables(const struct policy *p, struct gate_tables *ret_tables);

/*
 * A service port that opens for one person for a while; one of several ports has a row for each.
 * A device's stand together.
 */
struct policy_service {
	uint32_t device;
	uint32_t name, ask, alone; /* where the texts are: roles, parted by blanks */
	uint16_t port_lo, port_hi;
	uint16_t minutes; /* most at once */
	uint8_t proto;
	uint8_t flags; /* POLICY_SERVICE_* */
};
#define POLICY_SERVICE_RECORD	   1
#define POLICY_SERVICE_BREAK_GLASS 2
#define POLICY_SERVICE_CERTIFICATE 4
#define POLICY_SERVICE_ALL	   7
const struct policy_service *policy_services(const struct policy *p, uint32_t *ret_count);
const char *policy_service_name(const struct policy *p, const struct policy_service *s);
const char *policy_service_ask(const struct policy *p, const struct policy_service *s);
const char *policy_service_alone(const struct policy *p, const struct policy_service *s);

/*
 * A virtual patch of a device: what it denies. One that denies whole conversations and is to be enforced
 * stands in the rules as well, before all others of its device, so that the kernel keeps it
 * whoever is still alive. A device's stand together.
 */
struct policy_shield {
	struct gate_rule match; /* its action says nothing */
	uint32_t device;
	uint32_t messages; /* where the text is; 0: whole conversations are denied */
	uint32_t rule;	   /* of the rules; ~0 not there */
	uint8_t flags;	   /* POLICY_SHIELD_* */
	uint8_t pad[3];
};
#define POLICY_SHIELD_ENFORCE 1
const struct policy_shield *policy_shields(const struct policy *p, uint32_t *ret_count);
/* Which messages, in the words of guard/policy/message.h; "" all. */
const char *policy_shield_messages(const struct policy *p, const struct policy_shield *s);

/* Names for people and events; "" for what has none. Borrowed from the policy. */
const char *policy_device_name(const struct policy *p, uint32_t device);
const char *policy_device_profile(const struct policy *p, uint32_t device);
const char *policy_peer_name(const struct policy *p, uint32_t peer);
const char *policy_segment_name(const struct policy *p, uint32_t segment);
const char *policy_rule_service(const struct policy *p, uint32_t rule);
/* What may be said there, in the words of guard/policy/message.h. */
const char *policy_rule_messages(const struct policy *p, uint32_t rule);

#endif
