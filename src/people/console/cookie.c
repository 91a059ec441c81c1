#include "people/console/cookie.h"

#include <string.h>
#include <strings.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

bool cookie_is_token(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < COOKIE_TOKEN_MAX && strspn(text, LETTERS) == len;
}

static enum cookie_found take(const char *text, size_t len, char ret_token[COOKIE_TOKEN_MAX])
{
	char token[COOKIE_TOKEN_MAX];

	if (len == 0 || len >= sizeof(token))
		return COOKIE_BAD;
	memcpy(token, text, len);
	token[len] = 0;
	if (strlen(token) != len || !cookie_is_token(token))
		return COOKIE_BAD;
	memcpy(ret_token, token, len + 1);
	return COOKIE_FOUND;
}

enum cookie_found cookie_session(const char *header, char ret_token[COOKIE_TOKEN_MAX])
{
	const size_t name = strlen(COOKIE_NAME);
	enum cookie_found found = COOKIE_NONE;

	while (*header) {
		size_t len = strcspn(header, ";");

		while (len > 0 && (*header == ' ' || *header == '\t'))
			header++, len--;
		while (len > 0 && (header[len - 1] == ' ' || header[len - 1] == '\t'))
			len--;
		if (len > name && memcmp(header, COOKIE_NAME, name) == 0 && header[name] == '=') {
			/* A second one was put there by somebody else. */
			if (found != COOKIE_NONE)
				return COOKIE_BAD;
			found = take(header + name + 1, len - name - 1, ret_token);
		} else if (len == name && memcmp(header, COOKIE_NAME, name) == 0) {
			return COOKIE_BAD;
		}
		header += strcspn(header, ";");
		header += *header == ';';
	}
	return found;
}

enum cookie_found cookie_bearer(const char *header, char ret_token[COOKIE_TOKEN_MAX])
{
	if (strncasecmp(header, "Bearer ", 7) != 0)
		return COOKIE_BAD;
	header += 7;
	header += strspn(header, " ");
	return take(header, strlen(header), ret_token);
}
