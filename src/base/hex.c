#include "base/hex.h"

#include <errno.h>

#include "base/digits.h"

void hex_write(const void *data, size_t len, char *ret_text)
{
	*digits_hex_bytes(ret_text, data, len) = 0;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_read(const char *text, size_t text_len, uint8_t *ret_data, size_t max, size_t *ret_len)
{
	if (text_len % 2 || text_len / 2 > max)
		return -EINVAL;
	for (size_t i = 0; i < text_len; i += 2) {
		int high = digit((uint8_t)text[i]), low = digit((uint8_t)text[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_data[i / 2] = (uint8_t)(high << 4 | low);
	}
	*ret_len = text_len / 2;
	return 0;
}

bool hex_read_small(struct bytes text, void *ret_data, size_t len)
{
	size_t got;

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] >= 'A' && text.data[i] <= 'F')
			return false;
	return text.len == 2 * len &&
	       hex_read((const char *)text.data, text.len, ret_data, len, &got) == 0;
}
