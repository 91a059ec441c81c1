/* The sealed link's datagrams: what somebody on the wire may try, and what a wire does by itself. */
#include "link_pair.h"

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
		cmocka_unit_test(what_is_replayed_counts_once),
		cmocka_unit_test(what_is_reordered_comes),
		cmocka_unit_test(what_was_changed_is_forged),
		cmocka_unit_test(a_lossy_wire_comes_up_and_loses_what_it_loses),
		cmocka_unit_test(memory_that_is_not_there_is_a_lost_frame),
		cmocka_unit_test(a_peer_moves_once_it_answers_there),
		cmocka_unit_test(nobody_moves_a_peer_by_sending_on),
		cmocka_unit_test(what_passes_is_found),
		cmocka_unit_test(what_passes_no_longer_is_noticed),
		cmocka_unit_test(records_are_openssls),
		cmocka_unit_test(no_nonce_serves_twice),
	};

	return cmocka_run_group_tests(tests, once, last);
}
