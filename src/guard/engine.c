#include "guard/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/behaviour.h"
#include "guard/flow/app.h"
#include "guard/policy/floor.h"
#include "guard/report.h"
#include "guard/roster.h"
#include "guard/tally.h"

#define BURST	       32
#define APP_SLOTS      4096
#define TOPICS	       4096
#define BEHAVIOUR_ROWS 8192
#define EXPIRE_BURST   64   /* flows ended at most between two bursts, */
#define EXPIRE_TICK    8192 /* and at a tick */
#define PREFETCH_AHEAD 4

struct engine {
	struct engine_options o;
	const struct policy *policy; /* NULL: everything is observed */
	struct roster *roster;
	struct floor *floor;
	struct flow_table *flows;
	struct app *app;
	struct behaviour *behaviour;
	struct tally *tally;
	struct report report;
	struct engine_stats stats;
	uint64_t now_ns;  /* never goes back */
	uint64_t wall_ns; /* last seen, may jump */
	struct packet packets[BURST];
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
	if (e->o.packet_times) {
		if (wall_ns > e->now_ns)
			e->now_ns = wall_ns;
		return;
	}
	if (!last)
		e->now_ns = wall_ns;
	else if (wall_ns > last && wall_ns - last < CLOCK_JUMP_NS)
		e->now_ns += wall_ns - last;
}

static void flow_ended(void *arg, struct flow *f, enum flow_end how)
{
	struct engine *e = arg;

	app_end(e->app, f);
	if (how == FLOW_EVICTED)
		e->stats.flows_evicted++;
	report_flow(&e->report, f, how);
}

int engine_set_policy(struct engine *e, const struct policy *p)
{
	struct roster *roster = roster_new(p);
	int r;

	if (!roster)
		return -ENOMEM;
	tally_flush(e->tally); /* by the names it was counted under */
	if (e->floor) {
		r = floor_set_policy(e->floor, p);
	} else {
		e->floor = floor_new(p, e->o.max_flows);
		r = e->floor ? 0 : -ENOMEM;
	}
	if (r < 0) {
		roster_free(roster);
		return r;
	}
	roster_free(e->roster);
	e->roster = roster;
	e->policy = p;
	e->report.policy = p;
	e->report.roster = roster;
	return 0;
}

struct engine *engine_new(const struct policy *policy, const struct engine_options *o)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	e->report.sink = o->sink;
	e->report.sink_arg = o->sink_arg;
	e->app = app_new(APP_SLOTS);
	e->report.app = e->app;
	e->behaviour = behaviour_new(BEHAVIOUR_ROWS);
	e->tally = tally_new(TOPICS, report_count, &e->report);
	e->flows = flow_table_new(o->max_flows, &o->timeouts, flow_ended, e);
	if (!e->app || !e->behaviour || !e->tally || !e->flows ||
	    (policy && engine_set_policy(e, policy) < 0)) {
		engine_free(e);
		errno = ENOMEM;
		return NULL;
	}
	return e;
}

void engine_finish(struct engine *e)
{
	flow_table_free(e->flows);
	e->flows = NULL;
	tally_flush(e->tally);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	e->report.sink = NULL;
	if (e->flows)
		flow_table_free(e->flows);
	tally_free(e->tally);
	behaviour_free(e->behaviour);
	app_free(e->app);
	floor_free(e->floor);
	roster_free(e->roster);
	free(e);
}

/* Nobody's word: what a packet counts as where there is no policy. */
static const struct gate_verdict unjudged = {
	.device = ~0u, .peer = GATE_PEER_NONE, .rule = ~0u, .action = GATE_PASS};

