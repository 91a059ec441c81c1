#include "seal/tree/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/newfile.h"
#include "seal/tree/attributes.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define BLOCK  4096 /* names of a folder that are read at once */

struct name {
	ino_t ino;
	size_t at; /* in the text */
	unsigned char type;
};

/* What is read of a folder and not yet looked at. Where all is read, no descriptor is held: a tree
 * may be deep. */
struct walk_names {
	DIR *reading; /* NULL: there is no more */
	size_t next, count, len;
	size_t room, text_room;
	struct name *names;
	char *text;
};

struct walk {
	const struct walk_options *o;
	int to; /* or -1 */
	struct stat to_st;
	unsigned next_path, left_alone;
	struct walk_folder *at; /* the one being read; held, as are those above it */
};

int walk_new(const struct walk_options *o, struct walk **ret_walk)
{
	struct walk *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return -ENOMEM;
	w->o = o;
	w->to = -1;
	if (o->to && !o->dry) {
		if (mkdir(o->to, 0777) != 0 && errno != EEXIST)
			r = -errno;
		w->to = r == 0 ? open(o->to, FOLDER) : -1;
		if (r == 0 && (w->to < 0 || fstat(w->to, &w->to_st) != 0))
			r = -errno;
	}
	if (r < 0)
		walk_free(w);
	else
		*ret_walk = w;
	return r;
}

static void names_free(struct walk_names *n)
{
	if (!n)
		return;
	if (n->reading)
		closedir(n->reading);
	free(n->names);
	free(n->text);
	free(n);
}

static void folder_put(struct walk_folder *f)
{
	struct walk_folder *up;

	for (; f && atomic_fetch_sub(&f->holders, 1) == 1; f = up) {
		const struct timespec times[] = {f->st.st_atim, f->st.st_mtim};

		up = f->up;
		if (f->made) {
			(void)fchmod(f->out, f->st.st_mode & 07777);
			(void)attributes_copy(f->in, f->out, false);
			(void)futimens(f->out, times);
		}
		names_free(f->names);
		if (f->out >= 0 && f->out != f->in)
			close(f->out);
		if (f->in >= 0)
			close(f->in);
		free(f->path);
		free(f);
	}
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	while (w->at) {
		struct walk_folder *up = w->at->up;

		folder_put(w->at);
		w->at = up;
	}
	if (w->to >= 0)
		close(w->to);
	free(w);
}

unsigned walk_left_alone(const struct walk *w)
{
	return w->left_alone;
}

static void failed(const struct walk *w, const char *path, int error)
{
	w->o->failed(w->o->arg, path, error);
}

static char *join(const char *folder, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", folder, *folder && !strcmp(folder, "/") ? "" : "/", name) < 0)
		return NULL;
	return path;
}

/* Takes over `in`. NULL with errno. */
static struct walk_folder *folder_new(struct walk_folder *up, int in, char *path)
{
	struct walk_folder *f = calloc(1, sizeof(*f));

	if (!f || !path || fstat(in, &f->st) != 0) {
		free(f);
		free(path);
		close(in);
		return NULL;
	}
	f->up = up;
	if (up)
		atomic_fetch_add(&up->holders, 1);
	f->in = f->out = in;
	f->path = path;
	atomic_init(&f->holders, 1);
	return f;
}

/* The folder of results, in `parent` under a name, or `parent` itself. 0 or -errno. */
static int make_out(struct walk_folder *f, int parent, const char *name)
{
	if (name && mkdirat(parent, name, 0700) == 0)
		f->made = true;
	else if (name && errno != EEXIST)
		return -errno;
	f->out = openat(parent, name ? name : ".", FOLDER | (name ? O_NOFOLLOW : 0));
	if (f->out >= 0)
		return 0;
	f->out = f->in;
	f->made = false;
	return -errno;
}

/* Reading moves a descriptor's place, so it gets its own. */
static int begin_names(struct walk_folder *f)
{
	int fd = openat(f->in, ".", FOLDER);

	if (fd < 0)
		return -errno;
	f->names = calloc(1, sizeof(*f->names));
	if (f->names)
		f->names->reading = fdopendir(fd);
	if (f->names && f->names->reading)
		return 0;
	close(fd);
	return -ENOMEM;
}

/* Begins to read a folder that is `up`'s or given; takes over `in` and `path`. */
static void enter(struct walk *w, struct walk_folder *up, int in, char *path, int out_parent,
		  const char *out_name)
{
	struct walk_folder *f = folder_new(up, in, path);
	int r = f ? 0 : -ENOMEM;

	if (r == 0 && out_parent >= 0)
		r = make_out(f, out_parent, out_name);
	if (r == 0)
		r = begin_names(f);
	if (r < 0) {
		failed(w, f ? f->path : "", r);
		folder_put(f);
		return;
	}
	w->at = f;
}

/* Where the results of what is in there would be read again. */
static bool is_to(const struct walk *w, const struct stat *st)
{
	return w->to >= 0 && st->st_dev == w->to_st.st_dev && st->st_ino == w->to_st.st_ino;
}

static bool is_passed(const struct walk *w, const char *path, const struct stat *st)
{
	return w->o->passed && path && w->o->passed(w->o->arg, path, st);
}

static void enter_below(struct walk *w, const char *name)
{
	struct walk_folder *up = w->at;
	char *path = join(up->path, name);
	int in = openat(up->in, name, FOLDER | O_NOFOLLOW);
	struct stat st;

	if (in < 0 || fstat(in, &st) != 0) {
		failed(w, path ? path : name, -errno);
		free(path);
		if (in >= 0)
			close(in);
		return;
	}
	if (is_to(w, &st) || is_passed(w, path, &st)) {
		close(in);
		free(path);
		return;
	}
	enter(w, up, in, path, up->out != up->in ? up->out : -1, name);
}

