#include "keep/eve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/event.h"

struct eve {
	char path[PATH_MAX];
	int fd; /* -1 not open */
	uint64_t size, rotate_bytes;
	unsigned keep;
	uint8_t *buffer;
	size_t cap, len;
	struct eve_counts counts;
};

/* The tail behind the last newline; at most what one event can be. */
static ssize_t read_tail(int fd, uint64_t size, uint8_t *ret_tail, size_t max)
{
	size_t n = size < max ? (size_t)size : max;
	ssize_t got = pread(fd, ret_tail, n, (off_t)(size - n));
	uint8_t *newline;

	if (got < 0)
		return -errno;
	newline = memrchr(ret_tail, '\n', (size_t)got);
	if (!newline)
		return got;
	got -= newline + 1 - ret_tail;
	memmove(ret_tail, newline + 1, (size_t)got);
	return got;
}

/* A whole event whose newline did not reach the disk any more? */
static bool is_whole(const uint8_t *tail, size_t len)
{
	json_t *root = json_loadb((const char *)tail, len, JSON_ALLOW_NUL, NULL);
	bool whole = json_is_object(root);

	json_decref(root);
	return whole;
}

static int mend(struct eve *e, int fd, uint64_t *size)
{
	uint8_t tail[EVENT_MAX + 2];
	ssize_t n = read_tail(fd, *size, tail, sizeof(tail));

	if (n <= 0)
		return (int)n;
	if (is_whole(tail, (size_t)n) && write(fd, "\n", 1) == 1) {
		*size += 1;
		return 0;
	}
	if (ftruncate(fd, (off_t)(*size - (uint64_t)n)) < 0)
		return -errno;
	*size -= (uint64_t)n;
	e->counts.cut += (uint64_t)n;
	return 0;
}

static int open_file(struct eve *e)
{
	int fd = open(e->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      0640);
	struct stat st;
	uint64_t size;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	size = (uint64_t)st.st_size;
	err = mend(e, fd, &size);
	if (err != 0) {
		close(fd);
		return err;
	}
	e->fd = fd;
	e->size = size;
	return 0;
}

static void close_file(struct eve *e)
{
	if (e->fd < 0)
		return;
	fdatasync(e->fd);
	close(e->fd);
	e->fd = -1;
}

struct eve *eve_new(const char *path, uint64_t rotate_bytes, unsigned keep)
{
	struct eve *e;

	if (strlen(path) + 12 > PATH_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	snprintf(e->path, sizeof(e->path), "%s", path);
	e->rotate_bytes = rotate_bytes;
	e->keep = keep;
	e->fd = -1;
	open_file(e);
	return e;
}

void eve_free(struct eve *e)
{
	if (!e)
		return;
	eve_flush(e);
	close_file(e);
	free(e->buffer);
	free(e);
}

static bool make_room(struct eve *e, size_t more)
{
	size_t cap = e->cap ? e->cap : 65536;
	uint8_t *bigger;

	if (e->len + more > EVE_BUFFER)
		return false;
	while (cap < e->len + more)
		cap *= 2;
	if (cap == e->cap)
		return true;
	bigger = realloc(e->buffer, cap);
	if (!bigger)
		return false;
	e->buffer = bigger;
	e->cap = cap;
	return true;
}

int eve_put(struct eve *e, struct bytes line)
{
	if (!make_room(e, line.len + 1)) {
		e->counts.lost++;
		return -ENOBUFS;
	}
	memcpy(e->buffer + e->len, line.data, line.len);
	e->buffer[e->len + line.len] = '\n';
	e->len += line.len + 1;
	return 0;
}

/* FILE.1 → FILE.2 …, FILE → FILE.1; the oldest is overwritten. */
static int rotate(struct eve *e)
{
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	close_file(e);
	for (unsigned n = e->keep; n > 0; n--) {
		snprintf(to, sizeof(to), "%s.%u", e->path, n);
		if (n > 1)
			snprintf(from, sizeof(from), "%s.%u", e->path, n - 1);
		else
			snprintf(from, sizeof(from), "%s", e->path);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	if (e->keep == 0 && unlink(e->path) < 0 && errno != ENOENT)
		return -errno;
	return open_file(e);
}

/* Moved or removed by logrotate without a word to us? */
static bool is_moved(const struct eve *e)
{
	struct stat mine, there;

	if (fstat(e->fd, &mine) < 0 || stat(e->path, &there) < 0)
		return true;
	return mine.st_ino != there.st_ino || mine.st_dev != there.st_dev;
}

/* The buffer's first `n` bytes are on the file. */
static void consume(struct eve *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		e->counts.written += e->buffer[i] == '\n';
	memmove(e->buffer, e->buffer + n, e->len - n);
	e->len -= n;
	e->size += n;
}

/* As many whole lines as the file takes; what was written of a torn one is taken back. */
static int write_some(struct eve *e)
{
	ssize_t n = write(e->fd, e->buffer, e->len);
	int err = n < 0 ? -errno : 0;
	uint8_t *newline;
	size_t whole;

	if (n < 0)
		return err == -EDQUOT ? -ENOSPC : err;
	newline = memrchr(e->buffer, '\n', (size_t)n);
	whole = newline ? (size_t)(newline + 1 - e->buffer) : 0;
	if (whole < (size_t)n && ftruncate(e->fd, (off_t)(e->size + whole)) < 0) {
		/* The file keeps the torn line; opening it again mends it. */
		close_file(e);
	}
	consume(e, whole);
	return whole < (size_t)n ? -ENOSPC : 0;
}

int eve_flush(struct eve *e)
{
	int err = 0;

	if (e->fd >= 0 && is_moved(e))
		close_file(e);
	if (e->fd < 0)
		err = open_file(e);
	while (err == 0 && e->len > 0) {
		if (e->rotate_bytes && e->size >= e->rotate_bytes)
			err = rotate(e);
		if (err == 0)
			err = write_some(e);
	}
	/* A burst's memory is not kept for good. */
	if (e->len == 0 && e->cap > (1u << 20)) {
		free(e->buffer);
		e->buffer = NULL;
		e->cap = 0;
	}
	return err;
}

int eve_reopen(struct eve *e)
{
	close_file(e);
	return open_file(e);
}

void eve_counts(const struct eve *e, struct eve_counts *ret_counts)
{
	*ret_counts = e->counts;
	ret_counts->buffered = e->len;
	ret_counts->file_bytes = e->size;
}
