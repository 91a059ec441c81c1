/* The sealed link's rooms: framing, rejoining, the window of numbers, the clamp. */
#include "unit.h"

#include "base/sum.h"
#include "seal/link/clamp.h"
#include "seal/link/framing.h"
#include "seal/link/rejoin.h"
#include "seal/link/window.h"

/* --- framing ------------------------------------------------------------------- */

static bool reads(const void *data, size_t len, size_t total, struct framing *ret_f)
{
	struct bytes b = unit_exact(data, len);
	bool good = framing_read(b, total, ret_f);

	free((void *)(uintptr_t)b.data);
	return good;
}

static void heads_are_read_as_they_were_written(void **state)
{
	struct framing f = {.kind = FRAMING_WHOLE, .count = 3}, got;
	uint8_t head[FRAMING_HEAD];
	size_t len;

	for (unsigned i = 0; i < 3; i++)
		f.frames[i] =
			(struct framing_frame){(uint16_t)(i + 1), (uint16_t)(i * 1000), i & 1};
	len = framing_write(&f, head);
	assert_int_equal(len, FRAMING_FRAMES(3));
	assert_int_equal(framing_head(head), len);
	assert_true(reads(head, len, len + 6, &got));
	assert_int_equal(got.head, len);
	assert_int_equal(got.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(got.frames[i].len, i + 1);
		assert_int_equal(got.frames[i].channel, i * 1000);
		assert_int_equal(got.frames[i].form, i & 1);
	}
	assert_false(reads(head, len, len + 5, &got));
	assert_false(reads(head, len, len + 7, &got));
	for (size_t n = 0; n < len; n++)
		assert_false(reads(head, n, len + 6, &got));

	f = (struct framing){.kind = FRAMING_PART,
			     .id = 7,
			     .total = 2999,
			     .channel = 5,
			     .form = 1,
			     .index = 2,
			     .pieces = 3};
	len = framing_write(&f, head);
	assert_int_equal(len, FRAMING_PIECE);
	assert_true(reads(head, len, len + 999, &got));
	assert_int_equal(got.offset, 2000);
	assert_int_equal(got.len, 999);
	assert_false(reads(head, len, len + 1000, &got));

	f = (struct framing){
		.kind = FRAMING_ASK, .what = FRAMING_PROBE, .token = 0x0123456789abcdefull};
	len = framing_write(&f, head);
	assert_int_equal(len, FRAMING_ECHO);
	assert_true(reads(head, len, 1400, &got));
	assert_true(got.token == f.token);
	f.kind = FRAMING_ANSWER;
	framing_write(&f, head);
	assert_true(reads(head, len, len, &got));
	assert_false(reads(head, len, len + 1, &got)); /* an answer has no padding */
}

static void what_is_no_framing_is_refused(void **state)
{
	static const char *const bad[] = {
		"\x21\1\0\1\0\0\0", "\x10\1\0\1\0\0\0", "\x15\1\0\1\0\0\0",  "\x11\0\0\1\0\0\0",
		"\x11\1\0\0\0\0\0", "\x11\1\0\1\0\0\2", "\x11\x21\0\1\0\0\0"};
	struct framing f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(reads(bad[i], 7, 8, &f));
	assert_true(reads("\x11\1\0\1\0\0\0", 7, 8, &f));
	assert_int_equal(framing_head((const uint8_t *)"\x21\1"), 0);
	assert_int_equal(framing_head((const uint8_t *)"\x11\0"), 0);
	assert_int_equal(framing_head((const uint8_t *)"\x11\x21"), 0);
}

/* Pieces of any frame lie side by side and cover it. */
static void pieces_cover_their_frame(void **state)
{
	for (uint32_t total = 2; total < 3000; total += 7) {
		for (unsigned pieces = 2; pieces < 40 && pieces <= total; pieces++) {
			uint32_t at = 0, off, len;
			unsigned i = 0;

			while (i < pieces && framing_piece(total, pieces, i, &off, &len)) {
				assert_int_equal(off, at);
				assert_true(len > 0);
				at += len;
				i++;
			}
			assert_int_equal(at, total);
		}
	}
}

