/* Streams: whatever the order and the cut, what is read is what was said first. */
#include "guard/flow/stream.h"

#include <errno.h>

#include "guard/flow/tcp.h"
#include "unit.h"

#define POOL (1u << 20)

/* Where packets lie that have a place. */
static struct {
	uint8_t bytes[1 << 20];
	size_t len;
	unsigned reads;
	bool is, gone;
} file;

static int reread(void *arg, uint64_t place, uint8_t *buf, size_t len)
{
	file.reads++;
	if (file.gone)
		return -ENODATA;
	assert_true(place && place - 1 + len <= file.len);
	memcpy(buf, file.bytes + place - 1, len);
	return 0;
}

struct wire {
	struct flow flow;
	struct stream stream;
	struct stream_pool pool;
	struct packet p;
	uint8_t *payload;
	uint32_t gap;
};

static void send_raw(struct wire *w, unsigned end, uint32_t seq, uint32_t ack, uint8_t flags)
{
	memset(&w->p, 0, sizeof(w->p));
	w->p.ip_version = 4;
	w->p.proto = PROTO_TCP;
	w->p.tcp_seq = seq;
	w->p.tcp_ack = ack;
	w->p.tcp_flags = flags;
	w->p.tcp_window = 65535;
	w->flow.packets[end]++;
}

static void open_wire(struct wire *w, uint32_t a, uint32_t b)
{
	memset(w, 0, sizeof(*w));
	stream_pool_init(&w->pool, POOL, 262144);
	w->pool.reread = reread;
	file.len = file.reads = 0;
	send_raw(w, 0, a - 1, 0, TCP_SYN);
	tcp_track(&w->flow, &w->p, 0);
	send_raw(w, 1, b - 1, a, TCP_SYN | TCP_ACK);
	tcp_track(&w->flow, &w->p, 1);
	send_raw(w, 0, a, b, TCP_ACK);
	tcp_track(&w->flow, &w->p, 0);
	stream_init(&w->stream, &w->flow);
}

static void close_wire(struct wire *w)
{
	stream_free(&w->stream, &w->pool);
	assert_int_equal(w->pool.used, 0);
	free(w->payload);
	w->payload = NULL;
}

static void put_in_file(struct packet *p)
{
	assert_true(file.len + p->payload.len <= sizeof(file.bytes));
	p->frame = p->payload;
	p->place = file.len + 1;
	memcpy(file.bytes + file.len, p->payload.data, p->payload.len);
	file.len += p->payload.len;
}

/* A segment, its payload in a block of its exact size. */
static enum stream_said say(struct wire *w, unsigned end, uint32_t seq, uint32_t ack,
			    const void *data, size_t len, uint8_t flags)
{
	free(w->payload);
	send_raw(w, end, seq, ack, TCP_ACK | flags);
	w->payload = (uint8_t *)(uintptr_t)unit_exact(data, len).data;
	w->p.payload = (struct bytes){w->payload, len};
	w->p.payload_wire = (uint32_t)len;
	if (file.is)
		put_in_file(&w->p);
	tcp_track(&w->flow, &w->p, end);
	w->gap = stream_confirm(&w->stream, &w->pool, &w->p, end);
	return stream_take(&w->stream, &w->pool, &w->flow, &w->p, end);
}

/* Reads all that is ready into `into`; at most `most` bytes are used up. */
static size_t drain(struct wire *w, unsigned end, void *into, size_t most)
{
	struct bytes ready = stream_ready(&w->stream, &w->p, end);
	size_t n = ready.len < most ? ready.len : most;

	if (n)
		memcpy(into, ready.data, n);
	assert_int_equal(stream_done(&w->stream, &w->pool, &w->p, end, n, false), 0);
	return n;
}

static void in_order(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	assert_int_equal(say(&w, 0, 1000, 5000, "hello ", 6, 0), STREAM_TAKEN);
	assert_int_equal(drain(&w, 0, got, 64), 6);
	assert_int_equal(say(&w, 0, 1006, 5000, "world", 5, 0), STREAM_TAKEN);
	assert_int_equal(drain(&w, 0, got + 6, 64), 5);
	assert_memory_equal(got, "hello world", 11);
	assert_true(w.pool.used > 0); /* kept until it is confirmed */
	assert_int_equal(say(&w, 1, 5000, 1011, "", 0, 0), STREAM_REPEATED);
	assert_int_equal(w.pool.used, 0);
	close_wire(&w);
}

