/* What a link's process leaves to its successor: keys that go on, numbers that never serve twice. */
#include "link_pair.h"

static struct estate *estate; /* of b; exactly its size */

static unsigned sessions(const struct estate *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		n += e->sessions[i].whole == ESTATE_WHOLE;
	return n;
}

static struct session *used(struct estate *e)
{
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		if (e->sessions[i].used)
			return &e->sessions[i];
	fail_msg("no session is in use");
	return NULL;
}

static void begin_estate(void)
{
	estate = calloc(1, links_estate_size());
	kit_open(&a, FROM, (struct links_options){0});
	kit_open(&b, TO, (struct links_options){0});
	assert_int_equal(links_estate(b.links, estate), 0);
	kit_wire_open(&wire, &a, &b);
	kit_believe(&a, key[0], certificate[0], trust);
	kit_believe(&b, key[1], certificate[1], trust);
	kit_peer(&a, TO, &wire.at[0]);
	kit_peer(&b, FROM, NULL);
	assert_int_equal(links_estate(b.links, estate), -EBUSY);
	KIT_UNTIL(&a, &b, &wire, 5000, both_up());
	assert_true(both_up());
	KIT_UNTIL(&a, &b, &wire, 300, false); /* sizes are found */
}

static void end_estate(void)
{
	kit_close(&a);
	kit_close(&b);
	kit_wire_close(&wire);
	assert_int_equal(sessions(estate), 0); /* who ends in order leaves nothing */
	free(estate);
}

static void send_small(struct kit_end *e, uint8_t n)
{
	uint8_t data[200];
	struct link_frame f = {.data = data, .len = sizeof(data), .channel = n};

	memset(data, n, sizeof(data));
	assert_int_equal(link_send(e->peer, &f, 1), 1);
	links_flush(e->links);
}

/* b ends without a word, in the middle of it; its socket and what lies in memory stay. */
static int kill_b(void)
{
	struct estate *left = malloc(sizeof(*left));
	struct sockaddr_storage at = b.at;
	int fd = dup(b.links->wire.fd);

	memcpy(left, estate, sizeof(*left));
	links_socket(b.links, -1); /* so that no farewell is heard */
	kit_close(&b);
	memcpy(estate, left, sizeof(*left));
	free(left);
	b.at = at;
	return fd;
}

/* The next one, on the same socket. It knows no certificate yet. */
static void start_b(int fd)
{
	struct sockaddr_storage at = b.at;

	kit_open(&b, TO, (struct links_options){0});
	b.at = at;
	assert_int_equal(links_estate(b.links, estate), 0);
	kit_peer(&b, FROM, NULL);
	assert_int_equal(links_socket(b.links, fd), 0);
}

static void nothing_is_lost_with_a_process(void **state)
{
	struct link_status s;
	uint64_t seq;
	int fd;

	begin_estate();
	for (uint8_t n = 0; n < 50; n++) {
		send_small(&a, n);
		send_small(&b, n);
	}
	KIT_UNTIL(&a, &b, &wire, 2000, a.frames == 50 && b.frames == 50);
	fd = kill_b();
	seq = used(estate)->seq;
	/* What comes while nobody is there waits in the socket. */
	for (uint8_t n = 0; n < 100; n++) {
		send_small(&a, n);
		kit_wire_turn(&wire);
	}
	start_b(fd);
	assert_true(link_is_up(b.peer));
	KIT_UNTIL(&a, &b, &wire, 2000, b.frames == 100);
	assert_int_equal(b.frames, 100);
	for (uint8_t n = 0; n < 100; n++)
		assert_int_equal(b.channel[n], n);
	assert_true(used(estate)->seq >= seq);
	for (uint8_t n = 0; n < 20; n++)
		send_small(&b, n);
	KIT_UNTIL(&a, &b, &wire, 2000, a.frames == 70);
	assert_int_equal(a.frames, 70);
	assert_int_equal(counts_of(&a).replayed + counts_of(&a).forged, 0);
	assert_int_equal(counts_of(&b).replayed + counts_of(&b).forged, 0);
	assert_int_equal(a.told[LINK_DOWN], 0);
	link_status(b.peer, &s);
	assert_string_equal(s.subject, FROM);
	assert_non_null(strstr(s.cipher, "GCM"));
	/* Once it has a certificate the keys are replaced. */
	kit_believe(&b, key[1], certificate[1], trust);
	KIT_UNTIL(&a, &b, &wire, 5000, a.told[LINK_RENEWED] && b.told[LINK_RENEWED]);
	assert_true(a.told[LINK_RENEWED] && b.told[LINK_RENEWED]);
	assert_int_equal(a.told[LINK_DOWN] + b.told[LINK_DOWN], 0);
	end_estate();
}

/* Again and again, both ways at once: no number serves twice, so nothing is taken for a replay. */
static void it_dies_again_and_again(void **state)
{
	unsigned sent = 0, got = 0;

	begin_estate();
	for (unsigned life = 0; life < 20; life++) {
		for (unsigned i = 0; i < 7; i++, sent++) {
			send_small(&a, (uint8_t)sent);
			send_small(&b, (uint8_t)sent);
		}
		KIT_UNTIL(&a, &b, &wire, 2000, got + b.frames == sent && a.frames == sent);
		got += b.frames;
		assert_int_equal(got, sent);
		start_b(kill_b());
	}
	assert_int_equal(a.frames, sent);
	assert_int_equal(counts_of(&a).replayed + counts_of(&a).forged, 0);
	end_estate();
}

