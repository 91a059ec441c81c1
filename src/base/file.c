#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_fd(int fd, size_t max, struct bytes *ret_text)
{
	struct stat st;
	uint8_t *data;
	size_t len = 0;
	ssize_t n = 0;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	/* What is no regular file, a pipe from a shell, tells no size. */
	max = S_ISREG(st.st_mode) ? (size_t)st.st_size : max;
	data = malloc(max + 1);
	if (!data)
		return -ENOMEM;
	while (len <= max && (n = read(fd, data + len, max + 1 - len)) > 0)
		len += (size_t)n;
	r = n < 0 ? -errno : len > max ? -EFBIG : 0;
	if (r < 0)
		free(data);
	else
		*ret_text = (struct bytes){data, len};
	return r;
}

int file_read_memory(int fd, size_t max, struct bytes *ret_text)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : file_read_fd(fd, max, ret_text);
}

int file_read(const char *path, size_t max, struct bytes *ret_text)
{
	int fd, r;

	/* A FIFO that nobody writes to must not hang us; one that somebody does is waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = fcntl(fd, F_SETFL, 0) < 0 ? -errno : file_read_fd(fd, max, ret_text);
	close(fd);
	return r;
}

int file_write(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			data = (struct bytes){data.data + n, data.len - (size_t)n};
	}
	return 0;
}

static int folder_of(const char *path, char ret_folder[PATH_MAX])
{
	char *slash;

	if (snprintf(ret_folder, PATH_MAX, "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	slash = strrchr(ret_folder, '/');
	if (slash)
		slash[slash == ret_folder] = 0;
	else
		snprintf(ret_folder, PATH_MAX, ".");
	return 0;
}

int file_follow_folder(int fd, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	int err = geteuid() == 0 ? folder_of(path, folder) : -EPERM;

	if (err < 0)
		return err == -EPERM ? 0 : err;
	if (stat(folder, &st) < 0)
		return -errno;
	if (st.st_uid == 0)
		return 0;
	/* A user namespace may not know that user: then root's it stays. */
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM && errno != EINVAL)
		return -errno;
	return 0;
}

int file_sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd, err = folder_of(path, folder);

	if (err < 0)
		return err;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		err = -errno;
	close(fd);
	return err;
}

int file_overwrite(int fd)
{
	static const uint8_t zeros[4096];
	struct stat st;
	int err = 0;

	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (off_t left = st.st_size; err == 0 && left > 0; left -= sizeof(zeros))
		err = file_write(fd, (struct bytes){zeros, left < (off_t)sizeof(zeros)
								   ? (size_t)left
								   : sizeof(zeros)});
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	return err;
}

/* Root replaces what is somebody else's, a running keeper's: it stays theirs. */
static int keep_owner(int fd, int old)
{
	struct stat st, own;

	if (old < 0 || geteuid() != 0 || fstat(old, &st) < 0 || fstat(fd, &own) < 0)
		return 0;
	/* Who is root for want of any other user may not be allowed to ask for that at all. */
	if (own.st_uid == st.st_uid && own.st_gid == st.st_gid)
		return 0;
	return fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

int file_replace(const char *path, struct bytes text, mode_t mode)
{
	char part[PATH_MAX];
	int fd, old, err;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	err = file_erase(part); /* of one that was interrupted */
	if (err < 0)
		return err;
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	old = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	err = keep_owner(fd, old);
	if (err == 0)
		err = file_write(fd, text);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	close(fd);
	if (err == 0 && rename(part, path) < 0)
		err = -errno;
	if (err == 0) {
		err = file_sync_folder(path);
		if (old >= 0)
			file_overwrite(old);
	} else {
		unlink(part);
	}
	if (old >= 0)
		close(old);
	return err;
}

int file_erase(const char *path)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = file_overwrite(fd);
	close(fd);
	if (unlink(path) < 0 && err == 0)
		err = -errno;
	return err == 0 ? file_sync_folder(path) : err;
}

int file_memory(const char *name, struct bytes data)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	err = file_write(fd, data);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}
