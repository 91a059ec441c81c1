/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOOR_H
#define BEDWARDEN_BPF_FLOOR_H
/*
 * The floor's decision, written once and compiled twice: into the XDP program
 * (gate.bpf.c) and into the guard (guard/policy/floor.c), so that a packet gets
 * the same verdict in the kernel, on AF_PACKET and from a file.
 *
 * Whoever includes this fills a struct floor_work (zeroed first: `packet` from
 * the frame; `port`, `ifindex`, `generation`, `now_ns` from where and when it
 * came) and calls floor_decide(), which fills `verdict`. It also supplies, before
 * the include, `struct floor_tables` and these look-ups in it, each NULL where
 * nothing is found:
 *
 *   const struct gate_device *floor_device(struct floor_tables *, __u32 id);
 *   const struct gate_rule *floor_rule(struct floor_tables *, __u32 index);
 *   const struct gate_bind *floor_mac(struct floor_tables *, const struct gate_mac_key *);
 *   const struct gate_bind *floor_ip(struct floor_tables *, const struct gate_ip_key *);
 *   const struct gate_net *floor_net(struct floor_tables *, const struct gate_net_key *);
 *   struct gate_learned *floor_learned(struct floor_tables *, const struct gate_ip_key *);
 *   void floor_learn(struct floor_tables *, const struct gate_ip_key *,
 *                    const struct gate_learned *);
 *   struct gate_flow *floor_flow(struct floor_tables *, const struct gate_flow_key *);
 *   void floor_flow_add(struct floor_tables *, const struct gate_flow_key *,
 *                       const struct gate_flow *);      (replaces, may evict, may fail)
 *   const struct gate_grant *floor_door(struct floor_tables *, const struct gate_grant_key *);
 *   __u64 floor_boot_ns(struct floor_tables *);         (CLOCK_BOOTTIME now)
 *   FLOOR_ADD(ptr, n): adds to a counter that other CPUs may be adding to.
 *
 * What is decided, in this order; the first that speaks wins:
 *
 *  1. Broken packets: FLOOR_MALFORMED. Sources that cannot be (a group, loopback,
 *     one's own destination, ::ffff:0:0/96 on the wire) are broken too.
 *  2. A conversation that a guard blocked stays blocked until `until_ns`.
 *  3. A judged conversation goes on: same generation, same hardware address on
 *     the same side as when the sender was checked. A new beginning (SYN, echo
 *     request) by the end that did not start it is judged anew.
 *  4. Source binding. Ward side: the MAC must be a device's (else UNKNOWN_DEVICE, or
 *     inspected where strangers are), not a host's (MAC_MOVED); the address must not be
 *     another's (IP_STOLEN; IP_CONFLICT where it was only learned) and must be its own
 *     (IP_UNLISTED; a device without a listed address, and any link-local one, is
 *     learned). Hospital side: no device's MAC (MAC_MOVED) and no device's address
 *     (IP_MOVED); a host with a MAC must use it (IP_STOLEN). Blocked by the segment's
 *     mode, IP_UNLISTED by the device's; a segment that only reports goes on.
 *  5. ARP and ND: the announced pair must be the sender's (ARP_SPOOF, ND_SPOOF), no
 *     router in the ward (ROGUE_RA). Otherwise they pass, whatever the fail mode, those
 *     from the ward by way of the guard. Isolated ports: questions about a neighbour
 *     are ANSWERED. IGMP and MLD pass.
 *  6. DHCP and DHCPv6: a client's messages from the ward are inspected; a server's are
 *     ROGUE_SERVER unless they come from the hospital's side, from a host that has the
 *     role, or from anyone there where no host has it.
 *  7. Fragments: the first is judged as a packet and remembered for FLOOR_FRAGMENT_NS;
 *     later ones follow it; unknown ones are INSPECT with GATE_VERDICT_FRAGMENT, and
 *     must not pass unless somebody reassembles them. A first fragment without its
 *     whole transport header, or a later one that overlaps it (RFC 1858), is refused.
 *  8. ICMP errors pass with the conversation they quote, if the quoting end owns it.
 *  9. The device's rules, first match. Ward to hospital: rules the device starts by.
 *     Hospital to ward: rules `towards` it. Device to device: both must agree, the
 *     stricter action, mode and fail mode count, and the gateway must be able to send
 *     it back (HAIRPIN); where the ward's switch delivers it anyway, the copy seen here
 *     is dropped without a reason. Broadcast and multicast carry their role besides
 *     the peer's own; from the hospital for nobody, the stranger's rules are asked.
 *     TCP without SYN is matched in both directions, so that neither a restart nor an
 *     evicted entry cuts a connection. UDP from a device's own service port likewise;
 *     the other way round would open every port of the device to a server.
 *
 * 10. What they refuse, a grant may allow: a workstation and a service of a device,
 *     until its end. A conversation under a grant is looked up at every packet: it ends
 *     with the very grant that it began under (GRANT_ENDED).
 *
 * 11. What is allowed with a host behind a peer gateway is SEAL, whatever the rule says:
 *     on its way out it goes by the link to that gateway or, where that is down, by the
 *     device's fail mode. What comes in of it must have come by that link (SEAL_IN_CLEAR,
 *     SEAL_WRONG_PEER), unless the device fails open. ARP and ND between the two likewise.
 *     The link's own datagrams, to the gateway's own address, are LOCAL.
 *
 * Modes: `would` is what enforce does; in observe and simulate a refused packet is
 * INSPECT and OPEN: nobody there to look, it passes.
 */
#include "shared.h"

#ifdef __bpf__
#define FLOOR_FN static inline __attribute__((always_inline))
#else
#define FLOOR_FN static inline
#endif

#define FLOOR_FRAGMENT_NS  (30ull * 1000000000)
#define FLOOR_LEARNED_NS   (600ull * 1000000000)  /* unused that long, an address is free again */
#define FLOOR_IDLE_TCP_NS  (7440ull * 1000000000) /* RFC 5382 REQ-5 */
#define FLOOR_IDLE_UDP_NS  (300ull * 1000000000)  /* RFC 4787 REQ-5 */
#define FLOOR_QUOTE_NS	   (3ull * 1000000000)
#define FLOOR_IDLE_ICMP_NS (60ull * 1000000000) /* RFC 5508 REQ-2 */

