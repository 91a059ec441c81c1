/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOOR_BIND_H
#define BEDWARDEN_BPF_FLOOR_BIND_H
/*
 * A part of floor.h, which includes it: whose frame is it? Steps 4 to 6 there: who may use
 * which hardware and network address, what ARP and ND may announce, and who serves DHCP.
 */

/* ---- who is it ---- */

FLOOR_FN const struct gate_bind *floor_bind_mac(struct floor_tables *t, struct floor_work *w,
						const __u8 *mac)
{
	w->mac_key.segment = w->port.segment;
	floor_mac_copy(w->mac_key.mac, mac);
	w->mac_key.pad[0] = w->mac_key.pad[1] = 0;
	return floor_mac(t, &w->mac_key);
}

FLOOR_FN const struct gate_net *floor_net_of(struct floor_tables *t, struct floor_work *w,
					     const struct gate_ip *ip)
{
	w->net_key.prefix_len = 128;
	w->net_key.ip = *ip;
	return floor_net(t, &w->net_key);
}

FLOOR_FN struct gate_learned *floor_learned_of(struct floor_tables *t, struct floor_work *w,
					       const struct gate_ip *ip)
{
	struct gate_learned *l;

	w->ip_key.segment = w->port.segment;
	w->ip_key.ip = *ip;
	l = floor_learned(t, &w->ip_key);
	if (l && w->now_ns > l->seen_ns && w->now_ns - l->seen_ns > FLOOR_LEARNED_NS)
		return 0;
	return l;
}

FLOOR_FN void floor_end_is(struct floor_end *ret_end, const struct gate_bind *b)
{
	ret_end->peer = b->peer;
	ret_end->roles = b->roles;
	ret_end->link = b->link;
	ret_end->ward = b->side == GATE_WARD && (b->peer & GATE_PEER_DEVICE);
	ret_end->device = b->peer & ~GATE_PEER_DEVICE;
}

/* Whose address is it, on either side? */
FLOOR_FN void floor_who(struct floor_tables *t, struct floor_work *w, const struct gate_ip *ip,
			struct floor_end *ret_end)
{
	const struct gate_bind *b;
	const struct gate_learned *l;
	const struct gate_net *n;

	ret_end->peer = GATE_PEER_NONE;
	ret_end->roles = 0;
	ret_end->ward = 0;
	ret_end->link = 0;
	ret_end->device = w->port.segment;
	w->ip_key.segment = w->port.segment;
	w->ip_key.ip = *ip;
	b = floor_ip(t, &w->ip_key);
	if (b) {
		floor_end_is(ret_end, b);
		return;
	}
	l = floor_learned_of(t, w, ip);
	if (l && l->side == GATE_WARD) {
		b = floor_bind_mac(t, w, l->mac);
		if (b && b->side == GATE_WARD) {
			floor_end_is(ret_end, b);
			return;
		}
	}
	n = floor_net_of(t, w, ip);
	if (n) {
		ret_end->peer = n->peer;
		ret_end->roles = n->roles;
		ret_end->link = n->link;
	}
}

FLOOR_FN void floor_remember(struct floor_tables *t, struct floor_work *w, const struct gate_ip *ip)
{
	w->ip_key.segment = w->port.segment;
	w->ip_key.ip = *ip;
	w->learned.seen_ns = w->now_ns;
	floor_mac_copy(w->learned.mac, w->packet.src_mac);
	w->learned.side = w->port.side;
	w->learned.pad = 0;
	floor_learn(t, &w->ip_key, &w->learned);
}

/*
 * May the sender of the frame use this address? REASON_NONE, or why not; then
 * verdict.peer names the owner where the policy does. An address that is said
 * on the wire (ARP, ND: `said`) is learned from the hospital's side too, so that
 * no device without a listed address can take a router's.
 */
