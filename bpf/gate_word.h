/* SPDX-License-Identifier: GPL-2.0 */
#include "gate_floor.h"

#ifndef BEDWARDEN_BPF_GATE_WORD_H
#define BEDWARDEN_BPF_GATE_WORD_H
/*
 * A part of gate.bpf.c, which includes it: a guard's word on a conversation.
 */
/* What a guard's word does to a conversation that is known. */
static __always_inline void word_mark(struct gate_word *w, struct gate_flow *f)
{
	switch (w->kind) {
	case GATE_WORD_BLOCK:
		f->reason = w->reason;
		f->seen_ns = w->now_ns;
		f->until_ns = w->until_ns;
		f->flags = (f->flags & ~GATE_FLOW_BYPASSED) | GATE_FLOW_BLOCKED;
		break;
	case GATE_WORD_BYPASS:
		if (f->action != GATE_INSPECT ||
		    f->flags & (GATE_FLOW_BLOCKED | GATE_FLOW_GRANTED)) {
			w->answer = GATE_WORD_UNKNOWN;
			break;
		}
		f->until_ns = w->until_ns;
		f->flags |= GATE_FLOW_BYPASSED;
		break;
	case GATE_WORD_INSPECT:
		f->flags &= ~GATE_FLOW_BYPASSED;
		break;
	}
}

/* Blocked before the floor has met it: judged by policy if it is heard from after that. */
static __always_inline void word_begin(struct gate_word_work *said)
{
	struct gate_word *w = &said->word;
	struct gate_flow *f = &said->fresh;

	__builtin_memset(f, 0, sizeof(*f));
	f->seen_ns = w->now_ns;
	f->until_ns = w->until_ns;
	f->device = w->key.segment; /* its stranger */
	f->peer = GATE_PEER_NONE;
	f->rule = ~0u;
	f->reason = w->reason;
	f->flags = GATE_FLOW_BLOCKED;
	if (!(gate_word_put() & 31))
		w->answer = GATE_WORD_AGAIN;
}

/* Not attached anywhere: run by whoever has a word, a struct gate_word in the place of a frame. */
SEC("xdp")
int gate_say(struct xdp_md *ctx)
{
	struct gate_word_work *said = word_work();
	struct gate_slot *slot;
	struct gate_word *w;

	if (!said || bpf_xdp_load_bytes(ctx, 0, &said->word, sizeof(said->word)))
		return XDP_ABORTED;
	w = &said->word;
	w->answer = GATE_WORD_DONE;
	slot = flow_at((__u32)gate_flow_find(GATE_FLOW_OF_WORD));
	if (slot) {
		word_mark(w, &slot->flow);
		w->flow = slot->flow;
		w->bypassed[0] = slot->bypassed[0];
		w->bypassed[1] = slot->bypassed[1];
	} else if (w->kind == GATE_WORD_BLOCK) {
		word_begin(said);
	} else {
		w->answer = GATE_WORD_UNKNOWN;
	}
	return bpf_xdp_store_bytes(ctx, 0, w, sizeof(*w)) ? XDP_ABORTED : XDP_PASS;
}

#endif
