#include "guard/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "guard/bedside.h"
#include "guard/evidence.h"
#include "guard/flow/fragment.h"
#include "guard/hairpin.h"
#include "guard/notice.h"
#include "guard/policy/floor.h"
#include "guard/ration.h"
#include "guard/policy/message.h"
#include "guard/reset.h"

#define BURST		 32
#define APP_SLOTS	 4096
#define TOPICS		 4096
#define SOURCES		 4096
#define BEHAVIOUR_ROWS	 2048
#define FRAGMENT_WAIT_MS 5000
#define EXPIRE_BURST	 64   /* flows ended at most between two bursts, */
#define EXPIRE_TICK	 8192 /* and at a tick */

/* One packet on its way through the rooms. */
struct work {
	struct packet p;
	struct gate_verdict v;
	struct flow_hint hint;
	struct floor_hint floor_hint;
	uint32_t ifindex, segment;
};

struct engine {
	struct engine_options o;
	const struct policy *policy; /* NULL: everything is observed */
	struct roster *roster;
	struct floor *floor;
	struct fragment_table *fragments;
	struct flow_table *flows;
	struct app *app;
	struct sessions *sessions;
	struct bedside *bedside;
	const struct work *hearing;	      /* whose packet is being read, */
	const struct session_message *saying; /* and its message; NULL: none */
	const struct work *heard;	      /* the packet that is being read */
	enum reason found;		      /* in what it says, whatever its verdict */
	struct message_rules *messages;	      /* NULL: no policy */
	struct behaviour *behaviour;
	struct ration *ration;	     /* of events about conversations; NULL: all are told */
	struct inventory *inventory; /* NULL: not kept */
	struct weaknesses shown;     /* by the messages of the packet that is on */
	struct notice notice;
	struct engine_stats stats;
	struct capture *capture; /* of the call that is on */
	uint64_t now_ns;	 /* never goes back */
	uint64_t wall_ns;	 /* last seen, may jump */
	struct work work[BURST];
	struct work whole; /* a datagram out of fragments */
};

/*
 * What the frames' clock says, made monotonic: a jump of a live wall clock is
 * taken out, so that it neither ends conversations nor keeps them for ever.
 */
#define CLOCK_JUMP_NS (10 * NSEC_PER_SEC)

static void advance(struct engine *e, uint64_t wall_ns)
{
	uint64_t last = e->wall_ns;

	e->wall_ns = wall_ns;
	if (e->o.packet_times || !last) {
		if (wall_ns > e->now_ns)
			e->now_ns = wall_ns;
	} else if (wall_ns > last && wall_ns - last < CLOCK_JUMP_NS) {
		e->now_ns += wall_ns - last;
	}
}

static void flow_ended(void *arg, struct flow *f, enum flow_end how)
{
	struct engine *e = arg;
	uint32_t untold = 0;

	app_end(e->app, f);
	session_end(e->sessions, f);
	if (how == FLOW_EVICTED)
		e->stats.flows_evicted++;
	if (e->ration && !f->reason && how != FLOW_SHUTDOWN &&
	    !ration_take(e->ration, f->key.segment, &f->key.ip[f->starter], e->now_ns, &untold)) {
		e->stats.flows_untold++;
		return;
	}
	report_flow(&e->notice.report, f, how, untold);
}

static void fragments_ended(void *arg, const struct fragment_datagram *d);

int engine_set_policy(struct engine *e, const struct policy *p)
{
	struct roster *roster = roster_new(p);
	struct message_rules *messages = message_rules_new(p);
	int r = -ENOMEM;

	if (!roster || !messages)
		goto fail;
	tally_flush(e->notice.tally); /* by the names it was counted under */
	if (e->floor) {
		r = floor_set_policy(e->floor, p);
	} else {
		e->floor = floor_new(p, e->o.max_flows);
		r = e->floor ? 0 : -ENOMEM;
	}
	if (r < 0)
		goto fail;
	roster_free(e->roster);
	e->roster = roster;
	message_rules_free(e->messages);
	e->messages = messages;
	e->policy = p;
	e->notice.report.policy = p;
	e->notice.report.roster = roster;
	return 0;
fail:
	message_rules_free(messages);
	roster_free(roster);
	return r;
}

