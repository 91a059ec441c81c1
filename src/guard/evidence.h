#ifndef BEDWARDEN_GUARD_EVIDENCE_H
#define BEDWARDEN_GUARD_EVIDENCE_H
/*
 * The packets around what was found. The latest frames that were inspected stay
 * in a ring; when something is found in one, those of its conversation and the
 * next ones of it become a case and wait to be sent to the keeper. Nothing here
 * blocks and nothing grows: the ring forgets, a case ends by count or time, what
 * the queue has no room for is dropped and counted, and cases begin only so
 * often, packets of no conversation (the floor refused them) less so. No device
 * takes from the others: each begins half as many cases as all may, and its
 * frames push out none but those of the few that share its part of the ring.
 */
#include "base/evidence.h"
#include "guard/capture/capture.h"

#define EVIDENCE_BEFORE	  64		 /* frames of a case, at most */
#define EVIDENCE_AFTER	  64		 /* and behind the first finding */
#define EVIDENCE_OPEN_NS  10000000000ull /* how long a case goes on */
#define EVIDENCE_RECORD	  1024		 /* of a case of what is kept whole, at most */
#define EVIDENCE_QUIET_NS 60000000000ull /* a conversation has no further case for so long */

struct evidence_options {
	const struct capture_port *ports; /* borrowed: what a frame's ifindex is called */
	unsigned port_count;
	size_t ring_bytes, queue_bytes; /* of all devices together */
};

struct evidence_counts {
	uint64_t cases;	  /* begun */
	uint64_t refused; /* not begun: too many at once */
	uint64_t lost;	  /* frames of cases that found no room in the queue */
};

/* A frame as its verdict stands. */
struct evidence_sight {
	uint64_t id;	    /* of the conversation; of strays: whatever makes them one */
	struct bytes frame; /* Ethernet */
	uint64_t time_ns;
	uint32_t wire_len, ifindex;
	uint32_t device;    /* whose it is: a hash of its name; 0: nobody's that is registered */
	enum reason reason; /* what was found with it; NONE */
	enum evidence_fate fate;
	bool stray;  /* belongs to no conversation that is followed */
	bool record; /* all of its conversation is to be kept: case after case, whatever is found */
};

struct evidence;

/* NULL with errno ENOMEM. */
struct evidence *evidence_new(const struct evidence_options *o);
void evidence_free(struct evidence *e);

/* Every frame that is inspected, once. `now_ns` never goes back. */
void evidence_see(struct evidence *e, const struct evidence_sight *s, uint64_t now_ns);
/* Closes cases that are over. */
void evidence_tick(struct evidence *e, uint64_t now_ns);
/* Whole records to be sent as one message of at most `max` bytes, borrowed until any other call. */
struct bytes evidence_waiting(const struct evidence *e, size_t max);
/* Those were sent. */
void evidence_sent(struct evidence *e, size_t len);
void evidence_counts(const struct evidence *e, struct evidence_counts *ret_counts);

#endif
