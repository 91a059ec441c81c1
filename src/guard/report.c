#include "guard/report.h"

#include <stdio.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"

/* Room for the names in one event; the event points into it. */
struct texts {
	char src[PACKET_IP_LEN], dst[PACKET_IP_LEN];
	char proto[8], mac[PACKET_MAC_LEN];
};

static void emit(struct report *r, struct json *j)
{
	size_t len = event_end(j);

	if (!len || !r->sink)
		return;
	r->events++;
	r->sink(r->sink_arg, (const char *)j->out.data, len);
}

/* Where a line of what is told most often is written. */
static char *line_at(const struct report *r, char own[EVENT_MAX])
{
	return r->room ? r->room(r->sink_arg) : own;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/* Both ends of a key, as seen by `sender`; an address of all zero is left out. */
static void name_ends(struct event_common *e, struct texts *t, const struct gate_flow_key *k,
		      unsigned sender, uint16_t ethertype)
{
	unsigned receiver = !sender;
	static const struct gate_ip none;

	e->src_port = e->dest_port = -1;
	if (memcmp(&k->ip[sender], &none, sizeof(none)) || memcmp(&k->ip[receiver], &none, 16)) {
		e->src_addr = k->ip[sender].b;
		e->dest_addr = k->ip[receiver].b;
	}
	if (ethertype == 0x0806) {
		e->proto = "ARP";
		return;
	}
	if (!e->src_addr)
		return;
	e->proto = packet_proto_name(k->proto, t->proto);
	if (has_ports(k->proto)) {
		e->src_port = k->port[sender];
		e->dest_port = k->port[receiver];
	}
}

bool report_is_stranger(const struct report *r, uint32_t device)
{
	const struct gate_device *devices;
	uint32_t count;

	if (!r->policy)
		return true;
	devices = policy_devices(r->policy, &count);
	return device >= count || devices[device].flags & GATE_DEVICE_STRANGER;
}

/* The policy's name of a device, NULL for a stranger or nobody. */
static const char *device_name(const struct report *r, uint32_t device)
{
	return report_is_stranger(r, device) ? NULL : policy_device_name(r->policy, device);
}

static const char *peer_name(const struct report *r, uint32_t peer)
{
	const char *name;

	if (!r->policy || peer == GATE_PEER_NONE)
		return NULL;
	if (peer & GATE_PEER_DEVICE)
		return device_name(r, peer & ~GATE_PEER_DEVICE);
	name = policy_peer_name(r->policy, peer);
	return name && *name ? name : NULL;
}

static const char *ip_text(const uint8_t *addr, char text[PACKET_IP_LEN])
{
	return addr ? address_ip_text(addr, text) : NULL;
}

/* Names who it is about; `mac` is the sender's, NULL where it is not known. */
static void name_parties(const struct report *r, struct event_common *e, struct texts *t,
			 uint32_t device, uint32_t peer, bool to_device, const uint8_t *mac)
{
	static const uint8_t no_mac[6];
	bool known_mac = mac && memcmp(mac, no_mac, 6) != 0;

	e->device = device_name(r, device);
	e->peer = peer_name(r, peer);
	if (!e->device)
		e->device = to_device	? ip_text(e->dest_addr, t->dst)
			    : known_mac ? packet_mac_text(mac, t->mac)
					: ip_text(e->src_addr, t->src);
	if (!e->peer)
		e->peer = to_device ? ip_text(e->src_addr, t->src) : ip_text(e->dest_addr, t->dst);
	if (!e->peer && to_device && known_mac)
		e->peer = packet_mac_text(mac, t->mac);
}

static uint16_t inner_vlan(const struct flow *f)
{
	return f->flags & REPORT_FLOW_TAGGED ? f->vlan_inner : 0;
}

/* As Suricata has them: one VID a tag, the outer first. */
static void put_vlan(struct json *j, uint16_t outer, uint16_t inner)
{
	if (!outer && !inner)
		return;
	json_list(j, "vlan");
	json_u64(j, NULL, outer);
	if (inner)
		json_u64(j, NULL, inner);
	json_end(j);
}

EVENT_INLINE void put_time(struct json *j, const char *key, uint64_t time_ns)
{
	char *at = json_member(j, json_key(key), CLOCK_EVE_LEN + 1);

	if (!at)
		return;
	*at = '"';
	clock_eve(time_ns, at + 1); /* its end is where the second quote goes */
	at[CLOCK_EVE_LEN] = '"';
	json_resume(j, at + CLOCK_EVE_LEN + 1);
}

EVENT_INLINE void put_hex(struct json *j, const char *key, uint8_t v)
{
	char *at = json_member(j, json_key(key), 4);

	if (!at)
		return;
	at[0] = at[3] = '"';
	digits_hex(at + 1, v, 2);
	json_resume(j, at + 4);
}

static const struct bytes tcp_states[] = {
	[TCP_NONE] = WORD("none"),	    [TCP_SYN_SENT] = WORD("syn_sent"),
	[TCP_SYN_RECV] = WORD("syn_recv"),  [TCP_ESTABLISHED] = WORD("established"),
	[TCP_FIN_WAIT] = WORD("fin_wait1"), [TCP_CLOSED] = WORD("closed"),
	[TCP_RESET] = WORD("closed"),	    [TCP_MIDSTREAM] = WORD("established"),
};

/* Behind other members: as many bytes for each, so that none needs a branch. */
static void put_flags(struct json *j, uint8_t all)
{
	static const struct {
		uint8_t bit;
		char member[11];
	} flags[] = {{TCP_SYN, "\"syn\":true,"}, {TCP_FIN, "\"fin\":true,"},
		     {TCP_RST, "\"rst\":true,"}, {TCP_PSH, "\"psh\":true,"},
		     {TCP_ACK, "\"ack\":true,"}, {TCP_URG, "\"urg\":true,"}};
	char *at = json_member(j, json_key(NULL), sizeof(flags));

	if (!at)
		return;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		memcpy(at, flags[i].member, sizeof(flags[i].member));
		at += all & flags[i].bit ? sizeof(flags[i].member) : 0;
	}
	json_resume(j, at - 1);
}

