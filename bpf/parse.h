/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_PARSE_H
#define BEDWARDEN_BPF_PARSE_H
/*
 * A frame into a struct floor_packet, as far as the floor cares: Ethernet with
 * up to two VLAN tags, ARP, IPv4 with options, IPv6 with extension headers, the
 * transport's first words. Reads [data, end) and nothing else, loops are
 * bounded; a length that lies sets FLOOR_BROKEN. Compiles for BPF, where `data`
 * and `end` are the packet pointers of the context, and for user space.
 *
 * `ret` must be zeroed; `ctx` is the includer's, for the functions that it puts
 * around parts of the work. parse_frame() leaves the offset of the network header
 * in *ret_l3 and that of an unfragmented transport header in *ret_l4 (0 none).
 */
#include "floor.h"

#define PARSE_EXTENSIONS 8
#define PARSE_OPTIONS	 8
#define PARSE_FAR	 4096 /* no header begins behind it */

FLOOR_FN __u16 parse_be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

FLOOR_FN __u32 parse_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

FLOOR_FN void parse_ip4(struct gate_ip *ret_ip, const __u8 *p)
{
	ret_ip->w[0] = 0;
	ret_ip->w[1] = 0;
	ret_ip->b[8] = 0;
	ret_ip->b[9] = 0;
	ret_ip->b[10] = 0xff;
	ret_ip->b[11] = 0xff;
	__builtin_memcpy(&ret_ip->b[12], p, 4);
}

/* RFC 826, for Ethernet and IPv4. */
FLOOR_FN void parse_arp(struct floor_packet *ret, const __u8 *p, const __u8 *end)
{
	if (p + 28 > end || parse_be16(p) != 1 || parse_be16(p + 2) != 0x0800 || p[4] != 6 ||
	    p[5] != 4 || !parse_be16(p + 6) || p[8] & 1)
		return;
	ret->flags |= FLOOR_IS_ARP;
	ret->arp_op = parse_be16(p + 6);
	floor_mac_copy(ret->said_mac, p + 8);
	parse_ip4(&ret->arp_sender, p + 14);
	parse_ip4(&ret->target, p + 24);
}

/* Options of a neighbour discovery message (RFC 4861 §4.6): the link-layer addresses. */
FLOOR_FN void parse_nd_options(struct floor_packet *ret, const __u8 *data, const __u8 *end,
			       __u32 off, __u32 left)
{
	int i;

	for (i = 0; i < PARSE_OPTIONS; i++) {
		const __u8 *p;
		__u32 len;

		if (left == 0)
			return;
		if (left < 8 || off > PARSE_FAR)
			break;
		p = data + off;
		if (p + 8 > end)
			break;
		len = (__u32)p[1] * 8;
		if (len == 0 || len > left)
			break;
		if (p[0] == 1 || p[0] == 2) {
			if (!(ret->flags & FLOOR_HAS_ND_MAC)) {
				ret->flags |= FLOOR_HAS_ND_MAC;
				floor_mac_copy(ret->said_mac, p + 2);
			} else if (!floor_mac_equal(ret->said_mac, p + 2)) {
				break;
			}
		}
		off += len;
		left -= len;
	}
	if (left)
		ret->flags |= FLOOR_ND_BROKEN;
}

/* A kernel verifies these by themselves: there the includer puts functions around them. */
#ifndef PARSE_ND_OPTIONS
#define PARSE_ND_OPTIONS(ctx, ret, data, end, off, left) parse_nd_options(ret, data, end, off, left)
#define PARSE_TRANSPORT(ctx, ret, data, end, off, left) \
	parse_transport(ctx, ret, data, end, off, left)
#endif

FLOOR_FN void parse_nd(void *ctx, struct floor_packet *ret, const __u8 *data, const __u8 *end,
		       __u32 off, __u32 left)
{
	const __u8 *p = data + off;
	__u32 fixed = ret->icmp_type == 133 ? 8 : ret->icmp_type == 134 ? 16 : 24;

	if (ret->icmp_type == 137)
		fixed = 40;
	if (left < fixed || p + fixed > end) {
		ret->flags |= ret->flags & FLOOR_IS_FRAGMENT ? FLOOR_ND_BROKEN : FLOOR_BROKEN;
		return;
	}
	if (ret->icmp_type == 135 || ret->icmp_type == 136) {
		if (p + 24 > end)
			return;
		__builtin_memcpy(ret->target.b, p + 8, 16);
	}
	PARSE_ND_OPTIONS(ctx, ret, data, end, off + fixed, left - fixed);
}

