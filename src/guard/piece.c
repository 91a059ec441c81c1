#include <stdlib.h>
#include <string.h>

#include "guard/decode/tunnel.h"
#include "guard/engine_internal.h"
#include "guard/flow/fragment.h"
#include "guard/mirror.h"

#define TUNNELS_MOST 4 /* within each other */

/* A piece that went on already, as it was: a frame with `copied` has it for a handle. */
struct copy {
	struct gate_verdict verdict;
	uint8_t data[];
};

/* The word on the piece with the transport header is the word on the datagram. */
static const struct gate_verdict *kernels_verdict(const struct fragment_datagram *d)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->frames[i].verdict && !(d->frames[i].verdict->flags & GATE_VERDICT_FRAGMENT))
			return d->frames[i].verdict;
	return NULL;
}

/* Of pieces nothing can be left out that must not arrive; nobody cuts what has hardly a content. */
static bool is_cut_syn(const struct packet *p)
{
	return p->proto == PROTO_TCP && p->tcp_flags & TCP_SYN;
}

/* One that a capture cut is part of nothing; on a line that is not inspected each is judged by itself
 * alone, as in the kernel. */
static bool is_piece(const struct engine *e, const struct work *w)
{
	return w->p.fragment && w->p.frame.len >= w->p.wire_len && w->v.action != GATE_DROP &&
	       !(e->policy && w->v.action == GATE_PASS);
}

static bool copy_of(const struct frame *f, struct frame *ret_copy)
{
	struct copy *c = malloc(sizeof(*c) + f->data.len);

	if (!c)
		return false;
	memcpy(c->data, f->data.data, f->data.len);
	*ret_copy = *f;
	if (f->verdict) {
		c->verdict = *f->verdict;
		ret_copy->verdict = &c->verdict;
	}
	ret_copy->data.data = c->data;
	ret_copy->handle = (uintptr_t)c;
	ret_copy->copied = true;
	return true;
}

/* The piece waits for the rest of its datagram. */
static bool add_copy(struct fragment_table *t, const struct frame *copy, struct work *w)
{
	packet_decode(copy->data, copy->link, copy->time_ns, copy->wire_len, &w->p);
	return fragment_add(t, &w->p, copy);
}

static void hear_carried(struct engine *e, const struct frame *f, struct work *w)
{
	packet_decode(f->data, f->link, f->time_ns, f->wire_len, &w->p);
	engine_place(e, f, w);
	flow_hint(e->flows, &w->p, w->segment, &w->hint);
	w->floor_hint.key = NULL;
}

/*
 * What a packet of a file carries in a tunnel is told as well as the tunnel: it may be a mirror's way to
 * who recorded it. It has no frame of its own to wait with, or to be settled. Who stands in the path
 * (`--inline`) looks into none.
 */
void engine_take_carried(struct engine *e, const struct frame *f, const struct packet *p)
{
	struct work *w = &e->carried;
	struct tunnel_inner in;
	struct frame copy;

	for (unsigned n = 0; n < TUNNELS_MOST && tunnel_inner(p, &in); n++) {
		const struct frame inner = {.data = in.frame,
					    .time_ns = p->time_ns,
					    .wire_len = in.wire_len,
					    .ifindex = f->ifindex,
					    .link = in.link | LINK_OFFLOAD | LINK_WRAPPED};

		hear_carried(e, &inner, w);
		p = &w->p;
		if (mirror_is_copy(e->mirror, p)) {
			e->stats.copies++;
			return;
		}
		engine_judge(e, NULL, w);
		if (is_piece(e, w) && !e->in_carried && copy_of(&inner, &copy)) {
			add_copy(e->carried_fragments, &copy, w);
			return;
		}
		engine_conclude(e, w);
	}
}

static void judge_whole(struct engine *e, const struct fragment_datagram *d)
{
	struct work *w = &e->whole;

	packet_decode(d->whole.data, d->whole.link, d->whole.time_ns, d->whole.wire_len, &w->p);
	engine_place(e, &d->frames[0], w);
	flow_hint(e->flows, &w->p, w->segment, &w->hint);
	if (e->mirror && !e->o.inline_)
		engine_take_carried(e, &d->frames[0], &w->p);
	engine_judge(e, kernels_verdict(d), w);
	if ((!d->is_fresh || is_cut_syn(&w->p)) && engine_enforces(e, w->v.device) &&
	    w->v.action != GATE_DROP)
		engine_refuse(e, w, REASON_FLOOR_FRAGMENT);
	engine_conclude(e, w);
	e->stats.fragments_reassembled++;
}

