#include "keep/vault_long.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/clock.h"

#define SLOTS_MORE 6 /* than lanes: chunks that are sealed and not yet written */

/* Where a chunk lies from when it is taken until it is written. */
struct slot {
	uint8_t sealed[OBJECT_SEALED_MAX];
	size_t len;
	uint8_t leaf[CRYPTO_HASH];
	bool ready;
};

/*
 * What goes on in every worker. Two that write to one file wait for each other in the
 * kernel; so one of them writes all that is ready, in order, and the others go on to
 * the next chunk.
 */
struct longitem {
	struct vault *v;
	struct vault_item *item;
	struct pack *pack;
	int fd;
	const uint8_t *key, *first;

	uint64_t size; /* of a file; 0: nobody knows, and bytes come one after the other */
	pthread_mutex_t reading; /* the next chunk: these four */
	uint64_t number;
	uint8_t ahead; /* the one byte that says that there is more */
	bool more;
	int read_err;

	pthread_mutex_t mutex; /* these, and what is ready */
	pthread_cond_t room;
	uint64_t next; /* to be written */
	bool writing;
	int err;

	unsigned lanes, slot_count;
	struct slot *slots; /* chunk N is in slot N % slot_count */
	uint64_t at;	    /* whoever writes: where the next one goes */
	struct behind behind;
};

struct lane {
	struct job job;
	struct longitem *l;
	uint8_t *plain;
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
	size_t len;
	bool last;
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
	c->last = n < OBJECT_CHUNK;
	c->len = c->last ? (size_t)n + 1 : OBJECT_CHUNK;
	l->ahead = plain[OBJECT_CHUNK];
	return 0;
}

/* Of a file, which each worker reads for itself. */
static void measure_next(const struct longitem *l, struct chunk *c)
{
	uint64_t left = l->size - c->number * OBJECT_CHUNK;

	c->last = left <= OBJECT_CHUNK;
	c->len = c->last ? left : OBJECT_CHUNK;
}

static int read_file(struct longitem *l, uint8_t *plain, const struct chunk *c)
{
	int err = pack_read(l->fd, c->number * OBJECT_CHUNK, plain, c->len);

	return err == -ENODATA ? -EBUSY : err; /* it has become shorter */
}

/* Waits for the slot of chunk `number`. False: none is needed any more. */
static bool await_room(struct longitem *l, uint64_t number)
{
	bool good;

	pthread_mutex_lock(&l->mutex);
	while (l->err == 0 && number - l->next >= l->slot_count)
		pthread_cond_wait(&l->room, &l->mutex);
	good = l->err == 0;
	pthread_mutex_unlock(&l->mutex);
	return good;
}

/* False: there is none, or reading or something else failed. */
static bool take_chunk(struct longitem *l, uint8_t *plain, struct chunk *c)
{
	bool more;

	pthread_mutex_lock(&l->reading);
	more = l->more && await_room(l, l->number);
	if (more) {
		*c = (struct chunk){.number = l->number++};
		if (l->size)
			measure_next(l, c);
		else
			l->read_err = read_next(l, plain, c);
		more = l->read_err == 0;
		l->item->size += c->len;
	}
	l->more = more && !c->last;
	pthread_mutex_unlock(&l->reading);
	return more;
}

static int write_slot(struct longitem *l, const struct slot *s)
{
	int err = object_root_add(l->v->sealer, s->leaf);

	if (err == 0)
		err = pack_write(l->pack->fd, l->at, (struct bytes){s->sealed, s->len});
	if (err == 0)
		err = behind_written(&l->behind, l->at += s->len);
	return err;
}

/* With the mutex held, which it gives up while it writes. */
static void write_ready(struct longitem *l)
{
	l->writing = true;
	while (l->err == 0 && l->slots[l->next % l->slot_count].ready) {
		struct slot *s = &l->slots[l->next % l->slot_count];
		int err;

		pthread_mutex_unlock(&l->mutex);
		err = write_slot(l, s);
		pthread_mutex_lock(&l->mutex);
		if (l->err == 0)
			l->err = err;
		s->ready = false;
		l->next++;
		pthread_cond_signal(&l->room);
	}
	l->writing = false;
}

