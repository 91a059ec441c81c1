#ifndef BEDWARDEN_UPDATE_FETCH_SCHEDULE_H
#define BEDWARDEN_UPDATE_FETCH_SCHEDULE_H
/*
 * When to look for updates: after an interval give or take a tenth, so that a thousand gateways do
 * not come at once; after a failure sooner, then after a pause that doubles, up to the interval.
 * Pure; monotonic seconds, so that a clock that is set changes nothing.
 */
#include <stdint.h>

#define SCHEDULE_RETRY_S 60

/* Seconds from now. `failures` in a row; `random` any number. */
uint64_t schedule_next(uint64_t interval_s, unsigned failures, uint32_t random);
/* After a start: soon, but not all gateways of a hospital that got its power back at once. */
uint64_t schedule_first(uint64_t interval_s, uint32_t random);

#endif
