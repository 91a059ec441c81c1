#ifndef BEDWARDEN_UPDATE_REPO_HARDWARE_H
#define BEDWARDEN_UPDATE_REPO_HARDWARE_H
/*
 * Signing keys that never leave a PKCS#11 token: ECDSA P-256 or RSA, named by a URI (RFC 7512).
 */
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/token.h"
#include "update/tuf/error.h"

struct hardware;

/* Finds the key pair; *ret_public is its public half, to EVP_PKEY_free(). */
int hardware_open(const char *uri, token_ask ask, void *arg, struct hardware **ret_hardware,
		  EVP_PKEY **ret_public, struct tuf_error *e);
/* Makes a P-256 key pair in the token, under the URI's `object`. -EEXIST. */
int hardware_make(const char *uri, token_ask ask, void *arg, struct tuf_error *e);
void hardware_close(struct hardware *h);
/* ECDSA in DER, or RSA-PSS with 32 bytes of salt, of SHA-256 of the message, as metadata has it.
 * *len is the room, and then the length. */
int hardware_sign(struct hardware *h, struct bytes message, uint8_t *ret_signature, size_t *len,
		  struct tuf_error *e);

#endif
