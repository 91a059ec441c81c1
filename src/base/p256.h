#ifndef BEDWARDEN_BASE_P256_H
#define BEDWARDEN_BASE_P256_H
/*
 * ECDSA on P-256 with SHA-256 (FIPS 186-5 §6): what certificates and TLS sign
 * with. A private key is derived from a 32-byte seed, so that whoever keeps seeds
 * sealed keeps these; its memory is OpenSSL's, wiped when freed. One thread a key.
 */
#include "base/crypto.h"

#define P256_POINT 65 /* a public key: 04, x, y (SEC 1 §2.3.3) */
#define P256_SIGN  64 /* a signature: r, s */

struct p256;

/*
 * The private key is HKDF-SHA-256(seed, info "bedwarden p256"), 48 bytes, modulo n-1, plus one:
 * FIPS 186-5 A.2.1 with 128 extra bits. NULL with errno.
 */
struct p256 *p256_new(const uint8_t seed[CRYPTO_KEY]);
void p256_free(struct p256 *k);
void p256_public(const struct p256 *k, uint8_t ret_point[P256_POINT]);
/* Of a digest of 32 bytes. 0 or -EIO. */
int p256_sign(struct p256 *k, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN]);

/* A signature as X.509 and TLS write it: DER, RFC 3279 §2.2.3. Its length, 0 for one that is none. */
#define P256_SIGN_DER 72
size_t p256_der(const uint8_t sign[P256_SIGN], uint8_t ret_der[P256_SIGN_DER]);

#endif
