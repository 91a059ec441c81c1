/* Numbers as a monitor shows them: each against its past and its wave, all of a message together. */
#include <math.h>

#include "base/fnv.h"
#include "guard/vitals/monitor.h"

#define SILENT_LISTS 3
#define SILENT_NS    (10 * SEC_NS)
#define LIVE_NS	     (2500 * MS_NS) /* a curve that was heard of since */
#define STOOD_NS \
	(30 * SEC_NS) /* longer than a pulse rate is averaged, and held when there is none */
#define HANDS_NS \
	(300 * SEC_NS) /* by then whoever presses a chest was relieved, and looked for a pulse */
#define PULSE_LEAST  30.0
#define WARM	     35.0 /* degrees Celsius, a probe on a body */
#define BLOCKED	     40.0 /* a minute: so slow a heart may be at once, by a block or dying */
#define CLOSE	     0.08 /* apart, at most, before */
#define SLOWLY_NS    (45 * SEC_NS) /* from then until they are clearly apart, */
#define FALL_NS	     (15 * SEC_NS) /* a heart that dies is shown so, at most, until */
#define FALLEN	     0.17	   /* of the pulse, or more, is between, */
#define SUNK	     0.13	   /* or maybe this */
#define SLOWLY_TIMES 2		   /* and messages in between */
#define ALIKE_NS     (60 * SEC_NS) /* two sensors count one heart once they have agreed for so long */
#define WHOLE_NS \
	(600 * SEC_NS) /* and their pulse, where it may be hands, had neither a gap nor a leap */
#define APART_NS    (60 * SEC_NS)
#define APART_TIMES 4
#define DEFICIT_NS  (300 * SEC_NS) /* beats that move no blood are usual, and come and go */
#define DEFICIT	    12
#define NEAREST	    4  /* changes of the numbers, between a row and its repetition, */
#define LEAST	    14 /* and of the row, */
#define DISTINCT    8  /* of which so many are different ones: what goes to and fro is no replay */
#define AGAIN	    16
#define TURNS	    3
#define TURN_NS	    (60 * SEC_NS)

static bool is_rate(uint16_t code)
{
	return param_numeric(code) == PARAM_HEART_RATE || param_numeric(code) == PARAM_PULSE_RATE;
}

/* The wave that a rate is counted from, and the other one that a beat shows in. */
static enum param_kind wave_behind(uint16_t code, enum param_kind *ret_other)
{
	bool heart = param_numeric(code) == PARAM_HEART_RATE;

	*ret_other = heart ? PARAM_PULSE : PARAM_ECG;
	return heart ? PARAM_ECG : PARAM_PULSE;
}

/* The first of that kind in the message at hand; NULL: there is none. */
static const struct numeric *told(const struct vitals_monitor *m, enum param_number kind)
{
	for (unsigned i = 0; i < NUMBERS_MAX && m->numbers.number[i].code; i++) {
		const struct numeric *n = &m->numbers.number[i];

		if (param_numeric(n->code) == kind && n->count &&
		    numeric_last(n).time_ns == m->arrival_ns)
			return n;
	}
	return NULL;
}

/* Did the pulse alone leap to a pace of hands, or from one that was not the heart's? */
static bool leapt_by_hands(const struct numeric_leap *l, const struct numeric *heart)
{
	return !heart->leapt && (course_may_be_hands(l->to) ||
				 (course_may_be_hands(l->from) &&
				  !numeric_rates_agree(numeric_last(heart).value, l->from)));
}

/* One that has come off gets colder at once, and one that is put on warmer. */
static bool may_be_probe(const struct numeric_leap *l)
{
	return l->to < l->from || l->from < WARM;
}

/*
 * A wave that goes at the rate that was told before makes a leap hard to believe; one that another
 * sensor takes with it is the likeliest of all to be the heart's. And a heart that stands still is
 * no leap: whether it does is asked where the message ends, and of the waves.
 */
