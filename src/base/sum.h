#ifndef BEDWARDEN_BASE_SUM_H
#define BEDWARDEN_BASE_SUM_H
/*
 * The Internet checksum (RFC 1071), in memory order, so that no byte is swapped
 * on the way: what is folded can be stored in a packet as it is.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds bytes; an odd number of them only at the end. What runs over the top comes in at the bottom. */
static inline uint64_t sum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word;
	uint32_t half;

	/* Half words, each in a sum of its own: up to 64 GiB nothing runs over, and none waits for another. */
	if (len >= 64) {
		uint64_t low[4] = {0}, high[4] = {0};

		for (; len >= 32; p += 32, len -= 32)
			for (unsigned i = 0; i < 4; i++) {
				memcpy(&word, p + 8 * i, 8);
				low[i] += (uint32_t)word;
				high[i] += word >> 32;
			}
		for (unsigned i = 0; i < 4; i++) {
			word = low[i] + high[i];
			sum += word;
			sum += sum < word;
		}
	}
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum += word;
		sum += sum < word;
	}
	if (len >= 4) {
		memcpy(&half, p, 4);
		sum += half;
		sum += sum < half;
		p += 4;
		len -= 4;
	}
	if (len) {
		uint8_t last[4] = {0};

		for (size_t i = 0; i < len; i++)
			last[i] = p[i];
		memcpy(&half, last, 4);
		sum += half;
		sum += sum < half;
	}
	return sum;
}

/* Not yet inverted; over data that carries its own checksum it is 0xffff. Each half is added to the other
 * in both places at once: what runs over the lower one comes in at the bottom of the upper one. */
static inline uint16_t sum_fold(uint64_t sum)
{
	uint32_t half;

	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

#endif
