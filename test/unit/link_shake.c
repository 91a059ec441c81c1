/* The sealed link's handshakes: whom it believes, and what those cost who never finish. */
#include "link_pair.h"

#include <openssl/async.h>

#include "seal/pki/signer.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_are_rationed),
		cmocka_unit_test(certificates_are_judged),
		cmocka_unit_test(a_caller_of_another_name_is_refused),
		cmocka_unit_test(fips_takes_gcm_alone),
		cmocka_unit_test(a_key_that_is_elsewhere_holds_nobody_up),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(a_flood_of_hellos_costs_no_memory),
		cmocka_unit_test(half_open_handshakes_are_bounded),
	};

	return cmocka_run_group_tests(tests, once, last);
}
