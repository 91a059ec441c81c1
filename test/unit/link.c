/* The sealed link: two gateways over loopback, and what somebody on the wire may try. */
#include "link_kit.h"

#include <openssl/async.h>

#include "seal/link/link_internal.h"
#include "seal/pki/signer.h"

#define FROM "ward.example"
#define TO   "servers.example"
#define BOTH "serverAuth,clientAuth"

static struct kit_issuer issuer;
static struct trust *trust;
static EVP_PKEY *key[2];
static X509 *certificate[2];
static struct kit_end a, b;
static struct kit_wire wire;

static int once(void **state)
{
	static const char *const names[2] = {FROM, TO};

	kit_issuer_new(&issuer, "clinic");
	trust = kit_trust(&issuer, NULL);
	for (int i = 0; i < 2; i++) {
		key[i] = kit_key();
		certificate[i] = kit_certificate(&issuer, key[i], names[i], -DAY, DAY, BOTH);
	}
	return 0;
}

static int last(void **state)
{
	for (int i = 0; i < 2; i++) {
		EVP_PKEY_free(key[i]);
		X509_free(certificate[i]);
	}
	trust_free(trust);
	kit_issuer_free(&issuer);
	return 0;
}

/* A calls B, through the wire; B waits. */
static void begin(struct links_options o)
{
	o.devices = 4;
	kit_open(&a, FROM, o);
	kit_open(&b, TO, o);
	kit_wire_open(&wire, &a, &b);
	kit_believe(&a, key[0], certificate[0], trust);
	kit_believe(&b, key[1], certificate[1], trust);
	kit_peer(&a, TO, &wire.at[0]);
	kit_peer(&b, FROM, NULL);
}

static void end(void)
{
	kit_close(&a);
	kit_close(&b);
	kit_wire_close(&wire);
}

static bool both_up(void)
{
	return link_is_up(a.peer) && link_is_up(b.peer);
}

static void come_up(void)
{
	KIT_UNTIL(&a, &b, &wire, 5000, both_up());
	assert_true(both_up());
}

static uint16_t mtu_of(const struct kit_end *e)
{
	struct link_status s;

	link_status(e->peer, &s);
	return s.mtu;
}

static struct link_counts counts_of(const struct kit_end *e)
{
	struct link_counts c;

	link_counts(e->peer, &c);
	return c;
}

