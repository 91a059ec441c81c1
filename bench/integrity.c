/*
 * How well the integrity of vital signs is judged (doc/integrity.md): signals
 * are sent as a monitor sends them, forged or truly abnormal from a random
 * moment on, and what is found, how soon, and what is found where nothing was
 * forged, is counted. Seeds are fixed. Prints rows of a table.
 *
 *   bench-integrity [-q] [-r WORDS] [FOLDER OF WFDB RECORDS]
 *
 * -q: a tenth of everything; -r: only rows in whose name these words stand
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cpr.h"
#include "bench/pump.h"
#include "bench/take.h"

#define BLOCK_NS    256000000ull /* what IntelliVue puts into a message */
#define BLOCK_MAX   256
#define TICKS_HZ    8000
#define WARM_S	    60.0
#define AFTER_S	    20.0
#define TAKES	    64
#define TIMES	    20000
#define PLETH	    0x4bb4 /* what its wave is called in Data Export: bench/take.c */
#define MUST_S	    3.0
#define DISTURBED_S 15.0
#define DOUBTED_S   5.0	   /* until a doubt has mostly gone, if it goes */
#define HEART_RATE  0x4182 /* MDC_ECG_CARD_BEAT_RATE */

enum deed {
	DEED_NONE,
	DEED_FLAT,	 /* forged: every lead a straight line */
	DEED_FLAT_NOISE, /* with the noise of a converter on it */
	DEED_FLAT_DRIFT, /* wandering with the breath */
	DEED_FLAT_ONE,	 /* one lead of several */
	DEED_FADE,	 /* beats ever smaller */
	DEED_PULSE_FLAT, /* the pleth alone, over an ECG that goes on */
	DEED_RATE_DRIFT, /* the rate that is shown leaves the waves' own, over ten minutes */
	DEED_RATE_STILL, /* it stands still while the heart quickens in a minute */
	DEED_FLAT_PUMP,	 /* a straight line over a heart that a balloon pump helps */
	DEED_REPLAY_NOISE,
	DEED_REPLAY,
	DEED_ARREST,	   /* true: nothing beats, nothing pulses */
	DEED_ARREST_DECAY, /* everything decays together */
	DEED_ARREST_LATE,  /* the ECG ends, pulses decay over the next beats */
	DEED_FIBRILLATION,
	DEED_COMPRESSIONS, /* an arrest, and somebody does CPR */
	DEED_OFF_MARKED,   /* electrodes off: the monitor says invalid, */
	DEED_OFF_RAIL,	   /* or its converter saturates, */
	DEED_OFF_ALARM,	   /* or an INOP comes along */
	DEED_OFF_LATE,	   /* a second late */
	DEED_MOTION,
	DEED_GAIN,
	DEED_PROBE,   /* the finger is out of the clip */
	DEED_SURGERY, /* electrosurgery drowns the ECG while it cuts */
	DEED_SWAP,    /* electrodes put on anew, some of them swapped */
	DEED_CUFF,    /* it stops the pulse at the finger for a while */
	DEED_GONE,    /* out of a telemetry's reach */
	DEED_DEMO,    /* the monitor shows a demonstration, and says so */
	DEED_RESTART, /* it starts anew, its numbers and its clock, too */
	DEED_PATIENT, /* somebody else lies in the bed since */
	DEED_CPR, /* compressions some time after the arrest, hardly seen in the ECG: bench/cpr.h */
	DEED_THUMP,	 /* a blow on the chest first */
	DEED_RETURN,	 /* the heart comes back for a while, and is lost again */
	DEED_PUMP,	 /* an arrest, and a balloon pump goes on as it did */
	DEED_PUMP_TIMER, /* by its own timer, after a while */
	DEED_LATE,	 /* an arrest, whose last pulses a slow pleth brings seconds later */
	DEED_VENTILATOR, /* an arrest; breaths move the line in the artery */
	DEED_NOISE_GAIN, /* an arrest, and a pleth that makes noise as high as pulses were */
	DEED_SHOCK,	 /* of a heart that goes on: the ECG takes seconds to come back */
	DEED_OTHER_LEAD, /* chosen on the monitor: the heart hardly shows in it */
	DEED_OFF_HUM,	 /* an electrode is off, and the line hums where it was */
	DEED_OFF_STEP,	 /* it jumps, and comes to rest where it was */
};

struct run {
	const struct take *t;
	enum deed deed;
	double from_s, at_s, length_s, lag_s, strength;
	uint64_t seed;
	struct cpr cpr;
	struct pump pump;
	double held[TAKE_LEADS]; /* where a lead's line stands */
	double walk[TAKE_LEADS];
	/* what came of it */
	double found_s, sure_s; /* since the deed, and with no doubt; NAN: not */
	enum reason look_for;
	bool any; /* whatever is found counts */
	unsigned others;
};

