#include "people/auth/base64url.h"

#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "base/base64.h"

static void swap(char *text, size_t len, char from, char to)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == from)
			text[i] = to;
}

void base64url_write(const void *data, size_t len, char *ret_text)
{
	size_t out = BASE64URL_LEN(len);

	base64_write(data, len, ret_text);
	swap(ret_text, out, '+', '-');
	swap(ret_text, out, '/', '_');
	ret_text[out] = 0;
}

int base64url_read(const char *text, uint8_t *ret_data, size_t max, size_t *ret_len)
{
	size_t len = strlen(text);
	char *copy;
	int err;

	if (len > BASE64URL_LEN(max) || strpbrk(text, "+/"))
		return -EINVAL;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len + 1);
	swap(copy, len, '-', '+');
	swap(copy, len, '_', '/');
	err = base64_read((struct bytes){(const uint8_t *)copy, len}, ret_data, max, ret_len);
	secret_wipe(copy, len);
	free(copy);
	return err;
}
