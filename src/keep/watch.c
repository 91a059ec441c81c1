#include "keep/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "seal/tree/walk.h"

#define RESCAN_MS   60000 /* also without a word from the kernel: a server elsewhere may write */
#define REPLACED_MS 5000  /* the folder itself is looked for */
#define HELD	    30	  /* times what it has to settle, and open for writing still: it is told */
#define BATCH	    1024  /* items that are verified and removed together */
#define BATCH_SIZE  (256ull << 20)
/* A file on its way out has its name behind this; one that still has it was not removed yet. */
#define LEAVING	    ".bedwarden-leaving-"
#define LEAVING_LEN (sizeof(LEAVING) - 1)

struct found {
	struct vault_item item;
	char *name;  /* in the vault */
	size_t base; /* where the file's own name begins in its path */
	char path[]; /* below the folder */
};

struct folder {
	const char *path;
	size_t path_len;	 /* without slashes behind it */
	char name[NAME_MAX + 1]; /* its last part, by which the vault knows it */
	bool link;		 /* it was given as one */
	int fd;
	struct stat st;
};

/* What stays where it is for a reason that may last: the first is told, each time that there are
 * more or fewer. */
struct lasting {
	char *first;
	int err;
	unsigned count, told; /* now; when it was told */
};

struct watching {
	struct vault *v;
	const struct watch_options *o;
	struct folder folders[WATCH_FOLDERS];
	struct putter *putter;
	struct found *list[BATCH];
	unsigned count;
	uint64_t bytes;
	int inotify;
	bool young; /* something there is not settled yet */
	bool took;  /* something was removed: not all of a folder may have been read */
	struct lasting held, unread;
	int err;
};

/* --- which files -------------------------------------------------------------------- */

/* By its name: a program is still at work on it. */
static bool is_unfinished(const char *name)
{
	static const char *const tails[] = {
		".tmp",	       ".temp", ".part", ".partial", ".filepart",
		".crdownload", ".swp",	".lock", ".upload",  "~"};
	size_t len = strlen(name);

	if (strncmp(name, LEAVING, LEAVING_LEN) == 0)
		return false;
	if (*name == '.' || *name == '~')
		return true;
	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		size_t tail = strlen(tails[i]);

		if (len > tail && strcasecmp(name + len - tail, tails[i]) == 0)
			return true;
	}
	return false;
}

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

/* Whether nothing was changed or renamed for so many times what it has to settle. A time to come is
 * of a clock that went back, and tells nothing. */
static bool is_settled(const struct watching *w, const struct stat *st, unsigned times)
{
	int64_t now = (int64_t)clock_wall_ns(), changed = ns_of(st->st_ctim);
	int64_t settle = (int64_t)w->o->settle_ms * (int64_t)NSEC_PER_MSEC;

	if (ns_of(st->st_mtim) > changed)
		changed = ns_of(st->st_mtim);
	return changed > now + settle || now - changed >= times * settle;
}

/* Whether somebody has it open for writing. With true the lease is ours until the descriptor is
 * closed: who opens it for writing has to wait. */
static bool is_left_alone(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return true;
	return errno != EAGAIN; /* not allowed, or not known there: only time tells */
}

/* --- removing ------------------------------------------------------------------------- */

static bool is_same(const struct vault_item *it, const struct stat *st)
{
	return st->st_dev == it->dev && st->st_ino == it->ino &&
	       (uint64_t)st->st_size == it->size && ns_of(st->st_mtim) == it->mtime_ns;
}

static int open_parent(const struct found *f)
{
	char path[PATH_MAX];

	if (f->base == 0)
		return fcntl(f->item.fd, F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "%.*s", (int)f->base - 1, f->path);
	return vault_open_below(f->item.fd, path, O_RDONLY | O_DIRECTORY);
}

/*
 * Aside first, so that a file that took its name meanwhile is not the one that
 * is removed. One that is too long for that is removed as it is.
 */
static int unlink_same(const struct found *f, int parent)
{
	const char *base = f->path + f->base;
	char aside[LEAVING_LEN + NAME_MAX + 1] = LEAVING;
	size_t len = strlen(base);
	struct stat st;

	if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!is_same(&f->item, &st))
		return -EBUSY;
	if (strncmp(base, LEAVING, LEAVING_LEN) != 0 && len + LEAVING_LEN <= NAME_MAX &&
	    memcpy(aside + LEAVING_LEN, base, len + 1) &&
	    renameat2(parent, base, parent, aside, RENAME_NOREPLACE) == 0) {
		if (fstatat(parent, aside, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !is_same(&f->item, &st))
			return renameat2(parent, aside, parent, base, RENAME_NOREPLACE) == 0
				       ? -EBUSY
				       : -errno;
		base = aside;
	}
	return unlinkat(parent, base, 0) < 0 ? -errno : 0;
}

