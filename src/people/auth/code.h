#ifndef BEDWARDEN_PEOPLE_AUTH_CODE_H
#define BEDWARDEN_PEOPLE_AUTH_CODE_H
/*
 * Codes that people type from paper or a screen: 80 random bits as 16 characters of
 * Crockford's base32, "K7QW-M2XD-09TF-HV4P", of which none looks like another. Case,
 * blanks and dashes do not matter, O is 0, I and L are 1. Stored as hashes only.
 */
#include "base/crypto.h"

#define CODE_BYTES 10
#define CODE_TEXT  20 /* with dashes and end */

void code_text(const uint8_t random[CODE_BYTES], char ret_text[CODE_TEXT]);
/* false: it is no such code. */
bool code_read(const char *text, uint8_t ret_random[CODE_BYTES]);

/* SHA-256 under a salt, of a kind ("recovery", "invitation") so that none serves as another. */
int code_hash(const uint8_t random[CODE_BYTES], const char *kind, struct bytes salt,
	      uint8_t ret_hash[CRYPTO_HASH]);

/* Six digits for a telephone, each as likely as the other. */
#define CODE_SMS 7
int code_sms(int (*random)(void *ret_data, size_t len), char ret_code[CODE_SMS]);

/* Recovery codes: so many a set, each good once (SP 800-63B-4 §4.2.1.1: 64 bits at least). */
#define CODE_RECOVERY 10
struct code_set {
	uint8_t salt[16];
	uint8_t hash[CODE_RECOVERY][CRYPTO_HASH];
	uint8_t left[CODE_RECOVERY]; /* 1: not used yet */
};
int code_set_make(int (*random)(void *ret_data, size_t len), struct code_set *ret_set,
		  char ret_texts[CODE_RECOVERY][CODE_TEXT]);
/* Which one it is and that it is good; it counts as used in *set then. */
bool code_set_use(struct code_set *set, const char *text);
unsigned code_set_left(const struct code_set *set);

#endif