static void judge_leap(struct vitals *v, struct vitals_monitor *m, const struct numeric *n)
{
	const struct numeric_leap *l = &n->leap;
	bool heart = param_numeric(n->code) == PARAM_HEART_RATE;
	const struct numeric *second = told(m, heart ? PARAM_PULSE_RATE : PARAM_HEART_RATE);
	double confidence = 0.5, rate = 0;
	struct vitals_finding *f;
	enum param_kind other;

	if (is_rate(n->code)) {
		rate = wave_rate(m, wave_behind(n->code, &other));
		if (second && numeric_rates_agree(numeric_last(second).value, l->to))
			confidence = 0.3;
		if (rate <= 0 && l->to < BLOCKED)
			return;
		if (rate <= 0 && !heart && second && leapt_by_hands(l, second))
			return;
	}
	if (param_numeric(n->code) == PARAM_TEMPERATURE && may_be_probe(l))
		confidence = VITALS_DOUBT;
	if (rate > 0 && numeric_rates_agree(rate, l->to))
		return;
	if (rate > 0 && numeric_rates_agree(rate, l->from))
		confidence = 0.9;
	f = tell_begin(v, m, REASON_VITALS_JUMP, n->code, confidence);
	if (!f)
		return;
	tell_text(f, "parameter", param_name(n->code));
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

static bool has_curves(const struct vitals_monitor *m)
{
	for (unsigned i = 0; i < MONITOR_WAVES; i++)
		if (m->wave[i] && m->wave[i]->kind != PARAM_BREATH &&
		    m->arrival_ns - m->wave[i]->touched_ns < LIVE_NS)
			return true;
	return false;
}

/* The pulse beside a heart rate. Over a standstill the past before it says what is usual. */
static void follow_pulse(struct vitals_monitor *m, const struct numeric *pulse)
{
	double rate = pulse ? numeric_last(pulse).value : 0;
	struct course *c = &m->past->course;
	uint32_t whole = c->whole;

	course_take(c, rate >= PULSE_LEAST ? rate : 0,
		    m->numbers.stood_ns ? m->numbers.stood : c->count);
	if (c->whole == whole && c->count > 1)
		return;
	m->numbers.one_heart = false; /* what comes after a gap or a leap may be hands */
	m->numbers.whole_ns = m->arrival_ns;
}

/*
 * Has the pulse outlived the heart's rate by so long that no average explains it? How sure that is; 0: it has
 * not. At a pace of hands it may be theirs for minutes.
 */
static double outlives(const struct vitals_monitor *m)
{
	const struct numbers *n = &m->numbers;
	const struct course *c = &m->past->course;
	uint64_t stood = m->arrival_ns - n->stood_ns;

	if (stood < STOOD_NS || c->whole >= n->stood || c->count <= n->stood)
		return 0;
	if (course_is_no_hands(c, n->stood) || (stood >= HANDS_NS && course_goes_on(c, n->stood)))
		return 0.5;
	return course_stays(c, n->stood) ? 0.3 : 0;
}

/* A heart rate of nothing over a pulse that goes on as it was. */
static void judge_standstill(struct vitals *v, struct vitals_monitor *m,
			     const struct numeric *heart, const struct numeric *pulse)
{
	struct numbers *n = &m->numbers;
	struct vitals_finding *f;
	double sure;

	if (numeric_last(heart).value > 0) {
		n->beat = true;
		n->stood_ns = 0;
	} else if (n->beat && !n->stood_ns) {
		n->stood_ns = m->arrival_ns;
		n->stood = m->past->course.count;
	}
	follow_pulse(m, pulse);
	sure = n->stood_ns && pulse ? outlives(m) : 0;
	if (sure <= 0)
		return;
	if (n->zero_is_none) /* its electrodes may be off */
		sure = VITALS_DOUBT;
	f = tell_begin(v, m, REASON_VITALS_FLATLINE_PERFUSING, heart->code, sure);
	if (!f)
		return;
	f->since_ns = n->stood_ns;
	tell_text(f, "flat", param_name(heart->code));
	tell_text(f, "live", param_name(pulse->code));
	tell_number(f, "pulse_rate", numeric_last(pulse).value);
	tell_number(f, "seconds", (double)(m->arrival_ns - n->stood_ns) / SEC_NS);
	tell_end(v, f);
}

/* When the heart's rate was last not clearly below the pulse, or above; and had it left by then? */
static void follow_gap(struct numbers_gap *g, double gap, double pulse, uint64_t now_ns)
{
	g->messages++;
	if (gap <= pulse * CLOSE) {
		*g = (struct numbers_gap){.close_ns = now_ns, .close = pulse};
	} else if (!g->known && now_ns - g->close_ns >= FALL_NS) {
		g->known = true;
		g->fell = gap / pulse;
	}
}

/*
 * Hands that are counted since may press at the pace of a heart that has died. None does so by
 * degrees, so it must have left the pulse slowly.
 */
static bool may_be_dying(const struct numbers *n, const struct numbers_gap *g)
{
	return n->gap[0].fell > FALLEN || n->apart_ns - g->close_ns < SLOWLY_NS ||
	       g->messages < n->apart + SLOWLY_TIMES;
}

/*
 * Over a rhythm that moves no blood hands may press at nearly its pace, and leave that when they
 * are relieved. So it is doubted where the pulse has moved, or the heart did so at once.
 */
static bool may_be_relieved(const struct numbers *n, const struct numbers_gap *g, double pulse)
{
	return n->gap[0].fell > SUNK || fabs(pulse - g->close) > pulse * CLOSE;
}

/*
 * Two sensors that agreed for long count one heart, and then do no more. A pulse that is missed is
 * usual, in atrial fibrillation all day long, so that more beats than pulses count only where both
 * are calm, and for long; more pulses than beats there are none. The pulse has to be as it was.
 */
static void judge_sensors(struct vitals *v, struct vitals_monitor *m, const struct numeric *heart,
			  const struct numeric *pulse)
{
	double a = numeric_last(heart).value, b = numeric_last(pulse).value;
	struct numbers *n = &m->numbers;
	struct vitals_finding *f;
	bool deficit = a > b, hands;
	double sure = deficit ? 0.35 : 0.5;

	follow_gap(&n->gap[0], b - a, b, m->arrival_ns);
	follow_gap(&n->gap[1], a - b, b, m->arrival_ns);
	if (numeric_rates_agree(a, b)) {
		if (!n->alike_ns)
			n->alike_ns = m->arrival_ns;
		n->one_heart |=
			m->arrival_ns - n->alike_ns >= ALIKE_NS &&
			(!course_may_be_hands(b) || m->arrival_ns - n->whole_ns >= WHOLE_NS);
		n->apart_ns = 0;
		n->apart = 0;
		n->agreed = b;
		return;
	}
	n->alike_ns = 0;
	if (!n->apart_ns) {
		n->apart_ns = m->arrival_ns;
		n->parted = m->past->course.count - 1;
	}
	n->apart++;
	if (!n->one_heart || a <= 0 || b < PULSE_LEAST || is_double(a, b) ||
	    !numeric_rates_agree(b, n->agreed) || n->apart < (deficit ? DEFICIT : APART_TIMES) ||
	    m->arrival_ns - n->apart_ns < (deficit ? DEFICIT_NS : APART_NS) ||
	    (deficit && !(numeric_is_calm(heart) && numeric_is_calm(pulse))))
		return;
	hands = !course_is_no_hands(&m->past->course, n->parted);
	if (hands && may_be_dying(n, &n->gap[deficit]))
		return;
	if (hands && may_be_relieved(n, &n->gap[deficit], b))
		sure = VITALS_DOUBT;
	f = tell_begin(v, m, REASON_VITALS_RATE_MISMATCH, heart->code, sure);
	if (!f)
		return;
	f->since_ns = n->apart_ns;
	tell_text(f, "kind", "sensors");
	tell_text(f, "parameter", param_name(heart->code));
	tell_number(f, "shown", a);
	tell_number(f, "pulse_rate", b);
	tell_number(f, "seconds", (double)(m->arrival_ns - n->apart_ns) / SEC_NS);
	tell_end(v, f);
}

static unsigned distinct(const struct repeat *r, uint32_t length)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < length && count < DISTINCT; i++) {
		uint32_t k = 0;

		while (k < i && repeat_back(r, k) != repeat_back(r, i))
			k++;
		count += k == i;
	}
	return count;
}

