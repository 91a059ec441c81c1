#include "seal/tree/attributes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ACL  "system.posix_acl_access"
#define ROOM 65536 /* XATTR_LIST_MAX, XATTR_SIZE_MAX */

static bool is_kept(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, ACL) == 0;
}

static int deny_group(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || fchmod(fd, st.st_mode & 07707) < 0)
		return -errno;
	return 0;
}

static int copy_one(int from, int to, const char *name, bool all, char *value)
{
	ssize_t n = fgetxattr(from, name, value, ROOM);

	if (n < 0)
		return errno == ENODATA ? 0 : -errno; /* somebody took it away just now */
	if (fsetxattr(to, name, value, (size_t)n, 0) == 0)
		return 0;
	if (errno != ENOTSUP || all)
		return -errno;
	return strcmp(name, ACL) == 0 ? deny_group(to) : 0;
}

int attributes_copy(int from, int to, bool all)
{
	char none, *names, *value;
	ssize_t len = flistxattr(from, &none, 0);
	int err = 0;

	if (len <= 0)
		return len == 0 || errno == ENOTSUP ? 0 : -errno;
	names = malloc(2 * ROOM);
	if (!names)
		return -ENOMEM;
	value = names + ROOM;
	len = flistxattr(from, names, ROOM);
	if (len < 0)
		err = -errno;
	for (const char *name = names; err == 0 && name < names + len; name += strlen(name) + 1)
		if (is_kept(name))
			err = copy_one(from, to, name, all, value);
	free(names);
	return err;
}
