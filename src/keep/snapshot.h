#ifndef BEDWARDEN_KEEP_SNAPSHOT_H
#define BEDWARDEN_KEEP_SNAPSHOT_H
/*
 * A file as it was at one moment, to be put away while others go on writing to
 * it. A database is copied within one read transaction (SQLite's online backup),
 * with what its write-ahead log holds; the copy has no name. What is called ".db" is a
 * database, and opened by SQLite alone: this process may have it open, too. Of any other file it
 * is what was there when it was opened: what is appended meanwhile is left out, and
 * what is written over is told.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/bytes.h"

struct snapshot {
	int fd; /* of what is read: the file, or the nameless copy */
	uint64_t size, at;
	struct stat st; /* the file's own; its size is `size` */
	bool copied;	/* of a database */
};

/*
 * `scratch` is the folder where a database's copy is for a moment, 0600; the file must lie on
 * a disk that it may lie on, too. 0; -EINVAL no regular file; -EUCLEAN a damaged database;
 * -EAGAIN others hold it locked; -errno.
 */
int snapshot_open(const char *path, const char *scratch, struct snapshot *ret_snapshot);
/* The next bytes, fewer than `len` at the end only. Their number or -errno. */
ssize_t snapshot_read(struct snapshot *s, uint8_t *to, size_t len);
/* After the last byte: 0, or -EBUSY: it was written over while it was read. */
int snapshot_check(const struct snapshot *s);
void snapshot_close(struct snapshot *s);
/* The database as it is now, as the file `copy`, made if need be, not yet synced. As above. */
int snapshot_database(const char *path, const char *copy);
/* Whether a name is one that SQLite keeps beside a database: there is nothing in it by itself. */
bool snapshot_is_log(const char *name);

#endif
