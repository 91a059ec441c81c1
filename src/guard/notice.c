#include "guard/notice.h"

#include <errno.h>

int notice_init(struct notice *n, uint32_t topics)
{
	n->tally = tally_new(topics, report_count, &n->report);
	return n->tally ? 0 : -ENOMEM;
}

void notice_free(struct notice *n)
{
	tally_free(n->tally);
}

/* The number of its sender in the key. */
static uint8_t make_key(const struct packet *p, uint32_t segment, struct gate_flow_key *ret_key)
{
	uint8_t sender;

	if (p->has_arp)
		return gate_flow_key_make(ret_key, segment, p->vlan[0], 0, &p->arp.sender_ip, 0,
					  &p->arp.target_ip, 0);
	flow_key(p, segment, ret_key, &sender);
	return sender;
}

uint64_t notice_stray(const struct packet *p, uint32_t segment)
{
	struct gate_flow_key key;

	make_key(p, segment, &key);
	key.port[0] = key.port[1] = 0;
	return flow_id(&key, 0);
}

static void make_case(const struct notice *n, const struct packet *p, const struct gate_verdict *v,
		      uint32_t segment, const struct flow *f, struct tally_case *ret_c)
{
	memset(ret_c, 0, sizeof(*ret_c));
	ret_c->sender = make_key(p, segment, &ret_c->key);
	if (p->has_mac)
		memcpy(ret_c->mac, p->src_mac, 6);
	ret_c->ethertype = p->ethertype;
	ret_c->vlan_inner = p->vlan_count > 1 ? p->vlan[1] : 0;
	ret_c->action = v->action;
	ret_c->would = v->would;
	ret_c->flags = v->flags;
	ret_c->rule = v->rule;
	ret_c->flow_id = f ? f->id : n->name_strays ? notice_stray(p, segment) : 0;
}

static void say(struct notice *n, const struct tally_topic *t, const struct tally_case *c,
		const struct packet *p, uint64_t now_ns)
{
	if (tally_note(n->tally, t, c, p->wire_len, now_ns))
		report_case(&n->report, t, c, p->time_ns);
}

void notice_verdict(struct notice *n, const struct packet *p, const struct gate_verdict *v,
		    uint32_t segment, const struct flow *f, uint64_t now_ns)
{
	bool to_device = v->flags & GATE_VERDICT_TO_DEVICE;
	struct tally_topic t;
	struct tally_case c;

	if (v->reason >= REASON_COUNT)
		return;
	n->reasons[v->reason]++;
	make_case(n, p, v, segment, f, &c);
	memset(&t, 0, sizeof(t));
	t.kind = report_kind_of(v->reason);
	t.reason = v->reason;
	t.device = v->device;
	t.peer = v->peer;
	if (t.kind == REPORT_BINDING)
		t.other = c.key.ip[c.sender];
	else if (v->peer == GATE_PEER_NONE)
		t.other = c.key.ip[to_device ? c.sender : !c.sender];
	if (t.kind == REPORT_BINDING || report_is_stranger(&n->report, v->device))
		memcpy(t.mac, c.mac, sizeof(t.mac));
	say(n, &t, &c, p, now_ns);
}

void notice_anomalies(struct notice *n, const struct packet *p, anomaly_set set,
		      const struct gate_verdict *v, uint32_t segment, const struct flow *f,
		      uint64_t now_ns)
{
	struct tally_topic t;
	struct tally_case c;

	make_case(n, p, v, segment, f, &c);
	for (; set; set &= set - 1) {
		memset(&t, 0, sizeof(t));
		t.kind = REPORT_ANOMALY;
		t.reason = (uint16_t)__builtin_ctzll(set);
		t.device = v->device;
		t.peer = GATE_PEER_NONE;
		t.other = c.key.ip[c.sender];
		say(n, &t, &c, p, now_ns);
	}
}

void notice_dhcp(struct notice *n, const struct packet *p, const struct dhcp *d,
		 const struct gate_verdict *v, uint32_t segment, const struct flow *f,
		 uint64_t now_ns)
{
	struct tally_topic t;
	struct tally_case c;

	make_case(n, p, v, segment, f, &c);
	memset(&t, 0, sizeof(t));
	t.kind = REPORT_DHCP;
	t.reason = d->type;
	t.device = v->device;
	t.peer = v->peer;
	memcpy(t.mac, d->mac, sizeof(t.mac));
	c.exchange = d->xid;
	if (tally_note(n->tally, &t, &c, p->wire_len, now_ns))
		report_dhcp(&n->report, &t, &c, d, p->time_ns);
}

void notice_machine(struct notice *n, const struct inventory *inv, const struct machine *m,
		    bool is_new, uint64_t now_ns)
{
	struct tally_topic t;
	struct tally_case c;

	memset(&t, 0, sizeof(t));
	memset(&c, 0, sizeof(c));
	t.kind = REPORT_BINDING;
	t.reason = REASON_BINDING_NEW_DEVICE;
	t.device = m->segment; /* its stranger */
	t.peer = GATE_PEER_NONE;
	memcpy(t.mac, m->mac, sizeof(t.mac));
	memcpy(c.mac, m->mac, sizeof(c.mac));
	c.key.segment = m->segment;
	if (m->ip_count)
		c.key.ip[0] = m->ip[0];
	c.rule = ~0u;
	if (!is_new || tally_note(n->tally, &t, &c, 0, now_ns))
		report_machine(&n->report, inv, m, is_new);
}

void notice_exposure(struct notice *n, const struct packet *p, const struct flow *f, unsigned end,
		     const struct machine *m, weakness_set fresh, bool by)
{
	for (; fresh; fresh &= fresh - 1) {
		enum weakness w = (enum weakness)__builtin_ctz(fresh);

		n->reasons[weakness_reason(w)]++;
		report_exposure(&n->report, p, f, end, m, w, by);
	}
}

void notice_message(struct notice *n, const struct report_message *m)
{
	if (m->reason != REASON_NONE)
		n->reasons[m->reason]++;
	report_message(&n->report, m);
}

void notice_vitals(struct notice *n, const struct vitals_finding *f,
		   const struct session_message *m)
{
	n->reasons[f->reason]++;
	report_vitals(&n->report, f, m);
}

void notice_behaviour(struct notice *n, const struct packet *p, const struct gate_verdict *v,
		      struct behaviour_finding found)
{
	n->reasons[found.reason]++;
	report_behaviour(&n->report, p, v, &found);
}
