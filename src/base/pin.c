#include "base/pin.h"

#include <string.h>

#include "base/base64.h"
#include "base/hex.h"

static bool read_hex(const char *text, uint8_t ret_pin[CRYPTO_HASH])
{
	char digits[2 * CRYPTO_HASH];
	size_t n = 0, len;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (n == sizeof(digits))
			return false;
		digits[n++] = *text;
	}
	return hex_read(digits, n, ret_pin, CRYPTO_HASH, &len) == 0 && len == CRYPTO_HASH;
}

bool pin_parse(const char *text, uint8_t ret_pin[CRYPTO_HASH])
{
	uint8_t pin[CRYPTO_HASH];
	size_t len;

	if (strncmp(text, "sha256/", 7) != 0) {
		if (!read_hex(text, pin))
			return false;
	} else {
		struct bytes base64 = {(const uint8_t *)text + 7, strlen(text + 7)};

		if (base64_read_padded(base64, pin, sizeof(pin), &len) < 0 || len != sizeof(pin))
			return false;
	}
	memcpy(ret_pin, pin, CRYPTO_HASH);
	return true;
}
