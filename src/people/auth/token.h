#ifndef BEDWARDEN_PEOPLE_AUTH_TOKEN_H
#define BEDWARDEN_PEOPLE_AUTH_TOKEN_H
/*
 * What a browser or a machine shows to be recognised: 256 random bits behind a prefix
 * that says what it is, so that a leaked one is found by who looks for such things.
 * Known to us by its SHA-256 alone; with so many bits nothing slower is needed.
 */
#include "base/crypto.h"

enum token_kind { TOKEN_SESSION, TOKEN_API_KEY };

#define TOKEN_TEXT 48 /* "bws_" or "bwk_", 43 characters, end */

/* Makes one. 0 or -errno. */
int token_make(enum token_kind kind, int (*random)(void *ret_data, size_t len),
	       char ret_text[TOKEN_TEXT], uint8_t ret_hash[CRYPTO_HASH]);
/* false: it is none of either kind. */
bool token_read(const char *text, enum token_kind *ret_kind, uint8_t ret_hash[CRYPTO_HASH]);

/*
 * The proof that a request comes from our own page: who has the session's token can
 * compute it, who has it cannot compute the token (HMAC-SHA-256). 43 characters and an end.
 */
#define TOKEN_CSRF 44
int token_csrf(const char *token, char ret_csrf[TOKEN_CSRF]);
/* In constant time. */
bool token_csrf_fits(const char *token, const char *csrf);

#endif
