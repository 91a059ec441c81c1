#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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
