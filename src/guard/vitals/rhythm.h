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
 * are not found at other distances, too. Fixed size; remembers 1,024 beats.
 */
#include <stdbool.h>
#include <stdint.h>

#define RHYTHM_BEATS 1024 /* kept */
#define RHYTHM_ERA   32	  /* beats */
#define RHYTHM_ERAS  16	  /* eras whose longest repetitions are kept */

struct rhythm {
	uint32_t count;		      /* beats so far */
	uint64_t last_ns;	      /* of the last beat; 0: the next has no interval */
	uint16_t gap[RHYTHM_BEATS];   /* ms before a beat; 0: not known */
	uint8_t run[RHYTHM_BEATS];    /* for each distance, beats in a row that were as then */
	int8_t shift[RHYTHM_BEATS];   /* and how far the last lies from where it was then, ms */
	uint8_t longest[RHYTHM_ERAS]; /* of any distance, in each era */
	uint32_t told;		      /* the beat of the last finding */
};

struct rhythm_finding {
	uint32_t beats;	   /* that were here before */
	uint32_t distance; /* so many beats ago */
	uint8_t usual;	   /* the longest repetition of the minutes before */
};

/* A beat, in the stream's own time. True where it makes a repetition known, and every 16 beats more. */
bool rhythm_beat(struct rhythm *r, uint64_t time_ns, struct rhythm_finding *ret_f);
/* What comes next follows nothing. */
void rhythm_break(struct rhythm *r);
/* How long ago the beat `distance` before the last one was, in seconds; not further than is known. */
double rhythm_ago(const struct rhythm *r, uint32_t distance);

#endif
