#ifndef BEDWARDEN_GUARD_VITALS_COURSE_H
#define BEDWARDEN_GUARD_VITALS_COURSE_H
/*
 * The course of a pulse rate as a monitor shows it, message by message.
 *
 * Hands or a machine on the chest of somebody whose heart stands still are
 * counted as a pulse, too. They come after a pause, or with a leap, to a pace
 * that is theirs and that they keep better than a heart that varies. So a pulse
 * is taken for the heart's that it was while there is no gap in it and no leap
 * larger than its usual ones, and at a pace of hands only where it goes on for
 * long about the same middle and strays as far as it always did.
 */
#include <stdbool.h>
#include <stdint.h>

#define COURSE_KEPT 1024

struct course {
	uint32_t count; /* rates so far, */
	uint32_t whole; /* and at the last gap or leap */
	uint8_t rate[COURSE_KEPT];
};

/* Hands and machines press so fast, and counters stray. */
bool course_may_be_hands(double rate);
/* A rate in beats a minute; 0: there is none. `until`: the rates before that one say what is usual. */
void course_take(struct course *c, double rate, uint32_t until);
/* Were the last rates since the one numbered `from` none that hands make? */
bool course_is_no_hands(const struct course *c, uint32_t from);
/* Are those since the one numbered `from` all about the one before it, and none held? */
bool course_stays(const struct course *c, uint32_t from);
/* Are those since the one numbered `from` as those before it were, in their middle and spread? False
 * where either are too few. */
bool course_goes_on(const struct course *c, uint32_t from);

#endif
