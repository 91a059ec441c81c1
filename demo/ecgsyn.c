#include "demo/ecgsyn.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HILLS	 5  /* P Q R S T */
#define BINS	 48 /* of the interval's spectrum */
#define SUBSTEPS 2  /* of the integration, a sample */
#define RECENT	 4  /* beats whose pulse wave is still under way */

struct state {
	double x, y, z;
};

struct ecgsyn {
	double rate_hz;
	double angle[HILLS], height[HILLS], width[HILLS];
	double interval_s; /* mean RR */
	double wave_hz[BINS], wave_s[BINS], wave_phase[BINS];
	double gain, offset; /* model units to mV */
	double time_s;
	struct state at;
	double beat_s[RECENT]; /* when the last beats were */
	unsigned beats;
};

/* The paper's table I: where on the circle, how high, how wide. */
static const double hill_degrees[HILLS] = {-60, -15, 0, 15, 90};
static const double hill_height[HILLS] = {1.2, -5, 30, -7.5, 0.75};
static const double hill_width[HILLS] = {0.25, 0.1, 0.1, 0.1, 0.4};

static double uniform(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double gauss(double x, double mean, double sd)
{
	return exp(-(x - mean) * (x - mean) / (2 * sd * sd));
}

/* Two bands, 0.1 Hz (Mayer) and 0.25 Hz (breathing), LF/HF 0.5, random phases; §II.B. */
static void tachogram(struct ecgsyn *e, double sd_s, uint64_t seed)
{
	double power = 0;

	for (unsigned i = 0; i < BINS; i++) {
		/* Multiples of one frequency would come back with it, the same beats every 100 s. */
		double f = 0.01 * (i + 0.5 + uniform(&seed));
		double s = 0.5 * gauss(f, 0.1, 0.01) + gauss(f, 0.25, 0.01);

		e->wave_hz[i] = f;
		e->wave_s[i] = sqrt(s);
		e->wave_phase[i] = 2 * M_PI * uniform(&seed);
		power += s / 2;
	}
	for (unsigned i = 0; i < BINS; i++)
		e->wave_s[i] *= sd_s / sqrt(power);
}

static double interval(const struct ecgsyn *e, double t)
{
	double rr = e->interval_s;

	for (unsigned i = 0; i < BINS; i++)
		rr += e->wave_s[i] * cos(2 * M_PI * e->wave_hz[i] * t + e->wave_phase[i]);
	return fmax(rr, 0.2);
}

/* Equation (1) of the paper. */
static struct state slope(const struct ecgsyn *e, struct state s, double omega, double t)
{
	double alpha = 1 - hypot(s.x, s.y), theta = atan2(s.y, s.x);
	struct state d = {alpha * s.x - omega * s.y, alpha * s.y + omega * s.x, 0};

	for (unsigned i = 0; i < HILLS; i++) {
		double a = remainder(theta - e->angle[i], 2 * M_PI);

		d.z -= e->height[i] * a * gauss(a, 0, e->width[i]);
	}
	d.z -= s.z - 0.005 * sin(2 * M_PI * 0.25 * t);
	return d;
}

static struct state ahead(struct state s, struct state d, double h)
{
	return (struct state){s.x + h * d.x, s.y + h * d.y, s.z + h * d.z};
}

static void step(struct ecgsyn *e, double h, double omega)
{
	struct state k1 = slope(e, e->at, omega, e->time_s);
	struct state k2 = slope(e, ahead(e->at, k1, h / 2), omega, e->time_s + h / 2);
	struct state k3 = slope(e, ahead(e->at, k2, h / 2), omega, e->time_s + h / 2);
	struct state k4 = slope(e, ahead(e->at, k3, h), omega, e->time_s + h);

	e->at.x += h / 6 * (k1.x + 2 * k2.x + 2 * k3.x + k4.x);
	e->at.y += h / 6 * (k1.y + 2 * k2.y + 2 * k3.y + k4.y);
	e->at.z += h / 6 * (k1.z + 2 * k2.z + 2 * k3.z + k4.z);
	e->time_s += h;
}

static double pleth(const struct ecgsyn *e)
{
	double v = 0;

	for (unsigned i = 0; i < RECENT && i < e->beats; i++) {
		double t = e->time_s - e->beat_s[(e->beats - 1 - i) % RECENT];

		v += gauss(t, 0.32, 0.08) + 0.35 * gauss(t, 0.58, 0.11);
	}
	return fmin(v * 0.8, 1);
}

double ecgsyn_next(struct ecgsyn *e, bool *ret_beat, double *ret_pleth)
{
	double before = e->at.y;
	double omega = 2 * M_PI / interval(e, e->time_s);
	bool beat;

	for (unsigned i = 0; i < SUBSTEPS; i++)
		step(e, 1 / (e->rate_hz * SUBSTEPS), omega);
	beat = before < 0 && e->at.y >= 0 && e->at.x > 0; /* R stands at angle 0 */
	if (beat)
		e->beat_s[e->beats++ % RECENT] = e->time_s;
	if (ret_beat)
		*ret_beat = beat;
	if (ret_pleth)
		*ret_pleth = pleth(e);
	return e->offset + e->gain * e->at.z;
}

/* The model's z has no unit: scaled so that four beats span -0.4 to 1.2 mV, as §III does. */
static void calibrate(struct ecgsyn *e)
{
	double low = 1e9, high = -1e9;

	e->gain = 1;
	for (unsigned i = 0; i < (unsigned)(6 * e->interval_s * e->rate_hz); i++) {
		double v = ecgsyn_next(e, NULL, NULL);

		if (i < 2 * e->interval_s * e->rate_hz)
			continue;
		low = fmin(low, v);
		high = fmax(high, v);
	}
	e->gain = 1.6 / (high - low);
	e->offset = -0.4 - low * e->gain;
}

struct ecgsyn *ecgsyn_new(const struct ecgsyn_options *o)
{
	struct ecgsyn *e;
	double faster;

	if (o->rate_hz < 50 || o->heart_rate < 20 || o->heart_rate > 250) {
		errno = EINVAL;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->rate_hz = o->rate_hz;
	e->interval_s = 60 / o->heart_rate;
	faster = sqrt(o->heart_rate / 60);
	for (unsigned i = 0; i < HILLS; i++) {
		double near = i == 0 || i == 4 ? sqrt(faster) : i == 2 ? 1 : faster;

		e->angle[i] = hill_degrees[i] * M_PI / 180 * near;
		e->height[i] = hill_height[i];
		e->width[i] = hill_width[i] * faster;
	}
	tachogram(e, 60 * o->heart_sd / (o->heart_rate * o->heart_rate), o->seed);
	e->at = (struct state){1, 0, 0.04};
	calibrate(e);
	return e;
}

void ecgsyn_free(struct ecgsyn *e)
{
	free(e);
}
