#include "guard/archive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fifo.h"

#define URGENT	 65536
#define RECORD	 sizeof(struct archive_record)
#define LAST	 (RECORD + sizeof(struct archive_about))
#define RESERVED (ARCHIVE_OBJECTS * LAST) /* of the queue, for the last words of all that began */

struct passing {
	uint64_t object; /* 0: free */
	bool dead;	 /* lost; whoever has its number will let go of it */
	bool ended;	 /* with the packet at hand */
	struct archive_about about;
};

struct archive {
	struct fifo queue;
	struct passing objects[ARCHIVE_OBJECTS];
	uint64_t last;
	unsigned ended;
	struct archive_counts counts;
	uint64_t told; /* of those lost */
};

struct archive *archive_new(size_t queue_bytes)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (a && fifo_new(&a->queue, queue_bytes))
		return a;
	free(a);
	errno = ENOMEM;
	return NULL;
}

void archive_free(struct archive *a)
{
	if (!a)
		return;
	fifo_free(&a->queue);
	free(a);
}

/* `reserved` stays free behind it. */
static bool put(struct archive *a, uint64_t object, enum archive_what what, struct bytes body,
		size_t reserved)
{
	const struct archive_record r = {object, (uint32_t)body.len, what};

	if (a->queue.cap - fifo_used(&a->queue) < RECORD + body.len + reserved)
		return false;
	return fifo_put(&a->queue, (struct bytes){(const uint8_t *)&r, sizeof(r)}, body);
}

static struct passing *passing_of(struct archive *a, uint32_t number)
{
	struct passing *p = &a->objects[number - 1];

	return p->object ? p : NULL;
}

/* There is always room for that. */
static void forget(struct archive *a, struct passing *p)
{
	if (!p->dead)
		put(a, p->object, ARCHIVE_DROP, (struct bytes){0}, 0);
	*p = (struct passing){0};
}

/* Its number stays taken: its conversation goes on. */
static void lose(struct archive *a, struct passing *p)
{
	put(a, p->object, ARCHIVE_DROP, (struct bytes){0}, 0);
	p->dead = true;
	a->counts.lost++;
}

void archive_more(struct archive *a, uint32_t number, struct bytes data)
{
	struct passing *p = passing_of(a, number);

	while (p && !p->dead && data.len) {
		size_t n = data.len < ARCHIVE_PIECE_MAX ? data.len : ARCHIVE_PIECE_MAX;

		if (!put(a, p->object, ARCHIVE_MORE, (struct bytes){data.data, n}, RESERVED)) {
			lose(a, p);
			return;
		}
		data = (struct bytes){data.data + n, data.len - n};
	}
}

uint32_t archive_begin(struct archive *a, const struct talk *t, unsigned end)
{
	struct proto_object o;
	uint32_t i = 0;

	if (!t->proto->object || !t->proto->object(t->state, end, false, &o))
		return 0;
	while (i < ARCHIVE_OBJECTS && a->objects[i].object)
		i++;
	if (i == ARCHIVE_OBJECTS ||
	    !put(a, a->last + 1, ARCHIVE_BEGIN, (struct bytes){0}, RESERVED)) {
		a->counts.lost++;
		return 0;
	}
	a->objects[i] = (struct passing){.object = ++a->last};
	archive_more(a, i + 1, (struct bytes){o.head, o.head_len});
	return i + 1;
}

void archive_end(struct archive *a, uint32_t number, const struct archive_ending *ending)
{
	const struct proto *proto = ending->talk->proto;
	struct passing *p = passing_of(a, number);
	struct proto_object o;

	if (!p)
		return;
	if (p->dead || !proto->object(ending->talk->state, ending->end, true, &o)) {
		forget(a, p);
		return;
	}
	p->about = (struct archive_about){.flow_id = ending->flow_id, .time_ns = ending->time_ns};
	snprintf(p->about.device, sizeof(p->about.device), "%s", ending->device);
	snprintf(p->about.proto, sizeof(p->about.proto), "%s", proto->name);
	snprintf(p->about.suffix, sizeof(p->about.suffix), "%s", o.suffix);
	snprintf(p->about.label, sizeof(p->about.label), "%s", o.label);
	p->ended = true;
	a->ended++;
}

void archive_lose(struct archive *a, uint32_t number)
{
	struct passing *p = passing_of(a, number);

	if (!p)
		return;
	a->ended -= p->ended;
	a->counts.lost += !p->dead;
	forget(a, p);
}

void archive_settle(struct archive *a, bool passed)
{
	for (unsigned i = 0; a->ended && i < ARCHIVE_OBJECTS; i++) {
		struct passing *p = &a->objects[i];

		if (!p->ended)
			continue;
		a->ended--;
		if (!passed || p->dead) {
			forget(a, p);
			continue;
		}
		put(a, p->object, ARCHIVE_END,
		    (struct bytes){(const uint8_t *)&p->about, sizeof(p->about)}, 0);
		*p = (struct passing){0};
		a->counts.objects++;
	}
}

void archive_interrupt(struct archive *a)
{
	struct bytes rest = {a->queue.data + a->queue.first, fifo_used(&a->queue)}, body;
	struct archive_record r;

	while (archive_next(&rest, &r, &body)) {
		a->counts.lost += r.what == ARCHIVE_END;
		if (r.what == ARCHIVE_MISSED)
			a->told -= r.object;
	}
	fifo_take(&a->queue, fifo_used(&a->queue));
	for (unsigned i = 0; i < ARCHIVE_OBJECTS; i++) {
		struct passing *p = &a->objects[i];

		a->counts.lost += p->object && !p->dead;
		p->dead = p->object != 0;
	}
}

void archive_tick(struct archive *a)
{
	if (a->counts.lost == a->told ||
	    !put(a, a->counts.lost - a->told, ARCHIVE_MISSED, (struct bytes){0}, RESERVED))
		return;
	a->told = a->counts.lost;
}

struct bytes archive_waiting(const struct archive *a, size_t max)
{
	const struct fifo *q = &a->queue;
	size_t len = 0;

	while (q->first + len < q->end) {
		struct archive_record r;

		memcpy(&r, q->data + q->first + len, sizeof(r));
		if (len + RECORD + r.len > max)
			break;
		len += RECORD + r.len;
	}
	return (struct bytes){q->data + q->first, len};
}

void archive_sent(struct archive *a, size_t len)
{
	fifo_take(&a->queue, len);
}

bool archive_urgent(const struct archive *a)
{
	return fifo_used(&a->queue) >= URGENT;
}

void archive_counts(const struct archive *a, struct archive_counts *ret_counts)
{
	*ret_counts = a->counts;
}
