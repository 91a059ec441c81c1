/* Records of TLS 1.3 and 1.2 of our own, against OpenSSL's record layer, in both directions. */
#include "link_kit.h"

#include <openssl/err.h>

#include "seal/relay/traffic.h"

struct end {
	SSL *ssl;
	BIO *in, *out; /* its */
	struct traffic_secret client, server;
	struct traffic_watch watch;
};

static struct kit_issuer issuer;
static EVP_PKEY *key;
static X509 *leaf;

static void catch (const SSL *ssl, const char *line)
{
	struct end *e = SSL_get_app_data(ssl);
	struct traffic_secret *s = NULL;
	const char *hex = strrchr(line, ' ') + 1;

	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
		s = &e->client;
	if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
		s = &e->server;
	for (s ? s->len = 0 : 0; s && *hex; hex += 2) {
		unsigned v;

		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		s->secret[s->len++] = (uint8_t)v;
	}
}

static SSL_CTX *context(bool server, int version, const char *suite)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	assert_int_equal(version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(ctx, suite)
						   : SSL_CTX_set_cipher_list(ctx, suite),
			 1);
	SSL_CTX_set_keylog_callback(ctx, catch);
	if (server) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, leaf), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	}
	return ctx;
}

static void end_open(struct end *e, SSL_CTX *ctx, bool server)
{
	*e = (struct end){
		.ssl = SSL_new(ctx), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem())};
	SSL_set_bio(e->ssl, e->in, e->out);
	SSL_set_app_data(e->ssl, e);
	server ? SSL_set_accept_state(e->ssl) : SSL_set_connect_state(e->ssl);
}

/* What one wrote comes to the other, in pieces of `step`. */
static void carry(struct end *from, struct end *to, int step)
{
	uint8_t buf[4096];
	int n;

	while ((n = BIO_read(from->out, buf, step)) > 0) {
		traffic_watch(&from->watch, (struct bytes){buf, (size_t)n});
		assert_int_equal(BIO_write(to->in, buf, n), n);
	}
}

static void meet(struct end *client, struct end *server, int step)
{
	for (int i = 0; i < 8; i++) {
		SSL_do_handshake(client->ssl);
		carry(client, server, step);
		SSL_do_handshake(server->ssl);
		carry(server, client, step);
	}
	assert_true(SSL_is_init_finished(client->ssl) && SSL_is_init_finished(server->ssl));
	ERR_clear_error();
}

static void agree(struct end *e, bool server, int version, struct traffic **ret_seal,
		  struct traffic **ret_open)
{
	struct traffic_secret *seal = server ? &e->server : &e->client,
			      *open = server ? &e->client : &e->server;

	if (version == TLS1_3_VERSION) {
		seal->version = open->version = TLS1_3_VERSION;
		seal->suite = open->suite =
			SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(e->ssl));
	} else {
		assert_int_equal(traffic_agreed(e->ssl, &e->watch, seal, open), 0);
	}
	*ret_seal = traffic_new(seal, true);
	*ret_open = traffic_new(open, false);
	assert_true(*ret_seal && *ret_open);
}

/* What OpenSSL's other end writes is opened by us. */
static void expect(struct end *peer, struct traffic *open, const uint8_t *data, size_t len)
{
	uint8_t record[TRAFFIC_RECORD], clear[TRAFFIC_RECORD], type;
	int n = BIO_read(peer->out, record, sizeof(record));
	struct bytes exact = unit_exact(record, (size_t)n);
	size_t got;

	assert_int_equal(traffic_open(open, exact.data, exact.len, clear, &type, &got), 0);
	assert_int_equal(type, SSL3_RT_APPLICATION_DATA);
	assert_int_equal(got, len);
	assert_memory_equal(clear, data, len);
	free((void *)exact.data);
}

static void speak(struct end *peer, struct traffic *seal, struct traffic *open)
{
	static const size_t lens[] = {1, 15, 16, 1024, TRAFFIC_CONTENT};
	uint8_t data[TRAFFIC_CONTENT], back[TRAFFIC_CONTENT],
		record[TRAFFIC_CONTENT + TRAFFIC_OVER];

	for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(*lens); i++) {
		size_t len = lens[i / 2], n;

		memset(data, (int)i + 1, len);
		n = traffic_seal(seal, SSL3_RT_APPLICATION_DATA, data, len, record);
		assert_true(n > len);
		assert_int_equal(BIO_write(peer->in, record, (int)n), (int)n);
		assert_int_equal(SSL_read(peer->ssl, back, sizeof(back)), (int)len);
		assert_memory_equal(back, data, len);
		assert_int_equal(SSL_write(peer->ssl, data, (int)len), (int)len);
		expect(peer, open, data, len);
	}
}

/* Another process makes its keys of what the first one told. */
static void go_on(struct traffic **t, bool seal)
{
	struct traffic_secret s;

	traffic_state(*t, &s);
	traffic_free(*t);
	*t = traffic_new(&s, seal);
	assert_non_null(*t);
}

