#ifndef BEDWARDEN_BASE_FIPS_H
#define BEDWARDEN_BASE_FIPS_H
/*
 * `crypto: fips`: only algorithms that FIPS 140-3 approves (SP 800-140C), whoever asks for others.
 * Once in a process, before it locks itself in, and never undone. Where OpenSSL's FIPS provider is
 * installed and set up (fips_module(7): openssl.cnf includes fipsmodule.cnf) every algorithm
 * comes from there; where it is not, OpenSSL's own are used, and only the approved ones
 * are offered and accepted. The parent decides; its children inherit it by FIPS_ENV.
 *
 * In TLS and DTLS (SP 800-52r2): AES-GCM, ECDHE on P-256 and P-384, ECDSA and RSA from 2048 bits.
 * What stays as it is, since another end decides or the format leaves no choice, is in doc/fips.md.
 */
#include <stdbool.h>

#define FIPS_ENV "BEDWARDEN_CRYPTO"
/* Properties to fetch by what a format demands though no module has it (doc/fips.md): age's
 * algorithms, Ed25519 where the module is a later one than 3.0. */
#define FIPS_EXEMPT "-fips"

struct ssl_ctx_st;
struct evp_pkey_st;

/* From now on, and for children to come. */
void fips_begin(void);
/* The same, where the parent of this process had begun. -ENOENT: it has the module, which is not to be
 * had here, and nothing must be done without. */
int fips_inherit(void);
bool fips_on(void);
/* Does a validated module do it? False as well while it is not on. */
bool fips_has_module(void);

/* Leaves a context only what is approved; nothing happens while it is not on. 0 or -EIO. */
int fips_context(struct ssl_ctx_st *ctx);
/* May a key of this kind and length sign? True while it is not on. */
bool fips_key(struct evp_pkey_st *key);

#endif
