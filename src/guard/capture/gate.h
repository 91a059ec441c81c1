#ifndef BEDWARDEN_GUARD_CAPTURE_GATE_H
#define BEDWARDEN_GUARD_CAPTURE_GATE_H
/*
 * The kernel's floor, loaded: the XDP program of bpf/gate.bpf.c and its maps,
 * pinned under one directory of a bpffs, so that they stand when this process
 * ends. Opening it again takes the pinned maps over (conversations, learned
 * addresses, blocked ones, the policy in force) and puts the new program in the
 * place of the old at each port, between two packets.
 *
 * The parent uses this with root's rights. A guard needs none of it: it opens
 * the pins "xsks", "hearts", "indexes", "samples" and "held" before it gives up
 * its rights, or is handed their descriptors (gate_fd()).
 *
 * Order: gate_open(), gate_apply(), then gate_attach() for every port. Functions
 * return 0 or -errno; `ret_why` gets a sentence for a person, 256 bytes.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"

struct gate;

struct gate_options {
	uint32_t flows;		/* most conversations remembered; 0: 262144 */
	uint32_t learned;	/* most addresses learned; 0: 65536 */
	uint32_t stale_ms;	/* a guard silent for this long counts as gone; 0: 500 */
	uint32_t backlog;	/* most frames waiting for one guard; 0: 2048 */
	uint32_t frame_max;	/* largest frame a guard can take; 0: 3500 */
	uint32_t samples_per_s; /* most refusals told in a second, per CPU; 0: 1000 */
};

/* A policy's tables, borrowed for the call; see bpf/shared.h. */
struct gate_tables {
	uint32_t generation;
	const struct policy_port_row *ports;
	const struct gate_device *devices;
	const struct gate_rule *rules;
	const struct policy_mac_row *macs;
	const struct policy_ip_row *ips;
	const struct policy_net_row *nets;
	uint32_t port_count, device_count, rule_count, mac_count, ip_count, net_count;
};

/*
 * Loads, or takes over what is pinned at `dir`, which is made (and a bpffs
 * mounted there) where it is missing. `o` may be NULL. Sizes that differ from
 * the pinned ones empty the table concerned. NULL with errno and ret_why.
 */
struct gate *gate_open(const char *dir, const struct gate_options *o, char ret_why[256]);
/* Forgets the handle. Everything stays pinned and goes on, unless `unload`: then as gate_remove(). */
void gate_close(struct gate *g, bool unload);
/* Takes the floor that is pinned there off every port and away. Nothing there: no matter. */
void gate_remove(const char *dir);

/*
 * Puts a policy in force, all of it between two packets; on failure the old one
 * stays. Returns when no packet can see the old one any more. Counters of
 * devices and rules begin at zero with it.
 */
int gate_apply(struct gate *g, const struct gate_tables *t, char ret_why[256]);
/* Of the policy in force; 0 none yet. */
uint32_t gate_generation(const struct gate *g);

/*
 * From now on exactly these doors are open, at most GATE_GRANTS: others shut before any of
 * these opens, each between two packets. A new policy leaves them as they are.
 */
int gate_set_grants(struct gate *g, const struct gate_grant_row *rows, uint32_t count);
/* Those the kernel holds, ended ones among them. How many, or -errno. */
int gate_grants(const struct gate *g, struct gate_grant_row ret_rows[GATE_GRANTS]);

/*
 * Puts the program on a port, or in the place of its predecessor there without
 * a packet missed. Native where both ports of the segment can receive and be
 * sent to that way, else the kernel's generic way.
 */
int gate_attach(struct gate *g, uint32_t ifindex);
int gate_detach(struct gate *g, uint32_t ifindex);
/* "native", "generic" or "none". */
const char *gate_port_mode(const struct gate *g, uint32_t ifindex);

/* Counters of the policy in force: device or rule i at ret_counts[i], at most n of them. How
 * many were written, or -errno. */
int gate_device_counts(struct gate *g, struct gate_device_count *ret_counts, uint32_t n);
int gate_rule_counts(struct gate *g, struct gate_count *ret_counts, uint32_t n);
/* Since the floor was first loaded. */
int gate_reason_counts(struct gate *g, struct gate_count ret_counts[REASON_COUNT]);
int gate_totals(struct gate *g, struct gate_count ret_totals[GATE_TOTAL_COUNT]);

enum gate_map {
	GATE_MAP_XSKS,
	GATE_MAP_HEARTS,
	GATE_MAP_INDEXES,
	GATE_MAP_SAMPLES,
	GATE_MAP_HELD,
	GATE_MAP_LINKS
};
/* The gate's own descriptor, borrowed. */
int gate_fd(const struct gate *g, enum gate_map which);

/*
 * A guard's word on a conversation: blocked (why is kept with it), or needs no more inspection
 * until then. Times are CLOCK_MONOTONIC; of a block 0: until it has been idle for its protocol's
 * time; of a bypass 0: it is inspected again. ret_passed: what has passed by all bypasses of it so
 * far, by the key's ends. -ENOENT: the floor does not know the conversation, or it may not be
 * bypassed: not inspected, blocked, or under a grant. ret_flow: as it stands then. -EAGAIN: its set was busy all the time.
 */
int gate_flow_block(struct gate *g, const struct gate_flow_key *key, enum reason why,
		    uint64_t now_ns, uint64_t until_ns);
int gate_flow_bypass(struct gate *g, const struct gate_flow_key *key, uint64_t until_ns,
		     struct gate_flow *ret_flow, struct gate_count ret_passed[2]);

#endif
