#ifndef BEDWARDEN_BASE_CIPHER_H
#define BEDWARDEN_BASE_CIPHER_H
/*
 * What data at rest is sealed, hashed and signed with, over OpenSSL 3:
 * AES-256-GCM (NIST SP 800-38D), HMAC-SHA-256 (RFC 2104) piece by piece,
 * Ed25519 (RFC 8032). A context belongs to one thread and is made once, so that
 * a small object costs no set-up.
 */
#include "base/crypto.h"

#define CIPHER_SIGN 64 /* bytes of an Ed25519 signature */

struct cipher;
struct mac;

/* Not across a fork(): parent and child would draw the same nonces. */
struct cipher *cipher_new(void);
void cipher_free(struct cipher *c);
/* Writes plain.len + CRYPTO_TAG bytes. A nonce serves once under a key. 0 or -EIO. */
int cipher_seal(struct cipher *c, const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE],
		struct bytes aad, struct bytes plain, uint8_t *ret_sealed);
/* Writes sealed.len - CRYPTO_TAG bytes. 0; -EBADMSG not what was sealed, and ret_plain is wiped. */
int cipher_open(struct cipher *c, const uint8_t key[CRYPTO_KEY], const uint8_t nonce[CRYPTO_NONCE],
		struct bytes aad, struct bytes sealed, uint8_t *ret_plain);

/* A random one. 0 or -EIO. */
int cipher_nonce(struct cipher *c, uint8_t ret_nonce[CRYPTO_NONCE]);

/*
 * A key sealed by a key: a random nonce, 32 bytes and their tag. `aad` binds it
 * to its place. 0; -EIO; opening: -EBADMSG.
 */
#define CIPHER_BOX (CRYPTO_NONCE + CRYPTO_KEY + CRYPTO_TAG)
int cipher_box(struct cipher *c, const uint8_t by[CRYPTO_KEY], struct bytes aad,
	       const uint8_t key[CRYPTO_KEY], uint8_t ret_box[CIPHER_BOX]);
int cipher_unbox(struct cipher *c, const uint8_t by[CRYPTO_KEY], struct bytes aad,
		 const uint8_t box[CIPHER_BOX], uint8_t ret_key[CRYPTO_KEY]);

struct mac *mac_new(const uint8_t key[CRYPTO_KEY]);
void mac_free(struct mac *m);
/* Of all parts one after the other. 0 or -EIO. */
int mac_of(struct mac *m, const struct bytes *parts, size_t count, uint8_t ret_mac[CRYPTO_HASH]);
/* The same piece by piece: mac_start(), mac_add() as often as need be, mac_end(). 0 or -EIO. */
int mac_start(struct mac *m);
int mac_add(struct mac *m, struct bytes part);
int mac_end(struct mac *m, uint8_t ret_mac[CRYPTO_HASH]);

/* Ed25519 from a 32-byte seed. 0 or -EIO. */
int sign_text(const uint8_t seed[CRYPTO_KEY], struct bytes text, uint8_t ret_sign[CIPHER_SIGN]);
int sign_public(const uint8_t seed[CRYPTO_KEY], uint8_t ret_public[CRYPTO_KEY]);
bool sign_check(const uint8_t public[CRYPTO_KEY], struct bytes text,
		const uint8_t sign[CIPHER_SIGN]);

#endif