static int remove_file(const struct found *f, int parent)
{
	int fd = vault_open_below(f->item.fd, f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), err = 0;
	struct stat st;

	if (fd < 0)
		return fd;
	if (!is_left_alone(fd) || fstat(fd, &st) < 0 || !is_same(&f->item, &st) ||
	    ns_of(st.st_ctim) != f->item.ctime_ns)
		err = -EBUSY;
	if (err == 0)
		err = unlink_same(f, parent);
	close(fd);
	return err;
}

/* Read back, compared by its address, removed. *ret_parent stays open, to be synced. */
static int finish(struct watching *w, struct found *f, int *ret_parent)
{
	int err = vault_verify(w->v, f->item.address);

	if (err < 0)
		return err;
	*ret_parent = open_parent(f);
	return *ret_parent < 0 ? *ret_parent : remove_file(f, *ret_parent);
}

static void tell(struct watching *w, struct found *f, int err)
{
	struct bytes name = {(const uint8_t *)f->name, strlen(f->name)};

	w->took |= err == 0;
	if (err == 0)
		w->o->sealed(w->o->arg, name, &f->item);
	else if (err == -EBUSY || err == -ENOENT)
		w->young |= err == -EBUSY; /* it goes on being written, or is gone: no news */
	else
		w->o->kept(w->o->arg, name, err);
}

static void drop(struct found *f)
{
	free(f->name);
	free(f);
}

static bool same_parent(const struct found *a, const struct found *b)
{
	return a->item.fd == b->item.fd && a->base == b->base &&
	       memcmp(a->path, b->path, a->base) == 0;
}

/* Everything that was found so far: on the disk in the vault, verified, gone from the folder and
 * that on the disk, too, before it is told. */
static void finish_batch(struct watching *w)
{
	int errs[BATCH];
	unsigned first = 0;

	putter_flush(w->putter);
	for (unsigned i = 0; i < w->count; i++) {
		struct found *f = w->list[i];
		int parent = -1;

		errs[i] = f->item.err;
		if (errs[i] == 0)
			errs[i] = finish(w, f, &parent);
		/* Files of one folder come together: it is synced once, after the last. */
		if (i + 1 == w->count || !same_parent(f, w->list[i + 1])) {
			int sync = parent < 0 ? open_parent(f) : parent;
			bool synced = sync >= 0 && fsync(sync) == 0;

			for (; first <= i; first++)
				tell(w, w->list[first],
				     errs[first] == 0 && !synced ? -EIO : errs[first]);
			if (parent < 0 && sync >= 0)
				close(sync);
		}
		if (parent >= 0)
			close(parent);
	}
	for (unsigned i = 0; i < w->count; i++)
		drop(w->list[i]);
	w->count = 0;
	w->bytes = 0;
}

/* --- scanning ----------------------------------------------------------------------------- */

static void put_done(void *arg, struct vault_item *it)
{
	/* What came of it is in the item; finish_batch() goes through the list. */
}

static char *name_of(const struct folder *d, const char *path, size_t base)
{
	size_t room = strlen(d->name) + 1 + strlen(path) + 1;
	char *name = malloc(room);
	const char *own = path + base;

	if (strncmp(own, LEAVING, LEAVING_LEN) == 0)
		own += LEAVING_LEN;
	if (name)
		snprintf(name, room, "%s/%.*s%s", d->name, (int)base, path, own);
	return name;
}

static void add(struct watching *w, const struct folder *d, const char *path, uint64_t size)
{
	size_t len = strlen(path);
	struct found *f = calloc(1, sizeof(*f) + len + 1);
	const char *slash = strrchr(path, '/');

	if (!f) {
		w->err = -ENOMEM;
		return;
	}
	memcpy(f->path, path, len);
	f->base = slash ? (size_t)(slash - path) + 1 : 0;
	f->name = name_of(d, f->path, f->base);
	if (!f->name) {
		free(f);
		w->err = -ENOMEM;
		return;
	}
	f->item.path = f->path;
	f->item.below = true;
	f->item.fd = d->fd;
	f->item.meta.name = (struct bytes){(const uint8_t *)f->name, strlen(f->name)};
	f->item.meta.until_ns = (int64_t)clock_wall_ns() + w->o->keep_ns;
	snprintf(f->item.meta.class, OBJECT_CLASS_MAX, "%s", w->o->class);
	w->list[w->count++] = f;
	w->bytes += size;
	putter_add(w->putter, &f->item);
	if (w->count == BATCH || w->bytes >= BATCH_SIZE)
		finish_batch(w);
}

