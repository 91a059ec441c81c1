/* The sealed link: what it carries, how it renews its keys, and how it ends and begins again. */
#include "link_pair.h"

/* --- what it is for ---------------------------------------------------------------- */

static void frames_come_out_as_they_went_in(void **state)
{
	static const uint32_t lens[] = {1, 60, 300, 1100, 1514, 1514, 9014, 70, LINK_FRAME_MAX, 64};
	struct link_frame f[10];

	begin((struct links_options){0});
	assert_int_equal(link_send(a.peer, f, 1), -ENOTCONN);
	come_up();
	assert_int_equal(a.told[LINK_UP], 1);
	assert_int_equal(b.told[LINK_UP], 1);
	for (unsigned i = 0; i < 10; i++)
		f[i] = (struct link_frame){.data = make(i, lens[i]),
					   .len = lens[i],
					   .channel = (uint16_t)(100 + i),
					   .form = i & 1};
	assert_int_equal(link_send(a.peer, f, 10), 10);
	links_flush(a.links);
	KIT_UNTIL(&a, &b, &wire, 2000, b.frames == 10);
	assert_int_equal(b.frames, 10);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(is_made(&b, i, i, lens[i]));
		assert_int_equal(b.channel[i], 100 + i);
		free(f[i].data);
	}
	for (unsigned i = 0; i < 200; i++)
		send_one(&b, i, 300);
	KIT_UNTIL(&a, &b, &wire, 2000, a.frames == 200);
	assert_int_equal(a.frames, 200);
	assert_int_equal(counts_of(&a).missing, 0);
	assert_int_equal(counts_of(&b).malformed + counts_of(&b).forged + counts_of(&b).replayed,
			 0);
	end();
}

static bool hears_clear(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	static const char secret[] = "PID|1||4711^^^ward";

	assert_null(memmem(data, *len, secret, sizeof(secret) - 1));
	/* DTLS and nothing else. */
	assert_true(data[0] >= 20 && data[0] <= 23 && data[1] == 0xfe);
	return true;
}

static void small_frames_share_records_and_stay_sealed(void **state)
{
	char text[64] = "PID|1||4711^^^ward: not for everybody";
	struct link_frame f[64];
	uint64_t before;

	begin((struct links_options){0});
	wire.pass = hears_clear;
	come_up();
	KIT_UNTIL(&a, &b, &wire, 2000, mtu_of(&a) == 1500);
	assert_int_equal(mtu_of(&a), 1500);
	for (unsigned i = 0; i < 64; i++)
		f[i] = (struct link_frame){.data = (uint8_t *)text, .len = sizeof(text)};
	before = counts_of(&a).records_out;
	assert_int_equal(link_send(a.peer, f, 64), 64);
	links_flush(a.links);
	assert_true(counts_of(&a).records_out - before <= 4);
	KIT_UNTIL(&a, &b, &wire, 2000, b.frames == 64);
	assert_int_equal(b.frames, 64);
	assert_memory_equal(b.kept[63], text, sizeof(text));
	end();
}

static void unfit_frames_are_counted(void **state)
{
	uint8_t byte = 0;
	struct link_frame f[2] = {{.data = &byte, .len = 0},
				  {.data = &byte, .len = 1, .form = LINK_FORM_COUNT}};

	begin((struct links_options){0});
	come_up();
	assert_int_equal(link_send(a.peer, f, 2), 2);
	assert_int_equal(counts_of(&a).unfit, 2);
	end();
}

static void one_socket_serves_both_families(void **state)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct link_status s;

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) {
		close(fd);
		skip();
	}
	begin((struct links_options){0});
	assert_int_equal(links_socket(a.links, fd), 0);
	link_remove(a.peer);
	kit_peer(&a, TO, &b.at); /* an address of IPv4 */
	KIT_UNTIL(&a, &b, NULL, 3000, both_up());
	assert_true(both_up());
	link_status(a.peer, &s);
	assert_int_equal(s.address.ss_family, AF_INET6);
	send_one(&a, 1, 3000);
	send_one(&b, 2, 100);
	KIT_UNTIL(&a, &b, NULL, 1000, a.frames && b.frames);
	assert_true(is_made(&b, 0, 1, 3000));
	assert_true(is_made(&a, 0, 2, 100));
	KIT_UNTIL(&a, &b, NULL, 1000, mtu_of(&a) == 1500);
	assert_int_equal(mtu_of(&a), 1500);
	end();
}

