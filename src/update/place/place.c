#include "update/place/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"

bool place_name_is_good(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789.+~-");

	return len > 0 && len < PLACE_NAME && !name[len] && !strchr(".+~-", name[0]);
}

int place_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void place_link(int dir, const char *link, char ret_name[PLACE_NAME])
{
	char to[2 * PLACE_NAME], *slash;
	ssize_t len = readlinkat(dir, link, to, sizeof(to) - 1);

	*ret_name = 0;
	if (len <= 0 || len == sizeof(to) - 1)
		return;
	to[len] = 0;
	slash = strrchr(to, '/');
	slash = slash ? slash + 1 : to;
	if (place_name_is_good(slash))
		memcpy(ret_name, slash, strlen(slash) + 1);
}

int place_drop(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return fsync(dir) < 0 ? -errno : 0;
}

int place_point(int dir, const char *link, const char *folder, const char *name)
{
	char to[2 * PLACE_NAME], temp[PLACE_NAME];

	if (!*name)
		return place_drop(dir, link);
	if (!place_name_is_good(name))
		return -EINVAL;
	snprintf(to, sizeof(to), "%s%s%s", folder, *folder ? "/" : "", name);
	snprintf(temp, sizeof(temp), NEWFILE_PREFIX "%.32s", link);
	(void)unlinkat(dir, temp, 0);
	if (symlinkat(to, dir, temp) < 0)
		return -errno;
	/* The link itself first, or its name could be there after a crash and it not. */
	if (fsync(dir) < 0 || renameat(dir, temp, dir, link) < 0 || fsync(dir) < 0)
		return -errno;
	return 0;
}

int place_note(int dir, const char *name, const char *text)
{
	struct newfile f = {.fd = -1};
	int err = newfile_begin(dir, &f);

	if (err == 0)
		err = file_write(f.fd, (struct bytes){(const uint8_t *)text, strlen(text)});
	if (err == 0 && fsync(f.fd) < 0)
		err = -errno;
	if (err == 0)
		err = newfile_commit(&f, name, true);
	if (err < 0)
		newfile_abandon(&f);
	else if (fsync(dir) < 0)
		err = -errno;
	return err;
}

void place_read(int dir, const char *name, char ret_text[PLACE_NOTE])
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? 0 : read(fd, ret_text, PLACE_NOTE - 1);

	ret_text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

void place_line(const char *note, unsigned n, char *ret_text, unsigned size)
{
	for (; n > 0 && note; n--) {
		note = strchr(note, '\n');
		note = note ? note + 1 : NULL;
	}
	snprintf(ret_text, size, "%.*s", note ? (int)strcspn(note, "\n") : 0, note ? note : "");
}
