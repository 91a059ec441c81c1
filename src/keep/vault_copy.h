#ifndef BEDWARDEN_KEEP_VAULT_COPY_H
#define BEDWARDEN_KEEP_VAULT_COPY_H
/*
 * A vault's folder on another disk, brought up to date: as sealed as the vault
 * is, and opened by its holder or the recovery key, once it is copied back. Only
 * packs that are new or changed are copied; others may read and write the vault
 * meanwhile. A key file of a first trial (holder "file") is left behind.
 *
 * Killed at any moment, it leaves the copy as it was or as it is now, but for one:
 * packs, keyring and index are named one after the other, and what came in between
 * is found by vault_mend().
 */
#include <stdbool.h>
#include <stdint.h>

#define VAULT_COPY_ERROR 512

struct vault_copy_options {
	const char *from, *to;	 /* folders; `to` is there, and empty or a copy of the same vault */
	bool (*stop)(void *arg); /* NULL: never */
	void *arg;
};

struct vault_copy_result {
	uint64_t packs, copied, bytes; /* how many there are; of them copied, and read for that */
	bool same_disk;		       /* both folders are on one file system */
};

/*
 * 0, and all of it is on the disk. -ENOENT no folder `to`; -EEXIST it holds something else;
 * -EBUSY somebody has been destroying objects for too long; -ECANCELED; -ENOSPC, -errno. What it
 * is, for a person, in ret_error.
 */
int vault_copy(const struct vault_copy_options *o, struct vault_copy_result *ret_result,
	       char ret_error[VAULT_COPY_ERROR]);

#endif
