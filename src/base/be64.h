#ifndef BEDWARDEN_BASE_BE64_H
#define BEDWARDEN_BASE_BE64_H
/* A 64-bit number in network byte order at any eight bytes, as nonces and record numbers have it. */
#include <stdint.h>

static inline void be64_put(uint8_t *at, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline uint64_t be64_get(const uint8_t *at)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | at[i];
	return v;
}

#endif
