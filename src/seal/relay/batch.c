#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ITEMS 32
#define WORTH 3	 /* so many are worth a call of their own kind */
#define LINE  64 /* what one processor writes does not share a cache line with what another reads */

struct item {
	struct side *side;
	uint8_t *data;
	size_t len;
	bool lost; /* its end is gone */
};

struct batch {
	aio_context_t ctx; /* made when it is needed; to give it back takes the kernel 30 ms */
	bool none;	   /* it cannot be had */
	unsigned count, sent;
	size_t used; /* of the room */
	struct item items[ITEMS];
	struct iocb calls[ITEMS];
	uint8_t room[ITEMS * BATCH_PIECE];
};

struct batch *batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void batch_free(struct batch *b)
{
	if (b && b->ctx)
		syscall(SYS_io_destroy, b->ctx);
	free(b);
}

bool batch_put(struct batch *b, struct side *s, const uint8_t *data, size_t len)
{
	struct item *i = &b->items[b->count];

	if (b->none || b->count == ITEMS || len > BATCH_PIECE)
		return false;
	*i = (struct item){.side = s, .data = b->room + b->used, .len = len};
	memcpy(i->data, data, len);
	b->used += (len + LINE - 1) / LINE * LINE;
	b->count++;
	s->batched = true;
	return true;
}

bool batch_full(const struct batch *b)
{
	return b->count + BATCH_EVENT > ITEMS;
}

static bool ready(struct batch *b)
{
	if (!b->ctx && !b->none)
		b->none = syscall(SYS_io_setup, ITEMS, &b->ctx) < 0;
	return !b->none;
}

/* Items from `b->sent` on, as far as the kernel comes. How many; what came of each, as of send(2) or -errno. */
static unsigned submit(struct batch *b, long *ret_results)
{
	struct iocb *list[ITEMS];
	struct io_event events[ITEMS];
	unsigned want = b->count - b->sent;
	long done, got;

	for (unsigned n = 0; n < want; n++) {
		const struct item *i = &b->items[b->sent + n];

		list[n] = &b->calls[n];
		*list[n] = (struct iocb){.aio_data = n,
					 .aio_lio_opcode = IOCB_CMD_PWRITE,
					 .aio_fildes = (uint32_t)i->side->fd,
					 .aio_buf = (uintptr_t)i->data,
					 .aio_nbytes = i->len};
		ret_results[n] = -EIO;
	}
	done = syscall(SYS_io_submit, b->ctx, (long)want, list);
	if (done <= 0)
		return 0;
	/* A socket that does not block is done by then: nothing is waited for. */
	for (long left = done; left > 0; left -= got > 0 ? got : 0) {
		got = syscall(SYS_io_getevents, b->ctx, left, left, events, NULL);
		if (got < 0 && errno != EINTR)
			break;
		for (long e = 0; e < got; e++)
			ret_results[events[e].data] = (long)events[e].res;
	}
	return (unsigned)done;
}

static long send_alone(const struct item *i)
{
	ssize_t n = send(i->side->fd, i->data, i->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

void batch_send(struct batch *b)
{
	unsigned count = b->count - b->sent, done;
	long results[ITEMS];

	done = count >= WORTH && ready(b) ? submit(b, results) : 0;
	for (unsigned n = done; n < count; n++)
		results[n] = send_alone(&b->items[b->sent + n]);
	for (unsigned n = 0; n < count; n++) {
		struct item *i = &b->items[b->sent + n];
		size_t sent = results[n] > 0 ? (size_t)results[n] : 0;

		i->side->batched = false;
		i->lost = (results[n] < 0 && results[n] != -EAGAIN && results[n] != -EINTR) ||
			  !side_keep(i->side, i->data + sent, i->len - sent);
		if (i->lost) /* nothing follows behind a gap */
			shutdown(i->side->fd, SHUT_RDWR);
	}
	b->sent = b->count;
}

void batch_settle(struct batch *b)
{
	batch_send(b);
	for (unsigned n = 0; n < b->count; n++) {
		struct side *s = b->items[n].side;

		if (s->conn->state != CONN_OPEN)
			continue;
		if (b->items[n].lost)
			conn_gone(s->conn, s);
		else if (side_waits(s))
			conn_conclude(s->conn);
	}
	b->count = b->sent = 0;
	b->used = 0;
}
