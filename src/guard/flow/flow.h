#ifndef BEDWARDEN_GUARD_FLOW_FLOW_H
#define BEDWARDEN_GUARD_FLOW_FLOW_H
/*
 * Two-way conversations between endpoints. The table owns its flows; a pointer
 * from flow_find() is borrowed, good until the next one or a call that expires.
 * Memory is bounded: a full table evicts the flow that has been idle longest,
 * measured against its own timeout; it never grows.
 *
 * TCP is followed closely enough that a reset or an end that nobody in the
 * conversation could have sent changes nothing (RFC 5961 §3.2).
 */
#include "base/clock.h"
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

/* FLOW_ALIVE: it has not ended, somebody asked. */
enum flow_end { FLOW_TIMEOUT, FLOW_CLOSED, FLOW_EVICTED, FLOW_SHUTDOWN, FLOW_ALIVE };

struct session;

/* A SYN amid a conversation: it begins anew if the other end, having lost it, says yes. */
struct tcp_offer {
	uint32_t first;	 /* number of the first byte that would follow */
	uint16_t window; /* bytes, never scaled (RFC 7323 §2.2) */
	uint8_t scale;
	uint8_t by; /* 1 + end; 0: none stands */
};

/*
 * Ends are 0: who sent the first packet, 1: the other. Four cache lines: who and
 * by which verdict, what every packet changes, what only TCP, beginnings and ends
 * look at, and what hardly any packet needs. With a million flows
 * every line is a trip to memory.
 */
struct flow {
	struct gate_flow_key key;
	uint32_t device, peer, rule;
	uint32_t generation;   /* of the policy that those are of; 0: of none */
	uint8_t action, flags; /* the engine's: of the last verdict */
	uint8_t reason, would; /* of the last verdict that was no pass */

	uint64_t last_ns; /* wall clock */
	uint64_t packets[2], bytes[2];
	uint64_t listed_ns;	 /* the table's */
	struct session *session; /* what is read of it; the engine's, NULL none */
	uint16_t app;		 /* nDPI master/app, 0 unknown */
	uint8_t app_packets;	 /* looked at so far */
	uint8_t state : 4;	 /* enum tcp_state */
	uint8_t idle : 4;	 /* the table's */
	uint8_t starter : 1;	 /* index into key.ip of end 0 */
	uint8_t tcp_known : 7;	 /* the tracker's */
	uint8_t proto;		 /* 1 + index into protos[]; 0 not known */
	uint8_t session_flags;	 /* the session's */
	uint8_t session_reason;	 /* enum reason: nothing of it passes any more */

	uint64_t id; /* EVE flow_id */
	uint64_t first_ns;
	uint32_t detect;	       /* the identifier's slot, 0 none */
	uint32_t next, hash;	       /* the table's */
	uint32_t idle_prev, idle_next; /* the table's */
	uint32_t tcp_next[2];	       /* one behind the last byte each end sent */
	uint32_t tcp_acked[2];	       /* what the other end confirmed of it */
	uint32_t tcp_window[2];	       /* the most each end was ready to take, in bytes */
	uint8_t tcp_flags[2];	       /* all seen */
	uint8_t tcp_scale[2];	       /* RFC 7323 §2.2 */

	anomaly_set anomalies;
	uint32_t tcp_first[2]; /* number of each end's first byte, where tcp_began says so */
	uint8_t tcp_began : 2; /* a bit an end: its SYN was seen */
	uint8_t stayed : 1;    /* the table's: its time was over, and it was asked to stay */
	uint8_t astride : 1; /* the table's: of a file; its ends are in two VLANs, or one is in none */
	uint8_t skewed : 1; /* the engine's: of a file; UDP's answers come ahead of what they answer */
	uint8_t icmp_type[2], icmp_code[2]; /* of each end's first packet */
	uint8_t bypass;			    /* FLOW_BYPASS_*; the engine's */
	uint16_t vlan_inner;		    /* of its first packet: the second tag's VID, 0 none */
	struct tcp_offer tcp_offer;
	/* Of `packets` and `bytes` what passed in the kernel unseen, as far as it was told. */
	uint64_t unseen_packets[2], unseen_bytes[2];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct flow) == 256, "a flow is four cache lines");

