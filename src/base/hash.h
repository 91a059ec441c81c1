#ifndef BEDWARDEN_BASE_HASH_H
#define BEDWARDEN_BASE_HASH_H
/*
 * A keyed hash for in-memory tables (SipHash-1-3): fast on short keys, and a
 * peer that does not know the key cannot choose inputs that collide. Not for
 * anything that leaves the process; use OpenSSL for that.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash_key {
	uint64_t k[2];
};

/* From the kernel's random source; never fails after boot. */
struct hash_key hash_key_random(void);

static inline uint64_t hash_rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = hash_rotl(v[1], 13) ^ v[0];
	v[3] = hash_rotl(v[3], 16) ^ v[2];
	v[0] = hash_rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = hash_rotl(v[1], 17) ^ v[2];
	v[3] = hash_rotl(v[3], 21) ^ v[0];
	v[2] = hash_rotl(v[2], 32);
}

/* Here, so that the compiler unrolls it for keys of a known size. */
static inline uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len)
{
	uint64_t v[4] = {key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d,
			 key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573};
	const uint8_t *p = data;
	uint64_t m;
	size_t left = len;

	for (; left >= 8; p += 8, left -= 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		hash_round(v);
		v[0] ^= m;
	}
	m = 0;
	memcpy(&m, p, left);
	m |= (uint64_t)len << 56;
	v[3] ^= m;
	hash_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/*
 * A tenth of the work, for inputs of one length, a few words (after Multilinear-HM: Lemire and
 * Kaser, "Strongly universal string hashing is fast", 2014): two inputs that are chosen before the
 * key is collide about as seldom as by chance. One who sees which do and chooses the next by that
 * may do better: for files, and for tables in which a collision costs no more than any other entry.
 */
#define HASH_PAIRS_MAX 6

struct hash_pairs_key {
	uint64_t k[1 + 2 * HASH_PAIRS_MAX];
};

struct hash_pairs_key hash_pairs_key_random(void);

static inline uint32_t hash_pairs(const struct hash_pairs_key *key, const uint64_t *words,
				  unsigned count)
{
	uint64_t sum = key->k[0];

	for (unsigned i = 0; i < count; i++)
		sum += (key->k[1 + 2 * i] + (uint32_t)words[i]) *
		       (key->k[2 + 2 * i] + (words[i] >> 32));
	/* Rows of inputs make rows of sums: they are to be scattered all the same. */
	sum ^= sum >> 32;
	return (uint32_t)(sum * 0x9e3779b97f4a7c15 >> 32);
}

#endif
