#include "bench/cpr.h"

#include <math.h>

#include "bench/take.h"

#define BREATHS_S 4.0  /* two of them, after thirty compressions */
#define ROUND_S	  40.0 /* between checks of the pulse, which last */
#define CHECK_S	  10.0
#define THUMP_S	  0.3
#define ALONE_S	  8.0 /* from a thump to compressions */

struct cpr cpr_draw(enum cpr_heart heart, double soon_s, double late_s, double seen, uint64_t seed)
{
	struct cpr c = {.heart = heart};

	c.start_s = take_uniform(&seed, soon_s, late_s);
	c.flat_s = c.start_s + take_uniform(&seed, 1, 40);
	c.machine = take_uniform(&seed, 0, 1) < 0.3;
	c.pace_hz = (c.machine ? 102 : take_uniform(&seed, 85, 135)) / 60;
	c.sharp = take_uniform(&seed, 0.7, 3);
	c.height = take_uniform(&seed, 0.3, 1.4);
	c.seen = take_uniform(&seed, 0, seen);
	c.breaths = !c.machine && take_uniform(&seed, 0, 1) < 0.4;
	c.every_s = 60 / (heart == CPR_AGONAL ? take_uniform(&seed, 10, 20)
					      : take_uniform(&seed, 60, 110));
	c.seed = take_random(&seed);
	return c;
}

/* The k-th compression is not quite as deep as the others, by hand. */
static double depth(const struct cpr *c, double k)
{
	uint64_t seed = c->seed + (uint64_t)k;

	return c->machine ? 1 : take_uniform(&seed, 0.8, 1.2);
}

double cpr_press(const struct cpr *c, double t)
{
	double u = t - c->start_s, thirty = 30 / c->pace_hz, wave, k;

	if (c->thump && u < ALONE_S)
		return u > 0 && u < THUMP_S ? sin(M_PI * u / THUMP_S) : 0;
	if (c->thump)
		u -= ALONE_S;
	if (u < 0)
		return 0;
	u = fmod(u, ROUND_S + CHECK_S);
	if (u > ROUND_S)
		return 0;
	if (c->breaths && (u = fmod(u, thirty + BREATHS_S)) > thirty)
		return 0;
	u *= c->pace_hz;
	wave = sin(M_PI * modf(u + (c->machine ? 0 : 0.1 * sin(u * 0.7)), &k));
	return depth(c, k) * pow(fabs(wave), 2 * c->sharp);
}

static double fibrillate(double t)
{
	return 0.25 * sin(2 * M_PI * 5 * t + sin(t * 2.3) * 2) * (1 + 0.4 * sin(t * 1.7));
}

double cpr_ecg(const struct cpr *c, double t)
{
	double since = fmod(t, c->every_s);

	switch (c->heart) {
	case CPR_FIBRILLATION:
		return t < c->flat_s ? fibrillate(t) : 0;
	case CPR_SHOCKED:
		return t < c->flat_s ? fibrillate(t) : t < c->flat_s + 0.2 ? 3 : 0;
	case CPR_AGONAL:
		return since < 0.3 ? 0.4 * sin(M_PI * since / 0.3) : 0;
	case CPR_PACED:
		return t < c->flat_s && since < 0.04 ? 0.5 : 0;
	default:
		return 0;
	}
}
