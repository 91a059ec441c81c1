#include "base/crypto.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/fips.h"

#define SCRYPT_R 8
#define SCRYPT_P 1

struct aead {
	EVP_CIPHER_CTX *ctx;
	bool seal;
};

/* A fetch searches the providers by name: once is enough, and they live as long as we do. */
static struct {
	pthread_once_t once;
	EVP_CIPHER *chacha;
	EVP_KDF *hkdf, *scrypt;
	EVP_MAC *hmac;
	EVP_MD *sha256;
} got = {.once = PTHREAD_ONCE_INIT};

static void fetch(void)
{
	got.chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", FIPS_EXEMPT);
	got.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	got.scrypt = EVP_KDF_fetch(NULL, "SCRYPT", FIPS_EXEMPT);
	got.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	got.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int crypto_random(void *ret_data, size_t len)
{
	if (len > INT_MAX)
		return -EINVAL;
	return RAND_bytes(ret_data, (int)len) == 1 ? 0 : -EIO;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static int derive(EVP_KDF *kdf, const OSSL_PARAM *params, uint8_t ret_key[CRYPTO_KEY])
{
	EVP_KDF_CTX *ctx;
	int r;

	if (!kdf)
		return -ENOTSUP;
	ctx = EVP_KDF_CTX_new(kdf);
	if (!ctx)
		return -ENOMEM;
	r = EVP_KDF_derive(ctx, ret_key, CRYPTO_KEY, params) == 1 ? 0 : -EIO;
	EVP_KDF_CTX_free(ctx);
	return r;
}

int crypto_hkdf(struct bytes ikm, struct bytes salt, const char *info, uint8_t ret_key[CRYPTO_KEY])
{
	static const uint8_t zeros[CRYPTO_HASH];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)ikm.data, ikm.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data, salt.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};

	/* RFC 5869 §2.2: no salt is one of zeros, as long as the hash. */
	if (!salt.len)
		params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)zeros,
							      sizeof(zeros));
	pthread_once(&got.once, fetch);
	return derive(got.hkdf, params, ret_key);
}

int crypto_scrypt(struct bytes passphrase, struct bytes salt, unsigned log_n,
		  uint8_t ret_key[CRYPTO_KEY])
{
	uint64_t n = 1ull << log_n, max = 128ull * SCRYPT_R * (n + SCRYPT_P + 2) + 4096;
	uint32_t r = SCRYPT_R, p = SCRYPT_P;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)passphrase.data,
						  passphrase.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.data, salt.len),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &max),
		OSSL_PARAM_construct_end(),
	};

	if (log_n < 1 || log_n > 30)
		return -EINVAL;
	pthread_once(&got.once, fetch);
	/* All that can go wrong with these parameters is the memory. */
	return derive(got.scrypt, params, ret_key) == 0 ? 0 : got.scrypt ? -ENOMEM : -ENOTSUP;
}

int crypto_hmac(struct bytes key, struct bytes data, uint8_t ret_mac[CRYPTO_HASH])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *ctx;
	size_t len = 0;
	int r;

	pthread_once(&got.once, fetch);
	if (!got.hmac)
		return -ENOTSUP;
	ctx = EVP_MAC_CTX_new(got.hmac);
	if (!ctx)
		return -ENOMEM;
	r = EVP_MAC_init(ctx, key.data, key.len, params) == 1 &&
			    EVP_MAC_update(ctx, data.data, data.len) == 1 &&
			    EVP_MAC_final(ctx, ret_mac, &len, CRYPTO_HASH) == 1 &&
			    len == CRYPTO_HASH
		    ? 0
		    : -EIO;
	EVP_MAC_CTX_free(ctx);
	return r;
}

int crypto_sha256(struct bytes data, uint8_t ret_hash[CRYPTO_HASH])
{
	pthread_once(&got.once, fetch);
	if (!got.sha256)
		return -ENOTSUP;
	return EVP_Digest(data.data, data.len, ret_hash, NULL, got.sha256, NULL) == 1 ? 0 : -EIO;
}

