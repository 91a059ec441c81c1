/*
 * Memory between guard and link: a link that seals and opens, played here by a loop that sends
 * every frame back; one that dies; and links that lie. Then what a frame that stands for several
 * packets is cut into.
 */
#include "frames.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sum.h"
#include "guard/capture/loan.h"
#include "guard/capture/segment.h"

#define OWN    64u /* chunks of the capture's own */
#define CHUNKS (OWN + SHARE_INBOX)
#define PEER   3

/* A capture in memory that knows of each chunk whether it is free. */
struct fake {
	struct capture base;
	uint8_t *memory;
	bool free[CHUNKS];
	unsigned dropped;
};

static struct fake *of(struct capture *c)
{
	return (struct fake *)c;
}

static bool first_free(struct fake *x, uint32_t from, uint32_t to, uint32_t *ret)
{
	for (uint32_t i = from; i < to; i++)
		if (x->free[i]) {
			x->free[i] = false;
			*ret = i * SHARE_CHUNK;
			return true;
		}
	return false;
}

static int fake_lend(struct capture *c, const struct frame *f, uint32_t *ret_offset)
{
	*ret_offset = (uint32_t)f->handle;
	return 0;
}

static int fake_lend_copy(struct capture *c, struct bytes data, uint32_t *ret_offset)
{
	if (!first_free(of(c), 0, OWN, ret_offset))
		return -ENOBUFS;
	*ret_offset += SHARE_HEAD;
	memcpy(of(c)->memory + *ret_offset, data.data, data.len);
	return 0;
}

static void fake_restore(struct capture *c, uint32_t offset)
{
	assert_false(of(c)->free[offset / SHARE_CHUNK]); /* never twice */
	of(c)->free[offset / SHARE_CHUNK] = true;
}

static bool fake_spare(struct capture *c, uint32_t *ret_offset)
{
	return first_free(of(c), OWN, CHUNKS, ret_offset);
}

static void fake_adopt(struct capture *c, uint32_t offset, uint32_t len, struct frame *ret_f)
{
	ret_f->data = (struct bytes){of(c)->memory + offset, len};
	ret_f->handle = offset;
}

static void fake_drop(struct capture *c, const struct frame *f)
{
	of(c)->dropped++;
	if (f->handle)
		fake_restore(c, (uint32_t)f->handle);
}

static const struct capture_ops ops = {
	.name = "fake",
	.drop = fake_drop,
	.lend = fake_lend,
	.lend_copy = fake_lend_copy,
	.restore = fake_restore,
	.spare = fake_spare,
	.adopt = fake_adopt,
};

static struct fake fake;
static struct loan *loan;
static struct share_queues link_side;
static int wakes_link, wakes_us;

static void pair(void)
{
	int queues = share_make_queues();

	assert_true(queues >= 0);
	share_unmap_queues(&link_side);
	assert_int_equal(share_map_queues(queues, &link_side), 0);
	wakes_link = eventfd(0, EFD_NONBLOCK);
	wakes_us = eventfd(0, EFD_NONBLOCK);
	assert_int_equal(loan_pair(loan, queues, dup(wakes_link), dup(wakes_us)), 0);
}

static int setup(void **state)
{
	uint32_t chunks;
	int fd = share_make_memory(CHUNKS);

	fake = (struct fake){.base = {&ops}};
	if (fd < 0 || share_map_memory(fd, &fake.memory, &chunks) || chunks != CHUNKS)
		return 1;
	close(fd);
	memset(fake.free, 1, sizeof(fake.free));
	loan = loan_new(&fake.base, CHUNKS);
	return !loan;
}

static int teardown(void **state)
{
	loan_free(loan);
	share_unmap_queues(&link_side);
	share_unmap_memory(fake.memory, CHUNKS);
	close(wakes_link);
	close(wakes_us);
	wakes_link = wakes_us = -1;
	return 0;
}

static unsigned free_chunks(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < CHUNKS; i++)
		n += fake.free[i];
	return n;
}

