#ifndef BEDWARDEN_GUARD_TALLY_H
#define BEDWARDEN_GUARD_TALLY_H
/*
 * Keeps a storm of packets from becoming a storm of events. What happens is
 * counted by topic: (kind, reason, device, other end). The first conversations
 * of a topic in a period are said at once, all else is only counted, and the
 * count is said when the period ends, the topic is evicted, or the table is
 * flushed: nothing goes unsaid.
 *
 * Bounded whatever a peer invents: `rows` topics, TALLY_SAID events a topic and
 * TALLY_NEW new topics a period. Beyond that, unnamed ends of one device and
 * reason share one topic (`tally_topic.many`). Time is an argument.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"

#define TALLY_PERIOD_NS 60000000000ull
#define TALLY_SAID	4  /* conversations of a topic said at once, each period */
#define TALLY_NEW	64 /* topics about unnamed ends begun, each period */

/* Compared as bytes: zero it first. */
struct tally_topic {
	uint8_t kind; /* the caller's */
	uint8_t many; /* stands for all ends that found no topic of their own */
	uint16_t reason;
	uint32_t device;
	uint32_t peer;
	struct gate_ip other; /* the other end's address where the policy has no name for it */
	uint8_t mac[6];	      /* whose doing, where the policy has no name for that */
	uint8_t pad[2];
};

/* The packet that a topic is told by. */
struct tally_case {
	struct gate_flow_key key;
	uint32_t exchange;     /* tells apart what has one key but is not one conversation */
	uint8_t sender;	       /* index into the key's ends */
	uint8_t action, would; /* enum gate_action */
	uint8_t flags;	       /* GATE_VERDICT_* */
	uint8_t mac[6];	       /* who sent it */
	uint16_t ethertype;
	uint16_t vlan_inner; /* the second tag's VID, 0 none */
	uint32_t rule;
	uint64_t flow_id; /* 0 none */
};

struct tally_row {
	struct tally_topic topic;
	struct tally_case last;
	uint64_t first_ns, last_ns; /* of this period */
	uint64_t packets, bytes;    /* of this period */
	uint64_t unsaid;	    /* packets that no event has told yet */
	/* the table's */
	uint64_t period_ns, recent[TALLY_SAID];
	uint32_t said, older, newer, chain;
};

struct tally;
/* A topic's count is due. */
typedef void (*tally_due_fn)(void *arg, const struct tally_row *row);

/* NULL with errno ENOMEM. */
struct tally *tally_new(uint32_t rows, tally_due_fn due, void *arg);
void tally_free(struct tally *t); /* does not flush */

/* Counts one packet; true where it is to be said at once. */
bool tally_note(struct tally *t, const struct tally_topic *topic, const struct tally_case *c,
		uint32_t bytes, uint64_t now_ns);
/* Says the counts of the periods that are over. */
void tally_tick(struct tally *t, uint64_t now_ns);
/* Says all counts, oldest topic first, and forgets them. */
void tally_flush(struct tally *t);

#endif
