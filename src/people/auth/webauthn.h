#ifndef BEDWARDEN_PEOPLE_AUTH_WEBAUTHN_H
#define BEDWARDEN_PEOPLE_AUTH_WEBAUTHN_H
/*
 * The relying party's side of WebAuthn (Level 3): what §7.1 asks of a new
 * credential and §7.2 of a signature by one: challenge, origin, type, rpIdHash,
 * flags, counter, algorithm, credential id, signature (doc/adr/0018).
 *
 * A person's finger, face or PIN is checked by the authenticator that is the
 * person's own; what arrives here is one bit that says so (UV), signed.
 *
 * Attestation formats none, packed and fido-u2f (§8.2, §8.6, §8.7). We ask for
 * none; what comes all the same must be right. Any other format is refused:
 * what cannot be verified is not taken for verified.
 */
#include "people/auth/authdata.h"

struct x509_store_st;

/* What a ceremony must show. Everything borrowed. */
struct webauthn_want {
	struct bytes challenge;		/* as it was sent, for this ceremony alone */
	const char *rp_id;		/* "gateway.ward.example" */
	const char *const *origins;	/* "https://gateway.ward.example", up to a NULL */
	bool cross_origin;		/* whether another site's frame may hold our page; */
	const char *const *top_origins; /* and whose, up to a NULL; NULL: anybody's */
	bool verified;			/* UV must be set */
	struct x509_store_st *roots; /* whom attestation must come from; NULL: anybody or nobody */
	int64_t now_s;		     /* for certificates, since 1970 */
};

struct webauthn_credential {
	uint8_t id[AUTHDATA_ID_MAX];
	size_t id_len;
	struct cose_key key;
	uint32_t count; /* signatures so far; 0: it does not count */
	bool backup_eligible, backed_up;
	uint8_t aaguid[AUTHDATA_AAGUID];
};

/* What was wrong, as stable names and sentences. */
#define WEBAUTHN_FAULTS(X)                                                                        \
	X(OK, "ok", "Nothing is wrong.")                                                          \
	X(MALFORMED, "malformed", "The authenticator's answer cannot be read.")                   \
	X(TYPE, "type", "The answer is one to another kind of question.")                         \
	X(CHALLENGE, "challenge", "The answer is one to another question, perhaps an old one.")   \
	X(ORIGIN, "origin", "The answer was given on a page of another address.")                 \
	X(CROSS_ORIGIN, "cross_origin", "The answer was given inside another site's page.")       \
	X(RP_ID, "rp_id", "The passkey belongs to another site.")                                 \
	X(NOT_PRESENT, "not_present", "Nobody touched the authenticator.")                        \
	X(NOT_VERIFIED, "not_verified",                                                           \
	  "The authenticator did not check who held it, by PIN, finger or face.")                 \
	X(BACKUP, "backup_state", "What the passkey says of its own copies contradicts itself.")  \
	X(ALGORITHM, "algorithm", "The passkey signs in a way that was not offered.")             \
	X(CREDENTIAL, "credential", "The answer is by another passkey than it says.")             \
	X(FORMAT, "format", "The authenticator proves its make in a form that is not supported.") \
	X(ATTESTATION, "attestation", "The proof of the authenticator's make is wrong.")          \
	X(UNTRUSTED, "untrusted", "The authenticator is of no make that this site admits.")       \
	X(SIGNATURE, "signature", "The signature is not by that passkey.")                        \
	X(CLONED, "cloned", "The passkey counted backwards: there is probably a copy of it.")

#define WEBAUTHN_ENUM(name, text, sentence) WEBAUTHN_##name,
enum webauthn_fault { WEBAUTHN_FAULTS(WEBAUTHN_ENUM) WEBAUTHN_FAULT_COUNT };
#undef WEBAUTHN_ENUM
const char *webauthn_fault_name(enum webauthn_fault f);
const char *webauthn_fault_sentence(enum webauthn_fault f);

/*
 * §7.1. `id` is the credential's id as the browser gave it beside the object. Whether
 * somebody has that credential already is the caller's to look up.
 */
enum webauthn_fault webauthn_register(const struct webauthn_want *w, struct bytes id,
				      struct bytes client_data, struct bytes attestation_object,
				      struct webauthn_credential *ret_c);

/* What a signature showed. */
struct webauthn_use {
	uint32_t count; /* to be kept */
	bool backed_up; /* to be kept */
	bool verified;	/* UV */
};
/* §7.2. `c` is the stored credential of the id that the browser named. */
enum webauthn_fault webauthn_assert(const struct webauthn_want *w,
				    const struct webauthn_credential *c, struct bytes client_data,
				    struct bytes auth_data, struct bytes signature,
				    struct webauthn_use *ret_use);

#endif
