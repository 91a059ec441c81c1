/* The thread that hashes passwords: what it says, in whose turn, and what it refuses. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "people/auth/hasher.h"

#define MANY                          \
	{                             \
		100, NSEC_PER_MSEC, 0 \
	}

static const struct hasher_options eager = {
	.class = {{.most = 4, .per_source = 2, .budget = MANY},
		  {.most = 4, .per_source = 2, .budget = MANY}},
	.patience_ns = 60 * NSEC_PER_SEC,
};

static void wait_next(struct hasher *h, struct hasher_done *ret_done)
{
	struct pollfd p = {.fd = hasher_fd(h), .events = POLLIN};

	while (!hasher_next(h, ret_done))
		assert_int_equal(poll(&p, 1, 60000), 1);
}

static struct hasher_job job(uint32_t id, enum hasher_class class, uint64_t source)
{
	return (struct hasher_job){.id = id, .class = class, .source = source, .password = "wrong"};
}

static void says_what_is_right(void **state)
{
	struct hasher *h = hasher_new(&eager);
	struct hasher_job j = job(1, HASHER_KNOWN, 1);
	struct hasher_done made, d;
	uint8_t *record;

	assert_non_null(h);
	j.make = true;
	j.password = "seven pumps hum in the dark";
	assert_int_equal(hasher_add(h, &j), 0);
	wait_next(h, &made);
	assert_int_equal(made.id, 1);
	assert_int_equal(made.err, 0);
	assert_int_equal(made.record_len, PASSWORD_RECORD);

	record = (uint8_t *)(uintptr_t)unit_exact(made.record, PASSWORD_RECORD).data;
	j = job(2, HASHER_KNOWN, 1);
	j.record = (struct bytes){record, PASSWORD_RECORD};
	j.password = "seven pumps hum in the dark";
	assert_int_equal(hasher_add(h, &j), 0);
	j.id = 3;
	j.password = "seven pumps hum in the dork";
	assert_int_equal(hasher_add(h, &j), 0);
	wait_next(h, &d);
	assert_int_equal(d.id, 2);
	assert_int_equal(d.err, 0);
	assert_memory_equal(d.record, record, PASSWORD_RECORD);
	wait_next(h, &d);
	assert_int_equal(d.id, 3);
	assert_int_equal(d.err, -EACCES);

	j = job(4, HASHER_STRANGER, 1); /* of nobody */
	assert_int_equal(hasher_add(h, &j), 0);
	wait_next(h, &d);
	assert_int_equal(d.err, -EACCES);
	assert_false(hasher_next(h, &d));
	free(record);
	hasher_free(h);
}

/* Nothing is worked at while the budgets are spent: what waits can be looked at. */
static const struct hasher_options idle = {
	.class = {{.most = 4, .per_source = 2, .budget = {1, 3600 * NSEC_PER_SEC, 0}},
		  {.most = 4, .per_source = 2, .budget = {1, 3600 * NSEC_PER_SEC, 0}}},
	.patience_ns = 2 * NSEC_PER_SEC,
};

static void is_bounded(void **state)
{
	struct hasher *h = hasher_new(&idle);
	struct hasher_job j = job(1, HASHER_STRANGER, 1);
	char long_one[HASHER_TEXT + 1];
	struct hasher_done d;

	assert_int_equal(hasher_add(h, &j), 0); /* spends the budget */
	wait_next(h, &d);
	for (uint32_t i = 0; i < 2; i++) {
		j = job(10 + i, HASHER_STRANGER, 1);
		assert_int_equal(hasher_add(h, &j), 0);
	}
	j.id = 12;
	assert_int_equal(hasher_add(h, &j), -EAGAIN); /* too many of this source */
	j = job(13, HASHER_STRANGER, 2);
	j.account = 7;
	assert_int_equal(hasher_add(h, &j), 0);
	j = job(14, HASHER_STRANGER, 3);
	j.account = 7;
	assert_int_equal(hasher_add(h, &j), -EBUSY); /* one of an account at a time */
	j.account = 8;
	assert_int_equal(hasher_add(h, &j), 0);
	j = job(15, HASHER_STRANGER, 4);
	assert_int_equal(hasher_add(h, &j), -EAGAIN); /* too many in all */
	j = job(16, HASHER_KNOWN, 1);
	assert_int_equal(hasher_add(h, &j), 0); /* strangers keep nobody else out */
	wait_next(h, &d);
	assert_int_equal(d.id, 16);

	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = 0;
	j.password = long_one;
	assert_int_equal(hasher_add(h, &j), -EINVAL);
	for (uint32_t i = 0; i < 4; i++) { /* and nobody waits for ever */
		wait_next(h, &d);
		assert_int_equal(d.err, -ETIMEDOUT);
	}
	assert_false(hasher_next(h, &d));
	assert_int_equal(hasher_add(h, &(struct hasher_job){.password = ""}), -EINVAL);
	j = job(17, HASHER_STRANGER, 9);
	assert_int_equal(hasher_add(h, &j), 0);
	hasher_free(h); /* with one that waits */
}

static void is_fair(void **state)
{
	static const uint32_t want[] = {1, 5, 2, 4, 3};
	struct hasher *h = hasher_new(&eager);
	struct hasher_job j = job(1, HASHER_STRANGER, 1);
	struct hasher_job more[] = {job(2, HASHER_STRANGER, 2), job(3, HASHER_STRANGER, 2),
				    job(4, HASHER_STRANGER, 3), job(5, HASHER_KNOWN, 2)};
	struct hasher_done d;

	assert_int_equal(hasher_add(h, &j), 0); /* keeps it busy while the others come */
	usleep(20000); /* it has begun, and takes longer than what follows */
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(hasher_add(h, &more[i]), 0);
	for (size_t i = 0; i < 5; i++) {
		wait_next(h, &d);
		/* Known people first; then the first of every source before a second. */
		assert_int_equal(d.id, want[i]);
	}
	hasher_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_right),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(is_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