/* What finds no room is offered again; nothing is lost and nothing comes twice. */
static void a_full_socket_holds_frames_back(void **state)
{
	struct link_frame f[200];
	int n, more;

	begin((struct links_options){0});
	come_up();
	KIT_UNTIL(&a, &b, &wire, 1000, mtu_of(&a) == 1500);
	for (unsigned i = 0; i < 200; i++)
		f[i] = (struct link_frame){.data = make(i, 9000), .len = 9000};
	a.links->wire.blocked = true;
	assert_true(links_wants_write(a.links));
	n = link_send(a.peer, f, 200);
	assert_in_range(n, 10, 199);
	assert_int_equal(link_send(a.peer, f + n, 200 - (unsigned)n), 0);
	links_write(a.links);
	assert_false(links_wants_write(a.links));
	KIT_UNTIL(&a, &b, &wire, 2000, b.frames == (unsigned)n);
	while (n < 200) {
		more = link_send(a.peer, f + n, 200 - (unsigned)n < 20 ? 200 - (unsigned)n : 20);
		assert_true(more > 0);
		n += more;
		links_flush(a.links);
		KIT_UNTIL(&a, &b, &wire, 1000, b.frames == (unsigned)n);
	}
	assert_int_equal(b.frames, 200);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(is_made(&b, i, i, 9000));
		free(f[i].data);
	}
	end();
}

/* --- keys are replaced ---------------------------------------------------------------- */

static void new_keys_lose_nothing(void **state)
{
	unsigned sent = 0;
	uint64_t until;

	begin((struct links_options){.renew_records = 300});
	come_up();
	until = clock_mono_ns() + 3 * NSEC_PER_SEC;
	while (clock_mono_ns() < until && (a.told[LINK_RENEWED] < 4 || b.told[LINK_RENEWED] < 4)) {
		for (unsigned i = 0; i < 3; i++, sent++) {
			send_one(&a, sent, 200);
			send_one(&b, sent, 210);
		}
		kit_turn(&a, &b, &wire);
		usleep(1000);
		assert_true(sent < KIT_KEPT);
	}
	KIT_UNTIL(&a, &b, &wire, 1000, a.frames == sent && b.frames == sent);
	assert_true(a.told[LINK_RENEWED] >= 4);
	assert_true(b.told[LINK_RENEWED] >= 4);
	assert_int_equal(a.frames, sent);
	assert_int_equal(b.frames, sent);
	assert_int_equal(a.told[LINK_DOWN] + b.told[LINK_DOWN], 0);
	end();
}

static void keys_get_old(void **state)
{
	begin((struct links_options){.renew_s = 1});
	come_up();
	KIT_UNTIL(&a, &b, &wire, 3000, a.told[LINK_RENEWED] && b.told[LINK_RENEWED]);
	assert_true(a.told[LINK_RENEWED] && b.told[LINK_RENEWED]);
	assert_int_equal(a.told[LINK_DOWN], 0);
	end();
}

/* Who was called begins, where who called does not. */
static void either_end_renews(void **state)
{
	SSL_CTX *server;

	begin((struct links_options){.renew_s = 1});
	come_up();
	server = kit_context(true, key[0], certificate[0], trust);
	links_context(a.links, NULL, server, false);
	SSL_CTX_free(server);
	KIT_UNTIL(&a, &b, &wire, 3000, a.told[LINK_RENEWED]);
	assert_true(a.told[LINK_RENEWED]);
	end();
}

/* A certificate that has run out meanwhile is told, again and again, and stops nothing at once. */
static void a_renewal_that_fails_is_told_and_stops_nothing(void **state)
{
	X509 *x = kit_certificate(&issuer, key[1], TO, -2 * DAY, -DAY, BOTH);

	begin((struct links_options){.renew_s = 1});
	come_up();
	kit_believe(&b, key[1], x, trust);
	KIT_UNTIL(&a, &b, &wire, 4000, counts_of(&a).failed >= 2);
	assert_true(counts_of(&a).failed >= 2);
	assert_true(a.reasons[REASON_RELAY_EXPIRED] >= 1);
	assert_true(both_up());
	send_one(&a, 1, 100);
	KIT_UNTIL(&a, &b, &wire, 500, b.frames);
	assert_int_equal(b.frames, 1);
	/* A new one, and all is well. */
	kit_believe(&b, key[1], certificate[1], trust);
	KIT_UNTIL(&a, &b, &wire, 6000, b.told[LINK_RENEWED]);
	assert_true(b.told[LINK_RENEWED] >= 1);
	X509_free(x);
	end();
}

static void two_that_call_at_once_agree(void **state)
{
	begin((struct links_options){0});
	link_remove(b.peer);
	kit_peer(&b, FROM, &wire.at[1]);
	come_up();
	send_one(&a, 1, 100);
	send_one(&b, 2, 100);
	KIT_UNTIL(&a, &b, &wire, 1000, a.frames && b.frames);
	assert_int_equal(a.frames, 1);
	assert_int_equal(b.frames, 1);
	/* And stay so. */
	KIT_UNTIL(&a, &b, &wire, 600, false);
	assert_true(both_up());
	assert_int_equal(a.told[LINK_DOWN] + b.told[LINK_DOWN], 0);
	end();
}

