#include "guard/bedside.h"

#include <math.h>
#include <stdlib.h>

#include "base/fnv.h"
#include "guard/proto/broadcast.h"
#include "guard/proto/hl7.h"
#include "guard/proto/intellivue.h"
#include "guard/proto/param.h"

#define STREAMS		512
#define ANSWER_MS	10000 /* an alert manager acknowledges at once; slower ones are as good as none */
#define UNIT_FAHRENHEIT 0x1140
#define SILENT		0xc700 /* AlertState: inhibited, suspended, in test, standby or demo */
#define SAMPLES		8192   /* of a wave in one message */
#define FRACTION	1000   /* steps of a unit, where samples are decimals */

struct bedside {
	struct vitals *vitals;
	bedside_fn on_patient;
	void *arg;
};

struct bedside *bedside_new(uint32_t streams, vitals_fn fn, bedside_fn on_patient, void *arg)
{
	const struct vitals_options o = {.streams = streams ? streams : STREAMS};
	struct bedside *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->on_patient = on_patient;
	b->arg = arg;
	b->vitals = vitals_new(&o, fn, arg);
	if (!b->vitals) {
		free(b);
		return NULL;
	}
	return b;
}

void bedside_free(struct bedside *b)
{
	if (!b)
		return;
	vitals_free(b->vitals);
	free(b);
}

void bedside_tick(struct bedside *b, uint64_t time_ns)
{
	vitals_tick(b->vitals, time_ns);
}

/* One end of the conversation as a source; its hardware address where it sent the packet. */
static void source_of(const struct bedside_message *m, unsigned end, struct vitals_source *ret_s)
{
	const struct flow *f = m->said->flow;
	const struct packet *p = m->said->packet;

	memset(ret_s, 0, sizeof(*ret_s));
	ret_s->ip = f->key.ip[end ? !f->starter : f->starter];
	ret_s->segment = f->key.segment;
	ret_s->bound = m->bound;
	ret_s->device = m->device;
	ret_s->peer = m->peer;
	ret_s->generation = m->generation;
	if (end == m->said->end && end == m->said->sender && p->has_mac)
		memcpy(ret_s->mac, p->src_mac, sizeof(ret_s->mac));
}

/* Every poll, of every station that asks the same monitor, is answered in a row of its own. */
static uint32_t channel_of(const struct bedside_message *m, const struct intellivue_msg *i)
{
	const uint16_t poll[] = {i->extended, i->class_, i->row};
	uint64_t h = fnv64(FNV64_START, (struct bytes){(const uint8_t *)&m->said->flow->id,
						       sizeof(m->said->flow->id)});

	return (uint32_t)fnv64(h, (struct bytes){(const uint8_t *)poll, sizeof(poll)});
}

/* Whatever it does not itself declare off or a test: a flat line may be a patient's. */
static bool shows_patient(const struct intellivue_msg *i)
{
	for (unsigned k = 0; k < i->numerics; k++)
		if (!(i->numeric[k].state & (INTELLIVUE_OFF | INTELLIVUE_TEST)) &&
		    !isnan(i->numeric[k].value))
			return true;
	for (unsigned k = 0; k < i->waves; k++)
		if (!(i->wave[k].state & (INTELLIVUE_OFF | INTELLIVUE_TEST)) && i->wave[k].count)
			return true;
	return false;
}

static void tell_patient(const struct bedside *b, const struct bedside_message *m)
{
	if (m->bound && b->on_patient)
		b->on_patient(b->arg, m);
}

static void intellivue_waves(struct bedside *b, struct vitals_monitor *v,
			     const struct intellivue_msg *i)
{
	for (unsigned k = 0; k < i->waves; k++) {
		const struct intellivue_wave *w = &i->wave[k];
		const struct vitals_wave in = {
			.code = w->code,
			.period_ns = w->period_us * 1000,
			.values = &i->sample[w->first],
			.count = w->count,
			.off = w->state & INTELLIVUE_OFF,
			.test = w->state & INTELLIVUE_TEST,
			.has_range = w->has_range,
			.low = w->low,
			.high = w->high,
		};

		vitals_wave(b->vitals, v, &in);
	}
}

static void intellivue_numerics(struct bedside *b, struct vitals_monitor *v,
				const struct intellivue_msg *i)
{
	for (unsigned k = 0; k < i->numerics; k++) {
		const struct intellivue_numeric *n = &i->numeric[k];
		const struct vitals_numeric in = {
			.code = n->code,
			.value = n->unit == UNIT_FAHRENHEIT ? (n->value - 32) / 1.8 : n->value,
			.off = n->state & INTELLIVUE_OFF,
			.test = n->state & INTELLIVUE_TEST,
			.in_alarm = n->state & INTELLIVUE_IN_ALARM,
		};

		vitals_numeric(b->vitals, v, &in);
	}
}