#define FLOW_BYPASS_ASKED 1 /* the kernel was asked to let it pass; it may do so */
#define FLOW_BYPASS_EVER  2 /* it has */

struct flow_timeouts { /* seconds, idle */
	uint32_t tcp_new, tcp_established, tcp_closed, udp_new, udp_established, icmp, other;
};
extern const struct flow_timeouts flow_default_timeouts;

struct flow_table;
/* Called once for every flow that ends, before its memory is reused. */
typedef void (*flow_ended_fn)(void *arg, struct flow *f, enum flow_end how);

/* All memory is taken here. NULL with errno ENOMEM or EINVAL (no flows at all). */
struct flow_table *flow_table_new(uint32_t max_flows, const struct flow_timeouts *t,
				  flow_ended_fn ended, void *arg);
/*
 * Asked with the table's argument: does a flow whose time is over stay, for as long again, and a day at
 * most? And, `full`, does it stay though another needs its place? Some of the idlest are asked then.
 */
#define FLOW_STAYS_NS (24 * 3600 * NSEC_PER_SEC)
typedef bool (*flow_stays_fn)(void *arg, const struct flow *f, bool full);
void flow_table_ask(struct flow_table *t, flow_stays_fn stays);
/*
 * Before the first flow: looks them up in little memory at first, and in twice as much whenever that
 * is full, up to what max_flows need. Then all are moved at once, 10 ms for half a million: for
 * files, and not for a wire.
 */
void flow_table_grow(struct flow_table *t);
/* Ends every flow with FLOW_SHUTDOWN first. */
void flow_table_free(struct flow_table *t);

/* The key both directions share. `segment` from the port it came in by. */
void flow_key(const struct packet *p, uint32_t segment, struct gate_flow_key *ret_key,
	      uint8_t *ret_sender);
/* What a conversation is called: always the same of the same file, exact as a JSON number. */
uint64_t flow_id(const struct gate_flow_key *key, uint64_t first_ns);
/* Finds or starts the flow of the packet, counts it and moves its TCP state. Never NULL. */
struct flow *flow_lookup(struct flow_table *t, const struct packet *p, uint32_t segment,
			 uint8_t *ret_end);

/*
 * The same in four steps, for bursts: hint for every packet of the burst, then
 * prefetch the bucket for every one, then the flow for every one, then find for
 * every one. By then the flow is in the cache, however many others there are.
 * Steps are not merged: a prefetch holds the processor up while the page's
 * address is looked up, and only those that follow each other closely are looked
 * up at once.
 */
struct flow_hint {
	struct gate_flow_key key;
	uint32_t hash;
	uint32_t guess; /* the table's: where it is likely to be */
	uint8_t sender;
	bool opens; /* TCP: a SYN, for which the last of the flow's lines is looked at, too */
};
void flow_hint(const struct flow_table *t, const struct packet *p, uint32_t segment,
	       struct flow_hint *ret_h);
void flow_prefetch_bucket(const struct flow_table *t, const struct flow_hint *h);
void flow_prefetch(const struct flow_table *t, struct flow_hint *h);
/* After the prefetch: the flow it will likely be, NULL where there is none yet. */
const struct flow *flow_guess(const struct flow_table *t, const struct flow_hint *h);
struct flow *flow_find(struct flow_table *t, const struct packet *p, const struct flow_hint *h,
		       uint8_t *ret_end);

/* After the prefetch: the flow, neither counted nor moved; NULL: there is none. */
struct flow *flow_peek(struct flow_table *t, const struct flow_hint *h);

/* The flow of a key, neither counted nor moved; NULL: there is none. */
struct flow *flow_of_key(struct flow_table *t, const struct gate_flow_key *key);

/* What the packet last looked up was the first of its flow to show. */
anomaly_set flow_fresh(const struct flow_table *t);

/* Ends those idle past their timeout, at most `budget` of them. How many. A flow may outlive its
 * timeout by a quarter. */
unsigned flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget);
uint32_t flow_count(const struct flow_table *t);
/* Walks every live flow, for `bedwarden flows`. */
void flow_each(struct flow_table *t, void (*fn)(void *arg, const struct flow *f), void *arg);

const char *flow_state_name(const struct flow *f); /* EVE: new, established, closed */

#endif
