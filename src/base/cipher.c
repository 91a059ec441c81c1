#include "base/cipher.h"

#include <errno.h>
#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/fips.h"

#define NONCES 64 /* drawn at once: a draw costs as much as sealing a kilobyte */

struct cipher {
	EVP_CIPHER *gcm;
	EVP_CIPHER_CTX *ctx;
	int sealing;		 /* 1: set up to seal by `key`, 0: to open, -1: neither yet */
	uint8_t key[CRYPTO_KEY]; /* the schedule begins with it, too */
	uint8_t nonces[NONCES][CRYPTO_NONCE];
	unsigned left;
};

struct mac {
	EVP_MAC *hmac;
	EVP_MAC_CTX *ctx;
};

struct cipher *cipher_new(void)
{
	struct cipher *c = OPENSSL_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	c->ctx = EVP_CIPHER_CTX_new();
	c->sealing = -1;
	if (c->gcm && c->ctx)
		return c;
	cipher_free(c);
	return NULL;
}

void cipher_free(struct cipher *c)
{
	if (!c)
		return;
	EVP_CIPHER_CTX_free(c->ctx); /* wipes the key schedule */
	EVP_CIPHER_free(c->gcm);
	OPENSSL_clear_free(c, sizeof(*c));
}

/* The schedule of a key costs as much as half a kilobyte: a second thing by the same needs none. */
static bool begin(struct cipher *c, int sealing, const uint8_t key[CRYPTO_KEY],
		  const uint8_t nonce[CRYPTO_NONCE])
{
	bool same = c->sealing == sealing && crypto_equal(c->key, key, CRYPTO_KEY);
	const EVP_CIPHER *gcm;

	if (same)
		return EVP_CipherInit_ex2(c->ctx, NULL, NULL, nonce, sealing, NULL) == 1;
	/* Said what cipher it is, OpenSSL looks everything up again. */
	gcm = c->sealing == sealing ? NULL : c->gcm;
	c->sealing = -1;
	if (EVP_CipherInit_ex2(c->ctx, gcm, key, nonce, sealing, NULL) != 1)
		return false;
	memcpy(c->key, key, CRYPTO_KEY);
	c->sealing = sealing;
	return true;
}

int cipher_seal(struct cipher *c, const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE],
		struct bytes aad, struct bytes plain, uint8_t *ret_sealed)
{
	int n = 0, end = 0;

	if (plain.len > INT_MAX || aad.len > INT_MAX)
		return -EIO;
	if (!begin(c, 1, key, nonce) ||
	    (aad.len && EVP_EncryptUpdate(c->ctx, NULL, &n, aad.data, (int)aad.len) != 1))
		return -EIO;
	n = 0;
	if ((plain.len &&
	     EVP_EncryptUpdate(c->ctx, ret_sealed, &n, plain.data, (int)plain.len) != 1) ||
	    EVP_EncryptFinal_ex(c->ctx, ret_sealed + n, &end) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG,
				ret_sealed + plain.len) != 1)
		return -EIO;
	return 0;
}

int cipher_open(struct cipher *c, const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE],
		struct bytes aad, struct bytes sealed, uint8_t *ret_plain)
{
	size_t len = sealed.len - CRYPTO_TAG;
	int n = 0, end = 0;
	uint8_t nothing;

	if (sealed.len < CRYPTO_TAG || len > INT_MAX || aad.len > INT_MAX)
		return -EBADMSG;
	if (!ret_plain)
		ret_plain = &nothing; /* an empty text has a tag, too */
	if (!begin(c, 0, key, nonce) ||
	    (aad.len && EVP_DecryptUpdate(c->ctx, NULL, &n, aad.data, (int)aad.len) != 1))
		return -EBADMSG;
	n = 0;
	if ((len && EVP_DecryptUpdate(c->ctx, ret_plain, &n, sealed.data, (int)len) != 1) ||
	    EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG,
				(void *)(sealed.data + len)) != 1 ||
	    EVP_DecryptFinal_ex(c->ctx, ret_plain + n, &end) != 1) {
		OPENSSL_cleanse(ret_plain, len);
		return -EBADMSG;
	}
	return 0;
}