int crypto_x25519(const uint8_t scalar[CRYPTO_KEY], const uint8_t point[CRYPTO_KEY],
		  uint8_t ret_product[CRYPTO_KEY], uint8_t *ret_public)
{
	static const uint8_t zero[CRYPTO_KEY];
	EVP_PKEY *own = NULL, *peer = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	uint8_t product[CRYPTO_KEY];
	size_t len = sizeof(product), public_len = CRYPTO_KEY;
	int r = -ENOMEM;

	own = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", FIPS_EXEMPT, scalar, CRYPTO_KEY);
	peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", FIPS_EXEMPT, point, CRYPTO_KEY);
	ctx = own && peer ? EVP_PKEY_CTX_new_from_pkey(NULL, own, FIPS_EXEMPT) : NULL;
	if (!ctx)
		goto done;
	r = -EIO;
	if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1)
		goto done;
	/* With keys in order, all that OpenSSL refuses is a product of zero (RFC 7748 §6.1). */
	r = EVP_PKEY_derive(ctx, product, &len) != 1 || crypto_equal(product, zero, sizeof(zero))
		    ? -EDOM
		    : 0;
	if (r == 0 && ret_public && EVP_PKEY_get_raw_public_key(own, ret_public, &public_len) != 1)
		r = -EIO;
	if (r == 0)
		memcpy(ret_product, product, sizeof(product));
	OPENSSL_cleanse(product, sizeof(product));
done:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(own);
	return r;
}

int crypto_x25519_public(const uint8_t scalar[CRYPTO_KEY], uint8_t ret_point[CRYPTO_KEY])
{
	EVP_PKEY *own =
		EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", FIPS_EXEMPT, scalar, CRYPTO_KEY);
	size_t len = CRYPTO_KEY;
	int r;

	if (!own)
		return -ENOMEM;
	r = EVP_PKEY_get_raw_public_key(own, ret_point, &len) == 1 && len == CRYPTO_KEY ? 0 : -EIO;
	EVP_PKEY_free(own);
	return r;
}

struct aead *aead_new(bool seal)
{
	struct aead *a = calloc(1, sizeof(*a));

	pthread_once(&got.once, fetch);
	if (!a)
		return NULL;
	a->seal = seal;
	a->ctx = EVP_CIPHER_CTX_new();
	if (!got.chacha || !a->ctx) {
		errno = got.chacha ? ENOMEM : ENOTSUP;
		aead_free(a);
		return NULL;
	}
	return a;
}

void aead_free(struct aead *a)
{
	if (!a)
		return;
	EVP_CIPHER_CTX_free(a->ctx);
	free(a);
}

int aead_key(struct aead *a, const uint8_t key[CRYPTO_KEY])
{
	return EVP_CipherInit_ex2(a->ctx, got.chacha, key, NULL, a->seal, NULL) == 1 ? 0 : -EIO;
}

int aead_seal(struct aead *a, const uint8_t nonce[CRYPTO_NONCE], const uint8_t *plain, size_t len,
	      uint8_t *ret_sealed)
{
	int n = 0, end = 0;

	if (len > INT_MAX - CRYPTO_TAG)
		return -EINVAL;
	if (EVP_EncryptInit_ex2(a->ctx, NULL, NULL, nonce, NULL) != 1 ||
	    (len && EVP_EncryptUpdate(a->ctx, ret_sealed, &n, plain, (int)len) != 1) ||
	    EVP_EncryptFinal_ex(a->ctx, ret_sealed + n, &end) != 1 || (size_t)(n + end) != len ||
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG, ret_sealed + len) != 1)
		return -EIO;
	return 0;
}

int aead_open(struct aead *a, const uint8_t nonce[CRYPTO_NONCE], const uint8_t *sealed, size_t len,
	      uint8_t *ret_plain)
{
	uint8_t tag[CRYPTO_TAG];
	int n = 0, end = 0;

	if (len > INT_MAX)
		return -EINVAL;
	if (len < CRYPTO_TAG)
		return -EBADMSG;
	len -= CRYPTO_TAG;
	memcpy(tag, sealed + len, CRYPTO_TAG);
	if (EVP_DecryptInit_ex2(a->ctx, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, CRYPTO_TAG, tag) != 1 ||
	    (len && EVP_DecryptUpdate(a->ctx, ret_plain, &n, sealed, (int)len) != 1))
		return -EIO;
	return EVP_DecryptFinal_ex(a->ctx, ret_plain + n, &end) == 1 && (size_t)(n + end) == len
		       ? 0
		       : -EBADMSG;
}