/* Two policies come into force one after the other: who was refused meanwhile hears the other's call. */
static void who_was_refused_listens(void **state)
{
	struct kit_issuer other;
	struct trust *strange;

	kit_issuer_new(&other, "another clinic");
	strange = kit_trust(&other, NULL);
	begin((struct links_options){0});
	links_context(a.links, NULL, NULL, false);
	kit_believe(&a, key[0], certificate[0], strange);
	link_remove(a.peer);
	kit_peer(&a, TO, NULL);
	link_remove(b.peer);
	kit_peer(&b, FROM, &wire.at[1]);
	KIT_UNTIL(&a, &b, &wire, 3000, strstr(b.text, "the other gateway refuses"));
	assert_non_null(strstr(b.text, "the other gateway refuses"));
	link_remove(a.peer);
	kit_peer(&a, TO, &wire.at[0]);
	kit_believe(&a, key[0], certificate[0], trust);
	KIT_UNTIL(&a, &b, &wire, 1200, both_up());
	assert_true(both_up());
	trust_free(strange);
	kit_issuer_free(&other);
	end();
}

/* --- the end of a peer -------------------------------------------------------------------- */

static bool cut(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	return false;
}

static void a_silent_peer_is_down_and_comes_again(void **state)
{
	struct link_frame f = {.data = (uint8_t *)"x", .len = 1};

	begin((struct links_options){.keepalive_ms = 100, .dead_ms = 400});
	come_up();
	KIT_UNTIL(&a, &b, &wire, 700, false);
	assert_true(both_up()); /* quiet is not silent */
	wire.pass = cut;
	KIT_UNTIL(&a, &b, &wire, 2000, !link_is_up(a.peer) && !link_is_up(b.peer));
	assert_int_equal(a.reasons[REASON_SEAL_SILENT], 1);
	assert_int_equal(b.reasons[REASON_SEAL_SILENT], 1);
	assert_int_equal(link_send(a.peer, &f, 1), -ENOTCONN);
	wire.pass = NULL;
	come_up();
	assert_int_equal(a.told[LINK_UP], 2);
	end();
}

static void a_farewell_is_heard_at_once(void **state)
{
	begin((struct links_options){0});
	come_up();
	links_free(b.links);
	b.links = NULL;
	KIT_UNTIL(&a, NULL, &wire, 500, !link_is_up(a.peer));
	assert_int_equal(a.reasons[REASON_SEAL_LEFT], 1);
	end();
}

/* Killed and started again without a word: the other end notices by what it is asked, and calls. */
static void a_peer_that_starts_anew_is_called(void **state)
{
	struct kit_end dead;
	uint64_t begun;
	int fd;

	/* Nobody is asked whether it is there before this has ended. */
	begin((struct links_options){.keepalive_ms = 30000, .dead_ms = 60000});
	come_up();
	dead = b;
	kit_open(&b, TO, (struct links_options){0});
	/* At the same address, and the one before says nothing more. */
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	links_socket(dead.links, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&dead.at, sizeof(struct sockaddr_in)), 0);
	links_socket(b.links, fd);
	kit_believe(&b, key[1], certificate[1], trust);
	kit_peer(&b, FROM, NULL);
	kit_turn(&a, &b, &wire);
	begun = clock_mono_ns();
	while (!link_is_up(b.peer) && clock_mono_ns() - begun < 15 * NSEC_PER_SEC) {
		send_one(&a, 1, 100);
		kit_turn(&a, &b, &wire);
		usleep(1000);
	}
	assert_true(link_is_up(b.peer));
	assert_int_equal(a.told[LINK_DOWN], 0);
	assert_int_equal(a.told[LINK_RENEWED], 1);
	send_one(&a, 7, 77);
	KIT_UNTIL(&a, &b, &wire, 500, b.frames && b.len[b.frames - 1] == 77);
	assert_int_equal(b.len[b.frames - 1], 77);
	links_free(dead.links);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_out_as_they_went_in),
		cmocka_unit_test(small_frames_share_records_and_stay_sealed),
		cmocka_unit_test(unfit_frames_are_counted),
		cmocka_unit_test(a_full_socket_holds_frames_back),
		cmocka_unit_test(one_socket_serves_both_families),
		cmocka_unit_test(new_keys_lose_nothing),
		cmocka_unit_test(keys_get_old),
		cmocka_unit_test(either_end_renews),
		cmocka_unit_test(a_renewal_that_fails_is_told_and_stops_nothing),
		cmocka_unit_test(two_that_call_at_once_agree),
		cmocka_unit_test(who_was_refused_listens),
		cmocka_unit_test(a_silent_peer_is_down_and_comes_again),
		cmocka_unit_test(a_farewell_is_heard_at_once),
		cmocka_unit_test(a_peer_that_starts_anew_is_called),
	};

	return cmocka_run_group_tests(tests, once, last);
}
