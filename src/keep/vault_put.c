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

#define LOTS	    6  /* of short items on their way at once */
#define LOT_ITEMS   32 /* handing over one by one would cost more than sealing */
#define RECORD_MORE (OBJECT_HEAD + 4 + CRYPTO_TAG + OBJECT_NAME_RECORD) /* besides the content */
#define LOT_ROOM    (OBJECT_CHUNK + LOT_ITEMS * RECORD_MORE)

/* One short item as a worker leaves it: its head still empty, its one chunk, its name. */
struct ready {
	struct vault_item *item;
	size_t at, content, name; /* in the lot's records: where, the object's bytes, the name's */
	uint8_t tag[OBJECT_TAG];
};

/* Items of one chunk each, and of no more together. */
struct lot {
	struct job job;
	struct putter *putter;
	unsigned count;
	uint64_t bytes;
	struct ready items[LOT_ITEMS];
	uint8_t (*keys)[CRYPTO_KEY]; /* the objects' own, in locked memory */
	uint8_t *plain;		     /* OBJECT_CHUNK bytes and one more */
	uint8_t *records;
};

struct putter {
	struct vault *v;
	void (*done)(void *arg, struct vault_item *item);
	void *arg;
	struct lot lots[LOTS];
	unsigned first, count; /* a ring of those on their way; behind them the one being filled */
	uint8_t *keys;	       /* all lots', and one more */
	struct committer *committer;
};

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

