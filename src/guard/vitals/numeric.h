#ifndef BEDWARDEN_GUARD_VITALS_NUMERIC_H
#define BEDWARDEN_GUARD_VITALS_NUMERIC_H
/*
 * A number as a monitor shows it, against its own past and against the wave it
 * is counted from. Averages of several seconds, as all of these are, do not
 * leap from one second to the next in a body.
 */
#include <stdbool.h>
#include <stdint.h>

#define NUMERIC_PAST 16

struct numeric_value {
	double value;
	uint64_t time_ns;
};

struct numeric {
	uint16_t code;
	unsigned count;
	struct numeric_value past[NUMERIC_PAST];
	uint64_t differs_ns; /* since when the wave says otherwise; 0: it does not */
	unsigned differs;
	/* since when it is the same value, how often, and whether the wave once said so too */
	uint64_t still_ns;
	unsigned still;
	bool agreed;
	uint64_t left_ns; /* since when the wave has left it; 0: it has not */
	bool leapt;	  /* the last value, from a calm past: */
	struct numeric_leap {
		double from, to;
		double seconds;
	} leap;
};

/* Is it one that a body has? Others stand for none: 0, dashes as 0xff, an oximeter's 127. */
bool numeric_is_of_body(uint16_t code, double value);
/* Takes a valid value, and sees whether it leapt. */
void numeric_take(struct numeric *n, double value, uint64_t time_ns);
/* Have the latest values, of no more than 40 s, lain close together? */
bool numeric_is_calm(const struct numeric *n);
/* Of one that has a value: the last. */
static inline struct numeric_value numeric_last(const struct numeric *n)
{
	return n->past[(n->count - 1) % NUMERIC_PAST];
}
/* The sensor was off: what comes next has no past. */
void numeric_break(struct numeric *n);

/* Rates in beats a minute that are the same but for averaging. */
bool numeric_rates_agree(double a, double b);
/* Those of two waves of one heart. */
bool numeric_rates_close(double a, double b);
/* The same number for long, and the wave, which once agreed, has left it, though by less than two
 * rates must differ. True as long as it lasts; *ret_since is when the wave left it. */
bool numeric_is_frozen(struct numeric *n, double wave_rate, uint64_t *ret_since);
/* The last value against the rate counted from a wave (0: none can be counted). True from the
 * moment that they have differed for long; *ret_since is when it began. */
bool numeric_differs(struct numeric *n, double wave_rate, uint64_t *ret_since);

#endif
