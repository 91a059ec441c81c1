/* The parent's half of counters.h. */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "guard/capture/gate.h"
#include "guard/policy/policy.h"
#include "role/counters.h"
#include "role/gateway.h"
#include "role/setup.h"

int counters_memfd(struct gateway *g)
{
	struct setup_counted *all;
	uint32_t rules = 0;
	size_t size;
	int r;

	if (!g->gate || !g->site.policy)
		return file_memory("counters", (struct bytes){NULL, 0});
	policy_rules(g->site.policy, &rules);
	size = sizeof(*all) + rules * sizeof(struct gate_count);
	all = calloc(1, size);
	if (!all)
		return -ENOMEM;
	all->generation = gate_generation(g->gate);
	all->rules = rules;
	r = gate_rule_counts(g->gate, (struct gate_count *)(all + 1), rules);
	if (r >= 0)
		r = file_memory("counters", (struct bytes){(const uint8_t *)all, size});
	free(all);
	return r;
}
