#ifndef BEDWARDEN_KEEP_SHARE_H
#define BEDWARDEN_KEEP_SHARE_H
/*
 * Room that several share, none of whom is to push out what another keeps: where
 * it is too little for all, each may hold so much, and who needs less leaves the
 * rest to the others (max-min fairness).
 */
#include <stdint.h>

#define SHARES 1024

/* Holders are known by a hash; few of so many meet in one place, and share what it may hold. */
static inline unsigned share_of(uint32_t holder)
{
	return holder % SHARES;
}

/* The most that each may hold for all of them to hold no more than `max`; UINT64_MAX: they do not. */
uint64_t share_most(const uint64_t held[SHARES], uint64_t max);

#endif