static void a_piece_that_cannot_be_is_none(void **state)
{
	uint32_t off, len;

	assert_false(framing_piece(100, 1, 0, &off, &len));
	assert_false(framing_piece(100, 0, 0, &off, &len));
	assert_false(framing_piece(100, 3, 3, &off, &len));
	assert_false(framing_piece(2, 3, 0, &off, &len));
	assert_false(framing_piece(LINK_FRAME_MAX + 1, 60, 0, &off, &len));
	assert_true(framing_piece(LINK_FRAME_MAX, 255, 254, &off, &len));
	assert_int_equal(off + len, LINK_FRAME_MAX);
	/* 10 in 7 pieces of 2: the sixth would begin behind the end. */
	assert_false(framing_piece(10, 7, 5, &off, &len));
}

/* --- rejoining ------------------------------------------------------------------- */

static int taken;

static uint8_t *take(void *arg, uint32_t len)
{
	bool *none = arg;

	if (*none)
		return NULL;
	taken++;
	return malloc(len);
}

static void give(void *arg, uint8_t *data)
{
	taken--;
	free(data);
}

static bool none;
static const struct links_calls calls = {.take = take, .give = give, .arg = &none};

static struct framing piece(uint32_t id, uint8_t index)
{
	struct framing f = {
		.kind = FRAMING_PART, .id = id, .total = 10, .index = index, .pieces = 3};

	assert_true(framing_piece(f.total, f.pieces, index, &f.offset, &f.len));
	return f;
}

/* 1 whole, 0 taken, -1 nowhere to put it. */
static int put(struct rejoin *j, struct framing f, uint64_t now, bool authentic, unsigned *ret_lost)
{
	struct link_frame frame;
	uint8_t *fresh, *place;
	bool no_memory;
	int whole;

	*ret_lost = 0;
	place = rejoin_place(j, &f, &calls, now, &fresh, &no_memory);
	if (!place)
		return -1;
	memset(place, authentic ? 'a' + f.index : '!', f.len);
	if (!authentic) {
		if (fresh)
			give(NULL, fresh);
		return -1;
	}
	whole = rejoin_add(j, &f, &calls, fresh, now, &frame, ret_lost);
	if (whole) {
		assert_int_equal(frame.len, 10);
		assert_memory_equal(frame.data, "aaaabbbbcc", 10);
		give(NULL, frame.data);
	}
	return whole;
}

static void pieces_in_any_order_are_a_frame(void **state)
{
	struct rejoin j = {0};
	unsigned lost;

	assert_int_equal(put(&j, piece(1, 2), 0, true, &lost), 0);
	assert_int_equal(put(&j, piece(2, 0), 0, true, &lost), 0);
	assert_int_equal(put(&j, piece(1, 0), 0, true, &lost), 0);
	assert_int_equal(put(&j, piece(1, 0), 0, true, &lost), -1); /* twice */
	assert_int_equal(put(&j, piece(1, 1), 0, true, &lost), 1);
	assert_int_equal(put(&j, piece(2, 1), 0, true, &lost), 0);
	assert_int_equal(put(&j, piece(2, 2), 0, true, &lost), 1);
	assert_int_equal(taken, 0);
}

/* A forged piece opens into a place that is still open, or into memory of its own: never over a true one. */
static void forged_pieces_change_nothing(void **state)
{
	struct rejoin j = {0};
	unsigned lost;

	put(&j, piece(1, 0), 0, false, &lost);
	assert_int_equal(taken, 0);
	assert_int_equal(put(&j, piece(1, 0), 0, true, &lost), 0);
	put(&j, piece(1, 0), 0, false, &lost);
	put(&j, piece(1, 1), 0, false, &lost);
	put(&j, piece(1 + LINK_REJOIN, 1), 0, false, &lost); /* would take its place */
	assert_int_equal(put(&j, piece(1, 1), 0, true, &lost), 0);
	assert_int_equal(put(&j, piece(1, 2), 0, true, &lost), 1);
	assert_int_equal(taken, 0);
}