/* What is only watched is not held back, be it part of something whole or not; where it goes is known. */
static bool goes_on(const struct engine *e, const struct work *w)
{
	const struct gate_device *d = engine_device(e, w->v.device);

	return !e->policy || w->v.flags & GATE_VERDICT_OPEN ||
	       (w->v.link && d && d->mode != GATE_ENFORCE);
}

static void give_up(struct engine *e, const struct fragment_datagram *d, struct work *w)
{
	e->stats.fragments_lost += d->count;
	packet_decode(d->frames[0].data, d->frames[0].link, d->frames[0].time_ns,
		      d->frames[0].wire_len, &w->p);
	engine_place(e, &d->frames[0], w);
	engine_judge(e, d->frames[0].verdict, w);
	if (d->how == FRAGMENT_SHUTDOWN || d->anomaly >= ANOMALY_COUNT)
		return;
	if (!goes_on(e, w))
		w->v.action = GATE_DROP;
	notice_anomalies(&e->notice, &w->p, 1ull << d->anomaly, &w->v, w->segment, NULL, e->now_ns);
	engine_count_anomalies(e, 1ull << d->anomaly);
	if (e->o.evidence)
		engine_witness(e, w, NULL, REASON_FLOOR_FRAGMENT);
}

static void settle_piece(struct engine *e, const struct fragment_datagram *d, const struct frame *f)
{
	bool whole = d->how == FRAGMENT_WHOLE;

	/* Not where some of it went on before its device's mode was changed. */
	if (whole && engine_enforces(e, e->whole.v.device) && !d->frames[0].copied)
		fragment_renumber(f, d->fresh_id);
	if ((whole || goes_on(e, &e->whole)) && !engine_refuses(e, &e->whole))
		engine_settle(e, f, &e->whole);
	else
		e->capture->ops->drop(e->capture, f);
}

void engine_pieces_ended(void *arg, const struct fragment_datagram *d)
{
	struct engine *e = arg;

	e->pieces = d;
	if (d->how == FRAGMENT_WHOLE)
		judge_whole(e, d);
	else
		give_up(e, d, &e->whole);
	for (unsigned i = 0; i < d->count; i++)
		if (d->frames[i].copied)
			free((struct copy *)(uintptr_t)d->frames[i].handle);
		else if (e->capture)
			settle_piece(e, d, &d->frames[i]);
	e->pieces = NULL;
}

/* In a tunnel. What is in the datagram's own tunnels is read, and not put together. */
void engine_carried_ended(void *arg, const struct fragment_datagram *d)
{
	struct engine *e = arg;
	struct work *w = &e->carried;

	if (d->how == FRAGMENT_WHOLE) {
		hear_carried(e, &d->whole, w);
		engine_judge(e, NULL, w);
		engine_conclude(e, w);
		e->stats.fragments_reassembled++;
		e->in_carried = true;
		engine_take_carried(e, &d->whole, &w->p);
		e->in_carried = false;
	} else {
		give_up(e, d, w);
	}
	for (unsigned i = 0; i < d->count; i++)
		free((struct copy *)(uintptr_t)d->frames[i].handle);
}

/* It goes on now, and what is read once its datagram is whole is a copy. */
static bool read_along(struct engine *e, const struct frame *f, struct work *w)
{
	struct frame copy;

	if (!copy_of(f, &copy))
		return false;
	e->announced = false;
	engine_settle(e, f, w);
	return add_copy(e->fragments, &copy, w);
}

/* A piece is judged by itself first, and as part of its datagram once that is whole. */
bool engine_take_piece(struct engine *e, const struct frame *f, struct work *w)
{
	if (!is_piece(e, w))
		return false;
	return goes_on(e, w) ? read_along(e, f, w) : fragment_add(e->fragments, &w->p, f);
}
