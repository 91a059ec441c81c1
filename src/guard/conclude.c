#include "guard/door.h"
#include "guard/engine_internal.h"

#include "base/fnv.h"
#include "guard/archive.h"
#include "guard/evidence.h"
#include "guard/flow/fragment.h"
#include "guard/impostor.h"

void engine_count_anomalies(struct engine *e, anomaly_set set)
{
	for (; set; set &= set - 1)
		e->stats.anomalies[__builtin_ctzll(set)]++;
}

/*
 * The kernel has taken another policy just now, or we have. What its numbers are of is not ours, and what a
 * rule says about messages is not to be passed over: our own floor judges. It has not seen conversations
 * begin, so where it knows nothing of one the kernel's word stands; but of a stream nothing passes
 * unread, which is sent again.
 */
static __attribute__((cold)) void judge_anew(struct engine *e, struct work *w)
{
	struct gate_verdict own = {.action = GATE_DROP, .reason = REASON_FLOOR_FRAGMENT};

	if (w->v.action != GATE_DROP && !w->p.fragment)
		floor_judge(e->floor, &w->p, w->ifindex, e->now_ns, &own);
	if (own.action != GATE_DROP && own.reason == REASON_NONE) {
		w->v = own;
		w->kernels = false;
		return;
	}
	w->v.device = w->v.rule = ~0u;
	w->v.peer = GATE_PEER_NONE;
	if (own.action == GATE_DROP && w->v.action != GATE_DROP && w->p.proto == PROTO_TCP &&
	    w->p.payload.len)
		w->v.action = w->v.would = GATE_DROP;
}

void engine_judge(struct engine *e, const struct gate_verdict *kernels, struct work *w)
{
	/* Nobody's word: what a packet counts as where there is no policy. */
	static const struct gate_verdict unjudged = {
		.device = ~0u, .peer = GATE_PEER_NONE, .rule = ~0u, .action = GATE_PASS};

	w->v = unjudged;
	w->v.ifindex = w->ifindex;
	w->kernels = kernels != NULL;
	/* Of what goes by a link the kernel sees one direction, and our own floor both. */
	if (kernels && !(kernels->action == GATE_SEAL && e->policy))
		w->v = *kernels;
	else if (e->policy && w->sealed)
		floor_judge_sealed(e->floor, &w->p, w->ifindex, w->sealed, e->now_ns, &w->v);
	else if (e->policy && w->floor_hint.key)
		floor_judge_hinted(e->floor, &w->floor_hint, &w->p, w->ifindex, e->now_ns, &w->v);
	else if (e->policy)
		floor_judge(e->floor, &w->p, w->ifindex, e->now_ns, &w->v);
	if (e->policy && w->v.generation != policy_generation(e->policy))
		judge_anew(e, w);
	/* The kernel knows of rules alone; this one is a virtual patch. */
	if (e->shields && w->v.reason != REASON_NONE && shield_is_rule(e->shields, w->v.rule))
		w->v.reason = REASON_POLICY_SHIELDED;
	/* What neighbours may say their switch has delivered, and nothing goes on here; a file shows it. */
	if (__builtin_expect(w->v.action == GATE_DROP, 0) && w->v.reason == REASON_NONE &&
	    e->o.packet_times)
		w->v.action = w->v.would = GATE_INSPECT;
	engine_judge_seal(e, w);
}

/*
 * A stranger that searches or floods loses, for a while, what its segment lets
 * strangers do: only where the segment enforces, only a machine that the policy
 * does not know, and never its conversation with a device. What a known device
 * is allowed is not touched whatever it does.
 */
static void hold_stranger(struct engine *e, struct work *w)
{
	const struct gate_device *d;
	enum reason why;
	uint32_t count;

	/* What a stranger sends to others than devices no rule names: most packets end here. */
	if (w->v.rule != ~0u || !e->policy || !w->p.ip_version ||
	    w->v.flags & GATE_VERDICT_TO_DEVICE || w->v.peer & GATE_PEER_DEVICE)
		return;
	d = policy_devices(e->policy, &count);
	if (w->v.device >= count || !(d[w->v.device].flags & GATE_DEVICE_STRANGER) ||
	    d[w->v.device].mode != GATE_ENFORCE)
		return;
	why = behaviour_held(e->behaviour, &w->p.src_ip, w->segment, e->now_ns);
	if (why == REASON_NONE)
		return;
	w->v.action = w->v.would = GATE_DROP;
	w->v.reason = (uint8_t)why;
}