/* A frame as a port received it, in a chunk of its own. */
static struct frame receive(const char *text)
{
	struct frame f = {.wire_len = (uint32_t)strlen(text)};
	uint32_t offset = 0;

	assert_true(first_free(&fake, 0, OWN, &offset));
	offset += SHARE_HEAD;
	memcpy(fake.memory + offset, text, f.wire_len);
	fake_adopt(&fake.base, offset, f.wire_len, &f);
	return f;
}

static const struct gate_verdict verdict = {
	.ifindex = 7, .device = 5, .link = PEER, .action = GATE_SEAL, .would = GATE_SEAL};

/* The stand-in: every frame comes straight back, as if the peer had sent it. */
static unsigned loop_back(void)
{
	struct spsc *q = link_side.q;
	struct spsc_entry out, in;
	unsigned n = 0;

	while (spsc_take(&q[SHARE_SEAL], &out, 1) == 1) {
		assert_int_equal(spsc_take(&q[SHARE_EMPTY], &in, 1), 1);
		in.offset += SHARE_HEAD;
		memcpy(fake.memory + in.offset, fake.memory + out.offset, out.len);
		in.len = out.len;
		in.peer = out.peer;
		in.port = 8;
		assert_true(spsc_put(&q[SHARE_OPENED], &in));
		assert_true(spsc_put(&q[SHARE_SEALED], &out));
		n++;
	}
	spsc_publish(&q[SHARE_SEALED]);
	spsc_publish(&q[SHARE_OPENED]);
	return n;
}

static void frames_go_and_come_where_they_lie(void **state)
{
	struct frame f, back[4];
	struct loan_counts n;
	uint64_t times;

	pair();
	for (unsigned round = 0; round < 5000; round++) {
		f = receive("vital signs");
		assert_int_equal(loan_seal(loan, &f, &verdict), 0);
		loan_flush(loan);
		assert_int_equal(loop_back(), 1);
		assert_int_equal(loan_receive(loan, back, 4, 123), 1);
		assert_int_equal(back[0].sealed, PEER);
		assert_int_equal(back[0].ifindex, 8);
		assert_int_equal(back[0].wire_len, 11);
		assert_memory_equal(back[0].data.data, "vital signs", 11);
		fake_restore(&fake.base, (uint32_t)back[0].handle); /* transmitted */
		loan_flush(loan);
	}
	loan_counts(loan, &n);
	assert_int_equal(n.sealed, 5000);
	assert_int_equal(n.opened, 5000);
	assert_int_equal(n.lost, 0);
	/* A sleeping link is woken, one that is awake is left alone. */
	assert_int_equal(read(wakes_link, &times, 8), -1);
	assert_true(spsc_sleep(&link_side.q[SHARE_SEAL]));
	f = receive("x");
	assert_int_equal(loan_seal(loan, &f, &verdict), 0);
	loan_flush(loan);
	assert_int_equal(read(wakes_link, &times, 8), 8);
	loop_back();
	assert_int_equal(loan_receive(loan, back, 4, 0), 1);
	fake_restore(&fake.base, (uint32_t)back[0].handle);
	loan_end(loan);
	assert_int_equal(free_chunks(), CHUNKS);
}

static void without_a_link_nothing_is_lent(void **state)
{
	struct frame f = receive("x");

	assert_int_equal(loan_seal(loan, &f, &verdict), -ENOTCONN);
	assert_int_equal(loan_fd(loan), -1);
	assert_true(loan_sleep(loan));
	assert_int_equal(loan_receive(loan, &f, 1, 0), 0);
	assert_int_equal(free_chunks(), CHUNKS - 1);
}

