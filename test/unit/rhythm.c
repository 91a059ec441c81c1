/* Beats that came at the same times before: what is a replay, and what hearts do themselves. */
#include "guard/vitals/rhythm.h"

#include <math.h>
#include <string.h>

#include "guard/vitals/numeric.h"
#include "unit.h"

#define MS	1000000ull
#define BEATS	2000
#define PULSE	0x4182
#define NOT_YET UINT32_MAX

static uint64_t seed;

static double uniform(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(seed >> 11) / (double)(1ull << 53);
}

static double gauss(void)
{
	double sum = -6;

	for (unsigned i = 0; i < 12; i++)
		sum += uniform();
	return sum;
}

/* The beat of the first finding, of intervals in ms, each beat found a little beside its place. */
static uint32_t play(const double *gap, uint32_t count, struct repeat_finding *ret_f)
{
	static struct rhythm r;
	double at = 1000;

	memset(&r, 0, sizeof(r));
	for (uint32_t i = 0; i < count; i++) {
		at += gap[i];
		if (rhythm_beat(&r, (uint64_t)((at + 1.5 * (uniform() - 0.5)) * MS), ret_f))
			return i;
	}
	return NOT_YET;
}

static double gaps[BEATS];

static void live(uint32_t from, uint32_t to, double sd)
{
	for (uint32_t i = from; i < to; i++)
		gaps[i] = fmax(300, 800 + sd * gauss());
}

static void beats_that_were_here_before_are_told(void **state)
{
	struct repeat_finding f;

	for (unsigned k = 0; k < 40; k++) {
		uint32_t ago = 60 + k * 20, at = 1000, told;

		seed = k;
		live(0, BEATS, 25 + k);
		memcpy(gaps + at, gaps + at - ago, 60 * sizeof(*gaps));
		told = play(gaps, BEATS, &f);
		assert_true(told > at + 10 && told < at + 60);
		assert_int_equal(f.distance, ago);
		assert_true(f.length >= 14 && f.length >= 2u * f.usual);
	}
}

/* What hearts do without end, and what they begin to do after being free. */
static double habit(unsigned kind, uint32_t i)
{
	static const double bigeminy[] = {500, 1100}, trigeminy[] = {850, 600, 1000};
	static const double quadrigeminy[] = {800, 805, 560, 1050};

	switch (kind) {
	case 0:
		return 1000; /* paced */
	case 1:
		return bigeminy[i % 2];
	case 2:
		return trigeminy[i % 3];
	case 3:
		return quadrigeminy[i % 4];
	case 4:
		return 800 + 40 * sin(2 * M_PI * i / 6); /* a ventilator, six beats a breath */
	case 5:
		return 800 + 30 * sin(2 * M_PI * i / 5.03); /* nearly so */
	case 6:
		return 800 + 3 * gauss(); /* a transplanted heart: hardly any variability */
	default:
		return 600 + 120 * gauss(); /* atrial fibrillation */
	}
}

static void habits_are_no_replays(void **state)
{
	struct repeat_finding f;

	for (unsigned kind = 0; kind < 8; kind++)
		for (unsigned k = 0; k < 12; k++) {
			uint32_t begin = k ? k * 150 : 0;

			seed = k;
			live(0, BEATS, 30);
			for (uint32_t i = begin; i < BEATS; i++)
				gaps[i] = habit(kind, i) + 1.5 * gauss();
			if (play(gaps, BEATS, &f) != NOT_YET)
				fail_msg("habit %u from %u on: %u beats, %u usual, %u ago", kind,
					 begin, f.length, f.usual, f.distance);
		}
}

static void interruptions_are_no_intervals(void **state)
{
	struct rhythm r;
	struct repeat_finding f;

	memset(&r, 0, sizeof(r));
	for (uint64_t i = 1; i < 3000; i++) {
		assert_false(rhythm_beat(&r, i * 1000 * MS, &f));
		if (i % 3 == 0)
			rhythm_break(&r);
	}
	/* Time that stands still, or goes back. */
	for (unsigned i = 0; i < 3000; i++)
		assert_false(rhythm_beat(&r, i % 2 ? UINT64_MAX : i, &f));
	assert_true(rhythm_ago(&r, UINT32_MAX) >= 0);
}

/* A value a second against a wave that goes at `rate` from second `from` on, at 72 before. When told. */
static unsigned freeze(double value, double rate, unsigned from, bool still)
{
	struct numeric n = {.code = PULSE};
	uint64_t since = 0;

	for (unsigned s = 1; s < 300; s++) {
		uint64_t now = (1000 + s) * 1000 * MS;

		numeric_take(&n, value + (still ? 0 : s % 2), now);
		if (numeric_is_frozen(&n, s < from ? 72 : rate, &since)) {
			assert_true(since >= (1000 + from) * 1000 * MS);
			return s - from;
		}
	}
	return 0;
}

static void a_frozen_number_is_told(void **state)
{
	assert_in_range(freeze(72, 80, 60, true), 19, 22);
	assert_in_range(freeze(72, 64, 60, true), 19, 22);
	/* Less than is sure, a number that moves, one that never fitted, and no wave. */
	assert_int_equal(freeze(72, 76, 60, true), 0);
	assert_int_equal(freeze(72, 80, 60, false), 0);
	assert_int_equal(freeze(90, 80, 60, true), 0);
	assert_int_equal(freeze(72, 0, 60, true), 0);
	/* It must have stood for a while. */
	assert_true(freeze(72, 80, 3, true) >= 26);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beats_that_were_here_before_are_told),
		cmocka_unit_test(habits_are_no_replays),
		cmocka_unit_test(interruptions_are_no_intervals),
		cmocka_unit_test(a_frozen_number_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
