#include "guard/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/announced.h"
#include "guard/door.h"
#include "guard/bypass.h"
#include "guard/engine_internal.h"
#include "guard/impostor.h"
#include "guard/archive.h"
#include "guard/evidence.h"
#include "guard/flow/fragment.h"
#include "guard/hairpin.h"

#define APP_SLOTS	 4096
#define TOPICS		 4096
#define SOURCES		 4096
#define BEHAVIOUR_ROWS	 2048
#define FRAGMENT_WAIT_MS 5000
#define CLEAN_UP	 4    /* groups */
#define EXPIRE_BURST	 64   /* flows ended at most after so many groups, */
#define EXPIRE_TICK	 8192 /* and at a tick */
#define FULL_NS		 (60 * NSEC_PER_SEC)
#define INHERITED_NS \
	(60 * NSEC_PER_SEC) /* by then a message that a predecessor let begin has ended */

/*
 * What the frames' clock says, made monotonic: a jump of a live wall clock is
 * taken out, so that it neither ends conversations nor keeps them for ever.
 */
#define CLOCK_JUMP_NS (10 * NSEC_PER_SEC)

static void advance(struct engine *e, uint64_t wall_ns)
{
	uint64_t last = e->wall_ns;

	e->wall_ns = wall_ns;
	if (!last)
		e->began_ns = wall_ns;
	if (e->o.packet_times || !last) {
		if (wall_ns > e->now_ns)
			e->now_ns = wall_ns;
	} else if (wall_ns > last && wall_ns - last < CLOCK_JUMP_NS) {
		e->now_ns += wall_ns - last;
	}
}

bool engine_enforces(const struct engine *e, uint32_t device)
{
	const struct gate_device *d = engine_device(e, device);

	return d && d->mode == GATE_ENFORCE && e->o.inline_ && !e->o.packet_times;
}

static bool flow_enforced(void *arg, const struct flow *f)
{
	return engine_enforces(arg, f->device);
}

static bool flow_orphaned(void *arg, const struct flow *f)
{
	const struct engine *e = arg;

	return (e->alone || e->now_ns - e->began_ns > INHERITED_NS) && engine_expected(arg, f) &&
	       message_narrows(e->messages, f->rule);
}

static bool flow_answering(void *arg, const struct flow *f)
{
	const struct engine *e = arg;
	const struct gate_rule *rules;
	uint32_t count;

	if (!e->policy || f->generation != policy_generation(e->policy) ||
	    f->flags & REPORT_FLOW_DATA)
		return false;
	rules = policy_rules(e->policy, &count);
	return f->rule < count && !rules[f->rule].towards != !(f->flags & REPORT_FLOW_TO_DEVICE);
}

/*
 * Where its rule says what may be said, the rest of a message must not pass for a beginning. Whose
 * conversation was forgotten shows himself where it goes on, so silence alone ends none.
 */
static bool flow_stays(void *arg, const struct flow *f, bool full)
{
	const struct engine *e = arg;
	const struct gate_device *d = engine_device(e, f->device);
	bool open = f->state == TCP_ESTABLISHED || f->state == TCP_MIDSTREAM ||
		    f->state == TCP_FIN_WAIT;
	/* What another policy makes of it shows with its next packet. */
	bool known = e->policy && f->generation == policy_generation(e->policy);
	bool held = known ? d && d->mode == GATE_ENFORCE && engine_expected(arg, f)
			  : session_is_held(f);

	return held && ((open && !full) || session_is_amid(f));
}

static void flow_ended(void *arg, struct flow *f, enum flow_end how)
{
	struct engine *e = arg;
	uint32_t untold = 0;

	if (how == FLOW_EVICTED) {
		e->stats.flows_evicted++;
		if (flow_stays(e, f, true))
			e->forgot_ns = e->now_ns;
	}
	app_end(e->app, f);
	if (how == FLOW_SHUTDOWN)
		session_shut(e->sessions, f);
	else
		session_end(e->sessions, f);
	if (__builtin_expect(e->control_count, 0) && how != FLOW_SHUTDOWN)
		engine_control_ended(e, f);
	if (__builtin_expect(e->grant_count, 0) && (how == FLOW_CLOSED || how == FLOW_TIMEOUT))
		engine_door_left(e, f);
	if (e->ration && !f->reason && how != FLOW_SHUTDOWN &&
	    !ration_take(e->ration, f->key.segment, &f->key.ip[f->starter], e->now_ns, &untold)) {
		e->stats.flows_untold++;
		return;
	}
	report_flow(&e->notice.report, f, how, untold);
}

