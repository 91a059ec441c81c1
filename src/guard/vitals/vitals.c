#include "guard/vitals/vitals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/pages.h"
#include "guard/vitals/monitor.h"

#define STREAMS_MIN  4
#define SILENT_LISTS 3
#define SILENT_NS    (10 * SEC_NS)

struct vitals *vitals_new(const struct vitals_options *o, vitals_fn fn, void *arg)
{
	struct vitals *v = calloc(1, sizeof(*v));
	uint32_t buckets = 1;

	if (!v) {
		errno = ENOMEM;
		return NULL;
	}
	v->o = *o;
	if (v->o.streams < STREAMS_MIN)
		v->o.streams = STREAMS_MIN;
	v->monitor_count = v->o.streams / 2;
	while (buckets < v->monitor_count)
		buckets <<= 1;
	v->mask = buckets - 1;
	v->fn = fn;
	v->arg = arg;
	v->key = hash_key_random();
	v->monitors = calloc(v->monitor_count, sizeof(*v->monitors));
	v->buckets = calloc(buckets, sizeof(*v->buckets));
	v->systems = calloc(buckets, sizeof(*v->systems));
	recent_init(&v->monitors_recent);
	recent_init(&v->waves_recent);
	v->waves_size = v->o.streams * sizeof(*v->waves);
	v->waves = pages_map(&v->waves_size);
	if (!v->monitors || !v->buckets || !v->systems || !v->waves) {
		vitals_free(v);
		errno = ENOMEM;
		return NULL;
	}
	return v;
}

void vitals_free(struct vitals *v)
{
	if (!v)
		return;
	pages_unmap(v->waves, v->waves_size);
	free(v->systems);
	free(v->buckets);
	free(v->monitors);
	free(v);
}

static uint32_t *bucket_of(const struct vitals *v, const struct vitals_source *s)
{
	uint8_t key[sizeof(s->ip) + sizeof(s->subject) + sizeof(s->segment)];
	struct writer w = writer_new(key, sizeof(key));

	write_bytes(&w, &s->ip, sizeof(s->ip));
	write_bytes(&w, &s->subject, sizeof(s->subject));
	write_bytes(&w, &s->segment, sizeof(s->segment));
	return &v->buckets[hash_bytes(&v->key, key, sizeof(key)) & v->mask];
}

struct vitals_monitor *monitor_find(const struct vitals *v, const struct vitals_source *s)
{
	for (uint32_t n = *bucket_of(v, s); n; n = v->monitors[n - 1].next) {
		struct vitals_monitor *m = &v->monitors[n - 1];

		if (m->source.segment == s->segment && m->source.subject == s->subject &&
		    !memcmp(&m->source.ip, &s->ip, sizeof(s->ip)))
			return m;
	}
	return NULL;
}

static void forget(struct vitals *v, struct vitals_monitor *m)
{
	uint32_t *link = bucket_of(v, &m->source);

	while (&v->monitors[*link - 1] != m)
		link = &v->monitors[*link - 1].next;
	*link = m->next;
	identity_name(v, m, 0);
	wave_release(v, m);
	recent_remove(&m->recent);
}

/* One that was never used, or the one longest unheard. */
static struct vitals_monitor *spare(struct vitals *v)
{
	struct vitals_monitor *m;

	if (v->monitors_used < v->monitor_count)
		return &v->monitors[v->monitors_used++];
	m = RECENT_OF(recent_oldest(&v->monitors_recent), struct vitals_monitor, recent);
	forget(v, m);
	return m;
}

static struct vitals_monitor *make(struct vitals *v, const struct vitals_source *s)
{
	struct vitals_monitor *m = spare(v);
	uint32_t *bucket;

	memset(m, 0, sizeof(*m));
	recent_add(&v->monitors_recent, &m->recent);
	m->source = *s;
	m->source.system = 0; /* what it calls itself is compared when it is taken */
	bucket = bucket_of(v, s);
	m->next = *bucket;
	*bucket = (uint32_t)(m - v->monitors) + 1;
	return m;
}

struct vitals_monitor *vitals_heard(struct vitals *v, const struct vitals_source *s,
				    const struct vitals_place *p)
{
	struct vitals_monitor *m = monitor_find(v, s);

	if (!m)
		m = make(v, s);
	if (p->time_ns > v->now_ns)
		v->now_ns = p->time_ns;
	m->touched_ns = m->arrival_ns = p->time_ns;
	recent_use(&v->monitors_recent, &m->recent);
	identity_take(v, m, s);
	return place_take(v, m, p) ? m : NULL;
}

static struct numeric *numeric_of(struct vitals_monitor *m, uint16_t code)
{
	for (unsigned i = 0; i < MONITOR_NUMERICS; i++) {
		if (!m->numeric[i].code)
			m->numeric[i].code = code;
		if (m->numeric[i].code == code)
			return &m->numeric[i];
	}
	return NULL;
}

