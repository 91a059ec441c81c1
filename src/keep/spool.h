#ifndef BEDWARDEN_KEEP_SPOOL_H
#define BEDWARDEN_KEEP_SPOOL_H
/*
 * Bytes that come in pieces and are not whole yet, however many: the first of
 * them in memory, the others in a file without a name, sealed by a key that is
 * nowhere else and goes with the spool. Whoever finds the disk after a crash
 * finds nothing that could be opened.
 *
 * Written by one thread to the end, then read by one thread.
 */
#include <sys/types.h>

#include "base/bytes.h"

struct spool;

/* `folder` is where the file would be, borrowed. NULL with errno ENOMEM. */
struct spool *spool_new(const char *folder);
/* Wiped. NULL is fine. */
void spool_free(struct spool *s);
/* 0; -ENOSPC and other -errno: of no more use. */
int spool_add(struct spool *s, struct bytes piece);
uint64_t spool_size(const struct spool *s);
/* From the beginning again. 0 or -errno. */
int spool_rewind(struct spool *s);
/* The next bytes, fewer than `len` at the end only. Their number; -EBADMSG; -errno. */
ssize_t spool_read(struct spool *s, uint8_t *to, size_t len);

#endif
