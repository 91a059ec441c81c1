/* SPDX-License-Identifier: GPL-2.0 */
#include "gate_maps.h"

#ifndef BEDWARDEN_BPF_GATE_FLOOR_H
#define BEDWARDEN_BPF_GATE_FLOOR_H
/*
 * A part of gate.bpf.c, which includes it: conversations, found and kept, and the steps of a
 * judgement, each of them verified apart.
 */
/* ---- conversations ---- */

static __always_inline struct gate_set *set_at(__u32 at)
{
	__u32 first = 0, block = at / GATE_BLOCK_SETS;
	__u64 i = at - block * GATE_BLOCK_SETS;
	void *map = bpf_map_lookup_elem(&flows, &block), *b;

	b = map ? bpf_map_lookup_elem(map, &first) : 0;
	SETS_HIDE(i);
	if (!b || i >= GATE_BLOCK_SETS)
		return 0;
	b += i * sizeof(struct gate_set);
	SETS_HIDE(b);
	return b + (block_skew & 63);
}

/* A place is a set's index, and the number of a slot of it. */
static __always_inline struct gate_slot *flow_at(__u32 place)
{
	__u32 i = place & 31;
	struct gate_set *s = i ? set_at(place >> 5) : 0;

	return s ? sets_slot(s, i) : 0;
}

/* The set in which to look, by the place of its first slot; 0 there is none. */
static __always_inline struct gate_set *flow_set(const struct gate_flow_key *key, __u64 *ret_hash,
						 __u32 *ret_at)
{
	struct gate_set *head;

	*ret_at = 0;
	head = set_at(0);
	if (!head)
		return 0;
	*ret_hash = sets_hash(head, key);
	*ret_at = sets_index(head, *ret_hash);
	return set_at(*ret_at);
}

static __always_inline const struct gate_flow_key *flow_key(__u32 which)
{
	struct gate_word_work *said = which == GATE_FLOW_OF_WORD ? word_work() : 0;
	struct gate_work *g;

	if (which == GATE_FLOW_OF_WORD)
		return said ? &said->word.key : 0;
	g = work();
	if (!g)
		return 0;
	return which == GATE_FLOW_OF_PACKET ? &g->floor.key : &g->floor.fragment_key;
}

__noinline int gate_flow_find(__u32 which)
{
	const struct gate_flow_key *key = flow_key(which);
	struct gate_set *s;
	__u64 hash;
	__u32 at;

	if (!key)
		return 0;
	s = flow_set(key, &hash, &at);
	return s ? (int)(at << 5 | sets_find(s, key, hash)) : 0;
}

static __always_inline int put(const struct gate_flow_key *key, const struct gate_flow *f,
			       __u64 now_ns)
{
	struct gate_set *s;
	__u64 hash;
	__u32 at;

	s = flow_set(key, &hash, &at);
	return s ? (int)(at << 5 | sets_put(s, key, hash, f, now_ns)) : 0;
}

__noinline int gate_flow_put(__u32 which)
{
	const struct gate_flow_key *key = flow_key(which);
	struct gate_work *g = work();

	return key && g ? put(key, &g->floor.fresh, g->floor.now_ns) : 0;
}

__noinline int gate_word_put(void)
{
	struct gate_word_work *said = word_work();

	return said ? put(&said->word.key, &said->fresh, said->word.now_ns) : 0;
}

__noinline int gate_match(__u32 slot, __u32 device, __u32 how, __u32 port)
{
	struct floor_tables t = {.slot = slot};
	struct gate_work *g = work();

	return g ? floor_match(&t, &g->floor, device, how & 1, port, how >> 1 & 1) : -1;
}

__noinline int gate_grant(__u32 slot, __u32 device, __u32 how)
{
	struct floor_tables t = {.slot = slot};
	struct gate_work *g = work();

	return g ? (int)floor_grant(&t, &g->floor, device, how) : 0;
}

__noinline int gate_policy(__u32 slot, __u32 readings)
{
	struct floor_tables t = {.slot = slot};
	struct gate_work *g = work();

	return g ? floor_policy(&t, &g->floor, readings) : 0;
}

__noinline int gate_decide(__u32 slot)
{
	struct floor_tables t = {.slot = slot};
	struct gate_work *g = work();

	if (!g)
		return 0;
	t.key = &g->floor.key;
	floor_decide(&t, &g->floor);
	return 0;
}

__noinline int gate_nd_options(struct xdp_md *ctx, __u32 off, __u32 left)
{
	struct gate_work *g = work();

	if (g)
		parse_nd_options(&g->floor.packet, (void *)(long)ctx->data,
				 (void *)(long)ctx->data_end, off, left);
	return 0;
}

__noinline int gate_transport(struct xdp_md *ctx, __u32 off, __u32 left)
{
	struct gate_work *g = work();

	if (g)
		parse_transport(ctx, &g->floor.packet, (void *)(long)ctx->data,
				(void *)(long)ctx->data_end, off, left);
	return 0;
}

__noinline int gate_parse(struct xdp_md *ctx)
{
	struct gate_work *g = work();

	if (!g)
		return 0;
	__builtin_memset(&g->floor.packet, 0, sizeof(g->floor.packet));
	parse_frame(ctx, &g->floor.packet, (void *)(long)ctx->data, (void *)(long)ctx->data_end,
		    &g->l3, &g->l4);
	return 0;
}

#endif