static uint32_t said_s(const struct numbers_row *n, uint32_t back)
{
	return n->at_s[(n->row.count - 1 - back) % REPEAT_KEPT];
}

/* All numbers as they were before, change by change. */
static void judge_row(struct vitals *v, struct vitals_monitor *m)
{
	struct numbers *n = &m->numbers;
	struct numbers_row *past = &m->past->numbers;
	struct repeat *r = &past->row;
	struct repeat_finding is;
	struct vitals_finding *f;

	past->at_s[r->count % REPEAT_KEPT] = (uint32_t)(m->arrival_ns / SEC_NS);
	if (repeat_take(r, (uint16_t)(n->print % UINT16_MAX + 1), 0) < LEAST ||
	    (n->found && r->count - n->found < AGAIN))
		return;
	is = repeat_longest(r, NEAREST);
	if (is.length < LEAST || (is.usual < UINT8_MAX && is.length < 2u * is.usual + 4) ||
	    distinct(r, is.length) < DISTINCT || repeat_is_habit(r, &is, 0))
		return;
	n->found = r->count;
	f = tell_begin(v, m, REASON_VITALS_REPLAYED, 1, 0.6);
	if (!f)
		return;
	f->since_ns = m->arrival_ns - (said_s(past, 0) - said_s(past, is.length - 1)) * SEC_NS;
	tell_text(f, "kind", "numbers");
	tell_number(f, "seconds_ago", said_s(past, 0) - said_s(past, is.distance));
	tell_number(f, "seconds_alike", said_s(past, 0) - said_s(past, is.length - 1));
	tell_number(f, "changes", is.length);
	tell_end(v, f);
}

