#ifndef BEDWARDEN_GUARD_VITALS_NUMBERS_H
#define BEDWARDEN_GUARD_VITALS_NUMBERS_H
/*
 * All the numbers of a monitor. Where it sends no curves, they have only each
 * other to be compared with: two sensors that count the same heart, and what
 * they said before.
 */
#include "guard/vitals/numeric.h"
#include "guard/vitals/repeat.h"

#define NUMBERS_MAX    16
#define NUMBERS_LATEST 16 /* rows in which another machine's may be found again */

/* What all of them were, each time they changed. */
struct numbers_row {
	struct repeat row;
	uint32_t at_s[REPEAT_KEPT]; /* when */
};

struct numbers {
	struct numeric number[NUMBERS_MAX];
	/* the message at hand, and the one before */
	unsigned told;
	uint32_t print, last;
	/* heart rate: whether there was one, and since when it is 0; 0: it is not; the pulse rates by then */
	bool beat;
	bool zero_is_none; /* its monitor says 0 of what it does not measure */
	uint64_t stood_ns;
	uint32_t stood;
	/* heart and pulse rate: whether they agreed for long, and since when they do or do not; 0: they do not, they do */
	bool one_heart;
	uint64_t alike_ns, apart_ns;
	uint64_t whole_ns; /* the last gap in the pulse rate, or leap */
	unsigned apart;
	uint32_t parted; /* the pulse rates by then */
	double agreed;	 /* what the pulse was when they last agreed */
	/* the heart's rate below the pulse, and above: when it last was not, the pulse by then, messages
	 * since, and how far it was so soon after, in parts of the pulse */
	struct numbers_gap {
		uint64_t close_ns;
		double close;
		unsigned messages;
		bool known;
		double fell;
	} gap[2];
	uint32_t found; /* changes of the row at the last finding */
	/* another machine that says them of the same patient, by turns */
	uint64_t heard_ns;
	unsigned turns;
};

#endif
