#ifndef BEDWARDEN_KEEP_WATCH_H
#define BEDWARDEN_KEEP_WATCH_H
/*
 * Hot folders: what lands in them, by whatever program, is put into the vault
 * and, once it was read back from there and compared, removed.
 *
 * A file is taken when nothing about it has changed for a while and nobody has it
 * open for writing (fcntl(2), F_SETLEASE, where that is allowed). Names by which
 * programs say that a file is not finished are passed over until it is renamed:
 * hidden ones, "~…", and those that end .tmp, .part, .filepart and the like. What
 * changes while it is read stays, and is tried again.
 *
 * A folder that is removed and made again is watched again; the memory that is taken
 * does not grow with the files in it.
 *
 * Nothing is remembered but the vault: killed at any moment and started again it
 * finds what is still there, puts it once more, which changes nothing, and
 * removes it. No link is followed and nothing outside the folder is touched,
 * whatever somebody in there renames meanwhile.
 */
#include "keep/vault.h"

#define WATCH_FOLDERS 16

struct watch_options {
	const char *folders[WATCH_FOLDERS]; /* each its own name in the vault: "export/ct/1.dcm" */
	unsigned count;
	const char *class;
	int64_t keep_ns;
	unsigned settle_ms; /* for so long nothing may have changed */
	bool once;	    /* what is there now, then the end */
	int stop;	    /* a descriptor that becomes readable when it is to end; -1 */
	/* Sealed, verified, and removed for good. */
	void (*sealed)(void *arg, struct bytes name, const struct vault_item *item);
	/* It stays where it is, and why; -ETXTBSY: it, the first of such, is open for writing for
	 * long; -ENOENT: the folder is no longer there. */
	void (*kept)(void *arg, struct bytes name, int err);
	void *arg;
};

/* 0 when it was told to end; -errno where a folder or the vault cannot be used; -EINVAL where a
 * folder is the vault's own (vault_is_own()), which below a folder is passed over. */
int watch_run(struct vault *v, const struct watch_options *o);

#endif