/* Five frames are lent, the link takes two, opens one, and dies. */
static void a_dead_link_leaves_what_it_had_not_begun(void **state)
{
	struct spsc_entry e[2], in;
	struct gate_verdict v;
	struct loan_counts n;
	struct frame f;
	char text[2] = "0";

	pair();
	for (text[0] = '0'; text[0] < '5'; text[0]++) {
		f = receive(text);
		assert_int_equal(loan_seal(loan, &f, &verdict), 0);
	}
	loan_flush(loan);
	assert_int_equal(spsc_take(&link_side.q[SHARE_SEAL], e, 2), 2);
	assert_int_equal(spsc_take(&link_side.q[SHARE_EMPTY], &in, 1), 1);
	loan_end(loan);
	assert_false(loan_paired(loan));
	for (text[0] = '2'; text[0] < '5'; text[0]++) {
		assert_true(loan_left(loan, &f, &v));
		assert_int_equal(f.data.data[0], text[0]);
		assert_int_equal(v.device, 5);
		assert_int_equal(v.link, PEER);
		assert_int_equal(v.ifindex, 7);
		fake_drop(&fake.base, &f);
	}
	assert_false(loan_left(loan, &f, &v));
	loan_counts(loan, &n);
	assert_int_equal(n.lost, 2);
	assert_int_equal(free_chunks(), CHUNKS);
	/* And the next one begins with everything. */
	pair();
	f = receive("again");
	assert_int_equal(loan_seal(loan, &f, &verdict), 0);
	loan_flush(loan);
	assert_int_equal(loop_back(), 1);
	loan_end(loan);
	assert_int_equal(free_chunks(), CHUNKS);
}

static void what_nobody_asks_for_is_free_again(void **state)
{
	struct frame f;

	pair();
	f = receive("left");
	assert_int_equal(loan_seal(loan, &f, &verdict), 0);
	loan_flush(loan);
	loan_end(loan);
	pair(); /* nobody asked for what was left */
	loan_end(loan);
	assert_int_equal(free_chunks(), CHUNKS);
}

static void a_full_queue_refuses(void **state)
{
	struct spsc_entry e[64];
	struct loan_counts n;
	unsigned lent = 0;
	int r;

	pair();
	/* The link takes and never hands back: the capture runs dry before the queue is full. */
	while ((r = loan_seal_copy(loan, (struct bytes){(const uint8_t *)"x", 1}, &verdict)) == 0)
		lent++;
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(lent, OWN);
	loan_flush(loan);
	assert_int_equal(spsc_take(&link_side.q[SHARE_SEAL], e, 64), 64);
	assert_int_equal(loan_seal_copy(loan, (struct bytes){(const uint8_t *)"x", 1}, &verdict),
			 -ENOBUFS);
	for (unsigned i = 0; i < 64; i++)
		spsc_put(&link_side.q[SHARE_SEALED], &e[i]);
	spsc_publish(&link_side.q[SHARE_SEALED]);
	loan_flush(loan);
	assert_int_equal(loan_seal_copy(loan, (struct bytes){(const uint8_t *)"x", 1}, &verdict),
			 0);
	loan_counts(loan, &n);
	assert_int_equal(n.distrusted, 0);
	loan_end(loan);
	pair(); /* nobody wants what was left */
	loan_end(loan);
	assert_int_equal(free_chunks(), CHUNKS);
}

static void too_long_is_said(void **state)
{
	static uint8_t huge[SHARE_FRAME + 1];

	pair();
	assert_int_equal(loan_seal_copy(loan, (struct bytes){huge, sizeof(huge)}, &verdict),
			 -EMSGSIZE);
}

/* --- links that lie -------------------------------------------------------------- */

static void expect_distrust(enum share_queue which, struct spsc_entry e)
{
	struct frame back[4];
	struct loan_counts n;

	assert_true(spsc_put(&link_side.q[which], &e));
	spsc_publish(&link_side.q[which]);
	assert_int_equal(loan_receive(loan, back, 4, 0), 0);
	loan_flush(loan);
	assert_false(loan_paired(loan));
	loan_counts(loan, &n);
	assert_int_equal(n.distrusted, 1);
	assert_int_equal(free_chunks(), CHUNKS);
}