#define FLOOR_ETH_ARP	0x0806
#define FLOOR_ETH_EAPOL 0x888e
#define FLOOR_ETH_LLDP	0x88cc

enum floor_packet_flag {
	FLOOR_HAS_PORTS = 1,   /* TCP, UDP, SCTP, and echo with its identifier in both */
	FLOOR_IS_FRAGMENT = 2, /* more follow or an offset is set */
	FLOOR_LATER = 4,       /* a fragment with an offset: no transport header */
	FLOOR_BROKEN = 8,      /* a length lies or a header is cut */
	FLOOR_IS_ARP = 16,     /* `arp_*` hold, Ethernet/IPv4 */
	FLOOR_HAS_QUOTE = 32,  /* an ICMP error; `quote_*` hold */
	FLOOR_HAS_ND_MAC = 64, /* a link-layer address option, all of them alike */
	FLOOR_ND_BROKEN = 128, /* options that lie, contradict or do not end */
	FLOOR_TINY = 256,      /* a first fragment without its whole transport header */
};

/* A packet, as far as the floor cares. Ports and numbers in host byte order. */
struct floor_packet {
	struct gate_ip src, dst;
	struct gate_ip target; /* ARP target; ND target (NS, NA) */
	struct gate_ip arp_sender;
	struct gate_ip quote_src, quote_dst;
	__u32 len; /* of the frame */
	__u32 fragment_id;
	__u32 fragment_offset; /* bytes */
	__u16 flags;	       /* enum floor_packet_flag */
	__u16 vlan;	       /* outer VID, 0 untagged */
	__u16 ethertype;       /* innermost; 802.3 length: 0 */
	__u16 sport, dport;
	__u16 quote_sport, quote_dport;
	__u16 arp_op;
	__u8 src_mac[6], dst_mac[6];
	__u8 said_mac[6]; /* ARP sender's, or ND option's hardware address */
	__u8 ip_version;  /* 4, 6, 0 */
	__u8 proto;
	__u8 quote_proto;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 pad[5];
};

/* One end of a packet, as the policy knows it. */
struct floor_end {
	__u64 roles;
	__u32 peer;
	__u32 device; /* on the ward's side */
	__u8 ward;
	__u8 link; /* a host's: the peer gateway it is behind; 0 none */
	__u8 pad[6];
};

/* Everything a decision needs to hold, in one piece: BPF has 512 bytes of stack. */
struct floor_work {
	struct floor_packet packet;
	struct gate_port port;
	__u32 ifindex;
	__u32 generation;
	__u64 now_ns;
	struct gate_verdict verdict;
	/* scratch */
	struct floor_end from, to;
	struct gate_flow_key key;
	struct gate_flow_key fragment_key;
	struct gate_flow fresh;
	struct gate_ip_key ip_key;
	struct gate_mac_key mac_key;
	struct gate_net_key net_key;
	struct gate_learned learned;
	struct gate_grant_key grant_key;
	__u64 grant_until_ns; /* of the door last found */
	__u32 grant;	      /* under which the last match stands; 0 none */
	__u32 rule;
	__u8 sender;   /* which end of `key` */
	__u8 reported; /* enum reason: a violation that is only reported */
	__u8 group;    /* 1 broadcast, 2 multicast */
	__u8 soft;     /* the mode that counts lets refused packets pass */
	__u8 action;   /* of the last match */
	__u8 reason;
	__u8 link; /* of the last match: by which link it is to go or come */
	__u8 sealed; /* the link by which the packet came; 0: in the clear, as all that the kernel sees */
};

FLOOR_FN int floor_mac_equal(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] &&
	       a[5] == b[5];
}

FLOOR_FN void floor_mac_copy(__u8 *to, const __u8 *from)
{
	__builtin_memcpy(to, from, 6);
}

