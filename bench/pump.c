#include "bench/pump.h"

#include <math.h>

#include "guard/vitals/pulse.h"

#define SYSTOLE	    0.38 /* of the time between beats, from R to when it fills, */
#define SYSTOLE_MAX 0.3	 /* s */
#define ARRIVES_S   0.15 /* at the place where it is measured */
#define DIASTOLE    0.55 /* and for so long it is full */

static void add_fill(struct pump *p, double s)
{
	if (p->fills < PUMP_FILLS)
		p->fill_s[p->fills++] = s;
}

/* Every beat of the first lead; returns the time between two of the last. */
static double follow_heart(struct pump *p, const struct take *t, double from_s, double to_s)
{
	const struct take_lead *l = &t->lead[0];
	uint64_t each = l->period_ns, beats = 0;
	struct pulse ecg;
	double every = 0.8;

	for (unsigned i = 0; i < t->leads && !l->ecg; i++)
		l = &t->lead[i];
	pulse_init(&ecg, true);
	for (size_t i = (size_t)(from_s * 1e9) / each; i < l->n && (double)(i * each) < to_s * 1e9;
	     i++) {
		if (l->v[i] != VITALS_INVALID)
			pulse_sample(&ecg, l->v[i], l->period_ns, i * each);
		if (ecg.beats == beats)
			continue;
		beats = ecg.beats;
		if (beats > 4)
			every = (double)pulse_interval(&ecg, ecg.now_ns, 8) / 1e9;
		add_fill(p, (double)pulse_back(&ecg, 0)->onset_ns / 1e9 + ARRIVES_S +
				    fmin(SYSTOLE * every, SYSTOLE_MAX));
	}
	return every;
}

struct pump pump_draw(const struct take *t, enum pump_trigger by, double from_s, double stop_s,
		      double to_s, uint64_t seed)
{
	struct pump p = {.height = take_uniform(&seed, 0.4, 1.4)};
	double every = follow_heart(&p, t, from_s, by == PUMP_BY_HEART ? to_s : stop_s), s = stop_s;

	p.sharp = take_uniform(&seed, 0.5, 2);
	p.long_s = DIASTOLE * every;
	if (by == PUMP_BY_TIMER) {
		every = 60 / take_uniform(&seed, 70, 100);
		s += take_uniform(&seed, 0, 4);
	} else if (p.fills) {
		s = p.fill_s[p.fills - 1] + every;
	}
	for (; by != PUMP_BY_HEART && s < to_s; s += every)
		add_fill(&p, s);
	return p;
}

double pump_press(const struct pump *p, double s)
{
	double at = -1;

	for (unsigned i = p->fills; i-- && at < 0;)
		at = s - p->fill_s[i];
	if (at < 0 || at > p->long_s)
		return 0;
	return p->height * pow(sin(M_PI * at / p->long_s), p->sharp);
}