int engine_set_policy(struct engine *e, const struct policy *p)
{
	struct roster *roster = roster_new(p);
	struct message_rules *messages = message_rules_new(p);
	struct shields *shields = shields_new(p);
	uint32_t devices;
	struct patients *patients = (policy_devices(p, &devices), patients_new(devices));
	struct conduct *conduct = conduct_new(devices);
	int r = -ENOMEM;

	if (!roster || !messages || !shields || !patients || !conduct)
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
	floor_set_grants(e->floor, e->grants, e->grant_count);
	roster_free(e->roster);
	e->roster = roster;
	message_rules_free(e->messages);
	e->messages = messages;
	patients_free(e->patients);
	e->patients = patients;
	conduct_free(e->conduct);
	e->conduct = conduct;
	shields_free(e->shields);
	e->shields = NULL;
	if (shields_are_none(shields))
		shields_free(shields);
	else
		e->shields = shields;
	e->policy = p;
	e->notice.report.policy = p;
	e->notice.report.roster = roster;
	return 0;
fail:
	conduct_free(conduct);
	patients_free(patients);
	shields_free(shields);
	message_rules_free(messages);
	roster_free(roster);
	return r;
}

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
		.said = engine_message_said,
		.unread = engine_unread,
		.expected = engine_expected,
		.enforced = flow_enforced,
		.orphaned = flow_orphaned,
		.answering = flow_answering,
		.keep = e->o.archive ? engine_keep : NULL,
		.reread = e->o.reread,
		.reread_arg = e->o.reread_arg,
		.arg = e,
	};

	e->sessions = sessions_new(&sessions);
	e->bedside = bedside_new(e->o.vitals_streams, engine_vitals_found, engine_patient_seen, e);
	e->app = app_new(APP_SLOTS);
	e->behaviour = behaviour_new(BEHAVIOUR_ROWS);
	e->impostor = impostor_new();
	if (e->o.packet_times) {
		e->mirror = mirror_new();
		e->awaiting = awaiting_new();
		e->own = calloc(1, sizeof(*e->own));
		e->carried_fragments = fragment_table_new(&limits, engine_carried_ended, e);
		if (!e->mirror || !e->awaiting || !e->own || !e->carried_fragments)
			return false;
		e->o.announce = engine_announce_here;
		e->o.announce_arg = e;
	}
	e->flows = flow_table_new(e->o.max_flows, &e->o.timeouts, flow_ended, e);
	if (e->flows)
		flow_table_ask(e->flows, flow_stays);
	if (e->flows && e->o.packet_times)
		flow_table_grow(e->flows);
	e->fragments = fragment_table_new(&limits, engine_pieces_ended, e);
	e->doors = doors_new();
	e->notice.report.app = e->app;
	if (e->o.bypass && !(e->bypasses = bypasses_new()))
		return false;
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
	return e->doors && e->sessions && e->bedside && e->app && e->behaviour && e->impostor &&
	       e->flows && e->fragments && notice_init(&e->notice, TOPICS) == 0;
}

struct engine *engine_new(const struct policy *policy, const struct engine_options *o)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	e->notice.name_strays = o->evidence != NULL;
	e->notice.report.sink = o->sink;
	e->notice.report.room = o->room;
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
	fragment_table_free(e->carried_fragments);
	e->carried_fragments = NULL;
	fragment_table_free(e->fragments);
	flow_table_free(e->flows);
	e->fragments = NULL;
	e->flows = NULL;
}

void engine_begin_alone(struct engine *e)
{
	e->alone = true;
}

/* More conversations at once than are kept track of: told at once, and once a minute how many went. */
static void tell_full(struct engine *e)
{
	uint64_t evicted = e->stats.flows_evicted - e->full_told;

	if (!evicted || e->now_ns < e->full_ns)
		return;
	report_full(&e->notice.report, evicted, e->wall_ns);
	e->full_told += evicted;
	e->full_ns = e->now_ns + FULL_NS;
}

void engine_finish(struct engine *e, struct capture *c)
{
	e->capture = c;
	engine_release(e, true);
	if (e->awaiting)
		engine_awaited(e, true);
	e->full_ns = 0;
	tell_full(e);
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
	impostor_free(e->impostor);
	inventory_free(e->inventory);
	doors_free(e->doors);
	ration_free(e->ration);
	app_free(e->app);
	awaiting_free(e->awaiting);
	mirror_free(e->mirror);
	free(e->own);
	sessions_free(e->sessions);
	bypasses_free(e->bypasses);
	bedside_free(e->bedside);
	message_rules_free(e->messages);
	patients_free(e->patients);
	conduct_free(e->conduct);
	shields_free(e->shields);
	floor_free(e->floor);
	roster_free(e->roster);
	free(e);
}

