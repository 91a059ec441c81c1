/* SPDX-License-Identifier: GPL-2.0 */
#include "gate_count.h"

#ifndef BEDWARDEN_BPF_GATE_ANSWER_H
#define BEDWARDEN_BPF_GATE_ANSWER_H
/*
 * A part of gate.bpf.c, which includes it: "Who has my neighbour?" "I have." Answers to ARP
 * and neighbour solicitations where the ward's switch isolates its ports.
 */
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

#endif
