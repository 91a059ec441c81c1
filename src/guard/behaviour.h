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
/* Any packet within a conversation that has had no answer so far. */
struct behaviour_finding behaviour_unanswered(struct behaviour *b, const struct packet *p,
					      uint32_t segment, uint64_t now_ns);

/* Why the source is held to be searching or flooding; REASON_NONE where it is not. */
enum reason behaviour_held(const struct behaviour *b, const struct gate_ip *source,
			   uint32_t segment, uint64_t now_ns);

#endif
