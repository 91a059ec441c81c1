// SPDX-License-Identifier: GPL-2.0
/*
 * The floor: an XDP program on every guarded port, pinned with its maps, so
 * that it goes on judging while no daemon runs. It parses a frame (parse.h),
 * asks the policy of the current slot (floor.h) and then forwards the frame out
 * of the segment's other port, hands it up to a guard over AF_XDP with the
 * verdict in front of it, answers it for a neighbour, or drops it.
 *
 * A whole generation of the policy stands in one of two slots; `config.slot` is
 * read once a packet, so no packet sees half of one and half of another.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

/* ---- maps ---- */

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

/* Outlive a policy. Sizes are set by the loader. That it could be mapped puts each entry
 * on a page of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct gate_set);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct gate_ip_key);
	__type(value, struct gate_learned);
} learned SEC(".maps");

/* Doors open for a while: they outlive a policy, and end by themselves. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GATE_GRANTS);
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

/* ---- conversations ---- */

/* A place is a set's index, and the number of a slot of it. */
static __always_inline struct gate_slot *flow_at(__u32 place)
{
	__u32 set = place >> 5, i = place & 31;
	struct gate_set *s = i ? bpf_map_lookup_elem(&flows, &set) : 0;

	return s ? sets_slot(s, i) : 0;
}