static double at_s; /* of the message that is on */
static uint64_t totals[REASON_COUNT];

static void on_finding(void *arg, const struct vitals_finding *f)
{
	struct run *r = arg;

	totals[f->reason]++;
	if ((f->reason == r->look_for || r->any) && at_s >= r->at_s) {
		if (isnan(r->found_s))
			r->found_s = at_s - r->at_s;
		if (isnan(r->sure_s) && f->confidence > VITALS_DOUBT)
			r->sure_s = at_s - r->at_s;
	} else {
		r->others++;
	}
}

static double level_of(const struct take_lead *l, double s)
{
	size_t i = (size_t)(s * 1e9 / l->period_ns), n = (size_t)(1e9 / l->period_ns);
	double sum = 0;
	unsigned count = 0;

	for (size_t k = i > n ? i - n : 0; k < i && k < l->n; k++) {
		if (l->v[k] == VITALS_INVALID)
			continue;
		sum += l->v[k];
		count++;
	}
	return count ? sum / count : 0;
}

static double sample(const struct take_lead *l, double s)
{
	size_t i = (size_t)lrint(s * 1e9 / l->period_ns);

	return i < l->n && l->v[i] != VITALS_INVALID ? l->v[i] : 0;
}

/* A pulse every `each` seconds, as high as 1: up within a fifth, down for the rest. */
static double saw(double s, double each)
{
	double phase = fmod(s, each) / each;

	return phase < 0.2 ? phase / 0.2 : (1 - phase) / 0.8;
}

/* How far a heart has come that beats ever faster, to 1 + `by` times its rate after a minute. */
static double quickened(double t, double by)
{
	return t < 60 ? t + by * t * t / 120 : 60 + 30 * by + (1 + by) * (t - 60);
}

static double forge(struct run *r, const struct take_lead *l, unsigned i, double v, double s)
{
	double t = s - r->at_s;

	switch (r->deed) {
	case DEED_FLAT_ONE:
		return i == 0 ? r->held[i] : v;
	case DEED_FLAT:
	case DEED_FLAT_PUMP:
		return l->ecg ? r->held[i] : v;
	case DEED_FLAT_NOISE:
		return l->ecg ? r->held[i] + 0.008 * l->beat * take_gauss(&r->seed) : v;
	case DEED_FLAT_DRIFT:
		return l->ecg ? r->held[i] + 0.15 * l->beat * sin(2 * M_PI * 0.2 * t) : v;
	case DEED_FADE:
		return l->ecg ? r->held[i] + (v - r->held[i]) * fmax(0, 1 - t / r->strength) : v;
	case DEED_PULSE_FLAT:
		return l->pulse ? r->held[i] : v;
	case DEED_RATE_STILL:
		return sample(l, r->at_s + quickened(t, r->strength));
	case DEED_REPLAY_NOISE:
		return t < r->length_s
			       ? sample(l, s - r->lag_s) + 0.008 * l->beat * take_gauss(&r->seed)
			       : v;
	case DEED_REPLAY:
		return t < r->length_s ? sample(l, s - r->lag_s) : v;
	default:
		return v;
	}
}

/* The heart's last pulse runs out; what comes then are hands on the chest. */
static double resuscitate(const struct run *r, const struct take_lead *l, unsigned i, double v,
			  double t, double noise)
{
	const struct cpr *c = &r->cpr;
	double own = v - r->held[i];
	bool weak = c->heart == CPR_BEATING && t < c->flat_s;

	if (r->deed == DEED_RETURN && t >= 30 && t < 50)
		return v;
	if (r->deed == DEED_RETURN && t >= 50)
		t -= 50;
	if (l->pulse)
		return r->held[i] + noise + own * (weak ? 0.2 : exp(-t / 0.5)) +
		       c->height * l->beat * cpr_press(c, t);
	return r->held[i] + noise + (weak ? own : 0) +
	       l->beat * (cpr_ecg(c, t) + c->seen * cpr_press(c, t + 0.15) * (1 + 2 * i));
}

/* What moves a pulse's curve when no heart does: breaths, or a noise that rises and falls. */
static double disturb(struct run *r, unsigned i, double t)
{
	if (r->deed == DEED_VENTILATOR)
		return r->strength * saw(t, 2 + r->length_s / 15);
	r->walk[i] = 0.95 * r->walk[i] + 0.3 * take_gauss(&r->seed);
	return r->strength * r->walk[i];
}