static void new_keys(struct end *peer, struct traffic *seal, struct traffic *open)
{
	static const uint8_t update[] = {24, 0, 0, 1, 0};
	uint8_t record[TRAFFIC_RECORD], clear[TRAFFIC_RECORD], type;
	size_t n = traffic_seal(seal, SSL3_RT_HANDSHAKE, update, sizeof(update), record), got;

	assert_int_equal(traffic_renew(seal), 0);
	assert_int_equal(BIO_write(peer->in, record, (int)n), (int)n);
	assert_int_equal(SSL_key_update(peer->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	assert_int_equal(SSL_do_handshake(peer->ssl), 1);
	n = (size_t)BIO_read(peer->out, record, sizeof(record));
	assert_int_equal(traffic_open(open, record, n, clear, &type, &got), 0);
	assert_int_equal(type, SSL3_RT_HANDSHAKE);
	assert_memory_equal(clear, update, sizeof(update));
	assert_int_equal(traffic_renew(open), 0);
}

static void as_one_end(bool server, int version, const char *suite, int step)
{
	SSL_CTX *cc = context(false, version, suite), *sc = context(true, version, suite);
	struct end c, s, *ours = server ? &s : &c, *peer = server ? &c : &s;
	struct traffic *seal, *open;

	end_open(&c, cc, false);
	end_open(&s, sc, true);
	meet(&c, &s, step);
	agree(ours, server, version, &seal, &open);
	speak(peer, seal, open);
	go_on(&seal, true);
	go_on(&open, false);
	speak(peer, seal, open);
	if (version == TLS1_3_VERSION) {
		new_keys(peer, seal, open);
		speak(peer, seal, open);
		go_on(&seal, true);
		go_on(&open, false);
		speak(peer, seal, open);
	}
	traffic_free(seal);
	traffic_free(open);
	SSL_free(c.ssl);
	SSL_free(s.ssl);
	SSL_CTX_free(cc);
	SSL_CTX_free(sc);
}

static void openssl_understands_every_suite(void **state)
{
	static const struct {
		int version;
		const char *suite;
	} suites[] = {
		{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
		{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
		{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
		{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
		{TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
		{TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
	};
	static const int steps[] = {1, 7, 4096};

	for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++)
		for (size_t k = 0; k < 3; k++) {
			as_one_end(false, suites[i].version, suites[i].suite, steps[k]);
			as_one_end(true, suites[i].version, suites[i].suite, steps[k]);
		}
}

/* --- what is not as it should be --------------------------------------------------- */

static const struct traffic_secret secrets[] = {
	{.version = TLS1_3_VERSION, .suite = 0x1301, .len = 32},
	{.version = TLS1_3_VERSION, .suite = 0x1302, .len = 48},
	{.version = TLS1_2_VERSION, .suite = 0xc02b, .len = 20},
	{.version = TLS1_2_VERSION, .suite = 0xcca9, .len = 44},
};

static int open_exact(struct traffic *t, const uint8_t *data, size_t len, uint8_t *ret_type,
		      size_t *ret_len)
{
	struct bytes exact = unit_exact(data, len);
	uint8_t *clear = malloc(len);
	int err = traffic_open(t, exact.data, len, clear, ret_type, ret_len);

	free(clear);
	free((void *)exact.data);
	return err;
}

static void what_was_changed_is_refused(void **state)
{
	uint8_t record[64], data[10] = "monitoring", type;
	size_t n, len;

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		struct traffic *seal = traffic_new(&secrets[i], true),
			       *open = traffic_new(&secrets[i], false);

		n = traffic_seal(seal, SSL3_RT_APPLICATION_DATA, data, sizeof(data), record);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			/* Of TLS 1.2's head the length is counted over, the rest authentic. */
			if (bit / 8 == 3 || bit / 8 == 4)
				continue;
			record[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(open_exact(open, record, n, &type, &len) < 0);
			record[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t cut = 5; cut < n; cut++)
			assert_true(open_exact(open, record, cut, &type, &len) < 0);
		assert_int_equal(open_exact(open, record, n, &type, &len), 0);
		assert_int_equal(open_exact(open, record, n, &type, &len), -EBADMSG); /* again */
		traffic_free(seal);
		traffic_free(open);
	}
}

static void a_record_has_a_type_and_a_length(void **state)
{
	struct traffic *seal = traffic_new(&secrets[0], true),
		       *open = traffic_new(&secrets[0], false);
	static uint8_t zeros[TRAFFIC_CONTENT + 64], record[sizeof(zeros) + TRAFFIC_OVER];
	uint8_t type;
	size_t n, len;

	/* Padding is passed over. */
	n = traffic_seal(seal, 0, (const uint8_t *)"ab\x17\0\0", 5, record);
	assert_int_equal(open_exact(open, record, n, &type, &len), 0);
	assert_int_equal(type, SSL3_RT_APPLICATION_DATA);
	assert_int_equal(len, 2);
	/* … but not where nothing else is there. */
	n = traffic_seal(seal, 0, zeros, 100, record);
	assert_int_equal(open_exact(open, record, n, &type, &len), -EPROTO);
	n = traffic_seal(seal, SSL3_RT_APPLICATION_DATA, zeros, TRAFFIC_CONTENT + 1, record);
	assert_int_equal(open_exact(open, record, n, &type, &len), -EMSGSIZE);
	traffic_free(seal);
	traffic_free(open);
}

static void a_secret_that_is_none(void **state)
{
	struct traffic_secret s = secrets[0];

	s.suite = 0x1304;
	assert_null(traffic_new(&s, true));
	assert_int_equal(errno, ENOTSUP);
	s = secrets[0];
	s.len = 48;
	assert_null(traffic_new(&s, true));
	assert_int_equal(errno, EINVAL);
	s = secrets[0];
	s.version = TLS1_2_VERSION;
	assert_null(traffic_new(&s, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_understands_every_suite),
		cmocka_unit_test(what_was_changed_is_refused),
		cmocka_unit_test(a_record_has_a_type_and_a_length),
		cmocka_unit_test(a_secret_that_is_none),
	};
	int failed;

	kit_issuer_new(&issuer, "test");
	key = kit_key();
	leaf = kit_certificate(&issuer, key, "gw.example", -DAY, DAY, "serverAuth,clientAuth");
	failed = cmocka_run_group_tests_name("traffic", tests, NULL, NULL);
	X509_free(leaf);
	EVP_PKEY_free(key);
	kit_issuer_free(&issuer);
	return failed;
}