static void count_anomalies(struct engine *e, anomaly_set set)
{
	for (; set; set &= set - 1)
		e->stats.anomalies[__builtin_ctzll(set)]++;
}

static enum reason message_said(void *arg, const struct session_message *m);
static void vitals_found(void *arg, const struct vitals_finding *f);
static enum reason unread(void *arg, struct flow *f);

/* Of the ward alone: what stands in the hospital is not this gateway's to list. */
static void machine_changed(void *arg, const struct machine *m, bool is_new)
{
	struct engine *e = arg;

	if (m->side == GATE_WARD)
		notice_machine(&e->notice, e->inventory, m, is_new, e->now_ns);
}

static bool open_rooms(struct engine *e)
{
	const struct fragment_limits limits = {
		.frames = e->o.max_fragments,
		.timeout_ms = FRAGMENT_WAIT_MS,
	};

	const struct session_options sessions = {
		.stream_bytes = e->o.stream_bytes ? e->o.stream_bytes : ENGINE_STREAM_BYTES,
		.stream_end = ENGINE_STREAM_END,
		.said = message_said,
		.unread = unread,
		.arg = e,
	};

	e->sessions = sessions_new(&sessions);
	e->bedside = bedside_new(e->o.vitals_streams, vitals_found, e);
	e->app = app_new(APP_SLOTS);
	e->behaviour = behaviour_new(BEHAVIOUR_ROWS);
	e->flows = flow_table_new(e->o.max_flows, &e->o.timeouts, flow_ended, e);
	e->fragments = fragment_table_new(&limits, fragments_ended, e);
	e->notice.report.app = e->app;
	if (e->o.flow_events) {
		e->ration = ration_new(SOURCES, e->o.flow_events, e->o.flow_events / 10 + 1);
		if (!e->ration)
			return false;
	}
	if (e->o.inventory.machines) {
		e->inventory = inventory_new(&e->o.inventory, machine_changed, e);
		if (!e->inventory)
			return false;
	}
	return e->sessions && e->bedside && e->app && e->behaviour && e->flows && e->fragments &&
	       notice_init(&e->notice, TOPICS) == 0;
}

struct engine *engine_new(const struct policy *policy, const struct engine_options *o)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	e->notice.report.sink = o->sink;
	e->notice.report.sink_arg = o->sink_arg;
	if (!open_rooms(e) || (policy && engine_set_policy(e, policy) < 0)) {
		engine_free(e);
		errno = ENOMEM;
		return NULL;
	}
	return e;
}

static void close_rooms(struct engine *e)
{
	fragment_table_free(e->fragments);
	flow_table_free(e->flows);
	e->fragments = NULL;
	e->flows = NULL;
}

void engine_finish(struct engine *e, struct capture *c)
{
	e->capture = c;
	close_rooms(e);
	if (e->inventory)
		inventory_flush(e->inventory, e->wall_ns);
	tally_flush(e->notice.tally);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	e->notice.report.sink = NULL;
	close_rooms(e);
	notice_free(&e->notice);
	behaviour_free(e->behaviour);
	inventory_free(e->inventory);
	ration_free(e->ration);
	app_free(e->app);
	sessions_free(e->sessions);
	bedside_free(e->bedside);
	message_rules_free(e->messages);
	floor_free(e->floor);
	roster_free(e->roster);
	free(e);
}

static void place(struct engine *e, const struct frame *f, struct work *w)
{
	const struct gate_port *port;

	w->ifindex = f->verdict ? f->verdict->ifindex : f->ifindex;
	w->segment = 0;
	if (!e->roster)
		return;
	if (e->o.place)
		w->ifindex = e->o.place(e->o.place_arg, f, &w->p, e->roster);
	port = roster_port(e->roster, w->ifindex);
	w->segment = port ? port->segment : 0;
}

