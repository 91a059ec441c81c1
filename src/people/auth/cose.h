#ifndef BEDWARDEN_PEOPLE_AUTH_COSE_H
#define BEDWARDEN_PEOPLE_AUTH_COSE_H
/*
 * A credential's public key (COSE, RFC 9052, as WebAuthn L3 §6.5.1.1 narrows it) and
 * signatures by it, over OpenSSL. RSA from 2048 to 4096 bits.
 */
#include "base/bytes.h"

/* IANA's COSE algorithms that we verify, in the order in which we like them. */
enum cose_alg { COSE_NONE = 0, COSE_EDDSA = -8, COSE_ES256 = -7, COSE_RS256 = -257 };

#define COSE_RSA_E   3 /* bytes of the exponent: everybody's is 65537 */
#define COSE_KEY_MAX (512 + COSE_RSA_E)

/* ES256: x, y; EdDSA: the 32 bytes of RFC 8032; RS256: modulus, exponent. */
struct cose_key {
	enum cose_alg alg; /* COSE_NONE: well-formed, but of a kind we do not verify */
	uint8_t bytes[COSE_KEY_MAX];
	size_t len;
};

/* Reads one; false, and the reader may be bad: it is none, or not in its canonical form. */
bool cose_read(struct reader *r, struct cose_key *ret_key);
/* Whether the bytes are a key at all: a point on its curve, a modulus that could be one. */
bool cose_valid(const struct cose_key *key);
/* A signature in WebAuthn's form for the algorithm (L3 §6.5.5) over the text. */
bool cose_signed(const struct cose_key *key, struct bytes text, struct bytes signature);

struct evp_pkey_st;
/* The same by a certificate's key, which must be one for that algorithm. */
bool cose_signed_by(struct evp_pkey_st *key, enum cose_alg alg, struct bytes text,
		    struct bytes signature);

#endif