/* Somebody has it open for writing: now, and not only when it was last changed. */
static bool is_open(const struct folder *d, const char *path)
{
	int fd = vault_open_below(d->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	bool alone = fd < 0 || is_left_alone(fd);

	if (fd >= 0)
		close(fd);
	return !alone;
}

/* Takes over the name, which is malloc()ed. */
static void note(struct lasting *l, char *name, int err)
{
	l->count++;
	if (l->first) {
		free(name);
		return;
	}
	l->first = name;
	l->err = err;
}

static void tell_lasting(struct watching *w, struct lasting *l)
{
	if (l->first && l->count != l->told)
		w->o->kept(w->o->arg, (struct bytes){(uint8_t *)l->first, strlen(l->first)},
			   l->err);
	l->told = l->count;
	l->count = 0;
	free(l->first);
	l->first = NULL;
}

static void look_at(struct watching *w, const struct folder *d, const char *path, size_t base,
		    const struct stat *st)
{
	if (!is_settled(w, st, 1)) {
		w->young = true;
	} else if (is_open(d, path)) {
		/* It may never be let go: a program that hangs, a file server that forgot it. */
		w->young = true;
		if (is_settled(w, st, HELD))
			note(&w->held, name_of(d, path, base), -ETXTBSY);
	} else {
		add(w, d, path, (uint64_t)st->st_size);
	}
}

/* One scan of a folder. */
struct scan {
	struct watching *w;
	struct folder *d;
};

/* A path of the walk's, from below the folder on; "" is the folder itself. */
static const char *below(const struct folder *d, const char *path)
{
	path += d->path_len;
	return path + strspn(path, "/");
}

static void unread(void *arg, const char *path, int err)
{
	struct scan *s = arg;
	const char *from = strlen(path) >= s->d->path_len ? below(s->d, path) : "";

	if (err != -ENOENT) /* gone: no news */
		note(&s->w->unread, *from ? name_of(s->d, from, 0) : strdup(s->d->name), err);
}

/* Another file system, and what everything is kept in, are no uploads. Too many folders to be told
 * of are looked at in time. */
static bool is_passed(void *arg, const char *path, const struct stat *st)
{
	struct scan *s = arg;
	bool top = !*below(s->d, path);

	if (!top && (st->st_dev != s->d->st.st_dev || vault_is_own(s->w->v, st)))
		return true;
	inotify_add_watch(s->w->inotify, path,
			  IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR |
				  (top ? 0 : IN_DONT_FOLLOW));
	return false;
}

static void look_at_item(struct scan *s, const struct walk_item *item)
{
	const char *folder = below(s->d, item->folder->path);
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", item->name);

	if (is_unfinished(item->name) ||
	    fstatat(item->folder->in, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || keys_are_held_in(vault_keys(s->w->v), &st))
		return;
	if (n >= PATH_MAX)
		note(&s->w->unread, strdup(item->name), -ENAMETOOLONG);
	else
		look_at(s->w, s->d, path, *folder ? strlen(folder) + 1 : 0, &st);
}

static int open_folder(struct folder *d, const struct vault *v, int flags)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (vault_is_own(v, &st))
		err = -EINVAL;
	if (err < 0) {
		close(fd);
		return err;
	}
	if (d->fd >= 0)
		close(d->fd);
	d->fd = fd;
	d->st = st;
	return 0;
}

static bool is_at(const struct folder *d, const struct stat *st)
{
	return st->st_ino == d->st.st_ino && st->st_dev == d->st.st_dev;
}

/* Somebody may have removed the folder and made it anew. */
static bool is_there(struct watching *w, struct folder *d)
{
	struct stat st;
	int err = stat(d->path, &st) < 0 ? -errno : 0;

	if (err == 0 && !is_at(d, &st))
		err = open_folder(d, w->v, d->link ? 0 : O_NOFOLLOW);
	if (err < 0) {
		note(&w->unread, strdup(d->name), err);
		w->young |= !w->o->once;
	}
	return err == 0;
}

static void scan(struct watching *w, struct folder *d)
{
	struct scan s = {w, d};
	char *path = (char *)d->path;
	struct walk_options o = {.paths = &path,
				 .count = 1,
				 .dry = true,
				 .follow = d->link,
				 .unfinished = true,
				 .failed = unread,
				 .passed = is_passed,
				 .arg = &s};
	struct walk_item item;
	struct walk *walk;

	if (!is_there(w, d))
		return;
	w->err = walk_new(&o, &walk);
	if (w->err < 0)
		return;
	while (w->err == 0 && walk_next(walk, &item)) {
		look_at_item(&s, &item);
		walk_done(&item);
	}
	walk_free(walk);
	finish_batch(w);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* What happened does not matter, nor that some was lost: everything is looked at. */
static void drain(int inotify)
{
	char buf[8192];

	while (read(inotify, buf, sizeof(buf)) > 0)
		;
}

static bool is_stopped(const struct watching *w)
{
	struct pollfd stop = {.fd = w->o->stop, .events = POLLIN};

	return poll(&stop, 1, 0) > 0;
}

/* Where somebody put another folder in its place, nothing is told of that one. */
static bool is_replaced(const struct watching *w)
{
	struct stat st;

	for (unsigned i = 0; i < w->o->count; i++)
		if (stat(w->folders[i].path, &st) < 0 || !is_at(&w->folders[i], &st))
			return true;
	return false;
}

/* Something happened within that time; *ret_stop: it is to end. */
static bool wait_for(struct watching *w, int ms, bool *ret_stop)
{
	struct pollfd fds[] = {{.fd = w->inotify, .events = POLLIN},
			       {.fd = w->o->stop, .events = POLLIN}};
	int n = poll(fds, 2, ms);

	*ret_stop = fds[1].revents;
	return n > 0;
}

/* Until something happens, or what was young is old. True: it is to end. */
static bool wait_for_more(struct watching *w)
{
	int settle = (int)w->o->settle_ms + 50;
	bool stop, more = false;

	if (w->young)
		more = wait_for(w, settle, &stop);
	else
		for (int ms = 0; ms < RESCAN_MS && !more; ms += REPLACED_MS) {
			more = wait_for(w, REPLACED_MS, &stop);
			if (!more && is_replaced(w))
				break;
		}
	if (stop)
		return true;
	if (more) { /* what comes has to settle, too: wait for all that comes with it */
		struct pollfd end = {.fd = w->o->stop, .events = POLLIN};

		drain(w->inotify);
		if (poll(&end, 1, settle) > 0)
			return true;
	}
	drain(w->inotify);
	return false;
}

/* "." has no name but the one that it has elsewhere. */
static void name_folder(struct folder *d)
{
	char path[PATH_MAX], *slash;

	snprintf(path, sizeof(path), "%.*s", (int)d->path_len, d->path);
	slash = strrchr(path, '/');
	slash = slash ? slash + 1 : path;
	if ((strcmp(slash, ".") == 0 || strcmp(slash, "..") == 0) && realpath(d->path, path))
		slash = strrchr(path, '/') + 1;
	snprintf(d->name, sizeof(d->name), "%.*s", NAME_MAX, *slash ? slash : "root");
}

static int open_folders(struct watching *w)
{
	for (unsigned i = 0; i < w->o->count; i++) {
		struct folder *d = &w->folders[i];
		struct stat st;
		int err;

		d->path = w->o->folders[i];
		d->path_len = strlen(d->path);
		while (d->path_len > 1 && d->path[d->path_len - 1] == '/')
			d->path_len--;
		d->link = lstat(d->path, &st) == 0 && S_ISLNK(st.st_mode);
		name_folder(d);
		err = open_folder(d, w->v, 0);
		if (err < 0)
			return err;
	}
	return 0;
}

int watch_run(struct vault *v, const struct watch_options *o)
{
	struct watching *w = calloc(1, sizeof(*w));
	bool end = false;
	int err;

	if (!w)
		return -ENOMEM;
	w->v = v;
	w->o = o;
	for (unsigned i = 0; i < WATCH_FOLDERS; i++)
		w->folders[i].fd = -1;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->putter = putter_new(v, put_done, w);
	w->err = w->inotify < 0 ? -errno : !w->putter ? -ENOMEM : open_folders(w);
	while (w->err == 0 && !end) {
		w->young = false;
		w->took = false;
		for (unsigned i = 0; w->err == 0 && i < o->count; i++)
			scan(w, &w->folders[i]);
		tell_lasting(w, &w->held);
		tell_lasting(w, &w->unread);
		if (w->took && !w->young)
			end = is_stopped(w);
		else
			end = w->err == 0 && ((o->once && !w->young) || wait_for_more(w));
	}
	putter_free(w->putter);
	for (unsigned i = 0; i < o->count; i++)
		if (w->folders[i].fd >= 0)
			close(w->folders[i].fd);
	if (w->inotify >= 0)
		close(w->inotify);
	err = w->err;
	free(w);
	return err;
}