static void judge(struct engine *e, const struct gate_verdict *kernels, struct work *w)
{
	/* Nobody's word: what a packet counts as where there is no policy. */
	static const struct gate_verdict unjudged = {
		.device = ~0u, .peer = GATE_PEER_NONE, .rule = ~0u, .action = GATE_PASS};

	w->v = unjudged;
	w->v.ifindex = w->ifindex;
	if (kernels)
		w->v = *kernels;
	else if (e->policy)
		floor_judge(e->floor, &w->p, w->ifindex, e->now_ns, &w->v);
	/* Numbers of another policy than ours would name the wrong machine. */
	if (e->policy && w->v.generation != policy_generation(e->policy)) {
		w->v.device = w->v.rule = ~0u;
		w->v.peer = GATE_PEER_NONE;
	}
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

	if (!e->policy || !w->p.ip_version || w->v.flags & GATE_VERDICT_TO_DEVICE ||
	    w->v.peer & GATE_PEER_DEVICE)
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

static void opened(struct engine *e, struct work *w)
{
	notice_behaviour(&e->notice, &w->p, e->policy ? &w->v : NULL,
			 behaviour_opened(e->behaviour, &w->p, w->segment, e->now_ns));
}

static void unanswered(struct engine *e, struct work *w)
{
	notice_behaviour(&e->notice, &w->p, e->policy ? &w->v : NULL,
			 behaviour_unanswered(e->behaviour, &w->p, w->segment, e->now_ns));
}

/* A packet that nothing behind here sees: refused, it is still somebody's attempt. */
static void watch_refused(struct engine *e, struct work *w)
{
	if (!w->p.ip_version)
		return;
	opened(e, w);
	unanswered(e, w);
}

static void watch(struct engine *e, struct work *w, const struct flow *f, unsigned end)
{
	bool listed = w->v.rule != ~0u && w->v.reason == REASON_NONE;

	if (f->packets[1] == 0) {
		if (f->packets[0] == 1 && !listed)
			opened(e, w);
		unanswered(e, w);
	} else if (end == 1 && f->packets[1] == 1) {
		behaviour_answered(e->behaviour, &w->p, w->segment);
	}
}

/* The same conversation of the same file always has the same id, exact as a JSON number. */
static uint64_t flow_id(const struct flow *f)
{
	static const struct hash_key fixed = {{0x6265647761726465, 0x6e20666c6f77206d}};

	return (hash_bytes(&fixed, &f->key, sizeof(f->key)) ^ f->first_ns * 0x9e3779b97f4a7c15) >>
	       11;
}

static void remember(struct engine *e, struct flow *f, const struct gate_verdict *v, unsigned end)
{
	bool to_device = v->flags & GATE_VERDICT_TO_DEVICE;

	/* The device is end 1 if it receives from end 0, or sends as end 1. */
	uint8_t flags = (uint8_t)(f->flags & ~REPORT_FLOW_TO_DEVICE) |
			(to_device != (end == 1) ? REPORT_FLOW_TO_DEVICE : 0);

	/* It hardly ever changes, and a line that is only read need not go back to memory. */
	if (e->policy && ((f->device ^ v->device) | (f->peer ^ v->peer) | (f->rule ^ v->rule) |
			  (f->generation ^ v->generation) | (uint32_t)(f->flags ^ flags))) {
		f->device = v->device;
		f->peer = v->peer;
		f->rule = v->rule;
		f->generation = v->generation;
		f->flags = flags;
	}
	if (v->reason != REASON_NONE) {
		f->reason = v->reason;
		f->action = v->action;
		f->would = v->would;
	}
}

/* The device that a packet or a conversation counts as; NULL without a policy. */
static const struct gate_device *device_of(const struct engine *e, uint32_t device)
{
	const struct gate_device *d;
	uint32_t count;

	if (!e->policy)
		return NULL;
	d = policy_devices(e->policy, &count);
	return device < count ? &d[device] : NULL;
}

/* The packet should not pass, and does not where its device's mode says so. */
static void refuse(const struct engine *e, struct work *w, enum reason why)
{
	const struct gate_device *d = device_of(e, w->v.device);

	w->v.reason = (uint8_t)why;
	if (!d)
		return;
	w->v.would = GATE_DROP;
	if (d->mode == GATE_ENFORCE)
		w->v.action = GATE_DROP;
}

/* Is the flow's rule one of the policy at hand? */
static bool is_ruled(const struct engine *e, const struct flow *f)
{
	return e->messages && f->generation == policy_generation(e->policy);
}

static void vitals_found(void *arg, const struct vitals_finding *f)
{
	struct engine *e = arg;

	notice_vitals(&e->notice, f, e->saying);
	if (e->saying && e->found == REASON_NONE)
		e->found = f->reason;
}

/* Vital signs are compared, whoever sent them; nothing that comes of it changes a verdict. */
static void watch_vitals(struct engine *e, const struct session_message *m, bool withheld)
{
	const struct work *w = e->hearing;
	const struct gate_device *d = device_of(e, w->v.device);
	struct bedside_message b = {
		.said = m,
		.bound = d && !(d->flags & GATE_DEVICE_STRANGER) &&
			 !(w->v.flags & GATE_VERDICT_TO_DEVICE) &&
			 report_kind_of(w->v.reason) != REPORT_BINDING,
		.withheld = withheld || w->v.action == GATE_DROP,
		.device = w->v.device,
		.peer = w->v.peer,
		.generation = w->v.generation,
	};

	e->saying = m;
	bedside_said(e->bedside, &b);
	e->saying = NULL;
}

static enum reason message_said(void *arg, const struct session_message *m)
{
	struct engine *e = arg;
	const struct gate_device *d = is_ruled(e, m->flow) ? device_of(e, m->flow->device) : NULL;
	enum reason why =
		d ? message_judge(e->messages, m->flow->rule, m->proto, m->msg) : REASON_NONE;
	const struct gate_verdict *v = &e->heard->v;
	struct report_message told = {
		.said = m,
		.reason = why != REASON_NONE ? why : m->msg->reason,
		.drop = why != REASON_NONE && d->mode == GATE_ENFORCE,
		.would_drop = why != REASON_NONE && d->mode != GATE_ENFORCE,
	};

	/* In a file that is only looked at, what was refused is read all the same. */
	if (v->action == GATE_DROP) {
		told.reason = v->reason;
		told.drop = true;
	}

	notice_message(&e->notice, &told);
	if (e->inventory) {
		struct weaknesses shown = weaknesses_of(m->proto, m->msg);

		e->shown.by |= shown.by;
		e->shown.to |= shown.to;
	}
	if (e->found == REASON_NONE)
		e->found = told.reason;
	watch_vitals(e, m, told.drop);
	return why;
}

static enum reason unread(void *arg, struct flow *f)
{
	struct engine *e = arg;

	return is_ruled(e, f) && message_protocol(e->messages, f->rule)
		       ? REASON_POLICY_WRONG_PROTOCOL
		       : REASON_NONE;
}

static void reset_one(struct engine *e, const struct work *w, bool back, uint32_t seq)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, w->ifindex) : NULL;
	bool hairpin = w->v.flags & GATE_VERDICT_HAIRPIN;
	uint8_t bytes[RESET_MAX];
	struct frame f = {.data = {bytes, reset_make(&w->p, back, seq, bytes)}};

	if (!f.data.len || !port || !e->capture || !e->capture->ops->inject)
		return;
	if (hairpin && !back && !hairpin_readdress(&f, e->policy, &w->v, port))
		return;
	e->capture->ops->inject(e->capture, f.data, back || hairpin ? w->ifindex : port->partner);
}

