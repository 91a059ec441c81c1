/* SPDX-License-Identifier: GPL-2.0 */
#include "gate_maps.h"

#ifndef BEDWARDEN_BPF_GATE_COUNT_H
#define BEDWARDEN_BPF_GATE_COUNT_H
/*
 * A part of gate.bpf.c, which includes it: what is counted, and what user space is told of
 * refusals.
 */
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

#endif
