#include "seal/age/bech32.h"

#include <ctype.h>
#include <errno.h>

#define CHECK_LEN 6

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* BIP 173: the checksum's generator, one five-bit value further. */
static uint32_t step(uint32_t sum, uint8_t value)
{
	static const uint32_t generator[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
					     0x2a1462b3};
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ value;
	for (unsigned i = 0; i < 5; i++)
		if (top >> i & 1)
			sum ^= generator[i];
	return sum;
}

static uint32_t start(const char *prefix)
{
	uint32_t sum = 1;

	for (const char *p = prefix; *p; p++)
		sum = step(sum, (uint8_t)*p >> 5);
	sum = step(sum, 0);
	for (const char *p = prefix; *p; p++)
		sum = step(sum, (uint8_t)*p & 31);
	return sum;
}

void bech32_write(const char *prefix, const void *data, size_t len, bool upper, char *ret_text)
{
	uint32_t sum = start(prefix), bits = 0;
	const uint8_t *p = data;
	size_t n = strlen(prefix);
	unsigned have = 0;

	memcpy(ret_text, prefix, n);
	ret_text[n++] = '1';
	while (len || have) {
		uint8_t value;

		if (have < 5 && len) {
			bits = bits << 8 | *p++;
			have += 8;
			len--;
		} else if (have < 5) {
			bits <<= 5 - have;
			have = 5;
		}
		have -= 5;
		value = bits >> have & 31;
		sum = step(sum, value);
		ret_text[n++] = alphabet[value];
	}
	for (unsigned i = 0; i < CHECK_LEN; i++)
		sum = step(sum, 0);
	sum ^= 1;
	for (unsigned i = 0; i < CHECK_LEN; i++)
		ret_text[n++] = alphabet[sum >> 5 * (CHECK_LEN - 1 - i) & 31];
	ret_text[n] = 0;
	for (char *c = ret_text; upper && *c; c++)
		*c = (char)toupper((unsigned char)*c);
}

/* The value of a digit of that case, or -1. */
static int digit(uint8_t c, bool upper)
{
	const char *at;

	if (upper ? islower(c) : isupper(c))
		return -1;
	at = c ? strchr(alphabet, tolower(c)) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

static bool has_prefix(const char *prefix, struct bytes text, bool upper)
{
	size_t n = strlen(prefix);

	if (text.len < n + 1 + CHECK_LEN || text.data[n] != '1')
		return false;
	for (size_t i = 0; i < n; i++)
		if (text.data[i] != (upper ? toupper((unsigned char)prefix[i]) : prefix[i]))
			return false;
	return true;
}

int bech32_read(const char *prefix, struct bytes text, uint8_t *ret_data, size_t max,
		size_t *ret_len)
{
	uint32_t sum = start(prefix), bits = 0;
	bool upper = text.len && isupper(text.data[0]);
	unsigned have = 0;
	size_t len = 0;

	if (!has_prefix(prefix, text, upper))
		return -EINVAL;
	for (size_t i = strlen(prefix) + 1; i < text.len; i++) {
		int value = digit(text.data[i], upper);

		if (value < 0)
			return -EINVAL;
		sum = step(sum, (uint8_t)value);
		if (i >= text.len - CHECK_LEN)
			continue;
		bits = bits << 5 | (uint32_t)value;
		have += 5;
		if (have >= 8) {
			if (len == max)
				return -EINVAL;
			have -= 8;
			ret_data[len++] = (uint8_t)(bits >> have);
		}
	}
	/* What is left over is padding: less than a digit of it, and zero. */
	if (sum != 1 || have >= 5 || (bits & ((1u << have) - 1)))
		return -EINVAL;
	*ret_len = len;
	return 0;
}
