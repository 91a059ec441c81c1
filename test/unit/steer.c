/* Which guard a frame that came by a link is for. */
#include "frames.h"

#include "role/steer.h"

static struct bytes udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	return frame_ipv4_udp(src, sport, dst, dport, "x", 1);
}

static unsigned find(struct steer *s, struct bytes f)
{
	unsigned guard = steer_find(s, f);

	free((void *)(uintptr_t)f.data);
	return guard;
}

static void answers_go_where_questions_came_from(void **state)
{
	struct steer *s = steer_new();

	for (uint32_t i = 0; i < 1000; i++) {
		struct bytes f = udp(0x0a000001, (uint16_t)(4000 + i), 0x0a000002, 5000);

		steer_learn(s, f, i % 7);
		free((void *)(uintptr_t)f.data);
		assert_int_equal(find(s, udp(0x0a000002, 5000, 0x0a000001, (uint16_t)(4000 + i))),
				 i % 7);
		assert_int_equal(find(s, udp(0x0a000001, (uint16_t)(4000 + i), 0x0a000002, 5000)),
				 i % 7);
	}
	/* Nobody has asked: the first guard. */
	assert_int_equal(find(s, udp(0x0a000009, 1, 0x0a000002, 2)), 0);
	steer_free(s);
}

static void nothing_is_read_behind_a_frame(void **state)
{
	static const char *const whole[] = {
		/* VLAN, IPv4 with options, TCP */
		FRAME_ETHERNET "8100 0005 0800 4600 0030 0001 0000 4006 0000 0a000001 0a000002"
			       "01010101 0fa0 0a0f 00000001 00000000 5010 2000 0000 0000",
		/* IPv6, UDP */
		FRAME_ETHERNET "86dd 60000000 0009 11 40 fe800000000000000000000000000001"
			       "fe800000000000000000000000000002 1388 1388 0009 0000 61",
		FRAME_ETHERNET "0806 0001 0800 0604 0001",
	};
	struct steer *s = steer_new();

	for (unsigned i = 0; i < 3; i++) {
		struct bytes f = frame_hex(whole[i]);

		for (size_t n = 0; n <= f.len; n++) {
			struct bytes cut = unit_exact(f.data, n);

			steer_learn(s, cut, 3);
			assert_int_equal(find(s, cut), 3);
		}
		free((void *)(uintptr_t)f.data);
	}
	steer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_go_where_questions_came_from),
		cmocka_unit_test(nothing_is_read_behind_a_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