/* Nothing more passes in either direction, and both ends know it. */
static void cut_off(struct engine *e, struct work *w, struct flow *f, unsigned end)
{
	uint32_t seq;

	f->session_reason = w->v.reason;
	f->state = TCP_RESET; /* the same ports may begin anew */
	if (w->p.proto == PROTO_TCP && !e->o.packet_times) {
		if (!session_expects(f, end, &seq))
			seq = w->p.tcp_seq;
		reset_one(e, w, false, seq);
		reset_one(e, w, true, w->p.tcp_ack);
	}
	session_end(e->sessions, f);
}

/* Reads what the packet says; true where somebody was told of the verdict already. */
static bool hear(struct engine *e, struct work *w, struct flow *f, unsigned end)
{
	const struct gate_device *d = device_of(e, w->v.device);
	struct session_heard heard;

	if (f->session_reason) {
		refuse(e, w, REASON_POLICY_FLOW_BLOCKED);
		return false;
	}
	e->hearing = w;
	e->heard = w;
	heard = session_hear(e->sessions, f, &w->p, end);
	if (heard.fresh)
		notice_anomalies(&e->notice, &w->p, heard.fresh, &w->v, w->segment, f, e->now_ns);
	count_anomalies(e, heard.fresh);
	if (heard.reason == REASON_NONE || w->v.action == GATE_DROP)
		return false;
	if (heard.scope == SESSION_UNSURE && d && d->fail == GATE_OPEN)
		w->v.reason = (uint8_t)heard.reason;
	else
		refuse(e, w, heard.reason);
	if (heard.scope >= SESSION_MESSAGE && w->v.action == GATE_DROP && e->o.inline_)
		cut_off(e, w, f, end);
	return heard.scope == SESSION_MESSAGE;
}

