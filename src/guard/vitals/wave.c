#include "guard/vitals/monitor.h"

#define GAP_NS	  (300 * MS_NS) /* more than a message of waves holds */
#define RAIL_NS	  (100 * MS_NS) /* at the end of the range for so long: no signal */
#define BEYOND	  100 /* samples beyond an end of a stated range: it is a scale's, no converter's */
#define LIVE_NS	  (2500 * MS_NS)
#define INOP_NS	  (10 * SEC_NS)
#define OFF_NS	  (3 * SEC_NS)
#define ARRIVE_NS (3 * SEC_NS)
#define TAKEN_NS  (5 * SEC_NS)
#define ABSENT_NS (65 * SEC_NS)

static void forget(struct wave *w)
{
	struct vitals_monitor *m = w->owner;

	for (unsigned i = 0; m && i < MONITOR_WAVES; i++)
		if (m->wave[i] == w)
			m->wave[i] = NULL;
	w->owner = NULL;
}

/* One that is free, one that was never used, or the one longest untouched; in no list. */
static struct wave *from_pool(struct vitals *v)
{
	struct recent *oldest = recent_oldest(&v->waves_recent);
	struct wave *w = oldest ? RECENT_OF(oldest, struct wave, recent) : NULL;

	if ((!w || w->owner) && v->waves_used < v->o.streams)
		return &v->waves[v->waves_used++];
	recent_remove(&w->recent);
	forget(w);
	return w;
}

/* The wave of a monitor; taken from the pool where it is new. NULL where the monitor has too many. */
static struct wave *get(struct vitals *v, struct vitals_monitor *m, uint16_t code)
{
	struct wave **free_slot = NULL, *w;

	for (unsigned i = 0; i < MONITOR_WAVES; i++) {
		if (m->wave[i] && m->wave[i]->code == code)
			return m->wave[i];
		if (!m->wave[i] && !free_slot)
			free_slot = &m->wave[i];
	}
	if (!free_slot)
		return NULL;
	w = from_pool(v);
	memset(w, 0, sizeof(*w));
	recent_add(&v->waves_recent, &w->recent);
	w->owner = m;
	w->code = code;
	w->kind = param_wave(code);
	pulse_init(&w->pulse, w->kind == PARAM_ECG);
	echo_init(&w->echo);
	*free_slot = w;
	return w;
}

void wave_release(struct vitals *v, struct vitals_monitor *m)
{
	for (unsigned i = 0; i < MONITOR_WAVES; i++) {
		if (!m->wave[i])
			continue;
		m->wave[i]->owner = NULL;
		recent_give_up(&v->waves_recent, &m->wave[i]->recent);
		m->wave[i] = NULL;
	}
}

/* The monitor has said lately that it cannot measure such waves. */
static bool is_inop(const struct vitals_monitor *m, enum param_kind kind)
{
	return m->inop_ns[kind] && m->arrival_ns - m->inop_ns[kind] < INOP_NS;
}

static bool is_off(const struct vitals_monitor *m, const struct wave *w)
{
	return (w->off_ns && m->arrival_ns - w->off_ns < OFF_NS) || is_inop(m, w->kind);
}

double wave_rate(const struct vitals_monitor *m, enum param_kind kind)
{
	for (unsigned i = 0; i < MONITOR_WAVES; i++) {
		const struct wave *w = m->wave[i];
		const struct pulse_beat *last;
		uint64_t interval;

		if (!w || w->kind != kind || is_off(m, w) || !pulse_is_known(&w->pulse) ||
		    m->arrival_ns - w->touched_ns > LIVE_NS || w->length_ns > LIVE_NS)
			continue;
		last = pulse_back(&w->pulse, 0);
		interval = pulse_interval(&w->pulse, w->pulse.now_ns, 12);
		if (interval && w->pulse.now_ns - last->time_ns < LIVE_NS)
			return 60.0 * SEC_NS / (double)interval;
	}
	return 0;
}

static void interrupt(struct wave *w)
{
	pulse_break(&w->pulse);
	echo_break(&w->echo);
	rhythm_break(&w->rhythm);
	w->rhythm_beats = w->pulse.beats;
	w->same = 0;
	w->next_ns = 0;
}

static void say_replay(struct vitals *v, struct vitals_monitor *m, const struct wave *w,
		       const struct echo_finding *e)
{
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_REPLAYED, w->code, 0.9);

	if (!f)
		return;
	f->since_ns = m->arrival_ns - (uint64_t)(e->span_s * SEC_NS);
	tell_text(f, "wave", param_name(w->code));
	tell_number(f, "seconds_ago", e->lag_s);
	tell_number(f, "seconds_alike", e->span_s);
	tell_number(f, "summits", e->summits);
	tell_end(v, f);
}