/* An empty chunk of the link's, as a frame that it says to have opened there. */
static struct spsc_entry opened(void)
{
	struct spsc_entry e;

	pair();
	assert_int_equal(spsc_take(&link_side.q[SHARE_EMPTY], &e, 1), 1);
	e.offset += SHARE_HEAD;
	e.len = 60;
	e.peer = PEER;
	return e;
}

static void hands_back_what_it_was_not_lent(void **state)
{
	pair();
	expect_distrust(SHARE_SEALED, (struct spsc_entry){.offset = 3 * SHARE_CHUNK});
}

static void hands_back_what_is_not_there(void **state)
{
	pair();
	expect_distrust(SHARE_SEALED, (struct spsc_entry){.offset = CHUNKS * SHARE_CHUNK});
}

static void hands_back_twice(void **state)
{
	struct frame f;
	struct spsc_entry e;

	pair();
	f = receive("x");
	assert_int_equal(loan_seal(loan, &f, &verdict), 0);
	loan_flush(loan);
	assert_int_equal(spsc_take(&link_side.q[SHARE_SEAL], &e, 1), 1);
	spsc_put(&link_side.q[SHARE_SEALED], &e);
	expect_distrust(SHARE_SEALED, e);
}

static void opens_in_anothers_chunk(void **state)
{
	struct spsc_entry e = opened();

	e.offset = SHARE_HEAD; /* of the guard's own */
	expect_distrust(SHARE_OPENED, e);
}

static void opens_beyond_the_chunk(void **state)
{
	struct spsc_entry e = opened();

	e.len = SHARE_FRAME + 1;
	expect_distrust(SHARE_OPENED, e);
}

static void opens_in_the_guards_head(void **state)
{
	struct spsc_entry e = opened();

	e.offset -= 1;
	expect_distrust(SHARE_OPENED, e);
}

static void opens_beyond_the_memory(void **state)
{
	struct spsc_entry e = opened();

	e.offset = UINT32_MAX - 5;
	expect_distrust(SHARE_OPENED, e);
}

static void opens_of_no_peer(void **state)
{
	struct spsc_entry e = opened();

	e.peer = 0;
	expect_distrust(SHARE_OPENED, e);
}

static void opens_of_a_peer_beyond_all(void **state)
{
	struct spsc_entry e = opened();

	e.peer = GATE_LINKS + 1;
	expect_distrust(SHARE_OPENED, e);
}

/* It hands a chunk back, and leaves its place in the queue as if it had not begun with it. */
static void hands_back_what_it_says_to_have_left(void **state)
{
	struct gate_verdict v;
	struct loan_counts n;
	struct frame f;

	pair();
	for (unsigned i = 0; i < 3;
	     i++) { /* three times the same chunk; the third it really leaves */
		struct spsc_entry e;

		f = receive("x");
		e = (struct spsc_entry){.offset = (uint32_t)f.handle, .len = 1, .peer = PEER};
		assert_int_equal(loan_seal(loan, &f, &verdict), 0);
		loan_flush(loan);
		assert_false(fake.free[0]);
		if (i < 2)
			spsc_put(&link_side.q[SHARE_SEALED], &e);
		spsc_publish(&link_side.q[SHARE_SEALED]);
		loan_flush(loan);
		assert_int_equal(fake.free[0], i < 2);
	}
	loan_end(loan);
	assert_true(loan_left(loan, &f, &v));
	assert_int_equal(v.link, PEER);
	fake_drop(&fake.base, &f);
	assert_false(loan_left(loan, &f, &v));
	loan_counts(loan, &n);
	assert_int_equal(n.lost, 0);
	assert_int_equal(free_chunks(), CHUNKS);
}