static void put_tcp(struct json *j, const struct flow *f)
{
	uint8_t all = f->tcp_flags[0] | f->tcp_flags[1];

	json_open(j, "tcp");
	put_hex(j, "tcp_flags", all);
	put_hex(j, "tcp_flags_ts", f->tcp_flags[0]);
	put_hex(j, "tcp_flags_tc", f->tcp_flags[1]);
	put_flags(j, all);
	json_word(j, "state", tcp_states[f->state]);
	json_close(j);
}

/* What each end said first, as Suricata names it. */
static void put_icmp(struct json *j, const struct flow *f)
{
	json_u64(j, "icmp_type", f->icmp_type[0]);
	json_u64(j, "icmp_code", f->icmp_code[0]);
	if (!f->packets[1])
		return;
	json_u64(j, "response_icmp_type", f->icmp_type[1]);
	json_u64(j, "response_icmp_code", f->icmp_code[1]);
}

/* Suricata's words: a flow it closed itself for want of room was `forced`. */
static const struct bytes flow_reasons[] = {
	[FLOW_TIMEOUT] = WORD("timeout"),
	[FLOW_CLOSED] = WORD("timeout"),
	[FLOW_EVICTED] = WORD("forced"),
	[FLOW_SHUTDOWN] = WORD("shutdown"),
};

/* Are the flow's device, peer and rule numbers of the policy at hand? */
static bool is_judged(const struct report *r, const struct flow *f)
{
	return r->policy && f->generation == policy_generation(r->policy);
}

static void put_service(struct json *j, const struct report *r, uint32_t rule)
{
	const char *service = NULL;

	if (r->policy && rule != ~0u)
		service = policy_rule_service(r->policy, rule);
	if (service && *service)
		json_str(j, "service", service);
}

