#include "guard/vitals/echo.h"

#include <string.h>

#include "base/fnv.h"

#define AROUND_NS  56000000u /* on either side of a summit */
#define HALF_MIN   6
#define RANGE_MIN  8 /* steps of the converter: less is noise on a flat line */
#define SPAN_S	   4.0
#define RUN_MIN	   6
#define MISSES	   2
#define ERAS	   10 /* kept: eight full ones are a minute, one is filling, one is the oldest */
#define ERA_S	   7.5
#define FULL_ERAS  8
#define KNOWN_MOST 0.05

void echo_init(struct echo *e)
{
	memset(e, 0, sizeof(*e));
}

void echo_break(struct echo *e)
{
	e->filled = 0;
}

static int32_t ring_at(const struct echo *e, unsigned back)
{
	return e->ring[(e->count - 1 - back) % ECHO_WINDOW];
}

/* Is the sample `half` back higher than all around it, by enough to be more than noise? */
static bool is_summit(const struct echo *e)
{
	int32_t top = ring_at(e, e->half), low = top;

	/* Most samples stand on a slope, and it shows next to them. */
	if (ring_at(e, e->half + 1) > top || ring_at(e, e->half - 1) >= top)
		return false;
	for (unsigned i = 0; i <= 2 * e->half; i++) {
		int32_t v = ring_at(e, i);

		if (v > top || (v == top && i < e->half))
			return false;
		low = v < low ? v : low;
	}
	return (int64_t)top - low >= RANGE_MIN;
}

static uint32_t fingerprint(const struct echo *e)
{
	uint64_t h = FNV64_START;

	for (unsigned i = 0; i < 2 * e->half; i++) {
		h = fnv64_step(h, (uint32_t)ring_at(e, i) - (uint32_t)ring_at(e, i + 1));
		h ^= h >> 29;
	}
	h ^= h >> 32;
	return (uint32_t)h ? (uint32_t)h : 1;
}

static double seconds(const struct echo *e, uint32_t samples)
{
	return samples * (e->period_ns / 1e9);
}

/* Turns to the era of the present sample; what lies between is empty. */
static void turn(struct echo *e)
{
	uint32_t era = (uint32_t)(seconds(e, e->count) / ERA_S);

	while (e->era != era) {
		e->era++;
		e->seen[e->era % ERAS] = e->known[e->era % ERAS] = 0;
		if (era - e->era > ERAS)
			e->era = era - ERAS;
	}
}

/* Was there a minute before the run in which the wave did not come back to itself? */
static bool was_new(const struct echo *e)
{
	uint32_t run_era = (uint32_t)(seconds(e, e->run_from) / ERA_S);
	unsigned seen = 0, known = 0, full = 0;

	for (unsigned i = 1; i < ERAS && run_era >= i; i++) {
		uint32_t era = run_era - i;

		if (e->era - era >= ERAS)
			break;
		seen += e->seen[era % ERAS];
		known += e->known[era % ERAS];
		full += e->seen[era % ERAS] > 0;
	}
	return full >= FULL_ERAS - 1 && seen >= ECHO_BUSY / 2 && known <= seen * KNOWN_MOST;
}

static void follow(struct echo *e, bool known, uint32_t lag)
{
	if (known && e->run && lag == e->lag) {
		e->run++;
		e->missed = 0;
		e->run_last = e->count;
		return;
	}
	if (e->run && ++e->missed <= MISSES)
		return;
	e->run = 0;
	e->found = false;
	if (known) {
		e->run = 1;
		e->missed = 0;
		e->lag = lag;
		e->run_from = e->run_last = e->count;
	}
}

/* True where the run has just become long enough. */
static bool judge(struct echo *e, struct echo_finding *ret_f)
{
	double span = seconds(e, e->run_last - e->run_from);

	if (e->found || e->missed || e->run < RUN_MIN || span < SPAN_S ||
	    seconds(e, e->lag) < SPAN_S || !was_new(e))
		return false;
	e->found = true;
	ret_f->lag_s = seconds(e, e->lag);
	ret_f->span_s = span;
	ret_f->summits = e->run;
	return true;
}

static bool summit(struct echo *e, struct echo_finding *ret_f)
{
	uint32_t print = fingerprint(e);
	struct echo_slot *s = &e->slot[print % ECHO_SLOTS];
	bool known = s->print == print;
	uint32_t lag = e->count - s->at;

	turn(e);
	e->seen[e->era % ERAS]++;
	e->known[e->era % ERAS] += known;
	follow(e, known, lag);
	s->print = print;
	s->at = e->count;
	return judge(e, ret_f);
}

static void set_period(struct echo *e, uint32_t period_ns)
{
	unsigned half = AROUND_NS / period_ns;

	echo_init(e);
	e->period_ns = period_ns;
	half = half < HALF_MIN ? HALF_MIN : half;
	e->half = half > ECHO_WINDOW / 2 - 1 ? ECHO_WINDOW / 2 - 1 : half;
}

bool echo_sample(struct echo *e, int32_t value, uint32_t period_ns, struct echo_finding *ret_f)
{
	if (e->period_ns != period_ns)
		set_period(e, period_ns);
	e->ring[e->count++ % ECHO_WINDOW] = value;
	if (e->filled < 2 * e->half + 1) {
		e->filled++;
		return false;
	}
	return is_summit(e) && summit(e, ret_f);
}
