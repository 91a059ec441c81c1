#include "base/clock.h"
#include "guard/engine_internal.h"
#include "guard/archive.h"
#include "guard/hairpin.h"
#include "guard/reset.h"

/* Is the flow's rule one of the policy at hand? */
static bool is_ruled(const struct engine *e, const struct flow *f)
{
	return e->messages && f->generation == policy_generation(e->policy) &&
	       !(f->flags & REPORT_FLOW_DATA); /* the rule's words are about what announced it */
}

void engine_vitals_found(void *arg, const struct vitals_finding *f)
{
	struct engine *e = arg;

	notice_vitals(&e->notice, f, e->saying);
	if (e->saying && e->found == REASON_NONE)
		e->found = f->reason;
}

void engine_patient_seen(void *arg, const struct bedside_message *m)
{
	struct engine *e = arg;

	if (e->patients && m->generation == policy_generation(e->policy))
		patients_seen(e->patients, m->device, m->said->packet->time_ns);
}

/* Vital signs are compared, whoever sent them; nothing that comes of it changes a verdict. */
static void watch_vitals(struct engine *e, const struct session_message *m, bool withheld)
{
	const struct work *w = e->heard;
	const struct gate_device *d = engine_device(e, w->v.device);
	bool to_device = w->v.flags & GATE_VERDICT_TO_DEVICE, turned = m->sender != m->end;
	struct bedside_message b = {
		.said = m,
		.bound = d && !(d->flags & GATE_DEVICE_STRANGER) && to_device == turned &&
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

/* What its rules let pass a shield may deny; rehearsed, it only says so. */
static __attribute__((cold)) enum reason
shield(const struct engine *e, const struct session_message *m, struct report_message *told)
{
	struct shield_talk t = engine_talk(m->flow, &e->heard->v, m->end);
	enum shield_word word = shield_message(e->shields, &t, m->proto, m->msg);

	if (word == SHIELD_PASS)
		return REASON_NONE;
	told->reason = REASON_POLICY_SHIELDED;
	told->would_drop = true;
	return word == SHIELD_DROP ? REASON_POLICY_SHIELDED : REASON_NONE;
}

static void note_shown(struct engine *e, const struct session_message *m)
{
	struct weaknesses shown = weaknesses_of(m->proto, m->msg);

	e->shown[m->end].by |= shown.by;
	/* Whoever says nothing there was only tried, as by who searches for services. */
	if (m->flow->packets[!m->end])
		e->shown[m->end].to |= shown.to;
}

static enum reason judge(struct engine *e, const struct session_message *m)
{
	const struct gate_device *d =
		is_ruled(e, m->flow) ? engine_device(e, m->flow->device) : NULL;
	enum reason why =
		d ? message_judge(e->messages, m->flow->rule, m->proto, m->msg) : REASON_NONE;
	const struct gate_verdict *v = &e->heard->v;
	struct report_message told = {
		.said = m,
		.reason = why != REASON_NONE ? why : m->msg->reason,
		.drop = why != REASON_NONE && d->mode == GATE_ENFORCE,
		.would_drop = why != REASON_NONE && d->mode != GATE_ENFORCE,
		.by_rule = why != REASON_NONE,
		.unmatched = why == REASON_POLICY_MESSAGE
				     ? message_unmatched(e->messages, m->flow->rule, m->msg)
				     : NULL,
	};

	if (d && e->shields && why == REASON_NONE)
		why = shield(e, m, &told);
	if (why == REASON_POLICY_SHIELDED && d->mode == GATE_ENFORCE) {
		told.drop = true;
		told.would_drop = false;
	}

	/* In a file that is only looked at, what was refused is read all the same. */
	if (v->action == GATE_DROP) {
		told.reason = v->reason;
		told.drop = true;
	}

	if (m->msg->ahead && !(told.drop && e->o.inline_))
		return REASON_NONE;
	if (told.reason == REASON_NONE)
		told.reason = engine_hidden(e, m);
	if (told.reason == REASON_NONE)
		told.reason = engine_announced(e, m, &told.opens);
	notice_message(&e->notice, &told);
	if (e->inventory)
		note_shown(e, m);
	if (e->found == REASON_NONE)
		e->found = told.reason;
	watch_vitals(e, m, told.drop);
	return why;
}

enum reason engine_message_said(void *arg, const struct session_message *m)
{
	struct engine *e = arg;

	if (__builtin_expect(!m->msg->part, 1))
		return judge(e, m);
	watch_vitals(e, m, false);
	return REASON_NONE;
}

/* Of devices that are archived: what they say, and what is said to them. */
void engine_keep(void *arg, const struct session_kept *k, uint32_t *number)
{
	struct engine *e = arg;
	const struct gate_device *d;

	switch (k->what) {
	case TALK_BEGINS:
		d = is_ruled(e, k->flow) ? engine_device(e, k->flow->device) : NULL;
		*number = d && d->flags & GATE_DEVICE_ARCHIVE
				  ? archive_begin(e->o.archive, k->talk, k->end)
				  : 0;
		break;
	case TALK_GOES_ON:
		archive_more(e->o.archive, *number, k->data);
		break;
	case TALK_ENDS:
		archive_end(e->o.archive, *number,
			    &(struct archive_ending){
				    .talk = k->talk,
				    .end = k->end,
				    .flow_id = k->flow->id,
				    .time_ns = e->wall_ns,
				    .device = policy_device_name(e->policy, k->flow->device)});
		break;
	case TALK_LOST:
		archive_lose(e->o.archive, *number);
		break;
	}
}

const struct proto *engine_expected(void *arg, const struct flow *f)
{
	const struct engine *e = arg;

	return is_ruled(e, f) ? message_protocol(e->messages, f->rule) : NULL;
}

enum reason engine_unread(void *arg, struct flow *f)
{
	return engine_expected(arg, f) ? REASON_POLICY_WRONG_PROTOCOL : REASON_NONE;
}

/* A segment of ours in the name of the packet's sender, or `back` in its receiver's. */
static void say(struct engine *e, const struct work *w, bool back, struct bytes segment)
{
	const struct gate_port *port = e->roster ? roster_port(e->roster, w->ifindex) : NULL;
	bool hairpin = w->v.flags & GATE_VERDICT_HAIRPIN;
	struct frame f = {.data = segment};

	if (!f.data.len || !port)
		return;
	if (hairpin && !back && !hairpin_readdress(&f, e->policy, &w->v, port))
		return;
	engine_say(e, w, f.data, back || hairpin ? w->ifindex : port->partner);
}

void engine_reset(struct engine *e, const struct work *w, bool back, uint32_t seq)
{
	uint8_t bytes[RESET_MAX];

	say(e, w, back, (struct bytes){bytes, reset_make(&w->p, back, seq, bytes)});
}

/* The packet's receiver, where it stands. */
static __attribute__((cold)) void ask(struct engine *e, const struct work *w)
{
	uint8_t bytes[RESET_MAX];

	say(e, w, false, (struct bytes){bytes, reset_ask(&w->p, bytes)});
}

/* The kernel keeps a conversation blocked for so long: no guard that is started meanwhile knows
 * what was said in it. */
#define BLOCK_NS (60 * NSEC_PER_SEC)
#define AGAIN_NS (NSEC_PER_SEC / 10)

/* Where packets of it still come by, its time was over: at most ten of them a second are marked anew. */
static __attribute__((cold)) void mark(struct engine *e, const struct work *w, const struct flow *f,
				       bool again)
{
	if (!e->o.block || w->v.action != GATE_DROP)
		return;
	if (again && e->now_ns < e->marked_ns + AGAIN_NS)
		return;
	e->marked_ns = e->now_ns;
	e->o.block(e->o.block_arg, &f->key, (enum reason)f->session_reason, BLOCK_NS);
}

/*
 * A reset is believed at the very next byte alone (RFC 5961 §3.2). The receiver has what it confirmed,
 * and most likely all that went on, whose confirmation is still under way.
 */
static void reset_both(struct engine *e, const struct work *w, const struct flow *f, unsigned end,
		       uint32_t stood)
{
	uint32_t confirmed;

	engine_reset(e, w, false, stood);
	if (session_expects(f, end, &confirmed) && confirmed != stood)
		engine_reset(e, w, false, confirmed);
	engine_reset(e, w, true, w->p.tcp_ack);
}

/* Nothing more passes in either direction, and both ends know it. */
static __attribute__((cold)) void cut_off(struct engine *e, struct work *w, struct flow *f,
					  unsigned end, uint32_t stood)
{
	f->session_reason = w->v.reason;
	f->state = TCP_RESET; /* the same ports may begin anew */
	if (w->p.proto == PROTO_TCP && !e->o.packet_times)
		reset_both(e, w, f, end, stood);
	session_end(e->sessions, f);
	mark(e, w, f, false);
}

void engine_reset_again(struct engine *e, const struct work *w)
{
	if (w->v.action == GATE_DROP && w->p.proto == PROTO_TCP && w->p.tcp_flags & TCP_ACK &&
	    !(w->p.tcp_flags & (TCP_RST | TCP_SYN)) && e->o.inline_ && !e->o.packet_times)
		engine_reset(e, w, true, w->p.tcp_ack);
}

/*
 * The table was full of conversations that were all amid a message, and one of them was evicted: what is
 * picked up since, where a rule says what may be said, may be the rest of it. For as long as silence is
 * borne (flow.h).
 */
static __attribute__((cold)) bool may_be_a_rest(struct engine *e, const struct work *w,
						const struct flow *f)
{
	const struct gate_device *d = engine_device(e, w->v.device);

	return w->p.proto == PROTO_TCP && w->p.payload.len && !f->tcp_began && !f->session_flags &&
	       d && d->mode == GATE_ENFORCE && e->now_ns - e->forgot_ns < FLOW_STAYS_NS &&
	       engine_expected(e, f);
}

bool engine_hear(struct engine *e, struct work *w, struct flow *f, unsigned end)
{
	const struct gate_device *d = engine_device(e, w->v.device);
	struct session_heard heard;

	if (__builtin_expect(f->session_reason, 0)) {
		engine_refuse(e, w, REASON_POLICY_FLOW_BLOCKED);
		engine_reset_again(e, w);
		mark(e, w, f, true);
		return false;
	}
	if (__builtin_expect(e->forgot_ns && !f->session, 0) && may_be_a_rest(e, w, f)) {
		engine_refuse(e, w, REASON_STREAM_UNVERIFIED);
		if (e->o.inline_)
			cut_off(e, w, f, end, w->p.tcp_seq);
		return false;
	}
	e->heard = w;
	heard = session_hear(e->sessions, f, &w->p, end);
	if (__builtin_expect(heard.fresh != 0, 0)) {
		notice_anomalies(&e->notice, &w->p, heard.fresh, &w->v, w->segment, f, e->now_ns);
		engine_count_anomalies(e, heard.fresh);
	}
	if (heard.reason == REASON_NONE || w->v.action == GATE_DROP)
		return false;
	/* A line that nobody inspects passes by in the kernel; where it comes through here all the
	 * same, what is seen of it decides nothing. */
	if (e->policy && w->v.action == GATE_PASS)
		return false;
	if ((heard.scope == SESSION_UNSURE || heard.scope == SESSION_BLIND) && d &&
	    d->fail == GATE_OPEN)
		w->v.reason = (uint8_t)heard.reason;
	else
		engine_refuse(e, w, heard.reason);
	if (__builtin_expect(heard.ask, 0) && w->v.action == GATE_DROP)
		ask(e, w);
	if (heard.scope >= SESSION_BLIND && w->v.action == GATE_DROP && e->o.inline_)
		cut_off(e, w, f, end, heard.stood);
	return heard.scope == SESSION_MESSAGE;
}
