/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_FLOOR_FLOW_H
#define BEDWARDEN_BPF_FLOOR_FLOW_H
/*
 * A part of floor.h, which includes it: conversations that were judged before, and what belongs
 * to them, later fragments and ICMP errors. Steps 2, 3, 7 and 8 there.
 */

/* ---- conversations ---- */

/* What its `rule` holds. */
FLOOR_FN void floor_under(struct floor_work *w, const struct gate_flow *f)
{
	int granted = f->flags & GATE_FLOW_GRANTED;

	w->verdict.rule = granted ? ~0u : f->rule;
	w->verdict.grant = granted ? f->rule : 0;
}

/*
 * Has a guard read all that it can of the conversation? What begins or ends one it sees all the
 * same, and what passes under a grant, which may be taken back.
 */
FLOOR_FN int floor_bypassed(const struct floor_work *w, const struct gate_flow *f)
{
	if (!(f->flags & GATE_FLOW_BYPASSED) || (f->flags & GATE_FLOW_GRANTED) ||
	    (f->until_ns && w->now_ns >= f->until_ns))
		return 0;
	return w->packet.proto != 6 || !(w->packet.tcp_flags & (1 | 2 | 4));
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
	if (action == GATE_INSPECT && floor_bypassed(w, f)) {
		action = GATE_PASS;
		FLOOR_BYPASS(f, e, w->packet.len);
	}
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
	    (w->packet.flags & FLOOR_IS_FRAGMENT) || floor_searches(&w->packet))
		return 0;
	if (!(f->flags & GATE_FLOW_WARD(e)) != (w->port.side == GATE_HOSPITAL))
		return 0;
	if (!floor_mac_equal(f->mac[e], w->packet.src_mac))
		return 0;
	/* Towards a device, the frame must be addressed to it, unless a link is stepping over routers. */
	if (w->port.side == GATE_HOSPITAL && !w->sealed && (f->flags & GATE_FLOW_BOUND(o)) &&
	    !floor_mac_equal(f->mac[o], w->packet.dst_mac))
		return 0;
	return !floor_begins(w, f);
}

/*
 * The grant under which a conversation that stands goes on, if it is still the one it began under:
 * a service's, which its workstation began, or of data, which the device did. Between neighbours
 * either may have; elsewhere the one in the ward is the device.
 */
FLOOR_FN int floor_stands(struct floor_tables *t, struct floor_work *w, const struct gate_flow *f)
{
	__u8 e = w->sender & 1, ward = f->flags & GATE_FLOW_WARD(f->starter);
	int both = (f->flags & GATE_FLOW_WARD(0)) && (f->flags & GATE_FLOW_WARD(1));
	__u32 how;

	if (both || !ward) {
		how = f->starter == e ? 0 : FLOOR_DOOR_BACK;
		if (!how || !both)
			how |= FLOOR_DOOR_MAC;
		if (FLOOR_GRANT(t, w, both ? f->peer & ~GATE_PEER_DEVICE : f->device, how) ==
		    f->rule)
			return 1;
	}
	if (!ward)
		return 0;
	how = FLOOR_DOOR_DATA | (f->starter == e ? FLOOR_DOOR_BACK : 0);
	if (f->starter != e || !both)
		how |= FLOOR_DOOR_MAC;
	return FLOOR_GRANT(t, w, f->device, how) == f->rule;
}

/* Why what passed under that door does no more. */
FLOOR_FN __u8 floor_ended(__u32 id)
{
	return id & GATE_GRANT_RULE ? REASON_POLICY_DATA_ENDED : REASON_GRANT_ENDED;
}

/*
 * Has the door shut under which the conversation began? Then the packet is refused, but for one
 * that begins anew: that is judged as if nothing had been before.
 */
FLOOR_FN int floor_shut(struct floor_tables *t, struct floor_work *w, struct gate_flow *f)
{
	struct gate_verdict *v = &w->verdict;
	__u8 e = w->sender & 1;
	int same;

	if (f->generation != w->generation)
		return 0; /* to be judged anew in any case */
	if (floor_stands(t, w, f))
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
	floor_say(w, GATE_DROP, same ? floor_ended(f->rule) : REASON_POLICY_PEER_NOT_ALLOWED);
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
		w->reason = floor_ended(f->rule);
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
	/* What is refused is judged anew at every packet: a door may open for it. So is what a search
	 * lets pass, whose time ends. */
	f->generation = (w->action == GATE_DROP && !w->soft) || w->found ? 0 : w->generation;
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
		if (keyed && !w->found && (w->action != GATE_DROP || w->soft) &&
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
		/* Which way it goes, by a link or back to a neighbour, its first piece tells. */
		if (w->to.link || (w->from.ward && w->to.ward))
			w->soft = 0;
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

/* From the ward, where no router is, an error is the other end's to say. */
FLOOR_FN int floor_may_quote(const struct floor_work *w, const struct gate_flow *f)
{
	return !w->from.ward || f->device == w->from.device || f->peer == w->from.peer;
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
	    !(f->flags & GATE_FLOW_BLOCKED) && f->action != GATE_DROP && floor_lively(w, f) &&
	    floor_may_quote(w, f)) {
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

#endif
