#ifndef BEDWARDEN_UPDATE_TUF_KEY_H
#define BEDWARDEN_UPDATE_TUF_KEY_H
/*
 * Public keys as metadata has them, TUF §4.2 "keytype", "scheme", "keyval":
 *
 *   ed25519                         ed25519               32 bytes in hex
 *   ecdsa, ecdsa-sha2-nistp256      ecdsa-sha2-nistp256   PEM, P-256; the signature is DER
 *   rsa                             rsassa-pss-sha256     PEM, 2048 to 8192 bits
 *   rsa                             rsa-pkcs1v15-sha256   the same
 *
 * A key of another kind is no error: it just never verifies anything.
 */
#include <jansson.h>

#include "base/bytes.h"
#include "base/crypto.h"

struct tuf_key;

/* NULL for what is unknown, malformed or too weak. */
struct tuf_key *tuf_key_new(const json_t *key);
void tuf_key_free(struct tuf_key *k);
bool tuf_key_verify(const struct tuf_key *k, struct bytes message, struct bytes signature);
/* The same for the same key, however it is written and named (SHA-256 of its
 * SubjectPublicKeyInfo). 0 or -EIO. */
int tuf_key_identity(const struct tuf_key *k, uint8_t ret_hash[CRYPTO_HASH]);

#endif
