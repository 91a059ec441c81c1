#ifndef BEDWARDEN_PEOPLE_AUTH_TOTP_H
#define BEDWARDEN_PEOPLE_AUTH_TOTP_H
/*
 * Codes of an authenticator app: RFC 6238 over RFC 4226. People get what every app
 * understands, SHA-1, 6 digits, 30 seconds; SHA-1 is no weakness here (RFC 6238 §1.2:
 * HMAC does not rest on collisions).
 */
#include "base/bytes.h"

#define TOTP_SECRET 20 /* bytes: RFC 4226 §4 R6 wants 128 bits at least, 160 better */
#define TOTP_DIGITS 6
#define TOTP_STEP_S 30
#define TOTP_SKEW   1 /* steps that a clock may be off, either way (RFC 6238 §6) */

enum totp_hash { TOTP_SHA1, TOTP_SHA256, TOTP_SHA512 };

/* RFC 4226 §5.3: the code that counter has, `digits` 6..8 of them with leading zeros and an end. */
int totp_code(struct bytes secret, enum totp_hash hash, uint64_t counter, unsigned digits,
	      char ret_code[9]);

/*
 * Whether the code is that of now or of a step beside. A step up to `last` was used
 * already and counts no more (RFC 6238 §5.2: once). *ret_step is to be kept as the new
 * last one before anybody is let in. Compares in constant time.
 */
bool totp_check(struct bytes secret, const char *code, uint64_t now_s, uint64_t last,
		uint64_t *ret_step);

/* The secret as apps want it typed: RFC 4648 §6, base32 without padding. */
#define TOTP_TEXT 33
void totp_text(const uint8_t secret[TOTP_SECRET], char ret_text[TOTP_TEXT]);
/* otpauth://totp/ISSUER:USER?secret=…; everything else percent-encoded. -ENAMETOOLONG. */
int totp_uri(const char *issuer, const char *user, const uint8_t secret[TOTP_SECRET], char *ret_uri,
	     size_t cap);

#endif
