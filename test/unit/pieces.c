/* Datagrams in pieces, on a wire that loses some of them: what their receiver can make of those. */
#include "delivery_kit.h"

#include "guard/evidence.h"

static const uint8_t ask[48] = "\x9c\x40\0\xa1\0\x30\0\0"
			       "\x30\x26\2\1\0\4\6public\xa0\x19\2\1\1\2\1\0\2\1\0"
			       "\x30\x0e\x30\x0c\6\x08\x2b\6\1\2\1\1\5\0\5\0";

/* What a receiver has of datagrams in two pieces that it did not get whole. */
struct puzzle {
	struct capture capture;
	unsigned count, passed, sent;
	uint8_t *frames[4]; /* good until they are settled */
	struct {
		uint16_t id;
		uint8_t place; /* 0: the first piece, 1: the second */
		uint8_t data[64];
	} piece[8];
};

/* One that dies on its way, or is for another machine, is not for the receiver to see. */
static void collect(struct capture *c, const struct frame *f, uint32_t out)
{
	struct puzzle *z = (struct puzzle *)c;
	struct packet p;

	assert_true(packet_decode(f->data, LINK_ETHERNET, 0, f->wire_len, &p));
	assert_true(p.fragment && !(p.anomalies & 1ull << ANOMALY_IPV4_BAD_CHECKSUM));
	z->passed++;
	if (p.ttl == 1 || p.dst_mac[5] != 5 || p.vlan_count || z->count == 8)
		return;
	z->piece[z->count].id = (uint16_t)p.fragment_id;
	z->piece[z->count].place = p.fragment_offset != 0;
	memcpy(z->piece[z->count++].data, p.fragment_body.data, p.fragment_body.len);
}

static const struct capture_ops puzzle_ops = {
	.forward = collect, .drop = no_drop, .inject = inject};

/* `way`: 0 it arrives, else how it does not. */
static void put_piece(struct wire *w, struct puzzle *z, const uint8_t *datagram, size_t from,
		      size_t len, unsigned way)
{
	struct frame_ip ip = {.src = DEVICE,
			      .dst = SERVER,
			      .proto = PROTO_UDP,
			      .id = 7,
			      .fragment = from ? (uint16_t)(from / 8) : 0x2000,
			      .ttl = way == 1 ? 1 : 64};
	struct frame f = {.time_ns = w->now_ns += MILLISECOND, .ifindex = 1};
	uint8_t *bytes;

	f.data = frame_ipv4(&ip, datagram + from, len);
	bytes = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(bytes, way == 2 ? "\2\0\0\0\0\6\2\0\0\0\0\1" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &z->capture, &f, 1);
	z->frames[z->sent++] = bytes;
}

/*
 * Two datagrams of one identification, that may both pass: a question, and something for another
 * port. Of either the receiver gets one piece; put together they were an order.
 */
static void pieces_of_two_do_not_mix(void **state)
{
	struct wire *w = wire_new("enforce");

	for (unsigned i = 0; i < 6; i++) {
		struct puzzle z = {.capture = {&puzzle_ops}};
		uint8_t other[48];
		unsigned way = i / 2 % 3;

		memcpy(other, ask, sizeof(other));
		other[2] = 4000 >> 8;
		other[3] = 4000 & 0xff;
		other[21] = 0xa3; /* a set-request */
		wire_open(w, i & 1);
		put_piece(w, &z, ask, 0, 16, 0);
		put_piece(w, &z, ask, 16, 32, way);
		if (way == 0)
			z.count = 1; /* the second was lost */
		put_piece(w, &z, other, 0, 16, way);
		put_piece(w, &z, other, 16, 32, 0);
		for (unsigned a = 0; a < z.count; a++)
			for (unsigned b = 0; b < z.count; b++)
				if (z.piece[a].place == 0 && z.piece[b].place == 1 &&
				    z.piece[a].id == z.piece[b].id && z.piece[a].data[3] == 161 &&
				    z.piece[b].data[5] == 0xa3)
					fail_msg("case %u: a forbidden datagram arrived whole", i);
		if (way == 0)
			assert_int_equal(z.passed, 4);
		engine_finish(w->engine, &z.capture);
		engine_free(w->engine);
		while (z.sent)
			free(z.frames[--z.sent]);
	}
	wire_free(w);
}

