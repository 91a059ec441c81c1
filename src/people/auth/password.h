#ifndef BEDWARDEN_PEOPLE_AUTH_PASSWORD_H
#define BEDWARDEN_PEOPLE_AUTH_PASSWORD_H
/*
 * Passwords as NIST SP 800-63B-4 §3.1.1.2 wants them: length and a blocklist, no rules
 * about which characters; Unicode, every code point counted as one, brought to
 * one form (NFC) first so that two keyboards write the same. Kept as Argon2id
 * (RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes).
 */
#include "base/bytes.h"

#define PASSWORD_ALONE	15  /* code points of one that is the only factor */
#define PASSWORD_BESIDE 8   /* of one beside a second factor */
#define PASSWORD_MAX	256 /* code points; at least 64 must be allowed */

/* What stands against a new one, as stable names and sentences. */
#define PASSWORD_FAULTS(X)                                                             \
	X(OK, "ok", "Nothing stands against it.")                                      \
	X(SHORT, "too_short", "The password is too short.")                            \
	X(LONG, "too_long", "The password is longer than 256 characters.")             \
	X(TEXT, "no_text", "The password holds something that no keyboard writes.")    \
	X(COMMON, "common", "The password is among those that everybody tries first.") \
	X(CONTEXT, "context", "The password is made of this person's, place's or product's name.")

#define PASSWORD_ENUM(name, text, sentence) PASSWORD_FAULT_##name,
enum password_fault { PASSWORD_FAULTS(PASSWORD_ENUM) PASSWORD_FAULT_COUNT };
#undef PASSWORD_ENUM
const char *password_fault_name(enum password_fault f);
const char *password_fault_sentence(enum password_fault f);

/* Whether it may be somebody's password. `context`: words not to be made of, up to a NULL. */
enum password_fault password_check(const char *password, unsigned min, const char *const *context);

/* What is kept: the costs, a salt, the hash. */
#define PASSWORD_RECORD 61
/* By Argon2id (RFC 9106), with `crypto: fips` by PBKDF2-HMAC-SHA-256 (SP 800-132).
 * Takes a tenth of a second and 64 MiB. 0; -EINVAL no text; -ENOMEM; -errno of `random`. */
int password_hash(const char *password, int (*random)(void *ret_data, size_t len),
		  uint8_t ret_record[PASSWORD_RECORD]);
/* 0 it is; -EACCES it is not; -EBADMSG the record is none; -ENOMEM. */
int password_verify(const char *password, struct bytes record);
/* The same effort for nothing, where there is no such user: so that time tells nobody. */
void password_waste(const char *password);

#endif
