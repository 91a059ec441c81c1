#include "guard/ration.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define WAYS 4

struct row {
	struct gate_ip_key source;
	uint32_t untold;
	/* Spent, in nanoseconds of earning: the bucket is full at or before now_ns. */
	uint64_t full_ns;
	uint64_t seen_ns; /* 0: free */
};

struct ration {
	struct row *rows;
	uint32_t sets;
	uint64_t each_ns, most_ns;
	struct hash_key secret;
};

struct ration *ration_new(uint32_t rows, uint32_t at_once, uint32_t per_s)
{
	struct ration *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->sets = rows / WAYS ? rows / WAYS : 1;
	r->rows = calloc(r->sets, WAYS * sizeof(*r->rows));
	if (!r->rows) {
		free(r);
		return NULL;
	}
	r->each_ns = NSEC_PER_SEC / per_s;
	r->most_ns = r->each_ns * at_once;
	r->secret = hash_key_random();
	return r;
}

void ration_free(struct ration *r)
{
	if (!r)
		return;
	free(r->rows);
	free(r);
}

/* The source's row, or the one that it takes over. */
static struct row *find(struct ration *r, const struct gate_ip_key *key)
{
	uint64_t hash = hash_bytes(&r->secret, key, sizeof(*key));
	struct row *set = &r->rows[(uint32_t)((hash >> 32) * r->sets >> 32) * WAYS], *oldest = set;

	for (unsigned w = 0; w < WAYS; w++) {
		if (set[w].seen_ns && memcmp(&set[w].source, key, sizeof(*key)) == 0)
			return &set[w];
		if (set[w].seen_ns < oldest->seen_ns)
			oldest = &set[w];
	}
	*oldest = (struct row){.source = *key};
	return oldest;
}

bool ration_take(struct ration *r, uint32_t segment, const struct gate_ip *source, uint64_t now_ns,
		 uint32_t *ret_untold)
{
	const struct gate_ip_key key = {.segment = segment, .ip = *source};
	struct row *row = find(r, &key);

	row->seen_ns = now_ns + 1;
	if (row->full_ns < now_ns)
		row->full_ns = now_ns;
	if (row->full_ns - now_ns + r->each_ns > r->most_ns) {
		row->untold++;
		return false;
	}
	row->full_ns += r->each_ns;
	*ret_untold = row->untold;
	row->untold = 0;
	return true;
}
