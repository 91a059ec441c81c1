/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOWS_H
#define BEDWARDEN_BPF_FLOWS_H
/*
 * The floor's memory of conversations: sets of a page each, where a hash with a secret
 * key says which set a conversation belongs to, and in which of its slots to look first. A
 * look-up touches one page and two or three lines of it; the kernel's own hash table (its LRU
 * kind) touches four lines on two pages, which with a million conversations is what a packet
 * costs most of (doc/adr/0050-conversations-in-sets.md).
 *
 * A set that is full gives up, in this order: a conversation that has aged out, the one that has
 * been silent for longest, and of those that a guard blocked the one silent for longest. So no
 * flood of new conversations pushes out a blocked one while there are others.
 *
 * Written once and compiled twice, as floor.h: into the program, and into a test.
 */
#include "shared.h"

#ifdef __bpf__
#define SETS_FN static inline __attribute__((always_inline))
/* Each turn is walked by the verifier; laid out one after the other they would not fit the cache. */
#define SETS_LOOP   _Pragma("clang loop unroll(disable)")
#define SETS_UNROLL _Pragma("clang loop unroll(full)")
/* The compiler knows that it needs no mask, Linux 6.1's verifier that it does. */
#define SETS_HIDE(i) asm volatile("" : "+r"(i))
/* The verifier would go on for each slot apart: through memory it does not know which one it is. */
#define SETS_FORGET(s, from, to)                    \
	do {                                        \
		*(volatile __u32 *)&(s)->at = from; \
		to = *(volatile __u32 *)&(s)->at;   \
	} while (0)
/* What was stored before is seen by whoever sees what is stored after. */
#define SETS_ORDER(s) __sync_lock_test_and_set(&(s)->lock, 1)
#else
#define SETS_FN static inline
#define SETS_LOOP
#define SETS_UNROLL
#define SETS_HIDE(i)		 ((void)(i))
#define SETS_FORGET(s, from, to) ((to) = (from))
#define SETS_ORDER(s)		 __sync_synchronize()
#endif

typedef __u64 __attribute__((may_alias)) sets_word;

SETS_FN __u64 sets_rotate(__u64 x, int by)
{
	return x << by | x >> (64 - by);
}

SETS_FN void sets_round(__u64 v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = sets_rotate(v[1], 13) ^ v[0];
	v[3] = sets_rotate(v[3], 16) ^ v[2];
	v[0] = sets_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = sets_rotate(v[1], 17) ^ v[2];
	v[3] = sets_rotate(v[3], 21) ^ v[0];
	v[2] = sets_rotate(v[2], 32);
}

