#ifndef BEDWARDEN_GUARD_VITALS_RHYTHM_H
#define BEDWARDEN_GUARD_VITALS_RHYTHM_H
/*
 * Beats that came at the same times before. Noise on a replayed curve changes
 * its samples and not when its beats are; a heart repeats itself to within a
 * sample or two for a few beats, by chance, and no longer.
 *
 * How long "by chance" is, each rhythm says itself: beats that are paced,
 * bound to a ventilator's breaths, or come by twos and threes repeat without
 * end, at many distances, and always have. So a repetition counts where it is
 * far longer than any was in the minutes before, and where the same intervals
 * are not found at other distances, too.
 */
#include "guard/vitals/repeat.h"

struct rhythm {
	uint64_t last_ns;   /* of the last beat; 0: the next has no interval */
	uint32_t told;	    /* the beat of the last finding */
	struct repeat gaps; /* ms before each beat */
};

/* A beat, in the stream's own time. True where it makes a repetition known, and every 16 beats more. */
bool rhythm_beat(struct rhythm *r, uint64_t time_ns, struct repeat_finding *ret_f);
/* What comes next follows nothing. */
void rhythm_break(struct rhythm *r);
/* How long ago the beat `distance` before the last one was, in seconds; not further than is known. */
double rhythm_ago(const struct rhythm *r, uint32_t distance);

#endif
