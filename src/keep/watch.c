#include "keep/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define RESCAN_MS  60000 /* also without a word from the kernel: a server elsewhere may write */
#define HELD	   30	 /* times what it has to settle, and open for writing still: it is told */
#define BATCH	   1024	 /* items that are verified and removed together */
#define BATCH_SIZE (256ull << 20)
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
	const char *path, *name;
	size_t name_len;
	int fd;
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
	char *held; /* the first that somebody has open for writing for long; NULL: none is */
	unsigned held_count, held_told; /* now; when it was told */
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
	size_t room = d->name_len + 1 + strlen(path) + 1;
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

/* It may never be let go: a program that hangs, a file server that forgot it. */
static void note_held(struct watching *w, const struct folder *d, const char *path)
{
	const char *slash = strrchr(path, '/');

	w->held_count++;
	if (!w->held)
		w->held = name_of(d, path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* The first of them, each time that there are more or fewer. */
static void tell_held(struct watching *w)
{
	if (w->held && w->held_count != w->held_told)
		w->o->kept(w->o->arg, (struct bytes){(uint8_t *)w->held, strlen(w->held)},
			   -ETXTBSY);
	w->held_told = w->held_count;
	w->held_count = 0;
	free(w->held);
	w->held = NULL;
}

static void look_at(struct watching *w, const struct folder *d, const FTSENT *e)
{
	const char *path = e->fts_path + strlen(d->path);

	path += strspn(path, "/");
	if (!*path || is_unfinished(e->fts_name))
		return;
	if (!is_settled(w, e->fts_statp, 1)) {
		w->young = true;
	} else if (is_open(d, path)) {
		w->young = true;
		if (is_settled(w, e->fts_statp, HELD))
			note_held(w, d, path);
	} else {
		add(w, d, path, (uint64_t)e->fts_statp->st_size);
	}
}

static void scan(struct watching *w, struct folder *d)
{
	char *paths[] = {(char *)d->path, NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *e;

	if (!tree) {
		w->err = -errno;
		return;
	}
	while (w->err == 0 && (e = fts_read(tree)) != NULL) {
		/* What everything is kept in is no upload. */
		if (e->fts_info == FTS_D && e->fts_level > 0 && vault_is_own(w->v, e->fts_statp)) {
			fts_set(tree, e, FTS_SKIP);
			continue;
		}
		/* Too many folders to be told of are looked at in time. */
		if (e->fts_info == FTS_D)
			inotify_add_watch(w->inotify, e->fts_path,
					  IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR |
						  IN_DONT_FOLLOW);
		else if (e->fts_info == FTS_F && e->fts_statp->st_nlink > 0)
			look_at(w, d, e);
	}
	fts_close(tree);
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

/* Until something happens, or what was young is old. True: it is to end. */
static bool wait_for_more(struct watching *w)
{
	struct pollfd fds[] = {{.fd = w->inotify, .events = POLLIN},
			       {.fd = w->o->stop, .events = POLLIN}};
	int settle = (int)w->o->settle_ms + 50, n;

	n = poll(fds, 2, w->young ? settle : RESCAN_MS);
	if (fds[1].revents)
		return true;
	if (n > 0) { /* what comes has to settle, too: wait for all that comes with it */
		drain(w->inotify);
		if (poll(fds + 1, 1, settle) > 0)
			return true;
	}
	drain(w->inotify);
	return false;
}

static int open_folders(struct watching *w)
{
	for (unsigned i = 0; i < w->o->count; i++) {
		struct folder *d = &w->folders[i];
		const char *slash;
		struct stat st;

		d->path = w->o->folders[i];
		slash = strrchr(d->path, '/');
		d->name = slash && slash[1] ? slash + 1 : d->path;
		d->name_len = strlen(d->name);
		d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (d->fd < 0 || fstat(d->fd, &st) < 0)
			return -errno;
		if (vault_is_own(w->v, &st))
			return -EINVAL;
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
		for (unsigned i = 0; w->err == 0 && i < o->count; i++)
			scan(w, &w->folders[i]);
		tell_held(w);
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
