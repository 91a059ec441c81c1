#include "update/fetch/schedule.h"

#define FIRST_S 300

uint64_t schedule_next(uint64_t interval_s, unsigned failures, uint32_t random)
{
	uint64_t pause = interval_s, spread;

	if (failures > 0 && failures < 20 &&
	    (uint64_t)SCHEDULE_RETRY_S << (failures - 1) < interval_s)
		pause = (uint64_t)SCHEDULE_RETRY_S << (failures - 1);
	spread = pause / 5;
	return pause - spread / 2 + (spread ? random % (spread + 1) : 0);
}

uint64_t schedule_first(uint64_t interval_s, uint32_t random)
{
	uint64_t most = interval_s / 2 < FIRST_S ? interval_s / 2 : FIRST_S;

	return most ? random % (most + 1) : 0;
}
