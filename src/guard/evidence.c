#include "guard/evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fifo.h"

#define RINGS	     8
#define KEPT	     512 /* frames in each, at most */
#define CASES	     64
#define RECORDS	     48 /* of them, of what is kept whole */
#define DEVICES	     64 /* whose rates are known */
#define RECORD(len_) (sizeof(struct evidence_record) + (len_))

struct kept {
	uint64_t id;
	uint32_t at; /* of its record in the ring's bytes */
};

/* Between cases, but for a burst of them. */
struct limit {
	uint64_t every_ns;
	unsigned burst;
};

/* Of conversations and of strays; all together, and of one device. */
static const struct limit all_limits[] = {{NSEC_PER_SEC / 4, 16}, {2 * NSEC_PER_SEC, 4}};
static const struct limit own_limits[] = {{2 * NSEC_PER_SEC, 8}, {8 * NSEC_PER_SEC, 2}};

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
	uint32_t device;
	bool record;
};

struct rates {
	uint32_t device;
	uint64_t full_ns[2]; /* when so many may begin at once again; as in the limits */
};

struct evidence {
	struct evidence_options o;
	struct ring rings[RINGS];
	struct evidence_case cases[CASES];
	unsigned open;
	struct rates all, own[DEVICES];
	struct fifo queue;
	struct evidence_counts counts;
};

static bool ring_new(struct ring *r, size_t cap)
{
	r->cap = cap;
	r->data = malloc(cap);
	r->kept = calloc(KEPT, sizeof(*r->kept));
	return r->data && r->kept;
}

struct evidence *evidence_new(const struct evidence_options *o)
{
	struct evidence *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	for (unsigned i = 0; i < RINGS; i++)
		if (!ring_new(&e->rings[i], o->ring_bytes / RINGS))
			goto free;
	if (fifo_new(&e->queue, o->queue_bytes))
		return e;
free:
	evidence_free(e);
	errno = ENOMEM;
	return NULL;
}

void evidence_free(struct evidence *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < RINGS; i++) {
		free(e->rings[i].data);
		free(e->rings[i].kept);
	}
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

/* What is kept whole leaves a quarter of the room to what is found. */
static void enqueue(struct evidence *e, const struct evidence_case *c,
		    const struct evidence_record *r, const uint8_t *frame)
{
	size_t room = c->record ? e->queue.cap / 4 * 3 : e->queue.cap;
	struct evidence_record head = *r;

	head.device = c->device;
	if (fifo_used(&e->queue) + RECORD(head.len) > room ||
	    !fifo_put(&e->queue, (struct bytes){(const uint8_t *)&head, sizeof(head)},
		      (struct bytes){frame, head.len}))
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

/* Those of a device, or of the one that has been without a case for longest, from now on its own. */
static struct rates *rates_of(struct evidence *e, uint32_t device)
{
	struct rates *best = &e->own[0];

	for (unsigned i = 0; i < DEVICES; i++) {
		struct rates *r = &e->own[i];

		if (r->device == device)
			return r;
		if (r->full_ns[0] + r->full_ns[1] < best->full_ns[0] + best->full_ns[1])
			best = r;
	}
	*best = (struct rates){.device = device};
	return best;
}

static bool is_due(struct rates *r, const struct limit *limits, bool stray, uint64_t now_ns)
{
	const struct limit *l = &limits[stray];

	if (r->full_ns[stray] < now_ns)
		r->full_ns[stray] = now_ns;
	return r->full_ns[stray] - now_ns + l->every_ns <= l->burst * l->every_ns;
}

static bool may_begin(struct evidence *e, uint32_t device, bool stray, uint64_t now_ns)
{
	struct rates *own = rates_of(e, device);

	if (!is_due(own, own_limits, stray, now_ns) || !is_due(&e->all, all_limits, stray, now_ns))
		return false;
	own->full_ns[stray] += own_limits[stray].every_ns;
	e->all.full_ns[stray] += all_limits[stray].every_ns;
	return true;
}

static void close_case(struct evidence *e, struct evidence_case *c, uint64_t now_ns)
{
	struct evidence_record last = {.id = c->id, .flags = EVIDENCE_LAST};

	c->left = 0;
	c->until_ns = now_ns + EVIDENCE_QUIET_NS;
	e->open--;
	enqueue(e, c, &last,
		(const uint8_t *)""); /* lost, the keeper's own patience ends the case */
}

/* The latest frames of the conversation, oldest first. */
static void send_kept(struct evidence *e, const struct evidence_case *c)
{
	const struct ring *r = &e->rings[c->device % RINGS];
	uint32_t i = r->count, found = 0;

	while (i > 0 && found < EVIDENCE_BEFORE)
		found += kept_at(r, --i)->id == c->id;
	for (; i < r->count; i++) {
		const uint8_t *at = r->data + kept_at(r, i)->at;
		struct evidence_record head;

		if (kept_at(r, i)->id != c->id)
			continue;
		memcpy(&head, at, sizeof(head));
		enqueue(e, c, &head, at + sizeof(head));
	}
}

static struct evidence_case *open_case(struct evidence *e, const struct evidence_sight *s,
				       uint64_t now_ns)
{
	bool may = s->record ? e->open < RECORDS : may_begin(e, s->device, s->stray, now_ns);
	struct evidence_case *c = may ? free_case(e) : NULL;

	if (!c) {
		e->counts.refused++;
		return NULL;
	}
	*c = (struct evidence_case){s->id, now_ns + EVIDENCE_OPEN_NS,
				    s->record ? EVIDENCE_RECORD : EVIDENCE_AFTER, s->device,
				    s->record};
	e->open++;
	e->counts.cases++;
	if (!s->record)
		send_kept(e, c);
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
			keep(&e->rings[s->device % RINGS], &head, s->frame.data);
		return;
	}
	enqueue(e, c, &head, s->frame.data);
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
