#include "update/tuf/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/newfile.h"
#include "update/tuf/hash.h"
#include "update/tuf/source.h"

/* "%~" is nothing that escaping makes of any text. */
static char *shorten(const char *text, const char *suffix)
{
	uint8_t hash[CRYPTO_HASH];
	char hex[2 * CRYPTO_HASH + 1], *name = malloc(NAME_MAX + 1);

	if (!name || crypto_sha256((struct bytes){(const uint8_t *)text, strlen(text)}, hash) < 0) {
		free(name);
		return NULL;
	}
	hex_write(hash, sizeof(hash), hex);
	snprintf(name, NAME_MAX + 1, "%%~%s%.8s", hex, suffix);
	return name;
}

char *local_name(const char *text, const char *suffix)
{
	char *escaped = tuf_escape(text, ""), *name;
	size_t size = escaped ? strlen(escaped) + strlen(suffix) + 1 : 0;

	if (!escaped)
		return NULL;
	/* "." and ".." are folders. */
	if (size > NAME_MAX + 1 || (!*suffix && escaped[strspn(escaped, ".")] == 0)) {
		free(escaped);
		return shorten(text, suffix);
	}
	name = realloc(escaped, size);
	if (name)
		memcpy(name + strlen(name), suffix, strlen(suffix) + 1);
	else
		free(escaped);
	return name;
}

/* And what is above it. */
static int make(const char *dir)
{
	char *path = strdup(dir);
	int err = path ? 0 : -ENOMEM;

	for (char *p = path; err == 0 && p;) {
		p = strchr(p + 1, '/');
		if (p)
			*p = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			err = -errno;
		if (p)
			*p = '/';
	}
	free(path);
	return err;
}

int local_folder(const char *dir)
{
	int err = *dir ? make(dir) : -ENOENT, fd;

	if (err < 0)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int local_open(const char *dir)
{
	int fd = local_folder(dir);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX) < 0) {
		int err = -errno;

		if (err == -EINTR)
			continue;
		close(fd);
		return err;
	}
	return fd;
}

int local_get(int store, const char *role, size_t max, struct bytes *ret_data)
{
	char *name = local_name(role, ".json");
	int fd, err;

	if (!name)
		return -ENOMEM;
	fd = openat(store, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	err = fd < 0 ? -errno : file_read_fd(fd, max, ret_data);
	if (fd >= 0)
		close(fd);
	free(name);
	return err;
}

int local_put(int store, const char *role, struct bytes data)
{
	char *name = local_name(role, ".json");
	struct newfile f = {.fd = -1};
	int err = name ? newfile_begin(store, &f) : -ENOMEM;

	if (err == 0)
		err = file_write(f.fd, data);
	/* Metadata is public; who reads the folder may as well check it. */
	if (err == 0 && (fchmod(f.fd, 0644) < 0 || fsync(f.fd) < 0))
		err = -errno;
	if (err == 0)
		err = newfile_commit(&f, name, true);
	if (err < 0)
		newfile_abandon(&f);
	else if (fsync(store) < 0)
		err = -errno;
	free(name);
	return err;
}

int local_drop(int store, const char *role)
{
	char *name = local_name(role, ".json");
	int err = 0;

	if (!name)
		return -ENOMEM;
	if (unlinkat(store, name, 0) < 0)
		err = errno == ENOENT ? 0 : -errno;
	else if (fsync(store) < 0)
		err = -errno;
	free(name);
	return err;
}