static void unread_bytes_come_again(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "abcd", 4, 0);
	assert_int_equal(drain(&w, 0, got, 1), 1);
	say(&w, 1, 5000, 1004, "", 0, 0); /* confirmed, but not read */
	say(&w, 0, 1004, 5000, "ef", 2, 0);
	assert_int_equal(drain(&w, 0, got + 1, 64), 5);
	assert_memory_equal(got, "abcdef", 6);
	close_wire(&w);
}

static void ahead_waits_for_the_hole(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, UINT32_MAX - 3, 5000); /* numbers wrap */
	assert_int_equal(say(&w, 0, 2, 5000, "gh", 2, 0), STREAM_TAKEN);
	assert_int_equal(drain(&w, 0, got, 64), 0);
	assert_int_equal(say(&w, 0, 4, 5000, "ij", 2, 0), STREAM_TAKEN);
	assert_int_equal(drain(&w, 0, got, 64), 0);
	assert_int_equal(say(&w, 0, UINT32_MAX - 3, 5000, "abcdef", 6, 0), STREAM_TAKEN);
	assert_int_equal(drain(&w, 0, got, 64), 10);
	assert_memory_equal(got, "abcdefghij", 10);
	close_wire(&w);
}

static void first_copy_wins(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "ORU^R01", 7, 0);
	drain(&w, 0, got, 64);
	assert_int_equal(say(&w, 0, 1000, 5000, "ORU^R01", 7, 0), STREAM_REPEATED);
	assert_int_equal(say(&w, 0, 1000, 5000, "ORM^O01", 7, 0), STREAM_CONFLICT);
	assert_int_equal(drain(&w, 0, got, 64), 0);
	assert_int_equal(say(&w, 0, 1004, 5000, "X01|more", 8, 0), STREAM_CONFLICT);
	assert_int_equal(drain(&w, 0, got, 64), 5);
	assert_memory_equal(got, "|more", 5);
	close_wire(&w);
}

static void ahead_wins_over_later_overlap(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1004, 5000, "good", 4, 0);
	drain(&w, 0, got, 64);
	assert_int_equal(say(&w, 0, 1000, 5000, "all evil", 8, 0), STREAM_CONFLICT);
	assert_int_equal(drain(&w, 0, got, 64), 8);
	assert_memory_equal(got, "all good", 8);
	close_wire(&w);
}

static void confirmed_bytes_may_differ(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "abcd", 4, 0);
	drain(&w, 0, got, 64);
	say(&w, 1, 5000, 1004, "", 0, 0);
	assert_int_equal(say(&w, 0, 1003, 5000, "?", 1, 0), STREAM_REPEATED); /* keep-alive */
	close_wire(&w);
}

static void outside_is_not_taken(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	assert_int_equal(say(&w, 0, 1000 + 200000, 5000, "x", 1, 0), STREAM_OUTSIDE);
	assert_int_equal(say(&w, 0, 1000, 5000, "end", 3, TCP_FIN), STREAM_TAKEN);
	drain(&w, 0, got, 64);
	assert_true(stream_ended(&w.stream, 0));
	assert_int_equal(say(&w, 0, 1003, 5000, "more", 4, 0), STREAM_OUTSIDE);
	close_wire(&w);
}

/* RFC 7323 §5: what is older than the last in order is a stray. */
static void stale_is_not_taken(void **state)
{
	static const uint8_t at_9[] = {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0};
	static const uint8_t at_5[] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 0};
	struct wire w;

	open_wire(&w, 1000, 5000);
	send_raw(&w, 0, 1000, 5000, TCP_ACK);
	w.p.payload = (struct bytes){(const uint8_t *)"ab", 2};
	w.p.tcp_options = (struct bytes){at_9, sizeof(at_9)};
	assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0), STREAM_TAKEN);
	stream_done(&w.stream, &w.pool, &w.p, 0, 2, false);
	w.p.tcp_options = (struct bytes){at_5, sizeof(at_5)};
	/* A copy that was long on its way says nothing new, and its stamp is not the last. */
	assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0), STREAM_REPEATED);
	w.p.tcp_flags |= TCP_FIN;
	assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0), STREAM_OUTSIDE);
	w.p.tcp_flags = TCP_ACK;
	w.p.payload.data = (const uint8_t *)"xb";
	assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0), STREAM_OUTSIDE);
	w.p.tcp_seq = 1002;
	assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0), STREAM_OUTSIDE);
	close_wire(&w);
}

