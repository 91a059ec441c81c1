/* `crypto: fips`: what is offered, accepted and kept. In a process of its own, as it cannot be undone. */
#include "link_kit.h"

#include <sys/wait.h>

#include <openssl/err.h>

#include "base/cipher.h"
#include "base/config.h"
#include "base/fips.h"
#include "base/fips_curl.h"
#include "people/auth/password.h"
#include "people/console/self.h"

#define BOTH "serverAuth,clientAuth"

static struct kit_issuer issuer;
static struct trust *trust;
static EVP_PKEY *key;
static X509 *certificate;
static uint8_t old_record[PASSWORD_RECORD];

static SSL_CTX *context(bool server, bool datagram, bool tls12)
{
	struct tls_options o = {.server = server,
				.datagram = datagram,
				.tls12 = tls12,
				.mutual = true,
				.key = key,
				.trust = trust};
	char error[TLS_ERROR] = "";
	SSL_CTX *ctx;

	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, certificate);
	ctx = tls_context_new(&o, error);
	sk_X509_free(o.chain);
	assert_string_equal(error, "");
	return ctx;
}

/* A handshake in memory. NULL: it came to nothing; else the cipher that it agreed on. */
static const char *shake(SSL_CTX *client, SSL_CTX *server, struct tls_peer *ret_client)
{
	SSL *c = SSL_new(client), *s = SSL_new(server);
	struct tls_peer of_client = {0}, of_server = {0};
	BIO *one, *two;
	const char *name = NULL;
	bool done = false;

	assert_int_equal(BIO_new_bio_pair(&one, 0, &two, 0), 1);
	SSL_set_bio(c, one, one);
	SSL_set_bio(s, two, two);
	SSL_set_connect_state(c);
	SSL_set_accept_state(s);
	tls_peer_attach(c, &of_server);
	tls_peer_attach(s, &of_client);
	for (unsigned i = 0; i < 20 && !done; i++) {
		int x = SSL_do_handshake(c), y = SSL_do_handshake(s);

		done = x == 1 && y == 1;
	}
	if (done)
		name = SSL_get_cipher_name(c);
	if (ret_client)
		*ret_client = of_client;
	ERR_clear_error();
	tls_peer_attach(c, NULL);
	tls_peer_attach(s, NULL);
	SSL_free(c);
	SSL_free(s);
	return name;
}

static SSL_CTX *stock(const char *suites, const char *list, const char *groups, EVP_PKEY *k,
		      X509 *x)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	assert_int_equal(SSL_CTX_set_ciphersuites(c, suites), 1);
	if (list) {
		assert_int_equal(SSL_CTX_set_cipher_list(c, list), 1);
		assert_int_equal(SSL_CTX_set_max_proto_version(c, TLS1_2_VERSION), 1);
	}
	if (groups)
		assert_int_equal(SSL_CTX_set1_groups_list(c, groups), 1);
	assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c, k), 1);
	return c;
}

/* What our server makes of such a client. */
static bool takes(const char *suites, const char *list, const char *groups)
{
	SSL_CTX *server = context(true, false, list != NULL);
	SSL_CTX *client = stock(suites, list, groups, key, certificate);
	bool taken = shake(client, server, NULL) != NULL;

	SSL_CTX_free(server);
	SSL_CTX_free(client);
	return taken;
}

static bool offers(SSL_CTX *ctx, const char *word)
{
	STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++)
		if (strstr(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(list, i)), word))
			return true;
	return false;
}

/* Whether somebody who has such a key, and a certificate of the clinic's, is let in. */
static bool believes(EVP_PKEY *theirs)
{
	X509 *x = kit_certificate(&issuer, theirs, "pump.example", -DAY, DAY, BOTH);
	SSL_CTX *server = context(true, false, false);
	SSL_CTX *client = stock("TLS_AES_128_GCM_SHA256", NULL, NULL, theirs, x);
	bool good = shake(client, server, NULL) != NULL;

	SSL_CTX_free(client);
	SSL_CTX_free(server);
	X509_free(x);
	return good;
}

static bool believes_kind(EVP_PKEY *fresh)
{
	bool good = believes(fresh);

	EVP_PKEY_free(fresh);
	return good;
}

#define GCM    "TLS_AES_128_GCM_SHA256"
#define CHACHA "TLS_CHACHA20_POLY1305_SHA256"