/* Samples may be alike by chance at one summit, beats by habit: this is less sure than that. */
static void say_rhythm(struct vitals *v, struct vitals_monitor *m, const struct wave *w,
		       const struct repeat_finding *r)
{
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_REPLAYED, w->code, 0.7);

	if (!f)
		return;
	f->since_ns = m->arrival_ns - (uint64_t)(rhythm_ago(&w->rhythm, r->length) * SEC_NS);
	tell_text(f, "wave", param_name(w->code));
	tell_number(f, "seconds_ago", rhythm_ago(&w->rhythm, r->distance));
	tell_number(f, "seconds_alike", rhythm_ago(&w->rhythm, r->length));
	tell_number(f, "beats", r->length);
	tell_number(f, "usual_beats", r->usual);
	tell_end(v, f);
}

/* A beat stands once the next has come: until then a higher one may take its place. */
static void follow_beats(struct vitals *v, struct vitals_monitor *m, struct wave *w)
{
	struct repeat_finding found;

	for (; w->rhythm_beats + 1 < w->pulse.beats; w->rhythm_beats++) {
		unsigned back = (unsigned)(w->pulse.beats - 1 - w->rhythm_beats);
		const struct pulse_beat *b = pulse_back(&w->pulse, back);

		if (b && rhythm_beat(&w->rhythm, b->onset_ns, &found))
			say_rhythm(v, m, w, &found);
	}
}

static void say_samples(struct vitals *v, struct vitals_monitor *m, const struct wave *w,
			int64_t gap_ns)
{
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_SEQUENCE_BREAK, w->code, 0.5);

	if (!f)
		return;
	tell_text(f, "kind", "samples");
	tell_text(f, "wave", param_name(w->code));
	tell_number(f, "milliseconds", (double)gap_ns / MS_NS);
	tell_end(v, f);
}

/*
 * Told to somebody else before: two stations may ask for the same curve. What says itself when it was
 * measured may come late again, too, as long as others go on.
 */
static bool was_taken(const struct vitals_monitor *m, const struct wave *w,
		      const struct vitals_wave *in)
{
	uint64_t length = (uint64_t)in->count * w->period_ns;

	if (in->start_ns)
		return in->start_ns + length / 2 < w->next_ns &&
		       m->arrival_ns - w->taken_ns < TAKEN_NS;
	return m->has_clock && m->time_ns + length / 2 < w->next_ns &&
	       w->next_ns - m->time_ns < TAKEN_NS;
}

/*
 * Where these samples belong in the monitor's time; interrupts the wave where they don't follow. Those
 * that say it themselves may be strips with gaps in between: they go back, or there is nothing to say.
 */
static uint64_t start_of(struct vitals *v, struct vitals_monitor *m, struct wave *w,
			 const struct vitals_wave *in)
{
	uint64_t length = (uint64_t)in->count * w->period_ns;
	uint64_t start = in->start_ns ? in->start_ns : m->time_ns;
	int64_t gap;

	if (!m->has_clock && !in->start_ns) {
		start = w->next_ns ? w->next_ns : m->arrival_ns - length;
		gap = (int64_t)(m->arrival_ns - start - length);
		if (gap > -(int64_t)ARRIVE_NS && gap < (int64_t)ARRIVE_NS)
			return start;
		interrupt(w);
		return m->arrival_ns - length;
	}
	if (!w->next_ns)
		return start;
	gap = (int64_t)(start - w->next_ns);
	if (gap < (int64_t)GAP_NS && gap > -(int64_t)GAP_NS)
		return start;
	if (m->step == CONTINUITY_NEXT && !w->anew && (gap < 0 || !in->start_ns))
		say_samples(v, m, w, gap);
	interrupt(w);
	return start;
}

/* At an end of the range it states, or beyond it? `moved`: the value is another than the last. */
static bool is_at_end(uint8_t *beyond, int32_t out, bool moved)
{
	if (out < 0)
		return false;
	if (out > 0 && moved && *beyond < BEYOND)
		(*beyond)++;
	return *beyond < BEYOND;
}

/* A converter at the end of its range, or a mark in place of a value. */
static bool is_no_signal(struct wave *w, const struct vitals_wave *in, int32_t value)
{
	bool end;

	if (value == VITALS_INVALID)
		return true;
	w->same = value == w->last ? w->same + 1 : 0;
	w->last = value;
	if (!in->has_range)
		return false;
	end = is_at_end(&w->below, in->low - value, !w->same) ||
	      is_at_end(&w->above, value - in->high, !w->same);
	return end && (uint64_t)w->same * w->period_ns >= RAIL_NS;
}

static void take_samples(struct vitals *v, struct vitals_monitor *m, struct wave *w,
			 const struct vitals_wave *in, uint64_t start)
{
	bool beats = w->kind == PARAM_ECG || w->kind == PARAM_PULSE;
	struct echo_finding e;

	for (unsigned i = 0; i < in->count; i++) {
		if (is_no_signal(w, in, in->values[i])) {
			w->off_ns = m->arrival_ns;
			interrupt(w);
			continue;
		}
		if (beats)
			pulse_sample(&w->pulse, in->values[i], w->period_ns,
				     start + (uint64_t)i * w->period_ns);
		if (echo_sample(&w->echo, in->values[i], w->period_ns, &e))
			say_replay(v, m, w, &e);
	}
	if (beats)
		follow_beats(v, m, w);
	w->length_ns = (uint64_t)in->count * w->period_ns;
	w->next_ns = start + w->length_ns;
	w->taken_ns = m->arrival_ns;
	w->anew = false;
}

