#include "role/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/event.h"

/* A quarter of a socket's default buffer: several messages may be under way. */
#define BATCH 32768

int outbox_init(struct outbox *o, size_t cap)
{
	*o = (struct outbox){.data = malloc(cap), .cap = cap};
	return o->data ? 0 : -ENOMEM;
}

static bool append(struct outbox *o, const char *line, size_t len)
{
	size_t used = o->end - o->first;

	if (len + 1 > o->cap - used)
		return false;
	if (len + 1 > o->cap - o->end) {
		memmove(o->data, o->data + o->first, used);
		o->first = 0;
		o->end = used;
	}
	memcpy(o->data + o->end, line, len);
	o->data[o->end + len] = '\n';
	o->end += len + 1;
	return true;
}

void outbox_put(void *outbox, const char *line, size_t len)
{
	struct outbox *o = outbox;

	o->lines++;
	if (!append(o, line, len))
		o->lost++;
}

bool outbox_empty(const struct outbox *o)
{
	return o->first == o->end;
}

bool outbox_urgent(const struct outbox *o)
{
	return o->end - o->first >= BATCH;
}

/* As many whole lines as fit a message. */
static size_t batch(const struct outbox *o)
{
	size_t len = o->end - o->first;
	const uint8_t *last;

	if (len <= BATCH)
		return len;
	last = memrchr(o->data + o->first, '\n', BATCH);
	return last ? (size_t)(last - (o->data + o->first)) + 1 : 0;
}

int outbox_flush_as(struct outbox *o, int sock, enum ipc_type type, uint32_t id)
{
	while (!outbox_empty(o)) {
		size_t len = batch(o);
		int r = ipc_send(sock, type, id, (struct bytes){o->data + o->first, len}, -1);

		if (r)
			return r;
		o->first += len;
	}
	o->first = o->end = 0;
	return 0;
}

static void tell_lost(struct outbox *o)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = REASON_GATEWAY_EVENTS_LOST};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);
	size_t len;

	json_u64(&j, "count", o->lost - o->told);
	len = event_end(&j);
	if (len && append(o, buf, len))
		o->told = o->lost;
}

int outbox_flush(struct outbox *o, int sock)
{
	int r = outbox_flush_as(o, sock, IPC_EVENTS, 0);

	if (r == 0 && o->lost != o->told) {
		tell_lost(o);
		r = outbox_flush_as(o, sock, IPC_EVENTS, 0);
	}
	return r;
}