static void intellivue_alarms(struct bedside *b, struct vitals_monitor *v,
			      const struct intellivue_msg *i, bool withheld)
{
	for (unsigned k = 0; k < i->alarms; k++) {
		const struct intellivue_alarm *a = &i->alarm[k];
		const struct vitals_alarm in = {
			.id = (uint64_t)a->source << 16 | a->code,
			.source = a->source,
			.code = a->code & 0xfffe, /* the last bit tells the source's partition */
			.technical = a->technical,
			.withheld = withheld,
		};

		vitals_alarm(b->vitals, v, &in);
	}
	if (i->has_alarms)
		vitals_alarm_list(b->vitals, v, i->alarm_count, i->alert_state & SILENT);
}

static void intellivue_said(struct bedside *b, const struct bedside_message *m)
{
	const struct intellivue_msg *i = (const struct intellivue_msg *)m->said->msg;
	struct vitals_place p = {.time_ns = m->said->packet->time_ns, .part = i->part};
	struct vitals_source from, other;
	struct vitals_monitor *v;

	source_of(m, m->said->end, &from);
	source_of(m, !m->said->end, &other);
	if (i->is_poll)
		vitals_restart(b->vitals, &other, channel_of(m, i), p.time_ns);
	if (i->restart)
		vitals_restart(b->vitals, &from, VITALS_EVERY_CHANNEL, p.time_ns);
	if (!i->has_time && !i->system)
		return;
	if (shows_patient(i))
		tell_patient(b, m);
	from.system = i->system;
	p.channel = channel_of(m, i);
	if (i->has_time) {
		p.sequence_bits = i->has_sequence ? 16 : 0;
		p.sequence = i->sequence;
		p.clock_hz = INTELLIVUE_HZ;
		p.clock = i->time;
	}
	v = vitals_heard(b->vitals, &from, &p);
	if (!v)
		return;
	intellivue_waves(b, v, i);
	intellivue_numerics(b, v, i);
	intellivue_alarms(b, v, i, m->withheld);
	vitals_ended(b->vitals, v);
}

/* The number of an alert, or of the message that is acknowledged. Never 0. */
static uint64_t alert_id(struct bytes id)
{
	uint64_t h = fnv64(FNV64_START, id);

	return h ? h : 1;
}

static void hl7_alert(struct bedside *b, const struct bedside_message *m, const struct hl7_msg *h,
		      const struct vitals_source *from)
{
	const struct vitals_alarm a = {
		.id = alert_id(h->control_id),
		.withheld = m->withheld,
		.answer_ms = h->unanswered ? 0 : ANSWER_MS,
	};
	const struct vitals_place p = {.time_ns = m->said->packet->time_ns};
	struct vitals_monitor *v = vitals_heard(b->vitals, from, &p);

	if (v)
		vitals_alarm(b->vitals, v, &a);
}

static bool is_taken(struct bytes ack)
{
	return ack.len == 2 && (ack.data[0] == 'A' || ack.data[0] == 'C') && ack.data[1] == 'A';
}

/* What is invalid, deleted, wrong, or cannot be had; some senders put a negative number there. */
static bool is_off(const struct hl7_observation *o)
{
	return o->off || o->status == 'D' || o->status == 'W' || o->status == 'X' || o->value < 0;
}

static bool is_vital(const struct hl7_observation *o, struct vitals_numeric *ret_n)
{
	if (o->code >> 16 != MDC_SCADA)
		return false;
	*ret_n = (struct vitals_numeric){
		.code = (uint16_t)o->code,
		.value = o->unit == HL7_FAHRENHEIT ? (o->value - 32) / 1.8 : o->value,
		.off = is_off(o),
		.test = o->test,
	};
	return true;
}

/* The first observation of the subject's, from `k` on; `kept` where there is none. */
static unsigned next_of(const struct hl7_msg *h, uint64_t subject, unsigned k)
{
	while (k < h->kept && h->subjects[h->observations[k].patient] != subject)
		k++;
	return k;
}

static uint64_t sender_of(const struct hl7_msg *h, uint64_t subject)
{
	return fnv64(fnv64(subject, h->sending_application), h->sending_facility);
}

/* Ends of 16 bits stand for no value, or a converter that cannot say more. */
static int32_t sample_of(double value)
{
	bool end = value == INT16_MAX || value == INT16_MIN || value == UINT16_MAX;

	if (isnan(value) || end || fabs(value) > (double)INT32_MAX / FRACTION)
		return VITALS_INVALID;
	return (int32_t)lrint(value * FRACTION);
}

/*
 * A wave whose times are not said is not compared with others: another station may be told the same,
 * and whatever came a second late would look like a pulse that nothing explains.
 */