void engine_place(struct engine *e, const struct frame *f, struct work *w)
{
	const struct gate_port *port;

	w->ifindex = f->verdict ? f->verdict->ifindex : f->ifindex;
	w->segment = 0;
	w->sealed = f->sealed;
	if (!e->roster)
		return;
	if (e->o.place)
		w->ifindex = e->o.place(e->o.place_arg, f, &w->p, e->roster);
	port = roster_port(e->roster, w->ifindex);
	w->segment = port ? port->segment : 0;
}

bool engine_refuses(const struct engine *e, const struct work *w)
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

void engine_settle(struct engine *e, const struct frame *f, const struct work *w)
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
	if (engine_refuses(e, w)) {
		c->ops->drop(c, f);
		return;
	}
	if (v->action == GATE_SEAL) {
		engine_seal(e, f, w, out);
		return;
	}
	e->stats.opened += w->sealed != 0;
	e->stats.in_clear += v->reason == REASON_SEAL_CLEAR;
	if (v->flags & GATE_VERDICT_HAIRPIN && !e->o.packet_times) {
		if (!port || !hairpin_readdress(f, e->policy, v, port)) {
			c->ops->drop(c, f);
			return;
		}
		out = v->ifindex;
	}
	if (!engine_hold(e, f, out))
		c->ops->forward(c, f, out);
}

/* What a piece that can't be put together may do: pass, unless it hides what it is. */
void engine_take(struct engine *e, const struct frame *f, struct work *w)
{
	engine_judge(e, f->verdict, w);
	engine_last_hop(e, f, w);
	if (w->v.flags & GATE_VERDICT_LOCAL) { /* this machine's own stack has it, too */
		e->capture->ops->drop(e->capture, f);
		return;
	}
	if (w->p.fragment && engine_take_piece(e, f, w))
		return;
	engine_conclude(e, w);
	engine_settle(e, f, w);
}

/* Two ports that are mirrored show a packet twice, or an answer before what it answers. */
static void take_filed(struct engine *e, const struct frame *f, struct work *w)
{
	if (mirror_is_copy(e->mirror, &w->p)) {
		e->stats.copies++;
		e->capture->ops->drop(e->capture, f);
		return;
	}
	if (engine_await(e, f, w))
		return;
	if (__builtin_expect(e->own_busy, 0))
		engine_own_doors(e);
	if (w->p.proto != PROTO_TCP && !e->o.inline_)
		engine_take_carried(e, f, &w->p);
	engine_take(e, f, w);
	engine_awaited(e, false);
}

/*
 * Packets go through the engine in groups, each stage a group behind the one before
 * it: while a packet is worked on, what later ones will need is on its way from
 * memory. By the time its turn comes its bytes, its flow and what is read of it are in
 * the cache, however many others there are.
 */
static struct work *slot(struct engine *e, unsigned i)
{
	return &e->work[i % ENGINE_SLOTS];
}

static void decode(struct engine *e, const struct frame *frames, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		const struct frame *f = &frames[i];
		struct work *w = slot(e, i);

		e->stats.packets++;
		e->stats.bytes += f->wire_len;
		if (!packet_decode(f->data, f->link, f->time_ns, f->wire_len, &w->p))
			e->stats.malformed++;
		w->p.place = f->place;
		engine_place(e, f, w);
		flow_hint(e->flows, &w->p, w->segment, &w->hint);
		if (e->policy && !f->verdict && !f->sealed)
			floor_hint(e->floor, &w->hint.key, &w->floor_hint);
		else
			w->floor_hint.key = NULL;
	}
	for (unsigned i = from; i < to; i++)
		flow_prefetch_bucket(e->flows, &slot(e, i)->hint);
}

static void fetch_flows(struct engine *e, const struct frame *frames, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		flow_prefetch(e->flows, &slot(e, i)->hint);
		if (slot(e, i)->floor_hint.key)
			floor_prefetch(e->floor, &slot(e, i)->floor_hint);
	}
}

