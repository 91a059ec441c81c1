#include "bench/take.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/ecgsyn.h"
#include "demo/record.h"

#define ECG_HZ	  250
#define PLETH_HZ  125
#define ECG_STEPS 400.0 /* of the converter, a millivolt */
#define PLETH_TOP 2000.0
#define STEPS_MIN 8 /* of the converter: a pulse that is lower is none that a monitor relies on */

uint64_t take_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

double take_uniform(uint64_t *seed, double low, double high)
{
	return low + (high - low) * (double)(take_random(seed) >> 11) * 0x1p-53;
}

double take_gauss(uint64_t *seed)
{
	double sum = -6;

	for (unsigned i = 0; i < 12; i++)
		sum += take_uniform(seed, 0, 1);
	return sum;
}

static const struct {
	const char *name;
	uint16_t code;
	bool ecg, pulse;
} names[] = {
	{"III", 0x013d, true, false}, {"II", 0x0102, true, false},  {"MLII", 0x0102, true, false},
	{"I", 0x0101, true, false},   {"MCL", 0x014c, true, false}, {"V5", 0x0107, true, false},
	{"V", 0x0143, true, false},   {"ECG", 0x0100, true, false}, {"PLETH", 0x4bb4, false, true},
	{"ABP", 0x4a14, false, true}, {"ART", 0x4a10, false, true}, {"RESP", 0x5000, false, false},
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median range of stretches of a second and a half, each of which holds a beat. */
static double beat_height(const struct take_lead *l)
{
	size_t span = (size_t)(1.5e9 / l->period_ns), count = l->n / span, used = 0;
	double *range = calloc(count + 1, sizeof(*range)), median;

	for (size_t k = 0; range && k < count; k++) {
		int32_t low = INT32_MAX, high = INT32_MIN + 1;

		for (size_t i = k * span; i < (k + 1) * span; i++) {
			if (l->v[i] == VITALS_INVALID)
				continue;
			low = l->v[i] < low ? l->v[i] : low;
			high = l->v[i] > high ? l->v[i] : high;
		}
		if (high > low)
			range[used++] = (double)high - low;
	}
	if (range)
		qsort(range, used, sizeof(*range), ascending);
	median = range && used ? range[used / 2] : 1;
	free(range);
	return median;
}

static bool add_lead(struct take *t, const struct record_signal *s)
{
	struct take_lead *l = &t->lead[t->leads];
	bool any = false;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(s->name, names[i].name, strlen(names[i].name)) != 0)
			continue;
		*l = (struct take_lead){.code = names[i].code,
					.ecg = names[i].ecg,
					.pulse = names[i].pulse,
					.period_ns = (uint32_t)lrint(1e9 / s->rate_hz),
					.n = s->n};
		l->v = calloc(s->n, sizeof(*l->v));
		for (size_t k = 0; l->v && k < s->n; k++) {
			l->v[k] =
				isnan(s->v[k]) ? VITALS_INVALID : (int32_t)lrint(s->v[k] * s->gain);
			any |= !isnan(s->v[k]);
		}
		if (!l->v || !any) {
			free(l->v);
			return false;
		}
		l->beat = beat_height(l);
		l->pulse &= l->beat >= STEPS_MIN;
		t->leads++;
		return l->ecg;
	}
	return false;
}

struct take *take_record(const char *dir, const char *header)
{
	struct take *t = calloc(1, sizeof(*t));
	struct record *r = NULL;
	bool ecg = false;

	if (!t || record_load(dir, header, &r)) {
		free(t);
		return NULL;
	}
	snprintf(t->name, sizeof(t->name), "%.*s", (int)strcspn(header, "."), header);
	t->seconds = r->seconds;
	for (unsigned i = 0; i < r->signals && t->leads < TAKE_LEADS; i++)
		ecg |= add_lead(t, &r->signal[i]);
	record_free(r);
	if (!ecg) {
		take_free(t);
		return NULL;
	}
	return t;
}

static int32_t clamp(double v, int32_t top)
{
	return v < 0 ? 0 : v > top ? top : (int32_t)lrint(v);
}

/* The pleth rises and falls with the breath, the ECG's baseline wanders, both carry noise. */
static void fill_model(struct take *t, struct ecgsyn *e, uint64_t seed)
{
	double breath_hz = take_uniform(&seed, 0.2, 0.33), depth = take_uniform(&seed, 0.03, 0.15);
	double wander = take_uniform(&seed, 0, 0.1), noise = take_uniform(&seed, 1, 6);

	for (size_t i = 0; i < t->lead[0].n; i++) {
		double s = (double)i / ECG_HZ, pleth, breath = sin(2 * M_PI * breath_hz * s);
		double mv = ecgsyn_next(e, NULL, &pleth) + wander * breath;

		t->lead[0].v[i] = clamp(8192 + mv * ECG_STEPS + noise * take_gauss(&seed), 16383);
		if (i % 2 == 0 && i / 2 < t->lead[1].n)
			t->lead[1].v[i / 2] = clamp(800 + PLETH_TOP * pleth * (1 + depth * breath) +
							    noise * take_gauss(&seed),
						    4095);
	}
}

struct take *take_model(double seconds, double heart_rate, uint64_t seed)
{
	struct ecgsyn_options o = {.rate_hz = ECG_HZ, .heart_rate = heart_rate, .seed = seed};
	struct take *t = calloc(1, sizeof(*t));
	struct ecgsyn *e;

	o.heart_sd = take_uniform(&seed, 0.5, 3);
	e = ecgsyn_new(&o);
	if (!t || !e)
		abort();
	snprintf(t->name, sizeof(t->name), "model at %.0f a minute", heart_rate);
	t->model = true;
	t->seconds = seconds;
	t->rate = heart_rate;
	t->leads = 2;
	t->lead[0] =
		(struct take_lead){.code = 0x0102, .ecg = true, .period_ns = 1000000000 / ECG_HZ};
	t->lead[1] = (struct take_lead){
		.code = 0x4bb4, .pulse = true, .period_ns = 1000000000 / PLETH_HZ};
	for (unsigned i = 0; i < 2; i++) {
		t->lead[i].n = (size_t)(seconds * 1e9 / t->lead[i].period_ns);
		t->lead[i].v = calloc(t->lead[i].n + 1, sizeof(int32_t));
		if (!t->lead[i].v)
			abort();
	}
	fill_model(t, e, seed);
	for (unsigned i = 0; i < 2; i++)
		t->lead[i].beat = beat_height(&t->lead[i]);
	ecgsyn_free(e);
	return t;
}

void take_free(struct take *t)
{
	for (unsigned i = 0; t && i < t->leads; i++)
		free(t->lead[i].v);
	free(t);
}
