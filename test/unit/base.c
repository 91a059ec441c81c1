#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/address.h"
#include "base/digits.h"
#include "base/event.h"
#include "base/hex.h"
#include "base/number.h"
#include "base/sum.h"
#include "base/fnv.h"
#include "base/hash.h"
#include "base/reason.h"
#include "base/slab.h"

static void reader_is_sticky(void **state)
{
	struct bytes in = unit_exact("\x01\x02\x03", 3);
	struct reader r = reader_new(in.data, in.len);

	assert_int_equal(read_be16(&r), 0x0102);
	assert_int_equal(read_be16(&r), 0);
	assert_true(r.bad);
	assert_int_equal(read_u8(&r), 0);
	assert_int_equal(reader_left(&r), 0);
	free((void *)in.data);
}

static void sub_reader_is_confined(void **state)
{
	struct bytes in = unit_exact("\x01\x02\x03\x04", 4);
	struct reader r = reader_new(in.data, in.len);
	struct reader sub = read_sub(&r, 2);

	assert_int_equal(read_le32(&sub), 0);
	assert_true(sub.bad);
	assert_false(r.bad);
	assert_int_equal(read_be16(&r), 0x0304);
	sub = read_sub(&r, 1);
	assert_true(sub.bad && r.bad);
	free((void *)in.data);
}

static void writer_refuses_overflow(void **state)
{
	uint8_t out[3];
	struct writer w = writer_new(out, sizeof(out));

	write_be16(&w, 0xabcd);
	write_be16(&w, 0x1234);
	assert_true(w.bad);
	assert_int_equal(w.len, 2);
}

static void json_is_valid_whatever_a_peer_sends(void **state)
{
	char buf[256];
	struct json j = json_new(buf, sizeof(buf));
	static const uint8_t raw[] = "a\"\\\n\xff\xc3\xa9\xed\xa0\x80";

	json_open(&j, NULL);
	json_text(&j, "k", (struct bytes){raw, sizeof(raw) - 1});
	json_list(&j, "l");
	json_u64(&j, NULL, 1);
	json_u64(&j, NULL, 2);
	json_end(&j);
	json_close(&j);
	buf[j.out.len] = 0;
	assert_string_equal(
		buf,
		"{\"k\":\"a\\\"\\\\\\u000a\\u00ff\xc3\xa9\\u00ed\\u00a0\\u0080\",\"l\":[1,2]}");
}

static void digits_are_those_of_printf(void **state)
{
	char ours[DIGITS_MAX + 1], theirs[32];

	for (uint64_t v = 1; v; v = v > UINT64_MAX / 10 ? 0 : v * 10)
		for (int d = -1; d <= 1; d++) {
			*digits_decimal(ours, v + (uint64_t)d) = 0;
			snprintf(theirs, sizeof(theirs), "%llu",
				 (unsigned long long)(v + (uint64_t)d));
			assert_string_equal(ours, theirs);
		}
	*digits_decimal(ours, UINT64_MAX) = 0;
	assert_string_equal(ours, "18446744073709551615");
	for (uint64_t v = 1; v < UINT64_MAX / 3; v += v / 7 + 1) {
		*digits_decimal(ours, v) = 0;
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)v);
		assert_string_equal(ours, theirs);
	}
	for (unsigned v = 0; v < 10000; v++) { /* every half of eight */
		*digits_decimal(ours, 10000000000ull * (v + 1) + v) = 0;
		snprintf(theirs, sizeof(theirs), "%llu", 10000000000ull * (v + 1) + v);
		assert_string_equal(ours, theirs);
	}
	for (unsigned v = 0; v <= UINT16_MAX; v++) {
		*digits_port(ours, (uint16_t)v) = 0;
		snprintf(theirs, sizeof(theirs), "%u", v);
		assert_string_equal(ours, theirs);
	}
	for (unsigned v = 0; v < 256; v++) {
		*digits_octet(ours, (uint8_t)v, '.') = 0;
		snprintf(theirs, sizeof(theirs), "%u.", v);
		assert_string_equal(ours, theirs);
	}
	*digits_hex(ours, 0xbeef01, 4) = 0;
	assert_string_equal(ours, "ef01");
	*digits_hex_bytes(ours, (const uint8_t *)"\x0a\xff", 2) = 0;
	assert_string_equal(ours, "0aff");
}

