/* Putting: files are read and sealed on all cores, and brought to the disk by one more thread
 * (vault_commit.h); long ones by themselves (vault_long.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keep/vault_long.h"

#define LOTS	    12 /* of short items on their way at once */
#define RECORD_MORE (OBJECT_HEAD + 4 + CRYPTO_TAG + OBJECT_NAME_RECORD) /* besides the content */
#define LOT_ROOM    (OBJECT_CHUNK + LOT_ITEMS * RECORD_MORE)
#define LOT_KEYS    (LOT_ITEMS * CRYPTO_KEY)

/* Items of one chunk each, and of no more together. */
struct putting {
	struct job job;
	struct putter *putter;
	bool sent; /* to a worker, ever */
	uint64_t bytes;
	int fds[LOT_ITEMS]; /* of the items' paths, to be closed; or -1 */
	struct lot lot;
};

struct putter {
	struct vault *v;
	void (*done)(void *arg, struct vault_item *item);
	void *arg;
	struct putting lots[LOTS]; /* filled, sealed and committed in turns */
	unsigned filling;
	uint8_t *keys;	/* all lots' */
	uint8_t *plain; /* OBJECT_CHUNK bytes and one more, for the caller and each worker */
	struct committer *committer;
};

static uint8_t *plain_of(const struct putter *p, unsigned number)
{
	return p->plain + (size_t)number * (OBJECT_CHUNK + 1);
}

/* --- in a worker --------------------------------------------------------------------- */

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

static void take_stat(struct vault_item *it, const struct stat *st)
{
	it->dev = st->st_dev;
	it->ino = st->st_ino;
	it->mtime_ns = ns_of(st->st_mtim);
	it->ctime_ns = ns_of(st->st_ctim);
	it->meta.mtime_ns = S_ISREG(st->st_mode) ? it->mtime_ns : (int64_t)clock_wall_ns();
	it->meta.mode = S_ISREG(st->st_mode) ? st->st_mode & 07777 : 0600;
}

static int seal_short(struct sealer *s, struct sealed *r, const uint8_t *key, struct bytes plain,
		      uint8_t *record)
{
	struct vault_item *it = r->item;
	size_t sealed, name;
	int err = object_tag(s, it->meta.name, r->tag);

	if (err == 0)
		err = object_address(s, plain, it->address);
	if (err == 0)
		err = object_seal_chunk(s, key, 0, true, plain, record + OBJECT_HEAD, &sealed);
	if (err < 0)
		return err;
	r->object = OBJECT_HEAD + sealed;
	err = object_seal_name(s, key, it->address, &it->meta, record + r->object, &name);
	if (err == 0)
		r->name = name;
	return err;
}

/* As long as it was when it was added, or it changed. */
static int read_short(struct vault_item *it, int fd, uint8_t *to)
{
	ssize_t n;

	if (it->read)
		n = it->read(it->user, to, (size_t)it->size + 1);
	else
		do
			n = read(fd, to, (size_t)it->size + 1);
		while (n < 0 && errno == EINTR);
	if (n < 0)
		return it->read ? (int)n : -errno;
	return (uint64_t)n != it->size ? -EBUSY : long_changed(it, fd);
}

static void work_lot(struct job *job, unsigned worker)
{
	struct putting *t = (struct putting *)job;
	struct putter *p = t->putter;
	struct lot *l = &t->lot;
	struct sealer *s = p->v->sealers[worker];
	uint8_t *plain = plain_of(p, worker + 1);
	int err = crypto_random(l->keys, sizeof(*l->keys) * l->count);
	size_t at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		struct sealed *r = &l->items[i];
		struct vault_item *it = r->item;

		r->at = at;
		if (it->err == 0)
			it->err = err;
		if (it->err == 0)
			it->err = read_short(it, t->fds[i], plain);
		if (t->fds[i] >= 0)
			close(t->fds[i]);
		if (it->err == 0)
			it->err = seal_short(s, r, l->keys[i],
					     (struct bytes){plain, (size_t)it->size},
					     l->records + at);
		if (it->err == 0)
			at += r->object + r->name;
	}
	committer_ready(p->committer, l);
}

/* --- in the caller's thread ------------------------------------------------------------- */

/* Whatever is done by now is told. */
static void tell_done(struct putter *p)
{
	struct vault_item *it = committer_take(p->committer), *next;

	for (; it; it = next) {
		next = it->next;
		p->done(p->arg, it);
	}
}

static struct putting *filling(struct putter *p)
{
	return &p->lots[p->filling];
}

/* The next lot in turn becomes the one to be filled. */
static void turn(struct putter *p)
{
	struct putting *t;

	p->filling = (p->filling + 1) % LOTS;
	t = filling(p);
	committer_wait(p->committer, &t->lot);
	if (t->sent)
		pool_wait(p->v->pool, &t->job); /* its worker has no more to do with it */
	t->sent = false;
	t->lot.count = 0;
	t->bytes = 0;
	tell_done(p);
}

static void send_lot(struct putter *p)
{
	struct putting *t = filling(p);

	if (!t->lot.count)
		return;
	t->sent = true;
	committer_add(p->committer, &t->lot);
	pool_submit(p->v->pool, &t->job);
	turn(p);
}