/* What `policy learn` reads: who opened it, and which service of the other it used. */
static void put_use(struct json *j, const struct report *r, const struct flow *f)
{
	json_name(j, "started_by", f->flags & REPORT_FLOW_TO_DEVICE ? "peer" : "device");
	put_service(j, r, f->rule);
	if (f->flags & REPORT_FLOW_DATA)
		json_name(j, "data_of", f->key.proto == PROTO_TCP ? "ftp" : "tftp");
}

static void put_flow(struct json *j, const struct report *r, const struct flow *f,
		     enum flow_end how, uint32_t untold)
{
	json_open(j, "flow");
	json_u64(j, "pkts_toserver", f->packets[0]);
	json_u64(j, "pkts_toclient", f->packets[1]);
	json_u64(j, "bytes_toserver", f->bytes[0]);
	json_u64(j, "bytes_toclient", f->bytes[1]);
	if (f->bypass & FLOW_BYPASS_EVER) {
		json_open(j, "bypassed");
		json_u64(j, "pkts_toserver", f->unseen_packets[0]);
		json_u64(j, "pkts_toclient", f->unseen_packets[1]);
		json_u64(j, "bytes_toserver", f->unseen_bytes[0]);
		json_u64(j, "bytes_toclient", f->unseen_bytes[1]);
		json_close(j);
		json_name(j, "bypass", "capture");
	}
	put_time(j, "start", f->first_ns);
	put_time(j, "end", f->last_ns);
	json_u64(j, "age",
		 f->last_ns > f->first_ns ? f->last_ns / NSEC_PER_SEC - f->first_ns / NSEC_PER_SEC
					  : 0);
	json_name(j, "state", flow_state_name(f));
	if (how != FLOW_ALIVE)
		json_word(j, "reason", flow_reasons[how]);
	if (untold)
		json_u64(j, "untold", untold);
	if (is_judged(r, f))
		put_use(j, r, f);
	json_close(j);
}

const char *report_protocol(const struct report *r, const struct flow *f)
{
	if (f->proto)
		return protos[f->proto - 1]->name;
	return r->app ? app_name(r->app, f->app) : NULL;
}

void report_flow(struct report *r, const struct flow *f, enum flow_end how, uint32_t untold)
{
	char own[EVENT_MAX];
	struct texts t;
	struct event_common e = {
		.time_ns = f->last_ns,
		.type = "flow",
		.flow_id = f->id,
		.app_proto = report_protocol(r, f),
		/* What ended it comes before what was merely found on the way. */
		.reason = f->session_reason ? f->session_reason : f->reason,
	};
	bool ended = f->session_reason || f->action == GATE_DROP;

	name_ends(&e, &t, &f->key, f->starter, 0);
	if (is_judged(r, f))
		name_parties(r, &e, &t, f->device, f->peer, f->flags & REPORT_FLOW_TO_DEVICE, NULL);
	if (e.reason) {
		e.verdict = ended ? "drop" : "pass";
		e.would_drop = !ended && f->would == GATE_DROP;
	}
	struct json j = event_begin(&e, line_at(r, own)); /* in place */
	put_vlan(&j, f->key.vlan, inner_vlan(f));
	if (f->key.proto == PROTO_ICMP || f->key.proto == PROTO_ICMPV6)
		put_icmp(&j, f);
	put_flow(&j, r, f, how, untold);
	if (f->key.proto == PROTO_TCP)
		put_tcp(&j, f);
	emit(r, &j);
}

enum report_kind report_kind_of(enum reason why)
{
	if (why == REASON_NONE) /* what nearly all that is said has */
		return REPORT_POLICY;
	return strncmp(reason_name(why), "binding.", 8) == 0 || why == REASON_DHCP_ROGUE_SERVER
		       ? REPORT_BINDING
		       : REPORT_POLICY;
}