FLOOR_FN int floor_ip_equal(const struct gate_ip *a, const struct gate_ip *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

FLOOR_FN int floor_ip_mapped(const struct gate_ip *a)
{
	return !a->w[0] && !a->w[1] && !a->b[8] && !a->b[9] && a->b[10] == 0xff && a->b[11] == 0xff;
}

FLOOR_FN int floor_ip_zero(const struct gate_ip *a)
{
	return !a->w[0] && !a->w[1] && !a->w[3] && (!a->w[2] || floor_ip_mapped(a));
}

FLOOR_FN int floor_ip_loopback(const struct gate_ip *a)
{
	if (floor_ip_mapped(a))
		return a->b[12] == 127;
	return !a->w[0] && !a->w[1] && !a->w[2] && !a->b[12] && !a->b[13] && !a->b[14] &&
	       a->b[15] == 1;
}

FLOOR_FN int floor_ip_multicast(const struct gate_ip *a)
{
	return floor_ip_mapped(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

FLOOR_FN int floor_ip_broadcast(const struct gate_ip *a)
{
	return floor_ip_mapped(a) && a->w[3] == 0xffffffff;
}

FLOOR_FN int floor_ip_link_local6(const struct gate_ip *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

FLOOR_FN int floor_icmp_any(const struct floor_packet *p)
{
	return (p->ip_version == 4 && p->proto == 1) || (p->ip_version == 6 && p->proto == 58);
}

/* Echo request: the beginning of a conversation. */
FLOOR_FN int floor_echo(const struct floor_packet *p)
{
	return p->ip_version == 4 ? p->icmp_type == 8 : p->icmp_type == 128;
}

FLOOR_FN int floor_nd(const struct floor_packet *p)
{
	return p->ip_version == 6 && p->proto == 58 && p->icmp_type >= 133 && p->icmp_type <= 137;
}

/* IGMP and MLD: who listens to which group. */
FLOOR_FN int floor_membership(const struct floor_packet *p)
{
	if (p->ip_version == 4)
		return p->proto == 2;
	return p->proto == 58 &&
	       ((p->icmp_type >= 130 && p->icmp_type <= 132) || p->icmp_type == 143);
}

FLOOR_FN __u64 floor_idle_ns(__u8 proto, __u8 kind)
{
	if (kind == GATE_KEY_FRAGMENT)
		return FLOOR_FRAGMENT_NS;
	if (proto == 6)
		return FLOOR_IDLE_TCP_NS;
	return proto == 1 || proto == 58 ? FLOOR_IDLE_ICMP_NS : FLOOR_IDLE_UDP_NS;
}

/* Has the entry aged out? A guard's mark with an end lives until that end. */
FLOOR_FN int floor_aged(const struct gate_flow *f, __u8 proto, __u8 kind, __u64 now_ns)
{
	if ((f->flags & GATE_FLOW_BLOCKED) && f->until_ns)
		return now_ns >= f->until_ns;
	return now_ns > f->seen_ns && now_ns - f->seen_ns > floor_idle_ns(proto, kind);
}

/* ---- the answer ---- */

FLOOR_FN void floor_say(struct floor_work *w, __u8 action, __u8 reason)
{
	struct gate_verdict *v = &w->verdict;

	v->action = action;
	v->would = action;
	v->reason = reason;
	if (w->soft && action != GATE_SEAL && !(w->link && w->port.side == GATE_WARD))
		v->flags |= GATE_VERDICT_OPEN;
	/* What only would be refused goes where it would have gone. */
	if (action == GATE_DROP && reason != REASON_NONE && w->soft)
		v->action = w->link && w->port.side == GATE_WARD ? GATE_SEAL : GATE_INSPECT;
	if (!w->reported || v->would == GATE_DROP)
		return;
	/* Allowed, by a sender whose violation the segment wants reported only. */
	v->would = GATE_DROP;
	v->reason = w->reported;
	if (v->action == GATE_PASS)
		v->action = GATE_INSPECT;
}

FLOOR_FN int floor_soft(struct floor_tables *t, __u32 device)
{
	const struct gate_device *d = floor_device(t, device);

	return d && d->mode != GATE_ENFORCE;
}

/* Refuses by the segment's own mode: the stranger's. */
FLOOR_FN void floor_refuse(struct floor_tables *t, struct floor_work *w, __u8 reason)
{
	w->soft = floor_soft(t, w->port.segment);
	floor_say(w, GATE_DROP, reason);
}

/* ARP, ND and the like: passes whether or not somebody looks. */
FLOOR_FN void floor_plumbing(struct floor_work *w)
{
	w->verdict.flags |= GATE_VERDICT_OPEN;
	floor_say(w, w->port.side == GATE_WARD ? GATE_INSPECT : GATE_PASS, REASON_NONE);
}

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

/* ND behind the sender's own binding check. True when it was ND (RFC 4861 §4). */
FLOOR_FN int floor_judge_nd(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u8 claim = REASON_NONE;

	if (!floor_nd(p) || (p->flags & FLOOR_LATER))
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
	} else if (!(w->from.roles & GATE_ROLE_DHCP) && !(w->port.flags & GATE_PORT_DHCP_ANY)) {
		floor_refuse(t, w, REASON_DHCP_ROGUE_SERVER);
		return 1;
	}
	w->soft = floor_soft(t, w->verdict.device);
	floor_say(w, GATE_INSPECT, REASON_NONE);
	return 1;
}

/* ---- rules ---- */

FLOOR_FN int floor_rule_peer(const struct gate_rule *r, __u32 peer, __u64 roles)
{
	if (r->peer_kind == GATE_PEER_ANY)
		return 1;
	if (r->peer_kind == GATE_PEER_ID)
		return r->peer == peer;
	return (r->peer & roles) != 0;
}

/*
 * First rule of the device that fits, into w->rule and w->action; -1 none, with
 * w->reason. The device's peer is w->to or else w->from; `port` is the server's,
 * or the ICMP type.
 */
FLOOR_FN int floor_match(struct floor_tables *t, struct floor_work *w, __u32 device, int to,
			 __u16 port, __u8 towards)
{
	const struct gate_device *d = floor_device(t, device);
	__u32 peer = to ? w->to.peer : w->from.peer;
	__u64 roles = to ? w->to.roles : w->from.roles;
	__u32 i, first, count;
	int known = 0;

	w->rule = ~0u;
	w->action = GATE_DROP;
	w->reason = REASON_POLICY_NOT_ALLOWED;
	if (!d)
		return -1;
	first = d->rule_first;
	count = d->rule_count;
	for (i = 0; i < GATE_MAX_RULES_PER_DEVICE; i++) {
		const struct gate_rule *r;

		if (i >= count)
			break;
		r = floor_rule(t, first + i);
		if (!r)
			break;
		if (r->towards != towards || (r->proto && r->proto != w->packet.proto) ||
		    port < r->port_lo || port > r->port_hi)
			continue;
		known = 1;
		if (!floor_rule_peer(r, peer, roles))
			continue;
		w->rule = first + i;
		w->action = r->action;
		if (r->action == GATE_DROP)
			return -1;
		w->reason = REASON_NONE;
		return 0;
	}
	if (known)
		w->reason = REASON_POLICY_PEER_NOT_ALLOWED;
	else if (towards)
		w->reason = REASON_POLICY_INBOUND_NOT_ALLOWED;
	return -1;
}

/* A kernel verifies the loop once and by itself: there the includer puts a function around it. */
#ifndef FLOOR_MATCH
#define FLOOR_MATCH floor_match
#endif

/* Both devices must agree that one (w->to, or else w->from) starts towards the other. */
FLOOR_FN int floor_match_pair(struct floor_tables *t, struct floor_work *w, int reversed,
			      __u16 port)
{
	__u32 starter = reversed ? w->to.device : w->from.device;
	__u32 other = reversed ? w->from.device : w->to.device;
	const struct gate_device *s = floor_device(t, starter);
	__u32 rule = ~0u;
	__u8 action = GATE_INSPECT;

	if (!s || !(s->flags & GATE_DEVICE_STRANGER)) {
		if (FLOOR_MATCH(t, w, starter, !reversed, port, 0) < 0)
			goto refused;
		rule = w->rule;
		action = w->action;
	}
	if (FLOOR_MATCH(t, w, other, reversed, port, 1) < 0)
		goto refused;
	if (rule != ~0u)
		w->rule = rule;
	if (action > w->action)
		w->action = action;
	return 0;
refused:
	w->reason = REASON_POLICY_DEVICE_TO_DEVICE;
	return -1;
}

/*
 * The policy's word on the packet, taking its sender (or, `reversed`, its
 * receiver) for the one who started. Fills w->rule, action and reason.
 */
FLOOR_FN int floor_match_as(struct floor_tables *t, struct floor_work *w, int reversed)
{
	const struct floor_packet *p = &w->packet;
	__u16 port = floor_icmp_any(p) ? p->icmp_type : reversed ? p->sport : p->dport;

	if (w->from.ward && w->to.ward)
		return floor_match_pair(t, w, reversed, port);
	if (w->from.ward)
		return FLOOR_MATCH(t, w, w->from.device, 1, port, reversed ? 1 : 0);
	return FLOOR_MATCH(t, w, w->to.device, 0, port, reversed ? 0 : 1);
}

/* Which ways round a packet without a known conversation may be read. */
#define FLOOR_AS_STARTER 1
#define FLOOR_AS_ANSWER	 2

/* ---- doors ---- */

/* How floor_grant() is to look. */
#define FLOOR_DOOR_BACK 1 /* the device sends */
#define FLOOR_DOOR_MAC	2 /* the workstation's hardware address is in the frame */

/*
 * The grant under which the packet may pass between the device's service and
 * its other end: its id, or 0. Sets GATE_VERDICT_RECORD.
 */
FLOOR_FN __u32 floor_grant(struct floor_tables *t, struct floor_work *w, __u32 device, __u32 how)
{
	const struct floor_packet *p = &w->packet;
	const struct gate_device *d = floor_device(t, device);
	struct gate_grant_key *k = &w->grant_key;
	const struct gate_grant *g;
	int back = how & FLOOR_DOOR_BACK;
	__u16 port = back ? p->sport : p->dport;

	if (!d || (d->flags & GATE_DEVICE_STRANGER) || !(p->flags & FLOOR_HAS_PORTS))
		return 0;
	k->segment = d->segment;
	k->peer = back ? p->dst : p->src;
	floor_mac_copy(k->device_mac, d->mac);
	k->port = port;
	k->proto = p->proto;
	k->pad[0] = k->pad[1] = k->pad[2] = 0;
	g = floor_door(t, k);
	if (!g) {
		k->port = 0;
		g = floor_door(t, k);
		if (!g || port < g->port_lo || port > g->port_hi)
			return 0;
	}
	if (g->until_ns <= floor_boot_ns(t))
		return 0;
	if ((how & FLOOR_DOOR_MAC) && !(g->flags & GATE_GRANT_ANY_MAC) &&
	    !floor_mac_equal(g->mac, back ? p->dst_mac : p->src_mac))
		return 0;
	w->grant_until_ns = g->until_ns;
	if (g->flags & GATE_GRANT_RECORD)
		w->verdict.flags |= GATE_VERDICT_RECORD;
	return g->id;
}

#ifndef FLOOR_GRANT
#define FLOOR_GRANT floor_grant
#endif

/* Of what the rules refused: does a door let it through? Says who started, like floor_policy();
 * -1 no door. */
FLOOR_FN int floor_let_in(struct floor_tables *t, struct floor_work *w, int readings)
{
	__u32 id = 0;
	int answered = 0;

	if (w->packet.proto != 6 && w->packet.proto != 17 && w->packet.proto != 132)
		return -1;
	if ((readings & FLOOR_AS_STARTER) && w->to.ward)
		id = FLOOR_GRANT(t, w, w->to.device, FLOOR_DOOR_MAC);
	if (!id && (readings & FLOOR_AS_ANSWER) && w->from.ward) {
		/* To a neighbour the frame bears the gateway's own address. */
		id = FLOOR_GRANT(t, w, w->from.device,
				 FLOOR_DOOR_BACK | (w->to.ward ? 0 : FLOOR_DOOR_MAC));
		answered = 1;
	}
	if (!id)
		return -1;
	w->grant = id;
	w->rule = ~0u;
	w->action = GATE_INSPECT;
	w->reason = REASON_NONE;
	return answered;
}

FLOOR_FN int floor_readings(const struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u8 syn = p->tcp_flags & 2, ack = p->tcp_flags & 16, rst = p->tcp_flags & 4;

	if (p->proto == 6) {
		if (syn && ack)
			return FLOOR_AS_ANSWER;
		return !syn && (ack || rst) ? FLOOR_AS_STARTER | FLOOR_AS_ANSWER : FLOOR_AS_STARTER;
	}
	if ((p->proto == 17 || p->proto == 132) && w->from.ward && !w->to.ward)
		return FLOOR_AS_STARTER | FLOOR_AS_ANSWER;
	return FLOOR_AS_STARTER;
}

/* Judges by the rules; w->rule, action, reason. Says who started: 0 the sender, 1 the receiver. */
FLOOR_FN int floor_rules(struct floor_tables *t, struct floor_work *w, int readings)
{
	const struct gate_device *d = floor_device(t, w->verdict.device);
	int stranger = d && (d->flags & GATE_DEVICE_STRANGER);
	__u8 reason;

	if (stranger && !(w->from.ward && w->to.ward) && !(w->group && !w->from.ward)) {
		/* A stranger's own traffic got this far only where strangers are let in. */
		w->rule = ~0u;
		w->action = GATE_INSPECT;
		w->reason = REASON_NONE;
		if (!w->from.ward && !(w->port.flags & GATE_PORT_STRANGERS_OK)) {
			w->action = GATE_DROP;
			w->reason = REASON_POLICY_UNKNOWN_DESTINATION;
		}
		return !(readings & FLOOR_AS_STARTER);
	}
	if (readings & FLOOR_AS_STARTER) {
		if (!floor_match_as(t, w, 0) || !(readings & FLOOR_AS_ANSWER) || w->rule != ~0u)
			goto starter;
		reason = w->reason;
		if (!floor_match_as(t, w, 1))
			return 1;
		w->reason = reason;
		w->rule = ~0u;
		w->action = GATE_DROP;
		return 0;
	}
	floor_match_as(t, w, 1);
	return 1;
starter:
	if (w->reason != REASON_NONE && w->group && !w->from.ward && stranger)
		w->reason = REASON_POLICY_PROTOCOL; /* the hospital's chatter, at nobody */
	return 0;
}

/* What is allowed with a host behind a peer gateway goes by the link to it, and `seal` nowhere else. */
FLOOR_FN void floor_link(struct floor_work *w)
{
	if (w->group || (w->from.ward && w->to.ward))
		w->link = 0; /* at everybody, and between neighbours */
	else
		w->link = w->from.ward ? w->to.link : w->from.link;
	if (w->action == GATE_DROP)
		return;
	if (w->link) {
		w->action = GATE_SEAL;
	} else if (w->action == GATE_SEAL) {
		w->action = GATE_DROP;
		w->reason = REASON_SEAL_NO_PEER;
	}
}

/* By the rules, and where those refuse, by the doors that are open. */
FLOOR_FN int floor_policy(struct floor_tables *t, struct floor_work *w, int readings)
{
	int answered = floor_rules(t, w, readings), by_door;

	w->grant = 0;
	by_door = w->action == GATE_DROP ? floor_let_in(t, w, readings) : -1;
	floor_link(w);
	return by_door < 0 ? answered : by_door;
}

#ifndef FLOOR_POLICY
#define FLOOR_POLICY floor_policy
#endif

/* ---- conversations ---- */

/* What its `rule` holds. */
FLOOR_FN void floor_under(struct floor_work *w, const struct gate_flow *f)
{
	int granted = f->flags & GATE_FLOW_GRANTED;

	w->verdict.rule = granted ? ~0u : f->rule;
	w->verdict.grant = granted ? f->rule : 0;
}

/* The packet goes the way of its conversation. */
FLOOR_FN void floor_follow(struct floor_work *w, struct gate_flow *f)
{
	struct gate_verdict *v = &w->verdict;
	__u8 e = w->sender & 1, action = f->action;
	int both = (f->flags & GATE_FLOW_WARD(0)) && (f->flags & GATE_FLOW_WARD(1));

	f->seen_ns = w->now_ns;
	if (both && e != f->starter) {
		v->device = f->peer & ~GATE_PEER_DEVICE;
		v->peer = GATE_PEER_DEVICE | f->device;
	} else {
		v->device = f->device;
		v->peer = f->peer;
	}
	floor_under(w, f);
	v->link = f->link;
	if (w->port.side == GATE_HOSPITAL)
		v->flags |= GATE_VERDICT_TO_DEVICE;
	w->soft = (f->flags & GATE_FLOW_OPEN) != 0;
	if (action == GATE_INSPECT && (f->flags & GATE_FLOW_BYPASSED) &&
	    (!f->until_ns || w->now_ns < f->until_ns))
		action = GATE_PASS;
	if (both && action != GATE_DROP) {
		if (w->port.flags & GATE_PORT_ISOLATED)
			v->flags |= GATE_VERDICT_HAIRPIN;
		else
			action = GATE_DROP; /* the ward's own switch has delivered it */
	}
	floor_say(w, action, action == GATE_DROP ? f->reason : REASON_NONE);
}

/* The sender of this end has just passed the binding check. */
FLOOR_FN void floor_bound(const struct floor_work *w, struct gate_flow *f)
{
	__u8 e = w->sender & 1;

	if (w->reported)
		return;
	floor_mac_copy(f->mac[e], w->packet.src_mac);
	f->flags |= GATE_FLOW_BOUND(e);
}

/* Does the packet begin something, although the other end began this conversation? */
FLOOR_FN int floor_begins(const struct floor_work *w, const struct gate_flow *f)
{
	const struct floor_packet *p = &w->packet;

	if (w->sender == f->starter)
		return 0;
	if (p->proto == 6)
		return (p->tcp_flags & (2 | 16)) == 2;
	return floor_icmp_any(p) && floor_echo(p);
}

/* Already judged, and surely the same sender? Costs one look-up for most packets. */
FLOOR_FN int floor_known(const struct floor_work *w, const struct gate_flow *f)
{
	__u8 e = w->sender & 1, o = e ^ 1;

	if (f->generation != w->generation || !(f->flags & GATE_FLOW_BOUND(e)) ||
	    (w->packet.flags & FLOOR_IS_FRAGMENT))
		return 0;
	if (!(f->flags & GATE_FLOW_WARD(e)) != (w->port.side == GATE_HOSPITAL))
		return 0;
	if (!floor_mac_equal(f->mac[e], w->packet.src_mac))
		return 0;
	/* Towards a device, the frame must be addressed to it. */
	if (w->port.side == GATE_HOSPITAL && (f->flags & GATE_FLOW_BOUND(o)) &&
	    !floor_mac_equal(f->mac[o], w->packet.dst_mac))
		return 0;
	return !floor_begins(w, f);
}

/*
 * Has the door shut under which the conversation began? Then the packet is refused, but for one
 * that begins anew: that is judged as if nothing had been before.
 */
FLOOR_FN int floor_shut(struct floor_tables *t, struct floor_work *w, struct gate_flow *f)
{
	struct gate_verdict *v = &w->verdict;
	__u8 e = w->sender & 1;
	int both = (f->flags & GATE_FLOW_WARD(0)) && (f->flags & GATE_FLOW_WARD(1));
	__u32 how = f->starter == e ? 0 : FLOOR_DOOR_BACK;
	int same;

	if (f->generation != w->generation)
		return 0; /* to be judged anew in any case */
	if (!how || !both)
		how |= FLOOR_DOOR_MAC;
	if (FLOOR_GRANT(t, w, both ? f->peer & ~GATE_PEER_DEVICE : f->device, how) == f->rule)
		return 0;
	/* Nobody but its own sender can end it by beginning anew. */
	same = (f->flags & GATE_FLOW_BOUND(e)) && floor_mac_equal(f->mac[e], w->packet.src_mac);
	if (same && (w->packet.proto != 6 || (w->packet.tcp_flags & (2 | 16)) == 2)) {
		f->generation = 0;
		return 0;
	}
	v->device = f->device;
	v->peer = f->peer;
	floor_under(w, f);
	if (w->port.side == GATE_HOSPITAL)
		v->flags |= GATE_VERDICT_TO_DEVICE;
	w->soft = (f->flags & GATE_FLOW_OPEN) != 0;
	floor_say(w, GATE_DROP, same ? REASON_GRANT_ENDED : REASON_POLICY_PEER_NOT_ALLOWED);
	return 1;
}

/* Makes or renews the entry from w->rule, action, reason. */
FLOOR_FN void floor_flow_new(struct floor_tables *t, struct floor_work *w, int answered)
{
	struct gate_flow *n = &w->fresh;
	__u8 e = w->sender & 1;

	n->seen_ns = w->now_ns;
	n->until_ns = 0;
	n->starter = answered ? e ^ 1 : e;
	n->device = w->verdict.device;
	n->peer = w->verdict.peer;
	if (answered && w->from.ward && w->to.ward) {
		n->device = w->to.device;
		n->peer = w->from.peer;
	}
	n->generation = w->generation;
	n->rule = w->grant ? w->grant : w->rule;
	n->action = w->action;
	n->link = w->link;
	n->reason = w->reason;
	n->flags = (w->from.ward ? GATE_FLOW_WARD(e) : 0) |
		   (w->to.ward ? GATE_FLOW_WARD(e ^ 1) : 0) | (w->soft ? GATE_FLOW_OPEN : 0) |
		   (w->grant ? GATE_FLOW_GRANTED : 0);
	__builtin_memset(n->mac, 0, sizeof(n->mac));
	floor_bound(w, n);
	floor_flow_add(t, &w->key, n);
}

/* A new policy is in force: the same conversation, judged again, marks of a guard kept. */
FLOOR_FN void floor_flow_renew(struct floor_work *w, struct gate_flow *f)
{
	__u8 e = w->sender & 1;

	if ((f->flags & GATE_FLOW_GRANTED) && w->action == GATE_DROP)
		w->reason = REASON_GRANT_ENDED;
	f->rule = w->grant ? w->grant : w->rule;
	f->action = w->action;
	f->link = w->link;
	f->reason = w->reason;
	f->device = w->verdict.device;
	f->peer = w->verdict.peer;
	if (f->starter != e && w->from.ward && w->to.ward) {
		f->device = w->to.device;
		f->peer = w->from.peer;
	}
	f->flags = (w->from.ward ? GATE_FLOW_WARD(e) : 0) |
		   (w->to.ward ? GATE_FLOW_WARD(e ^ 1) : 0) | (w->soft ? GATE_FLOW_OPEN : 0) |
		   (w->grant ? GATE_FLOW_GRANTED : 0);
	floor_bound(w, f);
	/* What is refused is judged anew at every packet: a door may open for it. */
	f->generation = w->action == GATE_DROP && !w->soft ? 0 : w->generation;
	f->seen_ns = w->now_ns;
}

/* Says the policy's verdict as it now stands in w. */
FLOOR_FN void floor_say_policy(struct floor_work *w)
{
	__u8 action = w->action;

	w->verdict.rule = w->rule;
	w->verdict.grant = w->grant;
	w->verdict.link = w->link;
	if (w->from.ward && w->to.ward && action != GATE_DROP) {
		if (w->port.flags & GATE_PORT_ISOLATED)
			w->verdict.flags |= GATE_VERDICT_HAIRPIN;
		else
			action = GATE_DROP;
	}
	floor_say(w, action, w->reason);
}

/* The stricter of the modes of the devices concerned. */
FLOOR_FN void floor_mode(struct floor_tables *t, struct floor_work *w)
{
	w->soft = floor_soft(t, w->verdict.device);
	if (w->soft && w->from.ward && w->to.ward)
		w->soft = floor_soft(t, w->to.device);
}

FLOOR_FN void floor_judge_flow(struct floor_tables *t, struct floor_work *w, struct gate_flow *f,
			       int keyed)
{
	int answered;

	floor_mode(t, w);
	if (f && floor_begins(w, f)) {
		/* The other end's own beginning: replaces the entry if allowed, else leaves it be. */
		FLOOR_POLICY(t, w, FLOOR_AS_STARTER);
		if (w->action != GATE_DROP)
			floor_flow_new(t, w, 0);
	} else if (f && f->generation == w->generation &&
		   !(f->flags & GATE_FLOW_WARD(w->sender & 1)) == !w->from.ward) {
		floor_bound(w, f);
		floor_follow(w, f);
		return;
	} else if (f) {
		FLOOR_POLICY(t, w, f->starter == w->sender ? FLOOR_AS_STARTER : FLOOR_AS_ANSWER);
		floor_flow_renew(w, f);
	} else {
		answered = FLOOR_POLICY(t, w, floor_readings(w));
		/* What is dropped costs no entry: a scan cannot push out conversations. */
		if (keyed && (w->action != GATE_DROP || w->soft) &&
		    !(w->packet.proto == 6 && (w->packet.tcp_flags & 4))) {
			floor_flow_new(t, w, answered);
			w->verdict.flags |= GATE_VERDICT_FIRST;
		}
	}
	floor_say_policy(w);
}

/* ---- fragments and ICMP errors ---- */

FLOOR_FN void floor_fragment_key(struct floor_work *w)
{
	struct gate_flow_key *k = &w->fragment_key;

	k->segment = w->port.segment;
	k->ip[0] = w->packet.src;
	k->ip[1] = w->packet.dst;
	k->port[0] = w->packet.fragment_id >> 16;
	k->port[1] = w->packet.fragment_id & 0xffff;
	k->vlan = w->packet.vlan;
	k->proto = w->packet.proto;
	k->kind = GATE_KEY_FRAGMENT;
}

/* A piece with an offset follows its first. */
FLOOR_FN void floor_judge_later(struct floor_tables *t, struct floor_work *w)
{
	struct gate_flow *f;

	floor_mode(t, w);
	if (w->packet.fragment_offset < (w->packet.proto == 6 ? 20 : 8)) {
		floor_say(w, GATE_DROP, REASON_FLOOR_FRAGMENT);
		return;
	}
	floor_fragment_key(w);
	f = floor_flow(t, &w->fragment_key);
	if (!f || f->generation != w->generation ||
	    floor_aged(f, w->packet.proto, GATE_KEY_FRAGMENT, w->now_ns) ||
	    ((f->flags & GATE_FLOW_GRANTED) && f->until_ns <= floor_boot_ns(t))) {
		w->verdict.flags |= GATE_VERDICT_FRAGMENT;
		floor_say(w, GATE_INSPECT, REASON_NONE);
		return;
	}
	w->sender = 0;
	if (f->flags & GATE_FLOW_GRANTED) {
		w->grant = f->rule; /* and its time is that of the first piece */
	} else {
		f->seen_ns = w->now_ns;
		w->rule = f->rule;
	}
	w->action = f->action;
	w->link = f->link;
	w->reason = f->reason;
	floor_say_policy(w);
}

/* The first piece has been judged: what it got, the others get. */
FLOOR_FN void floor_fragment_first(struct floor_tables *t, struct floor_work *w)
{
	struct gate_flow *n = &w->fresh;

	if (w->verdict.action == GATE_DROP)
		return;
	floor_fragment_key(w);
	__builtin_memset(n, 0, sizeof(*n));
	n->seen_ns = w->now_ns;
	n->generation = w->generation;
	n->device = w->verdict.device;
	n->peer = w->verdict.peer;
	n->rule = w->verdict.rule;
	if (w->verdict.grant) {
		n->rule = w->verdict.grant;
		n->until_ns = w->grant_until_ns;
		n->flags = GATE_FLOW_GRANTED;
	}
	n->action = w->verdict.would;
	n->link = w->verdict.link;
	n->reason = w->verdict.reason;
	if (w->reported && w->reported == n->reason) {
		n->action = w->verdict.action;
		n->reason = REASON_NONE;
	}
	floor_flow_add(t, &w->fragment_key, n);
}

FLOOR_FN int floor_quotes(const struct floor_packet *p)
{
	if (!floor_icmp_any(p))
		return 0;
	if (p->ip_version == 4)
		return p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 11 ||
		       p->icmp_type == 12;
	return p->icmp_type >= 1 && p->icmp_type <= 4;
}

/* An error about a conversation under a grant may come while that one goes on. */
FLOOR_FN int floor_lively(const struct floor_work *w, const struct gate_flow *f)
{
	return !(f->flags & GATE_FLOW_GRANTED) || w->now_ns < f->seen_ns + FLOOR_QUOTE_NS;
}

/* An ICMP error about a conversation that is allowed goes to the end that sent the quoted
 * packet, and to nobody else. */
FLOOR_FN void floor_judge_quote(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	struct gate_flow *f = 0;

	floor_mode(t, w);
	if ((p->flags & FLOOR_HAS_QUOTE) && floor_ip_equal(&p->quote_src, &p->dst)) {
		gate_flow_key_make(&w->key, w->port.segment, p->vlan, p->quote_proto, &p->quote_src,
				   p->quote_sport, &p->quote_dst, p->quote_dport);
		f = floor_flow(t, &w->key);
	}
	if (f && !floor_aged(f, p->quote_proto, GATE_KEY_FLOW, w->now_ns) &&
	    !(f->flags & GATE_FLOW_BLOCKED) && f->action != GATE_DROP && floor_lively(w, f)) {
		if (f->flags & GATE_FLOW_GRANTED)
			w->grant = f->rule;
		else
			w->rule = f->rule;
		w->action = f->action;
		w->link = f->link;
		w->reason = REASON_NONE;
	} else {
		FLOOR_POLICY(t, w, FLOOR_AS_STARTER);
	}
	floor_say_policy(w);
}

/* ---- IP ---- */

/* Addresses that no honest packet carries (RFC 1122 §3.2.1.3, RFC 4291 §2.5). */
FLOOR_FN int floor_impossible(const struct floor_packet *p)
{
	if (p->ip_version == 6 && (floor_ip_mapped(&p->src) || floor_ip_mapped(&p->dst)))
		return 1;
	if (floor_ip_multicast(&p->src) || floor_ip_broadcast(&p->src) ||
	    floor_ip_loopback(&p->src) || floor_ip_loopback(&p->dst) || floor_ip_zero(&p->dst))
		return 1;
	return floor_ip_equal(&p->src, &p->dst);
}

/* Without an address of its own a machine may only ask for one, or say what it listens to. */
FLOOR_FN int floor_may_lack_address(const struct floor_packet *p)
{
	if (p->ip_version == 4 && p->proto == 17 && (p->flags & FLOOR_HAS_PORTS) &&
	    !(p->flags & FLOOR_IS_FRAGMENT))
		return p->sport == 68 && p->dport == 67;
	return floor_membership(p) || (floor_nd(p) && p->icmp_type == 135);
}

/* Binding of an IP packet's sender. True when that settles it. */
FLOOR_FN int floor_judge_sender(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	__u8 who = floor_sender(t, w), claim = REASON_NONE;

	if (!floor_ip_zero(&p->src))
		claim = floor_claim(t, w, &p->src, 0);
	else if (w->port.side == GATE_WARD && !floor_may_lack_address(p))
		claim = REASON_BINDING_IP_UNLISTED;
	return floor_violation(t, w, claim) || floor_violation(t, w, who);
}

/* Finds out about the receiver and sets device and peer of the verdict. True when the frame
 * is for somebody whom the policy does not put behind that hardware address. */
FLOOR_FN int floor_receiver(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	struct gate_verdict *v = &w->verdict;
	const struct gate_bind *b;
	const struct gate_device *d;
	int wrong = 0;

	floor_who(t, w, &p->dst, &w->to);
	if (w->port.side == GATE_WARD) {
		if (w->group == 1)
			w->to.roles |= GATE_ROLE_BROADCAST;
		else if (w->group == 2)
			w->to.roles |= GATE_ROLE_MULTICAST;
		v->device = w->from.device;
		v->peer = w->to.peer;
		return 0;
	}
	floor_who(t, w, &p->src, &w->from);
	w->from.ward = 0;
	if (w->group == 1)
		w->from.roles |= GATE_ROLE_BROADCAST;
	else if (w->group == 2)
		w->from.roles |= GATE_ROLE_MULTICAST;
	v->flags |= GATE_VERDICT_TO_DEVICE;
	if (!w->group) {
		b = floor_bind_mac(t, w, p->dst_mac);
		if (b && b->side == GATE_WARD && b->peer != w->to.peer) {
			/* A device without a listed address, not heard from yet, may be it. */
			d = floor_device(t, b->peer & ~GATE_PEER_DEVICE);
			wrong = w->to.ward || !d || !(d->flags & GATE_DEVICE_ANY_IP);
			floor_end_is(&w->to, b);
		} else if (!b && w->to.ward) {
			wrong = 1;
		}
	}
	if (!w->to.ward) {
		w->to.ward = 1;
		w->to.device = w->port.segment;
		w->to.peer = GATE_PEER_DEVICE | w->port.segment;
	}
	v->device = w->to.device;
	v->peer = w->from.peer;
	return wrong;
}

FLOOR_FN void floor_judge_ip(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	struct gate_flow *f = 0;
	int keyed, wrong;

	if (floor_impossible(p)) {
		floor_refuse(t, w, REASON_FLOOR_MALFORMED);
		return;
	}
	if (p->proto == 17 && (p->flags & (FLOOR_HAS_PORTS | FLOOR_LATER)) == FLOOR_HAS_PORTS &&
	    p->dport == w->port.own_port && floor_own(w, &p->dst) &&
	    floor_mac_equal(p->dst_mac, w->port.mac)) {
		floor_say_local(w);
		return;
	}
	keyed = !(p->flags & FLOOR_LATER) && ((p->flags & FLOOR_HAS_PORTS) || !floor_icmp_any(p));
	if (keyed) {
		w->sender = gate_flow_key_make(&w->key, w->port.segment, p->vlan, p->proto, &p->src,
					       p->sport, &p->dst, p->dport);
		f = floor_flow(t, &w->key);
	}
	if (f && floor_aged(f, p->proto, GATE_KEY_FLOW, w->now_ns)) {
		f->flags = 0;
		f = 0;
	}
	/* Both ends were told, and the same ports may begin anew. */
	if (f && (f->flags & GATE_FLOW_BLOCKED) && p->proto == 6 &&
	    (p->tcp_flags & (2 | 4 | 16)) == 2) {
		f->flags = 0;
		f = 0;
	}
	if (f && (f->flags & GATE_FLOW_BLOCKED)) {
		w->verdict.device = f->device;
		w->verdict.peer = f->peer;
		floor_under(w, f);
		if (w->port.side == GATE_HOSPITAL)
			w->verdict.flags |= GATE_VERDICT_TO_DEVICE;
		floor_say(w, GATE_DROP, REASON_POLICY_FLOW_BLOCKED);
		return;
	}
	if (f && (f->flags & GATE_FLOW_GRANTED) && floor_shut(t, w, f))
		return;
	if (f && floor_known(w, f)) {
		floor_follow(w, f);
		return;
	}
	if (floor_judge_sender(t, w))
		return;
	if (p->dst_mac[0] & 1)
		w->group = floor_mac_equal(p->dst_mac, (const __u8 *)"\xff\xff\xff\xff\xff\xff")
				   ? 1
				   : 2;
	else if (floor_ip_multicast(&p->dst))
		w->group = 2;
	else if (floor_ip_broadcast(&p->dst))
		w->group = 1;
	wrong = floor_receiver(t, w);
	if (floor_judge_nd(t, w))
		return;
	if (floor_membership(p)) {
		w->verdict.flags |= GATE_VERDICT_OPEN;
		floor_say(w, GATE_PASS, REASON_NONE);
		return;
	}
	if (p->flags & FLOOR_TINY) {
		floor_mode(t, w);
		floor_say(w, GATE_DROP, REASON_FLOOR_FRAGMENT);
		return;
	}
	if (floor_judge_dhcp(t, w))
		return;
	if (wrong) {
		floor_mode(t, w);
		floor_say(w, GATE_DROP, REASON_POLICY_UNKNOWN_DESTINATION);
		return;
	}
	if (p->flags & FLOOR_LATER)
		floor_judge_later(t, w);
	else if (floor_quotes(p))
		floor_judge_quote(t, w);
	else
		floor_judge_flow(t, w, f, keyed);
	if ((p->flags & (FLOOR_IS_FRAGMENT | FLOOR_LATER)) == FLOOR_IS_FRAGMENT)
		floor_fragment_first(t, w);
}

/*
 * From the hospital's side: what belongs to a link must have come by it, and by it comes nothing
 * else. In the clear it is let through only where the device fails open: its other end's link
 * may be down.
 */
FLOOR_FN void floor_arrive(struct floor_tables *t, struct floor_work *w)
{
	struct gate_verdict *v = &w->verdict;
	const struct gate_device *d;

	if (v->action == GATE_DROP || (v->action != GATE_SEAL && !w->sealed))
		return;
	d = floor_device(t, v->device);
	if (w->sealed && w->sealed == v->link) {
		v->action = GATE_INSPECT;
	} else if (!w->sealed && d && d->fail == GATE_OPEN) {
		v->action = GATE_INSPECT;
		if (v->reason == REASON_NONE)
			v->reason = REASON_SEAL_IN_CLEAR;
	} else {
		w->soft = d && d->mode != GATE_ENFORCE;
		floor_say(w, GATE_DROP, w->sealed ? REASON_SEAL_WRONG_PEER : REASON_SEAL_IN_CLEAR);
	}
}

/* Judges w->packet into w->verdict. */
FLOOR_FN void floor_decide(struct floor_tables *t, struct floor_work *w)
{
	struct gate_verdict *v = &w->verdict;

	v->abi = GATE_ABI;
	v->link = 0;
	v->pad = 0;
	w->link = 0;
	v->ifindex = w->ifindex;
	v->device = w->port.segment;
	v->peer = GATE_PEER_NONE;
	v->rule = ~0u;
	w->rule = ~0u;
	v->generation = w->generation;
	v->flags = 0;
	v->grant = 0;
	w->grant = 0;
	w->reported = 0;
	w->soft = 0;
	w->group = 0;
	w->sender = 0;
	w->from.roles = 0;
	w->from.peer = GATE_PEER_NONE;
	w->from.device = w->port.segment;
	w->from.ward = w->port.side == GATE_WARD;
	w->from.link = 0;
	w->to.ward = 0;
	w->to.link = 0;
	if ((w->packet.flags & FLOOR_BROKEN) || (w->packet.src_mac[0] & 1))
		floor_refuse(t, w, REASON_FLOOR_MALFORMED);
	else if (w->packet.ethertype == FLOOR_ETH_ARP)
		floor_judge_arp(t, w);
	else if (!w->packet.ip_version)
		floor_judge_other(t, w);
	else
		floor_judge_ip(t, w);
	if (w->port.side == GATE_HOSPITAL)
		floor_arrive(t, w);
}

#endif