/* The Internet checksum as RFC 1071 §4.1 writes it, whatever the length. */
static void sums_are_those_of_the_standard(void **state)
{
	uint8_t *data = malloc(80);

	for (unsigned i = 0; i < 80; i++)
		data[i] = (uint8_t)(i * 197 + 255);
	memset(data, 0xff, 24); /* carries out of every step */
	for (size_t len = 0; len <= 80; len++) {
		uint8_t *exact = malloc(len ? len : 1);
		uint32_t slow = 0;
		uint16_t fast, swapped;

		memcpy(exact, data, len);
		for (size_t i = 0; i + 1 < len; i += 2)
			slow += (uint32_t)(exact[i] << 8 | exact[i + 1]);
		if (len & 1)
			slow += (uint32_t)(exact[len - 1] << 8);
		while (slow >> 16)
			slow = (slow & 0xffff) + (slow >> 16);
		fast = sum_fold(sum_add(UINT64_MAX, exact, len)); /* -0 */
		swapped = (uint16_t)((uint8_t *)&fast)[0] << 8 | ((uint8_t *)&fast)[1];
		assert_int_equal(swapped % 0xffff, slow % 0xffff);
		free(exact);
	}
	free(data);
}

/* Texts of every length, with something to escape at every place, and at a line's very end. */
static void json_texts_are_whole_at_any_length(void **state)
{
	char text[64], want[256], *line = malloc(256);

	for (size_t len = 0; len < 40; len++)
		for (size_t at = 0; at <= len; at++) {
			struct json j = json_new(line, 256);
			size_t n;

			memset(text, 'x', len);
			if (at < len)
				text[at] = '"';
			n = (size_t)snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, text,
					     at < len ? "\\\"" : "",
					     (int)(at < len ? len - at - 1 : 0), text + at + 1);
			json_text(&j, NULL, (struct bytes){(const uint8_t *)text, len});
			assert_int_equal(j.out.len, n);
			assert_memory_equal(line, want, n);
		}
	free(line);
	for (size_t cap = 0; cap < 80; cap++) {
		struct json j;

		line = malloc(cap ? cap : 1); /* AddressSanitizer watches its end */
		j = json_new(line, cap);
		json_open(&j, NULL);
		json_text(&j, "key",
			  (struct bytes){(const uint8_t *)"a\x01"
							  "bcdefgh\"",
					 10});
		json_u64(&j, "n", UINT64_MAX);
		json_bool(&j, "b", false);
		json_close(&j);
		assert_true(j.out.bad || j.out.len <= cap);
		free(line);
	}
}