/* The last part of a path without slashes behind it; NULL for one that is no name. */
static const char *last_part(char *path)
{
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
	slash = strrchr(path, '/');
	path = slash ? slash + 1 : path;
	return *path && strcmp(path, ".") != 0 && strcmp(path, "..") != 0 ? path : NULL;
}

static int open_parent(const char *path, const char *name)
{
	char *folder = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
	int fd = folder ? open(folder, FOLDER) : -1;

	free(folder);
	return fd;
}

/* A path that the caller gave: a folder is entered, a file is an item. */
static bool take_path(struct walk *w, const char *given, struct walk_item *ret_item)
{
	const struct walk_options *o = w->o;
	int fd = -1, flags = o->follow ? 0 : AT_SYMLINK_NOFOLLOW;
	char *path = strdup(given);
	const char *name = path ? last_part(path) : NULL;
	struct walk_folder *f;
	struct stat st;

	if (!path || fstatat(AT_FDCWD, path, &st, flags) != 0)
		goto fail;
	if (S_ISDIR(st.st_mode) && is_passed(w, path, &st)) {
		free(path);
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		fd = open(path, FOLDER);
		if (fd < 0)
			goto fail;
		/* The content of a single folder; one of several keeps its name. */
		enter(w, NULL, fd, path, w->to, o->count > 1 ? name : NULL);
		return false;
	}
	if (!S_ISREG(st.st_mode) || !name) {
		errno = S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
		goto fail;
	}
	fd = open_parent(path, name);
	if (fd < 0)
		goto fail;
	ret_item->name = strdup(name);
	f = ret_item->name
		    ? folder_new(NULL, fd,
				 name == path ? strdup("") : strndup(path, (size_t)(name - path)))
		    : NULL;
	if (!f || (w->to >= 0 && make_out(f, w->to, NULL) < 0)) {
		folder_put(f);
		free(ret_item->name);
		goto fail;
	}
	ret_item->folder = f;
	ret_item->given = true;
	free(path);
	return true;
fail:
	failed(w, given, -errno);
	free(path);
	return false;
}

static bool add_name(struct walk_names *n, const struct dirent *d)
{
	size_t len = strlen(d->d_name) + 1;

	if (n->count == n->room) {
		size_t room = n->room ? 2 * n->room : 32;
		struct name *more = reallocarray(n->names, room, sizeof(*more));

		if (!more)
			return false;
		n->names = more;
		n->room = room;
	}
	if (n->text_room - n->len < len) {
		size_t room = 2 * n->text_room + 1024;
		char *more = realloc(n->text, room);

		if (!more)
			return false;
		n->text = more;
		n->text_room = room;
	}
	memcpy(n->text + n->len, d->d_name, len);
	n->names[n->count++] = (struct name){d->d_ino, n->len, d->d_type};
	n->len += len;
	return true;
}

static int by_inode(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* The next names of the folder, as many as there are, up to BLOCK. 0 or -errno. */
static int read_names(struct walk_names *n)
{
	struct dirent *d;
	bool end = false;
	int err = 0;

	n->next = n->count = n->len = 0;
	while (err == 0 && n->count < BLOCK) {
		errno = 0;
		d = readdir(n->reading);
		if (!d) {
			err = -errno;
			end = true;
			break;
		}
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && !add_name(n, d))
			err = -ENOMEM;
	}
	if (end || err < 0) {
		closedir(n->reading);
		n->reading = NULL;
	}
	if (n->count)
		qsort(n->names, n->count, sizeof(*n->names), by_inode);
	return err;
}

/* A file that is ours from a run that was killed is nobody's any more. */
static bool is_ours(const char *name)
{
	return strncmp(name, NEWFILE_PREFIX, strlen(NEWFILE_PREFIX)) == 0;
}

static void leave_alone(struct walk *w, const struct walk_folder *f, const char *name)
{
	char *path = w->o->left ? join(f->path, name) : NULL;

	w->left_alone++;
	if (path)
		w->o->left(w->o->arg, path);
	free(path);
}

/* The next entry of the folder being read. True for a file; false may also mean that another
 * folder is being read now. */
static bool take_entry(struct walk *w, struct walk_item *ret_item)
{
	struct walk_folder *f = w->at;
	struct walk_names *n = f->names;
	const char *name;
	unsigned char type;
	struct stat st;
	int err = n->next == n->count && n->reading ? read_names(n) : 0;

	if (err < 0)
		failed(w, f->path, err);
	if (n->next == n->count && !n->reading) {
		w->at = f->up;
		folder_put(f);
		return false;
	}
	if (n->next == n->count)
		return false;
	type = n->names[n->next].type;
	name = n->text + n->names[n->next++].at;
	if (!w->o->unfinished && is_ours(name))
		return false;
	if (type == DT_UNKNOWN)
		type = fstatat(f->in, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? IFTODT(st.st_mode)
									   : DT_REG;
	if (type == DT_DIR) {
		enter_below(w, name);
		return false;
	}
	if (type != DT_REG) {
		leave_alone(w, f, name);
		return false;
	}
	ret_item->name = strdup(name);
	if (!ret_item->name) {
		failed(w, f->path, -ENOMEM);
		return false;
	}
	atomic_fetch_add(&f->holders, 1);
	ret_item->folder = f;
	ret_item->given = false;
	return true;
}

bool walk_next(struct walk *w, struct walk_item *ret_item)
{
	while (w->at || w->next_path < w->o->count) {
		if (w->at ? take_entry(w, ret_item)
			  : take_path(w, w->o->paths[w->next_path++], ret_item))
			return true;
	}
	return false;
}

void walk_done(struct walk_item *item)
{
	folder_put(item->folder);
	free(item->name);
}