FLOOR_FN __u8 floor_claim(struct floor_tables *t, struct floor_work *w, const struct gate_ip *ip,
			  int said)
{
	const struct gate_bind *b;
	struct gate_learned *l;
	const struct gate_net *n;
	const struct gate_device *d;

	w->ip_key.segment = w->port.segment;
	w->ip_key.ip = *ip;
	b = floor_ip(t, &w->ip_key);
	if (b) {
		if (w->port.side == GATE_WARD) {
			if (b->side == GATE_WARD && b->peer == w->from.peer)
				return REASON_NONE;
			w->verdict.peer = b->peer;
			return REASON_BINDING_IP_STOLEN;
		}
		if (b->side == GATE_WARD) {
			w->verdict.peer = b->peer;
			return REASON_BINDING_IP_MOVED;
		}
		if ((b->flags & GATE_BIND_MAC) && !floor_mac_equal(b->mac, w->packet.src_mac)) {
			w->verdict.peer = b->peer;
			return REASON_BINDING_IP_STOLEN;
		}
		return REASON_NONE;
	}
	n = w->port.side == GATE_WARD ? floor_net_of(t, w, ip) : 0;
	if (n && (n->flags & GATE_NET_HOST)) {
		w->verdict.peer = n->peer;
		return REASON_BINDING_IP_STOLEN;
	}
	l = floor_learned_of(t, w, ip);
	if (l && l->side != w->port.side)
		return REASON_BINDING_IP_CONFLICT;
	if (w->port.side == GATE_HOSPITAL) {
		if (said)
			floor_remember(t, w, ip);
		return REASON_NONE;
	}
	if (l) {
		if (!floor_mac_equal(l->mac, w->packet.src_mac))
			return REASON_BINDING_IP_CONFLICT;
		l->seen_ns = w->now_ns;
		return REASON_NONE;
	}
	d = floor_device(t, w->from.device);
	if (!d || (d->flags & GATE_DEVICE_STRANGER))
		return REASON_NONE;
	if (!(d->flags & GATE_DEVICE_ANY_IP) && !floor_ip_link_local6(ip))
		return REASON_BINDING_IP_UNLISTED;
	floor_remember(t, w, ip);
	return REASON_NONE;
}

/* The sender by its hardware address. REASON_NONE, or what is wrong with it. */
FLOOR_FN __u8 floor_sender(struct floor_tables *t, struct floor_work *w)
{
	const struct gate_bind *b = floor_bind_mac(t, w, w->packet.src_mac);

	w->from.roles = 0;
	w->from.device = w->port.segment;
	if (w->port.side == GATE_HOSPITAL) {
		w->from.ward = 0;
		w->from.peer = GATE_PEER_NONE;
		if (!b || b->side == GATE_HOSPITAL)
			return REASON_NONE;
		w->verdict.device = b->peer & ~GATE_PEER_DEVICE;
		return REASON_BINDING_MAC_MOVED;
	}
	w->from.ward = 1;
	w->from.peer = GATE_PEER_DEVICE | w->port.segment;
	w->verdict.device = w->port.segment;
	if (!b)
		return w->port.flags & GATE_PORT_STRANGERS_OK ? REASON_NONE
							      : REASON_BINDING_UNKNOWN_DEVICE;
	if (b->side == GATE_HOSPITAL || !(b->peer & GATE_PEER_DEVICE)) {
		w->verdict.peer = b->peer;
		return REASON_BINDING_MAC_MOVED;
	}
	floor_end_is(&w->from, b);
	w->verdict.device = w->from.device;
	return REASON_NONE;
}

/*
 * Says the verdict on a sender that is not what it claims to be. True when that
 * ends the matter; false when the segment only wants to hear of it.
 */
FLOOR_FN int floor_violation(struct floor_tables *t, struct floor_work *w, __u8 reason)
{
	if (reason == REASON_NONE)
		return 0;
	if (w->port.flags & GATE_PORT_BIND_REPORT) {
		w->reported = reason;
		return 0;
	}
	if (reason == REASON_BINDING_IP_UNLISTED) {
		w->soft = floor_soft(t, w->from.device);
		floor_say(w, GATE_DROP, reason);
	} else {
		floor_refuse(t, w, reason);
	}
	return 1;
}

/* ---- ARP, ND, other kinds of frame ---- */

