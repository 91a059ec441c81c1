#include "unit.h"

#include "guard/capture/checksum.h"

/* As captured: UDP 10.0.0.1:53 -> 10.0.0.2:4096 "abc", with the whole checksum in place. */
static const uint8_t udp4[] = {
	0x02, 0, 0,  0, 0, 2,  0x02, 0,	 0,  0,	   0,	 1,  0x08, 0x00, 0x45,
	0,    0, 31, 0, 1, 0,  0,    64, 17, 0x66, 0xcb, 10, 0,	   0,	 1,
	10,   0, 0,  2, 0, 53, 0x10, 0,	 0,  11,   0,	 0,  'a',  'b',	 'c',
};

#define L4 34

/* The slow way, straight from RFC 1071: what `len` bytes sum up to, big endian, not complemented. */
static uint32_t plain_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo4(const uint8_t *ip, uint8_t proto, size_t l4_len)
{
	return plain_sum(ip + 12, 8, (uint32_t)(proto + l4_len));
}

static void put(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void an_unfinished_one_is_finished(void **state)
{
	struct bytes in = unit_exact(udp4, sizeof(udp4));
	uint8_t *f = (uint8_t *)in.data;
	uint32_t pseudo = pseudo4(f + 14, 17, 11);

	put(f + L4 + 6, pseudo);
	assert_true(checksum_finish(f, in.len));
	assert_int_equal(plain_sum(f + L4, 11, pseudo), 0xffff);
	/* Finished once, it is left alone. */
	assert_false(checksum_finish(f, in.len));
	free(f);
}

static void other_values_are_left_alone(void **state)
{
	struct bytes in = unit_exact(udp4, sizeof(udp4));
	uint8_t *f = (uint8_t *)in.data;
	uint32_t pseudo = pseudo4(f + 14, 17, 11);

	assert_false(checksum_finish(f, in.len)); /* zero: the sender gave none */
	put(f + L4 + 6, pseudo ^ 1);
	assert_false(checksum_finish(f, in.len));
	assert_int_equal(f[L4 + 6] << 8 | f[L4 + 7], pseudo ^ 1);
	free(f);
}

/* Where the right value happens to be the pseudo-header's sum, it must come out the same. */
static void a_right_one_keeps_its_value(void **state)
{
	struct bytes in = unit_exact(udp4, sizeof(udp4));
	uint8_t *f = (uint8_t *)in.data;
	uint32_t pseudo = pseudo4(f + 14, 17, 11), rest;
	uint8_t before[sizeof(udp4)];

	/* Choose the source port so that pseudo + rest + pseudo is all ones. */
	put(f + L4, 0);
	put(f + L4 + 6, pseudo);
	rest = plain_sum(f + L4, 11, pseudo);
	put(f + L4, 0xffff - rest);
	assert_int_equal(plain_sum(f + L4, 11, pseudo), 0xffff);
	memcpy(before, f, sizeof(before));
	assert_false(checksum_finish(f, in.len));
	assert_memory_equal(before, f, sizeof(before));
	free(f);
}

/* TCP over IPv6 behind a VLAN tag and a hop-by-hop header; an odd length. */
static void tcp_over_ip6_with_tag_and_extension(void **state)
{
	uint8_t raw[14 + 4 + 40 + 8 + 21] = {0};
	uint8_t *ip = raw + 18, *l4 = ip + 48;
	struct bytes in;
	uint32_t pseudo;

	put(raw + 12, 0x8100);
	put(raw + 16, 0x86dd);
	ip[0] = 0x60;
	put(ip + 4, 8 + 21);
	ip[6] = 0; /* hop-by-hop */
	ip[40] = 6;
	memset(ip + 8, 0xfd, 16);
	memset(ip + 24, 0xfe, 16);
	memset(l4, 0x5a, 21);
	pseudo = plain_sum(ip + 8, 32, 6 + 21);
	put(l4 + 16, pseudo);
	in = unit_exact(raw, sizeof(raw));
	assert_true(checksum_finish((uint8_t *)in.data, in.len));
	assert_int_equal(plain_sum(in.data + 66, 21, pseudo), 0xffff);
	free((void *)in.data);
}

static void lies_and_cuts_are_survived(void **state)
{
	for (size_t len = 0; len <= sizeof(udp4); len++) {
		struct bytes in = unit_exact(udp4, len);
		uint8_t *f = (uint8_t *)in.data;

		if (len >= L4 + 8)
			put(f + L4 + 6, pseudo4(f + 14, 17, 11));
		assert_int_equal(checksum_finish(f, len), len == sizeof(udp4));
		free(f);
	}
	for (int b = 0; b < 256; b++) { /* every header length and version */
		struct bytes in = unit_exact(udp4, sizeof(udp4));

		((uint8_t *)in.data)[14] = (uint8_t)b;
		checksum_finish((uint8_t *)in.data, in.len);
		free((void *)in.data);
	}
}

static void a_fragment_is_left_alone(void **state)
{
	struct bytes in = unit_exact(udp4, sizeof(udp4));
	uint8_t *f = (uint8_t *)in.data;

	put(f + L4 + 6, pseudo4(f + 14, 17, 11));
	f[14 + 6] = 0x20; /* more fragments */
	assert_false(checksum_finish(f, in.len));
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unfinished_one_is_finished),
		cmocka_unit_test(other_values_are_left_alone),
		cmocka_unit_test(a_right_one_keeps_its_value),
		cmocka_unit_test(tcp_over_ip6_with_tag_and_extension),
		cmocka_unit_test(lies_and_cuts_are_survived),
		cmocka_unit_test(a_fragment_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