static void judge(struct engine *e, const struct frame *f, const struct packet *p,
		  struct gate_verdict *ret_v)
{
	*ret_v = unjudged;
	ret_v->ifindex = f->ifindex;
	if (f->verdict) {
		*ret_v = *f->verdict;
	} else if (e->policy) {
		if (e->o.place)
			ret_v->ifindex = e->o.place(e->o.place_arg, f, p, e->roster);
		floor_judge(e->floor, p, ret_v->ifindex, e->now_ns, ret_v);
	}
	/* Numbers of another policy than ours would name the wrong machine. */
	if (e->policy && ret_v->generation != policy_generation(e->policy)) {
		ret_v->device = ret_v->rule = ~0u;
		ret_v->peer = GATE_PEER_NONE;
	}
}

static bool is_stranger(const struct engine *e, uint32_t device)
{
	uint32_t count = 0;
	const struct gate_device *d = e->policy ? policy_devices(e->policy, &count) : NULL;

	return device >= count || d[device].flags & GATE_DEVICE_STRANGER;
}

static void make_case(const struct packet *p, const struct gate_verdict *v, uint32_t segment,
		      uint64_t flow_id, struct tally_case *ret_c)
{
	memset(ret_c, 0, sizeof(*ret_c));
	if (p->has_arp)
		ret_c->sender = gate_flow_key_make(&ret_c->key, segment, p->vlan[0], 0,
						   &p->arp.sender_ip, 0, &p->arp.target_ip, 0);
	else
		flow_key(p, segment, &ret_c->key, &ret_c->sender);
	if (p->has_mac)
		memcpy(ret_c->mac, p->src_mac, 6);
	ret_c->ethertype = p->ethertype;
	ret_c->action = v->action;
	ret_c->would = v->would;
	ret_c->flags = v->flags;
	ret_c->rule = v->rule;
	ret_c->flow_id = flow_id;
}

static void note_reason(struct engine *e, const struct packet *p, const struct gate_verdict *v,
			uint32_t segment, uint64_t flow_id)
{
	struct tally_topic t;
	struct tally_case c;

	e->stats.reasons[v->reason]++;
	make_case(p, v, segment, flow_id, &c);
	memset(&t, 0, sizeof(t));
	t.kind = report_kind_of(v->reason);
	t.reason = v->reason;
	t.device = v->device;
	t.peer = v->peer;
	if (t.kind == REPORT_BINDING)
		t.other = c.key.ip[c.sender];
	else if (v->peer == GATE_PEER_NONE)
		t.other = c.key.ip[v->flags & GATE_VERDICT_TO_DEVICE ? c.sender : !c.sender];
	if (t.kind == REPORT_BINDING || is_stranger(e, v->device))
		memcpy(t.mac, c.mac, sizeof(t.mac));
	if (tally_note(e->tally, &t, &c, p->wire_len, e->now_ns))
		report_case(&e->report, &t, &c, p->time_ns);
}

/* First of each kind in a flow; a packet without a flow has only the topic's bound. */
static void note_anomalies(struct engine *e, const struct packet *p, const struct gate_verdict *v,
			   uint32_t segment, struct flow *f)
{
	anomaly_set fresh = p->anomalies & ~(f ? f->anomalies : 0);
	struct tally_topic t;
	struct tally_case c;

	for (unsigned a = 0; a < ANOMALY_COUNT; a++)
		e->stats.anomalies[a] += p->anomalies >> a & 1;
	if (f)
		f->anomalies |= fresh;
	if (!fresh)
		return;
	make_case(p, v, segment, f ? f->id : 0, &c);
	for (unsigned a = 0; a < ANOMALY_COUNT; a++) {
		if (!(fresh >> a & 1))
			continue;
		memset(&t, 0, sizeof(t));
		t.kind = REPORT_ANOMALY;
		t.reason = a;
		t.device = v->device;
		t.peer = GATE_PEER_NONE;
		t.other = c.key.ip[c.sender];
		if (tally_note(e->tally, &t, &c, p->wire_len, e->now_ns))
			report_case(&e->report, &t, &c, p->time_ns);
	}
}

static void found(struct engine *e, const struct packet *p, const struct gate_verdict *v,
		  struct behaviour_finding what)
{
	if (what.reason == REASON_NONE)
		return;
	e->stats.reasons[what.reason]++;
	report_behaviour(&e->report, p, e->policy ? v : NULL, &what);
}

