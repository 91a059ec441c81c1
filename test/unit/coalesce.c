/* Sleeping for company: at which rates, how long, and that it ends with them. */
#include "unit.h"

#include "base/coalesce.h"

#define SECOND 1000000000ull

/* A second of frames that come one every `gap_ns`, each looked at when it has come and the sleep
 * before is over. Looks; the longest that one waited in `ret_late`; the last answer in `ret_wait`. */
static uint64_t second(struct coalesce *c, uint64_t *now, uint64_t gap_ns, uint64_t *ret_late,
		       uint64_t *ret_wait)
{
	uint64_t next = *now + gap_ns, end = *now + SECOND, looks = 0, late = 0, wait = 0;

	while (*now < end) {
		uint64_t frames;

		if (*now < next)
			*now = next;
		late = *now - next > late ? *now - next : late;
		frames = (*now - next) / gap_ns + 1;
		next += frames * gap_ns;
		wait = coalesce_came(c, frames, *now);
		*now += wait;
		looks++;
	}
	*ret_late = late;
	*ret_wait = wait;
	return looks;
}

static void slow_is_never_late(void **state)
{
	struct coalesce c;
	uint64_t now = 7 * SECOND, late, wait;

	coalesce_init(&c, 500);
	/* 1, 1,000 and 7,000 a second */
	for (unsigned i = 0; i < 3; i++) {
		static const uint64_t gaps[] = {SECOND, 1000000, 143000};

		second(&c, &now, gaps[i], &late, &wait);
		assert_int_equal(wait, 0);
		assert_int_equal(late, 0);
	}
}

static void fast_is_gathered(void **state)
{
	struct coalesce c;
	uint64_t now = 7 * SECOND, late, wait, looks;

	coalesce_init(&c, 500);
	looks = second(&c, &now, 100000, &late, &wait);
	assert_true(looks < 2500); /* of 10,000 */
	assert_true(late <= 500000);
	assert_int_equal(wait, 500000);
	/* Much faster: eight of them are company enough. */
	looks = second(&c, &now, 10000, &late, &wait);
	assert_true(looks < 100000 / 7);
	assert_true(wait >= 79000 && wait <= 81000);
	assert_true(late <= 500000);
}

static void ends_with_the_rate(void **state)
{
	struct coalesce c;
	uint64_t now = 7 * SECOND, late, wait;

	coalesce_init(&c, 500);
	second(&c, &now, 50000, &late, &wait);
	assert_true(wait > 0);
	/* Somewhat slower than where it begins: it goes on, and does not waver. */
	second(&c, &now, 150000, &late, &wait);
	assert_true(wait > 0);
	second(&c, &now, 200000, &late, &wait);
	assert_int_equal(wait, 0);
	second(&c, &now, 150000, &late, &wait);
	assert_int_equal(wait, 0);
	/* After a pause, one frame does not wait for what may never come. */
	second(&c, &now, 50000, &late, &wait);
	assert_true(wait > 0);
	now += SECOND;
	assert_int_equal(coalesce_came(&c, 1, now), 0);
}

static void bursts_are_not_a_rate(void **state)
{
	struct coalesce c;
	uint64_t now = 7 * SECOND;

	coalesce_init(&c, 500);
	/* Eight at once, 100 times a second. */
	for (unsigned i = 0; i < 100; i++, now += SECOND / 100)
		assert_int_equal(coalesce_came(&c, 8, now), 0);
}

static void off_is_off(void **state)
{
	struct coalesce c;
	uint64_t now = 7 * SECOND, late, wait;

	coalesce_init(&c, 0);
	second(&c, &now, 1000, &late, &wait);
	assert_int_equal(wait, 0);
	assert_int_equal(late, 0);
	assert_int_equal(coalesce_came(&c, 0, now), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_is_never_late), cmocka_unit_test(fast_is_gathered),
		cmocka_unit_test(ends_with_the_rate), cmocka_unit_test(bursts_are_not_a_rate),
		cmocka_unit_test(off_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
