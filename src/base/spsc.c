#include "base/spsc.h"

#include <errno.h>

#define LINE 64 /* bytes of a cache line: what one end writes, the other's writes do not disturb */

struct spsc_ring {
	_Alignas(LINE) uint32_t head; /* entries ever put, by the producer */
	_Alignas(LINE) uint32_t tail; /* entries ever taken, by the consumer */
	uint32_t sleeps;	      /* by the consumer */
	_Alignas(LINE) struct spsc_entry entries[];
};

size_t spsc_bytes(uint32_t size)
{
	size_t bytes = sizeof(struct spsc_ring) + (size_t)size * sizeof(struct spsc_entry);

	return (bytes + LINE - 1) & ~(size_t)(LINE - 1);
}

void spsc_open(struct spsc *q, void *at, uint32_t size)
{
	*q = (struct spsc){.ring = at, .size = size};
}

/* How many entries are on their way, by the other end's index; more than there can be: a lie. */
static uint32_t under_way(const struct spsc *q, uint32_t head, uint32_t tail)
{
	uint32_t n = head - tail;

	return n > q->size ? UINT32_MAX : n;
}

uint32_t spsc_room(struct spsc *q)
{
	uint32_t n = under_way(q, q->mine, q->seen);

	if (n == q->size) {
		q->seen = __atomic_load_n(&q->ring->tail, __ATOMIC_ACQUIRE);
		n = under_way(q, q->mine, q->seen);
	}
	return n == UINT32_MAX ? 0 : q->size - n;
}

bool spsc_put(struct spsc *q, const struct spsc_entry *e)
{
	if (spsc_room(q) == 0)
		return false;
	q->ring->entries[q->mine++ & (q->size - 1)] = *e;
	return true;
}

bool spsc_publish(struct spsc *q)
{
	__atomic_store_n(&q->ring->head, q->mine, __ATOMIC_RELEASE);
	/* Either we see that it sleeps, or it sees the new head before it does. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&q->ring->sleeps, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&q->ring->sleeps, 0, __ATOMIC_ACQ_REL);
}

int spsc_waiting(struct spsc *q)
{
	uint32_t n;

	q->seen = __atomic_load_n(&q->ring->tail, __ATOMIC_ACQUIRE);
	n = under_way(q, q->mine, q->seen);
	return n == UINT32_MAX ? -EBADMSG : (int)n;
}

int spsc_take(struct spsc *q, struct spsc_entry *ret_entries, unsigned max)
{
	uint32_t n = under_way(q, q->seen, q->mine);

	if (n == 0) {
		q->seen = __atomic_load_n(&q->ring->head, __ATOMIC_ACQUIRE);
		n = under_way(q, q->seen, q->mine);
	}
	if (n == UINT32_MAX)
		return -EBADMSG;
	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++) {
		const struct spsc_entry *e = &q->ring->entries[q->mine++ & (q->size - 1)];

		/* Once: the producer could change it between two looks. */
		ret_entries[i] = (struct spsc_entry){
			.offset = __atomic_load_n(&e->offset, __ATOMIC_RELAXED),
			.len = __atomic_load_n(&e->len, __ATOMIC_RELAXED),
			.peer = __atomic_load_n(&e->peer, __ATOMIC_RELAXED),
			.port = __atomic_load_n(&e->port, __ATOMIC_RELAXED),
			.device = __atomic_load_n(&e->device, __ATOMIC_RELAXED),
		};
	}
	if (n)
		__atomic_store_n(&q->ring->tail, q->mine, __ATOMIC_RELEASE);
	return (int)n;
}

bool spsc_sleep(struct spsc *q)
{
	__atomic_store_n(&q->ring->sleeps, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->ring->head, __ATOMIC_ACQUIRE) == q->mine)
		return true;
	spsc_wake(q);
	return false;
}

void spsc_wake(struct spsc *q)
{
	__atomic_store_n(&q->ring->sleeps, 0, __ATOMIC_RELAXED);
}
