#include "guard/vitals/pulse.h"

#include <math.h>
#include <string.h>

#define STEP_NS	      8000000ull
#define MS	      1000000ull
#define REFRACTORY    (250 * MS)
#define SETTLED	      (120 * MS)  /* no higher value since: that was the summit */
#define WINDOW	      (1500 * MS) /* holds a beat at 40 a minute and more */
#define LOST	      (4000 * MS) /* no beat for so long: look for them anew */
#define ECG_SPAN      (160 * MS)  /* whose range is a beat's height */
#define RISE_SPAN     (280 * MS)
#define THRESHOLD     0.45 /* of the level, for a beat */
#define FLAT	      0.12 /* of the reference: P waves and noise are below, T and QRS above */
#define STILL	      0.04 /* nor by more than this: there is nothing in it at all */
#define ANEW	      0.25 /* of the reference: what is lower does not become the new level */
#define LEVEL_BEATS   12
#define KNOWN_BEATS   16
#define REFERENCE_OF  64.0
#define FILLED	      40	 /* steps without a gap, before heights are looked at */
#define POINT	      (40 * MS)	 /* between two of a shape, */
#define SHAPED	      (400 * MS) /* of which the last is so long after the onset */
#define SHAPE_OF      16	 /* pulses, about, that a shape is learned from */
#define REFERENCE_MAX 1.1	 /* what one beat counts for at most, of the reference */

void pulse_init(struct pulse *p, bool ecg)
{
	memset(p, 0, sizeof(*p));
	p->ecg = ecg;
	p->least = INFINITY;
}

void pulse_break(struct pulse *p)
{
	p->sum = 0;
	p->summed = 0;
	p->step_ns = 0;
	p->steps = 0;
	p->summit = 0;
	p->shapeless_ns = 0;
	p->window_ns = 0;
	p->window_max = p->window_last = 0;
	p->active_ns = p->heard_ns = 0;
	p->least = INFINITY;
}

/* They are moved to their places one by one, which is less than what qsort() calls. */
void pulse_sort(double *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		double moved = v[i];
		unsigned at = i;

		for (; at && v[at - 1] > moved; at--)
			v[at] = v[at - 1];
		v[at] = moved;
	}
}

