#ifndef BEDWARDEN_TEST_UNIT_PASSKEY_H
#define BEDWARDEN_TEST_UNIT_PASSKEY_H
/*
 * An authenticator and its browser, in software: makes credentials and signs with
 * them, correctly unless a test says otherwise.
 */
#include "maker.h"

#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include "people/auth/authdata.h"
#include "people/auth/base64url.h"

struct passkey {
	enum cose_alg alg;
	EVP_PKEY *key;
	uint8_t id[32];
	uint8_t flags; /* besides AT */
	uint32_t count;
	const char *extra;	   /* further members of the client data, ",\"x\":1" or NULL */
	struct bytes extensions;   /* a CBOR map, with AUTHDATA_ED in flags */
	bool packed;		   /* self attestation instead of none */
	const struct maker *maker; /* who vouches for it, by packed or fido-u2f */
	bool u2f;
};

struct passkey_said {
	uint8_t client[1024], object[2048], auth[1200], sig[512];
	size_t client_len, object_len, auth_len, sig_len;
};

static inline struct bytes passkey_bytes(const uint8_t *data, size_t len)
{
	return (struct bytes){data, len};
}

static inline void passkey_open(struct passkey *p, enum cose_alg alg, uint8_t seed)
{
	*p = (struct passkey){.alg = alg, .flags = AUTHDATA_UP | AUTHDATA_UV, .count = 1};
	p->key = alg == COSE_ES256   ? EVP_EC_gen("P-256")
		 : alg == COSE_EDDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
				     : EVP_RSA_gen(2048);
	assert_non_null(p->key);
	memset(p->id, seed, sizeof(p->id));
}

static inline void passkey_close(struct passkey *p)
{
	EVP_PKEY_free(p->key);
}

static inline void passkey_sign(const struct passkey *p, const uint8_t *data, size_t len,
				uint8_t *ret_sig, size_t *ret_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = p->alg == COSE_EDDSA ? NULL : EVP_sha256();

	*ret_len = 512;
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, p->key), 1);
	assert_int_equal(EVP_DigestSign(ctx, ret_sig, ret_len, data, len), 1);
	EVP_MD_CTX_free(ctx);
}

static inline void passkey_param(const struct passkey *p, const char *name, uint8_t *ret,
				 size_t len)
{
	BIGNUM *n = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(p->key, name, &n), 1);
	assert_int_equal(BN_bn2binpad(n, ret, (int)len), (int)len);
	BN_free(n);
}

static inline void passkey_write_key(const struct passkey *p, struct writer *w)
{
	uint8_t n[256];
	size_t len = 32;

	if (p->alg == COSE_ES256) {
		write_bytes(w, "\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", 10);
		passkey_param(p, OSSL_PKEY_PARAM_EC_PUB_X, n, 32);
		write_bytes(w, n, 32);
		write_bytes(w, "\x22\x58\x20", 3);
		passkey_param(p, OSSL_PKEY_PARAM_EC_PUB_Y, n, 32);
		write_bytes(w, n, 32);
	} else if (p->alg == COSE_EDDSA) {
		write_bytes(w, "\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20", 10);
		EVP_PKEY_get_raw_public_key(p->key, n, &len);
		write_bytes(w, n, 32);
	} else {
		write_bytes(w, "\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00", 11);
		passkey_param(p, OSSL_PKEY_PARAM_RSA_N, n, 256);
		write_bytes(w, n, 256);
		write_bytes(w, "\x21\x43\x01\x00\x01", 5);
	}
}

static inline size_t passkey_authdata(const struct passkey *p, const char *rp_id, bool create,
				      uint8_t *ret_data, size_t cap)
{
	struct writer w = writer_new(ret_data, cap);
	uint8_t hash[32], aaguid[16] = {0};

	SHA256((const uint8_t *)rp_id, strlen(rp_id), hash);
	write_bytes(&w, hash, 32);
	write_u8(&w, (uint8_t)(p->flags | (create ? AUTHDATA_AT : 0)));
	write_be32(&w, p->count);
	if (create) {
		write_bytes(&w, aaguid, 16);
		write_be16(&w, sizeof(p->id));
		write_bytes(&w, p->id, sizeof(p->id));
		passkey_write_key(p, &w);
	}
	if (p->flags & AUTHDATA_ED)
		write_bytes(&w, p->extensions.data, p->extensions.len);
	assert_false(w.bad);
	return w.len;
}

static inline size_t passkey_client(const struct passkey *p, const char *type, const char *origin,
				    struct bytes challenge, uint8_t *ret_json, size_t cap)
{
	char text[400];

	base64url_write(challenge.data, challenge.len, text);
	return (size_t)snprintf((char *)ret_json, cap,
				"{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\","
				"\"crossOrigin\":false%s}",
				type, text, origin, p->extra ? p->extra : "");
}

/* What is signed: authenticator data, then the client data's hash. */
static inline void passkey_prove(const struct passkey *p, struct passkey_said *s)
{
	uint8_t text[1300];

	memcpy(text, s->auth, s->auth_len);
	SHA256(s->client, s->client_len, text + s->auth_len);
	passkey_sign(p, text, s->auth_len + 32, s->sig, &s->sig_len);
}

