#ifndef BEDWARDEN_SEAL_PKI_SIGNER_H
#define BEDWARDEN_SEAL_PKI_SIGNER_H
/*
 * A private key that is somewhere else. To OpenSSL it is an EC key on P-256 like
 * any other: it goes into an SSL_CTX, for TLS and DTLS, server and client, it
 * signs certificates and requests. What it is asked to sign it hands, as a
 * digest, to a function, which asks whoever has the key. Nothing here ever holds it.
 *
 * It is a provider (provider-keymgmt(7), provider-signature(7)) in a library context of
 * its own: nobody who asks OpenSSL for "EC" gets it by accident, and it cannot be
 * exported. Made on one thread, used on any, if the function can be.
 */
#include "base/p256.h"

struct evp_pkey_st; /* EVP_PKEY */

/*
 * ECDSA of a digest. 0 or -errno: the handshake fails, no more. Inside a
 * handshake with SSL_MODE_ASYNC it may ASYNC_pause_job() until it is answered.
 */
typedef int (*signer_fn)(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN]);

/*
 * The key whose public half is `point`; EVP_PKEY_free() it. `arg` must outlive it.
 * NULL with errno: EINVAL a point that is none, ENOMEM.
 */
struct evp_pkey_st *signer_new(const uint8_t point[P256_POINT], signer_fn sign, void *arg);
/* The public half alone, an ordinary key. */
struct evp_pkey_st *signer_public(const uint8_t point[P256_POINT]);

#endif
