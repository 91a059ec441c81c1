#include "unit.h"

#include "base/clock.h"
#include "guard/engine.h"
#include "guard/ration.h"

static struct gate_ip ip(uint32_t n)
{
	struct gate_ip a = {.w = {0, 0, 0xffff, n}};

	return a;
}

/* How many of `tries` at one moment are told. */
static uint32_t told(struct ration *r, uint32_t source, uint32_t tries, uint64_t now_ns)
{
	const struct gate_ip a = ip(source);
	uint32_t n = 0, untold;

	while (tries--)
		n += ration_take(r, 0, &a, now_ns, &untold);
	return n;
}

static void a_flood_is_told_of_so_often(void **state)
{
	struct ration *r = ration_new(64, 100, 10);
	const struct gate_ip a = ip(1);
	uint64_t now = 5 * NSEC_PER_SEC;
	uint32_t untold = 77;

	assert_int_equal(told(r, 1, 1000, now), 100);
	assert_int_equal(told(r, 2, 50, now), 50); /* another one is not touched by it */
	assert_int_equal(told(r, 1, 1000, now + NSEC_PER_SEC / 20), 0);
	/* What was not told, with the next that is. */
	now += NSEC_PER_SEC / 10;
	assert_true(ration_take(r, 0, &a, now, &untold));
	assert_int_equal(untold, 1900);
	assert_false(ration_take(r, 0, &a, now, &untold));
	now += NSEC_PER_SEC;
	assert_true(ration_take(r, 0, &a, now, &untold));
	assert_int_equal(untold, 1);
	assert_int_equal(told(r, 1, 1000, now), 9);
	/* No more is saved up than may be told at once. */
	assert_int_equal(told(r, 1, 1000, now + 3600 * NSEC_PER_SEC), 100);
	/* One address in two segments is two sources. */
	assert_true(ration_take(r, 1, &a, now + 3600 * NSEC_PER_SEC, &untold));
	assert_int_equal(untold, 0);
	ration_free(r);
}

static void it_is_bounded(void **state)
{
	struct ration *r = ration_new(16, 1, 1);

	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(told(r, i, 1, NSEC_PER_SEC + i), 1);
	assert_int_equal(told(r, 9999, 1, NSEC_PER_SEC + 10000), 0);
	ration_free(r);
}

static void who_is_silent_for_longest_makes_room(void **state)
{
	struct ration *r = ration_new(4, 1, 1); /* all of them beside each other */

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(told(r, i, 1, NSEC_PER_SEC + i), 1);
	assert_int_equal(told(r, 0, 1, NSEC_PER_SEC + 4), 0);
	assert_int_equal(told(r, 9, 1, NSEC_PER_SEC + 5), 1); /* in the place of 1 */
	for (uint32_t i = 0; i < 4; i++)
		if (i != 1)
			assert_int_equal(told(r, i, 1, NSEC_PER_SEC + 6 + i), 0);
	ration_free(r);
}

/* ---- and in the engine ---- */

static unsigned flow_events, untold_events, full_events;
static uint64_t forgotten;

static void sink(void *arg, const char *line, size_t len)
{
	flow_events += memmem(line, len, "\"event_type\":\"flow\"", 19) != NULL;
	untold_events += memmem(line, len, "\"untold\":92", 11) != NULL;
	if (memmem(line, len, "\"reason\":\"flow.table_full\"", 26)) {
		full_events++;
		forgotten += strtoul(strstr(line, "\"count\":") + 8, NULL, 10);
	}
}

static void settled(struct capture *c, const struct frame *f, uint32_t out_ifindex)
{
}

static void dropped(struct capture *c, const struct frame *f)
{
}

