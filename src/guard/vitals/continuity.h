#ifndef BEDWARDEN_GUARD_VITALS_CONTINUITY_H
#define BEDWARDEN_GUARD_VITALS_CONTINUITY_H
/*
 * Does a numbered, time-stamped message follow the one before? One a channel.
 * Where two rows of numbers go on side by side, two machines count.
 */
#include "guard/vitals/vitals.h"

enum continuity_kind {
	CONTINUITY_NEXT,    /* follows */
	CONTINUITY_COPY,    /* the same message again, as networks deliver */
	CONTINUITY_LATE,    /* overtaken by its successor */
	CONTINUITY_MISSING, /* follows, but messages between were never seen */
	CONTINUITY_BACK,    /* numbered lower */
	CONTINUITY_AHEAD,   /* numbered much higher */
	CONTINUITY_CLOCK,   /* numbered right, but the time is another's */
	CONTINUITY_TWO,	    /* a second row goes on beside the first */
	CONTINUITY_OTHER,   /* of a second row; already said */
};

struct continuity_row {
	uint32_t sequence, clock;
	uint8_t part;
	uint64_t time_ns;
	unsigned count;
};

struct continuity {
	struct continuity_row main, other;
	unsigned since_other; /* messages of the main row since the other began */
	uint64_t restart_ns;  /* when counting from zero was asked for; 0: was not */
	unsigned astray;      /* messages in a row that follow nothing */
};

struct continuity_step {
	enum continuity_kind kind;
	uint32_t was, is; /* sequence numbers, or clocks in ms */
	uint32_t missing;
	bool astray; /* so have many before it: neither number nor time says anything */
};

struct continuity_step continuity_next(struct continuity *c, const struct vitals_place *p);

#endif
