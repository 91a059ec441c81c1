#include "seal/pki/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/fips.h"
#include "seal/pki/library.h"

#define CIPHERS_13 "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Gateways among themselves: their certificates are of P-256 or P-384. */
#define CIPHERS_DTLS                                                   \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"
#define SIGALGS                                                                      \
	"ECDSA+SHA256:ECDSA+SHA384:ed25519:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:" \
	"rsa_pss_pss_sha256:RSA+SHA256:RSA+SHA384"

/* --- issuers ---------------------------------------------------------------- */

struct trust {
	STACK_OF(X509) * certs;
	STACK_OF(X509_CRL) * crls;
};

struct trust *trust_new(void)
{
	struct trust *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->certs = sk_X509_new_null();
	t->crls = sk_X509_CRL_new_null();
	if (t->certs && t->crls)
		return t;
	trust_free(t);
	errno = ENOMEM;
	return NULL;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	sk_X509_pop_free(t->certs, X509_free);
	sk_X509_CRL_pop_free(t->crls, X509_CRL_free);
	free(t);
}

unsigned trust_count(const struct trust *t)
{
	return (unsigned)sk_X509_num(t->certs);
}

static int keep(struct trust *t, X509 *x, X509_CRL *crl)
{
	if (sk_X509_num(t->certs) + sk_X509_CRL_num(t->crls) >= TRUST_MAX)
		goto full;
	if (x && sk_X509_push(t->certs, x) > 0)
		return 1;
	if (crl && sk_X509_CRL_push(t->crls, crl) > 0)
		return 1;
full:
	X509_free(x);
	X509_CRL_free(crl);
	return -E2BIG;
}

static int add_der(struct trust *t, struct bytes der)
{
	const uint8_t *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	X509_CRL *crl = NULL;

	if (!x) {
		p = der.data;
		crl = d2i_X509_CRL(NULL, &p, (long)der.len);
	}
	ERR_clear_error();
	if ((!x && !crl) || p != der.data + der.len) {
		X509_free(x);
		X509_CRL_free(crl);
		return -EBADMSG;
	}
	return keep(t, x, crl);
}

static int add_pem(struct trust *t, struct bytes text)
{
	BIO *in = BIO_new_mem_buf(text.data, (int)text.len);
	STACK_OF(X509_INFO) *list = in ? PEM_X509_INFO_read_bio(in, NULL, NULL, NULL) : NULL;
	int count = list ? 0 : -EBADMSG;

	for (int i = 0; count >= 0 && i < sk_X509_INFO_num(list); i++) {
		X509_INFO *info = sk_X509_INFO_value(list, i);

		if (info->x509)
			count = keep(t, info->x509, NULL) < 0 ? -E2BIG : count + 1;
		info->x509 = NULL;
		if (count >= 0 && info->crl) {
			count = keep(t, NULL, info->crl) < 0 ? -E2BIG : count + 1;
			info->crl = NULL;
		}
	}
	sk_X509_INFO_pop_free(list, X509_INFO_free);
	BIO_free(in);
	ERR_clear_error();
	return count;
}

int trust_add(struct trust *t, struct bytes text)
{
	int n;

	if (!text.len || text.len > 4u << 20)
		return -EBADMSG;
	if (text.data[0] == 0x30)
		return add_der(t, text);
	n = add_pem(t, text);
	return n == 0 ? -EBADMSG : n;
}

/* --- times, pins ------------------------------------------------------------ */

uint64_t tls_time(const ASN1_TIME *t)
{
	struct tm tm;
	time_t s;

	if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	s = timegm(&tm);
	return s > 0 ? (uint64_t)s : 0;
}

int tls_pin(X509 *x, uint8_t ret_pin[CRYPTO_HASH])
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der), err;

	if (len <= 0)
		return -EIO;
	err = crypto_sha256((struct bytes){der, (size_t)len}, ret_pin);
	OPENSSL_free(der);
	return err;
}

/* --- what a context believes ------------------------------------------------- */

/*
 * A chain that was believed a moment ago is believed again without verifying its
 * signatures: whoever connects anew for each message shows the same one. A new list of
 * what is revoked comes with a new context, which knows none.
 */
#define KNOWN	 64
#define KNOWN_NS (60 * NSEC_PER_SEC)

struct known {
	uint8_t print[CRYPTO_HASH];
	uint64_t until_ns; /* monotonic; 0: free */
};

