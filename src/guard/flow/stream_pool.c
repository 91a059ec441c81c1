#include "guard/flow/stream_pool.h"

#include <stdlib.h>

#include "base/pages.h"
#include "base/slab.h"

#define FIRST_SPARE 64u

void stream_pool_init(struct stream_pool *pool, size_t max, uint32_t half_max)
{
	*pool = (struct stream_pool){.max = max, .half_max = half_max, .arena_size = max / 2};
}

void stream_pool_free(struct stream_pool *pool)
{
	for (unsigned kind = 0; kind < STREAM_KINDS; kind++)
		free(pool->spare[kind].at);
	pages_unmap(pool->arena, pool->arena_size);
}

uint32_t stream_pool_size(uint32_t bytes)
{
	uint32_t power;

	if (bytes <= STREAM_LEAST)
		return STREAM_LEAST;
	power = 1u << (31 - __builtin_clz(bytes - 1));
	return bytes <= power + power / 2 ? power + power / 2 : 2 * power;
}

static unsigned kind_of(uint32_t size)
{
	unsigned log = 31u - (unsigned)__builtin_clz(size);

	return 2 * (log - (unsigned)__builtin_ctz(STREAM_LEAST)) + (size >> (log - 1) & 1);
}

/* One more of the arena needs a place to be put when it is given back. */
static int make_room(struct stream_pool *pool, unsigned kind)
{
	uint32_t room = pool->spare[kind].room ? 2 * pool->spare[kind].room : FIRST_SPARE;
	uint8_t **grown;

	if (pool->spare[kind].made < pool->spare[kind].room)
		return 0;
	grown = reallocarray(pool->spare[kind].at, room, sizeof(*grown));
	if (!grown)
		return -1;
	pool->spare[kind].at = grown;
	pool->spare[kind].room = room;
	return 0;
}

/* A new one of the arena, where that has any left. */
static uint8_t *carve(struct stream_pool *pool, unsigned kind, uint32_t size)
{
	uint8_t *buf;

	if (SLAB_OFF || kind >= STREAM_KINDS || pool->arena_size - pool->arena_at < size)
		return NULL;
	if (!pool->arena && !(pool->arena = pages_map(&pool->arena_size))) {
		pool->arena_size = 0; /* not asked again */
		return NULL;
	}
	if (make_room(pool, kind) < 0)
		return NULL;
	buf = pool->arena + pool->arena_at;
	pool->arena_at += size;
	pool->spare[kind].made++;
	return buf;
}

uint8_t *stream_pool_take(struct stream_pool *pool, uint32_t size)
{
	unsigned kind = kind_of(size);
	uint8_t *buf;

	if (kind < STREAM_KINDS && pool->spare[kind].count)
		buf = pool->spare[kind].at[--pool->spare[kind].count];
	else if (!(buf = carve(pool, kind, size)) && !(buf = malloc(size)))
		return NULL;
	pool->used += size;
	return buf;
}

void stream_pool_give(struct stream_pool *pool, uint8_t *buf, uint32_t size)
{
	unsigned kind = kind_of(size);

	pool->used -= size;
	if ((uintptr_t)buf - (uintptr_t)pool->arena < pool->arena_at)
		pool->spare[kind].at[pool->spare[kind].count++] = buf;
	else
		free(buf);
}