/* Flow, application and behaviour of a packet that goes on. NULL where it belongs to no flow. */
static struct flow *observe(struct engine *e, struct work *w, uint8_t *ret_end)
{
	struct flow *f;
	uint8_t end;

	if (!w->p.ip_version)
		return NULL;
	f = flow_find(e->flows, &w->p, &w->hint, ret_end);
	end = *ret_end;
	if (f->packets[0] + f->packets[1] == 1) {
		f->id = flow_id(f);
		e->stats.flows++;
	}
	remember(e, f, &w->v, end);
	if (!f->proto)
		app_look(e->app, f, &w->p);
	watch(e, w, f, end);
	return f;
}

static bool is_dhcp(const struct packet *p)
{
	return p->proto == PROTO_UDP && p->has_ports && !p->fragment && p->payload.len &&
	       ((p->src_port == 68 && p->dst_port == 67) || p->src_port == 67);
}

/* What calls itself DHCP and is none goes no further where its device's mode says so. */
static bool read_dhcp(struct engine *e, struct work *w, struct dhcp *ret_d)
{
	if (!is_dhcp(&w->p) || w->p.wire_len > w->p.frame.len)
		return false;
	if (dhcp_read(w->p.payload, ret_d) == PARSE_OK)
		return true;
	if (w->v.reason == REASON_NONE && e->policy)
		refuse(e, w, REASON_DHCP_MALFORMED);
	return false;
}

/* Enough of every conversation to know what it is, and all that speaks for itself. */
#define SEEN_OF_FLOW 8

static void see_machine(struct engine *e, const struct work *w, const struct flow *f, unsigned end)
{
	const struct gate_port *port;

	if (!e->inventory || !e->roster || !w->p.has_mac)
		return;
	if (f && f->packets[0] + f->packets[1] > SEEN_OF_FLOW && !is_dhcp(&w->p) &&
	    w->p.src_port != 5353)
		return;
	port = roster_port(e->roster, w->ifindex);
	if (port)
		inventory_see(e->inventory, &w->p, w->segment, port->side, f, end,
			      f ? app_name(e->app, f->app) : NULL);
}

/* What the packet's messages showed of the machines at both ends. */
static void expose(struct engine *e, const struct work *w, const struct flow *f, unsigned end)
{
	struct weaknesses shown = e->shown;
	const struct machine *m = NULL;
	weakness_set fresh;

	if (!(shown.by | shown.to))
		return;
	e->shown = (struct weaknesses){0, 0};
	if (!f || !w->p.has_mac)
		return;
	fresh = inventory_expose(e->inventory, w->segment, w->p.src_mac, shown.by, &m);
	notice_exposure(&e->notice, &w->p, f, end, m, fresh, true);
	fresh = inventory_expose(e->inventory, w->segment, w->p.dst_mac, shown.to, &m);
	notice_exposure(&e->notice, &w->p, f, end, m, fresh, false);
}