/* The row is NULL where the packet is said at once, and stands for itself. */
static void put_count(struct json *j, const struct tally_row *row)
{
	if (!row)
		return;
	json_bool(j, "summary", true);
	json_u64(j, "packets", row->packets);
	json_u64(j, "bytes", row->bytes);
	json_u64(j, "unsaid", row->unsaid);
	put_time(j, "first", row->first_ns);
	put_time(j, "last", row->last_ns);
	if (row->topic.many)
		json_bool(j, "many_peers", true);
}

static void put_policy(struct json *j, const struct report *r, const struct tally_case *c,
		       const struct tally_row *row)
{
	char ethertype[8];

	json_open(j, "policy");
	json_str(j, "direction", c->flags & GATE_VERDICT_TO_DEVICE ? "to_device" : "from_device");
	put_service(j, r, c->rule);
	if (c->ethertype && c->ethertype != 0x0800 && c->ethertype != 0x86dd) {
		snprintf(ethertype, sizeof(ethertype), "0x%04x", c->ethertype);
		json_str(j, "ethertype", ethertype);
	}
	put_count(j, row);
	json_close(j);
}

/* Where the address belongs: the owner's hardware address, or the side of the gateway. */
static void put_was(struct json *j, const struct report *r, const struct tally_topic *t,
		    const struct tally_case *c)
{
	const struct gate_ip *claimed = &c->key.ip[c->sender];
	char text[PACKET_MAC_LEN];
	const struct gate_bind *b;

	if (!r->roster)
		return;
	if (t->reason == REASON_BINDING_MAC_MOVED) {
		b = roster_mac(r->roster, c->key.segment, c->mac);
		if (b)
			json_str(j, "was", b->side == GATE_WARD ? "ward" : "hospital");
		return;
	}
	b = roster_ip(r->roster, c->key.segment, claimed);
	if (!b)
		return;
	if (b->flags & GATE_BIND_MAC && t->reason != REASON_BINDING_IP_MOVED)
		json_str(j, "was", packet_mac_text(b->mac, text));
	else
		json_str(j, "was", b->side == GATE_WARD ? "ward" : "hospital");
}

static void put_binding(struct json *j, const struct report *r, const struct tally_topic *t,
			const struct tally_case *c, const struct tally_row *row)
{
	const struct gate_ip *claimed = &c->key.ip[c->sender];
	const char *name = reason_name(t->reason);
	char mac[PACKET_MAC_LEN], ip[PACKET_IP_LEN];

	json_open(j, "binding");
	json_str(j, "kind", strchr(name, '.') ? strchr(name, '.') + 1 : name);
	json_str(j, "mac", packet_mac_text(c->mac, mac));
	if (!packet_ip_is_zero(claimed))
		json_str(j, "ip", packet_ip_text(claimed, ip));
	put_was(j, r, t, c);
	put_count(j, row);
	json_close(j);
}

/* Suricata's object; a count is ours. */
static void put_anomaly(struct json *j, const struct tally_topic *t, const struct tally_row *row)
{
	json_open(j, "anomaly");
	json_str(j, "type", "decode");
	json_str(j, "event", anomaly_name(t->reason));
	put_count(j, row);
	json_close(j);
}

/* `d` is NULL where only a count is said. */
static void put_dhcp(struct json *j, const struct tally_topic *t, const struct dhcp *d,
		     const struct tally_row *row)
{
	char mac[PACKET_MAC_LEN];

	json_open(j, "dhcp");
	json_str(j, "client_mac", packet_mac_text(t->mac, mac));
	json_str(j, "dhcp_type", dhcp_type_name((uint8_t)t->reason));
	if (d)
		dhcp_write(d, j);
	put_count(j, row);
	json_close(j);
}

