#ifndef BEDWARDEN_GUARD_FLOW_FLOW_H
#define BEDWARDEN_GUARD_FLOW_FLOW_H
/*
 * Two-way conversations between endpoints. The table owns its flows; a pointer
 * from flow_lookup() is borrowed, good until the next lookup or expire call.
 * Memory is bounded: a full table evicts its idlest flow, it never grows.
 */
#include "guard/decode/packet.h"

enum tcp_state {
	TCP_NONE,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT,
	TCP_CLOSED,
	TCP_RESET,
	TCP_MIDSTREAM, /* picked up without its handshake */
};

enum flow_end { FLOW_TIMEOUT, FLOW_CLOSED, FLOW_EVICTED, FLOW_SHUTDOWN };

/* Ends are 0: who sent the first packet, 1: the other. */
struct flow {
	struct gate_flow_key key;
	uint64_t id;		   /* EVE flow_id */
	uint64_t first_ns, last_ns; /* wall clock */
	uint64_t packets[2], bytes[2];
	uint32_t next, idle_prev, idle_next; /* the table's */
	uint32_t device, peer, rule;
	uint32_t generation;	   /* of the policy that those are of; 0: of none */
	uint8_t starter;	   /* index into key.ip of end 0 */
	uint8_t state;		   /* enum tcp_state */
	uint8_t tcp_flags[2];	   /* all seen */
	uint8_t reason, action, would; /* of the last verdict that was no pass */
	uint8_t flags;
	uint16_t app;		   /* nDPI master/app, 0 unknown */
	uint16_t app_packets;	   /* looked at so far */
	uint32_t detect;	   /* the identifier's slot, 0 none */
	anomaly_set anomalies;
};
_Static_assert(sizeof(struct flow) <= 256, "a flow costs at most 256 bytes");

struct flow_timeouts { /* seconds, idle */
	uint32_t tcp_new, tcp_established, tcp_closed, udp_new, udp_established, icmp, other;
};
extern const struct flow_timeouts flow_default_timeouts;

struct flow_table;
/* Called once for every flow that ends, before its memory is reused. */
typedef void (*flow_ended_fn)(void *arg, struct flow *f, enum flow_end how);

struct flow_table *flow_table_new(uint32_t max_flows, const struct flow_timeouts *t,
				  flow_ended_fn ended, void *arg);
/* Ends every flow with FLOW_SHUTDOWN first. */
void flow_table_free(struct flow_table *t);

/* The key both directions share. `segment` from the port it came in by. */
void flow_key(const struct packet *p, uint32_t segment, struct gate_flow_key *ret_key,
	      uint8_t *ret_sender);
/* Finds or starts the flow of the packet, counts it and moves its TCP state. Never NULL. */
struct flow *flow_lookup(struct flow_table *t, const struct packet *p, uint32_t segment,
			 uint8_t *ret_end);
/* Ends those idle past their timeout, at most `budget` of them. */
unsigned flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget);
uint32_t flow_count(const struct flow_table *t);
/* Walks every live flow, for `bedwarden flows`. */
void flow_each(struct flow_table *t, void (*fn)(void *arg, const struct flow *f), void *arg);

const char *flow_state_name(const struct flow *f); /* EVE: new, established, closed */

#endif
