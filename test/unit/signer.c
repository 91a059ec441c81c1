#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "seal/pki/signer.h"

/* Who has the key. */
struct holder_of {
	struct p256 *key;
	unsigned asked;
	int answer;  /* instead of a signature */
	bool pauses; /* the first time it is asked */
};

static int sign(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	struct holder_of *h = arg;

	h->asked++;
	if (h->pauses) {
		assert_non_null(ASYNC_get_current_job());
		ASYNC_pause_job();
	}
	return h->answer ? h->answer : p256_sign(h->key, digest, ret_sign);
}

static struct holder_of holder_new(uint8_t first)
{
	uint8_t seed[CRYPTO_KEY] = {first};
	struct holder_of h = {.key = p256_new(seed)};

	assert_non_null(h.key);
	return h;
}

static EVP_PKEY *key_of(struct holder_of *h)
{
	uint8_t point[P256_POINT];
	EVP_PKEY *key;

	p256_public(h->key, point);
	key = signer_new(point, sign, h);
	assert_non_null(key);
	return key;
}

static X509 *certificate_of(struct holder_of *h, EVP_PKEY *key)
{
	X509 *x = X509_new();
	uint8_t point[P256_POINT];
	EVP_PKEY *public;

	p256_public(h->key, point);
	public = signer_public(point);
	assert_non_null(public);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"gateway", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_int_equal(X509_set_pubkey(x, public), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(X509_verify(x, public), 1);
	EVP_PKEY_free(public);
	return x;
}

static void the_seed_makes_the_key(void **state)
{
	static const uint8_t digest[CRYPTO_HASH] = {1, 2, 3};
	struct holder_of a = holder_new(1), b = holder_new(1), c = holder_new(2);
	uint8_t p[P256_POINT], q[P256_POINT], r[P256_POINT], raw[P256_SIGN], der[P256_SIGN_DER];
	EVP_PKEY *public;
	EVP_PKEY_CTX *check;
	size_t len;

	p256_public(a.key, p);
	p256_public(b.key, q);
	p256_public(c.key, r);
	assert_memory_equal(p, q, sizeof(p));
	assert_memory_not_equal(p, r, sizeof(p));
	assert_int_equal(p256_sign(a.key, digest, raw), 0);
	len = p256_der(raw, der);
	assert_true(len > 0);
	public = signer_public(p);
	check = EVP_PKEY_CTX_new(public, NULL);
	assert_int_equal(EVP_PKEY_verify_init(check), 1);
	assert_int_equal(EVP_PKEY_verify(check, der, len, digest, sizeof(digest)), 1);
	der[len - 1] ^= 1;
	assert_int_not_equal(EVP_PKEY_verify(check, der, len, digest, sizeof(digest)), 1);
	memset(raw, 0, 32);
	assert_int_equal(p256_der(raw, der), 0);
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_free(public);
	p256_free(a.key);
	p256_free(b.key);
	p256_free(c.key);
}

static void it_signs_certificates_and_requests(void **state)
{
	struct holder_of h = holder_new(3), other = holder_new(4);
	EVP_PKEY *key = key_of(&h), *wrong = key_of(&other);
	X509 *x = certificate_of(&h, key);
	X509_REQ *r = X509_REQ_new();
	EVP_PKEY *public = X509_get_pubkey(x);

	assert_int_equal(X509_check_private_key(x, key), 1);
	assert_int_equal(X509_check_private_key(x, wrong), 0);
	assert_int_equal(X509_REQ_set_pubkey(r, public), 1);
	assert_true(X509_REQ_sign(r, key, EVP_sha256()) > 0);
	assert_int_equal(X509_REQ_verify(r, public), 1);
	h.answer = -EACCES;
	assert_true(X509_REQ_sign(r, key, EVP_sha256()) <= 0);
	ERR_clear_error();
	EVP_PKEY_free(public);
	X509_REQ_free(r);
	X509_free(x);
	EVP_PKEY_free(key);
	EVP_PKEY_free(wrong);
	p256_free(h.key);
	p256_free(other.key);
}

static void it_stays_where_it_is(void **state)
{
	struct holder_of h = holder_new(5);
	EVP_PKEY *key = key_of(&h);
	uint8_t point[P256_POINT], *der = NULL;
	EVP_KEYMGMT *ec = EVP_KEYMGMT_fetch(NULL, "EC", NULL);

	/* Nobody else's "EC" is ours. */
	assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KEYMGMT_get0_provider(ec)), "default");
	EVP_KEYMGMT_free(ec);
	assert_true(i2d_PrivateKey(key, &der) <= 0);
	assert_null(der);
	ERR_clear_error();
	memset(point, 9, sizeof(point)); /* no point of the curve */
	assert_null(signer_new(point, sign, &h));
	assert_int_equal(errno, EINVAL);
	assert_null(signer_public(point));
	ERR_clear_error();
	EVP_PKEY_free(key);
	p256_free(h.key);
}

static SSL_CTX *context_of(const SSL_METHOD *method, EVP_PKEY *key, X509 *own, X509 *theirs)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	assert_int_equal(SSL_CTX_use_certificate(ctx, own), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	assert_int_equal(SSL_CTX_check_private_key(ctx), 1);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), theirs);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return ctx;
}

struct pair {
	SSL *end[2];
	int fds[2];
};

