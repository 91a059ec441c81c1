#ifndef BEDWARDEN_KEEP_SIGNING_H
#define BEDWARDEN_KEEP_SIGNING_H
/*
 * The private keys of certificates: one on P-256 for a purpose ("pki.ca", "tls.link",
 * "tls.console"), whose seed is that purpose's own data key (keep/keys.h), sealed
 * at rest like every other and recovered with them. They never leave this process: others
 * have it sign. One thread.
 */
#include "base/p256.h"
#include "keep/keys.h"

struct signing;

/* Borrows `keys`. NULL with errno. */
struct signing *signing_new(struct keys *keys);
void signing_free(struct signing *s);
/* The public half, the key made if need be. 0 or as keys_sealing(). */
int signing_public(struct signing *s, const char *purpose, uint8_t ret_point[P256_POINT]);
/* ECDSA of a digest. 0; -EIO; or as keys_sealing(). */
int signing_sign(struct signing *s, const char *purpose, const uint8_t digest[CRYPTO_HASH],
		 uint8_t ret_sign[P256_SIGN]);

#endif