/* One datagram from 10.0.0.`source`, port `port`. */
static void datagram(struct engine *e, struct capture *c, uint8_t source, uint16_t port,
		     uint64_t now)
{
	const uint8_t bytes[] = {2,
				 0,
				 0,
				 0,
				 0,
				 1,
				 2,
				 0,
				 0,
				 0,
				 0,
				 2,
				 8,
				 0,
				 0x45,
				 0,
				 0,
				 29,
				 0,
				 1,
				 0,
				 0,
				 64,
				 17,
				 0,
				 0,
				 10,
				 0,
				 0,
				 source,
				 10,
				 0,
				 0,
				 200,
				 (uint8_t)(port >> 8),
				 (uint8_t)port,
				 0x27,
				 0x0f,
				 0,
				 9,
				 0,
				 0,
				 'x'};
	struct bytes in = unit_exact(bytes, sizeof(bytes));
	const struct frame f = {
		.data = in, .time_ns = now, .wire_len = sizeof(bytes), .link = LINK_ETHERNET};

	engine_burst(e, c, &f, 1);
	free((void *)(uintptr_t)in.data);
}

static void conversations_of_a_flood_are_counted(void **state)
{
	static const struct capture_ops ops = {.forward = settled, .drop = dropped};
	const struct engine_options o = {.max_flows = 1024,
					 .max_fragments = 16,
					 .timeouts = flow_default_timeouts,
					 .flow_events = 8,
					 .sink = sink};
	struct capture c = {.ops = &ops};
	struct engine *e = engine_new(NULL, &o);
	struct engine_stats s;
	uint64_t now = 1767225600ull * NSEC_PER_SEC;

	assert_non_null(e);
	for (uint16_t i = 0; i < 100; i++)
		datagram(e, &c, 1, 1000 + i, now);
	datagram(e, &c, 2, 1000, now);
	for (unsigned i = 0; i < 100; i++)
		engine_tick(e, &c, now += NSEC_PER_SEC);
	engine_stats(e, &s);
	assert_int_equal(s.flows, 101);
	assert_int_equal(flow_events, 8 + 1);
	assert_int_equal(s.flows_untold, 92);
	/* The next that is told says it. */
	datagram(e, &c, 1, 2000, now);
	for (unsigned i = 0; i < 100; i++)
		engine_tick(e, &c, now += NSEC_PER_SEC);
	assert_int_equal(flow_events, 10);
	assert_int_equal(untold_events, 1);
	engine_finish(e, &c);
	engine_free(e);
}

static void a_full_table_is_told_of(void **state)
{
	static const struct capture_ops ops = {.forward = settled, .drop = dropped};
	const struct engine_options o = {.max_flows = 64,
					 .max_fragments = 16,
					 .timeouts = flow_default_timeouts,
					 .sink = sink};
	struct capture c = {.ops = &ops};
	struct engine *e = engine_new(NULL, &o);
	uint64_t now = 1767225600ull * NSEC_PER_SEC;

	assert_non_null(e);
	for (uint16_t i = 0; i < 64; i++)
		datagram(e, &c, 1, 1000 + i, now);
	engine_tick(e, &c, now += NSEC_PER_SEC);
	assert_int_equal(full_events, 0);
	/* At once, and then once a minute how many. */
	for (uint16_t i = 0; i < 10; i++) {
		datagram(e, &c, 1, 2000 + i, now);
		engine_tick(e, &c, now += NSEC_PER_SEC);
	}
	assert_int_equal(full_events, 1);
	assert_int_equal(forgotten, 1);
	for (unsigned i = 0; i < 60; i++)
		engine_tick(e, &c, now += NSEC_PER_SEC);
	assert_int_equal(full_events, 2);
	assert_int_equal(forgotten, 10);
	/* The last ones at the end. */
	for (uint16_t i = 0; i < 65; i++)
		datagram(e, &c, 1, 3000 + i, now);
	engine_finish(e, &c);
	assert_int_equal(full_events, 3);
	assert_true(forgotten > 10);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_is_told_of_so_often),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(who_is_silent_for_longest_makes_room),
		cmocka_unit_test(conversations_of_a_flood_are_counted),
		cmocka_unit_test(a_full_table_is_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
