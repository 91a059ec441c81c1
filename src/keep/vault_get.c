/* Getting: one object by its chunks, or many at once, on all cores. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "keep/vault_internal.h"

#define LOTS	  6 /* of objects of one chunk on their way at once */
#define LOT_ITEMS 32
#define LOT_ROOM  (2 * OBJECT_CHUNK)
#define CHUNKS	  8 /* of a long object */

/* --- a long object, chunk by chunk ---------------------------------------------------- */

struct chunk {
	struct job job;
	struct vault *v;
	const uint8_t *key;
	uint8_t *sealed, *plain;
	size_t sealed_len, len;
	uint64_t number;
	bool last, verify;
	uint8_t leaf[CRYPTO_HASH];
	int err;
};

static void work_chunk(struct job *job, unsigned worker)
{
	struct chunk *c = (struct chunk *)job;
	struct sealer *s = c->v->sealers[worker];
	struct bytes sealed = {c->sealed, c->sealed_len};

	c->err = object_open_chunk(s, c->key, c->number, c->last, sealed, c->plain, &c->len);
	if (c->err == 0 && c->verify)
		c->err = object_leaf(s, (struct bytes){c->plain, c->len}, c->leaf);
}

struct reading {
	struct vault *v;
	const struct catalog_object *object;
	uint8_t *key;
	int fd;
	uint64_t at, end; /* of the chunks not yet read */
	uint64_t number, size;
	struct chunk chunks[CHUNKS];
	unsigned first, count;
	int (*write)(void *arg, struct bytes data);
	void *arg;
	bool verify;
};

static int start_chunk(struct reading *r)
{
	struct chunk *c = &r->chunks[(r->first + r->count) % CHUNKS];
	uint8_t length[4];
	int err = pack_read(r->fd, r->at, length, sizeof(length));

	if (err == 0 &&
	    (object_chunk_length((struct bytes){length, 4}, &c->sealed_len) != PARSE_OK ||
	     c->sealed_len > r->end - r->at))
		err = -EBADMSG;
	if (err == 0)
		err = pack_read(r->fd, r->at, c->sealed, c->sealed_len);
	if (err < 0)
		return err == -ENODATA ? -EBADMSG : err;
	r->at += c->sealed_len;
	c->number = r->number++;
	c->last = r->at == r->end;
	c->verify = r->verify;
	r->count++;
	pool_submit(r->v->pool, &c->job);
	return 0;
}

static int finish_chunk(struct reading *r, bool wanted)
{
	struct chunk *c = &r->chunks[r->first];
	int err;

	pool_wait(r->v->pool, &c->job);
	r->first = (r->first + 1) % CHUNKS;
	r->count--;
	if (!wanted)
		return 0;
	err = c->err;
	r->size += c->len;
	if (err == 0 && r->verify)
		err = object_root_add(r->v->sealer, c->leaf);
	if (err == 0)
		err = r->write(r->arg, (struct bytes){c->plain, c->len});
	return err;
}

static int read_chunks(struct reading *r)
{
	int err = 0;

	while ((err == 0 && r->at < r->end) || r->count) {
		if (err == 0 && r->at < r->end && r->count < CHUNKS) {
			err = start_chunk(r);
		} else {
			int one = finish_chunk(r, err == 0);

			err = err == 0 ? one : err;
		}
	}
	return err;
}

static int alloc_chunks(struct reading *r)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct chunk *c = &r->chunks[i];

		*c = (struct chunk){.job.run = work_chunk,
				    .v = r->v,
				    .key = r->key,
				    .sealed = malloc(OBJECT_SEALED_MAX),
				    .plain = malloc(OBJECT_CHUNK)};
		if (!c->sealed || !c->plain)
			return -ENOMEM;
	}
	return 0;
}

static int check_address(struct reading *r)
{
	const struct object_head *h = &r->object->head;
	uint8_t address[CRYPTO_HASH];
	int err;

	if (r->size != h->size)
		return -EBADMSG;
	if (!r->verify)
		return 0;
	if (h->size <= OBJECT_CHUNK)
		err = object_address(r->v->sealer,
				     (struct bytes){r->chunks[0].plain, (size_t)h->size}, address);
	else
		err = object_root_end(r->v->sealer, h->size, address);
	if (err == 0 && !crypto_equal(address, h->address, CRYPTO_HASH))
		err = -EBADMSG;
	return err;
}

static int read_object(struct reading *r)
{
	const struct catalog_object *o = r->object;
	int err = alloc_chunks(r);

	if (err == 0) {
		r->fd = vault_pack(r->v, o->pack);
		err = r->fd < 0 ? r->fd : 0;
	}
	r->at = o->at + OBJECT_HEAD;
	r->end = r->at + o->head.length;
	if (err == 0 && r->verify)
		err = object_root_start(r->v->sealer);
	if (err == 0)
		err = read_chunks(r);
	return err == 0 ? check_address(r) : err;
}