/* Frame number n of the test: its bytes follow from n. */
static uint8_t *make(uint32_t n, uint32_t len)
{
	uint8_t *d = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		d[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
	return d;
}

static bool is_made(const struct kit_end *e, unsigned at, uint32_t n, uint32_t len)
{
	uint8_t *want = make(n, len);
	bool same = e->len[at] == len && memcmp(e->kept[at], want, len) == 0;

	free(want);
	return same;
}

static void send_one(struct kit_end *e, uint32_t n, uint32_t len)
{
	struct link_frame f = {
		.data = make(n, len), .len = len, .channel = (uint16_t)n, .device = n % 4};

	assert_int_equal(link_send(e->peer, &f, 1), 1);
	links_flush(e->links);
	free(f.data);
}

/* --- what it is for ---------------------------------------------------------------- */

static void frames_come_out_as_they_went_in(void **state)
{
	static const uint32_t lens[] = {1, 60, 300, 1100, 1514, 1514, 9014, 70, LINK_FRAME_MAX, 64};
	struct link_frame f[10];
	struct link_device_counts d;

	begin((struct links_options){0});
	assert_int_equal(link_send(a.peer, f, 1), -ENOTCONN);
	come_up();
	assert_int_equal(a.told[LINK_UP], 1);
	assert_int_equal(b.told[LINK_UP], 1);
	for (unsigned i = 0; i < 10; i++)
		f[i] = (struct link_frame){.data = make(i, lens[i]),
					   .len = lens[i],
					   .channel = (uint16_t)(100 + i),
					   .device = 2,
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
	link_device(a.peer, 2, &d);
	assert_int_equal(d.frames, 10);
	link_device(a.peer, 9, &d);
	assert_int_equal(d.frames, 0);
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
		f[i] = (struct link_frame){
			.data = (uint8_t *)text, .len = sizeof(text), .device = LINK_NO_DEVICE};
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

/* More than is looked at in a second: the rest costs next to nothing, and who is up stays so. */
static void hellos_are_rationed(void **state)
{
	struct links_counts c;
	static const uint8_t hello[60] = {
		RECORD_HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 47, 1};
	struct sockaddr_storage at;
	int fd = kit_socket(&at);

	begin((struct links_options){0});
	come_up();
	for (unsigned i = 0; i < 9000; i++) {
		sendto(fd, hello, sizeof(hello), 0, (struct sockaddr *)&b.at,
		       sizeof(struct sockaddr_in));
		if (i % 50 == 0)
			kit_turn(&a, &b, &wire);
	}
	KIT_UNTIL(&a, &b, &wire, 200, false);
	links_counts(b.links, &c);
	assert_true(c.refused > 0);
	assert_true(b.reasons[REASON_SEAL_FLOOD] >= 1);
	assert_int_equal(c.shaking, 0);
	assert_true(both_up());
	close(fd);
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

/* --- on the wire ---------------------------------------------------------------------------- */

static struct {
	uint8_t data[64][2048];
	size_t len[64];
	unsigned count;
} heard;

static bool records(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	if (from == 0 && data[0] == RECORD_DATA && heard.count < 64 && *len <= 2048) {
		memcpy(heard.data[heard.count], data, *len);
		heard.len[heard.count++] = *len;
	}
	return true;
}

static void what_is_replayed_counts_once(void **state)
{
	begin((struct links_options){0});
	heard.count = 0;
	come_up();
	wire.pass = records;
	for (unsigned i = 0; i < 20; i++)
		send_one(&a, i, 90);
	KIT_UNTIL(&a, &b, &wire, 1000, b.frames == 20);
	for (unsigned i = 0; i < heard.count; i++)
		kit_send(&wire, 1, heard.data[i], heard.len[i]);
	KIT_UNTIL(&a, &b, &wire, 300, false);
	assert_int_equal(b.frames, 20);
	assert_true(counts_of(&b).replayed >= 20);
	assert_int_equal(b.reasons[REASON_SEAL_REPLAYED], 1);
	assert_true(both_up());
	end();
}

static bool holds(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	records(w, from, data, len);
	return from != 0 || data[0] != RECORD_DATA;
}

static void what_is_reordered_comes(void **state)
{
	begin((struct links_options){0});
	heard.count = 0;
	come_up();
	KIT_UNTIL(&a, &b, &wire, 1000, mtu_of(&a) == 1500);
	wire.pass = holds;
	for (unsigned i = 0; i < 8; i++) {
		send_one(&a, i, 90);
		send_one(&a, 100 + i, 3000); /* three pieces */
	}
	KIT_UNTIL(&a, &b, &wire, 300, heard.count >= 32);
	wire.pass = NULL;
	for (unsigned i = heard.count; i--;)
		kit_send(&wire, 1, heard.data[i], heard.len[i]);
	KIT_UNTIL(&a, &b, &wire, 1000, b.frames == 16);
	assert_int_equal(b.frames, 16);
	for (unsigned i = 0, small = 8, large = 8; i < 16; i++)
		assert_true(b.len[i] == 90 ? is_made(&b, i, --small, 90)
					   : is_made(&b, i, 100 + --large, 3000));
	assert_int_equal(counts_of(&b).missing, 0);
	assert_int_equal(counts_of(&b).rejoined, 8);
	end();
}

static void what_was_changed_is_forged(void **state)
{
	unsigned bytes = 0;

	begin((struct links_options){0});
	heard.count = 0;
	come_up();
	KIT_UNTIL(&a, &b, &wire, 1000, mtu_of(&a) == 1500);
	wire.pass = holds;
	send_one(&a, 1, 90);
	send_one(&a, 2, 2000);
	KIT_UNTIL(&a, &b, &wire, 300, heard.count >= 3);
	wire.pass = NULL;
	for (unsigned i = 0; i < heard.count; i++) {
		for (size_t at = 0; at < heard.len[i]; at += at < 64 ? 1 : 37, bytes++) {
			heard.data[i][at] ^= 1;
			kit_send(&wire, 1, heard.data[i], heard.len[i]);
			heard.data[i][at] ^= 1;
			kit_turn(&a, &b, &wire);
		}
		for (size_t len = 0; len < heard.len[i]; len += len < 64 ? 1 : 61, bytes++) {
			kit_send(&wire, 1, heard.data[i], len);
			kit_turn(&a, &b, &wire);
		}
	}
	KIT_UNTIL(&a, &b, &wire, 200, false);
	assert_int_equal(b.frames, 0);
	assert_true(counts_of(&b).forged > bytes / 2);
	assert_int_equal(b.reasons[REASON_SEAL_FORGED], 1);
	/* The true ones still count after all that. */
	for (unsigned i = 0; i < heard.count; i++)
		kit_send(&wire, 1, heard.data[i], heard.len[i]);
	KIT_UNTIL(&a, &b, &wire, 500, b.frames == 2);
	assert_int_equal(b.frames, 2);
	assert_true(is_made(&b, 0, 1, 90));
	assert_true(is_made(&b, 1, 2, 2000));
	assert_true(both_up());
	end();
}

static bool loses_some(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	unsigned *n = w->arg;

	*n = *n * 1103515245 + 12345;
	return (*n >> 16) % 4 != 0;
}

static void a_lossy_wire_comes_up_and_loses_what_it_loses(void **state)
{
	unsigned n = 1;

	begin((struct links_options){.keepalive_ms = 200, .dead_ms = 5000});
	wire.pass = loses_some;
	wire.arg = &n;
	KIT_UNTIL(&a, &b, &wire, 8000, both_up());
	assert_true(both_up());
	for (unsigned i = 0; i < 300; i++) {
		send_one(&a, i, i % 10 ? 100 : 3000);
		kit_turn(&a, &b, &wire);
	}
	KIT_UNTIL(&a, &b, &wire, 2500, counts_of(&b).incomplete > 0);
	assert_true(b.frames > 100 && b.frames < 300);
	assert_true(counts_of(&b).missing > 50);
	assert_true(counts_of(&b).incomplete > 0);
	end();
}

static void memory_that_is_not_there_is_a_lost_frame(void **state)
{
	begin((struct links_options){0});
	come_up();
	KIT_UNTIL(&a, &b, &wire, 1000, mtu_of(&a) == 1500);
	b.no_memory = 2;
	send_one(&a, 0, 100);
	send_one(&a, 1, 1514);
	send_one(&a, 2, 100);
	KIT_UNTIL(&a, &b, &wire, 1000, b.frames);
	assert_true(is_made(&b, 0, 2, 100));
	assert_true(counts_of(&b).no_memory >= 2);
	end();
}

/* --- roaming ------------------------------------------------------------------------------ */

static void a_peer_moves_once_it_answers_there(void **state)
{
	struct sockaddr_storage at;
	struct link_status s;
	int fd, old = -1;

	begin((struct links_options){0});
	come_up();
	/* B sees A come from somewhere else. */
	old = wire.fd[1];
	fd = kit_socket(&at);
	wire.fd[1] = fd;
	send_one(&a, 1, 100);
	KIT_UNTIL(&a, &b, &wire, 1000, b.told[LINK_MOVED]);
	assert_int_equal(b.told[LINK_MOVED], 1);
	link_status(b.peer, &s);
	assert_int_equal(((struct sockaddr_in *)&s.address)->sin_port,
			 ((struct sockaddr_in *)&at)->sin_port);
	assert_int_equal(b.frames, 1);
	send_one(&b, 2, 100);
	KIT_UNTIL(&a, &b, &wire, 500, a.frames);
	assert_int_equal(a.frames, 1);
	close(old);
	end();
}

/* Somebody sends on, from elsewhere and first, what A sent: nothing goes there but a question. */
static bool races(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	int *fd = w->arg;

	if (from == 0 && data[0] == RECORD_DATA)
		sendto(*fd, data, *len, 0, (struct sockaddr *)&w->end[1],
		       sizeof(struct sockaddr_in));
	return true;
}

static void nobody_moves_a_peer_by_sending_on(void **state)
{
	struct sockaddr_storage at;
	uint8_t got[2048];
	unsigned questions = 0;
	int fd = kit_socket(&at);

	begin((struct links_options){0});
	come_up();
	KIT_UNTIL(&a, &b, &wire, 1000, mtu_of(&b) == 1500);
	wire.pass = races;
	wire.arg = &fd;
	for (unsigned i = 0; i < 50; i++) {
		send_one(&a, i, 100);
		send_one(&b, i, 500);
		kit_turn(&a, &b, &wire);
	}
	KIT_UNTIL(&a, &b, &wire, 500, a.frames == 50 && b.frames == 50);
	assert_int_equal(a.frames, 50);
	assert_int_equal(b.frames, 50);
	assert_int_equal(b.told[LINK_MOVED], 0);
	for (ssize_t n; (n = recv(fd, got, sizeof(got), 0)) > 0; questions++)
		assert_true(n < 100);
	assert_true(questions >= 1 && questions <= 4);
	close(fd);
	end();
}

/* --- the size of datagrams ------------------------------------------------------------------- */

static bool narrow(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	return *len + 28 <= *(unsigned *)w->arg;
}

static void what_passes_is_found(void **state)
{
	unsigned mtu = 1420;

	begin((struct links_options){0});
	wire.pass = narrow;
	wire.arg = &mtu;
	come_up();
	send_one(&a, 1, 1514); /* goes at once, in pieces */
	KIT_UNTIL(&a, &b, &wire, 500, b.frames);
	assert_int_equal(b.frames, 1);
	KIT_UNTIL(&a, &b, &wire, 8000, a.told[LINK_MTU]);
	assert_in_range(mtu_of(&a), 1420 - 8, 1420);
	end();
}

/* RFC 8899 §4.3: what passed and passes no more. */
static void what_passes_no_longer_is_noticed(void **state)
{
	unsigned mtu = 1500;

	begin((struct links_options){.mtu = 1500});
	wire.pass = narrow;
	wire.arg = &mtu;
	come_up();
	KIT_UNTIL(&a, &b, &wire, 2000, mtu_of(&a) == 1500);
	assert_int_equal(mtu_of(&a), 1500);
	mtu = 1300;
	KIT_UNTIL(&a, &b, &wire, 15000, mtu_of(&a) < 1300);
	assert_true(mtu_of(&a) < 1300);
	assert_true(both_up());
	send_one(&a, 1, 1514);
	KIT_UNTIL(&a, &b, &wire, 500, b.frames);
	assert_int_equal(b.frames, 1);
	end();
}

/* --- whom we believe --------------------------------------------------------------------------- */

/* B shows `x`; A must not come up with it, for that reason. */
static void refuses(EVP_PKEY *k, X509 *x, const struct trust *t, enum reason why)
{
	begin((struct links_options){0});
	kit_believe(&a, key[0], certificate[0], t);
	kit_believe(&b, k, x, trust);
	KIT_UNTIL(&a, &b, &wire, 3000, a.reasons[why]);
	assert_true(a.reasons[why] > 0);
	assert_false(link_is_up(a.peer));
	assert_int_equal(a.told[LINK_UP], 0);
	KIT_UNTIL(&a, &b, &wire, 300, false);
	assert_int_equal(b.told[LINK_UP], 0);
	end();
}

static void certificates_are_judged(void **state)
{
	struct kit_issuer other;
	EVP_PKEY *k = kit_key();
	X509 *x;
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *gone = X509_REVOKED_new();
	ASN1_TIME *t = ASN1_TIME_new();
	struct trust *with_crl;

	x = kit_certificate(&issuer, k, "laundry.example", -DAY, DAY, BOTH);
	refuses(k, x, trust, REASON_RELAY_NAME);
	X509_free(x);
	x = kit_certificate(&issuer, k, TO, -2 * DAY, -DAY, BOTH);
	refuses(k, x, trust, REASON_RELAY_EXPIRED);
	X509_free(x);
	x = kit_certificate(&issuer, k, TO, DAY, 2 * DAY, BOTH);
	refuses(k, x, trust, REASON_RELAY_EARLY);
	X509_free(x);
	x = kit_certificate(&issuer, k, TO, -DAY, DAY, "codeSigning");
	refuses(k, x, trust, REASON_RELAY_USAGE);
	X509_free(x);
	kit_issuer_new(&other, "clinic"); /* of the same name */
	x = kit_certificate(&other, k, TO, -DAY, DAY, BOTH);
	refuses(k, x, trust, REASON_RELAY_UNTRUSTED);
	X509_free(x);
	kit_issuer_free(&other);

	x = kit_certificate(&issuer, k, TO, -DAY, DAY, BOTH);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer.certificate));
	X509_gmtime_adj(t, -60);
	X509_CRL_set1_lastUpdate(crl, t);
	X509_REVOKED_set_revocationDate(gone, t);
	X509_gmtime_adj(t, DAY);
	X509_CRL_set1_nextUpdate(crl, t);
	X509_REVOKED_set_serialNumber(gone, X509_get_serialNumber(x));
	X509_CRL_add0_revoked(crl, gone);
	X509_CRL_sign(crl, issuer.key, EVP_sha256());
	with_crl = kit_trust(&issuer, crl);
	refuses(k, x, with_crl, REASON_RELAY_REVOKED);
	trust_free(with_crl);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	X509_free(x);
	EVP_PKEY_free(k);
}

/* It is the caller whose certificate is of another: the one that is called refuses. */
static void a_caller_of_another_name_is_refused(void **state)
{
	EVP_PKEY *k = kit_key();
	X509 *x = kit_certificate(&issuer, k, "laundry.example", -DAY, DAY, BOTH);

	begin((struct links_options){0});
	kit_believe(&a, k, x, trust);
	KIT_UNTIL(&a, &b, &wire, 3000, b.reasons[REASON_RELAY_NAME]);
	assert_true(b.reasons[REASON_RELAY_NAME] > 0);
	assert_int_equal(b.told[LINK_UP], 0);
	X509_free(x);
	EVP_PKEY_free(k);
	end();
}

static void fips_takes_gcm_alone(void **state)
{
	SSL_CTX *chacha = kit_context(false, key[0], certificate[0], trust);
	struct link_status s;

	SSL_CTX_set_cipher_list(chacha, "ECDHE-ECDSA-CHACHA20-POLY1305");
	begin((struct links_options){0});
	links_context(a.links, chacha, NULL, false);
	come_up();
	link_status(a.peer, &s);
	assert_string_equal(s.cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
	assert_string_equal(s.subject, TO);
	send_one(&a, 1, 5000);
	send_one(&b, 2, 300);
	KIT_UNTIL(&a, &b, &wire, 1000, a.frames && b.frames);
	assert_true(is_made(&b, 0, 1, 5000));
	assert_true(is_made(&a, 0, 2, 300));
	end();
	begin((struct links_options){.fips = true});
	links_context(a.links, chacha, NULL, false);
	SSL_CTX_free(chacha);
	come_up();
	link_status(b.peer, &s);
	assert_non_null(strstr(s.cipher, "GCM"));
	end();
}

/* --- handshakes ------------------------------------------------------------------------------- */

/* Its key is somewhere else: what else there is goes on meanwhile. */
static const uint8_t *signing;
static unsigned asked;
static struct p256 *secret;

static int sign_later(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	signing = digest;
	asked++;
	while (signing)
		ASYNC_pause_job();
	return p256_sign(secret, digest, ret_sign);
}

static struct link_shake *waiting;
static void drives(void *arg, struct link_shake *s)
{
	if (s)
		waiting = s;
}

static bool forgets(void *arg, struct link_shake *s)
{
	signing = NULL;
	return true;
}

static void a_key_that_is_elsewhere_holds_nobody_up(void **state)
{
	static const uint8_t seed[CRYPTO_KEY] = {1, 2, 3};
	uint8_t point[P256_POINT];
	struct links_calls calls = {.take = kit_take,
				    .give = kit_give,
				    .deliver = kit_deliver,
				    .tell = kit_tell,
				    .driving = drives,
				    .forget = forgets,
				    .arg = &b};
	struct links_options o = {.name = TO};
	EVP_PKEY *k, *public;
	X509 *x;
	int fd;

	secret = p256_new(seed);
	p256_public(secret, point);
	k = signer_new(point, sign_later, NULL);
	public = signer_public(point);
	x = kit_certificate(&issuer, public, TO, -DAY, DAY, BOTH);
	begin((struct links_options){0});
	links_free(b.links);
	b.links = links_new(&o, &calls);
	fd = kit_socket(&b.at);
	links_socket(b.links, fd);
	wire.end[1] = b.at;
	kit_believe(&b, k, x, trust);
	kit_peer(&b, FROM, NULL);
	KIT_UNTIL(&a, &b, &wire, 2000, signing);
	assert_non_null(signing);
	KIT_UNTIL(&a, &b, &wire, 700, false); /* A says it again meanwhile */
	assert_false(link_is_up(a.peer));
	signing = NULL;
	assert_false(links_resume(b.links, &b)); /* somebody else who waits for a signature */
	assert_true(links_resume(b.links, waiting));
	come_up();
	assert_true(asked >= 1);
	/* It is over, and its memory may be another's who waits: a relay's connection. */
	assert_false(links_resume(b.links, waiting));
	/* One that is given up while it waits leaves nothing behind. */
	links_context(a.links, NULL, NULL, false);
	kit_believe(&a, key[0], certificate[0], trust);
	link_remove(a.peer);
	kit_peer(&a, TO, &wire.at[0]);
	asked = 0;
	KIT_UNTIL(&a, &b, &wire, 2000, signing);
	end();
	EVP_PKEY_free(k);
	EVP_PKEY_free(public);
	X509_free(x);
	p256_free(secret);
}

static bool no_answer(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	return from == 0;
}

static void nobody_answers(void **state)
{
	begin((struct links_options){.shake_ms = 1000});
	wire.pass = no_answer;
	KIT_UNTIL(&a, &b, &wire, 3000, a.reasons[REASON_SEAL_UNREACHED]);
	assert_int_equal(a.reasons[REASON_SEAL_UNREACHED], 1);
	end();
}

/* A ClientHello as somebody sends it who never answers: from many addresses, without a cookie. */
static void a_flood_of_hellos_costs_no_memory(void **state)
{
	struct links_counts c;
	uint8_t hello[2048];
	ssize_t len;
	struct sockaddr_storage at;
	SSL_CTX *ctx = kit_context(false, key[0], certificate[0], trust);
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	uint8_t answer[2048];
	unsigned answers = 0;
	size_t answered = 0;

	SSL_set_bio(ssl, in, out);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	DTLS_set_link_mtu(ssl, 1400);
	SSL_connect(ssl);
	len = BIO_read(out, hello, sizeof(hello));
	assert_true(len > 100);
	begin((struct links_options){0});
	come_up();
	for (unsigned i = 0; i < 500; i++) {
		int fd = kit_socket(&at);

		sendto(fd, hello, (size_t)len, 0, (struct sockaddr *)&b.at,
		       sizeof(struct sockaddr_in));
		kit_turn(&a, &b, &wire);
		for (ssize_t n; (n = recv(fd, answer, sizeof(answer), 0)) > 0; answers++)
			answered += (size_t)n;
		close(fd);
	}
	links_counts(b.links, &c);
	assert_int_equal(c.shaking, 0);
	assert_true(c.hellos >= 500);
	assert_true(answers >= 490);
	assert_true(answered <= 500 * (size_t)len); /* nothing grows on its way back */
	send_one(&a, 1, 100);
	KIT_UNTIL(&a, &b, &wire, 500, b.frames);
	assert_int_equal(b.frames, 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	end();
}

/* With a cookie, and never finished: so many from one address, and a bound on all. */
static void half_open_handshakes_are_bounded(void **state)
{
	SSL_CTX *ctx = kit_context(false, key[0], certificate[0], trust);
	struct links_counts c;
	SSL *ssl[40];
	int fd[40];

	begin((struct links_options){.shake_ms = 2000});
	come_up();
	for (unsigned i = 0; i < 40; i++) {
		struct sockaddr_storage at;
		BIO *bio;

		fd[i] = kit_socket(&at);
		assert_int_equal(
			connect(fd[i], (struct sockaddr *)&b.at, sizeof(struct sockaddr_in)), 0);
		bio = BIO_new_dgram(fd[i], BIO_NOCLOSE);
		BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &b.at);
		ssl[i] = SSL_new(ctx);
		SSL_set_bio(ssl[i], bio, bio);
		SSL_connect(ssl[i]);
		kit_turn(&a, &b, &wire);
		SSL_connect(ssl[i]); /* the cookie */
		kit_turn(&a, &b, &wire);
	}
	links_counts(b.links, &c);
	assert_int_equal(c.shaking, LINK_SHAKES_SOURCE);
	assert_true(c.refused >= 40 - LINK_SHAKES_SOURCE);
	assert_true(b.reasons[REASON_SEAL_FLOOD] >= 1);
	assert_true(both_up());
	KIT_UNTIL(&a, &b, &wire, 4000, b.reasons[REASON_RELAY_UNFINISHED]);
	assert_true(b.reasons[REASON_RELAY_UNFINISHED] >= 1);
	for (unsigned i = 0; i < 40; i++) {
		SSL_free(ssl[i]);
		close(fd[i]);
	}
	SSL_CTX_free(ctx);
	end();
}

/* --- as OpenSSL speaks it ------------------------------------------------------------------------ */

/* A plain OpenSSL client on the other side: its record layer and ours must be the same protocol. */
static void try_suite(const char *suite)
{
	SSL_CTX *ctx = kit_context(false, key[0], certificate[0], trust);
	struct sockaddr_storage at;
	static const uint8_t record[] = {0x11, 1, 0, 5, 0, 9, 0, 'h', 'e', 'l', 'l', 'o'};
	uint8_t got[2048];
	int fd = kit_socket(&at), n = 0;
	BIO *bio = BIO_new_dgram(fd, BIO_NOCLOSE);
	SSL *ssl;
	struct link_frame f = {.data = (uint8_t *)"answer", .len = 6, .channel = 3};
	bool answered = false;

	SSL_CTX_set_cipher_list(ctx, suite);
	begin((struct links_options){0});
	link_remove(a.peer);
	connect(fd, (struct sockaddr *)&b.at, sizeof(struct sockaddr_in));
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &b.at);
	ssl = SSL_new(ctx);
	SSL_set_bio(ssl, bio, bio);
	for (unsigned i = 0; i < 2000 && SSL_connect(ssl) != 1; i++) {
		kit_turn(NULL, &b, NULL);
		usleep(500);
	}
	assert_true(SSL_is_init_finished(ssl));
	assert_string_equal(SSL_get_cipher_name(ssl), suite);
	assert_int_equal(SSL_write(ssl, record, sizeof(record)), sizeof(record));
	KIT_UNTIL(NULL, &b, NULL, 1000, b.frames);
	assert_int_equal(b.frames, 1);
	assert_memory_equal(b.kept[0], "hello", 5);
	assert_int_equal(b.channel[0], 9);
	assert_true(link_is_up(b.peer));
	assert_int_equal(link_send(b.peer, &f, 1), 1);
	links_flush(b.links);
	for (unsigned i = 0; i < 1000 && !answered; i++) {
		n = SSL_read(ssl, got, sizeof(got));
		answered = n == 13 && memcmp(got, "\x11\1\0\6\0\3\0answer", 13) == 0;
		kit_turn(NULL, &b, NULL);
	}
	assert_true(answered);
	/* It wants to renegotiate: it is told that nobody does. */
	SSL_renegotiate(ssl);
	SSL_do_handshake(ssl);
	KIT_UNTIL(NULL, &b, NULL, 200, false);
	assert_true(link_is_up(b.peer));
	assert_int_equal(b.told[LINK_RENEWED], 0);
	/* What is not framing is refused, not fatal. */
	SSL_write(ssl, "\x21junk", 5);
	KIT_UNTIL(NULL, &b, NULL, 500, counts_of(&b).malformed);
	assert_int_equal(counts_of(&b).malformed, 1);
	assert_int_equal(b.reasons[REASON_SEAL_MALFORMED], 1);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	a.peer = NULL;
	end();
}

static void records_are_openssls(void **state)
{
	try_suite("ECDHE-ECDSA-AES256-GCM-SHA384");
	try_suite("ECDHE-ECDSA-AES128-GCM-SHA256");
	try_suite("ECDHE-ECDSA-CHACHA20-POLY1305");
}

/* No nonce of GCM serves twice, OpenSSL's and ours together. */
static struct {
	uint64_t nonce[20000];
	unsigned count;
} nonces;

static bool collects(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len)
{
	uint64_t n;

	if (from == 0 && nonces.count < 20000 && record_nonce((struct bytes){data, *len}, &n))
		nonces.nonce[nonces.count++] = n;
	return true;
}

static int compare(const void *x, const void *y)
{
	uint64_t m = *(const uint64_t *)x, n = *(const uint64_t *)y;

	return m < n ? -1 : m > n;
}

static void no_nonce_serves_twice(void **state)
{
	begin((struct links_options){0});
	nonces.count = 0;
	wire.pass = collects;
	come_up();
	for (unsigned i = 0; i < 1000; i++) {
		send_one(&a, i, 64);
		kit_turn(&a, &b, &wire);
	}
	assert_true(nonces.count >= 1000);
	qsort(nonces.nonce, nonces.count, sizeof(nonces.nonce[0]), compare);
	for (unsigned i = 1; i < nonces.count; i++)
		assert_true(nonces.nonce[i] != nonces.nonce[i - 1]);
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
		cmocka_unit_test(hellos_are_rationed),
		cmocka_unit_test(new_keys_lose_nothing),
		cmocka_unit_test(keys_get_old),
		cmocka_unit_test(either_end_renews),
		cmocka_unit_test(a_renewal_that_fails_is_told_and_stops_nothing),
		cmocka_unit_test(two_that_call_at_once_agree),
		cmocka_unit_test(who_was_refused_listens),
		cmocka_unit_test(a_silent_peer_is_down_and_comes_again),
		cmocka_unit_test(a_farewell_is_heard_at_once),
		cmocka_unit_test(a_peer_that_starts_anew_is_called),
		cmocka_unit_test(what_is_replayed_counts_once),
		cmocka_unit_test(what_is_reordered_comes),
		cmocka_unit_test(what_was_changed_is_forged),
		cmocka_unit_test(a_lossy_wire_comes_up_and_loses_what_it_loses),
		cmocka_unit_test(memory_that_is_not_there_is_a_lost_frame),
		cmocka_unit_test(a_peer_moves_once_it_answers_there),
		cmocka_unit_test(nobody_moves_a_peer_by_sending_on),
		cmocka_unit_test(what_passes_is_found),
		cmocka_unit_test(what_passes_no_longer_is_noticed),
		cmocka_unit_test(certificates_are_judged),
		cmocka_unit_test(a_caller_of_another_name_is_refused),
		cmocka_unit_test(fips_takes_gcm_alone),
		cmocka_unit_test(a_key_that_is_elsewhere_holds_nobody_up),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(a_flood_of_hellos_costs_no_memory),
		cmocka_unit_test(half_open_handshakes_are_bounded),
		cmocka_unit_test(records_are_openssls),
		cmocka_unit_test(no_nonce_serves_twice),
	};

	return cmocka_run_group_tests(tests, once, last);
}