/* First without, so that it is known that each test sees the difference. */
static void without_it_more_is_taken(void **state)
{
	SSL_CTX *d = context(false, true, false);

	assert_false(fips_on());
	assert_true(takes(CHACHA, NULL, NULL));
	assert_true(takes(GCM, NULL, "X25519"));
	assert_true(takes(GCM, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL));
	assert_true(offers(d, "CHACHA20"));
	SSL_CTX_free(d);
	/* Each kind that seal/pki/library.c leaves, and none that it does not. */
	assert_true(believes(key));
	assert_true(believes_kind(EVP_EC_gen("P-384")));
	assert_true(believes_kind(EVP_RSA_gen(2048)));
	assert_true(believes_kind(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")));
	assert_false(believes_kind(EVP_PKEY_Q_keygen(NULL, NULL, "ED448")));
	assert_int_equal(password_hash("a long enough one", crypto_random, old_record), 0);
	assert_int_equal(old_record[0], 1);
}

static void approved_suites_and_groups_alone(void **state)
{
	SSL_CTX *d = context(false, true, false), *t = context(false, false, true);

	assert_true(takes(GCM, NULL, NULL));
	assert_true(takes("TLS_AES_256_GCM_SHA384", NULL, "P-384"));
	assert_true(takes(GCM, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-256"));
	assert_false(takes(CHACHA, NULL, NULL));
	assert_false(takes(GCM, NULL, "X25519"));
	assert_false(takes(GCM, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL));
	assert_false(takes(GCM, "ECDHE-ECDSA-AES128-SHA256", NULL));
	assert_false(offers(d, "CHACHA20") || offers(t, "CHACHA20"));
	assert_true(offers(d, "AES256-GCM") && offers(t, "AES256-GCM"));
	assert_false(offers(d, "AES128-SHA") || offers(t, "AES128-SHA"));
	SSL_CTX_free(d);
	SSL_CTX_free(t);
}

static void the_consoles_context_is_narrowed_too(void **state)
{
	SSL_CTX *server = self_context(key, certificate, NULL), *client;

	assert_non_null(server);
	client = stock(CHACHA, NULL, NULL, key, certificate);
	assert_null(shake(client, server, NULL));
	SSL_CTX_free(client);
	client = stock(GCM, NULL, NULL, key, certificate);
	assert_non_null(shake(client, server, NULL));
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

/* A certificate of somebody who has a key of another kind, by an issuer that is trusted. */
static void keys_of_other_kinds_are_not_believed(void **state)
{
	EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *rsa = EVP_RSA_gen(2048);
	EVP_PKEY *weak = EVP_RSA_gen(1024), *koblitz = EVP_EC_gen("secp256k1");
	EVP_PKEY *large = EVP_EC_gen("P-384");

	assert_true(fips_key(rsa) && fips_key(key) && fips_key(large));
	assert_false(fips_key(odd) || fips_key(weak) || fips_key(koblitz) || fips_key(NULL));
	assert_true(believes(rsa) && believes(large));
	assert_false(believes(odd));
	EVP_PKEY_free(odd);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(koblitz);
	EVP_PKEY_free(large);
}

/* The one who signs with P-256 is not believed either where an issuer of Ed25519 vouches for it. */
static void nor_are_issuers_of_other_kinds(void **state)
{
	struct kit_issuer odd = {.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	struct trust *both = trust_new();
	struct tls_options o = {.server = true, .mutual = true, .key = key, .trust = both};
	struct tls_peer p;
	char error[TLS_ERROR];
	SSL_CTX *server, *client;
	uint8_t *der = NULL;
	X509 *x;
	int len;

	/* kit_certificate() signs with SHA-256, which Ed25519 has no use for. */
	odd.certificate = X509_new();
	X509_set_version(odd.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(odd.certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(odd.certificate), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(odd.certificate), DAY);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(odd.certificate), "CN", MBSTRING_ASC,
				   (const uint8_t *)"odd", -1, -1, 0);
	X509_set_issuer_name(odd.certificate, X509_get_subject_name(odd.certificate));
	X509_set_pubkey(odd.certificate, odd.key);
	kit_extend(odd.certificate, odd.certificate, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(odd.certificate, odd.key, NULL) > 0);
	x = X509_dup(certificate);
	X509_set_issuer_name(x, X509_get_subject_name(odd.certificate));
	assert_true(X509_sign(x, odd.key, NULL) > 0);
	len = i2d_X509(odd.certificate, &der);
	assert_int_equal(trust_add(both, (struct bytes){der, (size_t)len}), 1);
	OPENSSL_free(der);
	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, certificate);
	server = tls_context_new(&o, error);
	assert_non_null(server);
	client = stock(GCM, NULL, NULL, key, x);
	assert_null(shake(client, server, &p));
	assert_int_equal(p.refused, REASON_RELAY_WEAK);
	sk_X509_free(o.chain);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	trust_free(both);
	X509_free(x);
	kit_issuer_free(&odd);
}

static void passwords_are_kept_by_pbkdf2(void **state)
{
	uint8_t record[PASSWORD_RECORD];
	struct bytes now = {record, sizeof(record)}, then = {old_record, sizeof(old_record)};

	assert_int_equal(password_hash("a long enough one", crypto_random, record), 0);
	assert_int_equal(record[0], 2);
	assert_int_equal(password_verify("a long enough one", now), 0);
	assert_int_equal(password_verify("a long enough one.", now), -EACCES);
	/* Nobody is locked out by the change. */
	assert_int_equal(password_verify("a long enough one", then), 0);
	assert_int_equal(password_verify("another one", then), -EACCES);
	record[5] = 0xff; /* too many passes to be ours */
	assert_int_equal(password_verify("a long enough one", now), -EBADMSG);
	password_waste("whatever");
}

static void what_cannot_be_is_refused_by_the_policy(void **state)
{
	static const char segment[] = "segments: [{name: icu, ward: w, hospital: h}]\n";
	static const char *const gateways[] = {
		"gateway: {crypto: fips, key_holder: tpm2}\n",
		"gateway: {crypto: fips, key_holder: passphrase}\n",
		"gateway: {crypto: best}\n",
	};
	struct config_error errors[8];

	for (unsigned i = 0; i < 3; i++) {
		char text[256];
		size_t count;
		struct bytes in;
		struct config *c;

		snprintf(text, sizeof(text), "%s%s", gateways[i], segment);
		in = unit_exact(text, strlen(text));
		c = config_parse("test.yaml", in, errors, 8, &count);
		free((void *)in.data);
		if (i == 0) {
			assert_non_null(c);
			assert_string_equal(c->gateway.crypto, "fips");
		} else {
			assert_null(c);
			assert_int_equal(count, 1);
		}
		if (i == 1)
			assert_non_null(strstr(errors[0].text, "Argon2id"));
		if (i == 2)
			assert_non_null(strstr(errors[0].text, "any or fips"));
		config_free(c);
	}
}

/* In a process that did nothing before, as every role's is: what is not there takes nothing away. */
static int in_a_fresh_process;

static int try_afresh(void)
{
	uint8_t hash[CRYPTO_HASH];
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		fips_begin();
		_exit(crypto_sha256((struct bytes){(const uint8_t *)"x", 1}, hash) == 0 &&
				      cipher_new()
			      ? 0
			      : 1);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void algorithms_are_there(void **state)
{
	assert_int_equal(in_a_fresh_process, 0);
}

static int once(void **state)
{
	kit_issuer_new(&issuer, "clinic");
	trust = kit_trust(&issuer, NULL);
	key = kit_key();
	certificate = kit_certificate(&issuer, key, "gateway.example", -DAY, DAY, BOTH);
	return 0;
}

static int last(void **state)
{
	EVP_PKEY_free(key);
	X509_free(certificate);
	trust_free(trust);
	kit_issuer_free(&issuer);
	return 0;
}

static int turn_on(void **state)
{
	setenv(FIPS_ENV, "fips", 1);
	fips_inherit();
	return fips_on() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algorithms_are_there),
		cmocka_unit_test(without_it_more_is_taken),
		cmocka_unit_test_setup(approved_suites_and_groups_alone, turn_on),
		cmocka_unit_test(the_consoles_context_is_narrowed_too),
		cmocka_unit_test(keys_of_other_kinds_are_not_believed),
		cmocka_unit_test(nor_are_issuers_of_other_kinds),
		cmocka_unit_test(passwords_are_kept_by_pbkdf2),
		cmocka_unit_test(what_cannot_be_is_refused_by_the_policy),
	};

	in_a_fresh_process = try_afresh();
	return cmocka_run_group_tests(tests, once, last);
}
