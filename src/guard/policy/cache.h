#ifndef BEDWARDEN_GUARD_POLICY_CACHE_H
#define BEDWARDEN_GUARD_POLICY_CACHE_H
/*
 * A bounded table from keys to values that were seen at some time. It has a
 * fixed number of places in buckets of eight; a key may live in either of two
 * buckets, goes to the first while that has room to spare and else to the
 * emptier one, and where both are full the place seen longest ago is taken over. So it never grows, never rehashes, and every
 * operation looks at sixteen places at most.
 *
 * Values begin with `uint64_t seen_ns`. Sizes are passed to each call, so that
 * the compiler knows them, and so is the key's hash under the table's secret. A
 * pointer to a value is good until the next add.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/pages.h"

#define CACHE_WAYS    8
#define CACHE_CROWDED 6 /* of a bucket: both are looked at */

struct cache {
	struct hash_key secret;
	uint16_t *tags; /* CACHE_WAYS a bucket; 0: nothing there */
	uint8_t *entries;
	size_t entries_size, tags_size;
	uint32_t buckets;
	uint32_t count;
	uint64_t evicted;
};

#define CACHE_KEY(key_size)		  (((key_size) + 7u) & ~7u)
#define CACHE_ENTRY(key_size, value_size) (CACHE_KEY(key_size) + (((value_size) + 7u) & ~7u))

static inline void cache_free(struct cache *c)
{
	pages_unmap(c->tags, c->tags_size);
	pages_unmap(c->entries, c->entries_size);
	*c = (struct cache){0};
}

/* Room for `most` and an eighth more, so that two full buckets are rare. 0 or -ENOMEM. The
 * memory is touched only as it fills. */
static inline int cache_init(struct cache *c, uint32_t most, size_t key_size, size_t value_size)
{
	*c = (struct cache){.secret = hash_key_random()};
	c->buckets = (uint32_t)(((uint64_t)most + most / 8) / CACHE_WAYS + 1);
	c->tags_size = (size_t)c->buckets * CACHE_WAYS * sizeof(*c->tags);
	c->entries_size = (size_t)c->buckets * CACHE_WAYS * CACHE_ENTRY(key_size, value_size);
	c->tags = pages_map(&c->tags_size);
	c->entries = pages_map(&c->entries_size);
	if (c->tags && c->entries)
		return 0;
	cache_free(c);
	return -ENOMEM;
}

/* Where a key may be: two buckets and what marks it there. */
struct cache_place {
	uint32_t bucket[2];
	uint16_t tag;
};

static inline struct cache_place cache_place(const struct cache *c, uint64_t h)
{
	struct cache_place at;

	at.tag = (uint16_t)(h | 1);
	at.bucket[0] = (uint32_t)((h >> 32) * c->buckets >> 32);
	/* The other half of the hash, stirred so that both halves count. */
	at.bucket[1] = (uint32_t)(((h * 0x9e3779b97f4a7c15) >> 32) * c->buckets >> 32);
	return at;
}

static inline __attribute__((always_inline)) uint8_t *
cache_entry(const struct cache *c, uint32_t bucket, unsigned way, size_t entry_size)
{
	return c->entries + ((size_t)bucket * CACHE_WAYS + way) * entry_size;
}

/* Asks for the tags of the `which`th bucket, 0 or 1; for cache_prefetch() later on. */
static inline void cache_prefetch_tags(const struct cache *c, const struct cache_place *at,
				       unsigned which)
{
	__builtin_prefetch(c->tags + (size_t)at->bucket[which] * CACHE_WAYS);
}

/* Asks for the entry that a look-up in that bucket would compare first: where it is, NULL if not
 * there. */
static inline const void *cache_prefetch(const struct cache *c, const struct cache_place *at,
					 unsigned which, size_t entry_size)
{
	const uint16_t *tags = c->tags + (size_t)at->bucket[which] * CACHE_WAYS;
	const uint8_t *e = NULL;

	for (unsigned way = CACHE_WAYS; way-- > 0;)
		if (tags[way] == at->tag)
			e = cache_entry(c, at->bucket[which], way, entry_size);
	for (size_t line = 0; e && line < entry_size; line += 64)
		__builtin_prefetch(e + line, 1);
	return e;
}

static inline __attribute__((always_inline)) void *cache_find_at(const struct cache *c,
								 const struct cache_place *at,
								 const void *key, size_t key_size,
								 size_t value_size)
{
	for (unsigned b = 0; b < 2; b++) {
		const uint16_t *tags = c->tags + (size_t)at->bucket[b] * CACHE_WAYS;

		for (unsigned w = 0; w < CACHE_WAYS; w++) {
			uint8_t *e;

			if (tags[w] != at->tag)
				continue;
			e = cache_entry(c, at->bucket[b], w, CACHE_ENTRY(key_size, value_size));
			if (memcmp(e, key, key_size) == 0)
				return e + CACHE_KEY(key_size);
		}
	}
	return NULL;
}

static inline __attribute__((always_inline)) void *cache_find(const struct cache *c, uint64_t hash,
							      const void *key, size_t key_size,
							      size_t value_size)
{
	struct cache_place at = cache_place(c, hash);

	return cache_find_at(c, &at, key, key_size, value_size);
}

/* The place for a new key: one that is free, else the one seen longest ago. */
static inline uint8_t *cache_room(struct cache *c, const struct cache_place *at, size_t key_size,
				  size_t entry_size)
{
	uint64_t oldest = UINT64_MAX, seen;
	uint32_t bucket = 0;
	unsigned way = 0, used[2] = {0, 0};

	for (unsigned b = 0; b < 2; b++)
		for (unsigned w = 0; w < CACHE_WAYS; w++)
			used[b] += c->tags[(size_t)at->bucket[b] * CACHE_WAYS + w] != 0;
	if (used[0] == CACHE_WAYS && used[1] == CACHE_WAYS) {
		for (unsigned i = 0; i < 2 * CACHE_WAYS; i++) {
			uint32_t b = at->bucket[i / CACHE_WAYS];

			memcpy(&seen,
			       cache_entry(c, b, i % CACHE_WAYS, entry_size) + CACHE_KEY(key_size),
			       sizeof(seen));
			if (seen < oldest) {
				oldest = seen;
				bucket = b;
				way = i % CACHE_WAYS;
			}
		}
		c->evicted++;
	} else {
		bucket = at->bucket[used[0] >= CACHE_CROWDED && used[1] < used[0]];
		while (c->tags[(size_t)bucket * CACHE_WAYS + way])
			way++;
		c->count++;
	}
	c->tags[(size_t)bucket * CACHE_WAYS + way] = at->tag;
	return cache_entry(c, bucket, way, entry_size);
}

/* Adds or replaces; the value, for the caller to change further. */
static inline void *cache_add(struct cache *c, uint64_t hash, const void *key, size_t key_size,
			      const void *value, size_t value_size)
{
	struct cache_place at = cache_place(c, hash);
	uint8_t *v = cache_find_at(c, &at, key, key_size, value_size), *e;

	if (!v) {
		e = cache_room(c, &at, key_size, CACHE_ENTRY(key_size, value_size));
		memcpy(e, key, key_size);
		v = e + CACHE_KEY(key_size);
	}
	return memcpy(v, value, value_size);
}

#endif
