#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_eve(uint64_t wall_ns, char ret_text[CLOCK_EVE_LEN])
{
	time_t s = (time_t)(wall_ns / NSEC_PER_SEC); /* 64 bits of ns end in 2554 */
	unsigned us = (unsigned)(wall_ns % NSEC_PER_SEC / 1000);
	struct tm tm;
	char date[20];

	gmtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text, CLOCK_EVE_LEN, "%s.%06u+0000", date, us);
}
