#ifndef BEDWARDEN_BASE_HASH_H
#define BEDWARDEN_BASE_HASH_H
/*
 * A keyed hash for in-memory tables (SipHash-1-3): fast on short keys, and a
 * peer that does not know the key cannot choose inputs that collide. Not for
 * anything that leaves the process; use OpenSSL for that.
 */
#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k[2];
};

/* From the kernel's random source; never fails after boot. */
struct hash_key hash_key_random(void);
uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t len);

#endif