static void behaves(struct engine *e, const struct work *w, struct behaviour_finding b)
{
	if (__builtin_expect(b.reason == REASON_NONE, 1))
		return;
	notice_behaviour(&e->notice, &w->p, e->policy ? &w->v : NULL, b);
	e->found = b.reason;
}

static void opened(struct engine *e, struct work *w)
{
	behaves(e, w, behaviour_opened(e->behaviour, &w->p, w->segment, e->now_ns));
}

static void unanswered(struct engine *e, struct work *w, uint32_t packets)
{
	if (packets)
		behaves(e, w,
			behaviour_unanswered(e->behaviour, &w->p, w->segment, packets, e->now_ns));
}

/* A packet that nothing behind here sees: refused, it is still somebody's attempt. */
static void watch_refused(struct engine *e, struct work *w)
{
	if (!w->p.ip_version)
		return;
	opened(e, w);
	unanswered(e, w, 1);
}

/* Unlike those of a source's other conversations; the same whenever a file is read. */
static uint32_t salt_of(const struct packet *p)
{
	return p->src_port + p->dst_port + p->dst_ip.b[15];
}

static void watch(struct engine *e, struct work *w, const struct flow *f, unsigned end)
{
	bool listed = w->v.rule != ~0u && w->v.reason == REASON_NONE;

	if (f->packets[1] == 0) {
		if (f->packets[0] == 1 && !listed)
			opened(e, w);
		unanswered(e, w, behaviour_weight(f->packets[0], salt_of(&w->p)));
	} else if (end == 1 && f->packets[1] == 1) {
		behaviour_answered(e->behaviour, &w->p, w->segment);
	}
}

static void remember(struct engine *e, struct flow *f, const struct gate_verdict *v, unsigned end)
{
	bool to_device = v->flags & GATE_VERDICT_TO_DEVICE;

	/* The device is end 1 if it receives from end 0, or sends as end 1. */
	uint8_t flags = (uint8_t)(f->flags & ~(REPORT_FLOW_TO_DEVICE | REPORT_FLOW_DATA)) |
			(to_device != (end == 1) ? REPORT_FLOW_TO_DEVICE : 0) |
			(v->grant & GATE_GRANT_RULE ? REPORT_FLOW_DATA : 0);

	/* It hardly ever changes, and a line that is only read need not go back to memory. */
	if (e->policy &&
	    ((f->device ^ v->device) | (f->peer ^ v->peer) | (f->rule ^ v->rule) |
	     (f->generation ^ v->generation) | (uint32_t)(f->flags ^ flags)) &&
	    v->generation == policy_generation(e->policy)) {
		bool changed = f->generation && (f->generation != v->generation ||
						 f->rule != v->rule || f->device != v->device);

		f->device = v->device;
		f->peer = v->peer;
		f->rule = v->rule;
		f->generation = v->generation;
		f->flags = flags;
		/* What nobody reads, and nobody asks about, is not read again. */
		if (changed && (f->session || e->shields || engine_expected(e, f)))
			session_changed(f);
	}
	if (v->reason != REASON_NONE) {
		f->reason = v->reason;
		f->action = v->action;
		f->would = v->would;
	}
}

const struct gate_device *engine_device(const struct engine *e, uint32_t device)
{
	const struct gate_device *d;
	uint32_t count;

	if (!e->policy)
		return NULL;
	d = policy_devices(e->policy, &count);
	return device < count ? &d[device] : NULL;
}

struct shield_talk engine_talk(const struct flow *f, const struct gate_verdict *v, unsigned end)
{
	bool to_device = v->flags & GATE_VERDICT_TO_DEVICE;

	return (struct shield_talk){
		.device = v->device,
		.peer = v->peer,
		.port = f->key.port[!f->starter],
		.proto = f->key.proto,
		.towards = to_device == (end == 0), /* end 0 began it */
	};
}

void engine_refuse(const struct engine *e, struct work *w, enum reason why)
{
	const struct gate_device *d = engine_device(e, w->v.device);

	w->v.reason = (uint8_t)why;
	if (!d)
		return;
	w->v.would = GATE_DROP;
	if (d->mode == GATE_ENFORCE)
		w->v.action = GATE_DROP;
}

/* A shield that is only rehearsed says what it would have done; nothing changes. */
static void rehearse(const struct engine *e, struct work *w, const struct flow *f, unsigned end)
{
	struct shield_talk t = engine_talk(f, &w->v, end);

	if (t.proto == PROTO_ICMP || t.proto == PROTO_ICMPV6)
		t.port = w->p.icmp_type;
	if (shield_conversation(e->shields, &t) == SHIELD_PASS)
		return;
	w->v.reason = REASON_POLICY_SHIELDED;
	w->v.would = GATE_DROP;
}