static void memory_can_neither_shrink_nor_lie(void **state)
{
	struct share_queues q;
	uint32_t chunks;
	uint8_t *at;
	int fd = share_make_memory(CHUNKS);

	assert_int_equal(ftruncate(fd, SHARE_CHUNK), -1);
	assert_int_equal(share_map_queues(fd, &q), -EBADMSG);
	close(fd);
	fd = memfd_create("plain", 0); /* not sealed */
	assert_int_equal(ftruncate(fd, CHUNKS * SHARE_CHUNK), 0);
	assert_int_equal(share_map_memory(fd, &at, &chunks), -EBADMSG);
	close(fd);
	fd = share_make_memory(SHARE_INBOX);
	assert_int_equal(share_map_memory(fd, &at, &chunks), -EBADMSG);
	close(fd);
}

/* --- segmentation ------------------------------------------------------------------ */

static uint16_t tcp_sum(const uint8_t *f, size_t len)
{
	const uint8_t *ip = f + 14;

	return sum_fold(
		sum_add(sum_add(0, ip + 12, 8) + (6 << 8) + __builtin_bswap16((uint16_t)(len - 34)),
			f + 34, len - 34));
}

static void a_large_frame_is_cut_into_packets(void **state)
{
	struct frame_tcp t = {.src = 4000, .dst = 2575, .seq = 0xfffffff0, .flags = 0x18 | 0x81};
	struct bytes f = frame_ipv4_tcp(0x0a000001, 0x0a000002, &t, 1000);
	uint8_t *big = (uint8_t *)(uintptr_t)f.data, out[600], payload[1000];
	struct segment s;
	size_t got = 0;
	int len;

	for (unsigned i = 0; i < 1000; i++)
		big[54 + i] = (uint8_t)(i * 7);
	assert_true(segment_begin(&s, f, 400));
	for (unsigned n = 0; (len = segment_next(&s, out, sizeof(out))) > 0; n++) {
		assert_int_equal(len, 54 + (n < 2 ? 400 : 200));
		assert_int_equal(out[16] << 8 | out[17], len - 14);
		assert_int_equal(sum_fold(sum_add(0, out + 14, 20)), 0xffff);
		assert_int_equal(tcp_sum(out, (size_t)len), 0xffff);
		assert_int_equal((uint32_t)out[38] << 24 | out[39] << 16 | out[40] << 8 | out[41],
				 0xfffffff0 + 400 * n);
		assert_int_equal(out[47] & 0x80, n == 0 ? 0x80 : 0); /* CWR */
		assert_int_equal(out[47] & 0x09, n == 2 ? 0x09 : 0); /* PSH, FIN */
		memcpy(payload + got, out + 54, (size_t)len - 54);
		got += (size_t)len - 54;
	}
	assert_int_equal(len, 0);
	assert_int_equal(got, 1000);
	assert_memory_equal(payload, f.data + 54, 1000);
	assert_true(segment_begin(&s, f, 900));
	assert_int_equal(segment_next(&s, out, sizeof(out)), -EMSGSIZE);
	assert_false(segment_begin(&s, f, 0));
	/* Whatever is cut off, nothing is read behind it. */
	for (size_t n = 0; n < f.len; n++) {
		struct bytes cut = unit_exact(f.data, n);

		if (segment_begin(&s, cut, 400))
			while (segment_next(&s, out, sizeof(out)) > 0)
				;
		free((void *)(uintptr_t)cut.data);
	}
	free(big);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_go_and_come_where_they_lie),
		T(without_a_link_nothing_is_lent),
		T(a_dead_link_leaves_what_it_had_not_begun),
		T(what_nobody_asks_for_is_free_again),
		T(a_full_queue_refuses),
		T(too_long_is_said),
		T(hands_back_what_it_was_not_lent),
		T(hands_back_what_is_not_there),
		T(hands_back_twice),
		T(hands_back_what_it_says_to_have_left),
		T(opens_in_anothers_chunk),
		T(opens_beyond_the_chunk),
		T(opens_in_the_guards_head),
		T(opens_beyond_the_memory),
		T(opens_of_no_peer),
		T(opens_of_a_peer_beyond_all),
		T(memory_can_neither_shrink_nor_lie),
		cmocka_unit_test(a_large_frame_is_cut_into_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
