#ifndef BEDWARDEN_KEEP_VAULT_LONG_H
#define BEDWARDEN_KEEP_VAULT_LONG_H
/*
 * An object of many chunks, on all cores: each worker takes one chunk all the way,
 * reads it, seals or opens it while it is in that core's cache, and writes it. What
 * must be in order takes its turn.
 */
#include <sys/types.h>

#include "keep/vault_commit.h"

/* Puts what `fd` gives, of which the first chunk and one byte more are in `first`; `key` is to be
 * the object's own. The committer was flushed. 0 or -errno. */
int long_put(struct vault *v, struct committer *c, struct vault_item *it, int fd,
	     const uint8_t *first, uint8_t *key);
/* -EBUSY: the file is not any more what it was when the item was added. */
int long_changed(const struct vault_item *it, int fd);
/* The item's next bytes, up to `len`; fewer at the end only. Their number or -errno. */
ssize_t long_read(const struct vault_item *it, int fd, uint8_t *to, size_t len);

#endif
