#ifndef BEDWARDEN_KEEP_VAULT_FILE_H
#define BEDWARDEN_KEEP_VAULT_FILE_H
/*
 * Reading a vault's objects at any place, a chunk at a time, in the caller's
 * thread. What was opened of the last few chunks stays in a cache of a fixed size,
 * in memory that is kept out of swap and wiped when it is given up. Nothing holds
 * an object's key longer than for one chunk: what was destroyed reads no more.
 */
#include <sys/types.h>

#include "keep/vault.h"

struct vault_cache;
/* For one vault, which must outlive it. NULL: no memory. */
struct vault_cache *vault_cache_new(struct vault *v);
void vault_cache_free(struct vault_cache *c);

struct vault_file;
/* What an entry says, for as long as the cache lives. NULL: no memory. */
struct vault_file *vault_file_open(struct vault_cache *c, const struct vault_entry *e);
void vault_file_close(struct vault_file *f);
/* Up to `len` bytes from `at`; fewer at the end only. Their number; -EBADMSG: damaged there, and
 * nothing of that chunk is given out; -ESTALE: destroyed meanwhile; or -errno. */
ssize_t vault_file_read(struct vault_file *f, uint64_t at, void *ret_data, size_t len);

#endif
