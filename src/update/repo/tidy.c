/* repo_tidy(): what no client can ask for any more goes from the public folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "update/repo/folder.h"

#define DAY	  86400
#define DEPTH_MAX 16
#define PATH_ROOM 2048

struct tidying {
	struct repo *r;
	json_t *keep; /* paths below public/ */
	int64_t before;
	void (*note)(void *arg, const char *line);
	void *arg;
	struct tuf_error *e;
};

static int keep(struct tidying *t, const char *path)
{
	return json_object_set_new(t->keep, path, json_true()) < 0
		       ? tuf_fail(t->e, -ENOMEM, "out of memory")
		       : 0;
}

static int keep_targets(struct tidying *t, const struct tuf_metadata *m)
{
	char path[PATH_ROOM], hex[HASH_HEX_MAX];
	struct tuf_file f;
	const char *name;
	json_t *entry;
	int err = 0;

	json_object_foreach (json_object_get(m->body, "targets"), name, entry) {
		const char *slash = strrchr(name, '/');
		int folder = slash ? (int)(slash - name) + 1 : 0;

		if (err < 0 || tuf_file_of_target(entry, &f) < 0 || !tuf_file_name(&f, hex))
			continue;
		snprintf(path, sizeof(path), "targets/%.*s%s.%s", folder, name, hex, name + folder);
		err = keep(t, path);
	}
	return err;
}

/* A role's current version, and the targets of it and of its draft. */
static int keep_role(struct tidying *t, const char *role)
{
	char path[REPO_ROLE_MAX + 48];
	struct tuf_metadata *m;
	int err = folder_load(t->r, role, false, &m, t->e);

	if (err == 0) {
		snprintf(path, sizeof(path), "metadata/%" PRId64 ".%s.json", m->version, role);
		err = keep(t, path);
		if (err == 0)
			err = keep_targets(t, m);
		tuf_metadata_free(m);
	} else if (err == -ENOENT) {
		err = 0;
	}
	if (err == 0 && folder_load(t->r, role, true, &m, NULL) == 0) {
		err = keep_targets(t, m);
		tuf_metadata_free(m);
	}
	return err;
}

static int keep_all(struct tidying *t)
{
	json_t *names, *entry;
	size_t i;
	int err = repo_roles(t->r, &names, t->e);

	if (err < 0)
		return err;
	err = keep_role(t, "snapshot");
	json_array_foreach (names, i, entry)
		if (err == 0)
			err = keep_role(t, json_string_value(entry));
	json_decref(names);
	return err;
}

/* Roots are for ever: a client that was away follows them one by one (TUF §6.1). */
static bool is_kept(const struct tidying *t, const char *path, const char *name)
{
	const char *dot = strchr(name, '.');

	if (json_object_get(t->keep, path))
		return true;
	return strncmp(path, "metadata/", 9) == 0 &&
	       (name[strspn(name, "0123456789")] != '.' || !dot || strcmp(dot, ".root.json") == 0);
}

static int sweep(struct tidying *t, int folder, const char *path, unsigned depth);

static int sweep_one(struct tidying *t, int folder, const char *path, const char *name,
		     unsigned depth)
{
	struct stat st;
	int err = 0, fd;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
		fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			err = sweep(t, fd, path, depth + 1);
		unlinkat(folder, name, AT_REMOVEDIR); /* where it is empty now */
		return err;
	}
	if (!S_ISREG(st.st_mode) || st.st_mtime >= t->before || is_kept(t, path, name))
		return 0;
	if (unlinkat(folder, name, 0) < 0)
		return tuf_fail(t->e, -errno, "public/%s: %s", path, strerror(errno));
	if (t->note)
		t->note(t->arg, path);
	return 0;
}

/* Takes `folder`, which is closed. */
static int sweep(struct tidying *t, int folder, const char *path, unsigned depth)
{
	DIR *d = fdopendir(folder);
	char below[PATH_ROOM];
	const struct dirent *entry;
	int err = 0;

	if (!d) {
		close(folder);
		return tuf_fail(t->e, -ENOMEM, "out of memory");
	}
	while (err == 0 && (entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) <
			    (int)sizeof(below))
			err = sweep_one(t, dirfd(d), below, entry->d_name, depth);
	closedir(d);
	return err;
}

static int sweep_part(struct tidying *t, const char *part)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "public/%s", part);
	fd = openat(t->r->top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? tuf_fail(t->e, -errno, "%s/%s: %s", t->r->dir, path, strerror(errno))
		      : sweep(t, fd, part, 0);
}

int repo_tidy(struct repo *r, int days, void (*note)(void *arg, const char *line), void *arg,
	      struct tuf_error *e)
{
	struct tidying t = {.r = r, .keep = json_object(), .note = note, .arg = arg, .e = e};
	int err = t.keep ? 0 : tuf_fail(e, -ENOMEM, "out of memory");

	t.before = (int64_t)time(NULL) - (int64_t)days * DAY;
	if (err == 0)
		err = keep_all(&t);
	if (err == 0)
		err = sweep_part(&t, "targets");
	if (err == 0)
		err = sweep_part(&t, "metadata");
	json_decref(t.keep);
	return err;
}