static bool has_said(const struct vitals_monitor *m, const struct vitals_monitor *other)
{
	const struct repeat *r = &m->past->numbers.row;
	uint16_t term = repeat_back(&other->past->numbers.row, 0);

	for (uint32_t i = 0; i < NUMBERS_LATEST && i < r->count; i++)
		if (repeat_back(r, i) == term)
			return true;
	return false;
}

/*
 * The same patient's numbers, in the same sender's name, from another address and by turns with this
 * one, and not the same: an interface engine passes on what it was told.
 */
static void judge_turns(struct vitals *v, struct vitals_monitor *m)
{
	struct numbers *n = &m->numbers;
	uint64_t before_ns = n->heard_ns;
	const struct vitals_monitor *other;

	n->heard_ns = m->arrival_ns;
	if (!before_ns || m->arrival_ns - before_ns > TURN_NS)
		return;
	other = identity_other(v, m, before_ns);
	if (!other || !other->past->numbers.row.count || !m->past->numbers.row.count)
		return;
	if (has_said(m, other) || has_said(other, m))
		n->turns = 0;
	else if (++n->turns >= TURNS)
		identity_doubled(v, m);
}

static struct numeric *numeric_of(struct vitals_monitor *m, uint16_t code)
{
	for (unsigned i = 0; i < NUMBERS_MAX; i++) {
		struct numeric *n = &m->numbers.number[i];

		if (!n->code)
			n->code = code;
		if (n->code == code)
			return n;
	}
	return NULL;
}

static void add_to_row(struct numbers *n, const struct vitals_numeric *in)
{
	uint32_t hundredths = (uint32_t)(int64_t)fmin(fmax(in->value * 100, -1e9), 1e9);

	n->print = fnv32_step(fnv32_step(n->print, in->code), hundredths);
	n->told++;
}

static void forget_heart(struct numbers *n)
{
	n->beat = false;
	n->stood_ns = 0;
}

void vitals_numeric(struct vitals *v, struct vitals_monitor *m, const struct vitals_numeric *in)
{
	bool known = param_numeric(in->code) != PARAM_NUMBER_OTHER;
	struct numeric *n = known ? numeric_of(m, in->code) : NULL;
	bool of_body = numeric_is_of_body(in->code, in->value);

	m->numbers.zero_is_none |= !in->off && in->value <= 0 && !of_body;
	if (in->off || in->test || isnan(in->value) || !of_body) {
		if (n)
			numeric_break(n);
		if (param_numeric(in->code) == PARAM_HEART_RATE)
			forget_heart(&m->numbers);
		return;
	}
	judge_silence(v, m, in->code, in->in_alarm);
	add_to_row(&m->numbers, in);
	if (!n)
		return;
	numeric_take(n, in->value, m->arrival_ns);
	if (is_rate(in->code))
		judge_rate(v, m, n, in->value);
}

/* Only what is told side by side is compared, and only where there is nothing better to compare with. */
static void judge_together(struct vitals *v, struct vitals_monitor *m)
{
	const struct numeric *heart = told(m, PARAM_HEART_RATE), *pulse = told(m, PARAM_PULSE_RATE);

	if (heart)
		judge_standstill(v, m, heart, pulse);
	if (heart && pulse)
		judge_sensors(v, m, heart, pulse);
	else if (heart)
		m->numbers.one_heart = false; /* what comes back may be hands */
	if (m->numbers.told > 1 && m->numbers.print != m->numbers.last)
		judge_row(v, m);
	if (m->source.system && m->source.passed_on)
		judge_turns(v, m);
}

void vitals_ended(struct vitals *v, struct vitals_monitor *m)
{
	struct numbers *n = &m->numbers;

	if (!n->told)
		return;
	for (unsigned i = 0; i < NUMBERS_MAX && n->number[i].code; i++)
		if (n->number[i].leapt)
			judge_leap(v, m, &n->number[i]);
	for (unsigned i = 0; i < NUMBERS_MAX; i++)
		n->number[i].leapt = false;
	if (!has_curves(m))
		judge_together(v, m);
	n->last = n->print;
	n->print = 0;
	n->told = 0;
}
