#ifndef BEDWARDEN_BASE_DIGITS_H
#define BEDWARDEN_BASE_DIGITS_H
/*
 * Numbers as text, for where a line of events is made of them and printf()
 * would be most of the cost. Nothing is terminated; each returns where it ends.
 */
#include <endian.h>
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

/*
 * The eight decimal digits of v, below 10^8, a byte each from the first in the lowest:
 * all of them at once, by multiplications that cannot carry from one to the next.
 */
static inline uint64_t digits_eight(uint32_t v)
{
	uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32, q;

	q = (x * 5243 >> 19) & 0x0000007f0000007f; /* hundreds of each half */
	x = (x - q * 100) << 16 | q;
	q = (x * 103 >> 10) & 0x000f000f000f000f; /* tens of each quarter */
	return (x - q * 10) << 8 | q;
}

#define DIGITS_ZEROES 0x3030303030303030

char *digits_many(char *at, uint64_t v); /* digits_decimal() of 10 and more */

/* Decimal. It may write up to DIGITS_MAX bytes, whatever of them is behind the digits. */
static inline char *digits_decimal(char *at, uint64_t v)
{
	if (v >= 10)
		return digits_many(at, v);
	*at = (char)('0' + v);
	return at + 1;
}

/* The same of a port's number, without a branch: they are of any length. It may write eight bytes. */
static inline char *digits_port(char *at, uint16_t v)
{
	unsigned rest = v % 10000u, zeroes;
	uint16_t high, low;
	uint64_t x;

	memcpy(&high, digits_pairs + 2 * (rest / 100), 2);
	memcpy(&low, digits_pairs + 2 * (rest % 100), 2);
	x = ('0' + v / 10000u) | (uint64_t)le16toh(high) << 8 | (uint64_t)le16toh(low) << 24;
	zeroes = (unsigned)__builtin_ctzll((x ^ 0x3030303030) | 1ull << 32) & ~7u;
	x = htole64(x >> zeroes);
	memcpy(at, &x, 8);
	return at + 5 - zeroes / 8;
}

extern const char
	digits_octets[1025]; /* "0  1", "1  1" to "2553": how many there are is the last */

/* A byte in decimal, and one character behind it. It may write four bytes. */
static inline char *digits_octet(char *at, uint8_t v, char behind)
{
	uint32_t octet;

	memcpy(&octet, digits_octets + 4 * v, 4);
	memcpy(at, &octet, 4);
	at += (le32toh(octet) >> 24) - '0';
	*at = behind;
	return at + 1;
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
