/* When devices last sent what they may, and what they may not. */
#include "unit.h"

#include "guard/conduct.h"

#define SECOND 1000000000ull

struct told {
	unsigned count;
	uint32_t device;
	uint64_t talked, misbehaved;
};

static void tell(void *arg, uint32_t device, uint64_t talked_ns, uint64_t misbehaved_ns)
{
	struct told *t = arg;

	*t = (struct told){t->count + 1, device, talked_ns, misbehaved_ns};
}

static struct told since(const struct conduct *c, uint64_t ns)
{
	struct told t = {.count = 0};

	conduct_each(c, ns, tell, &t);
	return t;
}

static void both_kinds_are_kept_apart(void **state)
{
	struct conduct *c = conduct_new(3);
	struct told t;

	assert_non_null(c);
	assert_int_equal(since(c, 0).count, 0);
	conduct_note(c, 1, true, 10 * SECOND);
	t = since(c, 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(t.device, 1);
	assert_true(t.talked == 10 * SECOND && t.misbehaved == 0);
	conduct_note(c, 1, false, 20 * SECOND);
	t = since(c, 10 * SECOND);
	assert_int_equal(t.count, 1);
	assert_true(t.talked == 10 * SECOND && t.misbehaved == 20 * SECOND);
	assert_int_equal(since(c, 20 * SECOND).count, 0);
	conduct_free(c);
}

static void who_is_none_of_the_policy_is_passed_over(void **state)
{
	struct conduct *c = conduct_new(1);

	conduct_note(c, 1, true, SECOND);
	conduct_note(c, ~0u, false, SECOND);
	assert_int_equal(since(c, 0).count, 0);
	conduct_free(c);
}

static void a_clock_that_was_set_back_is_followed(void **state)
{
	struct conduct *c = conduct_new(1);

	conduct_note(c, 0, true, 1000 * SECOND);
	conduct_note(c, 0, true, 1000 * SECOND + SECOND / 2); /* too close to be written */
	assert_true(since(c, 0).talked == 1000 * SECOND);
	conduct_note(c, 0, true, 10 * SECOND);
	assert_true(since(c, 0).talked == 10 * SECOND);
	conduct_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_are_kept_apart),
		cmocka_unit_test(who_is_none_of_the_policy_is_passed_over),
		cmocka_unit_test(a_clock_that_was_set_back_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