/* A byte string of CBOR. */
static inline void passkey_string(struct writer *w, const uint8_t *data, size_t len)
{
	write_u8(w, len > 255 ? 0x59 : 0x58);
	if (len > 255)
		write_u8(w, (uint8_t)(len >> 8));
	write_u8(w, (uint8_t)len);
	write_bytes(w, data, len);
}

/* L3 §8.6: what a U2F key signed of a registration. */
static inline size_t passkey_u2f_text(const struct passkey *p, const struct passkey_said *s,
				      uint8_t *ret_text)
{
	struct writer w = writer_new(ret_text, 256);
	uint8_t point[32];

	write_u8(&w, 0);
	write_bytes(&w, s->auth, 32);
	SHA256(s->client, s->client_len, point);
	write_bytes(&w, point, 32);
	write_bytes(&w, p->id, sizeof(p->id));
	write_u8(&w, 4);
	passkey_param(p, OSSL_PKEY_PARAM_EC_PUB_X, point, 32);
	write_bytes(&w, point, 32);
	passkey_param(p, OSSL_PKEY_PARAM_EC_PUB_Y, point, 32);
	write_bytes(&w, point, 32);
	assert_false(w.bad);
	return w.len;
}

/* fmt and attStmt by the maker: a map's first two members. */
static inline void passkey_vouched(const struct passkey *p, const struct passkey_said *s,
				   struct writer *w)
{
	uint8_t text[1300], sig[256], *der = NULL;
	size_t len = s->auth_len + 32;
	int der_len = i2d_X509(p->maker->cert, &der);

	assert_true(der_len > 0);
	memcpy(text, s->auth, s->auth_len);
	SHA256(s->client, s->client_len, text + s->auth_len);
	if (p->u2f)
		len = passkey_u2f_text(p, s, text);
	len = maker_sign(p->maker, passkey_bytes(text, len), sig);
	write_bytes(w,
		    "\x63"
		    "fmt",
		    4);
	if (p->u2f)
		write_bytes(w,
			    "\x68"
			    "fido-u2f"
			    "\x67"
			    "attStmt\xa2",
			    18);
	else
		write_bytes(w,
			    "\x66"
			    "packed"
			    "\x67"
			    "attStmt\xa3\x63"
			    "alg\x26",
			    21);
	write_bytes(w,
		    "\x63"
		    "sig",
		    4);
	passkey_string(w, sig, len);
	write_bytes(w,
		    "\x63"
		    "x5c\x81",
		    5);
	passkey_string(w, der, (size_t)der_len);
	OPENSSL_free(der);
}

static inline void passkey_create(const struct passkey *p, const char *rp_id, const char *origin,
				  struct bytes challenge, struct passkey_said *s)
{
	struct writer w = writer_new(s->object, sizeof(s->object));

	s->client_len = passkey_client(p, "webauthn.create", origin, challenge, s->client,
				       sizeof(s->client));
	s->auth_len = passkey_authdata(p, rp_id, true, s->auth, sizeof(s->auth));
	passkey_prove(p, s);
	write_u8(&w, 0xa3);
	if (p->maker) {
		passkey_vouched(p, s, &w);
	} else if (p->packed) {
		write_bytes(&w,
			    "\x63"
			    "fmt\x66packed\x67"
			    "attStmt\xa2\x63"
			    "alg",
			    24);
		if (p->alg == COSE_RS256)
			write_bytes(&w, "\x39\x01\x00", 3);
		else
			write_u8(&w, (uint8_t)(0x20 | (-1 - p->alg)));
		write_bytes(&w, "\x63sig", 4);
		write_u8(&w, s->sig_len > 255 ? 0x59 : 0x58);
		if (s->sig_len > 255)
			write_u8(&w, (uint8_t)(s->sig_len >> 8));
		write_u8(&w, (uint8_t)s->sig_len);
		write_bytes(&w, s->sig, s->sig_len);
	} else {
		write_bytes(&w,
			    "\x63"
			    "fmt\x64none\x67"
			    "attStmt\xa0",
			    18);
	}
	write_bytes(&w,
		    "\x68"
		    "authData",
		    9);
	write_u8(&w, s->auth_len > 255 ? 0x59 : 0x58);
	if (s->auth_len > 255)
		write_u8(&w, (uint8_t)(s->auth_len >> 8));
	write_u8(&w, (uint8_t)s->auth_len);
	write_bytes(&w, s->auth, s->auth_len);
	assert_false(w.bad);
	s->object_len = w.len;
}

static inline void passkey_get(struct passkey *p, const char *rp_id, const char *origin,
			       struct bytes challenge, struct passkey_said *s)
{
	p->count += p->count != 0;
	s->client_len =
		passkey_client(p, "webauthn.get", origin, challenge, s->client, sizeof(s->client));
	s->auth_len = passkey_authdata(p, rp_id, false, s->auth, sizeof(s->auth));
	passkey_prove(p, s);
}

#endif
