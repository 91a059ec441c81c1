#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#define BLOCK 65536

static int failed(char error[AGENT_ERROR], const char *what, const char *where, int err)
{
	snprintf(error, AGENT_ERROR, "%s %.120s: %s", what, where, strerror(-err));
	return err;
}

/* Which slot `current` leads to, 'a' or 'b'; 0 none. */
static char current(int folder)
{
	char to[8];
	ssize_t n = readlinkat(folder, "current", to, sizeof(to));

	return n == 1 && (to[0] == 'a' || to[0] == 'b') ? to[0] : 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static int empty(const char *path)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		return -errno;
	return mkdir(path, 0755) < 0 ? -errno : 0;
}

static int copy_data(struct archive *from, struct archive *to)
{
	const void *data;
	size_t len;
	la_int64_t at;
	int r;

	while ((r = archive_read_data_block(from, &data, &len, &at)) == ARCHIVE_OK)
		if (archive_write_data_block(to, data, len, at) < ARCHIVE_OK)
			return -EIO;
	return r == ARCHIVE_EOF ? 0 : -EBADMSG;
}

/* Nothing outside the slot: no "..", no link that leads out, no absolute name. */
static int unpack(int file, char error[AGENT_ERROR])
{
	struct archive *from = archive_read_new(), *to = archive_write_disk_new();
	struct archive_entry *e;
	int r = -ENOMEM;

	if (!from || !to)
		goto out;
	archive_read_support_filter_all(from);
	archive_read_support_format_tar(from);
	archive_write_disk_set_options(to, ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
						   ARCHIVE_EXTRACT_SECURE_NODOTDOT |
						   ARCHIVE_EXTRACT_SECURE_SYMLINKS |
						   ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
	r = archive_read_open_fd(from, file, BLOCK) == ARCHIVE_OK ? 0 : -EBADMSG;
	while (r == 0) {
		int got = archive_read_next_header(from, &e);

		if (got == ARCHIVE_EOF)
			break;
		if (got != ARCHIVE_OK)
			r = -EBADMSG;
		else if (archive_write_header(to, e) != ARCHIVE_OK)
			r = -EPERM;
		else
			r = copy_data(from, to);
		if (r == 0 && archive_write_finish_entry(to) < ARCHIVE_OK)
			r = -EIO;
	}
	if (r < 0)
		snprintf(error, AGENT_ERROR, "the archive: %.150s",
			 archive_error_string(r == -EBADMSG ? from : to)
				 ? archive_error_string(r == -EBADMSG ? from : to)
				 : strerror(-r));
out:
	archive_read_free(from);
	archive_write_free(to);
	return r;
}

/* One step: whoever starts meanwhile finds the old one or the new one. */
static int turn(int folder, char slot)
{
	char to[2] = {slot, 0};

	if (unlinkat(folder, "next", 0) < 0 && errno != ENOENT)
		return -errno;
	if (symlinkat(to, folder, "next") < 0 || renameat(folder, "next", folder, "current") < 0)
		return -errno;
	return fsync(folder) < 0 ? -errno : 0;
}

static int fill(int folder, char slot, int file, char error[AGENT_ERROR])
{
	char name[2] = {slot, 0};
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (here < 0)
		return -errno;
	r = fchdir(folder) < 0 ? -errno : empty(name);
	if (r == 0)
		r = chdir(name) < 0 ? -errno : unpack(file, error);
	if (r == 0)
		sync(); /* files and names, before it can be run */
	if (fchdir(here) < 0)
		r = -errno;
	close(here);
	return r;
}

char slots_current(const char *folder)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char slot = dir < 0 ? 0 : current(dir);

	if (dir >= 0)
		close(dir);
	return slot;
}

int slots_install(const char *folder, char was, const char *file, char ret_error[AGENT_ERROR])
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	int in = open(file, O_RDONLY | O_CLOEXEC);
	char slot = was == 'a' ? 'b' : 'a';

	*ret_error = 0;
	r = dir < 0 || in < 0 ? -errno : fill(dir, slot, in, ret_error);
	if (r == 0)
		r = turn(dir, slot);
	if (r < 0 && !*ret_error)
		failed(ret_error, "folder", folder, r);
	if (dir >= 0)
		close(dir);
	if (in >= 0)
		close(in);
	return r;
}

int slots_back(const char *folder, char was, char ret_error[AGENT_ERROR])
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	char name[2] = {was, 0};

	if (dir < 0)
		return failed(ret_error, "folder", folder, -errno);
	if (!was || faccessat(dir, name, X_OK, 0) < 0)
		r = -ENOENT;
	if (r == 0)
		r = turn(dir, was);
	if (r < 0)
		failed(ret_error, "there is nothing to go back to in", folder, r);
	close(dir);
	return r;
}
