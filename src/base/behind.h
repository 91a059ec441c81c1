#ifndef BEDWARDEN_BASE_BEHIND_H
#define BEDWARDEN_BASE_BEHIND_H
/*
 * Drop-behind: a long file that is read or written once, from front to back, and
 * would else fill the page cache. What was written goes to the disk at once, and
 * leaves memory when it is there; what was read leaves memory. So a long file takes
 * some 8 MiB of the machine whatever its length, nothing else is driven out of
 * the cache, and a flush at the end has little to do.
 *
 * Hints, but for one thing: the disk's errors are told here first, and an fsync()
 * of the same descriptor need not repeat them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct behind {
	int fd;
	bool off; /* no file, or no file system that can do so */
	off_t dropped, started;
};

/* From `at` on. */
struct behind behind_at(int fd, uint64_t at);
/* From the descriptor's offset on; of a pipe nothing. */
struct behind behind_here(int fd);
/* Up to `end` it was written. 0, -EIO, -ENOSPC, -EDQUOT, and what is written is not on the disk. */
int behind_written(struct behind *b, uint64_t end);
/* Up to `end` it was read. */
void behind_read(struct behind *b, uint64_t end);

#endif