/* Strays are one case where they go between the same two machines. */
static uint64_t stray_id(const struct work *w)
{
	struct gate_flow_key key;
	struct flow any = {.first_ns = 0};
	uint8_t sender;

	if (w->p.has_arp)
		gate_flow_key_make(&key, w->segment, w->p.vlan[0], 0, &w->p.arp.sender_ip, 0,
				   &w->p.arp.target_ip, 0);
	else
		flow_key(&w->p, w->segment, &key, &sender);
	key.port[0] = key.port[1] = 0;
	any.key = key;
	return flow_id(&any);
}

static void witness(struct engine *e, const struct work *w, const struct flow *f)
{
	const struct evidence_sight s = {
		.id = f ? f->id : stray_id(w),
		.frame = w->p.frame,
		.time_ns = w->p.time_ns,
		.wire_len = w->p.wire_len,
		.ifindex = w->ifindex,
		.reason = w->v.reason ? w->v.reason : e->found,
		.fate = w->v.action == GATE_DROP  ? EVIDENCE_DROPPED
			: w->v.would == GATE_DROP ? EVIDENCE_WOULD_DROP
						  : EVIDENCE_PASSED,
		.stray = !f,
	};

	evidence_see(e->o.evidence, &s, e->now_ns);
}

/* From the verdict on: who did what, and what is to be said of it. */
static void conclude(struct engine *e, struct work *w)
{
	struct flow *f = NULL;
	struct dhcp dhcp;
	bool has_dhcp = read_dhcp(e, w, &dhcp), told = false;
	anomaly_set fresh;
	uint8_t end;

	e->found = REASON_NONE;
	if (w->v.action != GATE_DROP)
		hold_stranger(e, w);
	if (w->v.action == GATE_DROP && e->o.inline_)
		watch_refused(e, w);
	else if ((f = observe(e, w, &end)))
		told = hear(e, w, f, end);
	e->stats.dropped += w->v.action == GATE_DROP;
	e->stats.would_drop += w->v.action != GATE_DROP && w->v.would == GATE_DROP;
	if (w->v.reason != REASON_NONE && !told)
		notice_verdict(&e->notice, &w->p, &w->v, w->segment, f, e->now_ns);
	if (f && has_dhcp)
		notice_dhcp(&e->notice, &w->p, &dhcp, &w->v, w->segment, f, e->now_ns);
	see_machine(e, w, f, f ? w->hint.sender != f->starter : 0);
	expose(e, w, f, f ? w->hint.sender != f->starter : 0);
	fresh = f ? flow_fresh(e->flows) : w->p.anomalies;
	if (fresh)
		notice_anomalies(&e->notice, &w->p, fresh, &w->v, w->segment, f, e->now_ns);
	count_anomalies(e, w->p.anomalies | fresh);
	if (e->o.evidence)
		witness(e, w, f);
}

static bool is_refused(const struct engine *e, const struct work *w)
{
	return w->v.action == GATE_DROP && e->o.inline_;
}

/* The kernel has answered already what it judged itself. */
static void answer(struct engine *e, const struct work *w, const struct gate_port *port)
{
	uint8_t reply[HAIRPIN_ANSWER_MAX];
	size_t len = port ? hairpin_answer(&w->p, port, reply) : 0;

	if (len)
		e->capture->ops->inject(e->capture, (struct bytes){reply, len}, w->v.ifindex);
}

static void settle(struct engine *e, const struct frame *f, const struct work *w)
{
	struct capture *c = e->capture;
	const struct gate_verdict *v = &w->v;
	const struct gate_port *port = e->roster ? roster_port(e->roster, v->ifindex) : NULL;
	uint32_t out = port ? port->partner : 0;

	if (v->flags & GATE_VERDICT_ANSWERED) {
		if (!f->verdict)
			answer(e, w, port);
		c->ops->drop(c, f);
		return;
	}
	if (is_refused(e, w)) {
		c->ops->drop(c, f);
		return;
	}
	if (v->flags & GATE_VERDICT_HAIRPIN && !e->o.packet_times) {
		if (!port || !hairpin_readdress(f, e->policy, v, port)) {
			c->ops->drop(c, f);
			return;
		}
		out = v->ifindex;
	}
	c->ops->forward(c, f, out);
}