static __attribute__((noinline)) void hl7_samples(struct bedside *b,
						  const struct bedside_message *m,
						  const struct hl7_msg *h,
						  struct vitals_source *from)
{
	const struct vitals_place p = {.time_ns = m->said->packet->time_ns};
	struct hl7_wave w = h->wave;
	struct vitals_wave in = {.code = (uint16_t)w.code,
				 .period_ns = w.period_ns,
				 .start_ns = w.start_ns,
				 .off = w.off,
				 .test = w.test};
	struct vitals_monitor *v;
	int32_t sample[SAMPLES];
	double value;

	if (w.code >> 16 != MDC_SCADA)
		return;
	while (in.count < SAMPLES && hl7_sample(&w, &value))
		sample[in.count++] = sample_of(value);
	in.values = sample;
	if (in.count && !w.off && !w.test)
		tell_patient(b, m);
	if (!h->subject || (in.count && !w.start_ns))
		return;
	from->subject = h->subject;
	from->system = sender_of(h, h->subject);
	from->passed_on = true;
	v = vitals_heard(b->vitals, from, &p);
	if (v)
		vitals_wave(b->vitals, v, &in);
}

/* Who is not named cannot be compared with anybody, and is a patient all the same. */
static void hl7_observations_of(struct bedside *b, const struct bedside_message *m,
				const struct hl7_msg *h, uint64_t subject,
				struct vitals_source *from)
{
	uint64_t sender = sender_of(h, subject);
	const struct vitals_place p = {
		.time_ns = m->said->packet->time_ns,
		.channel = (uint32_t)sender, /* each has a clock of its own */
		.sent_s = h->sent_s,
		.print = (uint32_t)(fnv64(h->sent_s, h->control_id) >> 16),
	};
	unsigned k = next_of(h, subject, 0);
	struct vitals_monitor *v = NULL;

	from->subject = subject;
	from->system = sender;
	from->passed_on = true;
	if (k < h->kept && subject)
		v = vitals_heard(b->vitals, from, &p);
	for (; k < h->kept; k = next_of(h, subject, k + 1)) {
		struct vitals_numeric in;

		if (!is_vital(&h->observations[k], &in))
			continue;
		if (v)
			vitals_numeric(b->vitals, v, &in);
		/* A pump that delivers nothing says 0. */
		if (!in.off && !in.test && in.value > 0)
			tell_patient(b, m);
	}
	if (v)
		vitals_ended(b->vitals, v);
}

/* A message may be of several patients, and come back to one of them. */
static void hl7_observations(struct bedside *b, const struct bedside_message *m,
			     const struct hl7_msg *h, struct vitals_source *from)
{
	for (unsigned i = 0; i < h->patients; i++) {
		unsigned first = 0;

		while (h->subjects[first] != h->subjects[i])
			first++;
		if (first == i)
			hl7_observations_of(b, m, h, h->subjects[i], from);
	}
}

static void hl7_said(struct bedside *b, const struct bedside_message *m)
{
	const struct hl7_msg *h = (const struct hl7_msg *)m->said->msg;
	struct vitals_source from, other;

	source_of(m, m->said->end, &from);
	source_of(m, !m->said->end, &other);
	if (m->said->msg->part)
		hl7_samples(b, m, h, &from);
	else if (h->ack_code.data)
		vitals_answer(b->vitals, &other, alert_id(h->acked_id), is_taken(h->ack_code),
			      m->said->packet->time_ns);
	else if (h->alert)
		hl7_alert(b, m, h, &from);
	else
		hl7_observations(b, m, h, &from);
}

/* Who it is, and that it is the one it says it is: there is nothing else to be read. */
static void broadcast_said(struct bedside *b, const struct bedside_message *m)
{
	const struct broadcast_msg *c = (const struct broadcast_msg *)m->said->msg;
	const struct vitals_place p = {.time_ns = m->said->packet->time_ns, .channel = c->port};
	struct vitals_source from;

	source_of(m, m->said->end, &from);
	if (c->has_address)
		from.system = (uint64_t)c->address[0] << 24 | (uint64_t)c->address[1] << 16 |
			      (uint64_t)c->address[2] << 8 | c->address[3];
	(void)vitals_heard(b->vitals, &from, &p);
	tell_patient(b, m);
}

void bedside_said(struct bedside *b, const struct bedside_message *m)
{
	if (m->said->msg->reason != REASON_NONE && m->said->strict)
		return;
	if (m->said->proto == &intellivue_proto)
		intellivue_said(b, m);
	else if (m->said->proto == &hl7_proto)
		hl7_said(b, m);
	else if (m->said->proto == &broadcast_proto)
		broadcast_said(b, m);
}