static void lost_bytes_are_a_gap(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "ab", 2, 0);
	assert_int_equal(drain(&w, 0, got, 1), 1);
	say(&w, 0, 1010, 5000, "xyz", 3, 0);
	assert_int_equal(drain(&w, 0, got, 0), 0);
	say(&w, 1, 5000, 1013, "", 0, 0); /* the receiver has all of it */
	assert_int_equal(w.gap, 8);
	assert_int_equal(drain(&w, 0, got, 64), 3);
	assert_memory_equal(got, "xyz", 3);
	assert_int_equal(w.pool.used, 0);
	/* Nothing of the hole was kept, so nothing there can differ. */
	assert_int_equal(say(&w, 0, 1002, 5000, "12345678", 8, 0), STREAM_REPEATED);
	close_wire(&w);
}

/* Only one direction comes by here. */
static void without_confirmations_it_reads_on(void **state)
{
	static char part[1000], got[1000];
	struct wire w;
	uint32_t gap = 0, i;

	memset(&w, 0, sizeof(w));
	stream_pool_init(&w.pool, POOL, 262144);
	send_raw(&w, 0, 999, 0, TCP_SYN);
	tcp_track(&w.flow, &w.p, 0);
	stream_init(&w.stream, &w.flow);
	for (i = 0; i < 100; i++) {
		assert_int_equal(say(&w, 0, 1000 + 1000 * i, 5000, part, 1000, 0), STREAM_TAKEN);
		assert_int_equal(drain(&w, 0, got, 1000), 1000);
	}
	assert_true(w.pool.used <= 65536);
	for (i = 101; i < 120 && !gap; i++) { /* one was lost on the way to us */
		assert_int_equal(say(&w, 0, 1000 + 1000 * i, 5000, part, 1000, 0), STREAM_UNPROVEN);
		assert_int_equal(drain(&w, 0, got, 0), 0);
		gap = stream_presume(&w.stream, &w.pool, &w.flow, &w.p, 0, false);
	}
	assert_int_equal(gap, 1000);
	assert_true(stream_ready(&w.stream, &w.p, 0).len >= 8000);
	close_wire(&w);
}

/* Of 5 GiB, heard or not, the last bytes are compared as the first: numbers come by where they began. */
static void numbers_go_round(void **state)
{
	static const uint8_t many[60000];
	const uint64_t all = 5ull << 30;

	for (unsigned heard = 0; heard < 2; heard++) {
		struct wire w;
		char got[8];
		uint32_t at = 1000;

		open_wire(&w, at, 5000);
		if (!heard) {
			memset(&w.flow, 0, sizeof(w.flow));
			send_raw(&w, 0, at - 1, 0, TCP_SYN);
			w.flow.packets[1] = 0;
			tcp_track(&w.flow, &w.p, 0);
			stream_init(&w.stream, &w.flow);
		}
		stream_wait(&w.stream);
		for (uint64_t n = 0; n < all; n += sizeof(many), at += sizeof(many)) {
			send_raw(&w, 0, at, 5000, TCP_ACK);
			w.p.payload = (struct bytes){many, sizeof(many)};
			w.p.payload_wire = sizeof(many);
			tcp_track(&w.flow, &w.p, 0);
			assert_int_equal(stream_take(&w.stream, &w.pool, &w.flow, &w.p, 0),
					 STREAM_TAKEN);
			assert_int_equal(stream_ready(&w.stream, &w.p, 0).len, sizeof(many));
			stream_done(&w.stream, &w.pool, &w.p, 0, sizeof(many), true);
			if (heard)
				say(&w, 1, 5000, at + (uint32_t)sizeof(many), "", 0, 0);
			if (n % (sizeof(many) * 4000))
				continue;
			at += sizeof(many);
			assert_int_equal(say(&w, 0, at, 5000, "abcd", 4, 0), STREAM_TAKEN);
			at -= sizeof(many) - 4;
			assert_int_equal(drain(&w, 0, got, 4), 4);
			assert_int_equal(say(&w, 0, at - 4 + sizeof(many), 5000, "abce", 4, 0),
					 STREAM_CONFLICT);
			if (heard)
				say(&w, 1, 5000, at + (uint32_t)sizeof(many), "", 0, 0);
		}
		close_wire(&w);
	}
}