/* Is it asked about a neighbour, behind a switch that keeps neighbours apart? */
FLOOR_FN int floor_neighbour(struct floor_tables *t, struct floor_work *w)
{
	if (w->port.side != GATE_WARD || !(w->port.flags & GATE_PORT_ISOLATED) || w->reported)
		return 0;
	floor_who(t, w, &w->packet.target, &w->to);
	if (!w->to.ward || w->to.device == w->from.device)
		return 0;
	w->verdict.peer = w->to.peer;
	return 1;
}

/* Is it the hospital asking for, or answering, the gateway itself? */
FLOOR_FN int floor_own(const struct floor_work *w, const struct gate_ip *ip)
{
	return w->port.own_port && w->port.side == GATE_HOSPITAL &&
	       floor_ip_equal(ip, &w->port.own);
}

FLOOR_FN void floor_say_local(struct floor_work *w)
{
	w->verdict.flags |= GATE_VERDICT_LOCAL;
	floor_say(w, GATE_PASS, REASON_NONE);
}

/* A question or answer about addresses between `from` and `to`: where one of them is behind a peer
 * gateway it goes by the link, too. True when that says it. */
FLOOR_FN int floor_plumb_link(struct floor_tables *t, struct floor_work *w,
			      const struct gate_ip *from, const struct gate_ip *to)
{
	floor_who(t, w, to, &w->to);
	w->link = w->to.link;
	if (w->port.side == GATE_HOSPITAL) {
		if (w->to.ward)
			w->verdict.device = w->to.device;
		floor_who(t, w, from, &w->from);
		w->link = w->from.link;
	}
	if (!w->link)
		return 0;
	w->verdict.link = w->link;
	floor_say(w, GATE_SEAL, REASON_NONE);
	return 1;
}

#ifndef FLOOR_PLUMB_LINK
#define FLOOR_PLUMB_LINK floor_plumb_link
#endif

FLOOR_FN __u8 floor_spoof(__u8 claim, __u8 spoof)
{
	return claim == REASON_BINDING_IP_STOLEN || claim == REASON_BINDING_IP_MOVED ? spoof
										     : claim;
}

FLOOR_FN void floor_judge_arp(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u8 who = floor_sender(t, w), claim = REASON_NONE;

	if (!(p->flags & FLOOR_IS_ARP)) {
		if (floor_violation(t, w, REASON_BINDING_ARP_MALFORMED))
			return;
	} else if (w->port.side == GATE_WARD && !floor_mac_equal(p->said_mac, p->src_mac)) {
		claim = REASON_BINDING_ARP_SPOOF;
	} else if (!floor_ip_zero(&p->arp_sender)) {
		claim = floor_spoof(floor_claim(t, w, &p->arp_sender, 1), REASON_BINDING_ARP_SPOOF);
	}
	if (floor_violation(t, w, claim) || floor_violation(t, w, who))
		return;
	w->soft = 0;
	if ((p->flags & FLOOR_IS_ARP) && p->arp_op == 1 && floor_neighbour(t, w)) {
		w->verdict.flags |= GATE_VERDICT_ANSWERED;
		floor_say(w, GATE_PASS, REASON_NONE);
		return;
	}
	if ((p->flags & FLOOR_IS_ARP) && floor_own(w, &p->target)) {
		floor_say_local(w);
		return;
	}
	if ((p->flags & FLOOR_IS_ARP) && FLOOR_PLUMB_LINK(t, w, &p->arp_sender, &p->target))
		return;
	floor_plumbing(w);
}

/* ND, and what IPv4 has for it, behind the sender's own binding check. True when that settles it
 * (RFC 4861 §4). */
