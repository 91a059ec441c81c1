/* SPDX-License-Identifier: GPL-2.0 */
#include "gate_answer.h"
#include "gate_count.h"

#ifndef BEDWARDEN_BPF_GATE_WAYS_H
#define BEDWARDEN_BPF_GATE_WAYS_H
/*
 * A part of gate.bpf.c, which includes it: the ways a frame can go: dropped, back, on, up to a
 * guard, kept for its successor.
 */
static __always_inline int drop(struct xdp_md *ctx, const struct gate_config *cfg,
				struct gate_work *g, __u32 slot, int failed)
{
	const struct gate_verdict *v = &g->floor.verdict;
	struct gate_device_count *d = device_count(cfg, slot, v->device);
	__u32 len = g->floor.packet.len;

	if (v->reason == REASON_NONE) {
		count_total(GATE_TOTAL_LOCAL, len);
		return XDP_DROP;
	}
	if (d)
		count(failed ? &d->failed : &d->dropped, len);
	count_total(failed ? GATE_TOTAL_FAILED : GATE_TOTAL_DROPPED, len);
	count_reason(v->reason, len);
	gate_tell(ctx);
	return XDP_DROP;
}

/* Back out of the port it came in by, to the neighbour it is for. */
static __always_inline int hairpin(struct xdp_md *ctx, struct gate_work *g, __u32 slot)
{
	struct floor_tables t = {.slot = slot};
	const struct gate_verdict *v = &g->floor.verdict;
	const struct gate_device *d = floor_device(&t, v->peer & ~GATE_PEER_DEVICE);
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!d || data + 14 > end)
		return XDP_DROP;
	floor_mac_copy(data, d->mac);
	floor_mac_copy(data + 6, g->floor.port.mac);
	count_total(GATE_TOTAL_HAIRPINNED, g->floor.packet.len);
	return XDP_TX;
}

static __always_inline int forward(struct xdp_md *ctx, struct gate_work *g, __u32 slot)
{
	if (g->floor.verdict.flags & GATE_VERDICT_HAIRPIN)
		return hairpin(ctx, g, slot);
	return bpf_redirect(g->floor.port.partner, 0);
}

static __always_inline int pass(struct xdp_md *ctx, const struct gate_config *cfg,
				struct gate_work *g, __u32 slot)
{
	const struct gate_verdict *v = &g->floor.verdict;
	struct gate_device_count *d = device_count(cfg, slot, v->device);
	__u32 len = g->floor.packet.len;

	if (d)
		count(&d->passed, len);
	count_total(GATE_TOTAL_PASSED, len);
	if (v->flags & GATE_VERDICT_ANSWERED)
		return gate_answer(ctx);
	if (v->flags & GATE_VERDICT_LOCAL)
		return XDP_PASS;
	return forward(ctx, g, slot);
}

/* Does the device fail open (both devices, where both are ours)? */
static __always_inline int fails_open(const struct gate_work *g, __u32 slot)
{
	struct floor_tables t = {.slot = slot};
	const struct gate_verdict *v = &g->floor.verdict;
	const struct gate_device *d = floor_device(&t, v->device);
	int open = d && d->fail == GATE_OPEN && !(v->flags & GATE_VERDICT_RECORD);

	if (v->flags & GATE_VERDICT_HAIRPIN) {
		d = floor_device(&t, v->peer & ~GATE_PEER_DEVICE);
		open = open && d && d->fail == GATE_OPEN;
	}
	return open;
}

/* Nobody inspects: the device's fail mode decides. */
static __always_inline int fail(struct xdp_md *ctx, const struct gate_config *cfg,
				struct gate_work *g, __u32 slot, __u8 why)
{
	struct gate_verdict *v = &g->floor.verdict;
	struct gate_device_count *c;
	__u32 len = g->floor.packet.len;
	int open = fails_open(g, slot);

	if (v->flags & GATE_VERDICT_FRAGMENT) {
		open = 0;
		why = REASON_FLOOR_FRAGMENT;
	}
	if (v->flags & GATE_VERDICT_OPEN)
		open = 1;
	if (v->action == GATE_SEAL && v->would == GATE_DROP && !g->floor.soft) {
		open = 0; /* refused, as far as the kernel knows */
		why = v->reason;
	}
	if (why == REASON_FLOOR_TOO_BIG)
		count_total(GATE_TOTAL_TOO_BIG, len);
	if (!open) {
		v->action = GATE_DROP;
		v->reason = why;
		return drop(ctx, cfg, g, slot, 1);
	}
	c = device_count(cfg, slot, v->device);
	if (c)
		count(&c->uninspected, len);
	count_total(GATE_TOTAL_UNINSPECTED, len);
	count_reason(v->action == GATE_SEAL ? REASON_SEAL_CLEAR : REASON_FLOOR_UNINSPECTED, len);
	return forward(ctx, g, slot);
}

/* `room` is a constant wherever this is inlined: the ring's helper takes no other size. */
static __always_inline int hold_in(struct xdp_md *ctx, const struct gate_work *g, __u32 room)
{
	struct gate_held *h = bpf_ringbuf_reserve(&held, sizeof(*h) + room, 0);
	__u32 last = g->floor.packet.len - 1;

	if (!h)
		return 0;
	h->time_ns = g->floor.now_ns;
	h->verdict = g->floor.verdict;
	h->len = g->floor.packet.len;
	h->pad = 0;
	if (last > room - 1)
		last = room - 1;
	asm volatile("" : "+r"(last)); /* as in gate_tell() */
	if (bpf_xdp_load_bytes(ctx, 0, h + 1, last + 1)) {
		bpf_ringbuf_discard(h, 0);
		return 0;
	}
	bpf_ringbuf_submit(h, 0);
	return 1;
}

