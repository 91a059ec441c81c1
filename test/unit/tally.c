#include "unit.h"

#include "guard/tally.h"

#define SECOND 1000000000ull

struct heard {
	unsigned count;
	struct tally_row last;
	uint64_t unsaid;
};

static void hear(void *arg, const struct tally_row *row)
{
	struct heard *h = arg;

	h->count++;
	h->last = *row;
	h->unsaid += row->unsaid;
}

static struct tally_topic topic(uint32_t device, uint32_t other)
{
	struct tally_topic t;

	memset(&t, 0, sizeof(t));
	t.device = device;
	t.other.w[3] = other;
	return t;
}

static struct tally_case conversation(uint16_t port)
{
	struct tally_case c;

	memset(&c, 0, sizeof(c));
	c.key.port[0] = port;
	return c;
}

/* One conversation is said once, however many packets it has. */
static void a_storm_is_one_event_and_a_count(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(16, hear, &h);
	struct tally_topic about = topic(3, 0);
	struct tally_case c = conversation(1);
	unsigned said = 0;

	for (unsigned i = 0; i < 1000; i++)
		said += tally_note(t, &about, &c, 60, SECOND);
	assert_int_equal(said, 1);
	assert_int_equal(h.count, 0);
	tally_flush(t);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.last.packets, 1000);
	assert_int_equal(h.last.bytes, 60000);
	assert_int_equal(h.last.unsaid, 999);
	tally_free(t);
}

static void conversations_of_a_topic_are_said_up_to_a_bound(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(16, hear, &h);
	struct tally_topic about = topic(3, 0);
	unsigned said = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct tally_case c = conversation((uint16_t)i);

		said += tally_note(t, &about, &c, 60, SECOND);
	}
	assert_int_equal(said, TALLY_SAID);
	tally_flush(t);
	assert_int_equal(h.last.unsaid, 1000 - TALLY_SAID);
	tally_free(t);
}

/* A topic said once and silent since needs no second event. */
static void nothing_unsaid_means_no_count(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(16, hear, &h);
	struct tally_topic about = topic(3, 0);
	struct tally_case c = conversation(1);

	assert_true(tally_note(t, &about, &c, 60, SECOND));
	tally_tick(t, SECOND + TALLY_PERIOD_NS);
	tally_flush(t);
	assert_int_equal(h.count, 0);
	tally_free(t);
}

static void a_period_says_its_count_and_starts_anew(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(16, hear, &h);
	struct tally_topic about = topic(3, 0);
	struct tally_case c = conversation(1);

	tally_note(t, &about, &c, 60, SECOND);
	tally_note(t, &about, &c, 60, 2 * SECOND);
	tally_tick(t, SECOND + TALLY_PERIOD_NS - 1);
	assert_int_equal(h.count, 0);
	tally_tick(t, SECOND + TALLY_PERIOD_NS);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.last.packets, 2);
	assert_true(tally_note(t, &about, &c, 60, SECOND + TALLY_PERIOD_NS + 1));
	tally_free(t);
}

/* A clock that is set back must not keep counts unsaid until it has caught up. */
static void a_clock_set_back_says_what_there_is(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(16, hear, &h);
	struct tally_topic about = topic(3, 0);
	struct tally_case c = conversation(1);

	tally_note(t, &about, &c, 60, 1000 * SECOND);
	tally_note(t, &about, &c, 60, 1000 * SECOND);
	tally_tick(t, 10 * SECOND);
	assert_int_equal(h.count, 1);
	tally_free(t);
}

/* Spoofed sources: one topic each until the bound, then one for all the rest. */
static void invented_ends_share_a_topic(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(4096, hear, &h);
	struct tally_case c = conversation(1);
	unsigned said = 0;

	for (uint32_t i = 1; i <= 100000; i++) {
		struct tally_topic about = topic(3, i);

		said += tally_note(t, &about, &c, 60, SECOND);
	}
	assert_int_equal(said, TALLY_NEW + 1);
	tally_flush(t);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.last.topic.many, 1);
	assert_int_equal(h.last.packets, 100000 - TALLY_NEW);
	tally_free(t);
}

static void a_full_table_says_what_it_evicts(void **state)
{
	struct heard h = {0};
	struct tally *t = tally_new(4, hear, &h);
	struct tally_case c = conversation(1);
	unsigned said = 0;

	for (uint32_t i = 0; i < 100; i++) {
		struct tally_topic about = topic(i, 0);

		said += tally_note(t, &about, &c, 60, SECOND);
		said += tally_note(t, &about, &c, 60, SECOND);
	}
	tally_flush(t);
	assert_int_equal(said + h.unsaid, 200);
	tally_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_is_one_event_and_a_count),
		cmocka_unit_test(conversations_of_a_topic_are_said_up_to_a_bound),
		cmocka_unit_test(nothing_unsaid_means_no_count),
		cmocka_unit_test(a_period_says_its_count_and_starts_anew),
		cmocka_unit_test(a_clock_set_back_says_what_there_is),
		cmocka_unit_test(invented_ends_share_a_topic),
		cmocka_unit_test(a_full_table_says_what_it_evicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
