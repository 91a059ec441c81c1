#ifndef BEDWARDEN_BASE_FNV_H
#define BEDWARDEN_BASE_FNV_H
/*
 * FNV-1a (RFC 9923 §2): small, and without a key. For what stands for itself (a name, a sender, a
 * row of numbers) and for tables of files: where a peer could gain by a collision, base/hash.h.
 *
 * A hash begins with START and takes one octet, or one word where a word is what differs, a step.
 */
#include "base/bytes.h"

#define FNV32_START 0x811c9dc5u
#define FNV64_START 0xcbf29ce484222325ull

static inline uint32_t fnv32_step(uint32_t h, uint32_t v)
{
	return (h ^ v) * 0x01000193u;
}

static inline uint64_t fnv64_step(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x100000001b3ull;
}

static inline uint32_t fnv32(uint32_t h, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		h = fnv32_step(h, b.data[i]);
	return h;
}

static inline uint64_t fnv64(uint64_t h, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		h = fnv64_step(h, b.data[i]);
	return h;
}

#endif
