#ifndef BEDWARDEN_GUARD_POLICY_INVENTORY_H
#define BEDWARDEN_GUARD_POLICY_INVENTORY_H
/*
 * The machines that were seen, by what they say themselves: who made them, what
 * they are called, which ports they answer on, whom they talk to, and which
 * profile they are therefore likely to be, with the reasons. Only ever learns
 * from packets; decides nothing. Bounded: machines, and everything listed of
 * each; the machine that was silent for longest goes first.
 */
#include "base/config.h"
#include "base/json.h"
#include "guard/flow/flow.h"
#include "guard/policy/oui.h"
#include "guard/policy/weakness.h"

#define MACHINE_IPS	 8
#define MACHINE_PEERS	 16
#define MACHINE_SERVICES 16
#define MACHINE_APPS	 8
#define MACHINE_NAMES	 8
#define MACHINE_NAME	 64
#define MACHINE_PARAMS	 32
#define MACHINE_REASONS	 8

/* Where a name was heard; a later row is believed before an earlier one. */
enum machine_name {
	MACHINE_NAME_NONE,
	MACHINE_NAME_MODEL, /* LLDP-MED, HTTP: what it is, not what it is called */
	MACHINE_NAME_LLDP,
	MACHINE_NAME_MDNS,
	MACHINE_NAME_DHCP,
};

struct machine_service {
	uint8_t proto;
	bool answers; /* else it only talks to this port of others */
	uint16_t port;
};

struct machine {
	uint8_t mac[6];
	uint8_t side; /* enum gate_side */
	uint8_t name_from;
	uint32_t segment;
	uint64_t first_ns, last_ns; /* wall clock */
	const char *vendor;	    /* never NULL */
	char name[MACHINE_NAME];
	char dhcp_class[MACHINE_NAME];
	uint8_t dhcp_params[MACHINE_PARAMS]; /* the list asked for: a fingerprint */
	uint8_t dhcp_params_len;
	uint8_t ip_count, peer_count, service_count, app_count;
	uint8_t announced_count, asked_count;
	struct gate_ip ip[MACHINE_IPS], peer[MACHINE_PEERS]; /* the latest first */
	struct machine_service service[MACHINE_SERVICES];
	char app[MACHINE_APPS][24];
	char announced[MACHINE_NAMES][MACHINE_NAME]; /* kinds of service by mDNS: "_ipp._tcp" */
	char asked[MACHINE_NAMES][MACHINE_NAME];     /* whom it asks for: TLS SNI, HTTP Host */
	weakness_set weak;			     /* what was seen of it lately */
	int profile;				     /* index into the profiles, -1 none likely */
	uint32_t score;
	/* the table's */
	uint64_t told_ns;
	uint64_t weak_ns;	/* since when: */
	weakness_set weak_anew; /* what was seen of `weak` */
	uint32_t wait_ms;
	bool changed;
	uint32_t next, older, newer;
};

/* What a profile is recognised by; borrowed, must outlive the inventory. */
struct inventory_profile {
	const char *name;
	const struct config_identify *identify; /* NULL: never likely */
};

struct inventory_options {
	uint32_t machines; /* at most */
	const struct inventory_profile *profiles;
	unsigned profile_count;
	const struct oui *oui; /* NULL: no vendors */
	/* A machine's changes are told together, no oftener than this; of a new one at first
	 * sooner. That it is still there is told now and then without a change. */
	uint32_t quiet_ms;
};

struct inventory;
/* A machine is new, or more is known of it. Called from see() and tick(). */
typedef void (*inventory_fn)(void *arg, const struct machine *m, bool is_new);

/* All memory is taken here. NULL with errno ENOMEM or EINVAL. */
struct inventory *inventory_new(const struct inventory_options *o, inventory_fn changed, void *arg);
void inventory_free(struct inventory *inv);

/*
 * Learns from a packet of a machine on this side of this segment. Worth calling
 * for every packet without a flow, the first eight of every flow, and DHCP and
 * mDNS always; `f`, `end` (who of the flow sent it) and `app` (its name) may be
 * NULL, 0 and NULL.
 */
void inventory_see(struct inventory *inv, const struct packet *p, uint32_t segment,
		   enum gate_side side, const struct flow *f, unsigned end, const char *app);
/*
 * The machine showed these weaknesses. Those of them that are new, of a machine on the ward's side
 * that is known already; *ret_m is that machine. What it does not show for INVENTORY_WEAK_NS, and no longer
 * than twice that, though the machine is there, is mended: it is new when it comes again.
 */
#define INVENTORY_WEAK_NS (7 * 24 * 3600 * 1000000000ull)
weakness_set inventory_expose(struct inventory *inv, uint32_t segment, const uint8_t mac[6],
			      weakness_set seen, const struct machine **ret_m);
/* Tells the changes whose quiet time is over, by the clock of the packets. Cheap where it is
 * called oftener than a few times a second. */
void inventory_tick(struct inventory *inv, uint64_t wall_ns);
/* Tells every change: the last words. */
void inventory_flush(struct inventory *inv, uint64_t wall_ns);

/* Why the profile is likely, one text a reason. How many, at most MACHINE_REASONS. */
unsigned inventory_reasons(const struct inventory *inv, const struct machine *m,
			   char ret_reasons[MACHINE_REASONS][128]);
/* The event's object "inventory"; `segment` by its name, NULL leaves it out. */
void inventory_write(const struct inventory *inv, const struct machine *m, const char *segment,
		     struct json *j);

#endif