/* The word on the piece with the transport header is the word on the datagram. */
static const struct gate_verdict *kernels_verdict(const struct fragment_datagram *d)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->frames[i].verdict && !(d->frames[i].verdict->flags & GATE_VERDICT_FRAGMENT))
			return d->frames[i].verdict;
	return NULL;
}

static void judge_whole(struct engine *e, const struct fragment_datagram *d)
{
	struct work *w = &e->whole;

	packet_decode(d->whole.data, d->whole.link, d->whole.time_ns, d->whole.wire_len, &w->p);
	place(e, &d->frames[0], w);
	flow_hint(e->flows, &w->p, w->segment, &w->hint);
	judge(e, kernels_verdict(d), w);
	conclude(e, w);
	e->stats.fragments_reassembled++;
}

static void give_up(struct engine *e, const struct fragment_datagram *d)
{
	struct work *w = &e->whole;

	e->stats.fragments_lost += d->count;
	if (d->how == FRAGMENT_SHUTDOWN)
		return;
	packet_decode(d->frames[0].data, d->frames[0].link, d->frames[0].time_ns,
		      d->frames[0].wire_len, &w->p);
	place(e, &d->frames[0], w);
	judge(e, d->frames[0].verdict, w);
	if (d->anomaly >= ANOMALY_COUNT)
		return;
	notice_anomalies(&e->notice, &w->p, 1ull << d->anomaly, &w->v, w->segment, NULL, e->now_ns);
	count_anomalies(e, 1ull << d->anomaly);
}

static void fragments_ended(void *arg, const struct fragment_datagram *d)
{
	struct engine *e = arg;
	bool whole = d->how == FRAGMENT_WHOLE;

	if (whole)
		judge_whole(e, d);
	else
		give_up(e, d);
	for (unsigned i = 0; i < d->count && e->capture; i++) {
		if (whole && !is_refused(e, &e->whole))
			settle(e, &d->frames[i], &e->whole);
		else
			e->capture->ops->drop(e->capture, &d->frames[i]);
	}
}

/* A piece is judged by itself first, and as part of its datagram once that is whole. */
static bool take_fragment(struct engine *e, const struct frame *f, struct work *w)
{
	if (!w->p.fragment || w->v.action == GATE_DROP)
		return false;
	return fragment_add(e->fragments, &w->p, f);
}

/* What a piece that can't be put together may do: pass, unless it hides what it is. */
static void take(struct engine *e, const struct frame *f, struct work *w)
{
	judge(e, f->verdict, w);
	if (take_fragment(e, f, w))
		return;
	conclude(e, w);
	settle(e, f, w);
}

/* Reads ahead: by the time a packet's turn comes, its bytes and its flow are in the cache. */
static void prepare(struct engine *e, const struct frame *frames, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(frames[i].data.data);
	for (unsigned i = 0; i < count; i++) {
		const struct frame *f = &frames[i];
		struct work *w = &e->work[i];

		e->stats.packets++;
		e->stats.bytes += f->wire_len;
		if (!packet_decode(f->data, f->link, f->time_ns, f->wire_len, &w->p))
			e->stats.malformed++;
		place(e, f, w);
		flow_hint(e->flows, &w->p, w->segment, &w->hint);
		if (e->policy && !f->verdict)
			floor_hint(e->floor, &w->hint.key, &w->floor_hint);
	}
	for (unsigned i = 0; i < count; i++) {
		flow_prefetch(e->flows, &e->work[i].hint);
		if (e->policy && !frames[i].verdict)
			floor_prefetch(e->floor, &e->work[i].floor_hint);
	}
	for (unsigned i = 0; i < count; i++)
		session_hint(flow_guess(e->flows, &e->work[i].hint));
	for (unsigned i = 0; i < count; i++)
		session_prefetch(flow_guess(e->flows, &e->work[i].hint));
}