/* The wave that a rate is counted from, and the other one that a beat shows in. */
static enum param_kind wave_behind(uint16_t code, enum param_kind *ret_other)
{
	bool heart = param_numeric(code) == PARAM_HEART_RATE;

	*ret_other = heart ? PARAM_PULSE : PARAM_ECG;
	return heart ? PARAM_ECG : PARAM_PULSE;
}

static bool is_rate(uint16_t code)
{
	return param_numeric(code) == PARAM_HEART_RATE || param_numeric(code) == PARAM_PULSE_RATE;
}

/* A wave that goes at the rate that was told before makes a leap hard to believe. */
static void judge_leap(struct vitals *v, struct vitals_monitor *m, uint16_t code,
		       const struct numeric_leap *l)
{
	double confidence = 0.5, rate = 0;
	struct vitals_finding *f;
	enum param_kind other;

	if (is_rate(code))
		rate = wave_rate(m, wave_behind(code, &other));
	if (rate > 0 && numeric_rates_agree(rate, l->to))
		return;
	if (rate > 0 && numeric_rates_agree(rate, l->from))
		confidence = 0.9;
	f = tell_begin(v, m, REASON_VITALS_JUMP, code, confidence);
	if (!f)
		return;
	tell_text(f, "parameter", param_name(code));
	tell_number(f, "from", l->from);
	tell_number(f, "to", l->to);
	tell_number(f, "seconds", l->seconds);
	if (rate > 0)
		tell_number(f, "wave_rate", rate);
	tell_end(v, f);
}

/* Twice or half: a counter that takes T waves for beats, or misses every other, is no forgery. */
static bool is_double(double a, double b)
{
	double ratio = a > b ? a / b : b / a;

	return ratio > 1.8 && ratio < 2.2;
}

static void judge_rate(struct vitals *v, struct vitals_monitor *m, struct numeric *n, double value)
{
	enum param_kind other_kind, kind = wave_behind(n->code, &other_kind);
	double rate = wave_rate(m, kind), other = wave_rate(m, other_kind), sure;
	struct vitals_finding *f;
	uint64_t since;
	bool both, frozen;

	frozen = numeric_is_frozen(n, rate, &since);
	if (numeric_differs(n, rate, &since))
		frozen = false;
	else if (!frozen)
		return;
	both = other > 0 &&
	       (frozen ? numeric_rates_close(rate, other) : numeric_rates_agree(rate, other));
	if (!both && (is_double(rate, value > 0 ? value : 1) || other > 0))
		return;
	sure = frozen ? 0.6 : 0.85;
	f = tell_begin(v, m, REASON_VITALS_RATE_MISMATCH, n->code, both ? sure : sure - 0.25);
	if (!f)
		return;
	f->since_ns = since;
	if (frozen)
		tell_text(f, "kind", "frozen");
	tell_text(f, "parameter", param_name(n->code));
	tell_number(f, "shown", value);
	tell_number(f, "wave_rate", rate);
	if (both)
		tell_number(f, "other_rate", other);
	tell_number(f, "seconds", (double)(m->arrival_ns - since) / SEC_NS);
	tell_end(v, f);
}

/* Measurements in alarm, and every list of alarms empty: they were taken out on the way. */
static void judge_silence(struct vitals *v, struct vitals_monitor *m, uint16_t code, bool in_alarm)
{
	struct vitals_finding *f;

	if (!in_alarm)
		return;
	if (!m->in_alarm_ns) {
		m->in_alarm_ns = m->arrival_ns;
		m->empty_lists = 0;
	}
	if (m->empty_lists < SILENT_LISTS || m->arrival_ns - m->in_alarm_ns < SILENT_NS)
		return;
	f = tell_begin(v, m, REASON_VITALS_ALARM_LOST, code, 0.6);
	if (!f)
		return;
	f->since_ns = m->in_alarm_ns;
	tell_text(f, "kind", "not_listed");
	tell_text(f, "parameter", param_name(code));
	tell_number(f, "empty_lists", m->empty_lists);
	tell_end(v, f);
}

void vitals_numeric(struct vitals *v, struct vitals_monitor *m, const struct vitals_numeric *in)
{
	bool known = param_numeric(in->code) != PARAM_NUMBER_OTHER;
	struct numeric *n = known ? numeric_of(m, in->code) : NULL;
	struct numeric_leap leap;

	if (in->off || in->test || isnan(in->value)) {
		if (n)
			numeric_break(n);
		return;
	}
	judge_silence(v, m, in->code, in->in_alarm);
	if (!n)
		return;
	if (numeric_take(n, in->value, m->arrival_ns, &leap))
		judge_leap(v, m, in->code, &leap);
	if (is_rate(in->code))
		judge_rate(v, m, n, in->value);
}
