#ifndef BEDWARDEN_KEEP_KEYS_INTERNAL_H
#define BEDWARDEN_KEEP_KEYS_INTERNAL_H
/* The handle of keep/keys.h, shared by its own files: keys.c, keys_data.c. */
#include <limits.h>
#include <sys/stat.h>

#include "base/cipher.h"
#include "keep/keyring.h"
#include "keep/keys.h"

#define CACHED 64

/* In locked memory, all of it. */
struct unlocked {
	uint8_t root[CRYPTO_KEY];
	uint8_t master[CRYPTO_KEY];
	struct {
		uint32_t id; /* 0: free */
		uint8_t key[CRYPTO_KEY];
	} cache[CACHED];
};

struct keys {
	char path[PATH_MAX], copy[PATH_MAX];
	int lock; /* flock(2): shared to read, exclusive to change */
	struct keyring ring;
	struct stat seen;   /* of the file that `ring` was read from */
	struct stat place;  /* of the holder, where that is a file; st_nlink 0 else */
	uint64_t looked_ns; /* when it was last seen to be that */
	struct unlocked *u;
	struct cipher *cipher;
	unsigned next; /* place in the cache */
	bool from_copy;
};

/* What binds a sealed key to its place in the keyring. */
struct keys_place {
	uint8_t data[16 + KEYRING_NAME_MAX];
	size_t len;
};
struct keys_place keys_place_of(const struct keyring_entry *e);

static inline struct bytes keys_place_bytes(const struct keys_place *p)
{
	return (struct bytes){p->data, p->len};
}

/* The newest keyring, without changing it. Errors are those of keep/keys.h, here and below. */
int keys_refresh(struct keys *k);
/* Takes the lock and the newest keyring; keys_commit(), keys_drop() or keys_unlock() follows. */
int keys_begin(struct keys *k);
/* What was changed is on the disk, or, with an error, undone. */
int keys_commit(struct keys *k);
/* Undoes what was changed. Gives back `err`. */
int keys_drop(struct keys *k, int err);
/* Nothing was changed. */
void keys_unlock(struct keys *k);

#endif
