#ifndef BEDWARDEN_SEAL_PKI_LIBRARY_H
#define BEDWARDEN_SEAL_PKI_LIBRARY_H
/*
 * OpenSSL's default provider, with those kinds of keys alone that TLS has a use for here.
 *
 * For every certificate that comes in, OpenSSL 3.0 looks for a decoder of its key among all decoders
 * of all kinds of keys, anew each time: a third of what a handshake costs. In a library context
 * that knows EC, RSA, Ed25519, X25519 and HMAC it looks among these. All algorithms are the default
 * provider's own, handed on by its public functions.
 */
#include <openssl/types.h>

/* Made at the first call; NULL, which is OpenSSL's name for its default context, where that fails, or
 * with `crypto: fips`, whose provider decides itself. Lives as long as the process. */
OSSL_LIB_CTX *library_tls(void);

#endif