/* The floor knows a door by its id alone. */
static __attribute__((cold)) void know_rule(const struct engine *e, struct work *w,
					    const struct flow *f)
{
	bool known =
		f->flags & REPORT_FLOW_DATA && f->rule != ~0u && f->generation == w->v.generation;

	w->v.rule = known ? f->rule : engine_door_rule(e, w->v.grant);
}

/* Flow and behaviour of a packet that goes on. NULL where it belongs to no flow. */
static struct flow *observe(struct engine *e, struct work *w, uint8_t *ret_end)
{
	struct flow *f;
	uint8_t end;

	if (!w->p.ip_version)
		return NULL;
	f = flow_find(e->flows, &w->p, &w->hint, ret_end);
	end = *ret_end;
	if (__builtin_expect(w->v.grant & GATE_GRANT_RULE, 0))
		know_rule(e, w, f);
	if (w->v.reason == REASON_NONE && e->shields)
		rehearse(e, w, f, end);
	if (f->packets[0] + f->packets[1] == 1) {
		f->id = flow_id(&f->key, f->first_ns);
		f->flags |= f->vlan_inner ? REPORT_FLOW_TAGGED : 0;
		e->stats.flows++;
	}
	remember(e, f, &w->v, end);
	watch(e, w, f, end);
	return f;
}

/* As the floor has it: clients look at the port to which an offer comes, not at the one it comes from. */
static bool is_dhcp(const struct packet *p)
{
	return p->ip_version == 4 && p->proto == PROTO_UDP && p->has_ports && !p->fragment &&
	       p->payload.len && (p->dst_port == 67 || p->dst_port == 68 || p->src_port == 67);
}

/* What calls itself DHCP and is none goes no further where its device's mode says so. */
static bool read_dhcp(struct engine *e, struct work *w, struct dhcp *ret_d)
{
	if (!is_dhcp(&w->p) || w->p.wire_len > w->p.frame.len)
		return false;
	if (dhcp_read(w->p.payload, ret_d) == PARSE_OK)
		return true;
	if (w->v.reason == REASON_NONE && e->policy && w->v.action != GATE_PASS)
		engine_refuse(e, w, REASON_DHCP_MALFORMED);
	return false;
}

/*
 * Does the answer to what is asked come by here? To the ward it does; who asks on the hospital's side may
 * be answered there. A router tells everybody, so without a policy that tells sides it does.
 */
static bool asks_through(const struct work *w, const struct gate_port *port)
{
	return port ? port->side == GATE_WARD : !w->p.has_ports;
}

/* Names of machines, and addresses, are handed out by whom a policy names; where it names nobody, what
 * somebody does shows who he is. */
static __attribute__((cold)) void watch_offer(struct engine *e, struct work *w,
					      const struct dhcp *d)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, w->ifindex) : NULL;

	if (w->v.reason != REASON_NONE || (port && !(port->flags & GATE_PORT_DHCP_ANY)))
		return;
	behaves(e, w,
		impostor_offered(e->impostor, &w->p, d, w->segment, asks_through(w, port),
				 e->now_ns));
}

static __attribute__((cold)) void watch_lead(struct engine *e, struct work *w)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, w->ifindex) : NULL;

	if (w->v.reason != REASON_NONE ||
	    (w->p.has_ports && port && !(port->flags & GATE_PORT_DHCP_ANY)))
		return;
	behaves(e, w,
		impostor_led(e->impostor, &w->p, w->segment, asks_through(w, port), e->now_ns));
}

static __attribute__((cold)) void watch_claim(struct engine *e, struct work *w)
{
	behaves(e, w, impostor_claimed(e->impostor, &w->p, w->segment, e->now_ns));
}

/* Enough of every conversation to know what it is, and all that speaks for itself. */
#define SEEN_OF_FLOW 8

static void see_machine(struct engine *e, const struct work *w, const struct flow *f, unsigned end)
{
	const struct gate_port *port;

	if (!e->roster || !w->p.has_mac)
		return;
	if (f && f->packets[0] + f->packets[1] > SEEN_OF_FLOW && !is_dhcp(&w->p) &&
	    w->p.src_port != 5353)
		return;
	port = roster_port(e->roster, w->ifindex);
	if (port)
		inventory_see(e->inventory, &w->p, w->segment, port->side, f, end,
			      f ? report_protocol(&e->notice.report, f) : NULL);
}

/* What the messages that were read with the packet showed of the machines at both ends: a confirmation
 * has read what the other end said. */