/* A packet that nobody else will see: refused, it is still somebody's attempt. */
static void watch_refused(struct engine *e, const struct packet *p, const struct gate_verdict *v,
			  uint32_t segment)
{
	if (!p->ip_version)
		return;
	found(e, p, v, behaviour_opened(e->behaviour, p, segment, e->now_ns));
	found(e, p, v, behaviour_unanswered(e->behaviour, p, segment, e->now_ns));
}

static void watch(struct engine *e, const struct packet *p, const struct gate_verdict *v,
		  uint32_t segment, const struct flow *f, unsigned end)
{
	bool listed = v->rule != ~0u && v->reason == REASON_NONE;

	if (f->packets[1] == 0) {
		if (f->packets[0] == 1 && !listed)
			found(e, p, v, behaviour_opened(e->behaviour, p, segment, e->now_ns));
		found(e, p, v, behaviour_unanswered(e->behaviour, p, segment, e->now_ns));
	} else if (end == 1 && f->packets[1] == 1) {
		behaviour_answered(e->behaviour, p, segment);
	}
}

static void remember(struct engine *e, struct flow *f, const struct gate_verdict *v, unsigned end)
{
	bool to_device = v->flags & GATE_VERDICT_TO_DEVICE;

	if (e->policy) {
		f->device = v->device;
		f->peer = v->peer;
		f->rule = v->rule;
		f->generation = v->generation;
		/* The device is end 1 if it receives from end 0, or sends as end 1. */
		f->flags &= (uint8_t)~REPORT_FLOW_TO_DEVICE;
		if (to_device != (end == 1))
			f->flags |= REPORT_FLOW_TO_DEVICE;
	}
	if (v->reason != REASON_NONE) {
		f->reason = v->reason;
		f->action = v->action;
		f->would = v->would;
	}
}

/* Flow, application and behaviour of a packet that goes on. NULL where it belongs to no flow. */
static struct flow *observe(struct engine *e, const struct packet *p, const struct gate_verdict *v,
			    uint32_t segment)
{
	struct flow *f;
	uint8_t end;

	if (!p->ip_version)
		return NULL;
	f = flow_lookup(e->flows, p, segment, &end);
	if (f->packets[0] + f->packets[1] == 1)
		e->stats.flows++;
	remember(e, f, v, end);
	app_look(e->app, f, p);
	watch(e, p, v, segment, f, end);
	return f;
}

/*
 * A stranger that searches or floods loses, for a while, what its segment lets
 * strangers do: only where the segment enforces, only a machine that the policy
 * does not know, and never its conversation with a device. What a known device
 * is allowed is not touched whatever it does.
 */
static void hold_stranger(struct engine *e, const struct packet *p, uint32_t segment,
			  struct gate_verdict *v)
{
	uint32_t count;
	const struct gate_device *d;
	enum reason why;

	if (!e->policy || !p->ip_version || v->flags & GATE_VERDICT_TO_DEVICE ||
	    v->peer & GATE_PEER_DEVICE || !is_stranger(e, v->device))
		return;
	d = policy_devices(e->policy, &count);
	if (v->device >= count || d[v->device].mode != GATE_ENFORCE)
		return;
	why = behaviour_held(e->behaviour, &p->src_ip, segment, e->now_ns);
	if (why == REASON_NONE)
		return;
	v->action = v->would = GATE_DROP;
	v->reason = (uint8_t)why;
}

static uint32_t segment_of(const struct engine *e, uint32_t ifindex)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, ifindex) : NULL;

	return port ? port->segment : 0;
}

static void settle_frame(struct engine *e, struct capture *c, const struct frame *f,
			 const struct gate_verdict *v)
{
	const struct gate_port *port;

	if (v->action == GATE_DROP && e->o.inline_) {
		c->ops->drop(c, f);
		return;
	}
	port = e->roster ? roster_port(e->roster, v->ifindex) : NULL;
	c->ops->forward(c, f,
			v->flags & GATE_VERDICT_HAIRPIN ? v->ifindex
			: port				? port->partner
							: 0);
}