/* Whose mode is not `enforce`: a piece is on its way before another comes, and its memory another's. */
static void pass_a_piece(struct wire *w, struct puzzle *z, const uint8_t *datagram, unsigned piece)
{
	unsigned before = z->passed;

	put_piece(w, z, datagram, piece ? 16 : 0, piece ? 32 : 16, 0);
	assert_int_equal(z->passed, before + 1);
	free(z->frames[--z->sent]);
	z->frames[z->sent] = NULL;
}

static void pieces_are_not_held_back_in(const char *mode)
{
	struct wire *w = wire_new(mode);

	for (unsigned i = 0; i < 8; i++) {
		struct puzzle z = {.capture = {&puzzle_ops}};
		struct engine_stats stats;
		uint8_t set[48];

		memcpy(set, ask, sizeof(set));
		set[21] = i & 2 ? 0xa3 : 0xa0;
		w->said[0] = 0;
		wire_open(w, i & 1);
		pass_a_piece(w, &z, set, i & 4 ? 1 : 0);
		assert_null(strstr(w->said, "pdu_type"));
		pass_a_piece(w, &z, set, i & 4 ? 0 : 1);
		assert_non_null(strstr(w->said, "\"pdu_type\""));
		assert_true(!strstr(w->said, "\"would\":\"drop\"") == !(i & 2));
		engine_stats(w->engine, &stats);
		assert_int_equal(stats.fragments_reassembled, 1);
		assert_int_equal(stats.would_drop, i & 2 ? 1 : 0);
		assert_int_equal(stats.dropped + stats.held, 0);
		/* What lacks a piece, and what contradicts itself, is told of and not sent again. */
		pass_a_piece(w, &z, set, 0);
		w->now_ns += 6000 * MILLISECOND;
		engine_tick(w->engine, &z.capture, w->now_ns);
		assert_non_null(strstr(w->said, "fragment.never_completed"));
		pass_a_piece(w, &z, set, 0);
		set[12] ^= 1;
		pass_a_piece(w, &z, set, 0);
		pass_a_piece(w, &z, set, 1);
		assert_non_null(strstr(w->said, "fragment.overlap"));
		engine_finish(w->engine, &z.capture);
		engine_free(w->engine);
		assert_int_equal(z.passed, 6);
	}
	wire_free(w);
}

static void pieces_are_held_back_in_enforce_alone(void **state)
{
	pieces_are_not_held_back_in("simulate");
	pieces_are_not_held_back_in("observe");
}

/* More datagrams than there are identifications that nobody waits for: they come again when there are. */
static void identifications_run_out_in_enforce_alone(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct wire *w = wire_new(i ? "enforce" : "simulate");
		struct puzzle z = {.capture = {&puzzle_ops}};

		wire_open(w, i);
		for (unsigned n = 0; n < 2 * 13108; n++, w->now_ns -= MILLISECOND) {
			w->said[0] = 0;
			put_piece(w, &z, ask, n & 1 ? 16 : 0, n & 1 ? 32 : 16, 0);
			for (; n & 1 && z.sent;)
				free(z.frames[--z.sent]);
			if (n & 1 && n < 2 * 13107)
				assert_int_equal(z.passed, n + 1);
		}
		assert_int_equal(z.passed, 2 * (i ? 13107 : 13108));
		assert_true(!strstr(w->said, "floor.fragment") == !i);
		w->now_ns += 15000 * MILLISECOND;
		put_piece(w, &z, ask, 0, 16, 0);
		put_piece(w, &z, ask, 16, 32, 0);
		assert_int_equal(z.passed, 2 * (i ? 13108 : 13109));
		engine_finish(w->engine, &z.capture);
		engine_free(w->engine);
		while (z.sent)
			free(z.frames[--z.sent]);
		wire_free(w);
	}
}

