#ifndef BEDWARDEN_GUARD_VITALS_STAMP_H
#define BEDWARDEN_GUARD_VITALS_STAMP_H
/*
 * Messages that bear the time at which their sender wrote them, and a number
 * of their own: is one written before those that came already, and did it come
 * itself? A sender repeats what was not acknowledged, which is the last; it
 * does not go back. Fixed size; remembers 128.
 */
#include <stdint.h>

#define STAMPS 128

/* Of one sender. */
struct stamp {
	uint32_t newest_s; /* 0: none came */
	uint32_t back;	   /* those in a row that went back */
};

/* Of all who speak for one monitor. Of a new one only `count` has to be 0. */
struct stamps {
	uint32_t count;
	uint32_t print[STAMPS];
};

enum stamp_kind {
	STAMP_NEXT,
	STAMP_BACK,  /* written seconds before one that came */
	STAMP_AGAIN, /* and came itself before */
};

/* *ret_behind_s: how long before the newest it was written; 0 where it follows. */
enum stamp_kind stamp_take(struct stamp *s, struct stamps *all, uint32_t sent_s, uint32_t print,
			   uint32_t *ret_behind_s);

#endif
