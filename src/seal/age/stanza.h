#ifndef BEDWARDEN_SEAL_AGE_STANZA_H
#define BEDWARDEN_SEAL_AGE_STANZA_H
/*
 * The two native kinds of stanza (c2sp.org/age): X25519, for who holds a key,
 * and scrypt, for who knows a passphrase. Each wraps a file key into a body of
 * AGE_BODY bytes.
 */
#include "seal/age/header.h"

enum { AGE_BODY = AGE_FILE_KEY + CRYPTO_TAG };

/* For a key pair's public half. 0 or -errno; -EDOM for a point that no key pair has. */
int x25519_wrap(struct writer *w, const uint8_t recipient[CRYPTO_KEY],
		const uint8_t file_key[AGE_FILE_KEY]);
bool x25519_is(const struct age_stanza *s);
/* 0 or -EPROTO for one that no encoder writes. */
int x25519_check(const struct age_stanza *s);
/* 0; -ENOKEY it is not for this identity; -EPROTO malformed or a point of low order; -errno. */
int x25519_unwrap(const struct age_stanza *s, const uint8_t identity[CRYPTO_KEY],
		  const uint8_t recipient[CRYPTO_KEY], uint8_t ret_file_key[AGE_FILE_KEY]);

/* log_n is the binary logarithm of the work factor: 18 takes a second and 256 MiB. */
int scrypt_wrap(struct writer *w, struct bytes passphrase, unsigned log_n,
		const uint8_t file_key[AGE_FILE_KEY]);
bool scrypt_is(const struct age_stanza *s);
/* 0 and the work factor, or -EPROTO. */
int scrypt_check(const struct age_stanza *s, unsigned *ret_log_n);
/* 0; -ENOKEY wrong passphrase; -EPROTO; -ERANGE it asks for more work than max_log_n. */
int scrypt_unwrap(const struct age_stanza *s, struct bytes passphrase, unsigned max_log_n,
		  uint8_t ret_file_key[AGE_FILE_KEY]);

#endif