struct belief {
	struct known known[KNOWN];
	bool late_ok, pins_only;
	unsigned name_count, pin_count;
	char **names;
	uint8_t (*pins)[CRYPTO_HASH];
};

static void belief_free(struct belief *b)
{
	if (!b)
		return;
	for (unsigned i = 0; b->names && i < b->name_count; i++)
		free(b->names[i]);
	free(b->names);
	free(b->pins);
	free(b);
}

static struct belief *belief_new(const struct tls_options *o)
{
	struct belief *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->late_ok = o->late_ok;
	b->pins_only = !o->trust;
	b->names = calloc(o->name_count + 1, sizeof(*b->names));
	b->pins = calloc(o->pin_count + 1, CRYPTO_HASH);
	if (!b->names || !b->pins)
		goto fail;
	for (; b->name_count < o->name_count; b->name_count++)
		if (!(b->names[b->name_count] = strdup(o->names[b->name_count])))
			goto fail;
	if (o->pin_count)
		memcpy(b->pins, o->pins, (size_t)o->pin_count * CRYPTO_HASH);
	b->pin_count = o->pin_count;
	return b;
fail:
	belief_free(b);
	return NULL;
}

/* Where an SSL has its peer, and a context what it believes. */
static int peer_index = -1, belief_index = -1;

static void belief_gone(void *parent, void *data, CRYPTO_EX_DATA *ad, int index, long argl,
			void *argp)
{
	belief_free(data);
}

static void make_indexes(void)
{
	peer_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	belief_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, belief_gone);
}

static void indexes(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_indexes);
}

void tls_peer_attach(SSL *ssl, struct tls_peer *p)
{
	indexes();
	SSL_set_ex_data(ssl, peer_index, p);
}

/* --- judging a peer ---------------------------------------------------------- */

static enum reason reason_of(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return REASON_RELAY_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return REASON_RELAY_EARLY;
	case X509_V_ERR_CERT_REVOKED:
		return REASON_RELAY_REVOKED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return REASON_RELAY_NAME;
	case X509_V_ERR_INVALID_PURPOSE:
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		return REASON_RELAY_USAGE;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
	case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
		return REASON_RELAY_WEAK;
	default:
		return REASON_RELAY_UNTRUSTED;
	}
}

void tls_name(X509 *x, char *ret_text, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	X509_NAME_ENTRY *cn;
	int at;

	*ret_text = 0;
	for (int i = 0; !*ret_text && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type == GEN_DNS)
			snprintf(ret_text, size, "%.*s", ASN1_STRING_length(n->d.dNSName),
				 (const char *)ASN1_STRING_get0_data(n->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	at = X509_NAME_get_index_by_NID(X509_get_subject_name(x), NID_commonName, -1);
	cn = at >= 0 ? X509_NAME_get_entry(X509_get_subject_name(x), at) : NULL;
	if (!*ret_text && cn)
		snprintf(ret_text, size, "%.*s", ASN1_STRING_length(X509_NAME_ENTRY_get_data(cn)),
			 (const char *)ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(cn)));
}

/* RFC 9525: by subjectAltName alone. */
static bool has_name(const struct belief *b, X509 *x)
{
	for (unsigned i = 0; i < b->name_count; i++)
		if (X509_check_host(x, b->names[i], 0,
				    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
					    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
				    NULL) == 1 ||
		    X509_check_ip_asc(x, b->names[i], 0) == 1)
			return true;
	return b->name_count == 0;
}

static bool has_pin(const struct belief *b, X509 *x)
{
	uint8_t pin[CRYPTO_HASH];

	if (!b->pin_count)
		return true;
	if (tls_pin(x, pin) < 0)
		return false;
	for (unsigned i = 0; i < b->pin_count; i++)
		if (crypto_equal(pin, b->pins[i], CRYPTO_HASH))
			return true;
	return false;
}

/* Each thing wrong with a chain on its own: one that ran out may be let pass. */
static int judge_step(int ok, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *p = SSL_get_ex_data(ssl, peer_index);
	const struct belief *b = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), belief_index);

	/* Of an issuer that gave no list, nothing is revoked. */
	if (!ok && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNABLE_TO_GET_CRL) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	if (ok || reason_of(X509_STORE_CTX_get_error(ctx)) != REASON_RELAY_EXPIRED || !b->late_ok)
		return ok;
	if (p)
		p->late = REASON_RELAY_EXPIRED;
	X509_STORE_CTX_set_error(ctx, X509_V_OK);
	return 1;
}

