#ifndef BEDWARDEN_GUARD_BEHAVIOUR_H
#define BEDWARDEN_GUARD_BEHAVIOUR_H
/*
 * What a machine does that no single packet shows: it searches another one for
 * open ports, searches many for one port, or floods. Counted are attempts that
 * went unanswered or were refused, within a window; an answer takes its attempt
 * back, so that a central station which polls fifty monitors is no sweep.
 *
 * Attribution only: what a finding may lead to is the engine's rule. Bounded:
 * two tables of fixed size that forget the row longest untouched. Time is an
 * argument.
 */
#include "guard/decode/packet.h"

#define BEHAVIOUR_WINDOW_NS 60000000000ull
#define BEHAVIOUR_PORTS	    15		    /* ports of one machine, tried in vain */
#define BEHAVIOUR_HOSTS	    15		    /* machines, one port of each tried in vain */
#define BEHAVIOUR_FLOOD	    10000	    /* unanswered packets of one source in a second */
#define BEHAVIOUR_HELD_NS   600000000000ull /* a finding about a source is remembered for this long */

struct behaviour_finding {
	enum reason reason; /* REASON_NONE: nothing */
	uint32_t count;	    /* ports, machines, or packets in a second */
};

struct behaviour;

/* `rows` searches and as many sources watched at once. NULL with errno ENOMEM. */
struct behaviour *behaviour_new(uint32_t rows);
void behaviour_free(struct behaviour *b);

/* A packet that opens a conversation, or would have, and that no rule of a policy allows by name. */
struct behaviour_finding behaviour_opened(struct behaviour *b, const struct packet *p,
					  uint32_t segment, uint64_t now_ns);
/* The first answer within a conversation; `p` travels from the one who was asked. */
void behaviour_answered(struct behaviour *b, const struct packet *p, uint32_t segment);
/*
 * How many packets the `number`th (from 1) of a conversation without an answer so far stands for:
 * 0 where it need not be told. The first BEHAVIOUR_STRIDE stand for themselves; of a longer one
 * every BEHAVIOUR_STRIDEth speaks for those since, which ones depending on `salt`, so that those
 * of many conversations do not come at once. So most packets cost no look-up of their source.
 */
#define BEHAVIOUR_STRIDE 16 /* a power of two */
static inline uint32_t behaviour_weight(uint64_t number, uint32_t salt)
{
	if (number <= BEHAVIOUR_STRIDE)
		return 1;
	if ((number + salt) % BEHAVIOUR_STRIDE)
		return 0;
	return number < 2 * BEHAVIOUR_STRIDE ? (uint32_t)number - BEHAVIOUR_STRIDE
					     : BEHAVIOUR_STRIDE;
}
/* So many packets, of which `p` is one, of conversations that have had no answer so far. */
struct behaviour_finding behaviour_unanswered(struct behaviour *b, const struct packet *p,
					      uint32_t segment, uint32_t packets, uint64_t now_ns);

/* Why the source is held to be searching or flooding; REASON_NONE where it is not. */
enum reason behaviour_held(const struct behaviour *b, const struct gate_ip *source,
			   uint32_t segment, uint64_t now_ns);

#endif
