/* tuf_download(): a target, verified while it is written, TUF §5.7. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"
#include "update/tuf/metadata.h"
#include "update/tuf/local.h"
#include "update/tuf/trusted.h"

#define FLUSH	 (16u << 20) /* bytes after which the disk may begin */
#define PIECE	 (256u << 10)
#define PART_MIN (1u << 20)   /* less is fetched again */
#define PART_AGE (14 * 86400) /* seconds */

struct download {
	int fd;
	uint64_t written, flushed;
	struct hashing *hashing;
	int err; /* of our own making */
};

static int take(void *arg, const void *data, size_t len)
{
	struct download *d = arg;

	d->err = hashing_add(d->hashing, data, len);
	if (d->err == 0)
		d->err = file_write(d->fd, (struct bytes){data, len});
	d->written += len;
	if (d->err == 0 && d->written - d->flushed >= FLUSH) {
		/* So that the end does not wait for all of it. */
		sync_file_range(d->fd, (off_t)d->flushed, (off_t)(d->written - d->flushed),
				SYNC_FILE_RANGE_WRITE);
		d->flushed = d->written;
	}
	return d->err;
}

/* Is there already what fits? */
static bool is_there(int folder, const char *name, const struct tuf_file *file)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct hashing *h = NULL;
	uint8_t *piece = NULL;
	struct stat st;
	ssize_t n = -1;
	bool fits;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == file->length) {
		h = hashing_new(file);
		piece = malloc(PIECE);
	}
	while (h && piece && (n = read(fd, piece, PIECE)) > 0)
		if (hashing_add(h, piece, (size_t)n) < 0)
			break;
	fits = n == 0 && hashing_fits(h);
	hashing_free(h);
	free(piece);
	if (fd >= 0)
		close(fd);
	return fits;
}

/* Segments that a server or a file system would take for something else. */
static bool is_crooked(const char *target)
{
	const char *p = target;

	while (p) {
		size_t len = strcspn(p, "/");

		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return true;
		p = p[len] ? p + len + 1 : NULL;
	}
	return !*target || strlen(target) > 4096;
}

/* "a/b.bin", in a consistent snapshot "a/HASH.b.bin" (§5.7.3), escaped. NULL: no memory. */
static char *make_path(const struct tuf *t, const char *target, const char *hash)
{
	const char *base = strrchr(target, '/');
	size_t folder = base ? (size_t)(base - target) + 1 : 0,
	       size = strlen(target) + HASH_HEX_MAX + 2;
	char *plain = malloc(size), *escaped;

	if (!plain)
		return NULL;
	if (tuf_root_consistent(t->root))
		snprintf(plain, size, "%.*s%s.%s", (int)folder, target, hash, target + folder);
	else
		snprintf(plain, size, "%s", target);
	escaped = tuf_escape(plain, "/");
	free(plain);
	return escaped;
}

static int finish(struct download *d, struct newfile *f, const char *target, const char *name,
		  const struct tuf_file *file, struct tuf_error *e)
{
	int err = 0;

	if (!hashing_fits(d->hashing))
		return tuf_fail(e, -EBADMSG,
				"what came for target '%.200s' is not it: its length or hash "
				"differs; thrown away",
				target);
	if (fchmod(f->fd, 0644) < 0 || fsync(f->fd) < 0)
		err = -errno;
	if (err == 0)
		err = newfile_commit(f, name, true);
	if (err == 0 && fsync(f->folder) < 0)
		err = -errno;
	return err < 0 ? tuf_fail(e, err, "target '%.200s' cannot be kept: %s", target,
				  strerror(-err))
		       : 0;
}

/* The name that a beginning has while the rest is missing: hidden, and its own for each content. */
static void name_part(const char *hash, char ret_name[sizeof((struct newfile){0}.name)])
{
	snprintf(ret_name, sizeof((struct newfile){0}.name), NEWFILE_PREFIX "%.16s.part", hash);
}

/* Hashes what a beginning holds, and stands at its end. */
static int read_part(struct download *d, uint64_t max)
{
	uint8_t *piece = malloc(PIECE);
	ssize_t n = -1;
	int err = piece ? 0 : -ENOMEM;

	while (err == 0 && (n = read(d->fd, piece, PIECE)) > 0) {
		d->written += (uint64_t)n;
		err = d->written > max ? -EFBIG : hashing_add(d->hashing, piece, (size_t)n);
	}
	free(piece);
	d->flushed = d->written;
	return err == 0 && n < 0 ? -errno : err;
}

/* What an interrupted run left, unless another run has it. False: there is none to go on from. */
static bool take_up(struct download *d, struct newfile *f, int folder, const char *hash,
		    uint64_t length)
{
	*f = (struct newfile){.folder = folder};
	name_part(hash, f->name);
	f->fd = openat(folder, f->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	d->fd = f->fd;
	if (f->fd < 0)
		return false;
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0) {
		close(f->fd);
		f->fd = -1;
		return false;
	}
	if (read_part(d, length) == 0)
		return true;
	newfile_abandon(f);
	return false;
}

