#include "update/place/release.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"
#include "update/bundle/tar.h"
#include "update/place/place.h"
#include "update/repo/repo.h"

#define PART	  NEWFILE_PREFIX "release"
#define GONE	  NEWFILE_PREFIX "gone"
#define DEPTH_MAX 8
#define PIECE	  (256u << 10)

static void remove_below(int folder, unsigned depth)
{
	DIR *d = fdopendir(folder);
	const struct dirent *entry;
	int below;

	if (!d) {
		close(folder);
		return;
	}
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) == 0 || depth == 0)
			continue;
		below = openat(dirfd(d), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			remove_below(below, depth - 1);
		unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

void release_remove(int parent, const char *name)
{
	int folder;

	if (unlinkat(parent, name, 0) == 0)
		return;
	folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0)
		remove_below(folder, DEPTH_MAX);
	unlinkat(parent, name, AT_REMOVEDIR);
}

/* --- unpacking ------------------------------------------------------------------ */

struct unpacking {
	int tar, folder;
	uint64_t bytes;
	unsigned files;
	bool program; /* bin/bedwarden is there */
	int err;      /* of our own disk */
};

/* The folders on the way to a file. */
static int make_way(int folder, const char *name)
{
	char part[TAR_NAME_MAX];
	unsigned depth = 0;

	for (const char *p = strchr(name, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - name), name);
		if (++depth >= DEPTH_MAX)
			return -EBADMSG;
		if (mkdirat(folder, part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int copy(int from, uint64_t at, uint64_t size, int to)
{
	uint8_t *piece = malloc(PIECE);
	int err = piece ? 0 : -ENOMEM;

	while (err == 0 && size > 0) {
		ssize_t n = pread(from, piece, size < PIECE ? (size_t)size : PIECE, (off_t)at);

		if (n <= 0)
			err = n < 0 ? -errno : -EBADMSG;
		else
			err = file_write(to, (struct bytes){piece, (size_t)n});
		at += n > 0 ? (uint64_t)n : 0;
		size -= n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	return err;
}

static int unpack_file(void *arg, const char *name, uint64_t at, uint64_t size)
{
	struct unpacking *u = arg;
	bool program = strncmp(name, "bin/", 4) == 0;
	int fd, err;

	if (repo_judge_stored(name) || strstr(name, NEWFILE_PREFIX) ||
	    ++u->files > RELEASE_FILES_MAX || size > RELEASE_BYTES_MAX ||
	    (u->bytes += size) > RELEASE_BYTES_MAX)
		return -EBADMSG;
	err = make_way(u->folder, name);
	if (err == -EBADMSG)
		return err;
	if (err == 0) {
		fd = openat(u->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    program ? 0755 : 0644);
		if (fd < 0 && errno == EEXIST)
			return -EBADMSG; /* twice */
		err = fd < 0 ? -errno : copy(u->tar, at, size, fd);
		/* Whatever umask there is: others read it, and nobody but root writes it. */
		if (err == 0 && fchmod(fd, program ? 0755 : 0644) < 0)
			err = -errno;
		if (fd >= 0)
			close(fd);
	}
	u->program |= strcmp(name, "bin/bedwarden") == 0;
	u->err = err;
	return err;
}

static int open_all(int place)
{
	int fd;

	if (mkdirat(place, "releases", 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(place, "releases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool release_is_there(int place, const char *version, const char *sha256)
{
	char path[PLACE_NAME + 32], note[PLACE_NOTE];

	if (!place_name_is_good(version))
		return false;
	snprintf(path, sizeof(path), "releases/%s/sha256", version);
	place_read(place, path, note);
	return *note && strcmp(note, sha256) == 0;
}

/* It loses its name first: killed in between, no half of it could be taken for the whole. */
static void retire(int all, const char *version)
{
	release_remove(all, GONE);
	if (renameat(all, version, all, GONE) == 0 && fsync(all) == 0)
		release_remove(all, GONE);
}

/* Under its name once everything of it is on the disk. */
static int settle(int all, int part, const char *version, const char *sha256)
{
	int err = place_note(part, "sha256", sha256);

	if (err == 0 && syncfs(part) < 0)
		err = -errno;
	if (err < 0)
		return err;
	retire(all, version); /* of other content */
	if (renameat(all, PART, all, version) < 0 || fsync(all) < 0)
		return -errno;
	return 0;
}

static int unpack(int all, int tar, const char *version, const char *sha256)
{
	struct unpacking u = {.tar = tar};
	struct stat st;
	int err = 0;

	release_remove(all, PART); /* of a run that was interrupted */
	if (fstat(tar, &st) < 0 || mkdirat(all, PART, 0755) < 0)
		return -errno;
	u.folder = openat(all, PART, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u.folder < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size % TAR_BLOCK)
		err = -EBADMSG;
	if (err == 0)
		err = tar_walk(tar, (uint64_t)st.st_size, unpack_file, &u);
	if (err == 0 && !u.program)
		err = -EBADMSG;
	if (err == 0)
		err = settle(all, u.folder, version, sha256);
	close(u.folder);
	if (err < 0)
		release_remove(all, PART);
	return err;
}

int release_unpack(int place, int tar, const char *version, const char *sha256, struct tuf_error *e)
{
	int all, err;

	if (!place_name_is_good(version))
		return tuf_fail(e, -EINVAL, "a release without a version that a folder can have");
	if (release_is_there(place, version, sha256))
		return 0;
	all = open_all(place);
	err = all < 0 ? all : unpack(all, tar, version, sha256);
	if (all >= 0)
		close(all);
	if (err == -EBADMSG)
		return tuf_fail(e, err,
				"release %s is no archive of a gateway: expected a tar of files, "
				"bin/bedwarden among them",
				version);
	return err < 0 ? tuf_fail(e, err, "release %s cannot be put in place: %s", version,
				  strerror(-err))
		       : 0;
}

void release_tidy(int place, const char *const *keep, unsigned count)
{
	int all = open_all(place);
	int fd = all < 0 ? -1 : openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		bool kept = !place_name_is_good(entry->d_name);

		for (unsigned i = 0; i < count; i++)
			kept |= keep[i] && strcmp(keep[i], entry->d_name) == 0;
		if (!kept)
			retire(all, entry->d_name);
	}
	if (d)
		closedir(d);
	if (all >= 0)
		close(all);
}
