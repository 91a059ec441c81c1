#include "keep/vault_long.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/clock.h"

/* What goes on in every worker. */
struct longitem {
	struct vault *v;
	struct vault_item *item;
	struct pack *pack;
	int fd;
	const uint8_t *key, *first;

	pthread_mutex_t reading; /* the next chunk: these four */
	uint64_t number;
	uint8_t ahead; /* the one byte that says that there is more */
	bool more;
	int read_err;

	pthread_mutex_t mutex; /* the order of what was sealed: the rest */
	pthread_cond_t turn;
	uint64_t next; /* whose turn it is */
	uint64_t at;   /* where it goes */
	int err;

	pthread_mutex_t trailing; /* who has it sees to what was written */
	struct behind behind;
};

struct lane {
	struct job job;
	struct longitem *l;
	uint8_t *plain, *sealed;
};

ssize_t long_read(const struct vault_item *it, int fd, uint8_t *to, size_t len)
{
	size_t got = 0;

	if (it->read)
		return it->read(it->user, to, len);

	while (got < len) {
		ssize_t n = read(fd, to + got, len - got);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

int long_changed(const struct vault_item *it, int fd)
{
	struct stat st;

	if (!it->path)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size != it->size || ns_of(st.st_mtim) != it->mtime_ns ||
			       ns_of(st.st_ctim) != it->ctime_ns || st.st_ino != it->ino ||
			       st.st_dev != it->dev
		       ? -EBUSY
		       : 0;
}

/* --- in a worker ---------------------------------------------------------------------------- */

struct chunk {
	uint64_t number;
	size_t len, sealed;
	bool last;
	uint8_t leaf[CRYPTO_HASH];
};

/* What was read ahead, and whatever follows up to a chunk's length and one byte. */
static int read_next(struct longitem *l, uint8_t *plain, struct chunk *c)
{
	ssize_t n = OBJECT_CHUNK;

	if (c->number == 0) {
		memcpy(plain, l->first, OBJECT_CHUNK + 1);
	} else {
		plain[0] = l->ahead;
		n = long_read(l->item, l->fd, plain + 1, OBJECT_CHUNK);
		if (n < 0)
			return (int)n;
	}
	l->more = n == OBJECT_CHUNK;
	c->len = l->more ? OBJECT_CHUNK : (size_t)n + 1;
	c->last = !l->more;
	l->ahead = plain[OBJECT_CHUNK];
	l->item->size += c->len;
	return 0;
}

/* False: there is none, or reading failed. */
static bool take_chunk(struct longitem *l, uint8_t *plain, struct chunk *c)
{
	bool more;

	pthread_mutex_lock(&l->reading);
	more = l->more;
	if (more) {
		*c = (struct chunk){.number = l->number++};
		l->read_err = read_next(l, plain, c);
		l->more = l->more && l->read_err == 0;
		more = l->read_err == 0;
	}
	pthread_mutex_unlock(&l->reading);
	return more;
}

/* Every chunk that was taken has its turn, whatever came of it: the next one waits for it. */
static int take_turn(struct longitem *l, const struct chunk *c, int err, uint64_t *ret_at)
{
	pthread_mutex_lock(&l->mutex);
	while (l->next != c->number)
		pthread_cond_wait(&l->turn, &l->mutex);
	if (l->err == 0)
		l->err = err;
	if (l->err == 0)
		l->err = object_root_add(l->v->sealer, c->leaf);
	*ret_at = l->at;
	l->at += c->sealed;
	l->next++;
	err = l->err;
	pthread_cond_broadcast(&l->turn);
	pthread_mutex_unlock(&l->mutex);
	return err;
}

static void fail(struct longitem *l, int err)
{
	pthread_mutex_lock(&l->mutex);
	if (l->err == 0)
		l->err = err;
	pthread_mutex_unlock(&l->mutex);
}

/* Chunks are written side by side: up to `end` it may still lack a few, which hints may. Where
 * one lane waits for the disk, the others go on. */
static int trail(struct longitem *l, uint64_t end)
{
	int err = 0;

	if (pthread_mutex_trylock(&l->trailing) == 0) {
		err = behind_written(&l->behind, end);
		pthread_mutex_unlock(&l->trailing);
	}
	return err;
}

static void work(struct job *job, unsigned worker)
{
	struct lane *a = (struct lane *)job;
	struct longitem *l = a->l;
	struct sealer *s = l->v->sealers[worker];
	struct chunk c;
	uint64_t at;
	int err = 0;

	while (err == 0 && take_chunk(l, a->plain, &c)) {
		struct bytes plain = {a->plain, c.len};

		err = object_leaf(s, plain, c.leaf);
		if (err == 0)
			err = object_seal_chunk(s, l->key, c.number, c.last, plain, a->sealed,
						&c.sealed);
		err = take_turn(l, &c, err, &at);
		if (err == 0) {
			err = pack_write(l->pack->fd, at, (struct bytes){a->sealed, c.sealed});
			if (err == 0)
				err = trail(l, at);
			if (err < 0)
				fail(l, err);
		}
	}
}

/* --- in the caller's thread -------------------------------------------------------------------- */

static int run_lanes(struct longitem *l)
{
	struct lane lanes[VAULT_WORKERS_MAX] = {0};
	unsigned count = 0;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < l->v->workers; i++) {
		lanes[i] = (struct lane){.job.run = work,
					 .l = l,
					 .plain = malloc(OBJECT_CHUNK + 1),
					 .sealed = malloc(OBJECT_SEALED_MAX)};
		if (!lanes[i].plain || !lanes[i].sealed)
			err = -ENOMEM;
	}
	for (; err == 0 && count < l->v->workers; count++)
		pool_submit(l->v->pool, &lanes[count].job);
	for (unsigned i = 0; i < count; i++)
		pool_wait(l->v->pool, &lanes[i].job);
	for (unsigned i = 0; i < l->v->workers; i++) {
		free(lanes[i].plain);
		free(lanes[i].sealed);
	}
	return err < 0 ? err : l->read_err < 0 ? l->read_err : l->err;
}

static int write_chunks(struct longitem *l)
{
	struct vault_item *it = l->item;
	int err = object_root_start(l->v->sealer);

	it->size = 0;
	l->more = true;
	if (err == 0)
		err = run_lanes(l);
	if (err == 0)
		err = long_changed(it, l->fd);
	return err == 0 ? object_root_end(l->v->sealer, it->size, it->address) : err;
}

/* The content is new: its head goes before its chunks, its name behind them. */
static int add_object(struct longitem *l, struct catalog_object *o)
{
	struct pack *p = l->pack;
	uint8_t head[OBJECT_HEAD];
	int err = catalog_add_object(l->v->catalog, o);

	if (err < 0)
		return err;
	object_write_head(&o->head, head);
	return pack_write(p->fd, p->end, (struct bytes){head, sizeof(head)});
}

/* Within the transaction. *ret_end: how far the pack goes then. */
static int index_parts(struct longitem *l, struct sealing *by, uint8_t *key, uint8_t *name,
		       uint64_t *ret_end)
{
	struct vault *v = l->v;
	struct vault_item *it = l->item;
	struct pack *p = l->pack;
	struct catalog_object o = {.pack = p->id, .at = p->end};
	uint8_t tag[OBJECT_TAG];
	size_t len = 0;
	bool same = false;
	int err = object_tag(v->sealer, it->meta.name, tag);

	o.head.size = it->size;
	o.head.length = l->at - p->end - OBJECT_HEAD;
	memcpy(o.head.address, it->address, CRYPTO_HASH);
	*ret_end = l->at;
	if (err == 0)
		err = index_box(v, by, it, key, &o.head);
	if (err == 0)
		err = add_object(l, &o);
	it->known = err == -EEXIST;
	if (err == 0) {
		err = object_seal_name(v->sealer, key, it->address, &it->meta, name, &len);
	} else if (err == -EEXIST) {
		*ret_end = p->end; /* what was written is forgotten */
		err = catalog_object_by_address(v->catalog, it->address, &o);
		if (err == 0)
			err = index_same_again(v, &o, it, tag, &same);
		if (err == 0 && !same)
			err = index_name_again(v, &o, it, key, name, &len);
	}
	if (err < 0 || same)
		return err;
	err = pack_write(p->fd, *ret_end, (struct bytes){name, len});
	if (err == 0)
		err = index_name(v, it, tag, o.id, p->id, (struct bytes){name, len}, *ret_end);
	*ret_end += len;
	return err;
}

static int index_long(struct longitem *l, struct sealing *by, uint8_t *key)
{
	struct vault *v = l->v;
	struct pack *p = l->pack;
	uint8_t name[OBJECT_NAME_RECORD];
	uint64_t end;
	/* The chunks are on the disk before others have to wait for the index. */
	int err = fdatasync(p->fd) < 0 ? -errno : catalog_begin(v->catalog);

	if (err < 0)
		return err;
	err = index_parts(l, by, key, name, &end);
	if (err == 0 && fdatasync(p->fd) < 0)
		err = -errno;
	if (err == 0)
		err = catalog_set_pack_end(v->catalog, p->id, end);
	if (err == 0)
		err = catalog_commit(v->catalog);
	if (err < 0)
		catalog_rollback(v->catalog);
	else
		p->end = end;
	return err;
}

int long_put(struct vault *v, struct committer *c, struct vault_item *it, int fd,
	     const uint8_t *first, uint8_t *key)
{
	struct longitem l = {.v = v, .item = it, .fd = fd, .key = key, .first = first};
	int err = committer_pack(c, &l.pack);

	if (err < 0)
		return err;
	pthread_mutex_init(&l.reading, NULL);
	pthread_mutex_init(&l.mutex, NULL);
	pthread_mutex_init(&l.trailing, NULL);
	pthread_cond_init(&l.turn, NULL);
	l.at = l.pack->end + OBJECT_HEAD;
	l.behind = behind_at(l.pack->fd, l.pack->end);
	err = write_chunks(&l);
	if (err == 0)
		err = index_long(&l, committer_sealing(c), key);
	pthread_cond_destroy(&l.turn);
	pthread_mutex_destroy(&l.trailing);
	pthread_mutex_destroy(&l.mutex);
	pthread_mutex_destroy(&l.reading);
	/* Cut off what the index does not know. */
	if (ftruncate(l.pack->fd, (off_t)l.pack->end) < 0)
		pack_leave(l.pack);
	return err;
}
