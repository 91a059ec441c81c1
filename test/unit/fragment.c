#include "base/clock.h"
#include "guard/flow/fragment.h"

#include "frames.h"

#define SOURCE 0x0a000001u
#define TARGET 0x0a000002u

static struct fragment_table *table;
static unsigned ended[5], given;
static enum anomaly last_anomaly;
static struct packet whole;
static uint8_t whole_bytes[70000];
static uint64_t handles_given[16];
static struct bytes kept[4096];
static unsigned kept_count;

static uint64_t fresh_at[65536]; /* when an identification was given last */
static unsigned fresh_given, fresh_elsewhere;

static void note_fresh(const struct fragment_datagram *d)
{
	uint64_t *at = &fresh_at[d->fresh_id & 0xffff];

	if (d->whole.ifindex != 3)
		fresh_elsewhere += d->is_fresh;
	if (d->whole.ifindex != 3 || !d->is_fresh)
		return;
	assert_true(!*at || d->whole.time_ns - *at >= 60 * NSEC_PER_SEC);
	*at = d->whole.time_ns;
	fresh_given++;
}

static void note_end(void *arg, const struct fragment_datagram *d)
{
	assert_true(d->count > 0);
	ended[d->how]++;
	last_anomaly = d->anomaly;
	for (unsigned i = 0; i < d->count && given + i < 16; i++)
		handles_given[given + i] = d->frames[i].handle;
	given += d->count;
	if (d->how != FRAGMENT_WHOLE)
		return;
	note_fresh(d);
	assert_true(d->whole.data.len <= sizeof(whole_bytes));
	memcpy(whole_bytes, d->whole.data.data, d->whole.data.len);
	packet_decode((struct bytes){whole_bytes, d->whole.data.len}, d->whole.link, 1,
		      d->whole.wire_len, &whole);
}

static void open_table(uint32_t frames)
{
	struct fragment_limits limits = {.frames = frames, .timeout_ms = 5000};

	memset(ended, 0, sizeof(ended));
	given = 0;
	table = fragment_table_new(&limits, note_end, NULL);
	assert_non_null(table);
}

static int teardown(void **state)
{
	fragment_table_free(table);
	table = NULL;
	while (kept_count)
		free((void *)kept[--kept_count].data);
	return 0;
}

static void add(struct bytes frame, enum link link, double at_s)
{
	struct frame f = {.data = frame,
			  .time_ns = (uint64_t)(at_s * 1e9),
			  .wire_len = (uint32_t)frame.len,
			  .ifindex = 3,
			  .link = link,
			  .handle = 100 + kept_count};
	struct packet p;

	kept[kept_count++] = frame;
	packet_decode(frame, link, f.time_ns, f.wire_len, &p);
	assert_true(p.fragment);
	assert_true(fragment_add(table, &p, &f));
}

/* `eights` is where the body begins, in units of eight bytes. */
static void add4(uint32_t src, uint16_t id, uint16_t eights, bool more, const uint8_t *body,
		 size_t len)
{
	struct frame_ip ip = {.src = src,
			      .dst = TARGET,
			      .proto = PROTO_UDP,
			      .id = id,
			      .fragment = (uint16_t)((more ? 0x2000 : 0) | eights)};

	add(frame_ipv4(&ip, body, len), LINK_ETHERNET, 100);
}