static void udp_pair(int ret_fds[2])
{
	struct sockaddr_in at[2];
	socklen_t len = sizeof(at[0]);

	for (int i = 0; i < 2; i++) {
		at[i] = (struct sockaddr_in){.sin_family = AF_INET,
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		ret_fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		assert_int_equal(bind(ret_fds[i], (struct sockaddr *)&at[i], len), 0);
		assert_int_equal(getsockname(ret_fds[i], (struct sockaddr *)&at[i], &len), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect(ret_fds[i], (struct sockaddr *)&at[!i], len), 0);
}

static struct pair pair_new(SSL_CTX *client, SSL_CTX *server, bool datagrams)
{
	struct pair p = {{SSL_new(client), SSL_new(server)}, {-1, -1}};

	if (datagrams)
		udp_pair(p.fds);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fds), 0);
	for (int i = 0; i < 2; i++) {
		BIO *bio = datagrams ? BIO_new_dgram(p.fds[i], BIO_NOCLOSE)
				     : BIO_new_socket(p.fds[i], BIO_NOCLOSE);

		SSL_set_bio(p.end[i], bio, bio);
		if (datagrams) {
			struct sockaddr_in to;
			socklen_t len = sizeof(to);

			getpeername(p.fds[i], (struct sockaddr *)&to, &len);
			BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
			SSL_set_options(p.end[i], SSL_OP_NO_QUERY_MTU);
			SSL_set_mtu(p.end[i], 1400);
		}
	}
	SSL_set_connect_state(p.end[0]);
	SSL_set_accept_state(p.end[1]);
	return p;
}

/* How often an end stood still for its signature; -1 where they come to nothing. */
static int shake(struct pair *p)
{
	int r[2] = {0, 0}, paused = 0;

	for (int round = 0; round < 50 && (r[0] != 1 || r[1] != 1); round++)
		for (int i = 0; i < 2; i++) {
			int why;

			r[i] = SSL_do_handshake(p->end[i]);
			why = SSL_get_error(p->end[i], r[i]);
			if (why == SSL_ERROR_WANT_ASYNC)
				paused++;
			else if (r[i] != 1 && why != SSL_ERROR_WANT_READ)
				return -1;
		}
	return r[0] == 1 && r[1] == 1 ? paused : -1;
}

static void pair_free(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		SSL_free(p->end[i]);
		close(p->fds[i]);
	}
	ERR_clear_error();
}

static void try_version(int version, const SSL_METHOD *method, bool datagrams)
{
	struct holder_of h[2] = {holder_new(6), holder_new(7)};
	EVP_PKEY *key[2] = {key_of(&h[0]), key_of(&h[1])};
	X509 *x[2] = {certificate_of(&h[0], key[0]), certificate_of(&h[1], key[1])};
	SSL_CTX *ctx[2] = {context_of(method, key[0], x[0], x[1]),
			   context_of(method, key[1], x[1], x[0])};
	struct pair p;

	for (int i = 0; i < 2; i++) {
		assert_int_equal(SSL_CTX_set_min_proto_version(ctx[i], version), 1);
		assert_int_equal(SSL_CTX_set_max_proto_version(ctx[i], version), 1);
		h[i].asked = 0;
	}
	p = pair_new(ctx[0], ctx[1], datagrams);
	assert_int_equal(shake(&p), 0);
	assert_int_equal(SSL_version(p.end[0]), version);
	assert_int_equal(SSL_get_verify_result(p.end[0]), X509_V_OK);
	assert_int_equal(SSL_get_verify_result(p.end[1]), X509_V_OK);
	assert_int_equal(h[0].asked, 1);
	assert_int_equal(h[1].asked, 1);
	pair_free(&p);

	/* Both wait for their keys without holding anybody up. */
	if (!datagrams) {
		p = pair_new(ctx[0], ctx[1], false);
		for (int i = 0; i < 2; i++) {
			SSL_set_mode(p.end[i], SSL_MODE_ASYNC);
			h[i].pauses = true;
		}
		assert_int_equal(shake(&p), 2);
		pair_free(&p);
		h[0].pauses = h[1].pauses = false;
	}

	/* Whoever has the key refuses. */
	h[1].answer = -EACCES;
	p = pair_new(ctx[0], ctx[1], datagrams);
	assert_int_equal(shake(&p), -1);
	pair_free(&p);
	for (int i = 0; i < 2; i++) {
		SSL_CTX_free(ctx[i]);
		X509_free(x[i]);
		EVP_PKEY_free(key[i]);
		p256_free(h[i].key);
	}
}

static void tls_1_3(void **state)
{
	try_version(TLS1_3_VERSION, TLS_method(), false);
}

static void tls_1_2(void **state)
{
	try_version(TLS1_2_VERSION, TLS_method(), false);
}

static void dtls_1_2(void **state)
{
	try_version(DTLS1_2_VERSION, DTLS_method(), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_seed_makes_the_key),
		cmocka_unit_test(it_signs_certificates_and_requests),
		cmocka_unit_test(it_stays_where_it_is),
		cmocka_unit_test(tls_1_3),
		cmocka_unit_test(tls_1_2),
		cmocka_unit_test(dtls_1_2),
	};

	return cmocka_run_group_tests_name("signer", tests, NULL, NULL);
}
