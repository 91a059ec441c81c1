#ifndef BEDWARDEN_GUARD_FLOW_STREAM_POOL_H
#define BEDWARDEN_GUARD_FLOW_STREAM_POOL_H
/*
 * The buffers in which streams keep bytes until they are confirmed: nearly every packet that
 * carries something takes one, and the next of the other end gives it back. Their sizes are a
 * power of two or half as much again, in whole cache lines. A buffer is not
 * touched when it is given back or taken: with many conversations it is in no cache by then.
 * What lies in a file that can be read again is not kept at all, only where it is.
 *
 * Half of `max` is in huge pages and stays with the pool, each size its own; what is beyond is
 * malloc()'s. For one thread.
 */
#include <stddef.h>
#include <stdint.h>

#define STREAM_LEAST 128 /* bytes of the smallest buffer */
#define STREAM_KINDS 17	 /* sizes that stay with the pool: up to 32 KiB */

/* Reads what lies at `place` (struct packet) once more. 0 or -errno: it cannot be had. */
typedef int (*stream_reread_fn)(void *arg, uint64_t place, uint8_t *buf, size_t len);

struct stream_pool {
	size_t used, max;	 /* bytes */
	uint32_t half_max;	 /* bytes kept of one end of a stream */
	uint64_t refused;	 /* packets there was no room for */
	stream_reread_fn reread; /* NULL after stream_pool_init(): places are of no use */
	void *reread_arg;
	uint8_t *arena; /* NULL before it is needed */
	size_t arena_size, arena_at;
	struct {
		uint8_t **at;
		uint32_t count, made, room; /* `room` is for all that were made of the arena */
	} spare[STREAM_KINDS];
};

void stream_pool_init(struct stream_pool *pool, size_t max, uint32_t half_max);
void stream_pool_free(struct stream_pool *pool); /* everything was given back before */

/* The size of the smallest buffer that holds so many bytes. */
uint32_t stream_pool_size(uint32_t bytes);
/* Of a size that stream_pool_size() gave; that `used` stays below `max` is the caller's to see to.
 * NULL where there is no memory. */
uint8_t *stream_pool_take(struct stream_pool *pool, uint32_t size);
void stream_pool_give(struct stream_pool *pool, uint8_t *buf, uint32_t size);

#endif
