/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

#ifndef BEDWARDEN_BPF_GATE_MAPS_H
#define BEDWARDEN_BPF_GATE_MAPS_H
/*
 * A part of gate.bpf.c, which includes it: the maps, and how the floor (floor.h) and its work
 * on a packet look into them.
 */
#define POLICY_TABLE(name, kind, key_type, value_type, flags) \
	struct name##_table {                                 \
		__uint(type, kind);                           \
		__uint(map_flags, flags);                     \
		__uint(max_entries, 1);                       \
		__uint(key_size, sizeof(key_type));           \
		__uint(value_size, sizeof(value_type));       \
	};                                                    \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);     \
		__uint(max_entries, 2);                       \
		__type(key, __u32);                           \
		__array(values, struct name##_table);         \
	} name SEC(".maps")

/* By slot: one generation of each. */
POLICY_TABLE(devices, BPF_MAP_TYPE_ARRAY, __u32, struct gate_device, BPF_F_INNER_MAP);
POLICY_TABLE(rules, BPF_MAP_TYPE_ARRAY, __u32, struct gate_rule, BPF_F_INNER_MAP);
POLICY_TABLE(macs, BPF_MAP_TYPE_HASH, struct gate_mac_key, struct gate_bind, 0);
POLICY_TABLE(ips, BPF_MAP_TYPE_HASH, struct gate_ip_key, struct gate_bind, 0);
POLICY_TABLE(nets, BPF_MAP_TYPE_LPM_TRIE, struct gate_net_key, struct gate_net, BPF_F_NO_PREALLOC);
/* Striped by CPU: index = stripe * count + id. Start at zero with each generation. */
POLICY_TABLE(device_counts, BPF_MAP_TYPE_ARRAY, __u32, struct gate_device_count, BPF_F_INNER_MAP);
POLICY_TABLE(rule_counts, BPF_MAP_TYPE_ARRAY, __u32, struct gate_count, BPF_F_INNER_MAP);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * GATE_PORTS * 2);
	__type(key, struct gate_wire_key);
	__type(value, struct gate_wire);
} wires SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_config);
} config SEC(".maps");

/* ifindex to port number: user space's, kept here to outlive it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_PORTS);
	__type(key, __u32);
	__type(value, __u32);
} indexes SEC(".maps");

/* Outlive a policy. Sizes are set by the loader. */
struct flows_block {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct gate_block));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct flows_block);
} flows SEC(".maps");

/* Where a block's sets begin: the loader knows where the kernel puts a map's first byte. */
const volatile __u32 block_skew;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct gate_ip_key);
	__type(value, struct gate_learned);
} learned SEC(".maps");

/* Doors open for a while: they outlive a policy, and end by themselves. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * GATE_GRANTS); /* while others take their place */
	__type(key, struct gate_grant_key);
	__type(value, struct gate_grant);
} grants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, GATE_PORTS *GATE_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GATE_QUEUES);
	__type(key, __u32);
	__type(value, struct gate_heart);
} hearts SEC(".maps");

/* By peer gateway; [0] the link itself. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GATE_LINKS + 1);
	__type(key, __u32);
	__type(value, struct gate_link);
} links SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_COUNT);
	__type(key, __u32);
	__type(value, struct gate_count);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GATE_TOTAL_COUNT);
	__type(key, __u32);
	__type(value, struct gate_count);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GATE_HELD_BYTES);
} held SEC(".maps");

/* Refused packets that are alike: told once a second. */
struct tell_key {
	struct gate_ip src, dst;
	__u32 segment;
	__u16 dport;
	__u8 proto;
	__u8 reason;
	__u8 mac[6];
	__u8 pad[2];
};

struct tell {
	__u64 told_ns;
	__u32 untold;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tell_key);
	__type(value, struct tell);
} told SEC(".maps");

struct floor_tables {
	__u32 slot;
	const struct gate_flow_key *key; /* the packet's own, where conversations are asked for */
};

#define FLOOR_ADD(p, n)			__sync_fetch_and_add(p, n)
#define FLOOR_BYPASS(flow, sender, len) bypassed(flow, sender, len)

static __always_inline void *look(void *outer, __u32 slot, const void *key)
{
	void *inner = bpf_map_lookup_elem(outer, &slot);

	return inner ? bpf_map_lookup_elem(inner, key) : 0;
}

static __always_inline const struct gate_device *floor_device(struct floor_tables *t, __u32 id)
{
	return look(&devices, t->slot, &id);
}

static __always_inline const struct gate_rule *floor_rule(struct floor_tables *t, __u32 index)
{
	return look(&rules, t->slot, &index);
}

static __always_inline const struct gate_bind *floor_mac(struct floor_tables *t,
							 const struct gate_mac_key *key)
{
	return look(&macs, t->slot, key);
}

