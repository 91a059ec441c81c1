#ifndef BEDWARDEN_PEOPLE_AUTH_ATTESTATION_H
#define BEDWARDEN_PEOPLE_AUTH_ATTESTATION_H
/*
 * An attestation object (WebAuthn L3 §6.5.4): authenticator data with a proof of
 * who made the authenticator, or without.
 */
#include "people/auth/webauthn.h"

struct attestation {
	char format[16];	/* "none", "packed", "fido-u2f"; cut where it is longer */
	struct bytes statement; /* a CBOR map */
	struct bytes auth_data;
};

/* 0; -EBADMSG: not the three members, once each, and nothing besides. Borrows. */
int attestation_parse(struct bytes object, struct attestation *ret_a);

/*
 * Those who may vouch for authenticators, out of PEM text; of a maker's chain any certificate may be
 * one of them, as in FIDO's metadata. The caller frees (X509_STORE_free()). NULL: no memory, or the
 * text holds none or one that cannot be read.
 */
struct x509_store_st *attestation_roots(struct bytes pem, unsigned *ret_count);

/*
 * L3 §7.1 steps 21 to 24 for the formats that we know: WEBAUTHN_OK, FORMAT, ATTESTATION or
 * UNTRUSTED. `client_hash` is SHA-256 of the client data, `a` what auth_data says.
 */
enum webauthn_fault attestation_verify(const struct attestation *at, const struct authdata *a,
				       const struct webauthn_want *w,
				       const uint8_t client_hash[32]);

#endif