static void fetch_sessions(struct engine *e, const struct frame *frames, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		session_prefetch(flow_guess(e->flows, &slot(e, i)->hint));
	for (unsigned i = from; e->policy && i < to; i++)
		if (slot(e, i)->floor_hint.key)
			floor_prefetch_again(e->floor, &slot(e, i)->floor_hint);
}

static void finish(struct engine *e, const struct frame *frames, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		session_prefetch_talk(flow_guess(e->flows, &slot(e, i)->hint));
	for (unsigned i = from; i < to; i++) {
		advance(e, frames[i].time_ns);
		if (__builtin_expect(e->mirror != NULL, 0))
			take_filed(e, &frames[i], slot(e, i));
		else
			engine_take(e, &frames[i], slot(e, i));
	}
}

static void look_ahead(const struct frame *frames, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		__builtin_prefetch(frames[i].data.data);
}

static void clean_up(struct engine *e)
{
	flow_expire(e->flows, e->wall_ns, EXPIRE_BURST);
	fragment_expire(e->fragments, e->wall_ns, EXPIRE_BURST);
	if (e->carried_fragments)
		fragment_expire(e->carried_fragments, e->wall_ns, EXPIRE_BURST);
	tally_tick(e->notice.tally, e->now_ns);
	bedside_tick(e->bedside, e->wall_ns);
	if (e->inventory)
		inventory_tick(e->inventory, e->wall_ns);
}

/* Where the group `n` begins. */
static unsigned group(unsigned n, unsigned count)
{
	return n * ENGINE_GROUP < count ? n * ENGINE_GROUP : count;
}

void engine_burst(struct engine *e, struct capture *c, const struct frame *frames, unsigned count)
{
	unsigned groups = (count + ENGINE_GROUP - 1) / ENGINE_GROUP;

	e->capture = c;
	if (!count && e->awaiting)
		engine_awaited(e, true);
	look_ahead(frames, 0, group(1, count));
	for (unsigned n = 0; groups && n < groups + 3; n++) {
		look_ahead(frames, group(n + 1, count), group(n + 2, count));
		decode(e, frames, group(n, count), group(n + 1, count));
		if (n >= 1)
			fetch_flows(e, frames, group(n - 1, count), group(n, count));
		if (n >= 2)
			fetch_sessions(e, frames, group(n - 2, count), group(n - 1, count));
		if (n < 3)
			continue;
		finish(e, frames, group(n - 3, count), group(n - 2, count));
		if ((n - 3) % CLEAN_UP == CLEAN_UP - 1)
			clean_up(e);
	}
	if (groups % CLEAN_UP || !groups)
		clean_up(e);
}

void engine_blocked(struct engine *e, const struct gate_sample *s, uint64_t wall_ns)
{
	size_t len = s->captured < sizeof(s->data) ? s->captured : sizeof(s->data);
	struct work *w = &e->work[0];
	struct frame f = {.verdict = &s->verdict};

	advance(e, wall_ns);
	packet_decode((struct bytes){s->data, len}, LINK_ETHERNET, wall_ns, s->wire_len, &w->p);
	engine_place(e, &f, w);
	engine_judge(e, &s->verdict, w);
	engine_conclude_blocked(e, w);
}

void engine_tick(struct engine *e, struct capture *c, uint64_t wall_ns)
{
	e->capture = c;
	advance(e, wall_ns);
	flow_expire(e->flows, e->wall_ns, EXPIRE_TICK);
	tell_full(e);
	fragment_expire(e->fragments, e->wall_ns, EXPIRE_TICK);
	tally_tick(e->notice.tally, e->now_ns);
	bedside_tick(e->bedside, e->wall_ns);
	engine_shut_doors(e);
	engine_bypass_tick(e);
	engine_release(e, false);
	if (e->o.evidence)
		evidence_tick(e->o.evidence, e->now_ns);
	if (e->o.archive)
		archive_tick(e->o.archive);
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

void engine_patients(const struct engine *e, uint64_t since_ns,
		     void (*fn)(void *arg, uint32_t device, uint64_t wall_ns), void *arg)
{
	if (e->patients)
		patients_each(e->patients, since_ns, fn, arg);
}

void engine_conduct(const struct engine *e, uint64_t since_ns,
		    void (*fn)(void *arg, uint32_t device, uint64_t talked_ns,
			       uint64_t misbehaved_ns),
		    void *arg)
{
	if (e->conduct)
		conduct_each(e->conduct, since_ns, fn, arg);
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
	t.report.room = NULL;
	t.report.sink_arg = arg;
	flow_each(e->flows, tell_flow, &t);
	return max - t.left;
}
