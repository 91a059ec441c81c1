#ifndef BEDWARDEN_PEOPLE_AUTH_FACTOR_H
#define BEDWARDEN_PEOPLE_AUTH_FACTOR_H
/*
 * What somebody can show to be who they say, and how much that proves: the
 * authenticator assurance levels of NIST SP 800-63B-4 §2.
 */
#include <stdbool.h>

enum factor {
	FACTOR_PASSWORD, /* something known */
	FACTOR_TOTP,	 /* something held: an app's codes */
	FACTOR_WEBAUTHN, /* held, and opened by PIN, finger or face: two factors in one */
	FACTOR_SMS,	 /* held, restricted (§3.2.9) */
	FACTOR_RECOVERY, /* a printed code */
	FACTOR_COUNT,
};

/* Sets of factors, a bit each. */
#define FACTOR_ONLY(f) (1u << (f))
/* What may stand as the second one, beside a password. */
#define FACTOR_SECOND                                                                        \
	(FACTOR_ONLY(FACTOR_TOTP) | FACTOR_ONLY(FACTOR_WEBAUTHN) | FACTOR_ONLY(FACTOR_SMS) | \
	 FACTOR_ONLY(FACTOR_RECOVERY))

/* As the API and the database write it: "webauthn". Never NULL. */
const char *factor_name(enum factor f);
bool factor_from_name(const char *name, enum factor *ret_f);

/*
 * 0 nothing shown; 1 one factor; 2 two of different kinds, or a passkey that checked
 * its holder; 3 such a passkey whose key cannot leave its device (`bound`).
 */
unsigned factor_aal(unsigned shown, bool bound);
/* Whether they have what level 2 takes. */
bool factor_ready(unsigned enrolled);
/* Of those that this person has (`enrolled`), the ones that would bring what was shown to level 2. */
unsigned factor_next(unsigned shown, unsigned enrolled);

#endif
