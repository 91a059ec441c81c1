#include "demo/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOP    "/tmp"
#define PREFIX "bedwarden-demo."
#define LOCK   "lock"
#define MOST   (64u << 20)

const char *folder_path(const char *dir, const char *name)
{
	static char ring[8][FOLDER_MAX + 128];
	static unsigned turn;
	char *p = ring[turn++ % 8];

	snprintf(p, sizeof(ring[0]), "%s/%s", dir, name);
	return p;
}

int folder_make(const char *path)
{
	return mkdir(path, 0711) && errno != EEXIST ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)!remove(path);
	return 0;
}

void folder_remove(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Ours, and nobody holds its lock any more. */
static bool left_behind(const char *path)
{
	const char *lock = folder_path(path, LOCK);
	struct stat st;
	bool free_ = false;
	int fd;

	if (lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return false;
	fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		free_ = flock(fd, LOCK_EX | LOCK_NB) == 0;
		close(fd);
	}
	return free_;
}

static void sweep(void)
{
	DIR *d = opendir(TOP);
	struct dirent *e;
	char path[FOLDER_MAX];

	if (!d)
		return;
	while ((e = readdir(d)))
		if (strncmp(e->d_name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
		    snprintf(path, sizeof(path), TOP "/%s", e->d_name) < (int)sizeof(path) &&
		    left_behind(path))
			folder_remove(path);
	closedir(d);
}

int folder_new(char ret_path[FOLDER_MAX])
{
	int fd;

	sweep();
	snprintf(ret_path, FOLDER_MAX, TOP "/" PREFIX "%ld", (long)getpid());
	if (mkdir(ret_path, 0711))
		return -errno;
	fd = open(folder_path(ret_path, LOCK), O_RDWR | O_CREAT | O_CLOEXEC | O_EXCL, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

struct bytes folder_read(const char *path)
{
	struct bytes b = {NULL, 0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *data;

	if (fd < 0)
		return b;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size < (off_t)MOST) {
		data = malloc((size_t)st.st_size + 1);
		if (data && pread(fd, data, (size_t)st.st_size, 0) == st.st_size) {
			data[st.st_size] = 0; /* text can be read as text */
			b = (struct bytes){data, (size_t)st.st_size};
		} else {
			free(data);
		}
	}
	close(fd);
	return b;
}

int folder_write(const char *path, struct bytes data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	while (data.len && !err) {
		ssize_t n = write(fd, data.data, data.len);

		if (n < 0) {
			err = -errno;
			break;
		}
		data.data += n;
		data.len -= (size_t)n;
	}
	close(fd);
	return err;
}

bool folder_same(const char *a, const char *b)
{
	struct bytes x = folder_read(a), y = folder_read(b);
	bool same = x.data && y.data && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;

	free((void *)x.data);
	free((void *)y.data);
	return same;
}