/* SipHash-1-3 of a key on an 8-byte boundary: who does not know the secret cannot aim at a set. */
SETS_FN __u64 sets_hash(const struct gate_set *head, const struct gate_flow_key *key)
{
	const sets_word *w = (const sets_word *)key;
	__u64 v[4] = {head->secret[0] ^ 0x736f6d6570736575, head->secret[1] ^ 0x646f72616e646f6d,
		      head->secret[0] ^ 0x6c7967656e657261, head->secret[1] ^ 0x7465646279746573};
	__u64 last = *(const __u32 *)(w + 5) | (__u64)sizeof(*key) << 56;
	int i;

	SETS_UNROLL
	for (i = 0; i < 6; i++) {
		__u64 m = i < 5 ? w[i] : last;

		v[3] ^= m;
		sets_round(v);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	sets_round(v);
	sets_round(v);
	sets_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Index into the map; [0] is the head. */
SETS_FN __u32 sets_index(const struct gate_set *head, __u64 hash)
{
	return 1 + (__u32)((hash >> 32) * head->count >> 32);
}

/*
 * A set's slots are numbered from 1, as if its head were the first: so five bits are a slot's number
 * whatever they hold, and 0 is none. Linux 6.1 learns nothing from a number not being 31.
 */
SETS_FN struct gate_slot *sets_slot(struct gate_set *s, __u32 i)
{
	SETS_HIDE(i);
	return (struct gate_slot *)s + (i & 31);
}

/* Where in its set a conversation is put if that is free. */
SETS_FN __u32 sets_home(__u64 hash)
{
	__u32 i = 1 + (__u32)((hash >> 16 & 0xffff) * GATE_SET_SLOTS >> 16);

	SETS_HIDE(i);
	return i & 31;
}

/* 0 is no tag: the slot is free. */
SETS_FN __u16 sets_tag(__u64 hash)
{
	return (hash & 0xffff) ? hash & 0xffff : 1;
}

SETS_FN int sets_equal(const struct gate_flow_key *a, const struct gate_flow_key *b)
{
	const sets_word *x = (const sets_word *)a, *y = (const sets_word *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (*(const __u32 *)(x + 5) ^ *(const __u32 *)(y + 5)));
}

/* The slot that holds the conversation; 0: none does. */
SETS_FN __u32 sets_find(struct gate_set *s, const struct gate_flow_key *key, __u64 hash)
{
	__u32 i = sets_home(hash);
	__u16 tag = sets_tag(hash);

	if (s->tag[i] == tag && sets_equal(&sets_slot(s, i)->key, key))
		return i;
	SETS_LOOP
	for (i = 1; i <= GATE_SET_SLOTS; i++)
		if (s->tag[i] == tag && sets_equal(&sets_slot(s, i)->key, key))
			return i;
	return 0;
}

/* The less, the sooner a conversation is given up. The slot's number is a part of it. */
SETS_FN __u64 sets_worth(const struct gate_slot *slot, __u32 i, __u64 now_ns)
{
	const struct gate_flow *f = &slot->flow;
	__u64 blocked = f->flags & GATE_FLOW_BLOCKED ? 1ull << 63 : 0;

	if (floor_aged(f, slot->key.proto, slot->key.kind, now_ns))
		return i;
	return (f->seen_ns & ~31ull) | blocked | i;
}

/* A free slot, or whose conversation is to be given up for another one. */
SETS_FN __u32 sets_room(struct gate_set *s, __u64 hash, __u64 now_ns)
{
	__u64 least = ~0ull, worth;
	__u32 i = sets_home(hash);

	if (!s->tag[i])
		return i;
	SETS_LOOP
	for (i = 1; i <= GATE_SET_SLOTS; i++) {
		if (!s->tag[i])
			return i;
		worth = sets_worth(sets_slot(s, i), i, now_ns);
		if (worth < least)
			least = worth;
	}
	return least & 31;
}

/*
 * Keeps the conversation, in the place of what was known of it. Where another CPU is changing that
 * very set, which takes it less than a microsecond, nothing is kept: the next packet is judged
 * anew. Which slot; 0: none.
 */
SETS_FN __u32 sets_put(struct gate_set *s, const struct gate_flow_key *key, __u64 hash,
		       const struct gate_flow *f, __u64 now_ns)
{
	struct gate_slot *slot;
	__u32 i;

	if (__sync_val_compare_and_swap(&s->lock, 0, 1))
		return 0;
	SETS_FORGET(s, sets_find(s, key, hash), i);
	if (!i)
		SETS_FORGET(s, sets_room(s, hash, now_ns), i);
	i &= 31;
	if (i) {
		slot = sets_slot(s, i);
		*(volatile __u16 *)&s->tag[i] = 0; /* found by nobody while it changes */
		slot->key = *key;
		slot->flow = *f;
		slot->bypassed[0].packets = slot->bypassed[0].bytes = 0;
		slot->bypassed[1].packets = slot->bypassed[1].bytes = 0;
		SETS_ORDER(s);
		*(volatile __u16 *)&s->tag[i] = sets_tag(hash);
	}
	__sync_lock_test_and_set(&s->lock, 0);
	return i;
}

#endif