static double ail(struct run *r, const struct take_lead *l, unsigned i, double v, double s)
{
	double t = s - r->at_s, noise = 0.01 * l->beat * take_gauss(&r->seed);
	double pumped = l->pulse ? l->beat * pump_press(&r->pump, s) : 0;

	switch (r->deed) {
	case DEED_ARREST: /* a pressure runs out, a pleth's own filter comes to rest */
		return r->held[i] + noise -
		       (l->pulse ? 0.5 * l->beat * (1 - exp(-t / r->strength)) : 0);
	case DEED_ARREST_DECAY:
		return r->held[i] + (v - r->held[i]) * exp(-t / r->strength);
	case DEED_ARREST_LATE:
		return l->ecg ? r->held[i] + noise
			      : r->held[i] + (v - r->held[i]) * exp(-t / r->strength);
	case DEED_FIBRILLATION:
		return l->ecg ? r->held[i] + noise +
					0.25 * l->beat * sin(2 * M_PI * 5 * t + sin(t * 2.3) * 2) *
						(1 + 0.4 * sin(t * 1.7))
			      : r->held[i] + (v - r->held[i]) * exp(-t);
	case DEED_COMPRESSIONS: /* the chest moves the electrodes as it moves the blood */
		return r->held[i] + noise +
		       (l->ecg ? 0.35 : 0.7) * l->beat * saw(t + (l->ecg ? 0.15 : 0), 60.0 / 110);
	case DEED_MOTION:
		if (t > r->length_s)
			return v;
		r->walk[i] = 0.97 * r->walk[i] + 0.5 * r->strength * l->beat * take_gauss(&r->seed);
		return v + r->walk[i];
	case DEED_GAIN:
		return l->ecg ? r->held[i] + (v - r->held[i]) * r->strength : v;
	case DEED_PROBE:
		return l->pulse ? r->held[i] + noise / 4 : v;
	case DEED_SURGERY:
		return l->ecg && fmod(t, r->length_s / 4) < r->strength ? r->held[i] + 400 * noise
									: v;
	case DEED_SWAP:
		return !l->ecg		      ? v
		       : t < r->length_s / 10 ? r->held[i] + 300 * noise
					      : r->held[i] - (v - r->held[i]) * r->strength;
	case DEED_CUFF:
		return l->pulse && t < r->length_s
			       ? r->held[i] + noise / 4 + (v - r->held[i]) * exp(-t / r->strength)
			       : v;
	case DEED_CPR:
	case DEED_THUMP:
	case DEED_RETURN:
		return resuscitate(r, l, i, v, t, noise);
	case DEED_PUMP:
	case DEED_PUMP_TIMER:
		return r->held[i] + noise +
		       (l->pulse ? pumped + (v - pumped - r->held[i]) * exp(-t / 0.5) : 0);
	case DEED_LATE:
		return l->ecg ? r->held[i] + noise
		       : t < r->strength + 0.15
			       ? v
			       : r->held[i] + (v - r->held[i]) * exp(-(t - r->strength) / 0.3);
	case DEED_VENTILATOR:
	case DEED_NOISE_GAIN:
		return r->held[i] + noise + (l->pulse ? l->beat * disturb(r, i, t) : 0);
	case DEED_SHOCK:
		return !l->ecg || t > 0.2 + r->length_s / 10 ? v
		       : t < 0.2			     ? r->held[i] + r->strength * l->beat
							     : r->held[i] + noise / 2;
	case DEED_OTHER_LEAD:
		return l->ecg ? r->held[i] + (v - r->held[i]) * r->strength : v;
	case DEED_OFF_HUM:
		return l->ecg ? r->held[i] + noise / 4 +
					r->strength * l->beat * sin(2 * M_PI * 50 * s)
			      : v;
	case DEED_OFF_STEP:
		return l->ecg ? r->held[i] + noise / 4 +
					r->strength * l->beat * exp(-t * 10 / r->length_s)
			      : v;
	case DEED_DEMO:
		return t < r->length_s ? l->beat * saw(t, 0.8) : v;
	case DEED_PATIENT: /* whose heart is quicker, and whose beats are of another height */
		return r->held[i] +
		       r->strength * (sample(l, r->at_s + 1.3 * (t - r->length_s)) - r->held[i]);
	default:
		return v;
	}
}

/* Is nothing to be seen of the patient for a while? */
static bool is_away(const struct run *r, double s)
{
	return r->deed >= DEED_GONE && r->deed <= DEED_PATIENT && s >= r->at_s &&
	       s < r->at_s + r->length_s;
}

static bool is_off(const struct run *r)
{
	return r->deed >= DEED_OFF_MARKED && r->deed <= DEED_OFF_LATE;
}

