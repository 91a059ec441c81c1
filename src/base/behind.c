#include "base/behind.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define STEP (4 << 20)

struct behind behind_at(int fd, uint64_t at)
{
	return (struct behind){.fd = fd, .dropped = (off_t)at, .started = (off_t)at};
}

struct behind behind_here(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	return at < 0 ? (struct behind){.fd = fd, .off = true} : behind_at(fd, (uint64_t)at);
}

/* -EIO and the like are the disk's; anything else says that this is no file of a disk. */
static int write_out(struct behind *b, off_t at, unsigned flags)
{
	if (sync_file_range(b->fd, at, STEP, flags) == 0)
		return 0;
	if (errno == EIO || errno == ENOSPC || errno == EDQUOT)
		return -errno;
	b->off = true;
	return 0;
}

/* One step is on its way to the disk while the next is being filled. */
int behind_written(struct behind *b, uint64_t end)
{
	const unsigned all =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	int err = 0;

	while (err == 0 && !b->off && (off_t)end - b->started >= STEP) {
		err = write_out(b, b->started, SYNC_FILE_RANGE_WRITE);
		if (err == 0 && b->dropped < b->started) {
			err = write_out(b, b->dropped, all);
			(void)posix_fadvise(b->fd, b->dropped, STEP, POSIX_FADV_DONTNEED);
			b->dropped += STEP;
		}
		b->started += STEP;
	}
	return err;
}

void behind_read(struct behind *b, uint64_t end)
{
	for (; !b->off && (off_t)end - b->dropped >= STEP; b->dropped += STEP)
		b->off = posix_fadvise(b->fd, b->dropped, STEP, POSIX_FADV_DONTNEED) != 0;
}