static void add6(uint16_t offset, bool more, const uint8_t *body, size_t len)
{
	uint8_t out[512];
	struct writer w = writer_new(out, sizeof(out));

	write_be32(&w, 0x60000000);
	write_be16(&w, (uint16_t)(16 + len));
	write_be16(&w, 60 << 8 | 64);
	write_bytes(&w, "\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 32);
	write_bytes(&w, "\x2c\0\1\4\0\0\0\0\x11\0", 10);
	write_be16(&w, offset | more);
	write_be32(&w, 77);
	write_bytes(&w, body, len);
	assert_false(w.bad);
	add(unit_exact(out, w.len), LINK_RAW, 100);
}

static uint8_t udp[40] = {4,   0xd2, 0,	  53, 0, 40, 0, 0, 'a', 'b', 'c', 'd', 'e',
			  'f', 'g',  'h', 1,  2, 3,  4, 5, 6,	7,   8,	  9};

static void assert_whole(void)
{
	assert_int_equal(ended[FRAGMENT_WHOLE], 1);
	assert_int_equal(whole.anomalies, 0);
	assert_false(whole.fragment);
	assert_int_equal(whole.dst_port, 53);
	assert_int_equal(whole.payload.len, 32);
	assert_memory_equal(whole.payload.data, udp + 8, 32);
	assert_int_equal(fragment_count(table), 0);
}

static void pieces_in_any_order_are_joined(void **state)
{
	static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (unsigned o = 0; o < 6; o++) {
		open_table(64);
		for (unsigned i = 0; i < 3; i++) {
			unsigned n = orders[o][i];

			assert_int_equal(ended[FRAGMENT_WHOLE], 0);
			add4(SOURCE, 7, (uint16_t)(2 * n), n < 2, udp + 16 * n, n < 2 ? 16 : 8);
		}
		assert_whole();
		assert_int_equal(whole.src_mac[5], 1);
		assert_int_equal(given, 3);
		assert_int_equal(handles_given[0] + 1, handles_given[1]);
		teardown(state);
		open_table(64);
		for (unsigned i = 0; i < 3; i++) {
			unsigned n = orders[o][i];

			add6((uint16_t)(16 * n), n < 2, udp + 16 * n, n < 2 ? 16 : 8);
		}
		assert_whole();
		assert_int_equal(whole.l3.len, 40 + 8 + 40);
		teardown(state);
	}
}

static void duplicates_and_equal_overlaps_do_no_harm(void **state)
{
	open_table(64);
	add4(SOURCE, 7, 0, true, udp, 16);
	add4(SOURCE, 7, 0, true, udp, 16);
	add4(SOURCE, 7, 1, true, udp + 8, 16);
	add4(SOURCE, 7, 3, false, udp + 24, 16);
	assert_whole();
	assert_int_equal(given, 4);
}

static void an_overlap_that_differs_refuses_all(void **state)
{
	uint8_t other[16] = "evil evil evil";

	open_table(64);
	add4(SOURCE, 7, 0, true, udp, 16);
	add4(SOURCE, 7, 1, true, other, 16);
	assert_int_equal(ended[FRAGMENT_REFUSED], 1);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_OVERLAP);
	assert_int_equal(given, 2);
	/* what comes later is of the same datagram, and as bad */
	add4(SOURCE, 7, 0, true, udp, 16);
	add4(SOURCE, 7, 2, false, udp + 16, 24);
	assert_int_equal(ended[FRAGMENT_REFUSED], 3);
	assert_int_equal(ended[FRAGMENT_WHOLE], 0);
	assert_int_equal(fragment_count(table), 0);
	/* another one is not */
	add4(SOURCE, 8, 0, true, udp, 16);
	add4(SOURCE, 8, 2, false, udp + 16, 24);
	assert_int_equal(ended[FRAGMENT_WHOLE], 1);
}

static void ipv6_bears_no_overlap_at_all(void **state)
{
	open_table(64);
	add6(0, true, udp, 24);
	add6(16, false, udp + 16, 24);
	assert_int_equal(ended[FRAGMENT_REFUSED], 1);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_OVERLAP);
}

static void nothing_lies_behind_the_end(void **state)
{
	open_table(64);
	add4(SOURCE, 7, 4, true, udp, 16);
	add4(SOURCE, 7, 1, false, udp, 16);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_OVERLAP);
	add4(SOURCE, 8, 0, true, udp, 4);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_BAD_LEN);
	add4(SOURCE, 9, 8190, true, udp, 24);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_TOO_BIG);
	assert_int_equal(ended[FRAGMENT_REFUSED], 3);
	assert_int_equal(fragment_count(table), 0);
}

static void a_source_fills_only_its_share(void **state)
{
	open_table(64);
	add4(TARGET, 1, 0, true, udp, 16);
	for (uint16_t i = 0; i < 1000; i++)
		add4(SOURCE, i, 0, true, udp, 16);
	assert_int_equal(fragment_count(table), 1 + 8);
	assert_int_equal(ended[FRAGMENT_EVICTED], 992);
	add4(TARGET, 1, 2, false, udp + 16, 24);
	assert_int_equal(ended[FRAGMENT_WHOLE], 1);
}

static void many_sources_evict_the_oldest(void **state)
{
	open_table(64);
	for (uint32_t i = 0; i < 2000; i++)
		add4(SOURCE + i * 7, 1, 0, true, udp, 16);
	assert_true(fragment_count(table) <= 64);
	assert_int_equal(fragment_count(table) + given, 2000);
	assert_int_equal(last_anomaly, ANOMALY_FRAGMENT_TOO_MANY);
}

static void what_never_completes_is_given_back(void **state)
{
	open_table(64);
	add4(SOURCE, 7, 0, true, udp, 16);
	assert_int_equal(fragment_expire(table, 104 * NSEC_PER_SEC, 10), 0);
	assert_int_equal(fragment_expire(table, 105 * NSEC_PER_SEC, 10), 1);
	assert_int_equal(ended[FRAGMENT_LATE], 1);
	assert_int_equal(handles_given[0], 100);
	add4(SOURCE, 7, 0, true, udp, 16);
	fragment_table_free(table);
	table = NULL;
	assert_int_equal(ended[FRAGMENT_SHUTDOWN], 1);
}