static void memory_is_bounded_and_given_back(void **state)
{
	struct rejoin j = {0};
	struct framing f = piece(9, 1);
	unsigned lost, all = 0;

	for (uint32_t id = 0; id < 3 * LINK_REJOIN; id++) {
		assert_int_equal(put(&j, piece(id, 0), 5, true, &lost), 0);
		all += lost;
		assert_true(taken <= LINK_REJOIN);
	}
	assert_int_equal(all, 2 * LINK_REJOIN);
	/* A straggler does not end a later frame; one that contradicts is nowhere. */
	assert_int_equal(put(&j, piece(3, 1), 6, true, &lost), -1);
	f.id = 2 * LINK_REJOIN;
	f.total = 11;
	f.len = 4;
	assert_int_equal(put(&j, f, 6, true, &lost), -1);
	none = true;
	assert_int_equal(put(&j, piece(5 * LINK_REJOIN, 0), 6, true, &lost), -1);
	none = false;
	assert_int_equal(rejoin_expire(&j, &calls, 6, false), 0);
	assert_int_equal(rejoin_expire(&j, &calls, 5 + REJOIN_NS, false), LINK_REJOIN);
	assert_int_equal(taken, 0);
}

/* --- numbers ---------------------------------------------------------------------- */

/* Against the plainest model there is. */
static void numbers_count_once(void **state)
{
	static bool came[1 << 16];
	struct window w = {0};
	uint64_t top = 0;
	bool began = false;
	uint32_t x = 1;

	for (unsigned i = 0; i < 300000; i++) {
		uint64_t seq;
		bool fresh;

		x = x * 1664525 + 1013904223;
		seq = top + (x >> 8) % 64 < 4000 ? (x >> 8) % 8000
						 : top + 40 - (x >> 8) % 8000 % (i % 5 ? 80 : 6000);
		if (seq >= sizeof(came))
			seq = (x >> 8) % 60000;
		fresh = !began || seq > top || (top - seq < WINDOW_BITS && !came[seq]);
		assert_int_equal(window_fresh(&w, seq), fresh);
		if (!fresh)
			continue;
		window_take(&w, seq);
		came[seq] = true;
		top = !began || seq > top ? seq : top;
		began = true;
	}
}

static void gaps_are_counted(void **state)
{
	struct window w = {0};

	assert_int_equal(window_take(&w, 1u << 24), 0);
	assert_int_equal(window_take(&w, (1u << 24) + 5), 4);
	assert_int_equal(window_take(&w, (1u << 24) + 2), -1);
	assert_false(window_fresh(&w, (1u << 24) + 2));
	assert_int_equal(window_take(&w, 1ull << 40), (1ll << 40) - (1 << 24) - 6);
	assert_false(window_fresh(&w, (1u << 24) + 3));
}

/* --- the clamp ---------------------------------------------------------------------- */

#define SYN 0x02

struct syn {
	uint8_t data[160];
	size_t len, tcp;
};

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* The sum over pseudo-header and segment, which a right checksum makes 0xffff. */
static uint16_t sum_of(const struct syn *s, bool v6)
{
	const uint8_t *ip = s->data + s->tcp - (v6 ? 40 : 20);
	uint8_t tail[4] = {0, 6, 0, 0};
	uint64_t sum = v6 ? sum_add(0, ip + 8, 32) : sum_add(0, ip + 12, 8);

	put16(tail + 2, (unsigned)(s->len - s->tcp));
	sum = sum_add(sum, tail, 4);
	return sum_fold(sum_add(sum, s->data + s->tcp, s->len - s->tcp));
}

