#include "guard/vitals/course.h"

#include <math.h>
#include <stdlib.h>

#define HANDS_LEAST 71.0
#define HANDS_MOST  150.0
#define SMALL	    3	/* steps that are no leap of any pulse */
#define LEAP	    1.5 /* of the largest step before, and: */
#define LEAP_MORE   2.0
#define ENOUGH	    120 /* rates, to know how they go, */
#define MOST	    (COURSE_KEPT / 2)
#define STEADIER    0.5	 /* of the spread: so steady are hands, */
#define WILDER	    2.0	 /* or so unsteady, */
#define HELD	    1.5	 /* of the longest row of one rate before, and: */
#define HELD_MORE   1	 /* a monitor holds the last pulse until hands bring another */
#define CLOSE	    0.08 /* of the last rate before: about the same */
#define FEW	    3
#define SLOW_TIMES  8 /* rates in a row below a pace of hands, as were there before */
#define ROUNDED	    0.5

/* How far two rates lie apart, on the mean, the second of which came `later`, against what was usual. */
struct stray {
	uint32_t later; /* messages */
	double least, most;
};

static const struct stray as_before[] = {{1, 0.75, 1.3}, {4, 0.75, 1.3}, {16, 0.6, 1.7}};
static const struct stray few_as_before[] = {{1, 0.6, 1.5}, {3, 0.7, 1.5}};

bool course_may_be_hands(double rate)
{
	return rate >= HANDS_LEAST && rate <= HANDS_MOST;
}

static int rate_at(const struct course *c, uint32_t i)
{
	return c->rate[i % COURSE_KEPT];
}

static int largest_step(const struct course *c, uint32_t until)
{
	int most = 0;

	for (uint32_t i = until; i > c->whole + 1 && until - i < MOST; i--) {
		int step = abs(rate_at(c, i - 1) - rate_at(c, i - 2));

		most = step > most ? step : most;
	}
	return most;
}

void course_take(struct course *c, double rate, uint32_t until)
{
	int now = rate < UINT8_MAX ? (int)(rate + 0.5) : UINT8_MAX, step;

	if (rate <= 0) {
		c->whole = c->count;
		return;
	}
	step = c->count > c->whole ? abs(now - rate_at(c, c->count - 1)) : 0;
	if (step > SMALL && step > LEAP * largest_step(c, until) + LEAP_MORE)
		c->whole = c->count;
	c->rate[c->count++ % COURSE_KEPT] = (uint8_t)now;
}

struct quarters {
	int low, middle, high;
};

static struct quarters quarters_of(const struct course *c, uint32_t from, uint32_t until)
{
	uint16_t times[UINT8_MAX + 1] = {0};
	uint32_t n = until - from, below = 0;
	struct quarters q = {-1, -1, -1};

	for (uint32_t i = from; i < until; i++)
		times[rate_at(c, i)]++;
	for (int rate = 0; rate <= UINT8_MAX && q.high < 0; rate++) {
		below += times[rate];
		if (q.low < 0 && 4 * below >= n)
			q.low = rate;
		if (q.middle < 0 && 2 * below >= n)
			q.middle = rate;
		if (4 * below >= 3 * n)
			q.high = rate;
	}
	return q;
}

/* How far two rates lie apart, on the mean, the second of which came `later`. */
static double mean_step(const struct course *c, uint32_t from, uint32_t until, uint32_t later)
{
	uint32_t sum = 0;

	for (uint32_t i = from + later; i < until; i++)
		sum += (uint32_t)abs(rate_at(c, i) - rate_at(c, i - later));
	return (double)sum / (until - from - later);
}

/* A heart strays as it did, from one message to the next and over many. `even`: as far as rounding does. */
static bool strays(const struct course *c, uint32_t first, uint32_t from, const struct stray *s,
		   unsigned n, double even)
{
	for (; n--; s++) {
		double was = mean_step(c, first, from, s->later);
		double is = mean_step(c, from, c->count, s->later);

		if (!(is >= was * s->least - even && is <= was * s->most + even))
			return false;
	}
	return true;
}

static uint32_t longest_row(const struct course *c, uint32_t from, uint32_t until)
{
	uint32_t most = 0, row = 0;

	for (uint32_t i = from + 1; i < until; i++) {
		row = rate_at(c, i) == rate_at(c, i - 1) ? row + 1 : 0;
		most = row > most ? row : most;
	}
	return most;
}

static uint32_t first_before(const struct course *c, uint32_t from)
{
	return from - c->whole < MOST ? c->whole : from - MOST;
}

struct range {
	int low, high;
};

static struct range range_of(const struct course *c, uint32_t from, uint32_t until)
{
	struct range r = {UINT8_MAX, 0};

	for (uint32_t i = from; i < until; i++) {
		int rate = rate_at(c, i);

		r.low = rate < r.low ? rate : r.low;
		r.high = rate > r.high ? rate : r.high;
	}
	return r;
}

/*
 * Pauses for breaths let hands be counted as slower, by turns: so the pulse must go on about the
 * same middle and stray as it did, and never have been at a pace of hands that it had not.
 */
bool course_is_no_hands(const struct course *c, uint32_t from)
{
	uint32_t since = c->count - from, first;
	struct range is, last;
	double usual, middle;

	if (c->whole >= from || since < SLOW_TIMES || since > MOST)
		return false;
	first = first_before(c, from);
	is = range_of(c, from, c->count);
	last = range_of(c, c->count - SLOW_TIMES, c->count);
	if (course_may_be_hands(last.low) || course_may_be_hands(last.high) ||
	    (course_may_be_hands(is.high) && is.high > range_of(c, first, from).high + 1))
		return false;
	usual = quarters_of(c, first, from).middle;
	middle = quarters_of(c, from, c->count).middle;
	return !course_may_be_hands(middle) && fabs(middle - usual) <= usual * CLOSE &&
	       strays(c, first, from, few_as_before, 2, ROUNDED);
}

/* Was one rate held for longer than usual? */
static bool is_held(const struct course *c, uint32_t first, uint32_t from)
{
	return longest_row(c, from, c->count) > longest_row(c, first, from) * HELD + HELD_MORE;
}

bool course_stays(const struct course *c, uint32_t from)
{
	int was = from > c->whole ? rate_at(c, from - 1) : 0;

	if (!was || c->count - from < FEW || c->count - from > MOST)
		return false;
	for (uint32_t i = from; i < c->count; i++)
		if (abs(rate_at(c, i) - was) > was * CLOSE)
			return false;
	return !is_held(c, first_before(c, from), from);
}

bool course_goes_on(const struct course *c, uint32_t from)
{
	uint32_t since = c->count - from, first;
	struct quarters was, is;
	int spread;

	if (c->whole + ENOUGH > from || since < ENOUGH || since > MOST)
		return false;
	first = first_before(c, from);
	if (is_held(c, first, from))
		return false;
	if (!strays(c, first, from, as_before, 3, 0))
		return false;
	was = quarters_of(c, first, from);
	is = quarters_of(c, from, c->count);
	spread = was.high - was.low;
	return is.middle >= was.low - 1 && is.middle <= was.high + 1 &&
	       is.high - is.low >= spread * STEADIER && is.high - is.low <= spread * WILDER + 1;
}
