#include "role/respawn.h"

void respawn_started(struct respawn *r, uint64_t now_ns)
{
	r->started_ns = now_ns;
}

uint64_t respawn_died(struct respawn *r, uint64_t now_ns)
{
	uint64_t pause;

	if (now_ns - r->started_ns >= RESPAWN_HEALTHY_NS)
		r->quick = 0;
	if (r->quick++ == 0)
		return now_ns;
	/* 2^16 × 100 ms is far past the bound already. */
	pause = RESPAWN_FIRST_NS << (r->quick - 2 < 16 ? r->quick - 2 : 16);
	return now_ns + (pause < RESPAWN_LONGEST_NS ? pause : RESPAWN_LONGEST_NS);
}