static void say(struct report *r, const struct tally_topic *t, const struct tally_case *c,
		const struct tally_row *row, const struct dhcp *dhcp, uint64_t time_ns)
{
	static const char *const types[] = {"policy", "binding", "anomaly", "dhcp"};
	char buf[EVENT_MAX];
	struct texts names;
	struct event_common e = {.time_ns = time_ns, .type = types[t->kind], .flow_id = c->flow_id};
	struct json j;

	name_ends(&e, &names, &c->key, c->sender, c->ethertype);
	if (r->policy)
		name_parties(r, &e, &names, t->device, t->peer, c->flags & GATE_VERDICT_TO_DEVICE,
			     c->mac);
	if (t->kind == REPORT_POLICY || t->kind == REPORT_BINDING) {
		e.reason = t->reason;
		e.verdict = c->action == GATE_DROP ? "drop" : "pass";
		e.would_drop = c->action != GATE_DROP && c->would == GATE_DROP;
	}
	j = event_begin(&e, buf);
	put_vlan(&j, c->key.vlan, c->vlan_inner);
	if (t->kind == REPORT_ANOMALY)
		put_anomaly(&j, t, row);
	else if (t->kind == REPORT_DHCP)
		put_dhcp(&j, t, dhcp, row);
	else if (t->kind == REPORT_BINDING)
		put_binding(&j, r, t, c, row);
	else
		put_policy(&j, r, c, row);
	emit(r, &j);
}

void report_case(struct report *r, const struct tally_topic *t, const struct tally_case *c,
		 uint64_t time_ns)
{
	say(r, t, c, NULL, NULL, time_ns);
}

void report_dhcp(struct report *r, const struct tally_topic *t, const struct tally_case *c,
		 const struct dhcp *d, uint64_t time_ns)
{
	say(r, t, c, NULL, d, time_ns);
}

void report_count(void *report, const struct tally_row *row)
{
	say(report, &row->topic, &row->last, row, NULL, row->last_ns);
}

void report_machine(struct report *r, const struct inventory *inv, const struct machine *m,
		    bool is_new)
{
	const struct gate_bind *b = r->roster ? roster_mac(r->roster, m->segment, m->mac) : NULL;
	const char *name = b ? peer_name(r, b->peer) : NULL, *segment = NULL;
	char buf[EVENT_MAX], mac[PACKET_MAC_LEN], ip[PACKET_IP_LEN];
	struct event_common e = {
		.time_ns = m->last_ns, .type = "inventory", .src_port = -1, .dest_port = -1};
	struct json j;

	e.device = name ? name : packet_mac_text(m->mac, mac);
	if (is_new && !name) {
		e.type = "binding";
		e.reason = REASON_BINDING_NEW_DEVICE;
	}
	if (r->policy)
		segment = policy_segment_name(r->policy, m->segment);
	j = event_begin(&e, buf);
	if (e.reason) {
		json_open(&j, "binding");
		json_str(&j, "kind", "new_device");
		json_str(&j, "mac", packet_mac_text(m->mac, mac));
		if (m->ip_count)
			json_str(&j, "ip", packet_ip_text(&m->ip[0], ip));
		json_close(&j);
	}
	inventory_write(inv, m, segment, &j);
	emit(r, &j);
}

/* What is no single packet's: its event is its reason. */
static void tell_anomaly(struct report *r, const struct event_common *e, const char *type,
			 uint64_t count)
{
	char buf[EVENT_MAX];
	struct json j = event_begin(e, buf);

	json_open(&j, "anomaly");
	json_str(&j, "type", type);
	json_str(&j, "event", reason_name(e->reason));
	json_u64(&j, "count", count);
	json_close(&j);
	emit(r, &j);
}

void report_full(struct report *r, uint64_t evicted, uint64_t time_ns)
{
	const struct event_common e = {.time_ns = time_ns,
				       .type = "anomaly",
				       .reason = REASON_FLOW_TABLE_FULL,
				       .src_port = -1,
				       .dest_port = -1};

	tell_anomaly(r, &e, "flow", evicted);
}