static int open_item(struct vault_item *it)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd;

	if (it->below)
		return vault_open_below(it->fd, it->path, flags);
	fd = open(it->path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int seal_short(struct sealer *s, struct ready *r, const uint8_t *key, struct bytes plain,
		      uint8_t *record)
{
	struct vault_item *it = r->item;
	size_t sealed;
	int err = object_tag(s, it->meta.name, r->tag);

	if (err == 0)
		err = object_address(s, plain, it->address);
	if (err == 0)
		err = object_seal_chunk(s, key, 0, true, plain, record + OBJECT_HEAD, &sealed);
	if (err < 0)
		return err;
	r->content = OBJECT_HEAD + sealed;
	return object_seal_name(s, key, it->address, &it->meta, record + r->content, &r->name);
}

/* As long as it was when it was added, or it changed. */
static int read_short(struct vault_item *it, uint8_t *to)
{
	int fd, err;
	ssize_t n;

	if (it->read) {
		n = it->read(it->user, to, (size_t)it->size + 1);
		return n < 0 ? (int)n : (uint64_t)n != it->size ? -EBUSY : 0;
	}
	fd = open_item(it);
	if (fd < 0)
		return fd;
	do
		n = read(fd, to, (size_t)it->size + 1);
	while (n < 0 && errno == EINTR);
	err = n < 0 ? -errno : (uint64_t)n != it->size ? -EBUSY : long_changed(it, fd);
	close(fd);
	return err;
}

static void work_lot(struct job *job, unsigned worker)
{
	struct lot *l = (struct lot *)job;
	struct sealer *s = l->putter->v->sealers[worker];
	int err = crypto_random(l->keys, sizeof(*l->keys) * l->count);
	size_t at = 0;

	for (unsigned i = 0; i < l->count; i++) {
		struct ready *r = &l->items[i];
		struct vault_item *it = r->item;

		r->at = at;
		if (it->err == 0)
			it->err = err;
		if (it->err == 0)
			it->err = read_short(it, l->plain);
		if (it->err == 0)
			it->err = seal_short(s, r, l->keys[i],
					     (struct bytes){l->plain, (size_t)it->size},
					     l->records + at);
		if (it->err == 0)
			at += r->content + r->name;
	}
}

/* --- in the caller's thread ------------------------------------------------------------- */

/* Whatever is done by now is told. */
static void tell_done(struct putter *p)
{
	struct vault_item *it;

	while ((it = committer_take(p->committer)) != NULL)
		p->done(p->arg, it);
}

static void commit_ready(struct putter *p, const struct ready *r, const uint8_t *key,
			 const uint8_t *records)
{
	const uint8_t *object = records + r->at;

	committer_add(p->committer, &(struct sealed){.item = r->item,
						     .key = key,
						     .tag = r->tag,
						     .object = {object, r->content},
						     .name = {object + r->content, r->name}});
}

/* Nothing else is under way: the first lot's memory is free to use. -EAGAIN: it is short, and
 * batched. */
static int put_open(struct putter *p, struct vault_item *it, int fd)
{
	struct lot *spare = &p->lots[0];
	struct ready r = {.item = it};
	ssize_t n = long_read(it, fd, spare->plain, OBJECT_CHUNK + 1);
	int err = n < 0 ? (int)n : crypto_random(spare->keys[0], CRYPTO_KEY);

	if (err < 0)
		return err;
	if (n > OBJECT_CHUNK)
		return long_put(p->v, p->committer, it, fd, spare->plain, spare->keys[0]);
	it->size = (uint64_t)n;
	err = long_changed(it, fd);
	if (err == 0)
		err = seal_short(p->v->sealer, &r, spare->keys[0],
				 (struct bytes){spare->plain, (size_t)n}, spare->records);
	if (err == 0)
		commit_ready(p, &r, spare->keys[0], spare->records);
	return err == 0 ? -EAGAIN : err;
}

/* One that is long, or whose length nobody knows. */
static void put_alone(struct putter *p, struct vault_item *it)
{
	int fd = it->path ? open_item(it) : it->read ? 0 : it->fd;

	it->err = fd < 0 ? fd : put_open(p, it, fd);
	if (it->path && fd >= 0)
		close(fd);
	secret_wipe(p->lots[0].keys[0], CRYPTO_KEY);
	if (it->err != -EAGAIN)
		p->done(p->arg, it);
	else
		it->err = 0;
}

/* --- the ring ---------------------------------------------------------------------------------- */

static struct lot *filling(struct putter *p)
{
	return &p->lots[(p->first + p->count) % LOTS];
}

/* The oldest lot under way, to the committer. */
static void take_oldest(struct putter *p)
{
	struct lot *l = &p->lots[p->first];

	pool_wait(p->v->pool, &l->job);
	p->first = (p->first + 1) % LOTS;
	p->count--;
	for (unsigned i = 0; i < l->count; i++) {
		struct ready *r = &l->items[i];

		if (r->item->err == 0)
			commit_ready(p, r, l->keys[i], l->records);
		else
			committer_pass(p->committer, r->item);
	}
	tell_done(p);
	secret_wipe(l->keys, sizeof(*l->keys) * LOT_ITEMS);
	l->count = 0;
	l->bytes = 0;
}

static void send_lot(struct putter *p)
{
	struct lot *l = filling(p);

	if (!l->count)
		return;
	p->count++;
	pool_submit(p->v->pool, &l->job);
	if (p->count == LOTS)
		take_oldest(p);
}

/* A short one joins the lot that is being filled. */
static void join(struct putter *p, struct vault_item *it)
{
	struct lot *l;

	if (filling(p)->bytes + it->size > OBJECT_CHUNK)
		send_lot(p);
	l = filling(p);
	l->items[l->count++] = (struct ready){.item = it};
	l->bytes += it->size;
	if (l->count == LOT_ITEMS)
		send_lot(p);
}

static int stat_item(const struct vault_item *it, struct stat *ret_st)
{
	int fd, err;

	if (it->st) {
		*ret_st = *it->st;
		return 0;
	}
	if (it->read)
		return 0;
	if (!it->below)
		return (it->path ? lstat(it->path, ret_st) : fstat(it->fd, ret_st)) < 0 ? -errno
											: 0;
	fd = vault_open_below(it->fd, it->path, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	err = fstat(fd, ret_st) < 0 ? -errno : 0;
	close(fd);
	return err;
}

void putter_add(struct putter *p, struct vault_item *it)
{
	struct stat st = {0};

	it->err = stat_item(it, &st);
	it->st = NULL;
	if (it->read)
		st.st_size = (off_t)it->size;
	it->size = 0;
	it->known = false;
	it->meta.put_ns = (int64_t)clock_wall_ns();
	if (it->err == 0 && it->path && !S_ISREG(st.st_mode))
		it->err = S_ISDIR(st.st_mode) ? -EISDIR : S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL;
	if (it->err == 0)
		take_stat(it, &st);
	if (it->err == 0 && ((!it->path && !it->read) || (uint64_t)st.st_size > OBJECT_CHUNK)) {
		putter_flush(p);
		put_alone(p, it);
		return;
	}
	it->size = it->err == 0 ? (uint64_t)st.st_size : 0;
	join(p, it);
}

void putter_flush(struct putter *p)
{
	send_lot(p);
	while (p->count)
		take_oldest(p);
	committer_flush(p->committer);
	tell_done(p);
}

#define LOT_KEYS (LOT_ITEMS * CRYPTO_KEY)

static bool make_lots(struct putter *p)
{
	p->keys = secret_new(LOTS * LOT_KEYS);
	for (unsigned i = 0; p->keys && i < LOTS; i++) {
		struct lot *l = &p->lots[i];

		l->job.run = work_lot;
		l->putter = p;
		l->keys = (void *)(p->keys + i * LOT_KEYS);
		l->plain = malloc(OBJECT_CHUNK + 1);
		l->records = malloc(LOT_ROOM);
		if (!l->plain || !l->records)
			return false;
	}
	return p->keys;
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
	if (p->committer && p->keys)
		putter_flush(p);
	committer_free(p->committer);
	for (unsigned i = 0; i < LOTS; i++) {
		free(p->lots[i].plain);
		free(p->lots[i].records);
	}
	secret_free(p->keys, LOTS * LOT_KEYS);
	free(p);
}