/* The packet that an ICMP error quotes: addresses and ports, where it holds them. */
FLOOR_FN void parse_quote(struct floor_packet *ret, const __u8 *p, const __u8 *end)
{
	__u32 head = 40;

	if (ret->ip_version == 4) {
		if (p + 20 > end || p[0] >> 4 != 4)
			return;
		head = (p[0] & 15) * 4;
		if (head < 20 || (parse_be16(p + 6) & 0x1fff))
			return;
		ret->quote_proto = p[9];
		parse_ip4(&ret->quote_src, p + 12);
		parse_ip4(&ret->quote_dst, p + 16);
	} else {
		if (p + 40 > end || p[0] >> 4 != 6)
			return;
		ret->quote_proto = p[6];
		__builtin_memcpy(ret->quote_src.b, p + 8, 16);
		__builtin_memcpy(ret->quote_dst.b, p + 24, 16);
	}
	p += head;
	if (p + 8 > end)
		return;
	if (ret->quote_proto == 6 || ret->quote_proto == 17 || ret->quote_proto == 132) {
		ret->quote_sport = parse_be16(p);
		ret->quote_dport = parse_be16(p + 2);
	} else if (ret->quote_proto == 1 || ret->quote_proto == 58) {
		if (p[0] != (ret->ip_version == 4 ? 8 : 128) &&
		    p[0] != (ret->ip_version == 4 ? 0 : 129))
			return;
		ret->quote_sport = ret->quote_dport = parse_be16(p + 4);
	}
	ret->flags |= FLOOR_HAS_QUOTE;
}

/* ICMP and ICMPv6; `left` is what the IP header says is there. */
FLOOR_FN void parse_icmp(void *ctx, struct floor_packet *ret, const __u8 *data, const __u8 *end,
			 __u32 off, __u32 left)
{
	const __u8 *p = data + off;

	if (p + 8 > end)
		return;
	ret->icmp_type = p[0];
	if (floor_echo(ret) || p[0] == (ret->ip_version == 4 ? 0 : 129)) {
		ret->sport = ret->dport = parse_be16(p + 4);
		ret->flags |= FLOOR_HAS_PORTS;
	} else if (ret->ip_version == 6 && p[0] >= 133 && p[0] <= 137) {
		parse_nd(ctx, ret, data, end, off, left);
	} else if (floor_quotes(ret)) {
		parse_quote(ret, p + 8, end);
	}
}

/* Least bytes of a transport header that the floor reads; 0: none of its business. */
FLOOR_FN __u32 parse_transport_min(const struct floor_packet *p)
{
	if (p->proto == 6)
		return 20;
	if (p->proto == 17)
		return 8;
	if (p->proto == 132)
		return 12;
	return floor_icmp_any(p) ? 8 : 0;
}

FLOOR_FN void parse_transport(void *ctx, struct floor_packet *ret, const __u8 *data,
			      const __u8 *end, __u32 off, __u32 left)
{
	__u32 least = parse_transport_min(ret);
	const __u8 *p;

	if (!least)
		return;
	if (off > PARSE_FAR) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	p = data + off;
	if (left < least || p + least > end) {
		ret->flags |= ret->flags & FLOOR_IS_FRAGMENT ? FLOOR_TINY : FLOOR_BROKEN;
		return;
	}
	if (floor_icmp_any(ret)) {
		parse_icmp(ctx, ret, data, end, off, left);
		return;
	}
	if (p + 8 > end)
		return;
	ret->sport = parse_be16(p);
	ret->dport = parse_be16(p + 2);
	ret->flags |= FLOOR_HAS_PORTS;
	if (ret->proto == 17) {
		__u32 len = parse_be16(p + 4);

		if (len < 8 || (len > left && !(ret->flags & FLOOR_IS_FRAGMENT)))
			ret->flags |= FLOOR_BROKEN;
	} else if (ret->proto == 6) {
		__u32 len;

		if (p + 20 > end)
			return;
		ret->tcp_flags = p[13];
		len = (p[12] >> 4) * 4;
		if (len < 20 || (len > left && !(ret->flags & FLOOR_IS_FRAGMENT)))
			ret->flags |= FLOOR_BROKEN;
	}
}

#ifdef __bpf__
/* The verifier would go on for each place apart: told that it may be any, it does so once. */
#define PARSE_ANYWHERE(at) asm volatile("" : "+r"(at))
#else
#define PARSE_ANYWHERE(at) ((void)(at))
#endif

/*
 * Do the options of this IPv4 header of `head` bytes, all of which are there, say by which stations
 * the packet is to go (RFC 791 §3.1)? Nobody in a ward does that but to come from elsewhere.
 */
FLOOR_FN int parse_detour(const __u8 *p, const __u8 *end, __u32 head)
{
	__u32 at = 20, i;

	for (i = 0; i < 60 - 20; i++) {
		const __u8 *o;

		PARSE_ANYWHERE(at);
		at &= 63;
		o = p + at;
		if (at >= head || o + 1 > end || !o[0])
			break; /* at the end of the list */
		if (o[0] == 0x83 || o[0] == 0x89)
			return 1;
		if (o[0] == 1) {
			at++;
			continue;
		}
		if (o + 2 > end || o[1] < 2 || o[1] > head - at)
			break;
		at += o[1];
	}
	return 0;
}

