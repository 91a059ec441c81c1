#include "people/auth/throttle.h"

#include <stdlib.h>

#include "base/hash.h"

#define WAYS 8 /* counters that compete for room */

struct counter {
	uint64_t key;	   /* 0: free */
	uint64_t last_ns;  /* of the last failure */
	uint64_t until_ns; /* when the next attempt may be made */
	uint32_t failures;
};

struct throttle {
	struct hash_key secret;
	uint32_t sets, used;
	struct counter counters[];
};

struct throttle *throttle_new(uint32_t max)
{
	uint32_t sets = max / WAYS ? max / WAYS : 1;
	struct throttle *t = calloc(1, sizeof(*t) + (size_t)sets * WAYS * sizeof(t->counters[0]));

	if (!t)
		return NULL;
	t->sets = sets;
	t->secret = hash_key_random();
	return t;
}

void throttle_free(struct throttle *t)
{
	free(t);
}

uint64_t throttle_key(const struct throttle *t, const char *what, struct bytes who,
		      const char *where)
{
	uint8_t text[256];
	struct writer w = writer_new(text, sizeof(text));
	uint64_t key;

	write_bytes(&w, what, strnlen(what, 32) + 1);
	write_be32(&w, (uint32_t)who.len);
	write_bytes(&w, who.data, who.len < 128 ? who.len : 128);
	write_bytes(&w, where, strnlen(where, 64));
	key = hash_bytes(&t->secret, text, w.len);
	return key ? key : 1;
}

static struct counter *set_of(struct throttle *t, uint64_t key)
{
	return t->counters + (key >> 32) % t->sets * WAYS;
}

static struct counter *find(struct throttle *t, uint64_t key)
{
	struct counter *set = set_of(t, key);

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

static struct counter *make(struct throttle *t, uint64_t key)
{
	struct counter *set = set_of(t, key), *least = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (!set[i].key) {
			least = &set[i];
			break;
		}
		if (set[i].until_ns < least->until_ns)
			least = &set[i];
	}
	t->used += !least->key;
	*least = (struct counter){.key = key};
	return least;
}

static bool forgotten(const struct counter *c, const struct throttle_limits *l, uint64_t now_ns)
{
	return now_ns - c->last_ns > l->forget_ns && now_ns >= c->until_ns;
}

uint64_t throttle_wait(struct throttle *t, uint64_t key, const struct throttle_limits *l,
		       uint64_t now_ns)
{
	const struct counter *c = find(t, key);

	if (!c || forgotten(c, l, now_ns) || c->until_ns <= now_ns)
		return 0;
	return c->until_ns - now_ns;
}

void throttle_failed(struct throttle *t, uint64_t key, const struct throttle_limits *l,
		     uint64_t now_ns)
{
	struct counter *c = find(t, key);
	uint64_t wait = l->first_ns;

	if (!c || forgotten(c, l, now_ns))
		c = c ? (*c = (struct counter){.key = key}, c) : make(t, key);
	if (c->failures < UINT32_MAX)
		c->failures++;
	c->last_ns = now_ns;
	if (c->failures <= l->free)
		return;
	for (uint32_t n = c->failures - l->free; n > 1 && wait < l->max_ns; n--)
		wait *= 2;
	c->until_ns = now_ns + (wait < l->max_ns ? wait : l->max_ns);
}

void throttle_clear(struct throttle *t, uint64_t key)
{
	struct counter *c = find(t, key);

	if (!c)
		return;
	*c = (struct counter){0};
	t->used--;
}

bool throttle_spend(struct throttle_budget *b, uint64_t now_ns)
{
	uint64_t from = b->full_ns > now_ns ? b->full_ns : now_ns;

	if (from - now_ns > (uint64_t)(b->most - 1) * b->every_ns)
		return false;
	b->full_ns = from + b->every_ns;
	return true;
}