/* Whichever byte, wherever it stands and however long the text is: the same is told of it. */
static void json_escapes_what_must_be(void **state)
{
	uint8_t text[48];
	char want[16], line[256];

	for (unsigned c = 0; c < 256; c++) {
		size_t n;

		if (c == '"' || c == '\\')
			n = (size_t)snprintf(want, sizeof(want), "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			n = (size_t)snprintf(want, sizeof(want), "\\u00%02x", c);
		else
			n = (size_t)snprintf(want, sizeof(want), "%c", c);
		for (size_t len = 1; len <= sizeof(text); len++)
			for (size_t at = 0; at < len; at++) {
				struct json j = json_new(line, sizeof(line));
				uint8_t *exact = memset(text, 'x', sizeof(text));

				exact += sizeof(text) - len;
				exact[at] = (uint8_t)c;
				json_text(&j, NULL, (struct bytes){exact, len});
				assert_int_equal(j.out.len, len + n + 1);
				assert_memory_equal(line + 1 + at, want, n);
			}
	}
}

/* Whatever ends a line, steers a terminal or turns letters round somewhere does not stand there. */
static void json_hides_nothing(void **state)
{
	static const char text[] = "\xc2\x85\xc2\x9b"
				   "2J\xc2\xa0\xc3\xa9\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae"
				   "gpj\xe2\x82\xac\xef\xbb\xbf\xf0\x9f\x98\x80\xe2\x81\xa9";
	static const char want[] = "\"\\u0085\\u009b2J\xc2\xa0\xc3\xa9\xe2\x80\xa7\\u2028\\u202e"
				   "gpj\xe2\x82\xac\\ufeff\xf0\x9f\x98\x80\\u2069\"";
	char line[128];
	struct json j = json_new(line, sizeof(line));

	json_text(&j, NULL, (struct bytes){(const uint8_t *)text, sizeof(text) - 1});
	assert_int_equal(j.out.len, sizeof(want) - 1);
	assert_memory_equal(line, want, sizeof(want) - 1);
}

/* An object that holds nothing, members behind it, and a line that is full at any place. */
static void json_objects_end_where_they_began(void **state)
{
	static const char want[] = "{\"a\":{},\"b\":[],\"c\":[1,{\"d\":\"e\"},[]],\"f\":true}";

	for (size_t cap = 0; cap < sizeof(want) + 8; cap++) {
		char *line = malloc(cap ? cap : 1); /* AddressSanitizer watches its end */
		struct json j = json_new(line, cap);

		json_open(&j, NULL);
		json_open(&j, "a");
		json_close(&j);
		json_list(&j, "b");
		json_end(&j);
		json_list(&j, "c");
		json_u64(&j, NULL, 1);
		json_open(&j, NULL);
		json_name(&j, "d", "e");
		json_close(&j);
		json_list(&j, NULL);
		json_end(&j);
		json_end(&j);
		json_bool(&j, "f", true);
		json_close(&j);
		assert_true(j.out.bad || cap >= sizeof(want) - 1);
		assert_true(!j.out.bad || cap < sizeof(want) + 1);
		if (!j.out.bad) {
			assert_int_equal(j.out.len, sizeof(want) - 1);
			assert_memory_equal(line, want, j.out.len);
		}
		free(line);
	}
}

static void eve_time_is_what_strftime_says(void **state)
{
	/* In an order in which neighbours share a minute, a day, or nothing. */
	static const uint64_t seconds[] = {0,	       59,	   60,	       951782399,
					   951782400,  951868799,  951868800,  1700000000,
					   1700000039, 1700000040, 1735689599, 1735689600,
					   4107542399, 18446744073};
	char want[CLOCK_EVE_LEN], text[CLOCK_EVE_LEN];

	for (unsigned i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
		for (unsigned us = 0; us < 1000000; us += us % 2 ? 999 : 70001) {
			time_t t = (time_t)seconds[i];
			struct tm tm;
			size_t n = strftime(want, sizeof(want), "%FT%T", gmtime_r(&t, &tm));

			if (seconds[i] == 18446744073 && us > 709551) /* 64 bits end there */
				break;
			snprintf(want + n, sizeof(want) - n, ".%06u+0000", us);
			clock_eve(seconds[i] * NSEC_PER_SEC + us * 1000ull + 999, text);
			assert_string_equal(text, want);
		}
}

/* Where the kernel does not say, no boot is like another. */
static void a_boot_has_its_name(void **state)
{
	char one[CLOCK_BOOT_ID], two[CLOCK_BOOT_ID];
	struct rlimit was, none;

	clock_boot_id(one);
	clock_boot_id(two);
	assert_int_equal(strlen(one), 36);
	assert_string_equal(one, two);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){0, was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	clock_boot_id(one);
	clock_boot_id(two);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_true(strlen(one) >= 16);
	assert_string_not_equal(one, two);
}

static void a_slab_gives_back_what_it_got(void **state)
{
	struct slab *s = slab_new();
	void *p[3000], *again;

	assert_non_null(s);
	for (unsigned i = 0; i < 3000; i++) { /* more than a block holds */
		size_t size = 1 + i % SLAB_MAX;

		p[i] = slab_take(s, size);
		assert_non_null(p[i]);
		assert_true(SLAB_OFF || (uintptr_t)p[i] % 64 == 0);
		memset(p[i], (int)i, size);
	}
	for (unsigned i = 0; i < 3000; i++)
		for (size_t k = 0; k < 1 + i % SLAB_MAX; k++)
			assert_int_equal(((uint8_t *)p[i])[k], i & 255);
	slab_give(s, p[7], 8);
	again = slab_take(s, 60); /* of the same class */
	assert_true(SLAB_OFF || again == p[7]);
	slab_give(s, again, 60);
	for (unsigned i = 0; i < 3000; i++)
		if (i != 7)
			slab_give(s, p[i], 1 + i % SLAB_MAX);
	slab_free(s);
}

static void json_says_when_it_does_not_fit(void **state)
{
	char buf[8];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_str(&j, "key", "value");
	assert_true(j.out.bad);
}

static void event_names_ends_by_text_or_by_address(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "255.255.255.255", "10.1.20.103",	       "fd00::1:2",
		"::",	   "::ffff:0:0",      "2001:db8::ff00:42:8329"};
	char by_text[EVENT_MAX], by_addr[EVENT_MAX];

	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct event_common e = {
			.type = "flow", .src_port = 65535, .dest_port = 0, .proto = "UDP"};
		uint8_t ip[16];
		unsigned len;
		struct json j;

		assert_true(address_prefix(texts[i], ip, &len));
		e.src_ip = e.dest_ip = texts[i];
		if (strcmp(texts[i], "::ffff:0:0") == 0)
			e.src_ip = e.dest_ip = "0.0.0.0";
		j = event_begin(&e, by_text);
		by_text[event_end(&j)] = 0;
		e.src_ip = e.dest_ip = NULL;
		e.src_addr = e.dest_addr = ip;
		j = event_begin(&e, by_addr);
		by_addr[event_end(&j)] = 0;
		assert_string_equal(by_text, by_addr);
	}
}