FLOOR_FN void parse_ipv4(void *ctx, struct floor_packet *ret, const __u8 *data, const __u8 *end,
			 __u32 off, __u16 *ret_l4)
{
	const __u8 *p = data + off;
	__u32 head, total, field;

	ret->ip_version = 4;
	if (p + 20 > end || p[0] >> 4 != 4) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	head = (p[0] & 15) * 4;
	total = parse_be16(p + 2);
	parse_ip4(&ret->src, p + 12);
	parse_ip4(&ret->dst, p + 16);
	ret->proto = p[9];
	field = parse_be16(p + 6);
	ret->fragment_id = parse_be16(p + 4);
	ret->fragment_offset = (field & 0x1fff) * 8;
	if (head < 20 || total < head || total > (__u64)(end - p) || p + head > end ||
	    (head > 20 && parse_detour(p, end, head))) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	if (ret->fragment_offset) {
		ret->flags |= FLOOR_IS_FRAGMENT | FLOOR_LATER;
		return;
	}
	if (field & 0x2000)
		ret->flags |= FLOOR_IS_FRAGMENT;
	else
		*ret_l4 = (__u16)(off + head);
	PARSE_TRANSPORT(ctx, ret, data, end, off + head, total - head);
}

/* RFC 8200 §4: through the extension headers to the transport. */
FLOOR_FN void parse_ipv6(void *ctx, struct floor_packet *ret, const __u8 *data, const __u8 *end,
			 __u32 off, __u16 *ret_l4)
{
	const __u8 *p = data + off;
	__u32 left, len;
	int i, pieces = 0;
	__u8 next;

	ret->ip_version = 6;
	if (p + 40 > end || p[0] >> 4 != 6) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	left = parse_be16(p + 4);
	next = p[6];
	__builtin_memcpy(ret->src.b, p + 8, 16);
	__builtin_memcpy(ret->dst.b, p + 24, 16);
	ret->proto = next;
	if (left > (__u64)(end - p - 40)) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	off += 40;
	for (i = 0; i < PARSE_EXTENSIONS; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			break;
		p = data + off;
		if (off > PARSE_FAR || left < 8 || p + 8 > end || (next == 0 && i))
			goto broken;
		if (next == 44) {
			__u32 field = parse_be16(p + 2);

			if (pieces++)
				goto broken; /* a piece of a piece */
			ret->fragment_id = parse_be32(p + 4);
			ret->fragment_offset = field & 0xfff8;
			if (field & 0xfff9)
				ret->flags |= FLOOR_IS_FRAGMENT;
			len = 8;
		} else if (next == 51) {
			len = ((__u32)p[1] + 2) * 4; /* RFC 4302 §2.2 */
		} else {
			len = ((__u32)p[1] + 1) * 8;
			if (next == 43 && p[2] == 0)
				goto broken; /* RFC 5095 */
		}
		next = p[0];
		ret->proto = next;
		if (len > left)
			goto broken;
		off += len;
		left -= len;
		if (ret->fragment_offset) {
			ret->flags |= FLOOR_LATER;
			return;
		}
	}
	if (i == PARSE_EXTENSIONS)
		goto broken;
	if (!(ret->flags & FLOOR_IS_FRAGMENT))
		*ret_l4 = (__u16)off;
	PARSE_TRANSPORT(ctx, ret, data, end, off, left);
	return;
broken:
	ret->flags |= FLOOR_BROKEN;
}

FLOOR_FN int parse_is_tag(__u16 type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

FLOOR_FN void parse_frame(void *ctx, struct floor_packet *ret, const __u8 *data, const __u8 *end,
			  __u16 *ret_l3, __u16 *ret_l4)
{
	__u32 off = 14;
	__u16 type;
	int i;

	*ret_l3 = *ret_l4 = 0;
	ret->len = (__u32)(end - data);
	if (data + 14 > end) {
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	floor_mac_copy(ret->dst_mac, data);
	floor_mac_copy(ret->src_mac, data + 6);
	type = parse_be16(data + 12);
	for (i = 0; i < 2; i++) {
		const __u8 *p = data + off;

		if (!parse_is_tag(type))
			break;
		if (p + 4 > end) {
			ret->flags |= FLOOR_BROKEN;
			return;
		}
		if (i == 0)
			ret->vlan = parse_be16(p) & 0xfff;
		type = parse_be16(p + 2);
		off += 4;
	}
	if (parse_is_tag(type)) { /* a third: nobody reads what it hides */
		ret->flags |= FLOOR_BROKEN;
		return;
	}
	ret->ethertype = type < 0x600 ? 0 : type;
	*ret_l3 = (__u16)off;
	if (type == FLOOR_ETH_ARP)
		parse_arp(ret, data + off, end);
	else if (type == 0x0800)
		parse_ipv4(ctx, ret, data, end, off, ret_l4);
	else if (type == 0x86dd)
		parse_ipv6(ctx, ret, data, end, off, ret_l4);
}

#endif
