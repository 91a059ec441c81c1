#include "guard/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fifo.h"

#define KEPT	     4096 /* frames in the ring, at most */
#define CASES	     64
#define FLOW_EVERY   (NSEC_PER_SEC / 4) /* between cases, but for a burst of them */
#define STRAY_EVERY  (2 * NSEC_PER_SEC)
#define FLOW_BURST   16
#define STRAY_BURST  4
#define RECORD(len_) (sizeof(struct evidence_record) + (len_))

struct kept {
	uint64_t id;
	uint32_t at; /* of its record in the ring's bytes */
};

/* The records follow each other in the bytes; one that does not fit the end begins anew at 0. */
struct ring {
	uint8_t *data;
	size_t cap;
	struct kept *kept;
	uint32_t first, count;
	size_t end; /* behind the newest */
};

struct evidence_case {
	uint64_t id;
	uint64_t until_ns; /* open: when it ends; else: when there may be another */
	uint32_t left;	   /* frames; 0: closed */
};

/* Lets so many begin at once, then one a period. */
struct rate {
	uint64_t next_ns;
};

struct evidence {
	struct evidence_options o;
	struct ring ring;
	struct evidence_case cases[CASES];
	unsigned open;
	struct rate flows, strays;
	struct fifo queue;
	struct evidence_counts counts;
};

struct evidence *evidence_new(const struct evidence_options *o)
{
	struct evidence *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	e->ring.cap = o->ring_bytes;
	e->ring.data = malloc(o->ring_bytes);
	e->ring.kept = calloc(KEPT, sizeof(*e->ring.kept));
	if (e->ring.data && e->ring.kept && fifo_new(&e->queue, o->queue_bytes))
		return e;
	evidence_free(e);
	errno = ENOMEM;
	return NULL;
}

void evidence_free(struct evidence *e)
{
	if (!e)
		return;
	free(e->ring.data);
	free(e->ring.kept);
	fifo_free(&e->queue);
	free(e);
}

/* The ring */

static const struct kept *kept_at(const struct ring *r, uint32_t i)
{
	return &r->kept[(r->first + i) % KEPT];
}

/* Where `len` bytes fit as things are; false: nowhere. */
static bool find_room(const struct ring *r, size_t len, size_t *ret_at)
{
	size_t oldest = r->count ? kept_at(r, 0)->at : 0;
	bool wrapped = r->count && kept_at(r, r->count - 1)->at < oldest;

	if (r->count == KEPT)
		return false;
	*ret_at = r->count ? r->end : 0;
	if (wrapped)
		return oldest - r->end >= len;
	if (r->cap - *ret_at >= len)
		return true;
	*ret_at = 0;
	return r->count && oldest >= len;
}

static void forget_oldest(struct ring *r)
{
	r->first = (r->first + 1) % KEPT;
	r->count--;
}

static void keep(struct ring *r, const struct evidence_record *head, const uint8_t *frame)
{
	size_t len = RECORD(head->len), at;

	if (len > r->cap)
		return;
	while (!find_room(r, len, &at))
		forget_oldest(r);
	memcpy(r->data + at, head, sizeof(*head));
	memcpy(r->data + at + sizeof(*head), frame, head->len);
	r->kept[(r->first + r->count) % KEPT] = (struct kept){head->id, (uint32_t)at};
	r->count++;
	r->end = at + len;
}

/* The queue */

static void enqueue(struct evidence *e, const struct evidence_record *head, const uint8_t *frame)
{
	if (!fifo_put(&e->queue, (struct bytes){(const uint8_t *)head, sizeof(*head)},
		      (struct bytes){frame, head->len}))
		e->counts.lost++;
}

struct bytes evidence_waiting(const struct evidence *e, size_t max)
{
	const struct fifo *q = &e->queue;
	size_t len = 0;

	while (q->first + len < q->end) {
		struct evidence_record head;

		memcpy(&head, q->data + q->first + len, sizeof(head));
		if (len + RECORD(head.len) > max)
			break;
		len += RECORD(head.len);
	}
	return (struct bytes){q->data + q->first, len};
}

void evidence_sent(struct evidence *e, size_t len)
{
	fifo_take(&e->queue, len);
}

/* Cases */

static struct evidence_case *find_case(struct evidence *e, uint64_t id)
{
	for (unsigned i = 0; i < CASES; i++)
		if (e->cases[i].id == id && e->cases[i].until_ns)
			return &e->cases[i];
	return NULL;
}

