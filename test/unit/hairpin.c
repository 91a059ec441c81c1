#include "unit.h"

#include "guard/hairpin.h"

static void an_arp_question_is_answered_with_the_ports_address(void **state)
{
	static const uint8_t ask[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
		1,    2,    0,	  0,	0,    0,    1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	static const uint8_t want[42] = {2,  0, 0, 0, 0, 1, 2, 9, 9, 9, 9,  9, 8, 6,
					 0,  1, 8, 0, 6, 4, 0, 2, 2, 9, 9,  9, 9, 9,
					 10, 0, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1};
	struct bytes in = unit_exact(ask, sizeof(ask));
	struct gate_port port = {.mac = {2, 9, 9, 9, 9, 9}};
	uint8_t out[HAIRPIN_ANSWER_MAX];
	struct packet p;

	assert_true(packet_decode(in, LINK_ETHERNET, 0, sizeof(ask), &p));
	assert_int_equal(hairpin_answer(&p, &port, out), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	p.arp.op = 2;
	assert_int_equal(hairpin_answer(&p, &port, out), 0);
	free((void *)in.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_question_is_answered_with_the_ports_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
