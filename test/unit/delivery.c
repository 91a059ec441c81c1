/*
 * However a sender delivers its bytes, a message that must not arrive never arrives whole, and what is
 * allowed all does. A sender that may do anything (segments of any size, in any order, with other
 * content, stale, broken or dying behind the gateway, ends that nobody hears), the engine inline, and
 * a receiver that takes bytes as the kernels of the world do: the first copy, or the last.
 *
 * usage: unit-delivery [SEED [COUNT]]
 */
#include "delivery_kit.h"

static unsigned long first_seed = 1, how_many = 150;

static void make_plan(struct plan *p, const struct kind *k, bool honest)
{
	memset(p, 0, sizeof(*p));
	p->kind = k;
	p->honest = honest;
	p->count = 1 + roll(MESSAGES);
	for (unsigned i = 0; i < p->count; i++) {
		p->at[i] = p->len;
		p->bad[i] = !honest && (i + 1 == p->count || rarely(20));
		append(p, p->bad[i] ? k->bad : k->good, k->good);
	}
}

/* Has the receiver whole messages, and nothing beyond? */
static bool is_between(const struct sender *t)
{
	const struct receiver *r = &t->r;
	uint32_t done = r->next - t->first;
	bool between = done == t->plan->len;

	for (unsigned i = 0; i < t->plan->count; i++)
		between |= done == t->plan->at[i];
	return between &&
	       !memchr(r->have + (r->next - r->first), true, STREAM_MAX - (r->next - r->first));
}

/* The guard crashes, and another begins with nothing. */
static void crash(struct sender *t, bool open)
{
	wire_close(t->w);
	wire_open(t->w, open);
	engine_begin_alone(t->w->engine);
}

/* One segment, of the sender's choice. */
static void deliver(struct sender *t)
{
	const struct plan *p = t->plan;
	uint32_t done = t->r.next - t->first, left = (uint32_t)p->len - done;
	uint32_t from = done + (rarely(60) ? 0 : roll(left + 1));
	uint32_t back = rarely(20) ? roll(20) : 0;
	uint32_t most = rarely(30) ? 3 : rarely(50) ? 40 : 1400, n;
	uint8_t data[1460];
	struct segment s = {.flags = TCP_ACK, .ack = t->server, .stamped = t->stamps};
	bool lost = rarely(15);

	from -= back < from ? back : from;
	n = 1 + roll(most);
	n = n < p->len - from ? n : (uint32_t)p->len - from;
	memcpy(data, p->real + from, n);
	t->stamp += roll(3);
	s.stamp = t->stamp;
	s.seq = t->first + from;
	s.data = (struct bytes){data, n};
	if (!p->honest) {
		if (rarely(40))
			memcpy(data, p->decoy + from, n);
		if (rarely(3) && n) {
			data[roll(n)] ^= (uint8_t)(1 + roll(255));
			lost = true; /* it would be another message */
		}
		s.bad_sum = rarely(5);
		if (rarely(5))
			s.stamp -= 500 + roll(600);
		if (rarely(3))
			s.stamp += 5000;
		if (rarely(3))
			s.seq += WINDOW + roll(100000);
		if (rarely(3))
			s.flags |= TCP_FIN;
		if (rarely(3))
			s.flags = (uint8_t)roll(64);
		if (rarely(2)) {
			s.flags = TCP_RST | (rarely(50) ? TCP_ACK : 0);
			lost |= s.seq == t->r.next;
		}
		if (rarely(3)) {
			s.flags |= TCP_URG;
			s.urgent = (uint16_t)roll(n + 40);
		}
		if (rarely(3))
			s.data.len = 0;
		if (rarely(3))
			s.ack += roll(3000);
		lost |= (s.flags & TCP_FIN) != 0; /* a receiver that has it takes nothing more */
		if (rarely(1)) {
			t->w->now_ns += 15 * 1000 * MILLISECOND;
			t->jumped = true;
		}
	}
	bool passed = send(t->w, p->kind, &s), asked = t->w->asked;
	if (asked)
		confirm(t);
	t->w->asked = false;
	if (t->r.challenged) {
		t->r.challenged = false;
		confirm(t);
	}
	if (!passed) {
		if (p->honest && !asked)
			fail_msg("%s: an honest segment did not pass\n%s", p->kind->name,
				 t->w->said);
		return;
	}
	if (!lost)
		take(&t->r, &s);
	if (rarely(60))
		confirm(t);
}

static void run(struct wire *w, unsigned long seed, bool open)
{
	struct sender t = {.w = w};
	struct plan p;

	dice = seed * 0x9e3779b97f4a7c15ull + 1;
	make_plan(&p, &kinds[roll(KINDS)], rarely(30));
	t.plan = &p;
	w->said[0] = 0;
	w->cut = false;
	wire_open(w, open);
	w->receiver = &t.r;
	greet(&t);
	t.r.last_wins = rarely(50);
	for (unsigned i = 0; i < 400 && t.r.next - t.first < p.len && !t.r.reset; i++) {
		if (rarely(1) && !w->cut && is_between(&t))
			crash(&t, open);
		deliver(&t);
	}
	assert_false(p.honest && t.r.reset);
	if (p.honest && t.r.next - t.first < p.len) {
		struct segment s = {
			.flags = TCP_ACK, .ack = t.server, .stamped = t.stamps, .stamp = t.stamp};

		for (uint32_t at = t.r.next - t.first; at < p.len; at += 100) {
			s.seq = t.first + at;
			s.data = (struct bytes){p.real + at, p.len - at < 100 ? p.len - at : 100};
			if (!send(w, p.kind, &s)) {
				assert_true(w->asked);
				confirm(&t);
				assert_true(send(w, p.kind, &s));
			}
			w->asked = false;
			take(&t.r, &s);
		}
	}
	if (p.honest && t.r.next - t.first < p.len)
		fail_msg("seed %lu, %s: what is allowed did not arrive", seed, p.kind->name);
	if (w->cut && !t.r.reset && !t.jumped)
		fail_msg("seed %lu, %s: the receiver was not reset", seed, p.kind->name);
	if (!p.honest && arrived(&p, &t.r, t.first))
		fail_msg("seed %lu, %s, fail: %s: a forbidden message arrived whole", seed,
			 p.kind->name, open ? "open" : "closed");
	wire_close(w);
}

