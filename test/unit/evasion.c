/* Tricks that are known by a name, each with all protocols: what is forbidden never arrives whole. */
#include "delivery_kit.h"

/* An end that nobody hears, or a long silence, in the middle of a message: the rest of it is no
 * conversation that began before us. */
static void rest_of_it(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = a->i & 4 ? 0 : (uint32_t)a->k->bad.len / 2;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	confirm(t);
	if (!(a->i & 2))
		give(t, t->first + half, TCP_ACK | TCP_RST, NULL, 0, true);
	a->w->now_ns += (a->i & 2 ? 3700000 : 15000) * MILLISECOND;
	engine_tick(a->w->engine, &a->w->capture, a->w->now_ns);
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_rest_is_not_read_anew(void **state)
{
	attack_all(8, rest_of_it);
}

/* Ends and beginnings whose sums are wrong, which their receiver throws away, in the middle of a message. */
static void end_spoilt(struct attack *a)
{
	static const uint8_t flags[][2] = {{TCP_RST},
					   {TCP_ACK | TCP_RST, TCP_SYN},
					   {TCP_ACK | TCP_FIN},
					   {TCP_ACK | TCP_FIN, TCP_SYN},
					   {TCP_SYN, TCP_ACK | TCP_RST},
					   {TCP_SYN | TCP_ACK}};
	struct sender *t = &a->t;
	uint32_t half = 1 + roll((unsigned)a->k->bad.len - 1);
	unsigned way = a->i / 4 % 6;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	confirm(t);
	for (unsigned n = 0; n < 2 && flags[way][n]; n++) {
		bool syn = flags[way][n] & TCP_SYN; /* from which the rest is what begins */
		struct segment s = {.seq = t->first + half - (syn ? 1 : 0),
				    .ack = t->server,
				    .flags = flags[way][n],
				    .stamped = t->stamps,
				    .stamp = t->stamp,
				    .bad_sum = true};

		if (send(a->w, a->k, &s))
			take(&t->r, &s);
	}
	if (a->i & 2) {
		a->w->now_ns += 15000 * MILLISECOND;
		engine_tick(a->w->engine, &a->w->capture, a->w->now_ns);
	}
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_spoilt_end_hides_nothing(void **state)
{
	attack_all(24, end_spoilt);
}

/* What an end shows of where it begins: a SYN or more of other numbers, that die on their way or not. */
static void begin_falsely(struct attack *a)
{
	static const int32_t away[] = {-40000, -4000, 4000, 40000};
	struct sender *t = &a->t;
	const struct kind *k = a->k;
	uint32_t first = 0x70000000u, false_first = first + (uint32_t)away[a->i / 16 % 4];
	size_t with = a->i & 4 ? 1 : 0;

	t->first = first;
	t->server = 5000;
	t->r = (struct receiver){.first = first, .next = first, .said = 5000};
	if (k->greeting.len || k->first.len)
		return;
	if (a->i & 2)
		give(t, false_first - 1, TCP_SYN, k->good.data, with, true);
	give(t, first - 1, TCP_SYN, NULL, 0, true);
	if (!(a->i & 2))
		give(t, false_first - 1, TCP_SYN, k->good.data, with, true);
	send(a->w, k,
	     &(struct segment){.end = 1, .seq = 4999, .ack = first, .flags = TCP_SYN | TCP_ACK});
	if (a->i & 8)
		give(t, false_first, TCP_ACK, NULL, 0, true);
	else
		give(t, first, TCP_ACK, NULL, 0, false);
	give(t, first, TCP_ACK, k->bad.data, k->bad.len, false);
}

static void a_false_beginning_hides_nothing(void **state)
{
	attack_all(64, begin_falsely);
}

/* An allowed request that has whatever follows for its content, and a forbidden one that has. */
#define SWALLOWS(path, len) \
	"POST /" path "/1 HTTP/1.1\r\nHost: lis\r\nContent-Length: " len "\r\n\r\n"
static const struct bytes shell = TEXT(SWALLOWS("results", "63"));
static const struct bytes bad_shell = TEXT(SWALLOWS("resultz", "63"));
/* An answer to a greeting and the head of a message, the rest of which is the same answer and a message. */
static const struct bytes answer = TEXT("\x20\2\0\0");
static const struct bytes head = TEXT("\x20\2\0\0\x30\x22\0\6ward/a");

/*
 * Its sender has shown two numbers to begin with, and only one of them is its receiver's: what is said
 * from the one on is allowed, and from the other on it is not.
 */
enum two {
	AGAIN,
	FIRST_WITH,
	THEN_WITH,
	SAID_BEFORE,
	OFFERED,
	OFFERED_TWICE,
	AFTER_END,
	TAKEN_WITH,
	TWO_WAYS
};

static void begin_twice(struct attack *a)
{
	enum two way = a->i / 2 % TWO_WAYS;
	struct sender *t = &a->t;
	const struct kind *k = a->k;
	uint32_t early = 0x70000000u - (uint32_t)shell.len, taken = 0x70000000u;
	uint8_t both[512];

	if (strcmp(k->name, "http"))
		return;
	assert_int_equal(k->bad.len, 63);
	t->first = 0x70000000u;
	t->server = 5000;
	t->r = (struct receiver){.first = t->first, .next = t->first, .said = 5000};
	memcpy(both, shell.data, shell.len);
	memcpy(both + shell.len, k->bad.data, k->bad.len);
	switch (way) {
	case AGAIN:
		give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		give(t, early - 1, TCP_SYN, NULL, 0, true);
		break;
	case FIRST_WITH:
		give(t, early - 1, TCP_SYN, shell.data, shell.len, true);
		give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		break;
	case THEN_WITH:
		give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		give(t, early - 1, TCP_SYN, shell.data, shell.len, true);
		break;
	case TAKEN_WITH:
		if (give(t, early - 1, TCP_SYN, bad_shell.data, bad_shell.len, true))
			taken = early;
		give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		break;
	case AFTER_END: /* it is read, and its end is taken for none; two beginnings, of which one is */
		give(t, early - 1, TCP_SYN, NULL, 0, true);
		send(t->w, k,
		     &(struct segment){
			     .end = 1, .seq = 1999, .ack = early, .flags = TCP_SYN | TCP_ACK});
		t->server = 2000;
		give(t, early, TCP_ACK, shell.data, shell.len, true);
		send(t->w, k,
		     &(struct segment){.end = 1, .seq = 2000, .ack = t->first, .flags = TCP_ACK});
		give(t, t->first, TCP_RST | TCP_ACK, NULL, 0, true);
		t->server = 5000;
		give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		give(t, t->first + 4000, TCP_SYN, NULL, 0, true);
		break;
	default:
		give(t, early - 1, TCP_SYN, NULL, 0, true);
		give(t, early, TCP_ACK, shell.data, shell.len, true);
		if (way != SAID_BEFORE)
			give(t, t->first - 1, TCP_SYN, NULL, 0, true);
		if (way == OFFERED_TWICE)
			give(t, t->first + 4000, TCP_SYN, NULL, 0, true);
	}
	send(t->w, k,
	     &(struct segment){
		     .end = 1, .seq = t->server - 1, .ack = t->first, .flags = TCP_SYN | TCP_ACK});
	give(t, t->first, TCP_ACK, NULL, 0, false);
	if (way == AGAIN)
		give(t, early, TCP_ACK, both, shell.len + k->bad.len, false);
	else if (way != TAKEN_WITH)
		give(t, t->first, TCP_ACK, k->bad.data, k->bad.len, false);
	else if (give(t, t->first, TCP_ACK, k->good.data, k->good.len, false) && taken == early)
		fail_msg("way %u: a message whose beginning came with a SYN arrived whole", way);
}

/* The same of the one who answers. */
static void answer_twice(struct attack *a)
{
	enum two way = a->i / 2 % TWO_WAYS;
	struct sender *t = &a->t;
	struct bytes hello = a->k->first;
	uint32_t early = 0x70000000u - (uint32_t)head.len;
	struct segment s = {.end = 1, .ack = 1000};
	uint8_t both[512];

	if (strcmp(a->k->name, "mqtt") || (way > SAID_BEFORE))
		return;
	t->first = 0x70000000u;
	t->r = (struct receiver){.first = t->first, .next = t->first, .said = 1000};
	a->p.len = 0;
	append(&a->p, answer, answer);
	a->p.at[0] = a->p.len;
	append(&a->p, a->k->bad, a->k->good);
	memcpy(both, head.data, head.len);
	memcpy(both + head.len, a->p.real, a->p.len);
	assert_true(send(a->w, a->k, &(struct segment){.seq = 999, .flags = TCP_SYN}));

	s.flags = TCP_SYN | TCP_ACK;
	s.seq = (way == THEN_WITH ? t->first : early) - 1;
	if (way == FIRST_WITH)
		s.data = head;
	send(a->w, a->k, &s);
	if (way == SAID_BEFORE) {
		s = (struct segment){.end = 1, .seq = early, .ack = 1000, .flags = TCP_ACK};
		s.data = head;
		send(a->w, a->k, &s);
	}
	s = (struct segment){.end = 1, .ack = 1000, .flags = TCP_SYN | TCP_ACK};
	s.seq = (way == THEN_WITH ? early : t->first) - 1;
	if (way == THEN_WITH)
		s.data = head;
	send(a->w, a->k, &s);
	send(a->w, a->k, &(struct segment){.seq = 1000, .ack = t->first, .flags = TCP_ACK});
	s = (struct segment){.seq = 1000, .ack = t->first, .flags = TCP_ACK, .data = hello};
	if (!send(a->w, a->k, &s))
		return;
	s = (struct segment){.end = 1, .ack = 1000 + (uint32_t)hello.len, .flags = TCP_ACK};
	s.seq = way == AGAIN ? early : t->first;
	s.data = way == AGAIN ? (struct bytes){both, head.len + a->p.len}
			      : (struct bytes){a->p.real, a->p.len};
	t->r.said = s.ack;
	if (send(a->w, a->k, &s))
		take(&t->r, &s);
}

static void a_second_number_hides_nothing(void **state)
{
	attack_all(2 * TWO_WAYS, begin_twice);
	attack_all(2 * TWO_WAYS, answer_twice);
}

/* What was begun before us, and what is shown of it first: the second half, or what came long ago. */
static void be_picked_up(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2;

	t->first = 0x70000000u;
	t->server = 5000;
	t->r = (struct receiver){.first = t->first, .next = t->first, .said = 5000};
	if (a->i & 2) { /* what came long ago, and does not count */
		give(t, t->first - 500, TCP_ACK, a->k->good.data, 7, false);
		if (a->i & 4)
			confirm(t);
		give(t, t->first, TCP_ACK, a->k->bad.data, a->k->bad.len, false);
	} else {
		give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half,
		     false);
		if (a->i & 4)
			confirm(t);
		give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
		if (a->i & 8)
			give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	}
}

static void a_pick_up_hides_nothing(void **state)
{
	attack_all(16, be_picked_up);
}

/* Picked up between two messages, as its receiver confirms; `data` is the first thing to be said. */
static struct segment pick_up(struct wire *w, const struct kind *k, struct receiver *r, bool open,
			      struct bytes data)
{
	struct segment s = {.seq = 0x70000000, .ack = 5000, .flags = TCP_ACK, .data = data};

	wire_open(w, open);
	*r = (struct receiver){.first = s.seq, .next = s.seq, .said = 5000};
	w->receiver = r;
	w->said[0] = 0;
	assert_false(send(w, k, &s));
	send(w, k, &(struct segment){.end = 1, .seq = 5000, .ack = s.seq, .flags = TCP_ACK});
	w->now_ns += 200 * MILLISECOND;
	return s;
}

/* The guard dies amid an order, of which the device's class lets nothing pass that nobody has read. */
static void die_amid(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t len = (uint32_t)a->k->bad.len, half = 1 + roll(len - 1);

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	half = t->r.next - t->first;
	wire_close(a->w);
	wire_open(a->w, false);
	engine_begin_alone(a->w->engine);
	for (unsigned again = 0; again < 3; again++) {
		give(t, t->first + half, TCP_ACK, a->k->bad.data + half, len - half, false);
		a->w->now_ns += 200 * MILLISECOND;
	}
}

static void what_a_guard_died_amid_does_not_arrive(void **state)
{
	attack_all(16, die_amid);
}

/* The rest of a line that began before us, and in the same segment a message. */
static void what_is_behind_a_rest_is_read(void **state)
{
	static const char *const names[] = {"hl7", "http", "ftp", "sip", "syslog", "poct1a"};
	static const char *const rests[] = {"remains of a line\r\n", "a\r\nb\r\n", "\x1c\r",
					    "\r\r\n"};
	struct wire *w = wire_new("enforce");
	struct receiver r;

	for (unsigned i = 0; i < KINDS * 16; i++) {
		const struct kind *k = &kinds[i / 16];
		const struct bytes *m = i & 2 ? &k->good : &k->bad;
		const char *rest = rests[i / 4 % 4];
		uint8_t data[512];
		struct segment s;
		bool found = false, passed;

		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			found |= strcmp(names[n], k->name) == 0;
		if (!found)
			continue;
		memcpy(data, rest, strlen(rest));
		memcpy(data + strlen(rest), m->data, m->len);
		s = pick_up(w, k, &r, i & 1, (struct bytes){data, strlen(rest) + m->len});
		passed = send(w, k, &s);
		if (passed != (m == &k->good))
			fail_msg("%s, case %u: what is %s does%s pass\n%s", k->name, i % 16,
				 passed ? "forbidden" : "allowed", passed ? "" : " not", w->said);
		wire_close(w);
	}
	wire_free(w);
}

/* The rest of a frame, and amid the same segment another one, or its first half. */
static void what_is_amid_a_segment_is_read(void **state)
{
	static const char *const names[] = {"mqtt", "modbus", "dicom", "dns"};
	struct wire *w = wire_new("enforce");
	struct receiver r;

	dice = 7;
	for (unsigned i = 0; i < KINDS * 64; i++) {
		const struct kind *k = &kinds[i / 64];
		const struct bytes *m = i & 2 ? &k->good : &k->bad;
		size_t rest = 1 + roll(600), half = i & 4 ? m->len / 2 : 0;
		uint8_t data[2048];
		struct segment s;
		bool found = false, passed;

		for (unsigned n = 0; n < sizeof(names) / sizeof(names[0]); n++)
			found |= strcmp(names[n], k->name) == 0;
		if (!found)
			continue;
		for (size_t n = 0; n < rest; n++)
			data[n] = (uint8_t)roll(256);
		memcpy(data + rest, m->data, m->len);
		s = pick_up(w, k, &r, i & 1, (struct bytes){data, rest + m->len - half});
		passed = send(w, k, &s);
		if (half) {
			if (!passed && m == &k->good)
				fail_msg("%s, case %u: a half does not pass\n%s", k->name, i % 64,
					 w->said);
			s.seq += (uint32_t)s.data.len;
			s.data = (struct bytes){data + rest + m->len - half, half};
			passed = send(w, k, &s);
		}
		if (passed != (m == &k->good))
			fail_msg("%s, case %u: what is %s does%s pass\n%s", k->name, i % 64,
				 passed ? "forbidden" : "allowed", passed ? "" : " not", w->said);
		wire_close(w);
	}
	wire_free(w);
}

/* Picked up, it looks like the beginning of another protocol, which does not go on so. */
static void what_is_mistaken_is_read_again(void **state)
{
	static const struct bytes rests[] = {
		TEXT("\x16\3\1\0\x40\1\0\0\x3c\3\3 and so on"),
		TEXT("RFB 003.008\n"),
		TEXT("\0\0\0\x55\xfeSMB@\0"),
		TEXT("<34>1 2026-01-01T00:00:00Z a\n"),
		TEXT("\3\0\0\x13\x0e\xe0\0\0"),
		TEXT("\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0"),
	};
	struct wire *w = wire_new("enforce");
	struct receiver r;

	for (unsigned i = 0; i < KINDS * 12; i++) {
		const struct kind *k = &kinds[i / 12];
		const struct bytes *rest = &rests[i % 12 / 2];
		struct segment s = pick_up(w, k, &r, i & 1, *rest);

		if (send(w, k, &s)) {
			s.seq += (uint32_t)rest->len;
			s.data = (struct bytes){(const uint8_t *)"not at all\r\n", 12};
			if (send(w, k, &s)) {
				s.seq += 12;
				s.data = k->bad;
				if (send(w, k, &s))
					fail_msg("%s, case %u: it passes\n%s", k->name, i % 12,
						 w->said);
			}
		}
		wire_close(w);
	}
	wire_free(w);
}

/* Picked up, and what is shown of it first begins with bytes that its receiver has. */
static void begin_early(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t early = a->i & 2 ? 1 : 7;
	uint8_t data[1460] = "sevenths";

	t->first = 0x70000000u;
	t->server = 5000;
	t->r = (struct receiver){.first = t->first, .next = t->first, .said = 5000};
	memcpy(data + early, a->k->bad.data, a->k->bad.len);
	for (unsigned again = 0; again < 3; again++)
		give(t, t->first - early, TCP_ACK, data, a->k->bad.len + early, false);
}

static void an_early_beginning_hides_nothing(void **state)
{
	attack_all(4, begin_early);
}

/* An end ahead of what went on, and died behind us: to some receivers that is the message's end, too. */
static void end_early(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t most = (uint32_t)a->k->bad.len - 2;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, most, false);
	give(t, t->first + most + (a->i & 2 ? 1 : 0), TCP_ACK, a->k->good.data, 1, true);
	confirm(t);
	if (give(t, t->first + most, TCP_ACK | TCP_FIN, NULL, 0, false))
		fail_msg("%s, case %u: an end amid what went on passed", a->k->name, a->i);
}

