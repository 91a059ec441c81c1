#ifndef BEDWARDEN_SEAL_PKI_LIBRARY_H
#define BEDWARDEN_SEAL_PKI_LIBRARY_H
/*
 * OpenSSL's default provider, with those algorithms alone that TLS has a use for here.
 *
 * For every certificate that comes in, OpenSSL 3.0 looks for a decoder of its key among all decoders
 * of all kinds of keys, anew each time: a third of what a handshake costs. In a library context
 * that knows EC, RSA, Ed25519, X25519 and HMAC, and few ciphers and digests besides, it looks among
 * these. All algorithms are the default provider's own, handed on by its public functions.
 */
#include <openssl/types.h>

#include "base/bytes.h"

/* Made at the first call; NULL, which is OpenSSL's name for its default context, where that fails, or
 * with `crypto: fips`, whose provider decides itself. Lives as long as the process. */
OSSL_LIB_CTX *library_tls(void);

/*
 * From now on, in this thread, `fn` is called for every secret of TLS 1.3 that keys of data are made
 * of (RFC 8446 §7.1, "c ap traffic" and "s ap traffic"), borrowed for the call; NULL: it is not. Only of
 * contexts made in library_tls(): the key log, which others have, writes all secrets down
 * in hexadecimal, a twentieth of what a handshake costs.
 */
typedef void (*library_secret_fn)(void *arg, bool client, struct bytes secret);
void library_watch(library_secret_fn fn, void *arg);

#endif
