#include "session_kit.h"

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

/* RFC 1071: over a body that holds its own checksum the sum is all ones. */
static uint32_t sum_of(const uint8_t *b, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(b[i] << 8) | b[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void a_neighbour_solicitation_is_answered_likewise(void **state)
{
	/* fd00::11, in VLAN 5, asks who has fd00::12. */
	static const uint8_t
		ask[90] =
			{
				0x33, 0x33,	   0xff,	0,    0,    0x12, 2,
				0,    0,	   0,		0,    1,    0x81, 0,
				0,    5,	   0x86,	0xdd, 0x60, 0,	  0,
				0,    0,	   32,		58,   255,  0xfd, [41] = 0x11,
				0xff, 2,	   [53] = 1,	0xff, 0,    0,	  0x12,
				135,  [66] = 0xfd, [81] = 0x12, 1,    1,    2,	  0,
				0,    0,	   0,		1};
	struct bytes in = unit_exact(ask, sizeof(ask));
	struct gate_port port = {.mac = {2, 9, 9, 9, 9, 9}};
	uint8_t out[HAIRPIN_ANSWER_MAX];
	struct packet p, a;
	size_t len;

	assert_true(packet_decode(in, LINK_ETHERNET, 0, sizeof(ask), &p));
	assert_int_equal(p.icmp_type, 135);
	len = hairpin_answer(&p, &port, out);
	assert_int_equal(len, 90);
	assert_true(packet_decode((struct bytes){out, len}, LINK_ETHERNET, 0, (uint32_t)len, &a));
	assert_int_equal(a.anomalies, 0);
	assert_memory_equal(a.dst_mac, p.src_mac, 6);
	assert_memory_equal(a.src_mac, port.mac, 6);
	assert_int_equal(a.vlan_count, 1);
	assert_int_equal(a.vlan[0], 5);
	assert_int_equal(a.ttl, 255);
	assert_int_equal(a.icmp_type, 136);
	assert_memory_equal(a.src_ip.b, ask + 66, 16); /* whom it was about */
	assert_memory_equal(a.dst_ip.b, p.src_ip.b, 16);
	assert_int_equal(a.l4.len, 32);
	assert_int_equal(a.l4.data[4], 0x40);
	assert_memory_equal(a.l4.data + 8, ask + 66, 16);
	assert_int_equal(a.l4.data[24], 2);
	assert_int_equal(a.l4.data[25], 1);
	assert_memory_equal(a.l4.data + 26, port.mac, 6);
	assert_int_equal(sum_of(a.l4.data, 32, sum_of(out + 26, 32, 32 + 58)), 0xffff);
	p.icmp_type = 136;
	assert_int_equal(hairpin_answer(&p, &port, out), 0);
	p.icmp_type = 135;
	p.l4.len = 23;
	assert_int_equal(hairpin_answer(&p, &port, out), 0);
	free((void *)in.data);
}

/* Both are on the port where the packet came in, and each knows the other by the port's address alone: of a
 * neighbour that is no device nobody knows where it is. */
static void neighbours_hear_that_they_are_cut_off(void **state)
{
	static const uint8_t nowhere[6];

	for (unsigned known = 0; known < 2; known++) {
		struct wire *w = wire_new("enforce", "closed", HL7);
		const struct gate_device *d;
		uint32_t count, id = 0;
		struct gate_verdict v = {.abi = GATE_ABI,
					 .ifindex = 1,
					 .generation = 1,
					 .flags = GATE_VERDICT_HAIRPIN,
					 .action = GATE_INSPECT,
					 .would = GATE_INSPECT};

		d = policy_devices(w->policy, &count);
		while (d[id].flags & GATE_DEVICE_STRANGER)
			id++;
		v.device = id;
		v.peer = known ? GATE_PEER_DEVICE | id : GATE_PEER_NONE;
		shake_hands(w);
		w->kernels = &v;
		assert_false(send(w, 0, 1000, 5000, ORM REST));
		assert_int_equal(w->reset_count, known ? 2 : 1);
		if (known) {
			assert_int_equal(w->reset_out[0], 1);
			assert_memory_equal(w->resets[0], d[id].mac, 6);
			assert_memory_equal(w->resets[0] + 6, nowhere, 6);
		}
		assert_int_equal(w->reset_out[known], 1);
		assert_memory_equal(w->resets[known], "\2\0\0\0\0\1\2\0\0\0\0\5", 12);
		wire_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_question_is_answered_with_the_ports_address),
		cmocka_unit_test(a_neighbour_solicitation_is_answered_likewise),
		cmocka_unit_test(neighbours_hear_that_they_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
