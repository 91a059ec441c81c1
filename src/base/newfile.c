#include "base/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_name(struct newfile *f)
{
	uint64_t r = 0;

	(void)!getrandom(&r, sizeof(r), 0);
	snprintf(f->name, sizeof(f->name), NEWFILE_PREFIX "%016llx.part", (unsigned long long)r);
}

int newfile_begin_named(int folder, struct newfile *ret_file)
{
	struct newfile f = {.folder = folder};

	make_name(&f);
	f.fd = openat(folder, f.name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (f.fd < 0)
		return -errno;
	*ret_file = f;
	return 0;
}

int newfile_begin(int folder, struct newfile *ret_file)
{
	struct newfile f = {.folder = folder};

	f.fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f.fd >= 0)
		*ret_file = f;
	else if (errno == EOPNOTSUPP || errno == EISDIR)
		return newfile_begin_named(folder, ret_file);
	return f.fd >= 0 ? 0 : -errno;
}

static int give_name(struct newfile *f, const char *name)
{
	char self[40];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, self, f->folder, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* Where the file system has no RENAME_NOREPLACE, a link is as good; where it has no links either,
 * a look has to do. */
static int rename_new(struct newfile *f, const char *name)
{
	struct stat st;

	if (renameat2(f->folder, f->name, f->folder, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(f->folder, f->name, f->folder, name, 0) == 0) {
		unlinkat(f->folder, f->name, 0);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (fstatat(f->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(f->folder, f->name, f->folder, name) == 0 ? 0 : -errno;
}

/* A device, a pipe, a socket: others are at its other end, and a file is nothing they know. */
static bool is_file(const struct newfile *f, const char *name)
{
	struct stat st;

	return fstatat(f->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode) ||
	       S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode);
}

int newfile_commit(struct newfile *f, const char *name, bool replace)
{
	int r;

	if (replace && !is_file(f, name))
		return -EEXIST;
	if (!*f->name) {
		r = give_name(f, name);
		if (r == -EEXIST && replace) {
			make_name(f);
			r = give_name(f, f->name);
			if (r < 0)
				*f->name = 0;
			else if (renameat(f->folder, f->name, f->folder, name) != 0)
				r = -errno;
		}
	} else if (replace) {
		r = renameat(f->folder, f->name, f->folder, name) == 0 ? 0 : -errno;
	} else {
		r = rename_new(f, name);
	}
	if (r < 0)
		return r;
	*f->name = 0;
	close(f->fd);
	f->fd = -1;
	return 0;
}

void newfile_abandon(struct newfile *f)
{
	if (f->fd < 0)
		return;
	if (*f->name)
		unlinkat(f->folder, f->name, 0);
	close(f->fd);
	f->fd = -1;
}
