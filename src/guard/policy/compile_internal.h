#ifndef BEDWARDEN_GUARD_POLICY_COMPILE_INTERNAL_H
#define BEDWARDEN_GUARD_POLICY_COMPILE_INTERNAL_H
/*
 * From a checked config to the tables of a policy, shared by the files that do it:
 * compile.c gathers rows in growing lists, sorts them and copies them into one block;
 * compile_name.c knows who is called what; compile_address.c makes ports, addresses
 * and bindings; compile_rule.c rules and shields; compile_device.c devices with their
 * services. Nobody returns an error: the first one stays in `failed`.
 */
#include "guard/policy/block.h"

struct compile_list {
	char *data;
	uint32_t count, cap;
	size_t size; /* of an entry */
};

/* A host's or device's name and its peer id, sorted by name. */
struct compile_known {
	const char *name;
	uint32_t peer;
};

struct compiling {
	const struct config *c;
	struct compile_list to[BLOCK_TABLES];
	struct compile_known *known;
	size_t known_count;
	const char *roles[GATE_ROLES_OWN];
	unsigned roles_count;
	uint64_t *host_roles;
	char *error; /* the caller's 256 bytes */
	int failed;  /* 0 or -errno; sticky, like a writer's */
};

/* Of one line of a profile or device, as offsets into the strings. */
struct compiling_words {
	uint32_t service, messages;
};

struct compiling_device {
	const struct config_device *d;
	uint32_t id, segment;
	uint32_t first; /* rule */
	struct compiling_words words;
	const struct config_shield *shield; /* being compiled; NULL: it is the device's rules */
	bool read; /* a shield must see what is said: nothing passes unread */
};

/* A new row of zeros, good until the next of its table; NULL: no memory. */
void *compile_push(struct compiling *b, enum block_table t);
/* Offset of a copy among the strings; 0 of none. */
uint32_t compile_string(struct compiling *b, const char *s);
void compile_push_name(struct compiling *b, enum block_table t, uint32_t at);

/* Fills in `known` and room for `host_roles`, the caller's to free in any case; false: no memory. */
bool compile_know_names(struct compiling *b);
void compile_learn_roles(struct compiling *b);
uint32_t compile_peer_named(const struct compiling *b, const char *name);
/* The bit of a role, 0 where no host holds it. */
uint64_t compile_role_bit(const struct compiling *b, const char *role);
const struct config_segment *compile_segment_named(const struct config *c, const char *name,
						   uint32_t *ret_id);
const struct config_profile *compile_profile_named(const struct config *c, const char *name);

void compile_ports(struct compiling *b, const struct policy_port *ports, unsigned count);
void compile_host(struct compiling *b, unsigned i);
/* Addresses with a meaning of their own, which no host was given. */
void compile_own_nets(struct compiling *b);
void compile_device_addresses(struct compiling *b, const struct compiling_device *v,
			      const struct gate_device *row);
/* A device in another segment is reached across the hospital's side. */
void compile_neighbour(struct compiling *b, uint32_t segment, uint32_t peer);

struct compiling_words compile_words_of(struct compiling *b, const struct config_rule *r);
void compile_rules(struct compiling *b, struct compiling_device *v, const struct config_rule *rules,
		   unsigned count, bool towards);
/* The words of a profile stand in the block once, however many devices have it. */
void compile_profile_rules(struct compiling *b, struct compiling_device *v,
			   const struct config_profile *p, const struct compiling_words *words);
/* Before all other rules of the device. */
void compile_shields(struct compiling *b, struct compiling_device *v);
/* What any device of the segment accepts from broadcast and multicast (bpf/shared.h). */
void compile_stranger_rules(struct compiling *b, uint32_t segment);

/* Strangers, then devices with their rules, then the strangers' rules. */
void compile_devices(struct compiling *b);

#endif