static void expose(struct engine *e, const struct work *w, const struct flow *f, unsigned end)
{
	for (unsigned i = 0; i < 2; i++) {
		struct weaknesses shown = e->shown[i];
		const struct machine *m = NULL;
		weakness_set fresh;

		if (!(shown.by | shown.to))
			continue;
		e->shown[i] = (struct weaknesses){0, 0};
		if (!f || !w->p.has_mac)
			continue;
		fresh = inventory_expose(e->inventory, w->segment,
					 i == end ? w->p.src_mac : w->p.dst_mac, shown.by, &m);
		notice_exposure(&e->notice, &w->p, f, i, m, fresh, true);
		fresh = inventory_expose(e->inventory, w->segment,
					 i == end ? w->p.dst_mac : w->p.src_mac, shown.to, &m);
		notice_exposure(&e->notice, &w->p, f, i, m, fresh, false);
	}
}

/* Of a datagram that came in pieces these are what was on the wire. */
static void witness_pieces(struct engine *e, struct evidence_sight *s)
{
	for (unsigned i = 0; i < e->pieces->count; i++) {
		const struct frame *f = &e->pieces->frames[i];

		s->frame = f->data;
		s->time_ns = f->time_ns;
		s->wire_len = f->wire_len;
		s->ifindex = f->ifindex;
		evidence_see(e->o.evidence, s, e->now_ns);
	}
}

/* Names stay when numbers change with the policy. Of two devices' conversation it is the same one's both ways. */
static uint32_t owner_of(const struct engine *e, const struct gate_verdict *v)
{
	uint32_t device = v->device, peer = v->peer & ~GATE_PEER_DEVICE;
	const char *name;

	if (v->peer != GATE_PEER_NONE && v->peer & GATE_PEER_DEVICE && peer < device)
		device = peer;
	name = e->policy ? policy_device_name(e->policy, device) : "";
	return *name ? (uint32_t)fnv64(FNV64_START,
				       (struct bytes){(const uint8_t *)name, strlen(name)})
		     : 0;
}

void engine_witness(struct engine *e, const struct work *w, const struct flow *f, enum reason found)
{
	struct evidence_sight s = {
		.id = f ? f->id : notice_stray(&w->p, w->segment),
		.frame = w->p.frame,
		.time_ns = w->p.time_ns,
		.wire_len = w->p.wire_len,
		.ifindex = w->ifindex,
		.device = owner_of(e, &w->v),
		.reason = w->v.reason ? w->v.reason : found,
		.fate = w->v.action == GATE_DROP  ? EVIDENCE_DROPPED
			: w->v.would == GATE_DROP ? EVIDENCE_WOULD_DROP
						  : EVIDENCE_PASSED,
		.stray = !f,
		.record = w->v.flags & GATE_VERDICT_RECORD && w->v.action != GATE_DROP,
	};

	if (w == &e->whole)
		witness_pieces(e, &s);
	else
		evidence_see(e->o.evidence, &s, e->now_ns);
}

/* What a conversation is called shows of both its ends, whichever is speaking. */
static __attribute__((cold)) void note_named(struct engine *e, const struct flow *f)
{
	weakness_set shown = weaknesses_of_app(app_name(e->app, f->app));

	e->shown[0].by |= shown;
	e->shown[0].to |= shown;
}

/* nDPI names what no parser of ours has taken by then. */
static bool read_packet(struct engine *e, struct work *w, struct flow *f, unsigned end)
{
	bool told = engine_hear(e, w, f, end);
	uint16_t was = f->app;

	if (f->proto)
		return told;
	app_look(e->app, f, &w->p);
	if (__builtin_expect(f->app != was, 0) && e->inventory)
		note_named(e, f);
	return told;
}

/* What is wrong with us, or with whoever sends to it, is not the device's conduct. */
static bool is_own_doing(enum reason why)
{
	return report_kind_of(why) == REPORT_POLICY && why != REASON_STREAM_MEMORY &&
	       why != REASON_STREAM_PICKED_UP && strncmp(reason_name(why), "floor.", 6) != 0 &&
	       strncmp(reason_name(why), "seal.", 5) != 0;
}

static bool calls_us(const struct engine *e, const struct packet *p)
{
	return e->o.agents_port && p->proto == PROTO_TCP && p->dst_port == e->o.agents_port &&
	       memcmp(&p->dst_ip, &e->o.agents, sizeof(e->o.agents)) == 0;
}