/* Verdict, then everything that only looks. */
static void take(struct engine *e, struct capture *c, const struct frame *f, const struct packet *p)
{
	struct gate_verdict v;
	struct flow *flow = NULL;
	uint32_t segment;

	judge(e, f, p, &v);
	segment = segment_of(e, v.ifindex);
	if (v.action != GATE_DROP)
		hold_stranger(e, p, segment, &v);
	e->stats.dropped += v.action == GATE_DROP;
	e->stats.would_drop += v.action != GATE_DROP && v.would == GATE_DROP;

	if (v.action == GATE_DROP && e->o.inline_)
		watch_refused(e, p, &v, segment);
	else
		flow = observe(e, p, &v, segment);
	if (v.reason != REASON_NONE)
		note_reason(e, p, &v, segment, flow ? flow->id : 0);
	if (p->anomalies)
		note_anomalies(e, p, &v, segment, flow);
	settle_frame(e, c, f, &v);
}

static void burst(struct engine *e, struct capture *c, const struct frame *frames, unsigned count)
{
	for (unsigned i = 0; i < count && i < PREFETCH_AHEAD; i++)
		__builtin_prefetch(frames[i].data.data);
	for (unsigned i = 0; i < count; i++) {
		const struct frame *f = &frames[i];

		if (i + PREFETCH_AHEAD < count)
			__builtin_prefetch(frames[i + PREFETCH_AHEAD].data.data);
		if (!packet_decode(f->data, f->link, f->time_ns, f->wire_len, &e->packets[i]))
			e->stats.malformed++;
	}
	for (unsigned i = 0; i < count; i++) {
		e->stats.packets++;
		e->stats.bytes += frames[i].wire_len;
		advance(e, frames[i].time_ns);
		take(e, c, &frames[i], &e->packets[i]);
	}
	flow_expire(e->flows, e->now_ns, EXPIRE_BURST);
	tally_tick(e->tally, e->now_ns);
}

void engine_burst(struct engine *e, struct capture *c, const struct frame *frames, unsigned count)
{
	for (; count > BURST; frames += BURST, count -= BURST)
		burst(e, c, frames, BURST);
	burst(e, c, frames, count);
	e->stats.events = e->report.events;
}

void engine_blocked(struct engine *e, const struct gate_sample *s, uint64_t wall_ns)
{
	struct frame f = {.verdict = &s->verdict};
	size_t len = s->captured < sizeof(s->data) ? s->captured : sizeof(s->data);
	struct packet *p = &e->packets[0];
	struct gate_verdict v;
	uint32_t segment;

	advance(e, wall_ns);
	packet_decode((struct bytes){s->data, len}, LINK_ETHERNET, wall_ns, s->wire_len, p);
	judge(e, &f, p, &v);
	segment = segment_of(e, v.ifindex);
	e->stats.dropped++;
	watch_refused(e, p, &v, segment);
	if (v.reason != REASON_NONE)
		note_reason(e, p, &v, segment, 0);
	if (p->anomalies)
		note_anomalies(e, p, &v, segment, NULL);
	e->stats.events = e->report.events;
}

void engine_tick(struct engine *e, struct capture *c, uint64_t wall_ns)
{
	advance(e, wall_ns);
	flow_expire(e->flows, e->now_ns, EXPIRE_TICK);
	tally_tick(e->tally, e->now_ns);
	e->stats.events = e->report.events;
}

void engine_stats_event(struct engine *e, uint64_t wall_ns)
{
	report_stats(&e->report, &e->stats, e->flows ? flow_count(e->flows) : 0, wall_ns);
	e->stats.events = e->report.events;
}

void engine_stats(const struct engine *e, struct engine_stats *ret_stats)
{
	*ret_stats = e->stats;
}

struct flow_table *engine_flows(struct engine *e)
{
	return e->flows;
}
