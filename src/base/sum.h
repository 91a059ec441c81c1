#ifndef BEDWARDEN_BASE_SUM_H
#define BEDWARDEN_BASE_SUM_H
/*
 * The Internet checksum (RFC 1071), in memory order, so that no byte is swapped
 * on the way: what is folded can be stored in a packet as it is.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds bytes; an odd number of them only at the end. */
static inline uint64_t sum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t word;
	uint16_t half;

	for (; len >= 4; p += 4, len -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
		len -= 2;
	}
	if (len) {
		uint8_t last[2] = {*p, 0};

		memcpy(&half, last, 2);
		sum += half;
	}
	return sum;
}

/* Not yet inverted; over data that carries its own checksum it is 0xffff. */
static inline uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

#endif
