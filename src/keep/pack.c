#include "keep/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char magic[PACK_HEAD] = "bedwarden pack 1";

static int path_of(const char *dir, uint32_t id, char ret_path[PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%s/packs/%08x.pack", dir, id);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int pack_read(int fd, uint64_t at, void *ret_data, size_t len)
{
	uint8_t *to = ret_data;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ENODATA;
		if (n > 0) {
			to += n;
			at += (uint64_t)n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int pack_write(int fd, uint64_t at, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = pwrite(fd, data.data, data.len, (off_t)at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data = (struct bytes){data.data + n, data.len - (size_t)n};
			at += (uint64_t)n;
		}
	}
	return 0;
}

int pack_punch(int fd, uint64_t at, uint64_t len)
{
	static const uint8_t zeros[65536];
	int err = 0;

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	for (uint64_t done = 0; err == 0 && done < len; done += sizeof(zeros))
		err = pack_write(fd, at + done,
				 (struct bytes){zeros, len - done < sizeof(zeros)
							       ? (size_t)(len - done)
							       : sizeof(zeros)});
	return err;
}

int pack_open(const char *dir, uint32_t id, bool write)
{
	char path[PATH_MAX], head[PACK_HEAD];
	int err = path_of(dir, id, path), fd;

	if (err < 0)
		return err;
	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = pack_read(fd, 0, head, sizeof(head));
	if (err == -ENODATA || (err == 0 && memcmp(head, magic, sizeof(head)) != 0))
		err = -EUCLEAN;
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

int pack_open_long(const char *dir, uint32_t id)
{
	int fd = pack_open(dir, id, false);

	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, O_DIRECT);
	return fd;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int pack_list(const char *dir, uint32_t **ret_ids)
{
	uint32_t *ids = NULL, id;
	char path[PATH_MAX], tail;
	struct dirent *e;
	int count = 0, err = 0;
	DIR *d;

	if (snprintf(path, sizeof(path), "%s/packs", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	d = opendir(path);
	if (!d)
		return -errno;
	while (err == 0 && (e = readdir(d)) != NULL) {
		uint32_t *more;

		if (strlen(e->d_name) != 13 || strcmp(e->d_name + 8, ".pack") != 0 ||
		    sscanf(e->d_name, "%8x.pac%c", &id, &tail) != 2)
			continue;
		more = realloc(ids, (size_t)(count + 1) * sizeof(*ids));
		if (more) {
			ids = more;
			ids[count++] = id;
		} else {
			err = -ENOMEM;
		}
	}
	closedir(d);
	if (err < 0) {
		free(ids);
		return err;
	}
	if (count)
		qsort(ids, (size_t)count, sizeof(*ids), by_number);
	*ret_ids = ids;
	return count;
}

/* An existing one, if it has room and nobody writes to it: 0; -EBUSY. */
static int take(const char *dir, uint32_t id, struct pack *ret_pack)
{
	struct pack p = {.id = id, .fd = pack_open(dir, id, true)};
	struct stat st;
	int err = 0;

	/* One whose maker was killed before it said what it is has nothing in it. */
	if (p.fd == -EUCLEAN)
		return -EBUSY;
	if (p.fd < 0)
		return p.fd;
	if (flock(p.fd, LOCK_EX | LOCK_NB) < 0)
		err = -EBUSY;
	else if (fstat(p.fd, &st) < 0)
		err = -errno;
	else if ((uint64_t)st.st_size >= PACK_MAX)
		err = -EBUSY;
	else
		p.end = (uint64_t)st.st_size;
	if (err == 0)
		*ret_pack = p;
	else
		close(p.fd);
	return err;
}

/* -EEXIST: somebody else was faster. */
static int make(const char *dir, uint32_t id, struct pack *ret_pack)
{
	struct pack p = {.id = id, .end = PACK_HEAD};
	char path[PATH_MAX];
	int err = path_of(dir, id, path);

	if (err < 0)
		return err;
	p.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p.fd < 0)
		return -errno;
	if (flock(p.fd, LOCK_EX | LOCK_NB) < 0)
		err = -EEXIST;
	if (err == 0)
		err = file_follow_folder(p.fd, path);
	if (err == 0)
		err = pack_write(p.fd, 0, (struct bytes){(const uint8_t *)magic, sizeof(magic)});
	if (err == 0)
		err = file_sync_folder(path);
	if (err == 0)
		*ret_pack = p;
	else
		close(p.fd);
	return err;
}

int pack_take(const char *dir, struct pack *ret_pack)
{
	uint32_t *ids = NULL, last = 0;
	int count = pack_list(dir, &ids), err = -EBUSY;

	if (count < 0)
		return count;
	for (int i = count; err == -EBUSY && i > 0 && i > count - 64; i--)
		err = take(dir, ids[i - 1], ret_pack);
	if (count)
		last = ids[count - 1];
	free(ids);
	while (err == -EBUSY || err == -EEXIST)
		err = last == UINT32_MAX ? -ENOSPC : make(dir, ++last, ret_pack);
	return err;
}

void pack_leave(struct pack *p)
{
	if (p->fd >= 0)
		close(p->fd); /* and with it the lock */
	p->fd = -1;
}