void report_behaviour(struct report *r, const struct packet *p, const struct gate_verdict *v,
		      const struct behaviour_finding *found)
{
	struct texts t;
	struct event_common e = {
		.time_ns = p->time_ns,
		.type = "anomaly",
		.reason = found->reason,
		.src_addr = p->src_ip.b,
		.dest_addr = p->dst_ip.b,
		.src_port = -1,
		.dest_port = has_ports(p->proto) && found->reason == REASON_SCAN_HOSTS ? p->dst_port
										       : -1,
		.proto = packet_proto_name(p->proto, t.proto),
	};

	if (v)
		name_parties(r, &e, &t, v->device, v->peer, v->flags & GATE_VERDICT_TO_DEVICE,
			     p->has_mac ? p->src_mac : NULL);
	tell_anomaly(r, &e, "behaviour", found->count);
}

/* Texts of nothing but escapes may be too much for a line: what was said is told without them. */
static __attribute__((cold)) struct json
shorten(const struct event_common *e, const struct session_message *s, char buf[EVENT_MAX])
{
	struct json j = event_begin(e, buf);

	json_open(&j, s->proto->name);
	json_bool(&j, "truncated", true);
	if (s->msg->control)
		json_bool(&j, "control", true);
	json_close(&j);
	return j;
}

/* Which rule does not let it pass, and which words of it do not fit. */
static __attribute__((cold)) void put_refused(struct json *j, const struct report *r,
					      const struct report_message *m)
{
	json_open(j, "policy");
	put_service(j, r, m->said->flow->rule);
	if (m->unmatched)
		json_str(j, "member", m->unmatched);
	json_close(j);
}

/* A door for the data that it announces. */
static __attribute__((cold)) void put_opened(struct json *j, const struct report *r,
					     const struct report_message *m)
{
	json_open(j, "policy");
	put_service(j, r, m->said->flow->rule);
	json_u64(j, "opens_port", m->opens);
	json_close(j);
}

void report_message(struct report *r, const struct report_message *m)
{
	const struct session_message *s = m->said;
	const struct flow *f = s->flow;
	unsigned device_end = f->flags & REPORT_FLOW_TO_DEVICE ? 1 : 0;
	char own[EVENT_MAX];
	struct texts t;
	struct event_common e = {
		.time_ns = s->packet->time_ns,
		.type = s->proto->name,
		.flow_id = f->id,
		.app_proto = s->proto->name,
		.reason = m->reason,
		.verdict = m->drop ? "drop" : "pass",
		.would_drop = m->would_drop,
	};

	name_ends(&e, &t, &f->key, s->end ? !f->starter : f->starter, 0);
	if (is_judged(r, f))
		name_parties(r, &e, &t, f->device, f->peer, device_end != s->end, NULL);
	struct json j = event_begin(&e, line_at(r, own)); /* in place */
	put_vlan(&j, f->key.vlan, inner_vlan(f));
	proto_write(s->proto, s->msg, &j);
	if (m->by_rule)
		put_refused(&j, r, m);
	else if (m->opens)
		put_opened(&j, r, m);
	if (__builtin_expect(j.out.bad, 0))
		j = shorten(&e, s, own);
	emit(r, &j);
}

void report_exposure(struct report *r, const struct packet *p, const struct flow *f, unsigned end,
		     const struct machine *m, enum weakness w, bool by)
{
	unsigned device_end = f->flags & REPORT_FLOW_TO_DEVICE ? 1 : 0;
	char buf[EVENT_MAX], mac[PACKET_MAC_LEN];
	struct texts t;
	struct event_common e = {
		.time_ns = p->time_ns,
		.type = "exposure",
		.flow_id = f->id,
		.app_proto = f->proto ? protos[f->proto - 1]->name : NULL,
		.reason = weakness_reason(w),
	};
	struct json j;

	name_ends(&e, &t, &f->key, end ? !f->starter : f->starter, 0);
	if (is_judged(r, f))
		name_parties(r, &e, &t, f->device, f->peer, device_end != end, NULL);
	j = event_begin(&e, buf);
	put_vlan(&j, f->key.vlan, inner_vlan(f));
	json_open(&j, "exposure");
	json_str(&j, "mac", packet_mac_text(m->mac, mac));
	json_str(&j, "weakness", weakness_name(w));
	json_str(&j, "role", by ? "speaks" : "is spoken to");
	json_str(&j, "advice", weakness_advice(w));
	json_close(&j);
	emit(r, &j);
}

