/* tuf_download(): a target, verified while it is written, TUF §5.7. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"
#include "update/tuf/metadata.h"
#include "update/tuf/local.h"
#include "update/tuf/trusted.h"

#define FLUSH (16u << 20) /* bytes after which the disk may begin */
#define PIECE (256u << 10)

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

static int fetch(struct tuf *t, const char *target, const char *name, const struct tuf_file *file,
		 struct tuf_source *source, int folder, struct tuf_error *e)
{
	struct download d = {.hashing = hashing_new(file)};
	char hex[HASH_HEX_MAX], *path = make_path(t, target, tuf_file_name(file, hex));
	struct newfile f = {.fd = -1};
	int err = path && d.hashing ? newfile_begin(folder, &f) : -ENOMEM;

	if (err < 0) {
		tuf_fail(e, err, "target '%.200s' cannot be written: %s", target, strerror(-err));
	} else {
		d.fd = f.fd;
		err = source->get(source, path, (uint64_t)file->length, take, &d, e);
		if (d.err < 0)
			tuf_fail(e, d.err, "target '%.200s' cannot be written: %s", target,
				 strerror(-d.err));
	}
	if (err == 0)
		err = finish(&d, &f, target, name, file, e);
	newfile_abandon(&f);
	hashing_free(d.hashing);
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