__noinline int gate_hold(struct xdp_md *ctx)
{
	struct gate_work *g = work();
	__u32 len;

	if (!g)
		return 0;
	len = g->floor.packet.len;
	if (len <= 192)
		return hold_in(ctx, g, 192);
	if (len <= 1536)
		return hold_in(ctx, g, 1536);
	return len <= GATE_HELD_MAX ? hold_in(ctx, g, GATE_HELD_MAX) : 0;
}

/* Kept for a guard's successor; 0: it cannot be. */
static __always_inline int keep(struct xdp_md *ctx, const struct gate_config *cfg,
				struct gate_work *g, __u32 slot)
{
	__u32 len = g->floor.packet.len;
	struct gate_device_count *d;

	if (len > cfg->frame_max || !gate_hold(ctx))
		return 0;
	d = device_count(cfg, slot, g->floor.verdict.device);
	if (d)
		count(&d->inspected, len);
	count_total(GATE_TOTAL_HELD, len);
	return 1;
}

/* No guard is there. If it made way for a successor, that one gets what must not pass unseen. */
static __always_inline int absent(struct xdp_md *ctx, const struct gate_config *cfg,
				  struct gate_work *g, __u32 slot, const struct gate_heart *h)
{
	const struct gate_verdict *v = &g->floor.verdict;

	if (!h || *(volatile __u64 *)&h->hold_until_ns <= g->floor.now_ns ||
	    v->flags & GATE_VERDICT_OPEN ||
	    (fails_open(g, slot) && !(v->flags & GATE_VERDICT_FRAGMENT)) ||
	    !keep(ctx, cfg, g, slot))
		return fail(ctx, cfg, g, slot, REASON_FLOOR_NO_GUARD);
	return XDP_DROP;
}

/* Has the guard let frames wait for too long? Notes when they began to. */
static __always_inline int late(struct gate_heart *h, __s64 owed, __u64 beat, __u64 now)
{
	__u64 since = h->since_ns;

	if (owed <= 0) {
		h->since_ns = now;
		return 0;
	}
	if (since < beat)
		since = beat;
	return owed >= GATE_LATE_FRAMES && now > since && now - since > GATE_LATE_NS;
}

/* Up to the guard of this queue, if one is there, awake and not too far behind. */
static __always_inline int inspect(struct xdp_md *ctx, const struct gate_config *cfg,
				   struct gate_work *g, __u32 slot)
{
	__u32 queue = ctx->rx_queue_index, at = GATE_SLOT(g->index, queue),
	      len = g->floor.packet.len;
	struct gate_heart *h = bpf_map_lookup_elem(&hearts, &queue);
	struct gate_device_count *d;
	struct gate_verdict *meta;
	__s64 owed;
	__u64 beat;

	if (!h || queue >= GATE_QUEUES || !bpf_map_lookup_elem(&xsks, &at))
		return absent(ctx, cfg, g, slot, h);
	beat = *(volatile __u64 *)&h->beat_ns;
	if (!beat || (*(volatile __u32 *)&h->owner & GATE_OWNER_DIED) ||
	    (g->floor.now_ns > beat && g->floor.now_ns - beat > cfg->stale_ns))
		return absent(ctx, cfg, g, slot, h);
	if (len > cfg->frame_max)
		return fail(ctx, cfg, g, slot, REASON_FLOOR_TOO_BIG);
	owed = (__s64)(h->given - *(volatile __u64 *)&h->taken);
	/* What is to be sealed waits for a slow guard rather than leave in the clear. */
	if ((late(h, owed, beat, g->floor.now_ns) && fails_open(g, slot) &&
	     g->floor.verdict.action != GATE_SEAL) ||
	    owed >= (__s64)cfg->backlog || bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return fail(ctx, cfg, g, slot, REASON_FLOOR_OVERLOAD);
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = g->floor.verdict;
	__sync_fetch_and_add(&h->given, 1);
	d = device_count(cfg, slot, g->floor.verdict.device);
	if (d)
		count(&d->inspected, len);
	count_total(GATE_TOTAL_INSPECTED, len);
	return bpf_redirect_map(&xsks, at, XDP_DROP);
}

/* Its death is known at once; one that only is slow may be as slow as that. */
#define LINK_PATIENCE 5

/*
 * To the guard, which hands it to the link. Where the peer gateway takes no frames, nothing of a
 * device that fails closed goes any further; of others the guard sees it first all the same.
 */
static __always_inline int seal(struct xdp_md *ctx, const struct gate_config *cfg,
				struct gate_work *g, __u32 slot)
{
	__u32 none = 0, number = g->floor.verdict.link, queue = ctx->rx_queue_index;
	const struct gate_link *process = bpf_map_lookup_elem(&links, &none);
	const struct gate_link *peer = bpf_map_lookup_elem(&links, &number);
	const struct gate_heart *h = bpf_map_lookup_elem(&hearts, &queue);

	if (!process || !peer)
		return XDP_ABORTED;
	/* One link makes way for the next: late and sealed rather than at once and in the clear. */
	if (h && *(volatile __u64 *)&h->seal_until_ns > g->floor.now_ns && keep(ctx, cfg, g, slot))
		return XDP_DROP;
	if (!fails_open(g, slot) &&
	    !gate_link_up(process, peer, g->floor.now_ns, LINK_PATIENCE * cfg->stale_ns))
		return fail(ctx, cfg, g, slot, REASON_SEAL_DOWN);
	return inspect(ctx, cfg, g, slot);
}

#endif