FLOOR_FN int floor_judge_nd(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u8 claim = REASON_NONE;

	if (p->flags & FLOOR_LATER)
		return 0;
	if (w->port.side == GATE_WARD && floor_redirects(p))
		return floor_violation(t, w, REASON_BINDING_ROGUE_RA);
	if (!floor_nd(p))
		return 0;
	/* RFC 6980 §5: never in fragments. */
	if (p->flags & (FLOOR_ND_BROKEN | FLOOR_IS_FRAGMENT))
		claim = REASON_BINDING_ND_SPOOF;
	else if (w->port.side == GATE_WARD && (p->icmp_type == 134 || p->icmp_type == 137))
		claim = REASON_BINDING_ROGUE_RA;
	else if (w->port.side == GATE_WARD && (p->flags & FLOOR_HAS_ND_MAC) &&
		 !floor_mac_equal(p->said_mac, p->src_mac))
		claim = REASON_BINDING_ND_SPOOF;
	else if (p->icmp_type == 136)
		claim = floor_spoof(floor_claim(t, w, &p->target, 1), REASON_BINDING_ND_SPOOF);
	if (floor_violation(t, w, claim))
		return 1;
	if (p->icmp_type == 135 && !floor_ip_zero(&p->src) && floor_neighbour(t, w)) {
		w->verdict.flags |= GATE_VERDICT_ANSWERED;
		floor_say(w, GATE_PASS, REASON_NONE);
		return 1;
	}
	if (floor_own(w, p->icmp_type == 135 ? &p->target : &p->dst)) {
		floor_say_local(w);
		return 1;
	}
	if ((p->icmp_type == 135 || p->icmp_type == 136) &&
	    FLOOR_PLUMB_LINK(t, w, p->icmp_type == 136 ? &p->target : &p->src,
			     p->icmp_type == 135 ? &p->target : &p->dst))
		return 1;
	floor_plumbing(w);
	return 1;
}

/* Neither IP nor ARP: what switches say to each other comes in, nothing but LLDP and 802.1X
 * goes out. */
FLOOR_FN void floor_judge_other(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	int switches = p->dst_mac[0] == 0x01 && p->dst_mac[1] == 0x80 && p->dst_mac[2] == 0xc2 &&
		       !p->dst_mac[3] && !p->dst_mac[4];

	if (floor_violation(t, w, floor_sender(t, w)))
		return;
	if (p->ethertype == FLOOR_ETH_LLDP || p->ethertype == FLOOR_ETH_EAPOL ||
	    (switches && w->port.side == GATE_HOSPITAL)) {
		floor_plumbing(w);
		return;
	}
	w->soft = floor_soft(t, w->from.device);
	floor_say(w, GATE_DROP, REASON_POLICY_PROTOCOL);
}

/* ---- DHCP ---- */

/*
 * May it serve DHCP from the hospital's side? A DHCPv6 server on the link answers from a
 * link-local address (RFC 8415 §18.3.10), which says nothing of whose it is; no router passes
 * those on (RFC 4291 §2.5.6), so there the hardware address of a host tells.
 */
FLOOR_FN int floor_serves_dhcp(struct floor_tables *t, struct floor_work *w)
{
	const struct gate_bind *b;

	if ((w->from.roles & GATE_ROLE_DHCP) || (w->port.flags & GATE_PORT_DHCP_ANY))
		return 1;
	if (w->packet.ip_version != 6 || !floor_ip_link_local6(&w->packet.src))
		return 0;
	b = floor_bind_mac(t, w, w->packet.src_mac);
	if (!b || b->side != GATE_HOSPITAL || !(b->roles & GATE_ROLE_DHCP))
		return 0;
	w->verdict.peer = b->peer;
	return 1;
}

/* True when it was a DHCP message (RFC 2131 §4.1, RFC 8415 §7.2). */
FLOOR_FN int floor_judge_dhcp(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u16 client = p->ip_version == 4 ? 68 : 546, server = p->ip_version == 4 ? 67 : 547;

	if (p->proto != 17 || !(p->flags & FLOOR_HAS_PORTS))
		return 0;
	if (p->dport != client &&
	    (w->port.side == GATE_HOSPITAL ||
	     (p->dport != server && !(p->ip_version == 4 && p->sport == server))))
		return 0;
	if (w->port.side == GATE_WARD) {
		if (p->dport == client || p->sport == server) {
			floor_refuse(t, w, REASON_DHCP_ROGUE_SERVER);
			return 1;
		}
	} else if (!floor_serves_dhcp(t, w)) {
		floor_refuse(t, w, REASON_DHCP_ROGUE_SERVER);
		return 1;
	}
	w->soft = floor_soft(t, w->verdict.device);
	floor_say(w, GATE_INSPECT, REASON_NONE);
	return 1;
}

#endif
