#include "people/auth/token.h"

#include <errno.h>
#include <stdio.h>

#include "base/secret.h"
#include "people/auth/base64url.h"

#define RANDOM 32
#define PREFIX 4

static const char prefixes[][PREFIX + 1] = {[TOKEN_SESSION] = "bws_", [TOKEN_API_KEY] = "bwk_"};

static struct bytes text_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

int token_make(enum token_kind kind, int (*random)(void *ret_data, size_t len),
	       char ret_text[TOKEN_TEXT], uint8_t ret_hash[CRYPTO_HASH])
{
	uint8_t bits[RANDOM];
	int err = random(bits, sizeof(bits));

	if (err < 0)
		return err;
	memcpy(ret_text, prefixes[kind], PREFIX);
	base64url_write(bits, sizeof(bits), ret_text + PREFIX);
	secret_wipe(bits, sizeof(bits));
	return crypto_sha256(text_of(ret_text), ret_hash);
}

bool token_read(const char *text, enum token_kind *ret_kind, uint8_t ret_hash[CRYPTO_HASH])
{
	uint8_t bits[RANDOM];
	size_t len;

	for (unsigned kind = 0; kind < sizeof(prefixes) / sizeof(*prefixes); kind++) {
		if (strncmp(text, prefixes[kind], PREFIX) != 0)
			continue;
		if (base64url_read(text + PREFIX, bits, sizeof(bits), &len) < 0 ||
		    len != sizeof(bits) || crypto_sha256(text_of(text), ret_hash) < 0)
			return false;
		secret_wipe(bits, sizeof(bits));
		*ret_kind = (enum token_kind)kind;
		return true;
	}
	return false;
}

int token_csrf(const char *token, char ret_csrf[TOKEN_CSRF])
{
	static const char use[] = "bedwarden csrf";
	uint8_t mac[CRYPTO_HASH];
	int err = crypto_hmac(text_of(token), text_of(use), mac);

	if (err == 0)
		base64url_write(mac, sizeof(mac), ret_csrf);
	return err;
}

bool token_csrf_fits(const char *token, const char *csrf)
{
	char want[TOKEN_CSRF];

	return csrf && strlen(csrf) == TOKEN_CSRF - 1 && token_csrf(token, want) == 0 &&
	       crypto_equal(want, csrf, TOKEN_CSRF - 1);
}