static void say_flat(struct vitals *v, struct vitals_monitor *m, const struct wave *ecg,
		     const struct wave *other, const struct flatline *f)
{
	uint64_t flat = ecg->pulse.now_ns - f->since_ns;
	struct vitals_finding *t =
		tell_begin(v, m, REASON_VITALS_FLATLINE_PERFUSING, ecg->code, f->confidence);

	if (!t)
		return;
	t->since_ns = m->arrival_ns - flat;
	tell_text(t, "flat", param_name(ecg->code));
	tell_text(t, "live", param_name(other->code));
	tell_number(t, "seconds", (double)flat / SEC_NS);
	tell_number(t, "pulses", f->pulses);
	tell_number(t, "pulse_height", f->height);
	tell_number(t, "flat_height", f->moved);
	if (f->doubt)
		tell_text(t, "may_be", f->doubt);
	tell_end(v, t);
}

static bool can_judge(const struct vitals_monitor *m, const struct wave *w)
{
	return w && (w->kind == PARAM_ECG || w->kind == PARAM_PULSE) && !is_off(m, w) &&
	       m->arrival_ns - w->touched_ns < LIVE_NS;
}

/* Pulses tell more than other leads do, and more pulses more than few. */
static void judge_lead(struct vitals *v, struct vitals_monitor *m, struct wave *ecg)
{
	static const struct flatline none;
	struct flatline best = none, f;
	const struct wave *by = NULL;

	for (unsigned i = 0; i < MONITOR_WAVES; i++) {
		const struct wave *w = m->wave[i];

		if (w == ecg || !can_judge(m, w))
			continue;
		f = flatline_judge(&ecg->pulse, &w->pulse,
				   w->code == ecg->flat_by ? &ecg->flat : &none);
		if (f.confidence > best.confidence) {
			best = f;
			by = w;
		}
	}
	if (!by)
		return;
	ecg->flat = best;
	ecg->flat_by = by->code;
	say_flat(v, m, ecg, by, &best);
}

/* A lead whose heart goes on at a pace. */
static bool is_beating(const struct vitals_monitor *m, const struct wave *w)
{
	const struct pulse_beat *last = pulse_back(&w->pulse, 0);

	return w->kind == PARAM_ECG && pulse_is_known(&w->pulse) && last &&
	       w->pulse.now_ns - last->time_ns < LIVE_NS;
}

/*
 * Of the pleth alone: lines are closed and flushed, and then flat for minutes, day after day.
 * A clip that slipped, a cuff on the same arm, a heart whose beats move no blood, or somebody who
 * took the curve away: nobody can tell these apart from here, and the last but one cannot wait for
 * it. Cuffs are tight for less than a minute.
 */
static void judge_pulse(struct vitals *v, struct vitals_monitor *m, const struct wave *pulse)
{
	const struct wave *lead = NULL;
	uint64_t flat = pulse->pulse.now_ns - pulse->pulse.active_ns;
	struct vitals_finding *f;

	if (!pulse_is_known(&pulse->pulse) || !pulse->pulse.active_ns || flat < ABSENT_NS)
		return;
	for (unsigned i = 0; i < MONITOR_WAVES && !lead; i++)
		if (can_judge(m, m->wave[i]) && is_beating(m, m->wave[i]))
			lead = m->wave[i];
	if (!lead)
		return;
	f = tell_begin(v, m, REASON_VITALS_PULSE_ABSENT, pulse->code, 0.3);
	if (!f)
		return;
	f->since_ns = m->arrival_ns - flat;
	tell_text(f, "flat", param_name(pulse->code));
	tell_text(f, "live", param_name(lead->code));
	tell_number(f, "seconds", (double)flat / SEC_NS);
	tell_end(v, f);
}

void vitals_wave(struct vitals *v, struct vitals_monitor *m, const struct vitals_wave *in)
{
	struct wave *w = get(v, m, in->code);

	if (!w)
		return;
	w->touched_ns = m->arrival_ns;
	recent_use(&v->waves_recent, &w->recent);
	if (in->period_ns && in->period_ns != w->period_ns) {
		w->period_ns = in->period_ns;
		interrupt(w);
	}
	if (!w->period_ns || (!in->count && !in->off && !in->test))
		return;
	if (in->off || in->test) {
		w->off_ns = m->arrival_ns;
		interrupt(w);
		return;
	}
	if (was_taken(m, w, in))
		return;
	take_samples(v, m, w, in, start_of(v, m, w, in));
	for (unsigned i = 0; i < MONITOR_WAVES; i++)
		if (can_judge(m, m->wave[i]) && m->wave[i]->kind == PARAM_ECG)
			judge_lead(v, m, m->wave[i]);
	if (param_is_pleth(w->code) && can_judge(m, w))
		judge_pulse(v, m, w);
}