static void an_early_end_hides_nothing(void **state)
{
	attack_all(4, end_early);
}

/* Its server has said its last; then an end, and a beginning, that nobody hears. */
static void begin_half_closed(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2, end;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	send(a->w, a->k,
	     &(struct segment){.end = 1,
			       .seq = t->server,
			       .ack = t->r.next,
			       .stamped = t->stamps,
			       .stamp = 1,
			       .flags = TCP_FIN | TCP_ACK});
	t->server = t->r.said = t->server + 1;
	end = t->first + half - (a->i & 2 ? 2 : 0);
	give(t, end, TCP_ACK | TCP_FIN, NULL, 0, true);
	give(t, t->first + half + 70000000, TCP_SYN, NULL, 0, true);
	give(t, t->first + half - 1, TCP_ACK, NULL, 0, false);
	confirm(t);
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_half_closed_one_hides_nothing(void **state)
{
	attack_all(4, begin_half_closed);
}

/* Its server has said its last, and it goes on, minutes later. */
static void a_half_closed_one_goes_on(void **state)
{
	struct wire *w = wire_new("enforce");

	for (unsigned n = 0, i = 0; n < 2 * KINDS; i = next_case(++n, 2 * KINDS)) {
		const struct kind *k = &kinds[i / 2];
		struct plan p = {.kind = k, .count = 1};
		struct sender t = {.w = w, .plan = &p};

		dice = i + 1;
		turn(w, i);
		w->receiver = &t.r;
		greet(&t);
		say(&t, 1, (struct bytes){NULL, 0}, TCP_FIN | TCP_ACK);
		t.server++;
		say(&t, 0, (struct bytes){NULL, 0}, TCP_ACK);
		for (unsigned minutes = 0; minutes < 5; minutes++) {
			w->now_ns += 60000 * MILLISECOND;
			engine_tick(w->engine, &w->capture, w->now_ns);
		}
		if (!give(&t, t.first, TCP_ACK, k->good.data, k->good.len, false))
			fail_msg("%s, case %u: what is allowed does not pass", k->name, i);
	}
	wire_close(w);
	wire_free(w);
}

/* Conversations without number, in the middle of a message: its own is not the one that is forgotten. */
static void flood_away(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	confirm(t);
	a->w->now_ns += 1200000 * MILLISECOND;
	for (unsigned f = 0; f < 200; f++) {
		struct segment s = {.seq = f, .flags = TCP_SYN};

		a->w->from = (uint16_t)(1024 + f);
		send(a->w, a->k, &s);
	}
	a->w->from = (uint16_t)(20000 + a->i);
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_flood_hides_nothing(void **state)
{
	attack_all(2, flood_away);
}

/* So many conversations, all amid a message, that one of them has to go. */
static void evict_all(struct attack *a)
{
	uint32_t half = (uint32_t)a->k->bad.len / 2;
	uint16_t port = a->w->from;
	struct sender t = {.w = a->w, .plan = &a->p}, *mine = &a->t;

	greet(mine);
	give(mine, mine->first, TCP_ACK, a->k->bad.data, half, false);
	confirm(mine);
	for (unsigned f = 0; f < 200; f++) {
		a->w->from = (uint16_t)(1024 + 256 * (a->i % 64) + f);
		greet(&t);
		give(&t, t.first, TCP_ACK, a->k->bad.data, half, false);
	}
	a->w->from = port;
	a->w->receiver = &mine->r;
	a->w->cut = false;
	if (give(mine, mine->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half,
		 false) ||
	    !a->w->cut)
		fail_msg("%s, case %u: the rest of what was evicted passed", a->k->name, a->i);
}

static void a_full_table_hides_nothing(void **state)
{
	attack_all(2, evict_all);
}

/* A silence between messages, and then one behind a byte that came already. */
static void be_silent(struct attack *a)
{
	struct sender *t = &a->t;
	uint8_t data[1460] = {'x'};

	memcpy(data + 1, a->k->bad.data, a->k->bad.len);
	greet(t);
	confirm(t);
	for (unsigned hours = 0; hours < (a->i & 2 ? 20 : 1); hours++) {
		a->w->now_ns += 3700000 * MILLISECOND;
		engine_tick(a->w->engine, &a->w->capture, a->w->now_ns);
	}
	give(t, t->first - 1, TCP_ACK, data, a->k->bad.len + 1, false);
}

static void a_silence_hides_nothing(void **state)
{
	attack_all(4, be_silent);
}

/* More holes than are kept apart. */
static void dig_holes(struct attack *a)
{
	struct sender *t = &a->t;
	struct plan *p = &a->p;

	p->len = 0;
	append(p, a->k->good, a->k->good);
	append(p, a->k->good, a->k->good);
	p->at[0] = p->len;
	append(p, a->k->bad, a->k->good);
	greet(t);
	for (uint32_t at = 1; at < p->len; at += 2)
		give(t, t->first + at, TCP_ACK, p->real + at, 1, false);
	for (uint32_t at = 0; at < p->len; at += 2) {
		give(t, t->first + at, TCP_ACK, p->real + at, 1, false);
		if (a->i & 2)
			confirm(t);
	}
	for (uint32_t at = 0; a->i & 2 && at < p->len; at++)
		give(t, t->first + at, TCP_ACK, p->real + at, 1, false);
}

static void many_holes_hide_nothing(void **state)
{
	attack_all(4, dig_holes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rest_is_not_read_anew),
		cmocka_unit_test(a_spoilt_end_hides_nothing),
		cmocka_unit_test(a_false_beginning_hides_nothing),
		cmocka_unit_test(a_second_number_hides_nothing),
		cmocka_unit_test(a_pick_up_hides_nothing),
		cmocka_unit_test(what_a_guard_died_amid_does_not_arrive),
		cmocka_unit_test(what_is_behind_a_rest_is_read),
		cmocka_unit_test(what_is_amid_a_segment_is_read),
		cmocka_unit_test(what_is_mistaken_is_read_again),
		cmocka_unit_test(an_early_beginning_hides_nothing),
		cmocka_unit_test(an_early_end_hides_nothing),
		cmocka_unit_test(a_half_closed_one_hides_nothing),
		cmocka_unit_test(a_half_closed_one_goes_on),
		cmocka_unit_test(a_flood_hides_nothing),
		cmocka_unit_test(a_full_table_hides_nothing),
		cmocka_unit_test(a_silence_hides_nothing),
		cmocka_unit_test(many_holes_hide_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