/* `pad` options of one byte in front put the value at an odd place. */
static void make_syn(struct syn *s, unsigned tags, bool v6, unsigned mss, unsigned pad,
		     uint8_t flags)
{
	uint8_t *ip, *tcp;
	uint16_t sum;

	*s = (struct syn){.tcp = 14 + 4 * tags + (v6 ? 40 : 20)};
	for (unsigned i = 0; i < tags; i++)
		put16(s->data + 12 + 4 * i, 0x8100);
	ip = s->data + 14 + 4 * tags;
	put16(ip - 2, v6 ? 0x86dd : 0x0800);
	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 6 : 9] = 6;
	memcpy(ip + (v6 ? 8 : 12), "\x0a\1\2\3\x0a\1\2\4", 8);
	tcp = s->data + s->tcp;
	tcp[12] = 7 << 4;
	tcp[13] = flags;
	memset(tcp + 20, 1, 8);
	tcp[20 + pad] = 2;
	tcp[21 + pad] = 4;
	put16(tcp + 22 + pad, mss);
	s->len = s->tcp + 28 + 11;
	memset(tcp + 28, 'x', 11);
	sum = (uint16_t)~sum_of(s, v6);
	memcpy(tcp + 16, &sum, 2);
	assert_int_equal(sum_of(s, v6), 0xffff);
}

static unsigned mss_of(const struct syn *s, unsigned pad)
{
	return s->data[s->tcp + 22 + pad] << 8 | s->data[s->tcp + 23 + pad];
}

static bool clamps(struct syn *s, size_t frame)
{
	struct bytes b = unit_exact(s->data, s->len);
	bool done = clamp_frame((uint8_t *)(uintptr_t)b.data, b.len, frame, false);

	memcpy(s->data, b.data, s->len);
	free((void *)(uintptr_t)b.data);
	return done;
}

static void a_syn_is_clamped_and_its_sum_is_right(void **state)
{
	struct syn s;

	for (unsigned tags = 0; tags < 3; tags++)
		for (unsigned v6 = 0; v6 < 2; v6++)
			for (unsigned pad = 0; pad < 5; pad++)
				for (unsigned mss = 1300; mss < 65536; mss += 977) {
					make_syn(&s, tags, v6, mss, pad, SYN);
					assert_int_equal(clamps(&s, 1400), mss > 1400 - s.tcp - 20);
					assert_int_equal(sum_of(&s, v6), 0xffff);
					assert_int_equal(mss_of(&s, pad),
							 mss > 1400 - s.tcp - 20 ? 1400 - s.tcp - 20
										 : mss);
				}
}

static void whatever_else_stays_as_it_is(void **state)
{
	struct syn s, was;

	make_syn(&s, 0, false, 1460, 0, 0x10);
	assert_false(clamps(&s, 1400)); /* no SYN */
	make_syn(&s, 0, false, 1460, 0, SYN);
	s.data[14 + 7] = 8; /* a later fragment */
	assert_false(clamps(&s, 1400));
	make_syn(&s, 0, false, 1460, 0, SYN);
	s.data[14 + 9] = 17;
	assert_false(clamps(&s, 1400));
	make_syn(&s, 0, false, 1460, 0, SYN);
	s.data[s.tcp + 21] = 3; /* the option has another length */
	assert_false(clamps(&s, 1400));
	make_syn(&s, 0, false, 1460, 0, SYN);
	assert_false(clamps(&s, 500)); /* less than every host takes is not asked for */
	make_syn(&s, 0, false, 1460, 0, SYN);
	was = s;
	for (s.len = 0; s.len < was.tcp + 24; s.len++) {
		assert_false(clamps(&s, 1400));
		assert_memory_equal(s.data, was.data, s.len);
	}
	/* The sum of a pseudo-header is not of what was changed. */
	assert_true(clamp_frame(was.data, was.len, 1400, true));
	assert_int_not_equal(sum_of(&was, false), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read_as_they_were_written),
		cmocka_unit_test(what_is_no_framing_is_refused),
		cmocka_unit_test(pieces_cover_their_frame),
		cmocka_unit_test(a_piece_that_cannot_be_is_none),
		cmocka_unit_test(pieces_in_any_order_are_a_frame),
		cmocka_unit_test(forged_pieces_change_nothing),
		cmocka_unit_test(memory_is_bounded_and_given_back),
		cmocka_unit_test(numbers_count_once),
		cmocka_unit_test(gaps_are_counted),
		cmocka_unit_test(a_syn_is_clamped_and_its_sum_is_right),
		cmocka_unit_test(whatever_else_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