static void event_has_the_common_fields(void **state)
{
	char buf[EVENT_MAX];
	struct event_common e = {.time_ns = 1700000000000123000ull,
				 .type = "policy",
				 .src_ip = "10.0.0.1",
				 .dest_ip = "10.0.0.2",
				 .src_port = 1,
				 .dest_port = -1,
				 .device = "pump",
				 .reason = REASON_POLICY_NOT_ALLOWED,
				 .verdict = "pass",
				 .would_drop = true};
	struct json j = event_begin(&e, buf);
	size_t len = event_end(&j);

	buf[len] = 0;
	assert_string_equal(buf, "{\"timestamp\":\"2023-11-14T22:13:20.000123+0000\","
				 "\"event_type\":\"policy\",\"src_ip\":\"10.0.0.1\",\"src_port\":1,"
				 "\"dest_ip\":\"10.0.0.2\",\"device\":\"pump\","
				 "\"reason\":\"policy.not_allowed\","
				 "\"verdict\":{\"action\":\"pass\",\"would\":\"drop\"}}");
}

static void reasons_have_names_and_sentences(void **state)
{
	for (unsigned r = 0; r < REASON_COUNT; r++) {
		assert_int_equal(reason_from_name(reason_name(r)), r);
		assert_true(strlen(reason_sentence(r)) > 10);
	}
	assert_int_equal(reason_from_name("no.such"), REASON_COUNT);
}

/* SipHash-1-3 of 00..0e under the key 00..0f, as the reference implementation gives it. */
static void hash_is_siphash_1_3(void **state)
{
	uint8_t in[15];
	struct hash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	assert_int_equal(hash_bytes(&key, in, 0), 0xabac0158050fc4dcull);
	assert_int_not_equal(hash_bytes(&key, in, 15), hash_bytes(&key, in, 14));
}

/* RFC 9923, appendix C. */
static void fnv_is_fnv_1a(void **state)
{
	const struct bytes none = {NULL, 0}, a = {(const uint8_t *)"a", 1},
			   foobar = {(const uint8_t *)"foobar", 6};

	assert_int_equal(fnv32(FNV32_START, none), 0x811c9dc5);
	assert_int_equal(fnv32(FNV32_START, a), 0xe40c292c);
	assert_int_equal(fnv32(FNV32_START, foobar), 0xbf9cf968);
	assert_int_equal(fnv64(FNV64_START, none), 0xcbf29ce484222325ull);
	assert_int_equal(fnv64(FNV64_START, a), 0xaf63dc4c8601ec8cull);
	assert_int_equal(fnv64(FNV64_START, foobar), 0x85944171f73967e8ull);
}

/* By hand: (3 + 6 * 9) scattered, and (3 + 6 * 9 + 15 * 13) scattered. */
static void hash_of_pairs_is_multilinear(void **state)
{
	struct hash_pairs_key key = {{3, 5, 7, 11, 13}};
	uint64_t in[2] = {2ull << 32 | 1, 4};

	assert_int_equal(hash_pairs(&key, in, 1), (uint32_t)(57 * 0x9e3779b97f4a7c15 >> 32));
	assert_int_equal(hash_pairs(&key, in, 2), (uint32_t)(252 * 0x9e3779b97f4a7c15 >> 32));
}

/* Addresses and ports that count up, into 256 buckets: none gets much more than its share. */
static void hash_of_pairs_spreads(void **state)
{
	struct hash_pairs_key key = hash_pairs_key_random();
	uint32_t low[256] = {0}, high[256] = {0};

	for (uint64_t i = 0; i < 65536; i++) {
		uint64_t w[2] = {0x0a000001ull << 32 | (0x0a000100 + i / 256), 1024 + i % 256};
		uint32_t h = hash_pairs(&key, w, 2);

		low[h & 255]++;
		high[h >> 24]++;
	}
	for (unsigned i = 0; i < 256; i++) {
		assert_true(low[i] < 4 * 256);
		assert_true(high[i] < 4 * 256);
	}
}

