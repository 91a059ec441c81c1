#ifndef BEDWARDEN_BASE_CRYPTO_H
#define BEDWARDEN_BASE_CRYPTO_H
/*
 * The few algorithms we use, over OpenSSL 3. Every function is safe to call
 * from any thread. 0 or -errno: -ENOTSUP where the provider lacks the
 * algorithm, -ENOMEM, -EIO for what should not happen.
 */
#include "base/bytes.h"

enum {
	CRYPTO_KEY = 32,   /* of ChaCha20-Poly1305, X25519, HMAC and HKDF here */
	CRYPTO_NONCE = 12, /* RFC 8439 §2.8 */
	CRYPTO_TAG = 16,
	CRYPTO_HASH = 32, /* SHA-256 */
};

int crypto_random(void *ret_data, size_t len);
/* In a time that does not depend on the bytes. */
bool crypto_equal(const void *a, const void *b, size_t len);
/* HKDF-SHA-256, RFC 5869, 32 bytes; an empty salt is one of zeros. */
int crypto_hkdf(struct bytes ikm, struct bytes salt, const char *info, uint8_t ret_key[CRYPTO_KEY]);
/* HMAC-SHA-256, RFC 2104. */
int crypto_hmac(struct bytes key, struct bytes data, uint8_t ret_mac[CRYPTO_HASH]);
int crypto_sha256(struct bytes data, uint8_t ret_hash[CRYPTO_HASH]);
/*
 * scrypt, RFC 7914, with r = 8, p = 1 and N = 2^log_n, which takes 2^(log_n + 10)
 * bytes of memory; log_n 1..30.
 */
int crypto_scrypt(struct bytes passphrase, struct bytes salt, unsigned log_n,
		  uint8_t ret_key[CRYPTO_KEY]);
/* RFC 7748 §5. -EDOM for a point of low order, whose product is zero. Also the scalar's own public
 * key, which falls out of it; or NULL. */
int crypto_x25519(const uint8_t scalar[CRYPTO_KEY], const uint8_t point[CRYPTO_KEY],
		  uint8_t ret_product[CRYPTO_KEY], uint8_t *ret_public);
/* The product with the base point: a private key's public key. */
int crypto_x25519_public(const uint8_t scalar[CRYPTO_KEY], uint8_t ret_point[CRYPTO_KEY]);

/*
 * ChaCha20-Poly1305, RFC 8439, without additional data. One direction, one
 * thread; its memory is wiped when freed.
 */
struct aead;
struct aead *aead_new(bool seal);
void aead_free(struct aead *a);
int aead_key(struct aead *a, const uint8_t key[CRYPTO_KEY]);
/* len bytes to len + CRYPTO_TAG; in place is fine. */
int aead_seal(struct aead *a, const uint8_t nonce[CRYPTO_NONCE], const uint8_t *plain, size_t len,
	      uint8_t *ret_sealed);
/*
 * len bytes, the tag among them, to len - CRYPTO_TAG; in place is fine.
 * -EBADMSG, and what was written is worthless, where the tag does not fit.
 */
int aead_open(struct aead *a, const uint8_t nonce[CRYPTO_NONCE], const uint8_t *sealed, size_t len,
	      uint8_t *ret_plain);

#endif
