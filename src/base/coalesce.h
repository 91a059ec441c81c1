#ifndef BEDWARDEN_BASE_COALESCE_H
#define BEDWARDEN_BASE_COALESCE_H
/*
 * Interrupt moderation, as network cards have it, for a process that is woken by frames:
 * where they come so fast that a short sleep gathers several, it sleeps that long after each
 * look and then takes them together, for one wake-up instead of one each. Where they come
 * slower it never sleeps, so that nothing is late.
 *
 * Only counts; the caller has the clock and the sleep.
 */
#include <stdint.h>

#define COALESCE_WINDOW_NS 2000000u /* the rate is what came in so long, at least */
#define COALESCE_LEAST	   4u	    /* frames that a sleep must be expected to gather */
#define COALESCE_ENOUGH	   8u	    /* and for more it is not prolonged */

struct coalesce {
	uint64_t most_ns; /* the longest sleep; 0: never one */
	uint64_t wait_ns; /* how long it is to be just now */
	uint64_t since_ns, frames;
};

/* Never more than `most_us` microseconds; zero-initialized is as with 0. */
void coalesce_init(struct coalesce *c, uint32_t most_us);
/*
 * `frames` were taken in one look at `now_ns` (monotonic). How many ns to sleep before the next look; 0: look
 * at once, and sleep until something comes where nothing has.
 */
uint64_t coalesce_came(struct coalesce *c, uint64_t frames, uint64_t now_ns);

#endif
