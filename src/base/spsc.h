#ifndef BEDWARDEN_BASE_SPSC_H
#define BEDWARDEN_BASE_SPSC_H
/*
 * Descriptors of frames from one process to another, through memory that both have: a
 * ring with one producer and one consumer. The other process is not trusted: whoever
 * reads an index checks it, keeps its own to itself, and copies an entry before it looks
 * at it. What an entry says (offset, length) is for its reader to check.
 *
 * An end that is told -EBADMSG has a broken or hostile partner: nothing more is to be
 * believed of this ring.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spsc_entry {
	uint32_t offset; /* of the frame's first byte in the shared memory */
	uint16_t len;
	uint16_t peer;	 /* whose link: 1 … GATE_PEERS */
	uint32_t port;	 /* ifindex of the port it came in by, or is to count as coming in by */
	uint32_t device; /* whose conversation it is of; SPSC_NO_DEVICE: not known */
};

#define SPSC_NO_DEVICE 0xffffffffu

struct spsc_ring; /* what both processes see */

/* One end of a ring. */
struct spsc {
	struct spsc_ring *ring;
	uint32_t size; /* entries, a power of two */
	uint32_t mine; /* producer: the next entry to write; consumer: to read */
	uint32_t seen; /* of the other's index, when last looked */
};

/* Bytes that a ring of so many entries (a power of two) needs; a multiple of 64. */
size_t spsc_bytes(uint32_t size);
/* `at` is zeroed before the first end is opened, and aligned to 64. */
void spsc_open(struct spsc *q, void *at, uint32_t size);

/* --- the producer's end --- */

/* How many can be put; 0 also where the other end's index lies. */
uint32_t spsc_room(struct spsc *q);
/* False: no room. Nobody sees it before spsc_publish(). */
bool spsc_put(struct spsc *q, const struct spsc_entry *e);
/* What was put is there from now on. True: the consumer sleeps and is to be woken. */
bool spsc_publish(struct spsc *q);
/* How many were published and not taken yet; -EBADMSG. */
int spsc_waiting(struct spsc *q);

/* --- the consumer's end --- */

/* Copies up to `max`, whose places are free at once. How many; -EBADMSG: the producer's index lies. */
int spsc_take(struct spsc *q, struct spsc_entry *ret_entries, unsigned max);
/* Before it sleeps: true, it will be woken; false, something has come meanwhile. */
bool spsc_sleep(struct spsc *q);
void spsc_wake(struct spsc *q); /* it is awake again */

#endif
