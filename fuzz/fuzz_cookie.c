/* Cookie and Authorization headers: a token that is one, or none. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "people/console/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(enum cookie_found found, const char *token)
{
	if (found == COOKIE_FOUND &&
	    (!memchr(token, 0, COOKIE_TOKEN_MAX) || !cookie_is_token(token)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *header = malloc(len + 1), token[COOKIE_TOKEN_MAX];

	memcpy(header, data, len);
	header[len] = 0;
	memset(token, 'x', sizeof(token));
	check(cookie_session(header, token), token);
	memset(token, 'x', sizeof(token));
	check(cookie_bearer(header, token), token);
	free(header);
	return 0;
}
