/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOOR_H
#define BEDWARDEN_BPF_FLOOR_H
/*
 * The floor's decision, written once and compiled twice: into the XDP program
 * (gate.bpf.c) and into the guard (guard/policy/floor.c), so that a packet gets
 * the same verdict in the kernel, on AF_PACKET and from a file.
 *
 * Its parts are floor_bind.h, floor_rules.h and floor_flow.h, in the order of this file.
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
 *   FLOOR_BYPASS(flow, sender, len): a packet passes because a guard has read enough of it.
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
 *     router in the ward (ROGUE_RA; neither do ICMP's redirects come from there). Otherwise they pass, whatever the fail mode, those
 *     from the ward by way of the guard. Isolated ports: questions about a neighbour
 *     are ANSWERED. IGMP and MLD pass.
 *  6. DHCP and DHCPv6: a client's messages from the ward are inspected; a server's are
 *     ROGUE_SERVER unless they come from the hospital's side, from a host that has the
 *     role, or from anyone there where no host has it.
 *  7. Fragments: the first is judged as a packet and remembered for FLOOR_FRAGMENT_NS;
 *     later ones follow it; unknown ones are INSPECT with GATE_VERDICT_FRAGMENT, and
 *     must not pass unless somebody reassembles them, or the mode lets refused ones pass and
 *     none but one way is there for them. A first fragment without its
 *     whole transport header, or a later one that overlaps it (RFC 1858), is refused.
 *  8. ICMP errors pass with the conversation they quote, to the end that sent what is quoted;
 *     from the ward the other end alone may say so.
 *  9. The device's rules, first match. Ward to hospital: rules the device starts by.
 *     Hospital to ward: rules `towards` it. Device to device: both must agree, the
 *     stricter action, mode and fail mode count, and the gateway must be able to send
 *     it back (HAIRPIN); where the ward's switch delivers it anyway, the copy seen here
 *     is dropped without a reason. Broadcast and multicast carry their role besides
 *     the peer's own; from the hospital for nobody, the stranger's rules are asked.
 *     TCP without SYN is matched in both directions, so that neither a restart nor an
 *     evicted entry cuts a connection. UDP from a device's own service port likewise;
 *     the other way round would open every port of the device to a server. What answers a
 *     search in a group (SSDP, WS-Discovery, LLMNR, mDNS) passes by the line that let the
 *     search pass, packet by packet, for FLOOR_SEARCH_NS.
 *
 * 10. What they refuse, a grant may allow: a workstation and a service of a device,
 *     until its end. A conversation under a grant is looked up at every packet: it ends
 *     with the very grant that it began under (GRANT_ENDED). Data that the workstation asked
 *     for comes by doors of its own, which the device begins (GATE_DOOR_BACK).
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
#define FLOOR_SEARCH_NS	   (10ull * 1000000000) /* twice UPnP's longest MX (UDA 2.0 §1.3.2) */
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
	struct gate_flow_key key __attribute__((aligned(8)));	       /* as flows.h reads it */
	struct gate_flow_key fragment_key __attribute__((aligned(8))); /* or of a search */
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
	__u8 link;  /* of the last match: by which link it is to go or come */
	__u8 found; /* the last match stands by a search that the packet answers */
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

/* ICMP's own words of where to send what (RFC 792, RFC 1256). */
FLOOR_FN int floor_redirects(const struct floor_packet *p)
{
	return p->ip_version == 4 && p->proto == 1 && (p->icmp_type == 5 || p->icmp_type == 9);
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
	if (kind == GATE_KEY_SEARCH)
		return FLOOR_SEARCH_NS;
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

#include "floor_bind.h"
#include "floor_rules.h"
#include "floor_flow.h"

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
		} else if (!b && w->to.ward && !w->sealed) { /* by a link: a router's, elsewhere */
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
	if (w->group && floor_searches(p))
		floor_search(t, w);
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