static void burst(struct engine *e, const struct frame *frames, unsigned count)
{
	prepare(e, frames, count);
	for (unsigned i = 0; i < count; i++) {
		advance(e, frames[i].time_ns);
		take(e, &frames[i], &e->work[i]);
	}
	flow_expire(e->flows, e->wall_ns, EXPIRE_BURST);
	fragment_expire(e->fragments, e->wall_ns, EXPIRE_BURST);
	tally_tick(e->notice.tally, e->now_ns);
	bedside_tick(e->bedside, e->wall_ns);
	if (e->inventory)
		inventory_tick(e->inventory, e->wall_ns);
}

void engine_burst(struct engine *e, struct capture *c, const struct frame *frames, unsigned count)
{
	e->capture = c;
	for (; count > BURST; frames += BURST, count -= BURST)
		burst(e, frames, BURST);
	burst(e, frames, count);
}

void engine_blocked(struct engine *e, const struct gate_sample *s, uint64_t wall_ns)
{
	size_t len = s->captured < sizeof(s->data) ? s->captured : sizeof(s->data);
	struct work *w = &e->work[0];
	struct frame f = {.verdict = &s->verdict};

	advance(e, wall_ns);
	packet_decode((struct bytes){s->data, len}, LINK_ETHERNET, wall_ns, s->wire_len, &w->p);
	place(e, &f, w);
	judge(e, &s->verdict, w);
	e->stats.dropped++;
	watch_refused(e, w);
	see_machine(e, w, NULL, 0);
	if (w->v.reason != REASON_NONE)
		notice_verdict(&e->notice, &w->p, &w->v, w->segment, NULL, e->now_ns);
	if (w->p.anomalies)
		notice_anomalies(&e->notice, &w->p, w->p.anomalies, &w->v, w->segment, NULL,
				 e->now_ns);
	count_anomalies(e, w->p.anomalies);
	e->found = REASON_NONE;
	if (e->o.evidence)
		witness(e, w, NULL);
}

void engine_tick(struct engine *e, struct capture *c, uint64_t wall_ns)
{
	e->capture = c;
	advance(e, wall_ns);
	flow_expire(e->flows, e->wall_ns, EXPIRE_TICK);
	fragment_expire(e->fragments, e->wall_ns, EXPIRE_TICK);
	tally_tick(e->notice.tally, e->now_ns);
	bedside_tick(e->bedside, e->wall_ns);
	if (e->o.evidence)
		evidence_tick(e->o.evidence, e->now_ns);
	if (e->inventory)
		inventory_tick(e->inventory, e->wall_ns);
}

void engine_stats(const struct engine *e, struct engine_stats *ret_stats)
{
	*ret_stats = e->stats;
	ret_stats->events = e->notice.report.events;
	ret_stats->held = e->fragments ? fragment_count(e->fragments) : 0;
	memcpy(ret_stats->reasons, e->notice.reasons, sizeof(ret_stats->reasons));
	session_counts(e->sessions, &ret_stats->sessions);
}

void engine_stats_event(struct engine *e, uint64_t wall_ns)
{
	struct engine_stats s;

	engine_stats(e, &s);
	report_stats(&e->notice.report, &s, e->flows ? flow_count(e->flows) : 0, wall_ns);
}

struct flow_table *engine_flows(struct engine *e)
{
	return e->flows;
}

struct telling {
	struct report report;
	unsigned left;
};

static void tell_flow(void *arg, const struct flow *f)
{
	struct telling *t = arg;

	if (t->left == 0)
		return;
	t->left--;
	report_flow(&t->report, f, FLOW_ALIVE, 0);
}

unsigned engine_tell_flows(struct engine *e, unsigned max, engine_sink_fn sink, void *arg)
{
	struct telling t = {.report = e->notice.report, .left = max};

	t.report.sink = sink;
	t.report.sink_arg = arg;
	flow_each(e->flows, tell_flow, &t);
	return max - t.left;
}
