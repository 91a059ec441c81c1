#ifndef BEDWARDEN_ROLE_RESPAWN_H
#define BEDWARDEN_ROLE_RESPAWN_H
/*
 * When a child that died may be started again: at once the first time, then
 * after a pause that doubles up to a bound. One that lived long enough starts
 * afresh. Pure; times are monotonic nanoseconds.
 */
#include <stdint.h>

#include "base/clock.h"

#define RESPAWN_FIRST_NS   (100 * NSEC_PER_MSEC) /* the pause before the second start in a row */
#define RESPAWN_LONGEST_NS (10 * NSEC_PER_SEC)
#define RESPAWN_HEALTHY_NS (10 * NSEC_PER_SEC) /* a life this long forgets earlier deaths */

struct respawn {
	uint64_t started_ns;
	unsigned quick; /* deaths in a row that came too early */
};

void respawn_started(struct respawn *r, uint64_t now_ns);
/* When to start it again: now_ns or later. */
uint64_t respawn_died(struct respawn *r, uint64_t now_ns);

#endif