static void blind_bytes_are_not_kept(void **state)
{
	struct wire w;

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "pixels", 6, 0);
	assert_int_equal(stream_done(&w.stream, &w.pool, &w.p, 0, 6, true), 0);
	assert_int_equal(w.pool.used, 0);
	assert_int_equal(say(&w, 0, 1000, 5000, "PIXELS", 6, 0), STREAM_REPEATED);
	close_wire(&w);
}

static void without_memory_nothing_is_unsafe(void **state)
{
	struct wire w;
	char got[64];

	open_wire(&w, 1000, 5000);
	w.pool.max = 0;
	say(&w, 0, 1000, 5000, "read", 4, 0);
	assert_int_equal(drain(&w, 0, got, 64), 4);
	assert_int_equal(say(&w, 0, 1000, 5000, "evil", 4, 0), STREAM_UNVERIFIED);
	assert_int_equal(say(&w, 0, 1010, 5000, "ahead", 5, 0), STREAM_FULL);
	say(&w, 0, 1004, 5000, "half", 4, 0);
	assert_int_equal(stream_done(&w.stream, &w.pool, &w.p, 0, 2, false), -ENOBUFS);
	say(&w, 1, 5000, 1008, "", 0, 0);
	assert_int_equal(say(&w, 0, 1000, 5000, "evil", 4, 0), STREAM_REPEATED);
	close_wire(&w);
}

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Any order, any cut, repetitions, now and then a lie: the reader gets what was said first. */
static void any_order_reads_the_same(void **state)
{
	static uint8_t all[20000], got[20000];

	for (uint32_t seed = 1; seed <= 400; seed++) {
		uint32_t x = seed * 2654435761u, isn = next_random(&x), read = 0, sent = 0;
		uint8_t lie[600];
		struct wire w;

		open_wire(&w, isn, 77);
		for (unsigned i = 0; i < sizeof(all); i++)
			all[i] = (uint8_t)next_random(&x);
		while (read < sizeof(all)) {
			uint32_t back = next_random(&x) % 3000, at, len;
			bool lies = false;
			enum stream_said said;

			at = read > 500 ? read - 500 : 0;
			at += back;
			len = 1 + next_random(&x) % 600;
			if (next_random(&x) % 3 == 0)
				at = read;
			if (at >= sizeof(all))
				continue;
			if (len > sizeof(all) - at)
				len = (uint32_t)sizeof(all) - at;
			memcpy(lie, all + at, len);
			/* A lie about what is in order and unconfirmed, or confirmed. */
			if (at + len <= read && next_random(&x) % 2) {
				lie[0] ^= 1;
				lies = true;
			}
			said = say(&w, 0, isn + at, 77, lie, len, 0);
			if (lies)
				assert_true(said == STREAM_CONFLICT || at < sent);
			else
				assert_true(said != STREAM_CONFLICT);
			read += (uint32_t)drain(&w, 0, got + read, next_random(&x) % 2000);
			if (next_random(&x) % 4 == 0 && read > sent) {
				sent += next_random(&x) % (read - sent + 1);
				say(&w, 1, 77, isn + sent, "", 0, 0);
				assert_int_equal(w.gap, 0);
			}
		}
		assert_memory_equal(got, all, sizeof(all));
		close_wire(&w);
	}
}

/* And each of them is read once more at most, however often it comes again. */
static void places_take_little(void **state)
{
	char part[1000] = {0}, got[1000];
	struct wire w;

	open_wire(&w, 1000, 5000);
	for (uint32_t i = 0; i < 60; i++) {
		part[0] = (char)i;
		assert_int_equal(say(&w, 0, 1000 + 1000 * i, 5000, part, 1000, 0), STREAM_TAKEN);
		assert_int_equal(drain(&w, 0, got, 1000), 1000);
	}
	assert_true(w.pool.used <= 1024);
	say(&w, 1, 5000, 41000, "", 0, 0);
	for (unsigned n = 0; n < 400; n++) {
		part[0] = 59;
		assert_int_equal(say(&w, 0, 60000, 5000, part, 1000, 0), STREAM_REPEATED);
		part[0] = 58;
		assert_int_equal(say(&w, 0, 60000, 5000, part, 1000, 0), STREAM_CONFLICT);
	}
	assert_in_range(file.reads, 1, 60);
	say(&w, 1, 5000, 61000, "", 0, 0);
	assert_int_equal(w.pool.used, 0);
	close_wire(&w);
}