/* The ends of the message that brought a finding; without one, the monitor alone. */
static void name_finding(const struct report *r, struct event_common *e, struct texts *t,
			 const struct vitals_finding *f, const struct session_message *m)
{
	e->src_port = e->dest_port = -1;
	if (m) {
		name_ends(e, t, &m->flow->key, m->end ? !m->flow->starter : m->flow->starter, 0);
		e->flow_id = m->flow->id;
		e->app_proto = m->proto->name;
	} else {
		e->src_addr = f->ip.b;
	}
	if (!r->policy)
		return;
	if (f->generation == policy_generation(r->policy))
		name_parties(r, e, t, f->device, f->peer, false, f->mac);
	else
		e->device = ip_text(e->src_addr, t->src);
}

void report_vitals(struct report *r, const struct vitals_finding *f,
		   const struct session_message *m)
{
	char buf[EVENT_MAX], text[PACKET_IP_LEN];
	struct texts t;
	struct event_common e = {
		.time_ns = f->time_ns, .type = "vitals", .reason = f->reason, .verdict = "pass"};
	struct json j;

	name_finding(r, &e, &t, f, m);
	j = event_begin(&e, buf);
	vitals_write(f, e.device ? e.device : packet_ip_text(&f->ip, text), &j);
	emit(r, &j);
}

static void put_anomalies(struct json *j, const struct engine_stats *s)
{
	json_open(j, "anomalies");
	for (unsigned i = 0; i < ANOMALY_COUNT; i++)
		if (s->anomalies[i])
			json_u64(j, anomaly_name(i), s->anomalies[i]);
	json_close(j);
}

static void put_reasons(struct json *j, const struct engine_stats *s)
{
	json_open(j, "reasons");
	for (unsigned i = 1; i < REASON_COUNT; i++)
		if (s->reasons[i])
			json_u64(j, reason_name(i), s->reasons[i]);
	json_close(j);
}

void report_stats(struct report *r, const struct engine_stats *s, uint32_t flows_alive,
		  uint64_t time_ns)
{
	char buf[EVENT_MAX];
	struct event_common e = {
		.time_ns = time_ns, .type = "stats", .src_port = -1, .dest_port = -1};
	struct json j = event_begin(&e, buf);

	json_open(&j, "stats");
	json_open(&j, "decoder");
	json_u64(&j, "pkts", s->packets);
	json_u64(&j, "bytes", s->bytes);
	json_u64(&j, "invalid", s->malformed);
	if (s->copies)
		json_u64(&j, "copies", s->copies);
	json_close(&j);
	json_open(&j, "flow");
	json_u64(&j, "total", s->flows);
	json_u64(&j, "active", flows_alive);
	json_u64(&j, "evicted", s->flows_evicted);
	if (s->flows_untold)
		json_u64(&j, "untold", s->flows_untold);
	json_close(&j);
	json_open(&j, "defrag");
	json_u64(&j, "reassembled", s->fragments_reassembled);
	json_u64(&j, "lost", s->fragments_lost);
	json_u64(&j, "held", s->held);
	json_close(&j);
	json_open(&j, "app_layer");
	json_u64(&j, "streams", s->sessions.streams);
	json_u64(&j, "conversations", s->sessions.talks);
	json_u64(&j, "messages", s->sessions.messages);
	json_u64(&j, "held_bytes", s->sessions.held_bytes);
	json_u64(&j, "refused", s->sessions.refused);
	json_close(&j);
	json_open(&j, "policy");
	json_u64(&j, "dropped", s->dropped);
	json_u64(&j, "would_drop", s->would_drop);
	json_close(&j);
	put_anomalies(&j, s);
	put_reasons(&j, s);
	json_u64(&j, "events", s->events);
	json_close(&j);
	emit(r, &j);
}
