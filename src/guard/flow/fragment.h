#ifndef BEDWARDEN_GUARD_FLOW_FRAGMENT_H
#define BEDWARDEN_GUARD_FLOW_FRAGMENT_H
/*
 * Datagrams that come in pieces, held in the packet's path: no piece goes on
 * before the whole was seen and judged, then all go or none does; whoever holds
 * nothing back adds copies. The table
 * keeps the frames themselves (their memory is the capture's and stays good
 * until they are settled) and gives every one of them back exactly once, through
 * the callback, when its datagram ends.
 *
 * Pieces are of one datagram where their receiver would think so and they go the same way: by one link,
 * between the same hardware addresses, as many hops. Refused as a whole, with those still to come: overlaps (IPv6
 * any, RFC 5722 §4; IPv4 where the bytes differ), pieces that no sender makes
 * (tiny, odd, beyond 65535 bytes). Exact duplicates are held with the rest.
 * Memory and frames are bounded; one source holds an eighth of them at most.
 */
#include "guard/capture/capture.h"

enum fragment_end {
	FRAGMENT_WHOLE,	  /* complete: judge `whole`, settle the frames alike */
	FRAGMENT_REFUSED, /* drop the frames; `anomaly` says why */
	FRAGMENT_LATE,	  /* its time ran out: drop the frames */
	FRAGMENT_EVICTED, /* made room for others: drop the frames */
	FRAGMENT_SHUTDOWN,
};

struct fragment_datagram {
	enum fragment_end how;
	enum anomaly anomaly;	    /* ANOMALY_COUNT where it is whole */
	const struct frame *frames; /* in the order they came; never none */
	unsigned count;
	/* FRAGMENT_WHOLE: as it would have come in one frame, without a capture's handle. */
	struct frame whole;
	/* FRAGMENT_WHOLE: an identification that its two ends had for no other datagram in the last
	 * minute, for longer than any receiver waits; IPv4: low 16 bits. Not `is_fresh`: there is none
	 * left, the source sends more than it may (RFC 6864 §4.3). */
	uint32_t fresh_id;
	bool is_fresh;
};

/* All is borrowed, good until the callback returns; it must not call the table. */
typedef void (*fragment_ended_fn)(void *arg, const struct fragment_datagram *d);

struct fragment_limits {
	uint32_t frames;     /* held at once, at least 8 */
	uint32_t timeout_ms; /* from the first piece on; RFC 8200 §4.5 allows 60 s, 5 s will do */
};

struct fragment_table;

/* All memory is taken here. NULL with errno ENOMEM or EINVAL. */
struct fragment_table *fragment_table_new(const struct fragment_limits *l, fragment_ended_fn ended,
					  void *arg);
/* Ends everything with FRAGMENT_SHUTDOWN first. */
void fragment_table_free(struct fragment_table *t);

/*
 * Takes a packet with p->fragment set and its frame. False where it can't be
 * held because the capture cut it: the frame is still the caller's then.
 */
bool fragment_add(struct fragment_table *t, const struct packet *p, const struct frame *f);
/*
 * Gives a piece another identification, in place: pieces of datagrams that were judged apart are then
 * never put together by their receiver, though some of either were lost behind us. Not where the old
 * one is authenticated (RFC 4302 §3.3.3.1).
 */
void fragment_renumber(const struct frame *f, uint32_t id);
/* Ends what waited too long, at most `budget` datagrams. How many. */
unsigned fragment_expire(struct fragment_table *t, uint64_t now_ns, unsigned budget);
/* Frames held. */
uint32_t fragment_count(const struct fragment_table *t);

#endif
