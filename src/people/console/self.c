#include "people/console/self.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/fips.h"

#define DAY_S  86400
#define GROUPS "X25519:P-256:P-384"

/* A clock a little behind must not find it unborn. */
#define BORN_S (24 * 3600)

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool add_name(GENERAL_NAMES *list, int type, const char *text)
{
	GENERAL_NAME *g = a2i_GENERAL_NAME(NULL, NULL, NULL, type, text, 0);

	if (g && sk_GENERAL_NAME_push(list, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

static bool add_names(X509 *x, const struct self_names *n)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	bool ok = list != NULL;

	for (unsigned i = 0; ok && i < n->name_count; i++)
		ok = add_name(list, GEN_DNS, n->names[i]);
	for (unsigned i = 0; ok && i < n->ip_count; i++)
		ok = add_name(list, GEN_IPADD, n->ips[i]);
	ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
	sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const struct self_names *n, uint64_t now_s)
{
	X509_NAME *subject = X509_get_subject_name(x);
	const char *name = n->name_count ? n->names[0] : "bedwarden";
	unsigned char serial[16];
	BIGNUM *number;
	time_t now = (time_t)now_s;
	bool ok;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* RFC 5280 §4.1.2.2: positive */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) &&
	     X509_set_version(x, X509_VERSION_3) == 1 &&
	     X509_time_adj_ex(X509_getm_notBefore(x), 0, -BORN_S, &now) &&
	     X509_time_adj_ex(X509_getm_notAfter(x), SELF_DAYS, 0, &now) &&
	     X509_NAME_add_entry_by_NID(subject, NID_organizationName, MBSTRING_ASC,
					(const unsigned char *)"Bedwarden", -1, -1, 0) == 1 &&
	     X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
					(const unsigned char *)name, (int)strnlen(name, 64), -1,
					0) == 1 &&
	     X509_set_issuer_name(x, subject) == 1 && X509_set_pubkey(x, key) == 1;
	BN_free(number);
	return ok && add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       add_extension(x, NID_subject_key_identifier, "hash") && add_names(x, n);
}

X509 *self_make(EVP_PKEY *key, EVP_PKEY *public, const struct self_names *n, uint64_t now_s)
{
	X509 *x = X509_new();

	if (x && fill(x, public, n, now_s) && X509_sign(x, key, EVP_sha256()) > 0)
		return x;
	errno = x ? EIO : ENOMEM;
	ERR_clear_error();
	X509_free(x);
	return NULL;
}

bool self_serves(X509 *x, EVP_PKEY *public, const struct self_names *n, uint64_t now_s)
{
	time_t then = (time_t)now_s + SELF_RENEW_DAYS * DAY_S, now = (time_t)now_s;
	bool ok = EVP_PKEY_eq(X509_get0_pubkey(x), public) == 1 &&
		  X509_cmp_time(X509_get0_notAfter(x), &then) > 0 &&
		  X509_cmp_time(X509_get0_notBefore(x), &now) < 0;

	for (unsigned i = 0; ok && i < n->name_count; i++)
		ok = X509_check_host(x, n->names[i], 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
				     NULL) == 1;
	for (unsigned i = 0; ok && i < n->ip_count; i++)
		ok = X509_check_ip_asc(x, n->ips[i], 0) == 1;
	ERR_clear_error();
	return ok;
}

bool self_is_issued(X509 *x, EVP_PKEY *public)
{
	bool ok = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0 &&
		  EVP_PKEY_eq(X509_get0_pubkey(x), public) == 1;

	ERR_clear_error();
	return ok;
}

X509 *self_parse(struct bytes pem)
{
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	ERR_clear_error();
	return x;
}

size_t self_pem(X509 *x, char ret_pem[SELF_PEM_MAX])
{
	BIO *out = BIO_new(BIO_s_mem());
	int len = 0;

	if (out && PEM_write_bio_X509(out, x) == 1 && BIO_pending(out) < SELF_PEM_MAX)
		len = BIO_read(out, ret_pem, SELF_PEM_MAX - 1);
	BIO_free(out);
	ret_pem[len > 0 ? len : 0] = 0;
	return len > 0 ? (size_t)len : 0;
}

void self_print(X509 *x, char ret_print[SELF_PRINT])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	*ret_print = 0;
	if (X509_digest(x, EVP_sha256(), hash, &len) != 1 || len != 32)
		return;
	for (unsigned i = 0; i < len; i++)
		snprintf(ret_print + 3 * i, 4, "%02X%s", hash[i], i + 1 < len ? ":" : "");
}

STACK_OF(X509) * self_issuers(struct bytes pem)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	BIO *in = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	X509_free(x);
	while (list && x && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)))
		if (sk_X509_push(list, x) <= 0)
			X509_free(x);
	BIO_free(in);
	ERR_clear_error();
	return list;
}

SSL_CTX *self_context(EVP_PKEY *key, X509 *x, STACK_OF(X509) * issuers)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (c && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	    (fips_on() || SSL_CTX_set1_groups_list(c, GROUPS) == 1) && fips_context(c) == 0 &&
	    SSL_CTX_set_num_tickets(c, 0) == 1 && SSL_CTX_set_max_early_data(c, 0) == 1 &&
	    SSL_CTX_use_certificate(c, x) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1 &&
	    (!issuers || SSL_CTX_set1_chain(c, issuers) == 1)) {
		SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					       SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
		SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
		return c;
	}
	ERR_clear_error();
	SSL_CTX_free(c);
	errno = EIO;
	return NULL;
}
