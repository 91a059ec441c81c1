/* Getting many at once, on all cores. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "keep/vault_read.h"

#define LOTS	  6 /* of objects of one chunk on their way at once */
#define LOT_ITEMS 32
#define LOT_ROOM  (2 * OBJECT_CHUNK)

/* --- files below a folder ----------------------------------------------------------------- */

static int open_below(int folder, const char *path, int flags, uint32_t mode)
{
	struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
			       .mode = flags & O_CREAT ? mode & 0777 : 0,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	long fd;

	/* A name alone leads nowhere else, and looking where it leads costs a sixth of opening. */
	if (!strchr(path, '/') && strcmp(path, "..") != 0)
		how.resolve = RESOLVE_NO_SYMLINKS;
	fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int vault_open_below(int folder, const char *path, int flags)
{
	return open_below(folder, path, flags, 0);
}

static int make_folders_below(int folder, char *path)
{
	for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		char *slash;
		int parent = folder;

		*p = 0;
		slash = strrchr(path, '/');
		if (slash) {
			*slash = 0;
			parent = open_below(folder, path, O_PATH | O_DIRECTORY, 0);
			*slash = '/';
		}
		if (parent < 0) {
			*p = '/';
			return parent;
		}
		if (mkdirat(parent, slash ? slash + 1 : path, 0700) < 0 && errno != EEXIST) {
			int err = -errno;

			if (parent != folder)
				close(parent);
			*p = '/';
			return err;
		}
		if (parent != folder)
			close(parent);
		*p = '/';
	}
	return 0;
}

int vault_folder_below(int folder, const char *path)
{
	char made[OBJECT_NAME_MAX + 2];
	int n = snprintf(made, sizeof(made), "%s/", path);
	int err = n < (int)sizeof(made) ? make_folders_below(folder, made) : -ENAMETOOLONG;

	return err < 0 ? err : open_below(folder, path, O_RDONLY | O_DIRECTORY, 0);
}

/* As mounting shows it: below the folder, whatever the name says. */
static int path_below(struct bytes name, char ret_path[OBJECT_NAME_MAX + 1])
{
	char part[NAME_MAX + 1];
	size_t len = 0;

	if (name.len > OBJECT_NAME_MAX || (name.len && memchr(name.data, 0, name.len)))
		return -EINVAL;
	while (object_name_part(&name, part)) {
		if (len)
			ret_path[len++] = '/';
		len = (size_t)(stpcpy(ret_path + len, part) - ret_path);
	}
	return len ? 0 : -EINVAL;
}