static uint8_t recorded[2048];
static size_t recorded_len;

static bool record(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	if (from == 0 && *len < sizeof(recorded)) {
		memcpy(recorded, data, *len);
		recorded_len = *len;
	}
	return true;
}

static void what_the_predecessor_heard_is_a_replay(void **state)
{
	int fd;

	begin_estate();
	wire.pass = record;
	send_small(&a, 1);
	KIT_UNTIL(&a, &b, &wire, 2000, b.frames);
	wire.pass = NULL;
	fd = kill_b();
	start_b(fd);
	kit_send(&wire, 1, recorded, recorded_len);
	KIT_UNTIL(&a, &b, &wire, 2000, counts_of(&b).replayed);
	assert_int_equal(counts_of(&b).replayed, 1);
	assert_int_equal(b.frames, 0);
	end_estate();
}

static void of_a_peer_that_was_down_nothing_is_left(void **state)
{
	int fd;

	begin_estate();
	links_free(a.links); /* says that it goes */
	a.links = NULL;
	KIT_UNTIL(NULL, &b, &wire, 2000, !link_is_up(b.peer));
	assert_int_equal(sessions(estate), 0);
	fd = kill_b();
	start_b(fd);
	assert_false(link_is_up(b.peer));
	end_estate();
}

static void keys_of_a_peer_that_is_no_more_are_wiped(void **state)
{
	static const struct session none;
	int fd;

	begin_estate();
	fd = kill_b();
	assert_int_equal(sessions(estate), 1);
	kit_open(&b, TO, (struct links_options){0});
	assert_int_equal(links_estate(b.links, estate), 0);
	kit_peer(&b, "another.example", NULL);
	assert_false(link_is_up(b.peer));
	links_disown(b.links);
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		assert_memory_equal(&estate->sessions[i], &none, sizeof(none));
	close(fd);
	end_estate();
}

/* Whatever lies in memory: it is used as it was, or not at all. */
static void what_does_not_add_up_is_wiped(void **state)
{
	struct estate *left = malloc(sizeof(*left));
	struct session *s;
	int fd;

	begin_estate();
	fd = kill_b();
	memcpy(left, estate, sizeof(*left));
	for (unsigned i = 0; i < 400; i++) {
		memcpy(estate, left, sizeof(*left));
		s = used(estate);
		for (unsigned k = 0; k < 1 + i % 8; k++)
			((uint8_t *)s)[(size_t)rand() % sizeof(*s)] = (uint8_t)rand();
		kit_open(&b, TO, (struct links_options){0});
		assert_int_equal(links_estate(b.links, estate), 0);
		kit_peer(&b, FROM, NULL);
		links_turn(b.links, clock_mono_ns());
		kit_close(&b);
	}
	memcpy(estate, left, sizeof(*left));
	estate->form++;
	estate_open(estate);
	assert_int_equal(sessions(estate), 0);
	memset(estate, 0xff, sizeof(*estate));
	estate_open(estate);
	assert_int_equal(sessions(estate), 0);
	memcpy(estate, left, sizeof(*left));
	used(estate)->seq = RECORD_FIRST - 1; /* OpenSSL's own numbers */
	estate_open(estate);
	assert_int_equal(sessions(estate), 0);
	memcpy(estate, left, sizeof(*left));
	used(estate)->whole = 0; /* it was being written */
	estate_open(estate);
	assert_int_equal(sessions(estate), 0);
	memcpy(estate, left, sizeof(*left));
	free(left);
	start_b(fd);
	assert_true(link_is_up(b.peer));
	end_estate();
}

static void a_shut_window_takes_what_is_newer(void **state)
{
	struct window w = {0};

	window_shut(&w);
	assert_true(window_fresh(&w, 1u << 24)); /* nothing had come */
	for (uint64_t top = 70000; top < 70200; top += 13) {
		w = (struct window){0};
		window_take(&w, top - 40);
		window_take(&w, top);
		assert_true(window_fresh(&w, top - 1));
		window_shut(&w);
		for (uint64_t seq = 0; seq <= top; seq++)
			assert_false(window_fresh(&w, seq));
		for (uint64_t seq = top + 1; seq < top + 2 * WINDOW_BITS; seq++)
			assert_true(window_fresh(&w, seq));
		assert_int_equal(window_take(&w, top + 1), 0);
		assert_false(window_fresh(&w, top + 1));
		assert_true(window_fresh(&w, top + 2));
		assert_int_equal(window_take(&w, top + 500), 498);
		for (uint64_t seq = top + 2; seq < top + 500; seq++)
			assert_true(window_fresh(&w, seq));
		assert_false(window_fresh(&w, top));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_with_a_process),
		cmocka_unit_test(it_dies_again_and_again),
		cmocka_unit_test(what_the_predecessor_heard_is_a_replay),
		cmocka_unit_test(of_a_peer_that_was_down_nothing_is_left),
		cmocka_unit_test(keys_of_a_peer_that_is_no_more_are_wiped),
		cmocka_unit_test(what_does_not_add_up_is_wiped),
		cmocka_unit_test(a_shut_window_takes_what_is_newer),
	};

	return cmocka_run_group_tests(tests, once, last);
}