static int32_t value_of(struct run *r, const struct take_lead *l, unsigned i, size_t k)
{
	double s = (double)k * l->period_ns / 1e9, v;

	if (k >= l->n || l->v[k] == VITALS_INVALID)
		return VITALS_INVALID;
	v = l->v[k];
	if (r->deed == DEED_LATE && l->pulse)
		v = sample(l, s - r->strength);
	if (l->pulse)
		v += l->beat * pump_press(&r->pump, s);
	if (r->deed == DEED_NONE || s < r->at_s)
		return (int32_t)v;
	if (r->deed != DEED_DEMO && is_away(r, s))
		return VITALS_INVALID;
	if (is_off(r) && l->ecg)
		return (int32_t)(r->deed == DEED_OFF_RAIL ? 16383 : r->held[i]);
	return (int32_t)lrint(r->deed <= DEED_REPLAY ? forge(r, l, i, v, s) : ail(r, l, i, v, s));
}

static void send_lead(struct vitals *v, struct vitals_monitor *m, struct run *r, unsigned i,
		      double s)
{
	const struct take_lead *l = &r->t->lead[i];
	static int32_t values[BLOCK_MAX];
	size_t from = (size_t)lrint(s * 1e9 / l->period_ns);
	size_t to = (size_t)lrint((s * 1e9 + BLOCK_NS) / l->period_ns);
	struct vitals_wave w = {.code = l->code, .period_ns = l->period_ns, .values = values};

	for (; from + w.count < to && w.count < BLOCK_MAX; w.count++)
		values[w.count] = value_of(r, l, i, from + w.count);
	w.test = r->deed == DEED_DEMO && (is_away(r, s) || is_away(r, s + 0.256));
	w.off = r->deed == DEED_OFF_MARKED && l->ecg && s + 0.256 > r->at_s;
	if (r->deed == DEED_OFF_RAIL && l->ecg) {
		w.has_range = true;
		w.high = 16383;
	}
	vitals_wave(v, m, &w);
}

static void send_inop(struct vitals *v, struct vitals_monitor *m, const struct run *r, double s)
{
	const struct vitals_alarm a = {.id = 1, .source = 0x0102, .code = 0x1a, .technical = true};
	double late = r->deed == DEED_OFF_LATE ? 1 : 0;

	if (r->deed >= DEED_OFF_ALARM && r->deed <= DEED_OFF_LATE && s + 0.256 > r->at_s + late)
		vitals_alarm(v, m, &a);
}

/* Once a second, as far as the deed is about it. */
static void send_rate(struct vitals *v, struct vitals_monitor *m, const struct run *r, double s)
{
	struct vitals_numeric n = {.code = HEART_RATE, .value = r->t->rate};

	/* Where nothing is forged, the number that the model's heart goes by stands still for hours. */
	if (r->deed != DEED_RATE_DRIFT && r->deed != DEED_RATE_STILL &&
	    (r->deed != DEED_NONE || r->t->rate <= 0))
		return;
	if (r->deed == DEED_RATE_DRIFT && s > r->at_s)
		n.value *= 1 + r->strength * (s - r->at_s) / 600;
	vitals_numeric(v, m, &n);
	vitals_ended(v, m);
}

/* From from_s on, until `until` or the take's end. The message is seen when its last sample is. */
static void play(struct run *r, double until)
{
	const struct vitals_options o = {.streams = 8};
	struct vitals *v = vitals_new(&o, on_finding, r);
	struct vitals_source from = {.segment = 1, .mac = {2}, .bound = true};
	uint32_t n = 0, begun = 0;

	if (!v)
		abort();
	from.ip.b[15] = 7;
	r->found_s = r->sure_s = NAN;
	for (unsigned i = 0; i < r->t->leads; i++)
		r->held[i] = level_of(&r->t->lead[i], r->at_s);
	for (double s = r->from_s; s + 0.256 < until; s = r->from_s + ++n * 0.256) {
		struct vitals_place p = {.time_ns = (uint64_t)((s + 0.256) * 1e9) + 1000000000000,
					 .channel = 1,
					 .sequence_bits = 16,
					 .sequence = (n - begun) & 0xffff,
					 .clock_hz = TICKS_HZ,
					 .clock = (n - begun) * 2048};
		struct vitals_monitor *m;

		if (r->deed == DEED_RESTART && is_away(r, s)) {
			begun = n + 1;
			continue;
		}
		if (begun && begun == n)
			vitals_restart(v, &from, VITALS_EVERY_CHANNEL, p.time_ns);

		at_s = s + 0.256;
		m = vitals_heard(v, &from, &p);
		if (!m)
			continue;
		send_inop(v, m, r, s);
		if (n % 4 == 0)
			send_rate(v, m, r, s);
		for (unsigned i = 0; i < r->t->leads; i++)
			send_lead(v, m, r, i, s);
		if (r->deed != DEED_NONE && r->deed < DEED_ARREST &&
		    (!isnan(r->sure_s) || at_s > r->at_s + r->found_s + DOUBTED_S))
			break;
	}
	vitals_free(v);
}

