#ifndef BEDWARDEN_BASE_DIGITS_H
#define BEDWARDEN_BASE_DIGITS_H
/*
 * Numbers as text, for where a line of events is made of them and printf()
 * would be most of the cost. Nothing is terminated; each returns where it ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MAX 20 /* of the largest number, in decimal */

extern const char digits_pairs[200]; /* "00", "01" to "99" */

/* Two decimal digits, v below 100. */
static inline char *digits_pair(char *at, unsigned v)
{
	memcpy(at, digits_pairs + 2 * v, 2);
	return at + 2;
}

/* How many decimal digits v has. */
static inline unsigned digits_len(uint64_t v)
{
	unsigned n = 1;

	for (; v >= 10000; v /= 10000)
		n += 4;
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/* Decimal, at most DIGITS_MAX bytes. */
static inline char *digits_decimal(char *at, uint64_t v)
{
	char *end;

	if (v < 10) {
		*at = (char)('0' + v);
		return at + 1;
	}
	at = end = at + digits_len(v);
	for (; v >= 100; v /= 100)
		digits_pair(at -= 2, (unsigned)(v % 100));
	if (v >= 10)
		digits_pair(at - 2, (unsigned)v);
	else
		at[-1] = (char)('0' + v);
	return end;
}

/* The last `count` hexadecimal digits, lower case. */
static inline char *digits_hex(char *at, uint64_t v, unsigned count)
{
	for (unsigned i = count; i-- > 0; v >>= 4)
		at[i] = "0123456789abcdef"[v & 15];
	return at + count;
}

/* Every byte as two hexadecimal digits. */
static inline char *digits_hex_bytes(char *at, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at = digits_hex(at, data[i], 2);
	return at;
}

#endif