/* A machine whose program is gone still refuses connections, which is no sign of life. */
static void note_conduct(struct engine *e, const struct work *w)
{
	bool refuses = w->p.proto == PROTO_TCP && w->p.tcp_flags & TCP_RST;

	if (w->v.flags & GATE_VERDICT_TO_DEVICE || !w->p.ip_version ||
	    w->v.generation != policy_generation(e->policy))
		return;
	if (w->v.reason == REASON_NONE && w->v.rule != ~0u && !refuses && !calls_us(e, &w->p))
		conduct_note(e->conduct, w->v.device, true, e->wall_ns);
	else if (w->v.reason != REASON_NONE && is_own_doing(w->v.reason))
		conduct_note(e->conduct, w->v.device, false, e->wall_ns);
}

void engine_conclude(struct engine *e, struct work *w)
{
	struct flow *f = NULL;
	struct dhcp dhcp;
	bool has_dhcp = read_dhcp(e, w, &dhcp), told = false;
	anomaly_set fresh;
	uint8_t end;

	e->found = REASON_NONE;
	e->announced = false;
	if (w->v.action != GATE_DROP)
		hold_stranger(e, w);
	if (w->v.action == GATE_DROP && e->o.inline_)
		watch_refused(e, w);
	else if ((f = observe(e, w, &end)))
		told = read_packet(e, w, f, end);
	if (__builtin_expect(w->v.grant && f && w->v.action != GATE_DROP, 0)) {
		doors_see(e->doors, &w->hint.key, w->hint.sender, &w->p, &w->v, w->ifindex,
			  e->now_ns);
		engine_door_met(e, f, w->v.grant);
	}
	/* What is not kept costs no call: every packet comes by here. */
	if (e->conduct)
		note_conduct(e, w);
	if (e->o.archive)
		archive_settle(e->o.archive, w->v.action != GATE_DROP);
	e->stats.dropped += w->v.action == GATE_DROP;
	e->stats.would_drop += w->v.action != GATE_DROP && w->v.would == GATE_DROP;
	if (w->v.reason != REASON_NONE && !told)
		notice_verdict(&e->notice, &w->p, &w->v, w->segment, f, e->now_ns);
	if (__builtin_expect(f && has_dhcp, 0)) {
		notice_dhcp(&e->notice, &w->p, &dhcp, &w->v, w->segment, f, e->now_ns);
		watch_offer(e, w, &dhcp);
	}
	if (__builtin_expect(f && impostor_may_claim(&w->p), 0))
		watch_claim(e, w);
	if (__builtin_expect(f && impostor_may_lead(&w->p), 0))
		watch_lead(e, w);
	if (e->inventory)
		see_machine(e, w, f, f ? w->hint.sender != f->starter : 0);
	expose(e, w, f, f ? w->hint.sender != f->starter : 0);
	fresh = f ? flow_fresh(e->flows) : w->p.anomalies;
	if (fresh)
		notice_anomalies(&e->notice, &w->p, fresh, &w->v, w->segment, f, e->now_ns);
	if (__builtin_expect((w->p.anomalies | fresh) != 0, 0))
		engine_count_anomalies(e, w->p.anomalies | fresh);
	if (e->o.evidence)
		engine_witness(e, w, f,
			       e->found ? e->found
			       : fresh	? REASON_DECODE_ANOMALY
					: REASON_NONE);
	if (e->o.inline_ && f)
		session_clamp(e->sessions, f, &w->p, end);
	if (__builtin_expect(e->bypasses && f, 0))
		engine_may_bypass(e, w, f);
}

/* Of a conversation that we cut off, and that the kernel keeps from us since. */
static void reset_again(struct engine *e, struct work *w)
{
	struct flow *f;

	if (w->p.proto != PROTO_TCP || w->p.fragment)
		return;
	flow_hint(e->flows, &w->p, w->segment, &w->hint);
	flow_prefetch(e->flows, &w->hint);
	f = flow_peek(e->flows, &w->hint);
	if (f && f->session_reason)
		engine_reset_again(e, w);
}

void engine_conclude_blocked(struct engine *e, struct work *w)
{
	e->stats.dropped++;
	e->found = REASON_NONE;
	reset_again(e, w);
	watch_refused(e, w);
	if (e->conduct)
		note_conduct(e, w);
	if (e->inventory)
		see_machine(e, w, NULL, 0);
	if (w->v.reason != REASON_NONE)
		notice_verdict(&e->notice, &w->p, &w->v, w->segment, NULL, e->now_ns);
	if (w->p.anomalies)
		notice_anomalies(&e->notice, &w->p, w->p.anomalies, &w->v, w->segment, NULL,
				 e->now_ns);
	engine_count_anomalies(e, w->p.anomalies);
	if (e->o.evidence)
		engine_witness(e, w, NULL, e->found);
}