/* The chunk is sealed, or that failed: whoever does not write yet, writes. */
static int hand_over(struct longitem *l, struct slot *s, int err)
{
	pthread_mutex_lock(&l->mutex);
	s->ready = err == 0;
	if (l->err == 0)
		l->err = err;
	if (!l->writing)
		write_ready(l);
	if (l->err < 0)
		pthread_cond_broadcast(&l->room);
	err = l->err;
	pthread_mutex_unlock(&l->mutex);
	return err;
}

static void work(struct job *job, unsigned worker)
{
	struct lane *a = (struct lane *)job;
	struct longitem *l = a->l;
	struct sealer *sealer = l->v->sealers[worker];
	struct chunk c;
	int err = 0;

	while (err == 0 && take_chunk(l, a->plain, &c)) {
		struct bytes plain = {a->plain, c.len};
		struct slot *s = &l->slots[c.number % l->slot_count];

		err = l->size ? read_file(l, a->plain, &c) : 0;
		if (err == 0)
			err = object_leaf(sealer, plain, s->leaf);
		if (err == 0)
			err = object_seal_chunk(sealer, l->key, c.number, c.last, plain, s->sealed,
						&s->len);
		err = hand_over(l, s, err);
	}
}

/* --- in the caller's thread -------------------------------------------------------------------- */

/* Each core one: what is sealed waits in its slot, so more would only wake each other. But two at
 * least, one of which may read. */
static unsigned count_lanes(const struct vault *v)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned lanes = cores < 2 ? 2 : (unsigned)cores;

	return lanes < v->workers ? lanes : v->workers;
}

static int run_lanes(struct longitem *l)
{
	struct lane lanes[VAULT_WORKERS_MAX] = {0};
	unsigned count = 0;
	int err = l->slots ? 0 : -ENOMEM;

	for (unsigned i = 0; err == 0 && i < l->slot_count; i++)
		l->slots[i].ready = false;
	for (unsigned i = 0; err == 0 && i < l->lanes; i++) {
		lanes[i] =
			(struct lane){.job.run = work, .l = l, .plain = malloc(OBJECT_CHUNK + 1)};
		if (!lanes[i].plain)
			err = -ENOMEM;
	}
	for (; err == 0 && count < l->lanes; count++)
		pool_submit(l->v->pool, &lanes[count].job);
	for (unsigned i = 0; i < count; i++)
		pool_wait(l->v->pool, &lanes[i].job);
	for (unsigned i = 0; i < l->lanes; i++)
		free(lanes[i].plain);
	return err < 0 ? err : l->read_err < 0 ? l->read_err : l->err;
}

/* Of a file; -errno. What it is of anything else is not asked. */
static int find_size(struct longitem *l)
{
	struct stat st;

	if (!l->item->path)
		return 0;
	if (fstat(l->fd, &st) < 0)
		return -errno;
	l->size = (uint64_t)st.st_size;
	return st.st_size ? 0 : -EBUSY;
}

static int write_chunks(struct longitem *l)
{
	struct vault_item *it = l->item;
	int err = object_root_start(l->v->sealer);

	if (err == 0)
		err = find_size(l);
	it->size = 0;
	l->more = true;
	l->lanes = count_lanes(l->v);
	l->slot_count = l->lanes + SLOTS_MORE;
	l->slots = malloc(l->slot_count * sizeof(*l->slots));
	if (err == 0)
		err = run_lanes(l);
	free(l->slots);
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
	pthread_cond_init(&l.room, NULL);
	l.at = l.pack->end + OBJECT_HEAD;
	l.behind = behind_at(l.pack->fd, l.pack->end);
	err = write_chunks(&l);
	if (err == 0)
		err = index_long(&l, committer_sealing(c), key);
	pthread_cond_destroy(&l.room);
	pthread_mutex_destroy(&l.mutex);
	pthread_mutex_destroy(&l.reading);
	/* Cut off what the index does not know. */
	if (ftruncate(l.pack->fd, (off_t)l.pack->end) < 0)
		pack_leave(l.pack);
	return err;
}
