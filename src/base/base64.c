#include "base/base64.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1 for what is no digit. */
static const int8_t values[256] = {
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62,
	-1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1, -1, 0,
	1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
	23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
	39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
};

void base64_write(const void *data, size_t len, char *ret_text)
{
	const uint8_t *p = data;

	for (; len >= 3; len -= 3, p += 3) {
		*ret_text++ = alphabet[p[0] >> 2];
		*ret_text++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
		*ret_text++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
		*ret_text++ = alphabet[p[2] & 63];
	}
	if (!len)
		return;
	*ret_text++ = alphabet[p[0] >> 2];
	*ret_text++ = alphabet[(p[0] & 3) << 4 | (len > 1 ? p[1] >> 4 : 0)];
	if (len > 1)
		*ret_text = alphabet[(p[1] & 15) << 2];
}

size_t base64_write_padded(const void *data, size_t len, char *ret_text)
{
	size_t n = BASE64_LEN(len);

	base64_write(data, len, ret_text);
	while (n % 4)
		ret_text[n++] = '=';
	return n;
}

/* Whole groups of four digits; false for anything else. */
static bool read_groups(const uint8_t *s, size_t groups, uint8_t *ret_data)
{
	uint32_t bad = 0;

	for (; groups; groups--, s += 4) {
		uint32_t a = (uint32_t)values[s[0]], b = (uint32_t)values[s[1]];
		uint32_t c = (uint32_t)values[s[2]], d = (uint32_t)values[s[3]];

		bad |= a | b | c | d;
		*ret_data++ = (uint8_t)(a << 2 | b >> 4);
		*ret_data++ = (uint8_t)(b << 4 | c >> 2);
		*ret_data++ = (uint8_t)(c << 6 | d);
	}
	return bad < 64; /* no -1 among them */
}

int base64_read(struct bytes text, uint8_t *ret_data, size_t max, size_t *ret_len)
{
	size_t groups = text.len / 4, rest = text.len % 4, len = groups * 3 + (rest ? rest - 1 : 0);
	uint8_t tail[4] = {'A', 'A', 'A', 'A'}, last[3];

	if (rest == 1 || len > max || (groups && !read_groups(text.data, groups, ret_data)))
		return -EINVAL;
	if (rest) {
		memcpy(tail, text.data + groups * 4, rest);
		/* The bits that no byte takes must be zero (§3.5). */
		if (!read_groups(tail, 1, last) || last[rest - 1])
			return -EINVAL;
		memcpy(ret_data + groups * 3, last, rest - 1);
	}
	*ret_len = len;
	return 0;
}

int base64_read_padded(struct bytes text, uint8_t *ret_data, size_t max, size_t *ret_len)
{
	if (text.len % 4)
		return -EINVAL;
	if (text.len && text.data[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 3 && text.data[text.len - 1] == '=')
		text.len--;
	return base64_read(text, ret_data, max, ret_len);
}