/* Known by its key alone: its time counts all the same. */
static bool judge_dates(const struct belief *b, struct tls_peer *p, X509 *x, X509_STORE_CTX *ctx)
{
	int early = X509_cmp_current_time(X509_get0_notBefore(x));
	int late = X509_cmp_current_time(X509_get0_notAfter(x));

	if (early >= 0)
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_NOT_YET_VALID);
	else if (late <= 0 && !b->late_ok)
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_HAS_EXPIRED);
	else if (late <= 0 && p)
		p->late = REASON_RELAY_EXPIRED;
	if (!fips_key(X509_get0_pubkey(x))) {
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_EE_KEY_TOO_SMALL);
		return false;
	}
	return early < 0 && (late > 0 || b->late_ok);
}

/* Of everything that was shown. */
static bool print_of(X509_STORE_CTX *ctx, X509 *x, uint8_t ret_print[CRYPTO_HASH])
{
	STACK_OF(X509) *more = X509_STORE_CTX_get0_untrusted(ctx);
	uint8_t prints[12][CRYPTO_HASH];
	unsigned n = 0;

	if (sk_X509_num(more) > 10 || X509_digest(x, EVP_sha256(), prints[n++], NULL) != 1)
		return false;
	for (int i = 0; i < sk_X509_num(more); i++)
		if (X509_digest(sk_X509_value(more, i), EVP_sha256(), prints[n++], NULL) != 1)
			return false;
	return crypto_sha256((struct bytes){prints[0], n * CRYPTO_HASH}, ret_print) == 0;
}

/* With `crypto: fips`: all of a chain that verified. */
static bool keys_approved(X509_STORE_CTX *ctx)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	for (int i = 0; i < sk_X509_num(chain); i++)
		if (!fips_key(X509_get0_pubkey(sk_X509_value(chain, i)))) {
			X509_STORE_CTX_set_error(ctx, i ? X509_V_ERR_CA_KEY_TOO_SMALL
							: X509_V_ERR_EE_KEY_TOO_SMALL);
			return false;
		}
	return true;
}

static bool judge_chain(struct belief *b, const struct tls_peer *p, X509 *x, X509_STORE_CTX *ctx)
{
	uint8_t print[CRYPTO_HASH];
	uint64_t now = clock_mono_ns();
	struct known *k;

	if (!print_of(ctx, x, print))
		return X509_verify_cert(ctx) == 1 && keys_approved(ctx);
	k = &b->known[print[0] % KNOWN];
	if (k->until_ns > now && memcmp(k->print, print, CRYPTO_HASH) == 0 &&
	    X509_cmp_current_time(X509_get0_notAfter(x)) > 0) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return true;
	}
	if (X509_verify_cert(ctx) != 1 || !keys_approved(ctx))
		return false;
	if (p->late == REASON_NONE) {
		k->until_ns = now + KNOWN_NS;
		memcpy(k->print, print, CRYPTO_HASH);
	}
	return true;
}

static int judge(X509_STORE_CTX *ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer none, *p = SSL_get_ex_data(ssl, peer_index);
	struct belief *b = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), belief_index);
	X509 *x = X509_STORE_CTX_get0_cert(ctx);
	int ok;

	if (!p)
		p = &none;
	*p = (struct tls_peer){0};
	tls_name(x, p->subject, sizeof(p->subject));
	p->not_after_s = tls_time(X509_get0_notAfter(x));
	X509_STORE_CTX_set_verify_cb(ctx, judge_step);
	if (b->pins_only)
		ok = judge_dates(b, p, x, ctx);
	else
		ok = judge_chain(b, p, x, ctx);
	if (!ok) {
		p->refused = reason_of(X509_STORE_CTX_get_error(ctx));
	} else if (!has_name(b, x)) {
		p->refused = REASON_RELAY_NAME;
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_HOSTNAME_MISMATCH);
	} else if (!has_pin(b, x)) {
		p->refused = REASON_RELAY_PIN;
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	}
	return p->refused == REASON_NONE;
}