/* The line broke: what came is worth going on from. */
static void put_by(struct newfile *f, const char *hash)
{
	char name[sizeof(f->name)];

	name_part(hash, name);
	if (*f->name) {
		close(f->fd);
		f->fd = -1;
	} else if (newfile_commit(f, name, true) < 0) {
		newfile_abandon(f);
	}
}

/* One try. *ret_again: it went on from a beginning that did not fit, and may begin anew. */
static int try(struct tuf *t, const char *target, const char *path, const char *hash,
	       const char *name, const struct tuf_file *file, struct tuf_source *source, int folder,
	       bool resume, bool *ret_again, struct tuf_error *e)
{
	struct download d = {.hashing = hashing_new(file)};
	struct newfile f = {.fd = -1};
	bool resumed = d.hashing && resume && take_up(&d, &f, folder, hash, (uint64_t)file->length);
	uint64_t from;
	int err = 0;

	if (!resumed) {
		hashing_free(d.hashing);
		d = (struct download){.hashing = hashing_new(file)};
		err = d.hashing ? newfile_begin(folder, &f) : -ENOMEM;
	}
	from = d.written;
	d.fd = f.fd;
	if (err < 0)
		tuf_fail(e, err, "target '%.200s' cannot be written: %s", target, strerror(-err));
	else if (from < (uint64_t)file->length || from == 0)
		err = source->get(source, path, from, (uint64_t)file->length - from, take, &d, e);
	if (d.err < 0)
		tuf_fail(e, d.err, "target '%.200s' cannot be written: %s", target,
			 strerror(-d.err));
	if (err == 0)
		err = finish(&d, &f, target, name, file, e);
	*ret_again = resumed && (err == -ERANGE || err == -EBADMSG || err == -EFBIG);
	if ((err == -EIO || err == -ETIMEDOUT || err == -ECANCELED) && d.err == 0 &&
	    d.written >= PART_MIN)
		put_by(&f, hash);
	newfile_abandon(&f);
	hashing_free(d.hashing);
	return err;
}

/* Beginnings that nobody went on from for two weeks. */
static void sweep(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	while (d && (entry = readdir(d)))
		if (strncmp(entry->d_name, NEWFILE_PREFIX, sizeof(NEWFILE_PREFIX) - 1) == 0 &&
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > PART_AGE)
			unlinkat(folder, entry->d_name, 0);
	if (d)
		closedir(d);
}

static int fetch(struct tuf *t, const char *target, const char *name, const struct tuf_file *file,
		 struct tuf_source *source, int folder, struct tuf_error *e)
{
	char hex[HASH_HEX_MAX];
	const char *hash = tuf_file_name(file, hex);
	char *path = make_path(t, target, hash);
	bool again = false;
	int err;

	if (!path)
		return tuf_fail(e, -ENOMEM, "out of memory");
	sweep(folder);
	err = try(t, target, path, hash, name, file, source, folder, true, &again, e);
	if (again)
		err = try(t, target, path, hash, name, file, source, folder, false, &again, e);
	free(path);
	return err;
}

int tuf_download(struct tuf *t, const char *target, const struct tuf_file *file,
		 struct tuf_source *source, const char *dir, bool *ret_cached, char **ret_path,
		 struct tuf_error *e)
{
	char hex[HASH_HEX_MAX], *name = local_name(target, ""), *path = NULL;
	size_t size = name ? strlen(dir) + strlen(name) + 2 : 0;
	int folder, err = 0;
	bool cached = false;

	if (!name || (ret_path && !(path = malloc(size)))) {
		free(name);
		return tuf_fail(e, -ENOMEM, "out of memory");
	}
	folder = local_folder(dir);
	if (folder < 0)
		err = tuf_fail(e, folder, "%s: %s", dir, strerror(-folder));
	else if (is_crooked(target))
		err = tuf_fail(e, -EINVAL, "'%.200s' is no path of a target", target);
	else if (!tuf_file_name(file, hex))
		err = tuf_fail(e, -ENOTSUP,
			       "target '%.200s' has no hash that we know (sha256, sha512): it "
			       "cannot be verified",
			       target);
	else
		cached = is_there(folder, name, file);
	if (err == 0 && !cached)
		err = fetch(t, target, name, file, source, folder, e);
	if (err == 0) {
		*ret_cached = cached;
		if (path)
			snprintf(path, size, "%s/%s", dir, name);
		if (ret_path)
			*ret_path = path;
	} else {
		free(path);
	}
	free(name);
	if (folder >= 0)
		close(folder);
	return err;
}
