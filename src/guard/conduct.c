#include "guard/conduct.h"

#include <stdlib.h>

#define STEP_NS 1000000000ull /* closer together, memory is only read */

struct times {
	uint64_t talked_ns, misbehaved_ns;
};

struct conduct {
	uint32_t count;
	struct times times[];
};

struct conduct *conduct_new(uint32_t devices)
{
	struct conduct *c = calloc(1, sizeof(*c) + devices * sizeof(c->times[0]));

	if (c)
		c->count = devices;
	return c;
}

void conduct_free(struct conduct *c)
{
	free(c);
}

void conduct_note(struct conduct *c, uint32_t device, bool well, uint64_t wall_ns)
{
	uint64_t *at;

	if (device >= c->count)
		return;
	at = well ? &c->times[device].talked_ns : &c->times[device].misbehaved_ns;
	/* Also after a clock that was set back. */
	if (wall_ns - *at >= STEP_NS)
		*at = wall_ns;
}

void conduct_each(const struct conduct *c, uint64_t since_ns,
		  void (*fn)(void *arg, uint32_t device, uint64_t talked_ns,
			     uint64_t misbehaved_ns),
		  void *arg)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct times *t = &c->times[i];

		if (t->talked_ns > since_ns || t->misbehaved_ns > since_ns)
			fn(arg, i, t->talked_ns, t->misbehaved_ns);
	}
}
