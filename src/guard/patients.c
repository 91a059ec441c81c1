#include "guard/patients.h"

#include <stdlib.h>

struct patients {
	uint32_t count;
	uint64_t last_ns; /* of all */
	uint64_t seen_ns[];
};

struct patients *patients_new(uint32_t devices)
{
	struct patients *p = calloc(1, sizeof(*p) + devices * sizeof(p->seen_ns[0]));

	if (p)
		p->count = devices;
	return p;
}

void patients_free(struct patients *p)
{
	free(p);
}

void patients_seen(struct patients *p, uint32_t device, uint64_t wall_ns)
{
	if (device >= p->count)
		return;
	p->seen_ns[device] = wall_ns;
	p->last_ns = wall_ns;
}

void patients_each(const struct patients *p, uint64_t since_ns,
		   void (*fn)(void *arg, uint32_t device, uint64_t wall_ns), void *arg)
{
	if (p->last_ns <= since_ns)
		return;
	for (uint32_t i = 0; i < p->count; i++)
		if (p->seen_ns[i] > since_ns)
			fn(arg, i, p->seen_ns[i]);
}