/* Nothing else is under way. -EAGAIN: it is short, and on its way as a lot of its own. */
static int put_open(struct putter *p, struct vault_item *it, int fd)
{
	struct lot *l = &filling(p)->lot;
	uint8_t *plain = plain_of(p, 0), *key = l->keys[0];
	struct sealed *r = &l->items[0];
	ssize_t n = long_read(it, fd, plain, OBJECT_CHUNK + 1);
	int err = n < 0 ? (int)n : crypto_random(key, CRYPTO_KEY);

	if (err < 0)
		return err;
	if (n > OBJECT_CHUNK)
		return long_put(p->v, p->committer, it, fd, plain, key);
	*r = (struct sealed){.item = it};
	it->size = (uint64_t)n;
	err = long_changed(it, fd);
	if (err == 0)
		err = seal_short(p->v->sealer, r, key, (struct bytes){plain, (size_t)n},
				 l->records);
	if (err < 0)
		return err;
	l->count = 1;
	committer_add(p->committer, l);
	committer_ready(p->committer, l);
	return -EAGAIN;
}

/* One that is long, or whose length nobody knows. */
static void put_alone(struct putter *p, struct vault_item *it, int fd)
{
	int err = put_open(p, it, fd);

	if (err == -EAGAIN) {
		turn(p);
		return;
	}
	it->err = err;
	secret_wipe(filling(p)->lot.keys[0], CRYPTO_KEY);
	p->done(p->arg, it);
}

/* A short one joins the lot that is being filled, and its descriptor is the lot's. */
static void join(struct putter *p, struct vault_item *it, int fd)
{
	struct putting *t = filling(p);

	if (t->bytes + it->size > OBJECT_CHUNK) {
		send_lot(p);
		t = filling(p);
	}
	t->fds[t->lot.count] = fd;
	t->lot.items[t->lot.count++] = (struct sealed){.item = it};
	t->bytes += it->size;
	if (t->lot.count == LOT_ITEMS)
		send_lot(p);
}

static int check_kind(mode_t mode)
{
	return S_ISREG(mode) ? 0 : S_ISDIR(mode) ? -EISDIR : S_ISLNK(mode) ? -ELOOP : -EINVAL;
}

/* A path that somebody gave may be a tape's, which opening rewinds; one below a folder was seen
 * there to be a file. */
static int open_item(const struct vault_item *it)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int fd, err;

	if (it->below)
		return vault_open_below(it->fd, it->path, flags);
	err = lstat(it->path, &st) < 0 ? -errno : check_kind(st.st_mode);
	if (err < 0)
		return err;
	fd = open(it->path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* *ret_fd: of what is read by a descriptor; -1 where a function reads it. */
static int begin_item(struct vault_item *it, int *ret_fd, struct stat *ret_st)
{
	int fd = it->path ? open_item(it) : it->fd, err = 0;

	if (it->read) {
		*ret_fd = -1;
		if (it->st)
			*ret_st = *it->st;
		ret_st->st_size = (off_t)it->size;
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, ret_st) < 0)
		err = -errno;
	if (err == 0 && it->path)
		err = check_kind(ret_st->st_mode);
	if (err == 0)
		*ret_fd = fd;
	else if (it->path)
		close(fd);
	return err;
}

void putter_add(struct putter *p, struct vault_item *it)
{
	struct stat st = {0};
	int fd = -1;

	it->err = begin_item(it, &fd, &st);
	it->st = NULL;
	it->size = 0;
	it->known = false;
	it->meta.put_ns = (int64_t)clock_wall_ns();
	if (it->err == 0)
		take_stat(it, &st);
	if (it->err == 0 && ((!it->path && !it->read) || (uint64_t)st.st_size > OBJECT_CHUNK)) {
		bool ours = it->path;

		putter_flush(p);
		put_alone(p, it, fd);
		if (ours)
			close(fd);
		return;
	}
	it->size = it->err == 0 ? (uint64_t)st.st_size : 0;
	join(p, it, fd);
}

void putter_flush(struct putter *p)
{
	send_lot(p);
	committer_flush(p->committer);
	tell_done(p);
}

static bool make_lots(struct putter *p)
{
	p->keys = secret_new(LOTS * LOT_KEYS);
	p->plain = malloc((p->v->workers + 1) * (size_t)(OBJECT_CHUNK + 1));
	for (unsigned i = 0; p->keys && p->plain && i < LOTS; i++) {
		struct putting *t = &p->lots[i];

		t->job.run = work_lot;
		t->putter = p;
		t->lot.keys = (void *)(p->keys + i * LOT_KEYS);
		t->lot.records = malloc(LOT_ROOM);
		if (!t->lot.records)
			return false;
	}
	return p->keys && p->plain;
}

struct putter *putter_new(struct vault *v, void (*done)(void *arg, struct vault_item *item),
			  void *arg)
{
	struct putter *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->v = v;
	p->done = done;
	p->arg = arg;
	p->committer = committer_new(v);
	if (make_lots(p) && p->committer)
		return p;
	putter_free(p);
	errno = ENOMEM;
	return NULL;
}

void putter_free(struct putter *p)
{
	if (!p)
		return;
	if (p->committer && p->keys && p->plain)
		putter_flush(p);
	for (unsigned i = 0; i < LOTS; i++)
		if (p->lots[i].sent)
			pool_wait(p->v->pool, &p->lots[i].job);
	committer_free(p->committer);
	for (unsigned i = 0; i < LOTS; i++)
		free(p->lots[i].lot.records);
	secret_free(p->keys, LOTS * LOT_KEYS);
	free(p->plain);
	free(p);
}