/* Of its pieces nothing can be left out that is offered with it. */
static void a_beginning_in_pieces_does_not_pass(void **state)
{
	static const uint8_t syn[32] = {0x9c, 0x40, 2575 >> 8, 2575 & 0xff, 0, 0,    3,
					0xe7, 0,    0,	       0,	    0, 0x80, TCP_SYN};

	for (unsigned i = 0; i < 4; i++) {
		struct wire *w = wire_new(i < 2 ? "enforce" : "observe");
		struct frame_ip ip = {.src = DEVICE, .dst = SERVER, .proto = PROTO_TCP, .id = 7};
		uint8_t *frames[2];

		wire_open(w, i & 1);
		w->passed = 0;
		for (unsigned from = 0; from < sizeof(syn); from += 24) {
			struct frame f = {.time_ns = w->now_ns += MILLISECOND, .ifindex = 1};

			ip.fragment = from ? (uint16_t)(from / 8) : 0x2000;
			f.data = frame_ipv4(&ip, syn + from, from ? sizeof(syn) - from : 24);
			f.wire_len = (uint32_t)f.data.len;
			memcpy((void *)(uintptr_t)f.data.data, "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
			frames[from / 24] = (void *)(uintptr_t)f.data.data;
			engine_burst(w->engine, &w->capture, &f, 1);
		}
		assert_int_equal(w->passed, i < 2 ? 0 : 2);
		wire_close(w);
		free(frames[0]);
		free(frames[1]);
		wire_free(w);
	}
}

/* The next `count` frames that are kept are pieces of a dropped datagram; what their case is called. */
static uint64_t take_pieces(struct wire *w, unsigned count, enum reason why)
{
	struct bytes all = evidence_waiting(w->evidence, 32768), frame;
	size_t len = all.len;
	struct evidence_record r;
	struct packet p;

	while (count--) {
		assert_true(evidence_next(&all, &r, &frame));
		assert_true(packet_decode(frame, LINK_ETHERNET, r.time_ns, r.wire_len, &p));
		assert_true(p.fragment && frame.len == r.wire_len);
		assert_int_equal(r.fate, EVIDENCE_DROPPED);
		assert_int_equal(r.reason, why);
	}
	assert_int_equal(all.len, 0);
	evidence_sent(w->evidence, len);
	return r.id;
}

/* As they came, one by one, whether there is a datagram in them or none. */
static void pieces_leave_evidence(void **state)
{
	static const struct evidence_options kept = {NULL, 0, 65536, 65536};
	struct wire *w = wire_new("enforce");
	struct puzzle z = {.capture = {&puzzle_ops}};
	uint8_t set[48];
	char id[40];

	w->evidence = evidence_new(&kept);
	assert_non_null(w->evidence);
	memcpy(set, ask, sizeof(set));
	set[21] = 0xa3;
	wire_open(w, 0);
	put_piece(w, &z, set, 0, 16, 0);
	put_piece(w, &z, set, 16, 32, 0);
	take_pieces(w, 2, REASON_POLICY_CONTROL);
	w->said[0] = 0;
	put_piece(w, &z, ask, 0, 16, 0);
	set[12] ^= 1;
	put_piece(w, &z, set, 0, 16, 0);
	assert_non_null(strstr(w->said, "fragment.overlap"));
	snprintf(id, sizeof(id), "\"flow_id\":%llu,",
		 (unsigned long long)take_pieces(w, 2, REASON_FLOOR_FRAGMENT));
	assert_non_null(strstr(w->said, id));
	assert_int_equal(z.passed, 0);
	engine_finish(w->engine, &z.capture);
	engine_free(w->engine);
	while (z.sent)
		free(z.frames[--z.sent]);
	evidence_free(w->evidence);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_beginning_in_pieces_does_not_pass),
		cmocka_unit_test(pieces_are_held_back_in_enforce_alone),
		cmocka_unit_test(pieces_of_two_do_not_mix),
		cmocka_unit_test(pieces_leave_evidence),
		cmocka_unit_test(identifications_run_out_in_enforce_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