/* What no case uses, else the closed one that has been so longest. */
static struct evidence_case *free_case(struct evidence *e)
{
	struct evidence_case *best = NULL;

	for (unsigned i = 0; i < CASES; i++)
		if (!e->cases[i].left && (!best || e->cases[i].until_ns < best->until_ns))
			best = &e->cases[i];
	return best;
}

static bool may_begin(struct rate *r, uint64_t now_ns, uint64_t every_ns, unsigned burst)
{
	uint64_t floor = now_ns > burst * every_ns ? now_ns - burst * every_ns : 0;

	if (r->next_ns < floor)
		r->next_ns = floor;
	if (r->next_ns + every_ns > now_ns)
		return false;
	r->next_ns += every_ns;
	return true;
}

static void close_case(struct evidence *e, struct evidence_case *c, uint64_t now_ns)
{
	struct evidence_record last = {.id = c->id, .flags = EVIDENCE_LAST};

	c->left = 0;
	c->until_ns = now_ns + EVIDENCE_QUIET_NS;
	e->open--;
	enqueue(e, &last, (const uint8_t *)""); /* lost, the keeper's own patience ends the case */
}

/* The latest frames of the conversation, oldest first. */
static void send_kept(struct evidence *e, uint64_t id)
{
	const struct ring *r = &e->ring;
	uint32_t i = r->count, found = 0;

	while (i > 0 && found < EVIDENCE_BEFORE)
		found += kept_at(r, --i)->id == id;
	for (; i < r->count; i++) {
		const uint8_t *at = r->data + kept_at(r, i)->at;
		struct evidence_record head;

		if (kept_at(r, i)->id != id)
			continue;
		memcpy(&head, at, sizeof(head));
		enqueue(e, &head, at + sizeof(head));
	}
}

static struct evidence_case *open_case(struct evidence *e, const struct evidence_sight *s,
				       uint64_t now_ns)
{
	bool may = s->record  ? true
		   : s->stray ? may_begin(&e->strays, now_ns, STRAY_EVERY, STRAY_BURST)
			      : may_begin(&e->flows, now_ns, FLOW_EVERY, FLOW_BURST);
	struct evidence_case *c = may ? free_case(e) : NULL;

	if (!c) {
		e->counts.refused++;
		return NULL;
	}
	*c = (struct evidence_case){s->id, now_ns + EVIDENCE_OPEN_NS,
				    s->record ? EVIDENCE_RECORD : EVIDENCE_AFTER};
	e->open++;
	e->counts.cases++;
	if (!s->record)
		send_kept(e, s->id);
	return c;
}

static const char *port_name(const struct evidence *e, uint32_t ifindex)
{
	for (unsigned i = 0; i < e->o.port_count; i++)
		if (e->o.ports[i].ifindex == ifindex)
			return e->o.ports[i].name;
	return "";
}

void evidence_see(struct evidence *e, const struct evidence_sight *s, uint64_t now_ns)
{
	struct evidence_record head = {
		.id = s->id,
		.time_ns = s->time_ns,
		.len = (uint32_t)(s->frame.len < EVIDENCE_FRAME_MAX ? s->frame.len
								    : EVIDENCE_FRAME_MAX),
		.reason = (uint16_t)s->reason,
		.fate = (uint8_t)s->fate,
	};
	bool wanted = s->reason || s->record;
	struct evidence_case *c = e->open || wanted ? find_case(e, s->id) : NULL;

	head.wire_len = s->wire_len > head.len ? s->wire_len : head.len;
	snprintf(head.port, sizeof(head.port), "%s", port_name(e, s->ifindex));
	if (c && !c->left && (s->record || c->until_ns <= now_ns)) {
		c->until_ns = 0; /* its place is free: no two cases of one conversation */
		c = NULL;
	}
	if (!c && wanted)
		c = open_case(e, s, now_ns);
	if (!c || !c->left) {
		if (!s->stray)
			keep(&e->ring, &head, s->frame.data);
		return;
	}
	enqueue(e, &head, s->frame.data);
	if (c->left == 1)
		close_case(e, c, now_ns);
	else
		c->left--;
}

void evidence_tick(struct evidence *e, uint64_t now_ns)
{
	for (unsigned i = 0; e->open && i < CASES; i++)
		if (e->cases[i].left && e->cases[i].until_ns <= now_ns)
			close_case(e, &e->cases[i], now_ns);
}

void evidence_counts(const struct evidence *e, struct evidence_counts *ret_counts)
{
	*ret_counts = e->counts;
}
