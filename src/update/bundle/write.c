/* bundle_write(): what is published, into one file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/newfile.h"
#include "update/bundle/bundle.h"
#include "update/bundle/tar.h"
#include "update/repo/folder.h"
#include "update/tuf/client.h"

#define PIECE (1u << 20)

struct writing {
	struct repo *r;
	int out;
	const char *const *names;
	unsigned count;
	bool *seen; /* of each name */
	struct bundle_made made;
	struct tuf_error *e;
};

static int put(struct writing *w, const void *data, size_t len)
{
	int err = file_write(w->out, (struct bytes){data, len});

	return err < 0 ? tuf_fail(w->e, err, "the bundle cannot be written: %s", strerror(-err))
		       : 0;
}

static int pad(struct writing *w, uint64_t size)
{
	static const uint8_t zeros[TAR_BLOCK];

	return put(w, zeros, (size_t)(TAR_PADDED(size) - size));
}

static int copy(struct writing *w, int in, uint64_t size)
{
	uint8_t *piece = malloc(PIECE);
	ssize_t n = 0;
	int err = piece ? 0 : tuf_fail(w->e, -ENOMEM, "out of memory");

	while (err == 0 && size > 0) {
		n = read(in, piece, size < PIECE ? (size_t)size : PIECE);
		if (n <= 0)
			err = tuf_fail(w->e, -EIO, "a file changed while it was read");
		else
			err = put(w, piece, (size_t)n);
		size -= n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	return err;
}

/* A file below public/, under the same path. */
static int add(struct writing *w, const char *path)
{
	uint8_t header[6 * TAR_BLOCK];
	struct stat st;
	int public = openat(w->r->top, "public", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    in = public < 0 ? -1 : openat(public, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), err;

	err = in < 0 || fstat(in, &st) < 0 ? -errno : 0;
	if (public >= 0)
		close(public);
	if (err < 0)
		tuf_fail(w->e, err, "%s/public/%s: %s", w->r->dir, path, strerror(-err));
	else if ((uint64_t)st.st_size > TAR_SIZE_MAX)
		err = tuf_fail(w->e, -EFBIG, "%s is larger than 8 GiB, which a bundle cannot hold",
			       path);
	if (err == 0)
		err = put(w, header, tar_write_header(path, (uint64_t)st.st_size, header));
	if (err == 0)
		err = copy(w, in, (uint64_t)st.st_size);
	if (err == 0)
		err = pad(w, (uint64_t)st.st_size);
	if (in >= 0)
		close(in);
	return err;
}

static int add_metadata(struct writing *w, const char *role, int64_t version)
{
	char path[REPO_ROLE_MAX + 48];

	if (version)
		snprintf(path, sizeof(path), "metadata/%" PRId64 ".%s.json", version, role);
	else
		snprintf(path, sizeof(path), "metadata/%s.json", role);
	w->made.metadata++;
	return add(w, path);
}

static bool is_chosen(struct writing *w, const char *name)
{
	bool chosen = w->count == 0;

	for (unsigned i = 0; i < w->count; i++)
		if (strcmp(w->names[i], name) == 0)
			chosen = w->seen[i] = true;
	return chosen;
}

static int add_targets(struct writing *w, const struct tuf_metadata *m)
{
	char path[TAR_NAME_MAX], hex[HASH_HEX_MAX];
	struct tuf_file f;
	const char *name;
	json_t *entry;
	int err;

	json_object_foreach (json_object_get(m->body, "targets"), name, entry) {
		const char *slash = strrchr(name, '/');
		int folder = slash ? (int)(slash - name) + 1 : 0;

		if (!is_chosen(w, name))
			continue;
		if (tuf_file_of_target(entry, &f) < 0 || !tuf_file_name(&f, hex))
			return tuf_fail(w->e, -EBADMSG, "target '%s' is malformed", name);
		snprintf(path, sizeof(path), "targets/%.*s%s.%s", folder, name, hex, name + folder);
		err = add(w, path);
		if (err < 0)
			return err;
		w->made.targets++;
	}
	return 0;
}

/* The whole chain, so that a site that was away for years can follow it. */
static int add_roots(struct writing *w)
{
	struct tuf_metadata *root;
	int err = folder_load(w->r, "root", false, &root, w->e);

	if (err < 0)
		return err;
	for (int64_t v = 1; v <= root->version && err == 0; v++)
		err = add_metadata(w, "root", v);
	w->made.expires = root->expires;
	tuf_metadata_free(root);
	return err;
}

static int each_role(struct writing *w,
		     int (*what)(struct writing *, const char *, const struct tuf_metadata *))
{
	struct tuf_metadata *snapshot, *m;
	char role[REPO_ROLE_MAX];
	const char *file;
	json_t *entry;
	int err = folder_load(w->r, "snapshot", false, &snapshot, w->e);

	if (err < 0)
		return err;
	json_object_foreach (json_object_get(snapshot->body, "meta"), file, entry) {
		snprintf(role, sizeof(role), "%.*s", (int)(strlen(file) - 5), file);
		err = folder_load(w->r, role, false, &m, w->e);
		if (err == 0) {
			err = what(w, role, m);
			tuf_metadata_free(m);
		}
		if (err < 0)
			break;
	}
	tuf_metadata_free(snapshot);
	return err;
}

static void note_expiry(struct writing *w, const struct tuf_metadata *m)
{
	if (m->expires < w->made.expires)
		w->made.expires = m->expires;
}

static int put_role(struct writing *w, const char *role, const struct tuf_metadata *m)
{
	note_expiry(w, m);
	return add_metadata(w, role, m->version);
}

static int put_targets(struct writing *w, const char *role, const struct tuf_metadata *m)
{
	return add_targets(w, m);
}

static int add_online(struct writing *w)
{
	struct tuf_metadata *m;
	int err = folder_load(w->r, "timestamp", false, &m, w->e);

	if (err < 0)
		return err;
	note_expiry(w, m);
	tuf_metadata_free(m);
	err = folder_load(w->r, "snapshot", false, &m, w->e);
	if (err < 0)
		return err;
	note_expiry(w, m);
	err = add_metadata(w, "timestamp", 0);
	if (err == 0)
		err = add_metadata(w, "snapshot", m->version);
	tuf_metadata_free(m);
	return err;
}

static int fill(struct writing *w)
{
	static const uint8_t end[2 * TAR_BLOCK];
	int err = add_roots(w);

	if (err == 0)
		err = add_online(w);
	if (err == 0)
		err = each_role(w, put_role);
	if (err == 0)
		err = each_role(w, put_targets);
	for (unsigned i = 0; err == 0 && i < w->count; i++)
		if (!w->seen[i])
			err = tuf_fail(w->e, -ENOENT, "no published role has a target '%s'",
				       w->names[i]);
	if (err == 0 && w->made.expires <= time(NULL))
		err = tuf_fail(w->e, -ETIME,
			       "what is published has expired: 'bedwarden repo publish' first");
	return err < 0 ? err : put(w, end, sizeof(end));
}

static int open_out(const char *path, int *ret_folder, const char **ret_base, char copy_[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	*ret_base = slash ? slash + 1 : path;
	snprintf(copy_, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	*ret_folder = open(copy_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_folder < 0 ? -errno : 0;
}

int bundle_write(struct repo *r, const char *const *names, unsigned count, const char *path,
		 struct bundle_made *ret_made, struct tuf_error *e)
{
	struct writing w = {.r = r, .names = names, .count = count, .e = e};
	struct newfile f = {.fd = -1};
	char folder_name[PATH_MAX];
	const char *base;
	int folder = -1, err = open_out(path, &folder, &base, folder_name);

	w.seen = calloc(count + 1, sizeof(*w.seen));
	if (err == 0)
		err = w.seen ? newfile_begin(folder, &f) : -ENOMEM;
	if (err < 0) {
		tuf_fail(e, err, "%s: %s", path, strerror(-err));
	} else {
		w.out = f.fd;
		err = fill(&w);
	}
	if (err == 0) {
		if (fchmod(f.fd, 0644) < 0 || fsync(f.fd) < 0)
			err = -errno;
		if (err == 0)
			err = newfile_commit(&f, base, true);
		if (err == 0 && fsync(folder) < 0)
			err = -errno;
		if (err < 0)
			tuf_fail(e, err, "%s: %s", path, strerror(-err));
	}
	newfile_abandon(&f);
	if (folder >= 0)
		close(folder);
	free(w.seen);
	if (err == 0)
		*ret_made = w.made;
	return err;
}