static void the_largest_datagram_fits(void **state)
{
	static uint8_t body[65515];
	size_t step = 1480;

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 31);
	memcpy(body, "\4\xd2\0\x35\xff\xeb\0\0", 8);
	open_table(1024);
	for (size_t off = 0; off < sizeof(body); off += step) {
		size_t n = sizeof(body) - off < step ? sizeof(body) - off : step;

		add4(SOURCE, 7, (uint16_t)(off / 8), off + n < sizeof(body), body + off, n);
	}
	assert_int_equal(ended[FRAGMENT_WHOLE], 1);
	assert_int_equal(whole.payload.len, sizeof(body) - 8);
	assert_memory_equal(whole.payload.data, body + 8, sizeof(body) - 8);
	assert_int_equal(whole.anomalies, 0);
}

/* Two pieces each, `count` datagrams a second; `port`: 3 where their identifications are looked at. */
static void flood(uint32_t dst, unsigned seconds, unsigned count, uint64_t *now_ns, uint32_t port)
{
	struct frame_ip ip = {.src = SOURCE, .dst = dst, .proto = PROTO_UDP};
	struct frame f = {.ifindex = port};
	struct packet p;

	for (unsigned i = 0; i < seconds * count; i++, *now_ns += NSEC_PER_SEC / count)
		for (unsigned last = 0; last < 2; last++) {
			ip.id = (uint16_t)i;
			ip.fragment = last ? 2 : 0x2000;
			f.data = frame_ipv4(&ip, udp + 16 * last, last ? 24 : 16);
			f.wire_len = (uint32_t)f.data.len;
			f.time_ns = *now_ns;
			packet_decode(f.data, LINK_ETHERNET, f.time_ns, f.wire_len, &p);
			assert_true(fragment_add(table, &p, &f));
			if (last)
				assert_int_equal(fragment_count(table), 0);
			kept[last] = f.data;
			if (last)
				for (unsigned k = 0; k < 2; k++)
					free((void *)(uintptr_t)kept[k].data);
		}
}

/* However much is sent, a receiver that waits for a minute never has one identification twice. */
static void no_identification_comes_again_soon(void **state)
{
	uint64_t now_ns = 100 * NSEC_PER_SEC;

	open_table(64);
	memset(fresh_at, 0, sizeof(fresh_at));
	fresh_given = fresh_elsewhere = 0;
	flood(TARGET, 1, 600, &now_ns, 3);
	assert_int_equal(fresh_given, 600);
	flood(TARGET, 4, 20000, &now_ns, 3);
	assert_int_equal(fresh_given, 13107);
	/* Whoever speaks with another one has his own. */
	flood(TARGET + 1, 1, 600, &now_ns, 4);
	assert_int_equal(fresh_elsewhere, 600);
	flood(TARGET, 150, 1500, &now_ns, 3);
	assert_true(fresh_given > 10 * 13000);
}

static void a_cut_piece_stays_the_callers(void **state)
{
	struct frame_ip ip = {SOURCE, TARGET, PROTO_UDP, 1, 0x2000};
	struct bytes b = frame_ipv4(&ip, udp, 16);
	struct frame f = {.data = {b.data, b.len - 4}, .wire_len = (uint32_t)b.len};
	struct packet p;

	open_table(64);
	packet_decode(f.data, LINK_ETHERNET, 1, f.wire_len, &p);
	assert_false(fragment_add(table, &p, &f));
	assert_int_equal(fragment_count(table), 0);
	free((void *)b.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pieces_in_any_order_are_joined, teardown),
		cmocka_unit_test_teardown(duplicates_and_equal_overlaps_do_no_harm, teardown),
		cmocka_unit_test_teardown(an_overlap_that_differs_refuses_all, teardown),
		cmocka_unit_test_teardown(ipv6_bears_no_overlap_at_all, teardown),
		cmocka_unit_test_teardown(nothing_lies_behind_the_end, teardown),
		cmocka_unit_test_teardown(a_source_fills_only_its_share, teardown),
		cmocka_unit_test_teardown(many_sources_evict_the_oldest, teardown),
		cmocka_unit_test_teardown(what_never_completes_is_given_back, teardown),
		cmocka_unit_test_teardown(the_largest_datagram_fits, teardown),
		cmocka_unit_test_teardown(no_identification_comes_again_soon, teardown),
		cmocka_unit_test_teardown(a_cut_piece_stays_the_callers, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