static bool has(const struct take *t, bool pulse, unsigned least)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->leads; i++)
		n += pulse ? t->lead[i].pulse : t->lead[i].ecg;
	return n >= least;
}

static bool has_pleth(const struct take *t)
{
	for (unsigned i = 0; i < t->leads; i++)
		if (t->lead[i].code == PLETH && t->lead[i].pulse)
			return true;
	return false;
}

/* Is everything recorded there, and are there beats to be taken away? */
static bool is_good(const struct take *t, double from, double to)
{
	for (unsigned i = 0; i < t->leads; i++) {
		const struct take_lead *l = &t->lead[i];

		for (double s = from; s < to; s += 1) {
			size_t k = (size_t)(s * 1e9 / l->period_ns);
			size_t end = k + (size_t)(1.5e9 / l->period_ns);
			int32_t low = INT32_MAX, high = INT32_MIN + 1;

			if (!l->ecg && !l->pulse)
				continue;
			for (; k < end; k++) {
				if (k >= l->n || l->v[k] == VITALS_INVALID)
					return false;
				low = l->v[k] < low ? l->v[k] : low;
				high = l->v[k] > high ? l->v[k] : high;
			}
			if ((double)high - low < 0.5 * l->beat)
				return false;
		}
	}
	return true;
}

/* Was the finger moved, or the line flushed, shortly before? Then nobody can rely on the pulse. */
static bool is_disturbed(const struct take *t, double at)
{
	for (unsigned i = 0; i < t->leads; i++) {
		const struct take_lead *l = &t->lead[i];
		size_t from = (size_t)((at - DISTURBED_S) * 1e9 / l->period_ns);
		int32_t low = INT32_MAX, high = INT32_MIN + 1;

		for (size_t k = from; l->pulse && k < (size_t)(at * 1e9 / l->period_ns); k++) {
			if (k >= l->n || l->v[k] == VITALS_INVALID)
				continue;
			low = l->v[k] < low ? l->v[k] : low;
			high = l->v[k] > high ? l->v[k] : high;
		}
		if (l->pulse && (double)high - low > 3 * l->beat)
			return true;
	}
	return false;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct row {
	const char *name;
	enum deed deed;
	bool forged;
	double warm_s, after_s;
	double low, high; /* of strength; of when compressions begin */
	enum cpr_heart heart;
};

static const struct row rows[] = {
	{"flat line", DEED_FLAT, true, WARM_S, AFTER_S, 0, 0},
	{"flat line with noise", DEED_FLAT_NOISE, true, WARM_S, AFTER_S, 0, 0},
	{"flat line that drifts", DEED_FLAT_DRIFT, true, WARM_S, AFTER_S, 0, 0},
	{"one lead flat of several", DEED_FLAT_ONE, true, WARM_S, AFTER_S, 0, 0},
	{"beats that fade over 10 to 60 s", DEED_FADE, true, WARM_S, 80, 10, 60},
	{"replay of 10 to 60 s", DEED_REPLAY, true, 200, 30, 0, 0},
	{"arrest", DEED_ARREST, false, WARM_S, AFTER_S, 0.5, 4},
	{"arrest, everything decays", DEED_ARREST_DECAY, false, WARM_S, AFTER_S, 0.3, 5},
	{"arrest, pulses die away after it", DEED_ARREST_LATE, false, WARM_S, AFTER_S, 0.2, 1.2},
	{"fibrillation", DEED_FIBRILLATION, false, WARM_S, AFTER_S, 0, 0},
	{"arrest with chest compressions", DEED_COMPRESSIONS, false, WARM_S, 60, 0, 0},
	{"electrodes off, marked invalid", DEED_OFF_MARKED, false, WARM_S, 60, 0, 0},
	{"electrodes off, at the rail", DEED_OFF_RAIL, false, WARM_S, 60, 0, 0},
	{"electrodes off, with an INOP", DEED_OFF_ALARM, false, WARM_S, 60, 0, 0},
	{"electrodes off, INOP a second late", DEED_OFF_LATE, false, WARM_S, 60, 0, 0},
	{"motion", DEED_MOTION, false, WARM_S, 60, 0.05, 1},
	{"gain of the ECG changes", DEED_GAIN, false, WARM_S, 60, 0.3, 4},
	{"finger out of the clip", DEED_PROBE, false, WARM_S, 60, 0, 0},
	/* Behind the others, whose random moments go by their place here. */
	{"replay of 8 s", DEED_REPLAY, true, 200, 30, 8, 8},
	{"replay of 8 s, noise added", DEED_REPLAY_NOISE, true, 200, 30, 8, 8},
	{"replay of 60 s, noise added", DEED_REPLAY_NOISE, true, 400, 70, 60, 60},
	{"pleth flat, ECG goes on", DEED_PULSE_FLAT, true, WARM_S, 90, 0, 0},
	{"rate shown drifts away over 10 min", DEED_RATE_DRIFT, true, WARM_S, 620, 0.4, 1},
	{"rate shown frozen, heart quickens by 60 %", DEED_RATE_STILL, true, WARM_S, 90, 0.6, 0.6},
	{"rate shown frozen, heart quickens by 15 %", DEED_RATE_STILL, true, WARM_S, 120, 0.15,
	 0.15},
	{"arrest, compressions 8 to 25 s later", DEED_CPR, false, WARM_S, 90, 8, 25, CPR_ASYSTOLE},
	{"arrest, compressions 1 to 8 s later", DEED_CPR, false, WARM_S, 90, 1, 8, CPR_ASYSTOLE},
	{"fibrillation, compressions, then flat", DEED_CPR, false, WARM_S, 90, 1, 15,
	 CPR_FIBRILLATION},
	{"fibrillation, compressions, a shock", DEED_CPR, false, WARM_S, 90, 1, 15, CPR_SHOCKED},
	{"agonal rhythm and compressions", DEED_CPR, false, WARM_S, 90, 1, 25, CPR_AGONAL},
	{"pacing without capture, compressions", DEED_CPR, false, WARM_S, 90, 1, 25, CPR_PACED},
	{"compressions of a weak heart that stops", DEED_CPR, false, WARM_S, 90, 1, 15,
	 CPR_BEATING},
	{"arrest and a precordial thump", DEED_THUMP, false, WARM_S, 90, 1, 6, CPR_ASYSTOLE},
	{"heart back after 30 s, lost again", DEED_RETURN, false, WARM_S, 100, 1, 12, CPR_ASYSTOLE},
	{"pacing without capture, nobody presses", DEED_CPR, false, WARM_S, 60, 100, 101,
	 CPR_PACED},
	{"electrosurgery", DEED_SURGERY, false, WARM_S, 60, 1, 8},
	{"electrodes swapped", DEED_SWAP, false, WARM_S, 60, 0.1, 2},
	{"cuff on the arm of the clip", DEED_CUFF, false, WARM_S, 90, 1, 8},
	{"no signal for a while", DEED_GONE, false, WARM_S, 90, 0, 0},
	{"a demonstration, and back", DEED_DEMO, false, WARM_S, 90, 0, 0},
	{"monitor started anew", DEED_RESTART, false, WARM_S, 90, 0, 0},
	{"another patient in the bed", DEED_PATIENT, false, WARM_S, 120, 0.3, 2},
	{"flat line, a balloon pump helps", DEED_FLAT_PUMP, true, WARM_S, AFTER_S, 0, 0},
	{"arrest, a balloon pump goes on", DEED_PUMP, false, WARM_S, 60, 0, 0},
	{"arrest, a balloon pump's timer takes over", DEED_PUMP_TIMER, false, WARM_S, 60, 0, 0},
	{"arrest, a pleth that is up to 2.5 s late", DEED_LATE, false, WARM_S, 60, 0, 2.5},
	{"arrest, breaths move the line", DEED_VENTILATOR, false, WARM_S, 60, 0.1, 1},
	{"arrest, a pleth shows its noise", DEED_NOISE_GAIN, false, WARM_S, 60, 0.3, 1.5},
	{"heart goes on after a shock", DEED_SHOCK, false, WARM_S, 60, 4, 12},
	{"another lead is chosen", DEED_OTHER_LEAD, false, WARM_S, 60, 0.05, 1.5},
	{"electrodes off, the line hums", DEED_OFF_HUM, false, WARM_S, 60, 0.03, 0.5},
	{"electrodes off, the line jumps and rests", DEED_OFF_STEP, false, WARM_S, 60, -8, 8},
};

static bool fits(const struct row *w, const struct take *t)
{
	if (t->seconds < w->warm_s + w->after_s + 5)
		return false;
	if (w->deed == DEED_REPLAY || w->deed == DEED_REPLAY_NOISE)
		return true;
	if (w->deed == DEED_RATE_DRIFT || w->deed == DEED_RATE_STILL)
		return t->rate > 0;
	if (w->deed == DEED_FLAT_ONE)
		return has(t, false, 2);
	if (w->deed == DEED_PULSE_FLAT)
		return has_pleth(t);
	return has(t, true, 1);
}

struct tally {
	unsigned count, found, in_time, sure;
	double *time;
};

/* What a run came to, into the tally of those whose pulse was calm or of those where it was not. */
static void note(const struct row *w, struct run *r, struct tally *y)
{
	if (w->deed == DEED_FADE) /* from where a tenth is left of a beat */
		r->found_s = fmax(0, r->found_s - 0.9 * r->strength);
	y->count++;
	y->sure += !isnan(r->sure_s);
	if (isnan(r->found_s))
		return;
	y->time[y->found++ % TIMES] = r->found_s;
	y->in_time += r->found_s <= MUST_S;
}

static enum pump_trigger trigger_of(enum deed deed)
{
	return deed == DEED_PUMP	 ? PUMP_AT_PACE
	       : deed == DEED_PUMP_TIMER ? PUMP_BY_TIMER
					 : PUMP_BY_HEART;
}

static void measure(const struct row *w, const struct take *t, unsigned want, uint64_t seed,
		    struct tally y[2])
{
	for (unsigned tries = 0; want && tries < 50 * want + 200; tries++) {
		struct run r = {
			.t = t, .deed = w->deed, .look_for = REASON_VITALS_FLATLINE_PERFUSING};

		r.from_s = take_uniform(&seed, 0, t->seconds - w->warm_s - w->after_s - 2);
		r.from_s = floor(r.from_s / 0.064) * 0.064;
		r.at_s = r.from_s + w->warm_s + take_uniform(&seed, 0, 1);
		r.strength = take_uniform(&seed, w->low, w->high);
		r.length_s = take_uniform(&seed, 10, 60);
		if ((w->deed == DEED_REPLAY || w->deed == DEED_REPLAY_NOISE) && w->low > 0)
			r.length_s = w->low;
		r.lag_s = take_uniform(&seed, r.length_s > 30 ? r.length_s : 30, 100);
		r.seed = take_random(&seed);
		r.cpr = cpr_draw(w->heart, w->low, w->high, 0.3, r.seed);
		r.cpr.thump = w->deed == DEED_THUMP;
		if (w->deed == DEED_FLAT_PUMP || w->deed == DEED_PUMP || w->deed == DEED_PUMP_TIMER)
			r.pump = pump_draw(t, trigger_of(w->deed), r.from_s, r.at_s,
					   r.at_s + w->after_s, r.seed);
		if (w->deed == DEED_REPLAY || w->deed == DEED_REPLAY_NOISE)
			r.look_for = REASON_VITALS_REPLAYED;
		if (w->deed == DEED_RATE_DRIFT || w->deed == DEED_RATE_STILL)
			r.look_for = REASON_VITALS_RATE_MISMATCH;
		r.any = w->deed >= DEED_DEMO && w->deed <= DEED_PATIENT;
		if (w->deed == DEED_PULSE_FLAT)
			r.look_for = REASON_VITALS_PULSE_ABSENT;
		if (!is_good(t, r.at_s - 30, r.at_s + 4))
			continue;
		want--;
		play(&r, r.at_s + w->after_s);
		note(w, &r, &y[is_disturbed(t, r.at_s)]);
	}
}

static void print_row(const struct row *w, const char *of, struct tally *y)
{
	if (!y->count)
		return;
	qsort(y->time, y->found, sizeof(*y->time), ascending);
	if (!w->forged)
		printf("| %s | %s | %u | %u | %u |\n", w->name, of, y->count, y->found - y->sure,
		       y->sure);
	else
		printf("| %s | %s | %u | %.2f %% | %.2f %% | %.2f %% |", w->name, of, y->count,
		       100.0 * y->found / y->count, 100.0 * y->in_time / y->count,
		       100.0 * y->sure / y->count);
	if (w->forged && y->found)
		printf(" %.2f s | %.2f s |\n", y->time[y->found / 2],
		       y->time[(size_t)(y->found * 0.99)]);
	else if (w->forged)
		puts(" - | - |");
}

static void table(bool forged, const char *words, struct take *const *takes, unsigned count,
		  unsigned runs)
{
	static double times[2][TIMES];
	static const char *const of[2][2] = {{"recorded", "recorded, pulse disturbed"},
					     {"model", "model, pulse disturbed"}};

	puts(forged ? "\n| forged | signals | runs | found | within 3 s | undoubted | median | "
		      "99th of "
		      "100 |\n|---|---|---|---|---|---|---|---|"
		    : "\n| true | signals | runs | told with doubt | called forged |\n"
		      "|---|---|---|---|---|");
	for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		if (rows[k].forged != forged || !strstr(rows[k].name, words))
			continue;
		for (int model = 0; model < 2; model++) {
			struct tally y[2] = {{.time = times[0]}, {.time = times[1]}};
			unsigned fitting = 0;

			for (unsigned i = 0; i < count; i++)
				fitting += takes[i]->model == model && fits(&rows[k], takes[i]);
			for (unsigned i = 0; i < count; i++)
				if (takes[i]->model == model && fits(&rows[k], takes[i]))
					measure(&rows[k], takes[i], runs / fitting, 1000 * k + i,
						y);
			print_row(&rows[k], of[model][0], &y[0]);
			print_row(&rows[k], of[model][1], &y[1]);
		}
	}
}

