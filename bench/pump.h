#ifndef BEDWARDEN_BENCH_PUMP_H
#define BEDWARDEN_BENCH_PUMP_H
/*
 * A balloon pump in the aorta. It fills once the heart has emptied itself, so
 * that every pulse has a second summit, and is empty before the next beat.
 * Without a heart it goes on by its own timer, or by the pressure that it makes.
 */
#include "bench/take.h"

#define PUMP_FILLS 512

struct pump {
	double fill_s[PUMP_FILLS]; /* when it begins to fill */
	unsigned fills;
	double height; /* of what it makes, in beats of the heart; 0: there is none */
	double long_s, sharp;
};

enum pump_trigger {
	PUMP_BY_HEART, /* and the heart goes on */
	PUMP_AT_PACE,  /* once the heart is gone, as it did before */
	PUMP_BY_TIMER, /* a while later, at a pace of its own */
};

/* Drawn, from from_s to to_s; the heart stops at stop_s. */
struct pump pump_draw(const struct take *t, enum pump_trigger by, double from_s, double stop_s,
		      double to_s, uint64_t seed);
/* How far the pulse is raised, in beats. */
double pump_press(const struct pump *p, double s);

#endif