int cipher_nonce(struct cipher *c, uint8_t ret_nonce[CRYPTO_NONCE])
{
	if (!c->left) {
		int err = crypto_random(c->nonces, sizeof(c->nonces));

		if (err < 0)
			return err;
		c->left = NONCES;
	}
	memcpy(ret_nonce, c->nonces[--c->left], CRYPTO_NONCE);
	return 0;
}

int cipher_box(struct cipher *c, const uint8_t by[CRYPTO_KEY], struct bytes aad,
	       const uint8_t key[CRYPTO_KEY], uint8_t ret_box[CIPHER_BOX])
{
	uint8_t box[CIPHER_BOX];
	int err = cipher_nonce(c, box);

	if (err == 0)
		err = cipher_seal(c, by, box, aad, (struct bytes){key, CRYPTO_KEY},
				  box + CRYPTO_NONCE);
	if (err == 0)
		memcpy(ret_box, box, sizeof(box));
	return err;
}

int cipher_unbox(struct cipher *c, const uint8_t by[CRYPTO_KEY], struct bytes aad,
		 const uint8_t box[CIPHER_BOX], uint8_t ret_key[CRYPTO_KEY])
{
	struct bytes sealed = {box + CRYPTO_NONCE, CIPHER_BOX - CRYPTO_NONCE};

	return cipher_open(c, by, box, aad, sealed, ret_key);
}

struct mac *mac_new(const uint8_t key[CRYPTO_KEY])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	struct mac *m = OPENSSL_zalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	m->ctx = m->hmac ? EVP_MAC_CTX_new(m->hmac) : NULL;
	if (m->ctx && EVP_MAC_init(m->ctx, key, CRYPTO_KEY, params) == 1)
		return m;
	mac_free(m);
	return NULL;
}

void mac_free(struct mac *m)
{
	if (!m)
		return;
	EVP_MAC_CTX_free(m->ctx);
	EVP_MAC_free(m->hmac);
	OPENSSL_free(m);
}

int mac_start(struct mac *m)
{
	return EVP_MAC_init(m->ctx, NULL, 0, NULL) == 1 ? 0 : -EIO;
}

int mac_add(struct mac *m, struct bytes part)
{
	return !part.len || EVP_MAC_update(m->ctx, part.data, part.len) == 1 ? 0 : -EIO;
}

int mac_end(struct mac *m, uint8_t ret_mac[CRYPTO_HASH])
{
	size_t len;

	return EVP_MAC_final(m->ctx, ret_mac, &len, CRYPTO_HASH) == 1 ? 0 : -EIO;
}

int mac_of(struct mac *m, const struct bytes *parts, size_t count, uint8_t ret_mac[CRYPTO_HASH])
{
	int err = mac_start(m);

	for (size_t i = 0; err == 0 && i < count; i++)
		err = mac_add(m, parts[i]);
	return err == 0 ? mac_end(m, ret_mac) : err;
}

int sign_text(const uint8_t seed[CRYPTO_KEY], struct bytes text, uint8_t ret_sign[CIPHER_SIGN])
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", FIPS_EXEMPT, seed, CRYPTO_KEY);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = CIPHER_SIGN;
	int ok = key && ctx &&
		 EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, FIPS_EXEMPT, key, NULL) == 1 &&
		 EVP_DigestSign(ctx, ret_sign, &len, text.data, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok ? 0 : -EIO;
}

int sign_public(const uint8_t seed[CRYPTO_KEY], uint8_t ret_public[CRYPTO_KEY])
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", FIPS_EXEMPT, seed, CRYPTO_KEY);
	size_t len = CRYPTO_KEY;
	int ok = key && EVP_PKEY_get_raw_public_key(key, ret_public, &len) == 1;

	EVP_PKEY_free(key);
	return ok ? 0 : -EIO;
}

bool sign_check(const uint8_t public[CRYPTO_KEY], struct bytes text,
		const uint8_t sign[CIPHER_SIGN])
{
	EVP_PKEY *key =
		EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", FIPS_EXEMPT, public, CRYPTO_KEY);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = key && ctx &&
		 EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, FIPS_EXEMPT, key, NULL) == 1 &&
		 EVP_DigestVerify(ctx, sign, CIPHER_SIGN, text.data, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}