/* The alert or library's word for it; reading stops at the first. */
enum reason tls_failure(SSL *ssl, const struct tls_peer *p, char ret_text[TLS_ERROR])
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_REASON(code);
	enum reason r = REASON_RELAY_TLS;

	if (p && p->refused != REASON_NONE)
		r = p->refused;
	else if (ERR_GET_LIB(code) == ERR_LIB_SSL && why == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		r = REASON_RELAY_NO_CERTIFICATE;
	if (p && p->refused != REASON_NONE)
		snprintf(ret_text, TLS_ERROR, "%s",
			 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	else
		snprintf(ret_text, TLS_ERROR, "%s",
			 code ? ERR_reason_error_string(code) ? ERR_reason_error_string(code)
							      : "an unknown error"
			      : "the other end hung up");
	ERR_clear_error();
	return r;
}

/* --- contexts ----------------------------------------------------------------- */

static bool set_protocol(SSL_CTX *ctx, const struct tls_options *o)
{
	int least = o->datagram ? DTLS1_2_VERSION : o->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	uint64_t options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
			   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
			   SSL_OP_NO_ENCRYPT_THEN_MAC;

	SSL_CTX_set_options(ctx, options);
	SSL_CTX_clear_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* What is shown is what `chain` has: to look for more would verify it in every handshake. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_security_level(ctx, 2);
	if (SSL_CTX_set_num_tickets(ctx, 0) != 1 || SSL_CTX_set_min_proto_version(ctx, least) != 1)
		return false;
	if (fips_on()) /* what its module does not have may not even be named */
		return fips_context(ctx) == 0;
	return SSL_CTX_set_ciphersuites(ctx, CIPHERS_13) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, o->datagram ? CIPHERS_DTLS : CIPHERS_12) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	       SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) == 1;
}

static bool set_own(SSL_CTX *ctx, const struct tls_options *o)
{
	if (!o->key || !sk_X509_num(o->chain))
		return !o->server;
	if (SSL_CTX_use_certificate(ctx, sk_X509_value(o->chain, 0)) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, o->key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		return false;
	for (int i = 1; i < sk_X509_num(o->chain); i++)
		if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(o->chain, i)) != 1)
			return false;
	return true;
}

static bool set_trust(SSL_CTX *ctx, const struct tls_options *o)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	unsigned long flags = X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN;

	for (int i = 0; o->trust && i < sk_X509_num(o->trust->certs); i++) {
		X509 *x = sk_X509_value(o->trust->certs, i);

		if (X509_STORE_add_cert(store, x) != 1 ||
		    (o->server && SSL_CTX_add_client_CA(ctx, x) != 1))
			return false;
	}
	for (int i = 0; o->trust && i < sk_X509_CRL_num(o->trust->crls); i++) {
		if (X509_STORE_add_crl(store, sk_X509_CRL_value(o->trust->crls, i)) != 1)
			return false;
		flags |= X509_V_FLAG_CRL_CHECK;
	}
	return X509_STORE_set_flags(store, flags) == 1;
}

static int verify_mode(const struct tls_options *o)
{
	if (!o->server || o->mutual)
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	return o->optional ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
}

SSL_CTX *tls_context_new(const struct tls_options *o, char ret_error[TLS_ERROR])
{
	const SSL_METHOD *method = o->datagram ? DTLS_method() : TLS_method();
	SSL_CTX *ctx = SSL_CTX_new_ex(library_tls(), NULL, method);
	struct belief *b = belief_new(o);
	const char *step = "memory";

	indexes();
	if (!ctx || !b)
		goto fail;
	if (SSL_CTX_set_ex_data(ctx, belief_index, b) != 1)
		goto fail;
	step = "the protocol's settings";
	if (!set_protocol(ctx, o))
		goto fail_set;
	step = "the own certificate, its key and its chain";
	if (!set_own(ctx, o))
		goto fail_set;
	step = "the issuers";
	if (!set_trust(ctx, o))
		goto fail_set;
	SSL_CTX_set_cert_verify_callback(ctx, judge, NULL);
	SSL_CTX_set_verify(ctx, verify_mode(o), NULL);
	ERR_clear_error();
	return ctx;
fail:
	belief_free(b);
fail_set:
	snprintf(ret_error, TLS_ERROR, "%s: %s", step,
		 ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : "cannot be used");
	ERR_clear_error();
	SSL_CTX_free(ctx);
	errno = EINVAL;
	return NULL;
}
