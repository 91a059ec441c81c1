#ifndef BEDWARDEN_GUARD_SESSION_INSIDE_H
#define BEDWARDEN_GUARD_SESSION_INSIDE_H
/*
 * What a session is made of, for the two files that are at work in it: session.c (from its first packet to its
 * last, and what of a packet its receiver would take) and speech.c (what is said with that).
 */
#include <stddef.h>

#include "base/slab.h"
#include "guard/session.h"

/* flow->session_flags */
#define OFF	    1		   /* nobody reads it, for good */
#define FAILED(end) (2u << (end))  /* what the end said begins nothing we know */
#define CHANGED	    8		   /* it is held to something else than when it was last read */
#define SUMMED(end) (16u << (end)) /* a right checksum was seen */
#define LET_BE	    64		   /* TCP: what it said so far was nobody's to read */
#define TRIES_SHIFT 4		   /* UDP, without a session: datagrams that began nothing */
#define TRIES	    (-1u << TRIES_SHIFT)

/* What every packet looks at lies in two cache lines. */
struct session {
	struct talk *talk; /* NULL: not identified yet */
	bool midstream;
	bool awaited[2];  /* what the end says is passed over until a message begins */
	uint8_t lost : 2; /* bits: an end whose place nobody has shown, and nothing of it passed */
	uint8_t rest : 2; /* bits: an end that may begin amid a message that nobody here has read */
	uint8_t held : 1; /* when it was last read, an enforced rule said what may be said */
	uint8_t stuck : 3; /* how often in a row nobody could tell what a packet would bring */
	uint32_t kept[2];  /* what each end is saying that is kept; 0: nothing is */
	uint32_t opened_ms;
	struct stream stream; /* TCP's; of others there is none */
};
#define HOT(end) (offsetof(struct session, stream.half) + (end) * sizeof(struct stream_half))
_Static_assert(HOT(0) + offsetof(struct stream_half, ahead) == 64, "the first line");
_Static_assert(sizeof(struct session) <= 128, "both lines");
_Static_assert(sizeof(struct talk) + PROTO_STATE_MAX <= SLAB_MAX,
	       "every parser's state has a class");

struct sessions {
	struct session_options o;
	struct stream_pool pool;
	struct slab *slab; /* sessions and talks */
	struct session_counts counts;
	/* of the packet that is on */
	struct flow *flow;
	const struct packet *packet;
	unsigned sender;
	struct session_heard heard;
};

static inline bool is_stream(const struct flow *f)
{
	return f->key.proto == PROTO_TCP;
}

/* Does a rule say what may be said here? */
static inline __attribute__((cold)) bool is_ruled(const struct sessions *s)
{
	return s->o.expected(s->o.arg, s->flow);
}

/* The reason that goes furthest is the one that is told: a packet that is refused for itself may bring
 * the rest of a forbidden message all the same. Of two that go as far it is the first. */
static inline void object(struct sessions *s, enum reason why, enum session_scope scope)
{
	if (__builtin_expect(why == REASON_NONE, 1) ||
	    (s->heard.reason != REASON_NONE &&
	     (scope <= s->heard.scope || s->heard.scope >= SESSION_MESSAGE)))
		return;
	s->heard.reason = why;
	s->heard.scope = scope;
}

static inline __attribute__((cold)) void note(struct sessions *s, enum anomaly a)
{
	anomaly_set bit = 1ull << a;

	s->heard.fresh |= bit & ~s->flow->anomalies;
	s->flow->anomalies |= bit;
}

#endif
