#include "base/coalesce.h"

void coalesce_init(struct coalesce *c, uint32_t most_us)
{
	*c = (struct coalesce){.most_ns = (uint64_t)most_us * 1000u};
}

/* Once it sleeps it goes on at three quarters of the rate, so as not to waver between the two. */
static uint64_t wait_at(const struct coalesce *c, uint64_t gap_ns)
{
	uint64_t least = COALESCE_LEAST * gap_ns;

	if (c->wait_ns)
		least -= least / 4;
	if (least > c->most_ns)
		return 0;
	return COALESCE_ENOUGH * gap_ns < c->most_ns ? COALESCE_ENOUGH * gap_ns : c->most_ns;
}

uint64_t coalesce_came(struct coalesce *c, uint64_t frames, uint64_t now_ns)
{
	uint64_t elapsed = now_ns - c->since_ns;

	if (!c->most_ns || !frames)
		return 0;
	c->frames += frames;
	if (elapsed >= COALESCE_WINDOW_NS) {
		c->wait_ns = wait_at(c, elapsed / c->frames);
		c->since_ns = now_ns;
		c->frames = 0;
	}
	return c->wait_ns;
}
