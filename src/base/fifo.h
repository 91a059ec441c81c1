#ifndef BEDWARDEN_BASE_FIFO_H
#define BEDWARDEN_BASE_FIFO_H
/*
 * Bytes that wait to be sent, in memory of a fixed size: what finds no room is
 * not taken. What stands at the front is in one piece.
 */
#include <stdlib.h>

#include "base/bytes.h"

struct fifo {
	uint8_t *data;
	size_t cap, first, end; /* waiting: data[first .. end) */
};

static inline bool fifo_new(struct fifo *f, size_t cap)
{
	*f = (struct fifo){.data = malloc(cap), .cap = cap};
	return f->data;
}

static inline void fifo_free(struct fifo *f)
{
	free(f->data);
	*f = (struct fifo){0};
}

static inline size_t fifo_used(const struct fifo *f)
{
	return f->end - f->first;
}

/* A head and a body, both or neither. */
static inline bool fifo_put(struct fifo *f, struct bytes head, struct bytes body)
{
	size_t used = fifo_used(f), len = head.len + body.len;

	if (len > f->cap - used)
		return false;
	if (len > f->cap - f->end) {
		memmove(f->data, f->data + f->first, used);
		f->first = 0;
		f->end = used;
	}
	memcpy(f->data + f->end, head.data, head.len);
	if (body.len)
		memcpy(f->data + f->end + head.len, body.data, body.len);
	f->end += len;
	return true;
}

/* The first `len` bytes are gone. */
static inline void fifo_take(struct fifo *f, size_t len)
{
	f->first += len;
	if (f->first == f->end)
		f->first = f->end = 0;
}

#endif
