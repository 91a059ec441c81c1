#include "base/hash.h"

#include "base/log.h"

#include <sys/random.h>

struct hash_key hash_key_random(void)
{
	struct hash_key key;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		fatal("getrandom: no randomness for the hash tables");
	return key;
}

struct hash_pairs_key hash_pairs_key_random(void)
{
	struct hash_pairs_key key;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		fatal("getrandom: no randomness for the hash tables");
	return key;
}
