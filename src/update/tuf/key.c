#include "update/tuf/key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "update/tuf/hash.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define PEM_MAX	     16384

struct tuf_key {
	EVP_PKEY *key;
	const EVP_MD *md; /* NULL: the scheme hashes for itself */
	bool pss;
};

static EVP_PKEY *read_raw(const char *hex)
{
	uint8_t raw[32];
	size_t len;

	if (hex_read(hex, strlen(hex), raw, sizeof(raw), &len) < 0 || len != sizeof(raw))
		return NULL;
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, len);
}

/* A key that asks for a passphrase gets none; OpenSSL would ask on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static EVP_PKEY *read_pem(const char *pem, int type)
{
	size_t len = strlen(pem);
	BIO *bio = len <= PEM_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (key && EVP_PKEY_get_base_id(key) != type) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

static bool is_p256(const EVP_PKEY *key)
{
	char name[64];
	size_t len;

	return key && EVP_PKEY_get_group_name(key, name, sizeof(name), &len) == 1 &&
	       strcmp(name, "prime256v1") == 0;
}

static bool is_fit_rsa(const EVP_PKEY *key)
{
	return key && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
	       EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
}

static bool read_key(struct tuf_key *k, const char *type, const char *scheme, const char *public)
{
	if (strcmp(type, "ed25519") == 0 && strcmp(scheme, "ed25519") == 0) {
		k->key = read_raw(public);
		return k->key;
	}
	k->md = EVP_sha256();
	if ((strcmp(type, "ecdsa") == 0 || strcmp(type, "ecdsa-sha2-nistp256") == 0) &&
	    strcmp(scheme, "ecdsa-sha2-nistp256") == 0) {
		k->key = read_pem(public, EVP_PKEY_EC);
		return is_p256(k->key);
	}
	k->pss = strcmp(scheme, "rsassa-pss-sha256") == 0;
	if (strcmp(type, "rsa") == 0 && (k->pss || strcmp(scheme, "rsa-pkcs1v15-sha256") == 0)) {
		k->key = read_pem(public, EVP_PKEY_RSA);
		return is_fit_rsa(k->key);
	}
	return false;
}

struct tuf_key *tuf_key_new(const json_t *key)
{
	const char *type = json_string_value(json_object_get(key, "keytype")),
		   *scheme = json_string_value(json_object_get(key, "scheme")),
		   *public = json_string_value(
			   json_object_get(json_object_get(key, "keyval"), "public"));
	struct tuf_key *k;

	if (!type || !scheme || !public)
		return NULL;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	if (!read_key(k, type, scheme, public)) {
		tuf_key_free(k);
		return NULL;
	}
	return k;
}

void tuf_key_free(struct tuf_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->key);
	free(k);
}

bool tuf_key_verify(const struct tuf_key *k, struct bytes message, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *with; /* ctx's own */
	bool good;

	good = ctx && EVP_DigestVerifyInit(ctx, &with, k->md, NULL, k->key) == 1 &&
	       (!k->pss || (EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING) == 1 &&
			    EVP_PKEY_CTX_set_rsa_pss_saltlen(with, RSA_PSS_SALTLEN_AUTO) == 1)) &&
	       EVP_DigestVerify(ctx, signature.data, signature.len, message.data, message.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

int tuf_key_identity(const struct tuf_key *k, uint8_t ret_hash[CRYPTO_HASH])
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(k->key, &der), err;

	if (len <= 0)
		return -EIO;
	err = crypto_sha256((struct bytes){der, (size_t)len}, ret_hash);
	OPENSSL_free(der);
	return err;
}