static double median(double *v, unsigned n)
{
	pulse_sort(v, n);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

const struct pulse_beat *pulse_back(const struct pulse *p, unsigned i)
{
	if (i >= p->beats || i >= PULSE_BEATS)
		return NULL;
	return &p->beat[(p->beats - 1 - i) % PULSE_BEATS];
}

bool pulse_is_known(const struct pulse *p)
{
	return p->beats >= KNOWN_BEATS && p->level > 0;
}

uint64_t pulse_interval(const struct pulse *p, uint64_t before_ns, unsigned n)
{
	double gap[PULSE_BEATS];
	unsigned count = 0;

	for (unsigned i = 0; count < n; i++) {
		const struct pulse_beat *later = pulse_back(p, i), *b = pulse_back(p, i + 1);

		if (!b)
			break;
		if (later->time_ns <= before_ns)
			gap[count++] = (double)(later->time_ns - b->time_ns);
	}
	return count < 3 ? 0 : (uint64_t)median(gap, count);
}

static void learn(struct pulse *p, double height)
{
	double v[LEVEL_BEATS], most = p->reference * REFERENCE_MAX;
	double n = p->beats < REFERENCE_OF ? (double)p->beats : REFERENCE_OF;
	unsigned count = 0;
	const struct pulse_beat *b;

	for (; count < LEVEL_BEATS && (b = pulse_back(p, count)); count++)
		v[count] = b->height;
	p->level = median(v, count);
	if (p->beats <= LEVEL_BEATS) {
		p->reference = p->level;
		return;
	}
	p->reference += ((height < most ? height : most) - p->reference) / n;
}

static void take_beat(struct pulse *p)
{
	const struct pulse_beat *last = pulse_back(p, 0);

	p->heard_ns = p->now_ns;
	if (last && p->summit_ns < last->time_ns + REFRACTORY && p->summit_ns >= last->time_ns) {
		if (p->summit <= last->height)
			return;
		p->beats--; /* the higher of two that are too near is the beat */
	}
	p->beat[p->beats++ % PULSE_BEATS] = (struct pulse_beat){.time_ns = p->summit_ns,
								.onset_ns = p->onset_ns,
								.height = (float)p->summit,
								.unlike = -1,
								.rest = (float)p->rest};
	p->least = INFINITY;
	p->shapeless_ns = p->ecg ? 0 : p->onset_ns;
	learn(p, p->summit);
}

/* Before anything is known, and after beats were lost: the lower of two windows' maxima. */
static void look_anew(struct pulse *p, double height)
{
	double least;

	if (!p->window_ns)
		p->window_ns = p->now_ns;
	if (height > p->window_max)
		p->window_max = height;
	if (p->now_ns - p->window_ns < WINDOW)
		return;
	least = p->window_max < p->window_last ? p->window_max : p->window_last;
	if (least > p->reference * ANEW)
		p->level = least;
	p->window_last = p->window_max;
	p->window_max = 0;
	p->window_ns = p->now_ns;
}

struct range {
	double low, high;
};

static inline double lower(double a, double b)
{
	return a < b ? a : b;
}

static inline double higher(double a, double b)
{
	return a > b ? a : b;
}

/* Four rows of comparisons side by side: one alone would wait for itself at every step. */
static inline void widen(struct range *r, const double *from, const double *to)
{
	double low[4] = {r->low, r->low, r->low, r->low};
	double high[4] = {r->high, r->high, r->high, r->high};

	for (; to - from >= 4; from += 4)
		for (unsigned i = 0; i < 4; i++) {
			low[i] = lower(from[i], low[i]);
			high[i] = higher(from[i], high[i]);
		}
	for (; from < to; from++) {
		low[0] = lower(*from, low[0]);
		high[0] = higher(*from, high[0]);
	}
	r->low = lower(lower(low[0], low[1]), lower(low[2], low[3]));
	r->high = higher(higher(high[0], high[1]), higher(high[2], high[3]));
}

/* The value of a step so many before the last. */
static double back(const struct pulse *p, unsigned steps)
{
	return p->ring[(p->at + PULSE_RING - steps) % PULSE_RING];
}

/* How far the last steps of a beat's span lie apart; of a pulse, how far it has risen. */
static double height_now(const struct pulse *p)
{
	uint64_t each = p->period_ns > STEP_NS ? p->period_ns : STEP_NS;
	unsigned span = (unsigned)((p->ecg ? ECG_SPAN : RISE_SPAN) / each);
	double now = p->ring[p->at];
	struct range r = {now, now};

	span = span < 3 ? 3 : span;
	if (span > p->at + 1) /* the ring's end holds what came before its begin */
		widen(&r, p->ring + PULSE_RING - (span - p->at - 1), p->ring + PULSE_RING);
	widen(&r, p->ring + (span > p->at ? 0 : p->at + 1 - span), p->ring + p->at);
	return (p->ecg ? r.high : now) - r.low;
}

static uint64_t onset(const struct pulse *p, double height, double threshold)
{
	uint64_t each = p->period_ns > STEP_NS ? p->period_ns : STEP_NS;

	if (p->before >= threshold || height <= p->before)
		return p->now_ns;
	return p->now_ns - (uint64_t)((height - threshold) / (height - p->before) * (double)each);
}

static void watch_beat(struct pulse *p, double height)
{
	double threshold = p->level * THRESHOLD;

	if (height > threshold && p->summit <= 0)
		p->onset_ns = onset(p, height, threshold);
	if (height > threshold && height > p->summit) {
		p->summit = height;
		p->summit_ns = p->now_ns;
	}
	if (p->summit > 0 &&
	    (p->now_ns - p->summit_ns >= SETTLED || height < p->summit * THRESHOLD)) {
		take_beat(p);
		p->summit = 0;
	}
}

/* Brings points to mean 0 and length 1. False where they are all the same. */
static bool normalise(float *v)
{
	float mean = 0, square = 0;

	for (unsigned i = 0; i < PULSE_SHAPE; i++)
		mean += v[i] / PULSE_SHAPE;
	for (unsigned i = 0; i < PULSE_SHAPE; i++) {
		v[i] -= mean;
		square += v[i] * v[i];
	}
	for (unsigned i = 0; square > 0 && i < PULSE_SHAPE; i++)
		v[i] /= sqrtf(square);
	return square > 0;
}

/* 0: the same shape, 1: nothing in common, 2: turned upside down. */
static float compare(const struct pulse *p, const float *v)
{
	float dot = 0, square = 0;

	for (unsigned i = 0; i < PULSE_SHAPE; i++) {
		dot += v[i] * p->shape[i];
		square += p->shape[i] * p->shape[i];
	}
	return square > 0 ? 1 - dot / sqrtf(square) : -1;
}

/* What the last pulse looks like, from a little before its onset, against those before. */
static void take_shape(struct pulse *p)
{
	uint64_t each = p->period_ns > STEP_NS ? p->period_ns : STEP_NS;
	unsigned late = (unsigned)((p->now_ns - p->shapeless_ns - SHAPED) / each);
	unsigned apart = (unsigned)((POINT + each / 2) / each);
	float v[PULSE_SHAPE];

	p->shapeless_ns = 0;
	if (!apart || late + (PULSE_SHAPE - 1) * apart >= PULSE_RING ||
	    late + (PULSE_SHAPE - 1) * apart >= p->steps)
		return;
	/* Against a value of its own: a float holds differences, not what they stand on. */
	for (unsigned i = 0; i < PULSE_SHAPE; i++)
		v[PULSE_SHAPE - 1 - i] = (float)(back(p, late + i * apart) - back(p, late));
	if (!normalise(v))
		return;
	p->beat[(p->beats - 1) % PULSE_BEATS].unlike = compare(p, v);
	p->shapes += p->shapes < SHAPE_OF;
	for (unsigned i = 0; i < PULSE_SHAPE; i++)
		p->shape[i] += (v[i] - p->shape[i]) / (float)p->shapes;
}

static void step(struct pulse *p, double value)
{
	double height;

	p->at = (p->at + 1) % PULSE_RING;
	p->ring[p->at] = value;
	p->steps += p->steps < PULSE_RING;
	if (p->steps < FILLED)
		return;
	if (!p->active_ns)
		p->active_ns = p->heard_ns = p->now_ns;
	height = height_now(p);
	if (height < p->least) {
		p->least = height;
		p->rest = value;
	}
	if (height >= p->reference * STILL)
		p->stirred_ns = p->now_ns;
	if (height >= p->reference * FLAT) {
		p->active_ns = p->now_ns;
		p->settled = value;
		p->flat_max = 0;
	} else if (height > p->flat_max) {
		p->flat_max = height;
	}
	if (p->level <= 0 || p->now_ns - p->heard_ns > LOST)
		look_anew(p, height);
	if (p->level > 0)
		watch_beat(p, height);
	if (p->shapeless_ns && p->now_ns >= p->shapeless_ns + SHAPED)
		take_shape(p);
	p->before = height;
}

void pulse_sample(struct pulse *p, double value, uint32_t period_ns, uint64_t time_ns)
{
	p->sum += value;
	p->summed++;
	p->step_ns += period_ns;
	p->period_ns = period_ns;
	if (p->step_ns + period_ns / 2 < STEP_NS)
		return;
	p->now_ns = time_ns + period_ns;
	step(p, p->sum / p->summed);
	p->sum = 0;
	p->summed = 0;
	p->step_ns = period_ns < STEP_NS && p->step_ns > STEP_NS ? p->step_ns - STEP_NS : 0;
}
