#ifndef BEDWARDEN_KEEP_EVE_H
#define BEDWARDEN_KEEP_EVE_H
/*
 * The EVE file that a SIEM reads: one event a line, whole lines only. A line
 * torn by a crash is completed where only its newline is missing, else cut, when
 * the file is opened. Rotated by size (FILE, FILE.1, FILE.2 …); a file that
 * somebody else moved away is noticed and begun anew.
 *
 * Lines are buffered until eve_flush(). While they cannot be written they are
 * kept, up to EVE_BUFFER bytes; then further ones are refused and counted. The
 * file follows the database and is not what durability is promised of: it is
 * synced when it is rotated and closed.
 */
#include "base/bytes.h"

#define EVE_BUFFER (16u << 20)

struct eve;

struct eve_counts {
	uint64_t written; /* lines */
	uint64_t lost;
	size_t buffered; /* bytes waiting */
	uint64_t cut;	 /* bytes of torn lines cut off when opened */
	uint64_t file_bytes;
};

/* `path` is copied; a file that cannot be opened now is tried again at every flush. `keep` older
 * files stay, 0: none. NULL with errno ENOMEM or ENAMETOOLONG. */
struct eve *eve_new(const char *path, uint64_t rotate_bytes, unsigned keep);
/* Flushes, as far as that works, and closes. */
void eve_free(struct eve *e);
/* One line without its newline. 0, or -ENOBUFS: no room. */
int eve_put(struct eve *e, struct bytes line);
/* Everything handed to the file: 0. Else -ENOSPC or what else is wrong; it stays buffered. */
int eve_flush(struct eve *e);
/* Closes and opens by name again, for logrotate. 0 or -errno. */
int eve_reopen(struct eve *e);
void eve_counts(const struct eve *e, struct eve_counts *ret_counts);

#endif