static void hex_goes_both_ways(void **state)
{
	static const uint8_t data[] = {0x00, 0x7f, 0xa0, 0xff};
	uint8_t back[4] = {0};
	char text[HEX_LEN(sizeof(data))];
	size_t len = 0;

	hex_write(data, sizeof(data), text);
	assert_string_equal(text, "007fa0ff");
	assert_int_equal(hex_read("007FA0ff", 8, back, sizeof(back), &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(back, data, 4);
	assert_int_equal(hex_read("007fa0ff", 8, back, 3, &len), -EINVAL);
	assert_int_equal(hex_read("007", 3, back, 4, &len), -EINVAL);
	assert_int_equal(hex_read("0g", 2, back, 4, &len), -EINVAL);
	assert_int_equal(hex_read("", 0, back, 4, &len), 0);
	assert_int_equal(len, 0);
	assert_true(hex_read_small((struct bytes){(const uint8_t *)text, 8}, back, 4));
	assert_false(hex_read_small((struct bytes){(const uint8_t *)"007Fa0ff", 8}, back, 4));
	assert_false(hex_read_small((struct bytes){(const uint8_t *)text, 6}, back, 4));
	assert_false(hex_read_small((struct bytes){(const uint8_t *)"007fa0f/", 8}, back, 4));
}

static void a_number_is_digits_within_its_bounds(void **state)
{
	static const char *const none[] = {"",
					   " 1",
					   "1 ",
					   "+1",
					   "-1",
					   "0x1",
					   "1e2",
					   "18446744073709551616",
					   "99999999999999999999999"};
	uint64_t n = 7;

	assert_false(number_read(NULL, 0, UINT64_MAX, &n));
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_false(number_read(none[i], 0, UINT64_MAX, &n));
	assert_false(number_read("4", 5, 6, &n));
	assert_false(number_read("7", 5, 6, &n));
	assert_int_equal(n, 7);
	assert_true(number_read("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX);
	assert_true(number_read("005", 5, 6, &n) && n == 5);
}

static void a_window_is_some_time_of_a_day(void **state)
{
	static const char *const none[] = {"",
					   "02:00",
					   "02:00-05:00 ",
					   "2-5",
					   "24:00-05:00",
					   "02:60-05:00",
					   "02:00-24:01",
					   "02:00-05:60",
					   " 2:00-05:00",
					   "+2:00-05:00",
					   "02:00--5:00",
					   "02:00-02:00"};
	unsigned from = 7, to = 7;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_false(number_window(none[i], &from, &to));
	assert_int_equal(from, 7);
	assert_int_equal(to, 7);
	assert_true(number_window("22:30-02:00", &from, &to));
	assert_int_equal(from, 22 * 60 + 30);
	assert_int_equal(to, 120);
	assert_true(number_window("0:00-24:00", &from, &to));
	assert_int_equal(from, 0);
	assert_int_equal(to, 1440);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_is_sticky),
		cmocka_unit_test(sub_reader_is_confined),
		cmocka_unit_test(writer_refuses_overflow),
		cmocka_unit_test(json_is_valid_whatever_a_peer_sends),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(a_number_is_digits_within_its_bounds),
		cmocka_unit_test(a_window_is_some_time_of_a_day),
		cmocka_unit_test(json_says_when_it_does_not_fit),
		cmocka_unit_test(json_texts_are_whole_at_any_length),
		cmocka_unit_test(json_escapes_what_must_be),
		cmocka_unit_test(json_hides_nothing),
		cmocka_unit_test(json_objects_end_where_they_began),
		cmocka_unit_test(eve_time_is_what_strftime_says),
		cmocka_unit_test(digits_are_those_of_printf),
		cmocka_unit_test(sums_are_those_of_the_standard),
		cmocka_unit_test(a_boot_has_its_name),
		cmocka_unit_test(a_slab_gives_back_what_it_got),
		cmocka_unit_test(event_has_the_common_fields),
		cmocka_unit_test(event_names_ends_by_text_or_by_address),
		cmocka_unit_test(reasons_have_names_and_sentences),
		cmocka_unit_test(hash_is_siphash_1_3),
		cmocka_unit_test(fnv_is_fnv_1a),
		cmocka_unit_test(hash_of_pairs_is_multilinear),
		cmocka_unit_test(hash_of_pairs_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