/* Hours in which a pulse was recorded beside the ECG. */
static double pulse_hours_of(const struct take *t)
{
	double most = 0;

	for (unsigned i = 0; i < t->leads; i++) {
		size_t n = 0;

		for (size_t k = 0; t->lead[i].pulse && k < t->lead[i].n; k++)
			n += t->lead[i].v[k] != VITALS_INVALID;
		most = fmax(most, (double)n * t->lead[i].period_ns / 3600e9);
	}
	return most;
}

static void undisturbed(struct take *const *takes, unsigned count)
{
	double hours[2] = {0, 0}, pulse_hours[2] = {0, 0};
	uint64_t found[2][REASON_COUNT] = {{0}};

	for (unsigned i = 0; i < count; i++) {
		struct run r = {.t = takes[i], .deed = DEED_NONE, .look_for = REASON_COUNT};

		memset(totals, 0, sizeof(totals));
		play(&r, takes[i]->seconds);
		hours[takes[i]->model] += takes[i]->seconds / 3600;
		pulse_hours[takes[i]->model] += pulse_hours_of(takes[i]);
		for (unsigned k = 0; k < REASON_COUNT; k++)
			found[takes[i]->model][k] += totals[k];
		if (r.others && !takes[i]->model)
			fprintf(stderr, "%s: %u findings\n", takes[i]->name, r.others);
	}
	puts("\n| undisturbed | hours | of them with a pulse | findings | a monitored day |\n"
	     "|---|---|---|---|---|");
	for (int model = 0; model < 2; model++) {
		uint64_t all = 0;

		for (unsigned k = 0; k < REASON_COUNT; k++) {
			all += found[model][k];
			if (found[model][k])
				fprintf(stderr, "%s: %llu\n", reason_name(k),
					(unsigned long long)found[model][k]);
		}
		if (hours[model] > 0)
			printf("| %s | %.2f | %.2f | %llu | %.2f |\n", model ? "model" : "recorded",
			       hours[model], pulse_hours[model], (unsigned long long)all,
			       (double)all / hours[model] * 24);
	}
}