static __always_inline const struct gate_bind *floor_ip(struct floor_tables *t,
							const struct gate_ip_key *key)
{
	return look(&ips, t->slot, key);
}

static __always_inline const struct gate_net *floor_net(struct floor_tables *t,
							const struct gate_net_key *key)
{
	return look(&nets, t->slot, key);
}

static __always_inline struct gate_learned *floor_learned(struct floor_tables *t,
							  const struct gate_ip_key *key)
{
	return bpf_map_lookup_elem(&learned, key);
}

static __always_inline void floor_learn(struct floor_tables *t, const struct gate_ip_key *key,
					const struct gate_learned *l)
{
	bpf_map_update_elem(&learned, key, l, BPF_ANY);
}

/* Verified apart, as those below: which of the packet's two keys is asked for, or the word's. */
enum gate_which { GATE_FLOW_OF_PACKET, GATE_FLOW_OF_FRAGMENT, GATE_FLOW_OF_WORD };
int gate_flow_find(__u32 which);
int gate_flow_put(__u32 which);

static struct gate_slot *flow_at(__u32 place);

static __always_inline void count(struct gate_count *c, __u32 bytes)
{
	__sync_fetch_and_add(&c->packets, 1);
	__sync_fetch_and_add(&c->bytes, bytes);
}

/* Beside the conversation stands what passed of it unseen. */
static __always_inline void bypassed(struct gate_flow *f, __u8 sender, __u32 len)
{
	struct gate_slot *slot = (void *)f - __builtin_offsetof(struct gate_slot, flow);

	count(sender ? &slot->bypassed[1] : &slot->bypassed[0], len);
}

static __always_inline struct gate_flow *floor_flow(struct floor_tables *t,
						    const struct gate_flow_key *key)
{
	struct gate_slot *slot = flow_at(
		(__u32)gate_flow_find(key == t->key ? GATE_FLOW_OF_PACKET : GATE_FLOW_OF_FRAGMENT));

	return slot ? &slot->flow : 0;
}

/* Of the packet's work, in which the conversation stands, too. */
static __always_inline void floor_flow_add(struct floor_tables *t, const struct gate_flow_key *key,
					   const struct gate_flow *f)
{
	gate_flow_put(key == t->key ? GATE_FLOW_OF_PACKET : GATE_FLOW_OF_FRAGMENT);
}

static __always_inline const struct gate_grant *floor_door(struct floor_tables *t,
							   const struct gate_grant_key *key)
{
	return bpf_map_lookup_elem(&grants, key);
}

static __always_inline __u64 floor_boot_ns(struct floor_tables *t)
{
	return bpf_ktime_get_boot_ns();
}

/*
 * The verifier looks at a global function once, whoever calls it: the packet's
 * parsing, the loop over rules and the decision are verified apart, where one
 * inlined whole would multiply their paths. They find the packet's work in `works`.
 */
int gate_match(__u32 slot, __u32 device, __u32 how, __u32 port);
int gate_policy(__u32 slot, __u32 readings);
int gate_grant(__u32 slot, __u32 device, __u32 how);
#define FLOOR_GRANT(t, w, device, how) ((__u32)gate_grant((t)->slot, device, how))
#define FLOOR_MATCH(t, w, device, to, port, towards) \
	gate_match((t)->slot, device, ((to) ? 1 : 0) | ((towards) ? 2 : 0), port)
#define FLOOR_POLICY(t, w, readings) gate_policy((t)->slot, readings)

int gate_transport(struct xdp_md *ctx, __u32 off, __u32 left);
int gate_nd_options(struct xdp_md *ctx, __u32 off, __u32 left);
#define PARSE_TRANSPORT(ctx, ret, data, end, off, left)	 gate_transport(ctx, off, left)
#define PARSE_ND_OPTIONS(ctx, ret, data, end, off, left) gate_nd_options(ctx, off, left)

#include "floor.h"
#include "parse.h"

#include "flows.h"

/* All that one packet needs and 512 bytes of stack cannot hold. */
struct gate_work {
	struct floor_work floor;
	struct tell_key tell_key;
	struct tell tell;
	__u64 window_ns; /* samples: this CPU's budget of the current second */
	__u32 window_told;
	__u32 index; /* of the port */
	__u16 l3, l4;
	__u8 answer[40]; /* a neighbour advertisement being made */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_work);
} works SEC(".maps");

/* The same of gate_say, which packets of the same CPU may interrupt; one process says it all. */
struct gate_word_work {
	struct gate_word word;
	struct gate_flow fresh;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_word_work);
} words SEC(".maps");

static __always_inline struct gate_word_work *word_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&words, &zero);
}

static __always_inline struct gate_work *work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&works, &zero);
}

static __always_inline struct gate_config *config_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&config, &zero);
}

#endif
