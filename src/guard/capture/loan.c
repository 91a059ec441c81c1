#include "guard/capture/loan.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "guard/capture/segment.h"

#define BATCH 64

/* Whose a chunk is just now. */
enum hands { OURS, SEALING, EMPTY };

struct loan {
	struct capture *capture;
	uint32_t chunks;
	uint8_t *hands; /* enum hands, of each chunk */
	struct share_queues queues;
	bool paired;
	int wakes_link, wakes_us;
	uint32_t empty; /* chunks that the link has to fill */
	/* Entries put into SHARE_SEAL, kept out of the link's reach; by place in the queue. Of a dead
	 * link's, peer 0: it was handed back. */
	struct spsc_entry put[SHARE_QUEUE];
	uint32_t put_next;
	/* Of a link that died. */
	uint32_t left_first, left_end;
	struct loan_counts counts;
};

struct loan *loan_new(struct capture *c, uint32_t chunks)
{
	struct loan *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->capture = c;
	l->chunks = chunks;
	l->wakes_link = l->wakes_us = -1;
	l->hands = calloc(chunks, 1);
	if (!l->hands) {
		free(l);
		errno = ENOMEM;
		return NULL;
	}
	return l;
}

static void hang_up(struct loan *l)
{
	share_unmap_queues(&l->queues);
	if (l->wakes_link >= 0)
		close(l->wakes_link);
	if (l->wakes_us >= 0)
		close(l->wakes_us);
	l->wakes_link = l->wakes_us = -1;
	l->paired = false;
}

void loan_free(struct loan *l)
{
	if (!l)
		return;
	hang_up(l);
	free(l->hands);
	free(l);
}

static uint32_t chunk_of(uint32_t offset)
{
	return offset / SHARE_CHUNK;
}

static void take_back(struct loan *l, uint32_t offset)
{
	l->hands[chunk_of(offset)] = OURS;
	l->capture->ops->restore(l->capture, offset);
}

/* The next of what the last link had not begun with; NULL: that was all. */
static const struct spsc_entry *next_left(struct loan *l)
{
	while (l->left_first != l->left_end) {
		const struct spsc_entry *e = &l->put[l->left_first++ % SHARE_QUEUE];

		if (e->peer)
			return e;
	}
	return NULL;
}

/* What was left of the last link and nobody asked for. */
static void drop_left(struct loan *l)
{
	const struct spsc_entry *e;

	while ((e = next_left(l)) != NULL)
		take_back(l, e->offset);
}

/*
 * How far it got is the link's own word, which at worst costs a frame or sends it twice. What it had
 * handed back already it cannot leave as well: such a chunk is free, or somebody else's by now.
 */
static void leave(struct loan *l)
{
	int waiting = spsc_waiting(&l->queues.q[SHARE_SEAL]);

	l->left_end = l->put_next;
	l->left_first = l->put_next - (waiting > 0 ? (uint32_t)waiting : 0);
	for (uint32_t i = l->left_end; i != l->left_first;) { /* the latest word on each chunk */
		struct spsc_entry *e = &l->put[--i % SHARE_QUEUE];
		uint8_t *hands = &l->hands[chunk_of(e->offset)];

		if (*hands != SEALING)
			e->peer = 0;
		*hands = *hands == SEALING ? OURS : *hands;
	}
}

void loan_end(struct loan *l)
{
	if (!l->paired)
		return;
	drop_left(l);
	leave(l);
	hang_up(l);
	for (uint32_t i = 0; i < l->chunks; i++) {
		l->counts.lost += l->hands[i] == SEALING;
		if (l->hands[i] != OURS)
			take_back(l, i * SHARE_CHUNK);
	}
	l->empty = 0;
}

/* What it says cannot be: nothing more of it is believed. */
static void distrust(struct loan *l)
{
	l->counts.distrusted++;
	loan_end(l);
}

int loan_pair(struct loan *l, int queues, int wakes_link, int wakes_us)
{
	struct share_queues q;
	int r = share_map_queues(queues, &q);

	loan_end(l);
	close(queues);
	if (r) {
		close(wakes_link);
		close(wakes_us);
		return r;
	}
	l->queues = q;
	l->wakes_link = wakes_link;
	l->wakes_us = wakes_us;
	l->put_next = 0;
	drop_left(l);
	l->left_first = l->left_end = 0;
	l->paired = true;
	loan_flush(l);
	return 0;
}

bool loan_paired(const struct loan *l)
{
	return l->paired;
}

/* A chunk that is ours becomes the link's, with what is to be known of it. */
static int put(struct loan *l, uint32_t offset, size_t len, const struct gate_verdict *v)
{
	struct spsc_entry e = {.offset = offset,
			       .len = (uint16_t)len,
			       .peer = v->link,
			       .port = v->ifindex,
			       .device = v->device};

	l->hands[chunk_of(offset)] = SEALING;
	l->put[l->put_next % SHARE_QUEUE] = e;
	l->put_next++;
	(void)spsc_put(&l->queues.q[SHARE_SEAL], &e); /* there was room */
	l->counts.sealed++;
	l->counts.sealed_bytes += len;
	return 0;
}

static int ready(struct loan *l, size_t len)
{
	if (!l->paired)
		return -ENOTCONN;
	if (len > SHARE_FRAME)
		return -EMSGSIZE;
	if (spsc_room(&l->queues.q[SHARE_SEAL]) == 0) {
		l->counts.refused++;
		return -ENOBUFS;
	}
	return 0;
}

int loan_seal_copy(struct loan *l, struct bytes data, const struct gate_verdict *v)
{
	uint32_t offset;
	int r = ready(l, data.len);

	if (r == 0)
		r = l->capture->ops->lend_copy(l->capture, data, &offset);
	return r ? r : put(l, offset, data.len, v);
}

