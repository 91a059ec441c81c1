/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOOR_RULES_H
#define BEDWARDEN_BPF_FLOOR_RULES_H
/*
 * A part of floor.h, which includes it: what do the device's rules say, and where they refuse,
 * the doors that are open? Steps 9 and 10 there.
 */

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
#define FLOOR_DOOR_DATA 4 /* the device began: a door of GATE_DOOR_BACK */

/* Is it open, and for who is at that port of the other end? */
FLOOR_FN int floor_door_open(struct floor_tables *t, const struct gate_grant *g, __u16 other)
{
	return g && g->until_ns > floor_boot_ns(t) &&
	       (!(g->flags & GATE_GRANT_MET) || g->port_hi == other);
}

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
	int back = how & FLOOR_DOOR_BACK, data = how & FLOOR_DOOR_DATA;
	__u16 port = !back == !data ? p->dport : p->sport;
	__u16 other = !back == !data ? p->sport : p->dport;

	if (!d || (d->flags & GATE_DEVICE_STRANGER) || !(p->flags & FLOOR_HAS_PORTS))
		return 0;
	k->segment = d->segment;
	k->peer = back ? p->dst : p->src;
	floor_mac_copy(k->device_mac, d->mac);
	k->port = port;
	k->proto = p->proto;
	k->kind = data ? GATE_DOOR_BACK : GATE_DOOR_SERVICE;
	k->other = other;
	g = floor_door(t, k);
	if (!floor_door_open(t, g, other)) {
		k->other = 0;
		g = floor_door(t, k);
	}
	if (!floor_door_open(t, g, other)) {
		if (data)
			return 0;
		k->port = 0;
		g = floor_door(t, k);
		if (!floor_door_open(t, g, other) || port < g->port_lo || port > g->port_hi)
			return 0;
	}
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
	/* To a neighbour the frame bears the gateway's own address. */
	__u32 back = FLOOR_DOOR_BACK | (w->to.ward ? 0 : FLOOR_DOOR_MAC), id = 0;
	int answered = 0;

	if (w->packet.proto != 6 && w->packet.proto != 17 && w->packet.proto != 132)
		return -1;
	if ((readings & FLOOR_AS_STARTER) && w->to.ward)
		id = FLOOR_GRANT(t, w, w->to.device, FLOOR_DOOR_MAC);
	if (!id && (readings & FLOOR_AS_STARTER) && w->from.ward)
		id = FLOOR_GRANT(t, w, w->from.device, back | FLOOR_DOOR_DATA);
	if (!id && (readings & FLOOR_AS_ANSWER)) {
		answered = 1;
		if (w->from.ward)
			id = FLOOR_GRANT(t, w, w->from.device, back);
		if (!id && w->to.ward)
			id = FLOOR_GRANT(t, w, w->to.device, FLOOR_DOOR_MAC | FLOOR_DOOR_DATA);
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

/* ---- searches ---- */

/* Where somebody is looked for in a group: SSDP, WS-Discovery, mDNS, LLMNR. */
FLOOR_FN int floor_search_port(__u16 port)
{
	return port == 1900 || port == 3702 || port == 5353 || port == 5355;
}

/*
 * Is it such a search, by a port at which its answers are awaited? Who asks by the port of a
 * service would open that to everybody.
 */
FLOOR_FN int floor_searches(const struct floor_packet *p)
{
	return p->proto == 17 && (p->flags & FLOOR_HAS_PORTS) && floor_search_port(p->dport) &&
	       p->sport >= 1024 && !floor_search_port(p->sport);
}

FLOOR_FN void floor_search_key(struct floor_work *w, const struct gate_ip *ip, __u16 port)
{
	struct gate_flow_key *k = &w->fragment_key;

	__builtin_memset(k, 0, sizeof(*k));
	k->segment = w->port.segment;
	k->ip[0] = *ip;
	k->port[0] = port;
	k->vlan = w->packet.vlan;
	k->proto = w->packet.proto;
	k->kind = GATE_KEY_SEARCH;
}

/* What was sent to the group has been judged: if it passes, so may answers, for a while. */
FLOOR_FN void floor_search(struct floor_tables *t, struct floor_work *w)
{
	const struct gate_verdict *v = &w->verdict;
	struct gate_flow *n = &w->fresh;

	if (v->would == GATE_DROP && (!w->reported || v->reason != w->reported))
		return;
	floor_search_key(w, &w->packet.src, w->packet.sport);
	__builtin_memset(n, 0, sizeof(*n));
	n->seen_ns = w->now_ns;
	n->rule = w->packet.dport;
	n->starter = w->group == 2;
	n->flags = w->from.ward ? GATE_FLOW_WARD(0) : 0;
	floor_flow_add(t, &w->fragment_key, n);
}

/*
 * Does the packet, which no line names, answer a search? Then it is judged by the lines that judged
 * that: who answers is taken for a member of the group.
 */
FLOOR_FN int floor_finds(struct floor_tables *t, struct floor_work *w)
{
	const struct floor_packet *p = &w->packet;
	struct gate_flow *f;
	__u8 reason = w->reason;
	__u64 group;
	int none;

	if (p->proto != 17 || !(p->flags & FLOOR_HAS_PORTS) || w->group || w->rule != ~0u ||
	    w->from.ward == w->to.ward)
		return 0;
	floor_search_key(w, &p->dst, p->dport);
	f = floor_flow(t, &w->fragment_key);
	if (!f || floor_aged(f, p->proto, GATE_KEY_SEARCH, w->now_ns) ||
	    !(f->flags & GATE_FLOW_WARD(0)) != !w->to.ward)
		return 0;
	group = f->starter ? GATE_ROLE_MULTICAST : GATE_ROLE_BROADCAST;
	if (w->to.ward) {
		w->from.roles |= group;
		none = FLOOR_MATCH(t, w, w->to.device, 0, (__u16)f->rule, 0);
	} else {
		w->to.roles |= group;
		none = FLOOR_MATCH(t, w, w->from.device, 1, (__u16)f->rule, 1);
	}
	if (!none)
		return 1;
	w->rule = ~0u;
	w->action = GATE_DROP;
	w->reason = reason;
	return 0;
}

/* By the rules, and where those refuse, by a search or the doors that are open. */
FLOOR_FN int floor_policy(struct floor_tables *t, struct floor_work *w, int readings)
{
	int answered = floor_rules(t, w, readings), by_door;

	w->grant = 0;
	w->found = w->action == GATE_DROP && floor_finds(t, w);
	by_door = w->action == GATE_DROP ? floor_let_in(t, w, readings) : -1;
	floor_link(w);
	return by_door < 0 ? answered : by_door;
}

#ifndef FLOOR_POLICY
#define FLOOR_POLICY floor_policy
#endif

#endif
