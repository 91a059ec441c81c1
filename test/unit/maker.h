#ifndef BEDWARDEN_TEST_UNIT_MAKER_H
#define BEDWARDEN_TEST_UNIT_MAKER_H
/*
 * Who makes authenticators: an authority of its own, and a certificate by it that vouches for
 * what this maker made (WebAuthn L3 §8.2.1), P-256 both.
 */
#include "unit.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct maker {
	EVP_PKEY *root_key, *key;
	X509 *root, *cert;
};

static inline void maker_name(X509 *c, const char *unit, const char *common)
{
	X509_NAME *n = X509_get_subject_name(c);
	const char *const parts[][2] = {{"C", "SE"}, {"O", "Maker"}, {"OU", unit}, {"CN", common}};

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(X509_NAME_add_entry_by_txt(n, parts[i][0], MBSTRING_ASC,
							    (const unsigned char *)parts[i][1], -1,
							    -1, 0),
				 1);
}

static inline void maker_extend(X509 *c, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(c, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Good from 2020 to 2040. */
static inline X509 *maker_certificate(EVP_PKEY *key, const char *unit, const char *common,
				      const char *basic, X509 *issuer, EVP_PKEY *by)
{
	X509 *c = X509_new();
	X509V3_CTX ctx;

	assert_non_null(c);
	X509_set_version(c, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c), 7);
	ASN1_TIME_set(X509_getm_notBefore(c), 1577836800);
	ASN1_TIME_set(X509_getm_notAfter(c), 2208988800);
	maker_name(c, unit, common);
	X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c));
	X509_set_pubkey(c, key);
	X509V3_set_ctx(&ctx, issuer ? issuer : c, c, NULL, NULL, 0);
	maker_extend(c, &ctx, NID_basic_constraints, basic);
	maker_extend(c, &ctx, NID_subject_key_identifier, "hash");
	if (issuer) /* by which two authorities of one name are told apart */
		maker_extend(c, &ctx, NID_authority_key_identifier, "keyid");
	assert_int_not_equal(X509_sign(c, by, EVP_sha256()), 0);
	return c;
}

static inline void maker_open(struct maker *m, const char *name)
{
	m->root_key = EVP_EC_gen("P-256");
	m->key = EVP_EC_gen("P-256");
	m->root = maker_certificate(m->root_key, "Roots", name, "critical,CA:TRUE", NULL,
				    m->root_key);
	m->cert = maker_certificate(m->key, "Authenticator Attestation", name, "CA:FALSE", m->root,
				    m->root_key);
}

static inline void maker_close(struct maker *m)
{
	X509_free(m->root);
	X509_free(m->cert);
	EVP_PKEY_free(m->root_key);
	EVP_PKEY_free(m->key);
}

/* Their certificate as a site would list it. How long it is. */
static inline size_t maker_pem(X509 *c, char *ret_pem, size_t cap)
{
	BIO *b = BIO_new(BIO_s_mem());
	int len;

	assert_int_equal(PEM_write_bio_X509(b, c), 1);
	len = BIO_read(b, ret_pem, (int)cap);
	assert_true(len > 0 && (size_t)len < cap);
	BIO_free(b);
	return (size_t)len;
}

static inline size_t maker_sign(const struct maker *m, struct bytes text, uint8_t ret_sig[128])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = 128;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, m->key), 1);
	assert_int_equal(EVP_DigestSign(ctx, ret_sig, &len, text.data, text.len), 1);
	EVP_MD_CTX_free(ctx);
	return len;
}

#endif
