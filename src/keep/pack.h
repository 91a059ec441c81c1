#ifndef BEDWARDEN_KEEP_PACK_H
#define BEDWARDEN_KEEP_PACK_H
/*
 * The vault's files of objects, packs/00000001.pack and so on: records one after
 * the other (keep/object.h) behind 16 bytes that say so. A pack is only ever
 * appended to, by one process at a time, which holds its lock; what was destroyed
 * becomes a hole.
 */
#include "base/bytes.h"

#define PACK_HEAD 16
#define PACK_MAX  (1ull << 30) /* one that is longer is not appended to any more */

struct pack {
	int fd; /* -1: none yet */
	uint32_t id;
	uint64_t end; /* where the next record goes */
};

/* Takes one that nobody else writes to, or begins a new one. Nothing is ever cut off that this
 * process did not write: an index that was lost may know less than the pack. 0 or -errno. */
int pack_take(const char *dir, struct pack *ret_pack);
/* Lets others write to it. */
void pack_leave(struct pack *p);

/* An existing one. Its descriptor, the caller's to close, or -errno; -EUCLEAN it is none. */
int pack_open(const char *dir, uint32_t id, bool write);
/* The same to read what is long, around the page cache (O_DIRECT) where the file system can: by
 * whole pages into whole pages; -EINVAL to pread() where its pages are larger. */
int pack_open_long(const char *dir, uint32_t id);
/* All of it or -errno; -ENODATA: the pack ends before. */
int pack_read(int fd, uint64_t at, void *ret_data, size_t len);
int pack_write(int fd, uint64_t at, struct bytes data);
/* Gives the space back to the file system, or writes zeros where that cannot. */
int pack_punch(int fd, uint64_t at, uint64_t len);
/* The numbers of those there are, ascending, the caller's to free(). Their count or -errno. */
int pack_list(const char *dir, uint32_t **ret_ids);

#endif