/* More than there are places for, and half a message at the end: all of it is there. */
static void places_become_bytes(void **state)
{
	struct wire w;
	char got[8];

	open_wire(&w, 1000, 5000);
	for (uint32_t i = 0; i < 300; i++) {
		say(&w, 0, 1000 + i, 5000, &(char){(char)i}, 1, 0);
		assert_int_equal(drain(&w, 0, got, 1), 1);
	}
	say(&w, 0, 1300, 5000, "half", 4, 0);
	assert_int_equal(drain(&w, 0, got, 1), 1);
	assert_int_equal(say(&w, 0, 1000, 5000, "\1", 1, 0), STREAM_CONFLICT);
	assert_int_equal(say(&w, 0, 1255, 5000, "\377\0\1", 3, 0), STREAM_REPEATED);
	say(&w, 0, 1304, 5000, "more", 4, 0);
	assert_int_equal(drain(&w, 0, got, 8), 7);
	assert_memory_equal(got, "alfmore", 7);
	close_wire(&w);
}

static void a_place_that_is_gone_is_unverified(void **state)
{
	struct wire w;
	char got[8];

	open_wire(&w, 1000, 5000);
	say(&w, 0, 1000, 5000, "read", 4, 0);
	assert_int_equal(drain(&w, 0, got, 8), 4);
	file.gone = true;
	assert_int_equal(say(&w, 0, 1000, 5000, "read", 4, 0), STREAM_UNVERIFIED);
	file.gone = false;
	close_wire(&w);
}

/* Of several files, and of what policies are learned from, none is read once more. */
static void without_a_way_back_bytes_are_copied(void **state)
{
	struct wire w;
	char got[8];

	open_wire(&w, 1000, 5000);
	w.pool.reread = NULL;
	say(&w, 0, 1000, 5000, "read", 4, 0);
	assert_int_equal(drain(&w, 0, got, 8), 4);
	say(&w, 0, 1004, 5000, "half", 4, 0);
	assert_int_equal(drain(&w, 0, got, 1), 1);
	assert_int_equal(say(&w, 0, 1000, 5000, "lead", 4, 0), STREAM_CONFLICT);
	assert_int_equal(drain(&w, 0, got, 8), 3);
	assert_memory_equal(got, "alf", 3);
	close_wire(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(unread_bytes_come_again),
		cmocka_unit_test(ahead_waits_for_the_hole),
		cmocka_unit_test(first_copy_wins),
		cmocka_unit_test(ahead_wins_over_later_overlap),
		cmocka_unit_test(confirmed_bytes_may_differ),
		cmocka_unit_test(outside_is_not_taken),
		cmocka_unit_test(stale_is_not_taken),
		cmocka_unit_test(lost_bytes_are_a_gap),
		cmocka_unit_test(without_confirmations_it_reads_on),
		cmocka_unit_test(numbers_go_round),
		cmocka_unit_test(blind_bytes_are_not_kept),
		cmocka_unit_test(without_memory_nothing_is_unsafe),
		cmocka_unit_test(any_order_reads_the_same),
	};

	const struct CMUnitTest placed[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(unread_bytes_come_again),
		cmocka_unit_test(ahead_waits_for_the_hole),
		cmocka_unit_test(first_copy_wins),
		cmocka_unit_test(ahead_wins_over_later_overlap),
		cmocka_unit_test(confirmed_bytes_may_differ),
		cmocka_unit_test(lost_bytes_are_a_gap),
		cmocka_unit_test(without_confirmations_it_reads_on),
		cmocka_unit_test(blind_bytes_are_not_kept),
		cmocka_unit_test(without_memory_nothing_is_unsafe),
		cmocka_unit_test(any_order_reads_the_same),
		cmocka_unit_test(places_take_little),
		cmocka_unit_test(places_become_bytes),
		cmocka_unit_test(a_place_that_is_gone_is_unverified),
		cmocka_unit_test(without_a_way_back_bytes_are_copied),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	file.is = true;
	return failed + cmocka_run_group_tests(placed, NULL, NULL);
}