/* A frame that stands for several packets. */
static int seal_segments(struct loan *l, const struct frame *f, const struct gate_verdict *v)
{
	uint8_t packet[SHARE_FRAME];
	struct segment s;
	int len, r = 0;

	if (!segment_begin(&s, f->data, f->segment))
		return -EMSGSIZE;
	while (r == 0 && (len = segment_next(&s, packet, sizeof(packet))) > 0)
		r = loan_seal_copy(l, (struct bytes){packet, (size_t)len}, v);
	if (len < 0)
		return len;
	/* What did not fit is lost, as in any queue that is full. */
	l->capture->ops->drop(l->capture, f);
	return 0;
}

int loan_seal(struct loan *l, const struct frame *f, const struct gate_verdict *v)
{
	uint32_t offset;
	int r = ready(l, f->segment ? 0 : f->data.len);

	if (r == 0 && f->segment)
		return seal_segments(l, f, v);
	if (r == 0)
		r = l->capture->ops->lend(l->capture, f, &offset);
	return r ? r : put(l, offset, f->data.len, v);
}

/* Is the chunk in the state that the entry implies? */
static bool lent(const struct loan *l, const struct spsc_entry *e, enum hands as)
{
	return chunk_of(e->offset) < l->chunks && l->hands[chunk_of(e->offset)] == as;
}

static bool fits(const struct spsc_entry *e)
{
	uint32_t in = e->offset % SHARE_CHUNK;

	return in >= SHARE_HEAD && e->len <= SHARE_CHUNK - in;
}

static bool adopt(struct loan *l, const struct spsc_entry *e, uint64_t wall_ns,
		  struct frame *ret_frame)
{
	if (!lent(l, e, EMPTY) || (e->len && !fits(e)) || (e->len && !e->peer) ||
	    e->peer > GATE_LINKS)
		return false;
	l->empty--;
	if (e->len == 0) {
		take_back(l, e->offset);
		*ret_frame = (struct frame){.sealed = 0};
		return true;
	}
	l->hands[chunk_of(e->offset)] = OURS;
	*ret_frame = (struct frame){.time_ns = wall_ns,
				    .wire_len = e->len,
				    .ifindex = e->port,
				    .link = LINK_ETHERNET,
				    .sealed = (uint8_t)e->peer};
	l->capture->ops->adopt(l->capture, e->offset, e->len, ret_frame);
	l->counts.opened++;
	l->counts.opened_bytes += e->len;
	return true;
}

unsigned loan_receive(struct loan *l, struct frame *ret_frames, unsigned max, uint64_t wall_ns)
{
	struct spsc_entry e[BATCH];
	unsigned got = 0;
	int n;

	if (!l->paired)
		return 0;
	n = spsc_take(&l->queues.q[SHARE_OPENED], e, max < BATCH ? max : BATCH);
	for (int i = 0; i < n; i++) {
		if (!adopt(l, &e[i], wall_ns, &ret_frames[got])) {
			n = -EBADMSG;
			break;
		}
		got += ret_frames[got].sealed != 0;
	}
	if (n < 0)
		distrust(l);
	return got;
}

static bool take_sealed(struct loan *l)
{
	struct spsc_entry e[BATCH];
	int n;

	while ((n = spsc_take(&l->queues.q[SHARE_SEALED], e, BATCH)) > 0)
		for (int i = 0; i < n; i++) {
			if (!lent(l, &e[i], SEALING))
				return false;
			take_back(l, e[i].offset);
		}
	return n == 0;
}

static void give_empty(struct loan *l)
{
	struct spsc *q = &l->queues.q[SHARE_EMPTY];
	struct spsc_entry e = {0};

	while (spsc_room(q) && l->capture->ops->spare(l->capture, &e.offset)) {
		l->hands[chunk_of(e.offset)] = EMPTY;
		l->empty++;
		(void)spsc_put(q, &e);
	}
}

void loan_flush(struct loan *l)
{
	bool wake;

	if (!l->paired)
		return;
	if (!take_sealed(l)) {
		distrust(l);
		return;
	}
	give_empty(l);
	(void)spsc_publish(&l->queues.q[SHARE_EMPTY]); /* it looks there when a frame comes */
	wake = spsc_publish(&l->queues.q[SHARE_SEAL]);
	if (wake)
		(void)!write(l->wakes_link, &(uint64_t){1}, sizeof(uint64_t));
}

bool loan_left(struct loan *l, struct frame *ret_f, struct gate_verdict *ret_v)
{
	const struct spsc_entry *e = next_left(l);

	if (!e)
		return false;
	*ret_f = (struct frame){
		.wire_len = e->len, .ifindex = e->port, .link = LINK_ETHERNET, .sealed = 0};
	l->capture->ops->adopt(l->capture, e->offset, e->len, ret_f);
	*ret_v = (struct gate_verdict){.abi = GATE_ABI,
				       .ifindex = e->port,
				       .device = e->device,
				       .peer = GATE_PEER_NONE,
				       .rule = ~0u,
				       .action = GATE_SEAL,
				       .would = GATE_SEAL,
				       .link = (uint8_t)e->peer};
	return true;
}

int loan_fd(const struct loan *l)
{
	return l->wakes_us;
}

bool loan_sleep(struct loan *l)
{
	if (!l->paired)
		return true;
	return spsc_sleep(&l->queues.q[SHARE_OPENED]) || !l->paired;
}

void loan_wake(struct loan *l)
{
	uint64_t times;

	if (!l->paired)
		return;
	spsc_wake(&l->queues.q[SHARE_OPENED]);
	(void)!read(l->wakes_us, &times, sizeof(times));
}

void loan_counts(const struct loan *l, struct loan_counts *ret_counts)
{
	*ret_counts = l->counts;
}