int vault_stream(struct vault *v, const struct vault_entry *e,
		 int (*write)(void *arg, struct bytes data), void *arg, bool verify)
{
	struct reading *r = calloc(1, sizeof(*r));
	uint8_t *key = secret_new(CRYPTO_KEY);
	int err = -ENOMEM;

	if (r && key) {
		memcpy(key, e->key, CRYPTO_KEY);
		*r = (struct reading){.v = v,
				      .object = e->object,
				      .key = key,
				      .write = write,
				      .arg = arg,
				      .verify = verify};
		err = read_object(r);
		for (unsigned i = 0; i < CHUNKS; i++) {
			free(r->chunks[i].sealed);
			free(r->chunks[i].plain);
		}
	}
	secret_free(key, CRYPTO_KEY);
	free(r);
	return err;
}

static int forget(void *arg, struct bytes data)
{
	return 0;
}

static int write_fd(void *arg, struct bytes data)
{
	return file_write(*(int *)arg, data);
}

int vault_read(struct vault *v, const struct vault_entry *e, int fd)
{
	return vault_stream(v, e, write_fd, &fd, false);
}

int vault_verify(struct vault *v, const uint8_t address[CRYPTO_HASH])
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	struct catalog_object o;
	struct vault_entry e = {.object = &o, .key = key};
	int err = key ? catalog_object_by_address(v->catalog, address, &o) : -ENOMEM;

	if (err == 0)
		err = vault_object_key(v, &o.head, key);
	if (err == 0) {
		e.size = o.head.size;
		err = vault_stream(v, &e, forget, NULL, true);
	}
	secret_free(key, CRYPTO_KEY);
	return err;
}

/* --- files below a folder ----------------------------------------------------------------- */

static int open_below(int folder, const char *path, int flags, uint32_t mode)
{
	struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
			       .mode = flags & O_CREAT ? mode & 0777 : 0,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	long fd = syscall(SYS_openat2, folder, path, &how, sizeof(how));

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

static int create_below(int folder, struct bytes name, uint32_t mode, uint32_t unmask)
{
	const uint8_t *from = name.data;
	char path[OBJECT_NAME_MAX + 1];
	size_t len = name.len;
	int fd, err;

	while (len && *from == '/') {
		from++;
		len--;
	}
	if (!len || len > OBJECT_NAME_MAX || memchr(from, 0, len))
		return -EINVAL;
	memcpy(path, from, len);
	path[len] = 0;
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

static int set_time(int fd, int64_t mtime_ns)
{
	struct timespec t[2] = {
		{.tv_nsec = UTIME_OMIT},
		{mtime_ns / (int64_t)NSEC_PER_SEC, mtime_ns % (int64_t)NSEC_PER_SEC}};

	return mtime_ns >= 0 && futimens(fd, t) < 0 ? -errno : 0;
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

struct getter {
	struct vault *v;
	int folder;
	uint32_t unmask;
	const struct vault_getting *g;
	struct lot lots[LOTS];
	unsigned first, count; /* a ring of those on their way; behind them the one being filled */
	uint8_t *keys;
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
	int err = pack_read(l->fd, l->from, l->sealed, (size_t)(l->to - l->from));

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

static void take_all(struct getter *t)
{
	send_lot(t);
	while (t->count)
		take_oldest(t);
}

static int get_long(struct getter *t, const struct vault_entry *e)
{
	int fd = vault_create_below(t->folder, e->meta.name, e->meta.mode);
	int err = fd < 0 ? fd : vault_read(t->v, e, fd);

	if (fd < 0)
		return err;
	if (err == 0)
		err = set_time(fd, e->meta.mtime_ns);
	if (close(fd) < 0 && err == 0)
		err = -errno;
	return err;
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
		l->fd = vault_pack(t->v, o->pack);
	}
	l->to = to > l->to ? to : l->to;
	w = &l->items[l->count];
	memcpy(l->keys[l->count++], e->key, CRYPTO_KEY);
	w->entry = *e;
	w->object = *o;
	w->entry.object = &w->object;
	memcpy(w->name, e->meta.name.data, e->meta.name.len);
	w->entry.meta.name.data = w->name;
}

static int get_one(void *arg, const struct vault_entry *e)
{
	struct getter *t = arg;

	if (!t->g->wanted(t->g->arg, e))
		return 0;
	if (e->size <= OBJECT_CHUNK) {
		join(t, e);
	} else {
		take_all(t);
		t->g->done(t->g->arg, e, get_long(t, e));
	}
	return 0;
}

static int alloc_lots(struct getter *t)
{
	t->keys = secret_new(LOTS * LOT_ITEMS * CRYPTO_KEY);
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
		secret_free(t->keys, LOTS * LOT_ITEMS * CRYPTO_KEY);
	free(t);
	return err;
}