static int create_below(int folder, struct bytes name, uint32_t mode, uint32_t unmask)
{
	char path[OBJECT_NAME_MAX + 1];
	int err = path_below(name, path), fd;

	if (err < 0)
		return err;
	mode &= 0777; /* none that would lend others' rights */
	fd = open_below(folder, path, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd == -ENOENT) {
		err = make_folders_below(folder, path);
		fd = err < 0 ? err : open_below(folder, path, O_WRONLY | O_CREAT | O_EXCL, mode);
	}
	if (fd >= 0 && (mode & unmask) && fchmod(fd, mode) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd == -EXDEV || fd == -ELOOP ? -EINVAL : fd;
}

int vault_create_below(int folder, struct bytes name, uint32_t mode)
{
	return create_below(folder, name, mode, 0777);
}

int vault_remove_below(int folder, struct bytes name)
{
	char path[OBJECT_NAME_MAX + 1], *slash;
	int err = path_below(name, path), parent = folder;

	if (err < 0)
		return err;
	slash = strrchr(path, '/');
	if (slash) {
		*slash = 0;
		parent = open_below(folder, path, O_PATH | O_DIRECTORY, 0);
	}
	if (parent < 0)
		return parent;
	if (unlinkat(parent, slash ? slash + 1 : path, 0) < 0)
		err = -errno;
	if (parent != folder)
		close(parent);
	return err;
}

static int set_time(int fd, int64_t mtime_ns)
{
	struct timespec t[2] = {
		{.tv_nsec = UTIME_OMIT},
		{mtime_ns / (int64_t)NSEC_PER_SEC, mtime_ns % (int64_t)NSEC_PER_SEC}};

	return mtime_ns >= 0 && futimens(fd, t) < 0 ? -errno : 0;
}

/* The pack, for as long as the caller likes. */
static int own_pack(struct vault *v, uint32_t id)
{
	int fd = vault_pack(v, id);

	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* --- many at once ---------------------------------------------------------------------------- */

struct wanted {
	struct vault_entry entry;
	struct catalog_object object;
	uint8_t name[OBJECT_NAME_MAX]; /* where the entry's is */
	int err;
};

/* Objects of one chunk, of one pack and near to each other there: one worker reads them at once. */
struct lot {
	struct job job;
	struct getter *getter;
	unsigned count;
	struct wanted items[LOT_ITEMS];
	uint8_t (*keys)[CRYPTO_KEY];
	uint8_t *sealed, *plain;
	uint64_t from, to; /* in the pack */
	uint32_t pack;
	int fd;
};

/* An object of more chunks: each core writes another file, since a file is written by one at a
 * time. */
struct whole {
	struct job job;
	struct getter *getter;
	struct wanted item;
	uint8_t *key;
	int pack;
	bool sent; /* to a worker */
};

struct getter {
	struct vault *v;
	int folder;
	uint32_t unmask;
	const struct vault_getting *g;
	struct lot lots[LOTS];
	unsigned first, count; /* a ring of those on their way; behind them the one being filled */
	struct whole wholes[VAULT_WORKERS_MAX];
	unsigned oldest, waiting; /* the same of them */
	uint8_t *keys;		  /* the lots', and behind them the wholes' */
};

static int write_file(struct getter *t, const struct object_meta *m, struct bytes content)
{
	int fd = create_below(t->folder, m->name, m->mode, t->unmask), err;

	if (fd < 0)
		return fd;
	err = file_write(fd, content);
	if (err == 0)
		err = set_time(fd, m->mtime_ns);
	if (close(fd) < 0 && err == 0)
		err = -errno;
	return err;
}

static void work_lot(struct job *job, unsigned worker)
{
	struct lot *l = (struct lot *)job;
	struct sealer *s = l->getter->v->sealers[worker];
	int err =
		l->fd < 0 ? l->fd : pack_read(l->fd, l->from, l->sealed, (size_t)(l->to - l->from));

	for (unsigned i = 0; i < l->count; i++) {
		struct wanted *w = &l->items[i];
		const struct object_head *h = &w->object.head;
		uint64_t at = w->object.at + OBJECT_HEAD - l->from;
		struct bytes sealed = {l->sealed + at, (size_t)h->length};
		size_t len = 0;

		w->err = err;
		if (w->err == 0)
			w->err = object_open_chunk(s, l->keys[i], 0, true, sealed, l->plain, &len);
		if (w->err == -ENODATA || (w->err == 0 && len != h->size))
			w->err = -EBADMSG;
		if (w->err == 0)
			w->err = write_file(l->getter, &w->entry.meta,
					    (struct bytes){l->plain, len});
	}
}

static struct lot *filling(struct getter *t)
{
	return &t->lots[(t->first + t->count) % LOTS];
}

static void take_oldest(struct getter *t)
{
	struct lot *l = &t->lots[t->first];

	pool_wait(t->v->pool, &l->job);
	t->first = (t->first + 1) % LOTS;
	t->count--;
	for (unsigned i = 0; i < l->count; i++)
		t->g->done(t->g->arg, &l->items[i].entry, l->items[i].err);
	secret_wipe(l->keys, sizeof(*l->keys) * LOT_ITEMS);
	if (l->fd >= 0)
		close(l->fd);
	l->count = 0;
}

static void send_lot(struct getter *t)
{
	struct lot *l = filling(t);

	if (!l->count)
		return;
	t->count++;
	pool_submit(t->v->pool, &l->job);
	if (t->count == LOTS)
		take_oldest(t);
}

/* By the sealer of one thread, or by all where there is none. */
static int get_whole(struct whole *w, struct sealer *s)
{
	struct getter *t = w->getter;
	const struct object_meta *m = &w->item.entry.meta;
	int fd = create_below(t->folder, m->name, m->mode, t->unmask), err;
	struct sink sink = sink_of_new(fd);
	struct reading_options o = {.object = &w->item.object,
				    .key = w->key,
				    .pack = w->pack,
				    .write = sink_write,
				    .arg = &sink};

	if (fd < 0)
		return fd;
	err = w->pack < 0 ? w->pack : s ? reading_alone(s, &o) : reading_together(t->v, &o);
	if (err == 0)
		err = set_time(fd, m->mtime_ns);
	if (close(fd) < 0 && err == 0)
		err = -errno;
	return err;
}

static void work_whole(struct job *job, unsigned worker)
{
	struct whole *w = (struct whole *)job;

	w->item.err = get_whole(w, w->getter->v->sealers[worker]);
}

/* The oldest of those on their way. */
static void take_whole(struct getter *t)
{
	struct whole *w = &t->wholes[t->oldest];

	if (w->sent)
		pool_wait(t->v->pool, &w->job);
	else
		w->item.err = get_whole(w, NULL); /* the only one: on all cores */
	t->oldest = (t->oldest + 1) % t->v->workers;
	t->waiting--;
	t->g->done(t->g->arg, &w->item.entry, w->item.err);
	secret_wipe(w->key, CRYPTO_KEY);
	if (w->pack >= 0)
		close(w->pack);
	w->sent = false;
}

/* The first waits for a second: what is alone is better read by all workers together. */
static void send_wholes(struct getter *t)
{
	for (unsigned i = 0; t->waiting > 1 && i < t->waiting; i++) {
		struct whole *w = &t->wholes[(t->oldest + i) % t->v->workers];

		if (!w->sent)
			pool_submit(t->v->pool, &w->job);
		w->sent = true;
	}
}

static void take_all(struct getter *t)
{
	send_lot(t);
	while (t->count)
		take_oldest(t);
	while (t->waiting)
		take_whole(t);
}

/* What is borrowed of it is copied. */
static void copy_entry(struct wanted *w, const struct vault_entry *e)
{
	w->entry = *e;
	w->object = *e->object;
	w->entry.object = &w->object;
	memcpy(w->name, e->meta.name.data, e->meta.name.len);
	w->entry.meta.name.data = w->name;
}

static void join_wholes(struct getter *t, const struct vault_entry *e)
{
	unsigned place = (t->oldest + t->waiting) % t->v->workers;
	struct whole *w = &t->wholes[place];

	w->job.run = work_whole;
	w->getter = t;
	w->key = t->keys + (LOTS * LOT_ITEMS + place) * CRYPTO_KEY;
	w->pack = pack_open_long(t->v->dir, e->object->pack);
	memcpy(w->key, e->key, CRYPTO_KEY);
	copy_entry(&w->item, e);
	t->waiting++;
	send_wholes(t);
	if (t->waiting == t->v->workers)
		take_whole(t);
}

/* Whether it lies so that one read gets it together with what the lot has. */
static bool fits(const struct lot *l, const struct catalog_object *o)
{
	uint64_t from = o->at, to = o->at + OBJECT_HEAD + o->head.length;

	if (!l->count)
		return true;
	return l->count < LOT_ITEMS && o->pack == l->pack && from >= l->from &&
	       (to > l->to ? to : l->to) - l->from <= LOT_ROOM;
}

static void join(struct getter *t, const struct vault_entry *e)
{
	const struct catalog_object *o = e->object;
	uint64_t to = o->at + OBJECT_HEAD + o->head.length;
	struct wanted *w;
	struct lot *l;

	if (!fits(filling(t), o))
		send_lot(t);
	l = filling(t);
	if (!l->count) {
		l->pack = o->pack;
		l->from = o->at;
		l->to = to;
		l->fd = own_pack(t->v, o->pack);
	}
	l->to = to > l->to ? to : l->to;
	w = &l->items[l->count];
	memcpy(l->keys[l->count++], e->key, CRYPTO_KEY);
	copy_entry(w, e);
}

static int get_one(void *arg, const struct vault_entry *e)
{
	struct getter *t = arg;

	if (!t->g->wanted(t->g->arg, e))
		return 0;
	if (e->size <= OBJECT_CHUNK)
		join(t, e);
	else
		join_wholes(t, e);
	return 0;
}

#define KEYS ((LOTS * LOT_ITEMS + VAULT_WORKERS_MAX) * CRYPTO_KEY)

static int alloc_lots(struct getter *t)
{
	t->keys = secret_new(KEYS);
	if (!t->keys)
		return -ENOMEM;
	for (unsigned i = 0; i < LOTS; i++) {
		struct lot *l = &t->lots[i];

		l->job.run = work_lot;
		l->getter = t;
		l->keys = (void *)(t->keys + i * LOT_ITEMS * CRYPTO_KEY);
		l->sealed = malloc(LOT_ROOM);
		l->plain = malloc(OBJECT_CHUNK);
		if (!l->sealed || !l->plain)
			return -ENOMEM;
	}
	return 0;
}

/* What the process takes away from the modes of new files. */
static uint32_t read_umask(void)
{
	mode_t mask = umask(077);

	umask(mask);
	return mask;
}

int vault_get(struct vault *v, int folder, const struct vault_getting *g)
{
	struct getter *t = calloc(1, sizeof(*t));
	int err = t ? alloc_lots(t) : -ENOMEM;

	if (err == 0) {
		t->v = v;
		t->folder = folder;
		t->g = g;
		t->unmask = read_umask();
		err = vault_walk(v, true, get_one, t);
		take_all(t);
	}
	for (unsigned i = 0; t && i < LOTS; i++) {
		free(t->lots[i].sealed);
		free(t->lots[i].plain);
	}
	if (t)
		secret_free(t->keys, KEYS);
	free(t);
	return err;
}
