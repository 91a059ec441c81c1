#ifndef BEDWARDEN_KEEP_VAULT_INTERNAL_H
#define BEDWARDEN_KEEP_VAULT_INTERNAL_H
/* The vault's handle, shared by its own files: vault.c, vault_put.c, vault_get.c, vault_shred.c,
 * vault_check.c, vault_mend.c, vault_scan.c. */
#include <limits.h>

#include "base/pool.h"
#include "keep/catalog.h"
#include "keep/pack.h"
#include "keep/vault.h"

#define VAULT_WORKERS_MAX 16
#define VAULT_PACKS_OPEN  32

struct vault {
	char dir[PATH_MAX - 64];
	int in_use; /* the folder, flock(2): shared by all who have it open; alone to mend */
	struct keys *keys;
	bool keys_are_ours;
	struct catalog *catalog;
	struct sealer *sealer;			   /* of the thread that calls us */
	struct sealer *sealers[VAULT_WORKERS_MAX]; /* of the pool's threads, by number */
	struct pool *pool;
	unsigned workers;
	struct {
		uint32_t id;
		int fd;		   /* 0: none */
	} packs[VAULT_PACKS_OPEN]; /* for reading */
	unsigned next_pack;
};

/* With an index of that name in `dir`, made if need be; NULL: the vault's own. */
struct vault *vault_open_index(const char *dir, const char *index, struct keys *keys,
			       unsigned threads, char ret_error[KEYS_ERROR]);
/* The purpose of the data keys of a class, "vault.hl7". */
#define VAULT_PURPOSE 32
void vault_purpose(const char *class, char ret_purpose[VAULT_PURPOSE]);
/* The pack for reading; stays the vault's, good until VAULT_PACKS_OPEN others were asked for. */
int vault_pack(struct vault *v, uint32_t id);
/* An object's own key, by way of its data key. */
int vault_object_key(struct vault *v, const struct object_head *h, uint8_t ret_key[CRYPTO_KEY]);
/* Whether the whole content is what its address says: 0, or as vault_stream(). `key`: its own. */
int vault_verify_object(struct vault *v, struct catalog_object *o, const uint8_t key[CRYPTO_KEY]);
/* Appends to the log, within the catalog's transaction. */
int vault_note(struct vault *v, const char *line, size_t len);

/* A name's row as an entry, its name in `buf`, the object's key in `key`, locked memory. -ENOKEY:
 * its data key is gone. */
int vault_unseal(struct vault *v, const struct catalog_name *n, struct catalog_object *o,
		 uint8_t *key, uint8_t buf[OBJECT_META], struct vault_entry *ret_entry);
/* vault_each(), or only the newest of each name. */
int vault_walk(struct vault *v, bool newest, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg);
/* Of those in the range; `after` moves on to the last that `fn` was shown. */
int vault_walk_range(struct vault *v, struct catalog_range *range,
		     int (*fn)(void *arg, const struct vault_entry *e), void *arg);
/* Whoever holds it alone destroys. Its descriptor, held as long as it is open; -EWOULDBLOCK where
 * somebody else has it. */
int vault_shred_lock(const char *dir, bool wait);
/* Holes where the packs have what the index does not know, or nothing any more. Under shred.lock;
 * whoever writes to a pack meanwhile keeps it from being looked at. */
int vault_punch_unknown(struct vault *v);

#endif