static unsigned load(const char *dir, double hours, struct take **ret_takes)
{
	static const char *const headers[] = {"a103l.hea", "03700181.hea", "100.hea"};
	static const char *const parts[][2] = {
		{"multi-segment/s25047", "s25047-2704-05-04-10-44.hea"},
		{"multi-segment/p000878", "p000878-2137-10-26-16-57.hea"}};
	unsigned n = 0;
	char path[512];

	for (unsigned i = 0; dir && i < sizeof(headers) / sizeof(headers[0]); i++)
		if ((ret_takes[n] = take_record(dir, headers[i])))
			n++;
	for (unsigned i = 0; dir && i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, parts[i][0]);
		if ((ret_takes[n] = take_record(path, parts[i][1])))
			n++;
	}
	for (unsigned i = 0; i < 12; i++)
		ret_takes[n++] = take_model(hours / 12 * 3600, 45 + 7.5 * i, 2003 + i);
	return n;
}

int main(int argc, char **argv)
{
	const char *words = "", *dir;
	struct take *takes[TAKES];
	bool quick = false;
	unsigned count;

	for (int option; (option = getopt(argc, argv, "qr:")) != -1;) {
		if (option == '?')
			return 2;
		quick |= option == 'q';
		words = option == 'r' ? optarg : words;
	}
	dir = argv[optind];
	count = load(dir, quick ? 2.4 : 48, takes);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!*words)
		undisturbed(takes, count);
	table(true, words, takes, count, quick ? 160 : 1600);
	table(false, words, takes, count, quick ? 160 : 1600);
	for (unsigned i = 0; i < count; i++)
		take_free(takes[i]);
	return 0;
}
