#include "guard/engine_internal.h"

#include <errno.h>

static bool fails_open(const struct engine *e, uint32_t device)
{
	const struct gate_device *d = engine_device(e, device);

	return d && d->fail == GATE_OPEN;
}

void engine_judge_seal(const struct engine *e, struct work *w)
{
	if (w->v.action != GATE_SEAL || !e->o.seal.up || e->o.seal.up(e->o.seal.arg, w->v.link))
		return;
	/* In every mode: a trial is no leave to send in the clear what a device may not. */
	if (!fails_open(e, w->v.device) || w->v.flags & GATE_VERDICT_RECORD) {
		w->v.action = w->v.would = GATE_DROP;
		w->v.reason = REASON_SEAL_DOWN;
		return;
	}
	w->v.action = GATE_INSPECT;
	if (w->v.reason == REASON_NONE)
		w->v.reason = REASON_SEAL_CLEAR;
}

/* The link took it not, although it was up when the packet was judged. */
static void fail(struct engine *e, const struct frame *f, uint32_t device, uint32_t out)
{
	if (fails_open(e, device) && out) {
		e->stats.in_clear++;
		e->capture->ops->forward(e->capture, f, out);
	} else {
		e->capture->ops->drop(e->capture, f);
	}
}

void engine_seal(struct engine *e, const struct frame *f, const struct work *w, uint32_t out)
{
	if (!e->o.seal.frame) {
		e->capture->ops->forward(e->capture, f, out);
		return;
	}
	if (e->o.seal.frame(e->o.seal.arg, f, &w->v) == 0)
		e->stats.sealed++;
	else
		fail(e, f, w->v.device, out);
}

/*
 * Between two gateways in different networks the sender addressed its router, and the frame came
 * past that. This is its last hop, and who it is for is bound to one address.
 */
void engine_last_hop(const struct engine *e, const struct frame *f, struct work *w)
{
	static const uint8_t none[6];
	const struct gate_device *d = engine_device(e, w->v.device);
	uint8_t *frame = (uint8_t *)(uintptr_t)f->data.data;

	if (!w->sealed || !w->p.ip_version || !d || !(w->v.flags & GATE_VERDICT_TO_DEVICE) ||
	    w->v.action == GATE_DROP || f->link != LINK_ETHERNET || w->p.dst_mac[0] & 1)
		return;
	if (memcmp(d->mac, none, 6) == 0 || memcmp(d->mac, w->p.dst_mac, 6) == 0)
		return;
	memcpy(frame, d->mac, 6);
	memcpy(w->p.dst_mac, d->mac, 6);
}

void engine_left(struct engine *e, struct capture *c, const struct frame *f,
		 const struct gate_verdict *v)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, v->ifindex) : NULL;

	e->capture = c;
	fail(e, f, v->device, port ? port->partner : 0);
}

void engine_say(struct engine *e, const struct work *w, struct bytes frame, uint32_t out)
{
	const struct gate_port *port = roster_port(e->roster, out);

	if (!e->capture || !e->capture->ops->inject)
		return;
	/* Towards the hospital it goes the way of its conversation; if it can't, the other end has to
	 * find out by itself. */
	if (port && port->side == GATE_HOSPITAL && w->v.link && e->o.seal.own) {
		if (e->o.seal.up(e->o.seal.arg, w->v.link)) {
			e->o.seal.own(e->o.seal.arg, frame, &w->v);
			return;
		}
		if (!fails_open(e, w->v.device))
			return;
	}
	e->capture->ops->inject(e->capture, frame, out);
}