/* The set in which to look, by the place of its first slot; 0 there is none. */
static __always_inline struct gate_set *flow_set(const struct gate_flow_key *key, __u64 *ret_hash,
						 __u32 *ret_at)
{
	struct gate_set *head;

	*ret_at = 0;
	head = bpf_map_lookup_elem(&flows, ret_at);
	if (!head)
		return 0;
	*ret_hash = sets_hash(head, key);
	*ret_at = sets_index(head, *ret_hash);
	return bpf_map_lookup_elem(&flows, ret_at);
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

/* ---- counting ---- */

static __always_inline void count_total(__u32 which, __u32 bytes)
{
	struct gate_count *c = bpf_map_lookup_elem(&totals, &which);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
}

static __always_inline void count_reason(__u32 reason, __u32 bytes)
{
	struct gate_count *c = bpf_map_lookup_elem(&reasons, &reason);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
}

static __always_inline struct gate_device_count *device_count(const struct gate_config *cfg,
							      __u32 slot, __u32 device)
{
	__u32 i = (bpf_get_smp_processor_id() & (cfg->stripes - 1)) * cfg->device_count[slot & 1] +
		  device;

	return look(&device_counts, slot, &i);
}

static __always_inline void count_rule(const struct gate_config *cfg, __u32 slot, __u32 rule,
				       __u32 bytes)
{
	__u32 i = (bpf_get_smp_processor_id() & (cfg->stripes - 1)) * cfg->rule_count[slot & 1] +
		  rule;
	struct gate_count *c;

	if (rule == ~0u)
		return;
	c = look(&rule_counts, slot, &i);
	if (c)
		count(c, bytes);
}

/* ---- telling user space ---- */

/* May this refusal be told? At most once a second of its kind, and so many in all. */
static __always_inline __u32 tell_turn(const struct gate_config *cfg, struct gate_work *g)
{
	const struct floor_packet *p = &g->floor.packet;
	struct tell_key *k = &g->tell_key;
	__u64 now = g->floor.now_ns;
	struct tell *old;
	__u32 n = 1;

	k->src = p->ethertype == FLOOR_ETH_ARP ? p->arp_sender : p->src;
	k->dst = p->ethertype == FLOOR_ETH_ARP ? p->target : p->dst;
	k->segment = g->floor.port.segment;
	k->dport = floor_icmp_any(p) ? p->icmp_type : p->dport;
	k->proto = p->proto;
	k->reason = g->floor.verdict.reason;
	floor_mac_copy(k->mac, p->src_mac);
	k->pad[0] = k->pad[1] = 0;
	old = bpf_map_lookup_elem(&told, k);
	if (old && now - old->told_ns < 1000000000) {
		__sync_fetch_and_add(&old->untold, 1);
		return 0;
	}
	if (now - g->window_ns >= 1000000000) {
		g->window_ns = now;
		g->window_told = 0;
	}
	if (g->window_told >= cfg->samples_per_s)
		return 0;
	g->window_told++;
	if (old) {
		n = old->untold + 1;
		old->untold = 0;
		old->told_ns = now;
		return n;
	}
	g->tell.told_ns = now;
	g->tell.untold = 0;
	g->tell.pad = 0;
	bpf_map_update_elem(&told, k, &g->tell, BPF_ANY);
	return n;
}

__noinline int gate_tell(struct xdp_md *ctx)
{
	struct gate_config *cfg = config_get();
	struct gate_work *g = work();
	struct gate_sample *s;
	__u32 len, last, n;

	if (!cfg || !g)
		return 0;
	len = g->floor.packet.len;
	n = tell_turn(cfg, g);
	s = n ? bpf_ringbuf_reserve(&samples, sizeof(*s), 0) : 0;
	if (!s) {
		count_total(GATE_TOTAL_UNSAMPLED, len);
		return 0;
	}
	s->time_ns = g->floor.now_ns;
	s->verdict = g->floor.verdict;
	s->wire_len = len;
	s->count = n;
	s->pad = 0;
	/* Linux 6.1 does not learn from `len != 0` that it is at least 1; from this it does,
	 * unless the compiler makes the one out of the other. */
	last = len - 1;
	if (last > GATE_SAMPLE_BYTES - 1)
		last = GATE_SAMPLE_BYTES - 1;
	asm volatile("" : "+r"(last));
	s->captured = bpf_xdp_load_bytes(ctx, 0, s->data, last + 1) ? 0 : last + 1;
	bpf_ringbuf_submit(s, 0);
	count_total(GATE_TOTAL_SAMPLES, len);
	return 0;
}

/* ---- ways a frame can go ---- */

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

/* "Who has my neighbour?" "I have." */
static __always_inline int answer_arp(struct xdp_md *ctx, struct gate_work *g)
{
	const struct floor_packet *p = &g->floor.packet;
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *arp;
	__u32 l3 = g->l3;

	if (l3 > 22)
		return XDP_DROP;
	arp = data + l3;
	if (data + 14 > end || arp + 28 > end)
		return XDP_DROP;
	floor_mac_copy(data, p->src_mac);
	floor_mac_copy(data + 6, g->floor.port.mac);
	arp[7] = 2;
	floor_mac_copy(arp + 8, g->floor.port.mac);
	__builtin_memcpy(arp + 14, &p->target.b[12], 4);
	floor_mac_copy(arp + 18, p->said_mac);
	__builtin_memcpy(arp + 24, &p->arp_sender.b[12], 4);
	return XDP_TX;
}

static __always_inline __u16 fold(__s64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

#define NA_LEN 32 /* neighbour advertisement with one option, RFC 4861 §4.4, §4.6.1 */

/* The same for IPv6: solicited, no router, not overriding (RFC 4861 §7.2.8). */
static __always_inline int answer_nd(struct xdp_md *ctx, struct gate_work *g)
{
	const struct floor_packet *p = &g->floor.packet;
	__u8 *a = g->answer, *data, *end, *ip;
	__u32 l3 = g->l3;
	__s64 sum;
	__u16 check;

	/* Answered only where nothing stands between the headers. */
	if (l3 > 22 || g->l4 != l3 + 40)
		return XDP_DROP;
	if (bpf_xdp_adjust_tail(ctx, (int)(l3 + 40 + NA_LEN) - (int)p->len))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = data + l3;
	if (data + 14 > end || ip + 40 + NA_LEN > end)
		return XDP_DROP;
	__builtin_memset(a, 0, sizeof(g->answer));
	a[3] = NA_LEN; /* the pseudo header's length and next header, RFC 8200 §8.1 */
	a[7] = 58;
	a[8] = 136;
	a[12] = 0x40;
	__builtin_memcpy(a + 16, p->target.b, 16);
	a[32] = 2;
	a[33] = 1;
	floor_mac_copy(a + 34, g->floor.port.mac);
	sum = bpf_csum_diff(0, 0, (__be32 *)a, 40, 0);
	sum = bpf_csum_diff(0, 0, (__be32 *)p->target.b, 16, sum);
	sum = bpf_csum_diff(0, 0, (__be32 *)p->src.b, 16, sum);
	check = fold(sum);
	__builtin_memcpy(a + 10, &check, 2);
	floor_mac_copy(data, p->src_mac);
	floor_mac_copy(data + 6, g->floor.port.mac);
	ip[4] = 0;
	ip[5] = NA_LEN;
	ip[7] = 255;
	__builtin_memcpy(ip + 8, p->target.b, 16);
	__builtin_memcpy(ip + 24, p->src.b, 16);
	__builtin_memcpy(ip + 40, a + 8, NA_LEN);
	return XDP_TX;
}

__noinline int gate_answer(struct xdp_md *ctx)
{
	struct gate_work *g = work();

	if (!g)
		return XDP_ABORTED;
	count_total(GATE_TOTAL_ANSWERED, g->floor.packet.len);
	return g->floor.packet.ethertype == FLOOR_ETH_ARP ? answer_arp(ctx, g) : answer_nd(ctx, g);
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

SEC("xdp")
int gate(struct xdp_md *ctx)
{
	struct gate_wire_key wire_key = {.ifindex = ctx->ingress_ifindex};
	struct floor_tables t;
	struct gate_config *cfg;
	struct gate_wire *wire;
	struct gate_work *g;

	cfg = config_get();
	g = work();
	if (!cfg || !g)
		return XDP_ABORTED;
	t.slot = *(volatile __u32 *)&cfg->slot & 1;
	wire_key.slot = t.slot;
	wire = bpf_map_lookup_elem(&wires, &wire_key);
	if (!wire) {
		count_total(GATE_TOTAL_NO_POLICY, ctx->data_end - ctx->data);
		return XDP_DROP;
	}
	gate_parse(ctx);
	g->index = wire->index;
	g->floor.port = wire->port;
	g->floor.ifindex = ctx->ingress_ifindex;
	g->floor.generation = cfg->generation[t.slot & 1];
	g->floor.now_ns = bpf_ktime_get_ns();
	gate_decide(t.slot);
	count_rule(cfg, t.slot, g->floor.verdict.rule, g->floor.packet.len);
	/* What has come by a link, only the guard has seen: on answers to it, it has the word. */
	if (g->floor.verdict.action == GATE_DROP && g->floor.verdict.link &&
	    wire->port.side == GATE_WARD)
		g->floor.verdict.action = GATE_SEAL;
	switch (g->floor.verdict.action) {
	case GATE_PASS:
		return pass(ctx, cfg, g, t.slot);
	case GATE_SEAL:
		return seal(ctx, cfg, g, t.slot);
	case GATE_INSPECT:
		return inspect(ctx, cfg, g, t.slot);
	}
	return drop(ctx, cfg, g, t.slot, 0);
}

char gate_license[] SEC("license") = "GPL";
