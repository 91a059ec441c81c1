#include "guard/vitals/course.h"

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
#define SMOOTHER    0.75 /* and so far apart are two rates that follow each other, on the mean */
#define ROUGHER	    1.33
#define HELD	    1.5	 /* of the longest row of one rate before, and: */
#define HELD_MORE   1	 /* a monitor holds the last pulse until hands bring another */
#define CLOSE	    0.08 /* of the last rate before: about the same */
#define FEW	    3
#define SLOW_TIMES  8 /* rates in a row below a pace of hands, as were there before */

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

static double mean_step(const struct course *c, uint32_t from, uint32_t until)
{
	uint32_t sum = 0;

	for (uint32_t i = from + 1; i < until; i++)
		sum += (uint32_t)abs(rate_at(c, i) - rate_at(c, i - 1));
	return (double)sum / (until - from);
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

static bool was_so_low(const struct course *c, uint32_t from, int rate)
{
	for (uint32_t i = first_before(c, from); i < from; i++)
		if (rate_at(c, i) <= rate)
			return true;
	return false;
}

bool course_is_no_hands(const struct course *c, uint32_t from)
{
	int least = UINT8_MAX;

	if (c->count - from > MOST) /* the past is forgotten */
		return false;
	for (uint32_t i = 1; i <= SLOW_TIMES; i++) {
		int rate = rate_at(c, c->count - i);

		if (c->count < from + i || course_may_be_hands(rate))
			return false;
		least = rate < least ? rate : least;
	}
	return was_so_low(c, from, least + 1);
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
	double step, usual;
	int spread;

	if (c->whole + ENOUGH > from || since < ENOUGH || since > MOST)
		return false;
	first = first_before(c, from);
	if (is_held(c, first, from))
		return false;
	usual = mean_step(c, first, from);
	step = mean_step(c, from, c->count);
	if (step < usual * SMOOTHER || step > usual * ROUGHER)
		return false;
	was = quarters_of(c, first, from);
	is = quarters_of(c, from, c->count);
	spread = was.high - was.low;
	return is.middle >= was.low - 1 && is.middle <= was.high + 1 &&
	       is.high - is.low >= spread * STEADIER && is.high - is.low <= spread * WILDER + 1;
}