static void however_it_is_delivered(void **state)
{
	struct wire *w = wire_new("enforce");

	run(w, 2721, true); /* a message that an end breaks off, and that dies on its way */
	for (unsigned long i = 0; i < how_many; i++)
		run(w, first_seed + i, (first_seed + i) & 1);
	wire_free(w);
}

/* More is under way than is kept of an end, and some of it is lost behind us: it goes on all the same. */
static void a_long_way_stops_nobody(void **state)
{
	const uint32_t window = WINDOW << 7;
	struct bytes m = kinds[0].good;
	struct wire *w = wire_new("enforce");

	for (unsigned i = 0; i < 2; i++) {
		const uint32_t total = 20000 * (uint32_t)m.len;
		struct segment s = {.seq = 999, .flags = TCP_SYN, .scaled = true};
		uint32_t next = 0, acked = 0, most = 0;
		uint8_t *all = malloc(total);

		assert_non_null(all);
		for (uint32_t at = 0; at < total; at += (uint32_t)m.len)
			memcpy(all + at, m.data, m.len);
		wire_open(w, i);
		send(w, &kinds[0], &s);
		send(w, &kinds[0],
		     &(struct segment){.end = 1,
				       .seq = 4999,
				       .ack = 1000,
				       .scaled = true,
				       .flags = TCP_SYN | TCP_ACK});
		s = (struct segment){.seq = 1000, .ack = 5000, .flags = TCP_ACK};
		send(w, &kinds[0], &s);
		for (unsigned turn = 0; acked < total; turn++) {
			/* The first of a window is lost, the rest arrives; then that comes once more. */
			for (next = acked; next < total && next - acked < window;
			     next += s.data.len) {
				s.seq = 1000 + next;
				s.data = (struct bytes){all + next,
							total - next < 1400 ? total - next : 1400};
				if (!send(w, &kinds[0], &s) && next > acked)
					break;
			}
			most = next - acked > most ? next - acked : most;
			s.seq = 1000 + acked;
			s.data = (struct bytes){all + acked,
						total - acked < 1400 ? total - acked : 1400};
			if (!send(w, &kinds[0], &s) || turn > 1000)
				fail_msg("fail: %s: no repetition passes after %u bytes\n%s",
					 i ? "open" : "closed", most, w->said);
			acked = next;
			send(w, &kinds[0],
			     &(struct segment){
				     .end = 1, .seq = 5000, .ack = 1000 + acked, .flags = TCP_ACK});
		}
		assert_true(most > 1000000);
		assert_null(strstr(w->said, "hl7.framing"));
		free(all);
		wire_close(w);
	}
	wire_free(w);
}

/* Every other piece is lost, and said again; the first of those overtakes the last that were not lost. */
static void a_bad_network_stops_nobody(void **state)
{
	const uint32_t holes = 60, piece = 5;
	struct wire *w = wire_new("enforce");

	for (unsigned n = 0, i = 0; n < 4; i = next_case(++n, 4)) {
		struct plan p = {.kind = &kinds[0], .honest = true};
		struct sender t = {.w = w, .plan = &p};

		while (p.len < (size_t)2 * holes * piece)
			append(&p, p.kind->good, p.kind->good);
		turn(w, i);
		dice = i + 1;
		greet(&t);
		t.stamps = true;
		for (uint32_t at = piece; at < 2 * holes * piece; at += 2 * piece)
			if (!give(&t, t.first + at, TCP_ACK, p.real + at, piece, false))
				fail_msg("what is behind hole %u does not pass", at / piece / 2);
		for (uint32_t at = 0; at < p.len; at += 2 * piece) {
			size_t left = p.len - at;

			t.stamp = at ? 2000 : 3000;
			if (!give(&t, t.first + at, TCP_ACK, p.real + at,
				  left < piece ? left : piece, true))
				fail_msg("what was long on its way does not pass\n%s", w->said);
		}
		for (uint32_t at = 0; at < p.len; at += 50) {
			t.stamp = 4000;
			assert_true(give(&t, t.first + at, TCP_ACK, p.real + at,
					 p.len - at < 50 ? p.len - at : 50, false));
		}
		assert_int_equal(t.r.next - t.first, p.len);
		assert_null(strstr(w->said, "stream."));
	}
	wire_close(w);
	wire_free(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_network_stops_nobody),
		cmocka_unit_test(a_long_way_stops_nobody),
		cmocka_unit_test(however_it_is_delivered),
	};

	first_seed = argc > 1 ? strtoul(argv[1], NULL, 10) : first_seed;
	how_many = argc > 2 ? strtoul(argv[2], NULL, 10) : how_many;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
