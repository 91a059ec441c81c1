#ifndef BEDWARDEN_PEOPLE_CONSOLE_COOKIE_H
#define BEDWARDEN_PEOPLE_CONSOLE_COOKIE_H
/*
 * How a request says who it is: the session's cookie (RFC 6265bis; a __Host-
 * name: only over TLS, only from this very host) or a machine's key in
 * Authorization (RFC 6750 §2.1). One of them, once.
 */
#include <stdbool.h>

#define COOKIE_NAME	 "__Host-bedwarden"
#define COOKIE_TOKEN_MAX 129 /* bytes of a token and its zero */

enum cookie_found { COOKIE_NONE, COOKIE_FOUND, COOKIE_BAD };

/* The session's token out of a Cookie header. BAD: twice, too long, or letters no token has. */
enum cookie_found cookie_session(const char *header, char ret_token[COOKIE_TOKEN_MAX]);
/* The key out of an Authorization header: BAD where it is anything but one Bearer token. */
enum cookie_found cookie_bearer(const char *header, char ret_token[COOKIE_TOKEN_MAX]);
/* Letters, digits, '-', '_' and '.', at least one, not too many. */
bool cookie_is_token(const char *text);

#endif
