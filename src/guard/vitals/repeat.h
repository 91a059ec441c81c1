#ifndef BEDWARDEN_GUARD_VITALS_REPEAT_H
#define BEDWARDEN_GUARD_VITALS_REPEAT_H
/*
 * A row of small numbers, and how much of its end was there before: for every
 * distance, how many of the last ones in a row are as those were, so far ago.
 * What a row repeats by chance or by habit it tells itself, by the longest
 * repetitions of its past. Fixed size; remembers 1,024. Of a new one only
 * `count` has to be 0.
 */
#include <stdbool.h>
#include <stdint.h>

#define REPEAT_KEPT 1024
#define REPEAT_ERA  32 /* terms */
#define REPEAT_ERAS 16 /* whose longest repetitions are kept */

struct repeat {
	uint32_t count;		      /* terms so far */
	uint16_t term[REPEAT_KEPT];   /* 0: not known, and like no other */
	uint8_t run[REPEAT_KEPT];     /* for each distance, terms in a row that are as then, */
	int8_t shift[REPEAT_KEPT];    /* and how far their sums have come apart */
	uint8_t longest[REPEAT_ERAS]; /* of any distance, in each era */
};

struct repeat_finding {
	uint32_t length;   /* terms that were here before */
	uint32_t distance; /* so many terms ago */
	uint8_t usual;	   /* the longest repetition before them; UINT8_MAX: too little is known */
};

/* A term. Terms are alike while their sums lie no more than `alike` apart. The longest repetition
 * that it is the end of, at any distance; no more than 254 are counted. */
uint32_t repeat_take(struct repeat *r, uint16_t term, int alike);
/* The one `back` before the last. */
uint16_t repeat_back(const struct repeat *r, uint32_t back);
/* The longest now, at a distance of `nearest` or more, and before it: what is usual. */
struct repeat_finding repeat_longest(const struct repeat *r, uint32_t nearest);
/* Are most of the last terms found at other distances, too? */
bool repeat_is_habit(const struct repeat *r, const struct repeat_finding *f, int alike);

#endif
