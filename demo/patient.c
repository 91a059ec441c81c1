#include "demo/patient.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/ecgsyn.h"
#include "demo/record.h"

#define ECG_HZ	    500
#define PLETH_HZ    125
#define BLOCKS	    3600 /* a good quarter of an hour */
#define RATE_WINDOW 8	 /* seconds that a rate is counted over */

struct series {
	double *v;
	size_t n;
	double rate_hz;
};

static uint16_t clamp(double v, unsigned top)
{
	return v < 0 ? 0 : v > top ? (uint16_t)top : (uint16_t)lrint(v);
}

static double at(const struct series *s, double t)
{
	double k = t * s->rate_hz;
	size_t i = (size_t)k;

	if (i + 1 >= s->n)
		return s->v[s->n - 1];
	return s->v[i] + (k - (double)i) * (s->v[i + 1] - s->v[i]);
}

/*
 * Beats a minute by autocorrelation of the slope: the lag between a third and
 * one and a half seconds at which the wave resembles itself most. 0: too short.
 */
static double rate(const struct series *s, double from, double span)
{
	const double hz = 125;
	double d[RATE_WINDOW * 125], best = 0;
	size_t n = (size_t)(span * hz), best_lag = 0;

	if (n > sizeof(d) / sizeof(d[0]) || n < 250)
		return 0;
	for (size_t i = 0; i < n; i++)
		d[i] = at(s, from + (double)(i + 1) / hz) - at(s, from + (double)i / hz);
	for (size_t lag = (size_t)(hz / 3); lag < (size_t)(hz * 1.5) && lag < n / 2; lag++) {
		double sum = 0;

		for (size_t i = 0; i + lag < n; i++)
			sum += d[i] * d[i + lag];
		sum /= (double)(n - lag);
		if (sum > best * 1.02) { /* a multiple of the period is no better than it */
			best = sum;
			best_lag = lag;
		}
	}
	return best_lag ? 60 * hz / (double)best_lag : 0;
}

/* ecg in mV, pleth in any unit (stretched over the range). */
static struct patient *cut(const struct series *ecg, const struct series *pleth, const char *source)
{
	struct patient *p = calloc(1, sizeof(*p));
	double low = INFINITY, high = -INFINITY, length = (double)ecg->n / ecg->rate_hz;
	const double block_s = PATIENT_BLOCK_MS / 1000.0;

	if (!p)
		return NULL;
	p->count = (unsigned)fmin(BLOCKS, length / block_s);
	p->blocks = calloc(p->count ? p->count : 1, sizeof(*p->blocks));
	if (!p->blocks || !p->count) {
		patient_free(p);
		return NULL;
	}
	for (size_t i = 0; i < pleth->n; i++) {
		low = fmin(low, pleth->v[i]);
		high = fmax(high, pleth->v[i]);
	}
	snprintf(p->source, sizeof(p->source), "%s", source);
	for (unsigned b = 0; b < p->count; b++) {
		struct patient_block *k = &p->blocks[b];
		double t = b * block_s, back = fmax(0, t - RATE_WINDOW + block_s);

		for (unsigned i = 0; i < PATIENT_ECG; i++)
			k->ecg[i] = clamp(PATIENT_ECG_ZERO +
						  PATIENT_ECG_MV * at(ecg, t + (double)i / ECG_HZ),
					  16383);
		for (unsigned i = 0; i < PATIENT_PLETH; i++)
			k->pleth[i] = clamp((at(pleth, t + (double)i / PLETH_HZ) - low) /
						    (high - low) * PATIENT_PLETH_TOP,
					    PATIENT_PLETH_TOP);
		if (b % 4 && b) {
			k->heart_rate = p->blocks[b - 1].heart_rate;
			k->pulse_rate = p->blocks[b - 1].pulse_rate;
			continue;
		}
		back = fmin(back, fmax(0, length - RATE_WINDOW));
		k->heart_rate = rate(ecg, back, fmin(RATE_WINDOW, length - back));
		k->pulse_rate = rate(pleth, back, fmin(RATE_WINDOW, length - back));
	}
	return p;
}

static struct patient *from_model(double heart_rate)
{
	struct ecgsyn_options o = {
		.rate_hz = ECG_HZ, .heart_rate = heart_rate, .heart_sd = 1.5, .seed = 2003};
	struct series ecg = {.rate_hz = ECG_HZ}, pleth = {.rate_hz = ECG_HZ};
	size_t n = (size_t)(BLOCKS + 1) * PATIENT_ECG;
	struct ecgsyn *e = ecgsyn_new(&o);
	struct patient *p = NULL;

	ecg.v = calloc(n, sizeof(double));
	pleth.v = calloc(n, sizeof(double));
	if (e && ecg.v && pleth.v) {
		for (size_t i = 0; i < n; i++)
			ecg.v[i] = ecgsyn_next(e, NULL, &pleth.v[i]);
		ecg.n = pleth.n = n;
		p = cut(&ecg, &pleth, "the ECGSYN model (McSharry et al. 2003)");
	}
	free(ecg.v);
	free(pleth.v);
	ecgsyn_free(e);
	return p;
}

/* Long enough to count rates from, and without gaps, which a monitor would not show. */
static bool is_whole(const struct record_signal *s)
{
	if (!s || (double)s->n <= s->rate_hz * RATE_WINDOW)
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (isnan(s->v[i]))
			return false;
	return true;
}

static struct patient *from_record(const char *dir, const char *name)
{
	const struct record_signal *lead, *pulse;
	struct record *r;
	struct patient *p = NULL;
	char source[96];

	if (record_load(dir, name, &r))
		return NULL;
	lead = record_find(r, "II");
	pulse = record_find(r, "PLETH");
	if (is_whole(lead) && is_whole(pulse)) {
		const struct series ecg = {lead->v, lead->n, lead->rate_hz};
		const struct series pleth = {pulse->v, pulse->n, pulse->rate_hz};

		snprintf(source, sizeof(source), "the recording %.60s", name);
		p = cut(&ecg, &pleth, source);
	}
	record_free(r);
	return p;
}

static struct patient *from_folder(const char *dir)
{
	struct dirent **names = NULL;
	struct patient *p = NULL;
	int n = scandir(dir, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]->d_name);

		if (!p && len > 4 && strcmp(names[i]->d_name + len - 4, ".hea") == 0)
			p = from_record(dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return p;
}

struct patient *patient_new(const char *dir, double heart_rate)
{
	struct patient *p = dir ? from_folder(dir) : NULL;

	return p ? p : from_model(heart_rate);
}

void patient_free(struct patient *p)
{
	if (p)
		free(p->blocks);
	free(p);
}

const struct patient_block *patient_block(const struct patient *p, unsigned n)
{
	return &p->blocks[n % p->count];
}
