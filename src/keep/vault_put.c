/* Putting: files are read and sealed on all cores, and written in batches by one more thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "keep/vault_internal.h"

#define LOTS	    6  /* of short items on their way at once */
#define LOT_ITEMS   32 /* handing over one by one would cost more than sealing */
#define CHUNKS	    8  /* of one long item on their way at once */
#define BATCH_ITEMS 2048
#define BATCH_BYTES (4u << 20)
#define RECORD_MORE (OBJECT_HEAD + 4 + CRYPTO_TAG + OBJECT_NAME_RECORD) /* besides the content */
#define LOT_ROOM    (OBJECT_CHUNK + LOT_ITEMS * RECORD_MORE)
#define BATCH_ROOM  (BATCH_BYTES + OBJECT_CHUNK + RECORD_MORE)

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

/* What will be written, and become durable, together. */
struct batch {
	struct job job;
	struct putter *putter;
	bool running;
	unsigned count;
	uint8_t *data; /* records, one behind the other */
	size_t len;
	uint8_t (*keys)[CRYPTO_KEY]; /* in locked memory, and so is … */
	uint8_t *data_key;	     /* … the key behind them */
	struct batched {
		struct vault_item *item;
		size_t at, content, name;
		uint8_t tag[OBJECT_TAG];
	} items[BATCH_ITEMS];
	int err;
};

struct putter {
	struct vault *v;
	void (*done)(void *arg, struct vault_item *item);
	void *arg;
	struct lot lots[LOTS];
	unsigned first, count; /* a ring of those on their way; behind them the one being filled */
	uint8_t *keys;	       /* all lots', and one more */
	struct batch *batches[2];
	unsigned filling;
	struct pool *writer; /* one thread: it alone uses catalog, keys and the handle's sealer */
	struct pack pack;
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

/* Up to `len` bytes; fewer at the end only. */
static ssize_t read_full(int fd, uint8_t *to, size_t len)
{
	size_t got = 0;

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

/* Of wherever the item's bytes come from. */
static ssize_t read_item(const struct vault_item *it, int fd, uint8_t *to, size_t len)
{
	return it->read ? it->read(it->user, to, len) : read_full(fd, to, len);
}

/* Somebody still writes to it: what was read is neither the old file nor the new one. */
static int changed(const struct vault_item *it, int fd)
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
	err = n < 0 ? -errno : (uint64_t)n != it->size ? -EBUSY : changed(it, fd);
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

/* --- in the writer ---------------------------------------------------------------------- */

/* The data key of a class and a day, for as long as one transaction. */
struct sealing {
	char class[OBJECT_CLASS_MAX];
	uint32_t day, id; /* 0: none yet */
	uint8_t *key;	  /* locked memory */
};

/* It is asked for once the index is locked: who destroys keys retires them before. */
static int box(struct vault *v, struct sealing *by, const struct vault_item *it, const uint8_t *key,
	       struct object_head *h)
{
	uint32_t day = keys_day((uint64_t)it->meta.put_ns);
	char purpose[VAULT_PURPOSE];
	const uint8_t *data_key;
	int err = 0;

	if (!by->id || by->day != day || strcmp(by->class, it->meta.class) != 0) {
		vault_purpose(it->meta.class, purpose);
		err = keys_sealing(v->keys, purpose, day, &by->id, &data_key);
		if (err < 0)
			return err;
		memcpy(by->key, data_key, CRYPTO_KEY);
		memcpy(by->class, it->meta.class, sizeof(by->class));
		by->day = day;
	}
	h->key = by->id;
	return object_box(v->sealer, by->key, h->address, key, h->box);
}

/* The content is there already: the name is sealed anew by the key that it has. */
static int seal_name_again(struct vault *v, const struct catalog_object *known,
			   const struct batched *b, uint8_t *key, uint8_t *to, size_t *ret_len)
{
	int err = vault_object_key(v, &known->head, key);

	if (err == 0)
		err = object_seal_name(v->sealer, key, known->head.address, &b->item->meta, to,
				       ret_len);
	return err;
}

/* Put once more under its old name it is only kept longer. */
static int same_again(struct vault *v, const struct catalog_object *known, const struct batched *b,
		      bool *ret_same)
{
	struct catalog_name n;
	int err = catalog_name_by_tag(v->catalog, b->tag, &n);

	*ret_same = false;
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return err;
	*ret_same = n.object == known->id && strcmp(n.class, b->item->meta.class) == 0;
	return *ret_same ? catalog_keep(v->catalog, n.id, b->item->meta.until_ns) : 0;
}

static int add_name(struct vault *v, const struct batched *b, int64_t object, struct pack *p,
		    const uint8_t *record, size_t len, uint64_t at)
{
	struct catalog_name n = {
		.object = object,
		.sealed = {record + OBJECT_NAME_HEAD, len - OBJECT_NAME_HEAD},
		.put_ns = b->item->meta.put_ns,
		.until_ns = b->item->meta.until_ns,
		.pack = p->id,
		.at = at,
	};

	memcpy(n.tag, b->tag, OBJECT_TAG);
	memcpy(n.class, b->item->meta.class, OBJECT_CLASS_MAX);
	return catalog_add_name(v->catalog, &n);
}

/* One item into the index; its records move up to where `*len` says, and are counted there. */
static int index_item(struct batch *t, unsigned i, struct pack *p, struct sealing *by, size_t *len)
{
	struct vault *v = t->putter->v;
	struct batched *b = &t->items[i];
	uint8_t *to = t->data + *len, *from = t->data + b->at;
	struct catalog_object o = {.pack = p->id, .at = p->end + *len};
	size_t name = b->name;
	bool same;
	int err;

	err = catalog_object_by_address(v->catalog, b->item->address, &o);
	b->item->known = err == 0;
	if (err == 0) {
		err = same_again(v, &o, b, &same);
		if (err < 0 || same)
			return err;
		err = seal_name_again(v, &o, b, t->keys[i], to, &name);
	} else if (err == -ENOENT) {
		o.head.size = b->item->size;
		o.head.length = b->content - OBJECT_HEAD;
		memcpy(o.head.address, b->item->address, CRYPTO_HASH);
		err = box(v, by, b->item, t->keys[i], &o.head);
		if (err == 0)
			err = catalog_add_object(v->catalog, &o);
		memmove(to, from, b->content + b->name);
		object_write_head(&o.head, to);
		to += b->content;
		*len += b->content;
	}
	if (err == 0)
		err = add_name(v, b, o.id, p, to, name, p->end + *len);
	*len += name;
	return err;
}

/* The records are on the disk before the index that names them is. */
static int write_batch(struct batch *t)
{
	struct vault *v = t->putter->v;
	struct pack *p = &t->putter->pack;
	struct sealing by = {.key = t->data_key};
	size_t len = 0;
	int err = 0;

	if (p->fd < 0)
		err = pack_take(v->dir, p);
	if (err == 0)
		err = catalog_begin(v->catalog);
	if (err < 0)
		return err;
	for (unsigned i = 0; err == 0 && i < t->count; i++)
		err = index_item(t, i, p, &by, &len);
	if (err == 0 && len)
		err = pack_write(p->fd, p->end, (struct bytes){t->data, len});
	if (err == 0 && len && fdatasync(p->fd) < 0)
		err = -errno;
	if (err == 0 && len)
		err = catalog_set_pack_end(v->catalog, p->id, p->end + len);
	if (err == 0)
		err = catalog_commit(v->catalog);
	if (err < 0) {
		catalog_rollback(v->catalog);
		if (ftruncate(p->fd, (off_t)p->end) < 0)
			pack_leave(p); /* what nobody knows stays there */
		return err;
	}
	p->end += len;
	if (p->end >= PACK_MAX)
		pack_leave(p);
	return 0;
}

static void work_batch(struct job *job, unsigned worker)
{
	struct batch *t = (struct batch *)job;

	t->err = write_batch(t);
}

/* --- in the caller's thread ---------------------------------------------------------------- */

/* The batch that is being written is; everybody who waits for it hears. */
static void wait_batch(struct putter *p, struct batch *t)
{
	if (!t->running)
		return;
	pool_wait(p->writer, &t->job);
	t->running = false;
	for (unsigned i = 0; i < t->count; i++) {
		t->items[i].item->err = t->err;
		p->done(p->arg, t->items[i].item);
	}
	secret_wipe(t->keys, sizeof(*t->keys) * (BATCH_ITEMS + 1));
	t->count = 0;
	t->len = 0;
}

/* Hands over what was filled, and begins to fill the other one. */
static void send_batch(struct putter *p)
{
	struct batch *t = p->batches[p->filling], *other = p->batches[!p->filling];

	wait_batch(p, other);
	if (!t->count)
		return;
	t->running = true;
	pool_submit(p->writer, &t->job);
	p->filling = !p->filling;
}

static void finish_batches(struct putter *p)
{
	send_batch(p);
	wait_batch(p, p->batches[!p->filling]);
}

static void batch_item(struct putter *p, const struct ready *r, const uint8_t *key,
		       const uint8_t *records)
{
	struct batch *t = p->batches[p->filling];
	struct batched *b = &t->items[t->count];

	*b = (struct batched){
		.item = r->item, .at = t->len, .content = r->content, .name = r->name};
	memcpy(b->tag, r->tag, OBJECT_TAG);
	memcpy(t->keys[t->count], key, CRYPTO_KEY);
	memcpy(t->data + t->len, records + r->at, r->content + r->name);
	t->len += r->content + r->name;
	t->count++;
	if (t->count == BATCH_ITEMS || t->len >= BATCH_BYTES)
		send_batch(p);
}

/* --- long items ------------------------------------------------------------------------------ */

struct chunk {
	struct job job;
	struct vault *v;
	const uint8_t *key;
	uint8_t *plain, *sealed;
	size_t len, sealed_len;
	uint64_t number;
	bool last;
	uint8_t leaf[CRYPTO_HASH];
	int err;
};

static void work_chunk(struct job *job, unsigned worker)
{
	struct chunk *c = (struct chunk *)job;
	struct sealer *s = c->v->sealers[worker];
	struct bytes plain = {c->plain, c->len};

	c->err = object_leaf(s, plain, c->leaf);
	if (c->err == 0)
		c->err = object_seal_chunk(s, c->key, c->number, c->last, plain, c->sealed,
					   &c->sealed_len);
}

struct longitem {
	struct putter *p;
	struct ready r;
	int fd;
	uint8_t *key;
	uint8_t *first_plain; /* its first chunk and one byte, as they were read */
	uint8_t *name;	      /* its name's record */
	struct chunk chunks[CHUNKS];
	unsigned first, count;
	uint64_t number, at; /* of the next chunk; where it goes */
	uint8_t ahead;	     /* the one byte that says that there is more */
	bool more;
};

/* The oldest chunk under way into the pack. */
static int write_chunk(struct longitem *l)
{
	struct chunk *c = &l->chunks[l->first];
	int err;

	pool_wait(l->p->v->pool, &c->job);
	l->first = (l->first + 1) % CHUNKS;
	l->count--;
	err = c->err;
	if (err == 0)
		err = object_root_add(l->p->v->sealer, c->leaf);
	if (err == 0)
		err = pack_write(l->p->pack.fd, l->at, (struct bytes){c->sealed, c->sealed_len});
	l->at += c->sealed_len;
	return err;
}

/* The next chunk is what was read ahead, and whatever follows up to its length and one byte. */
static int read_chunk(struct longitem *l)
{
	struct chunk *c = &l->chunks[(l->first + l->count) % CHUNKS];
	ssize_t n;

	c->plain[0] = l->ahead;
	n = read_item(l->r.item, l->fd, c->plain + 1, OBJECT_CHUNK);
	if (n < 0)
		return (int)n;
	l->more = n == OBJECT_CHUNK;
	c->len = l->more ? OBJECT_CHUNK : (size_t)n + 1;
	l->ahead = c->plain[OBJECT_CHUNK];
	c->last = !l->more;
	c->number = l->number++;
	l->r.item->size += c->len;
	l->count++;
	pool_submit(l->p->v->pool, &c->job);
	return 0;
}

static int write_long(struct longitem *l)
{
	struct vault_item *it = l->r.item;
	struct chunk *c = &l->chunks[0];
	int err = object_root_start(l->p->v->sealer);

	memcpy(c->plain, l->first_plain, OBJECT_CHUNK);
	l->ahead = l->first_plain[OBJECT_CHUNK];
	l->more = true;
	c->len = OBJECT_CHUNK;
	c->last = false;
	c->number = l->number++;
	it->size = OBJECT_CHUNK;
	l->count = 1;
	pool_submit(l->p->v->pool, &c->job);
	while (l->count) {
		if (err == 0 && l->more && l->count < CHUNKS)
			err = read_chunk(l);
		else if (err == 0)
			err = write_chunk(l);
		else /* nobody may still be at work when this returns */
			write_chunk(l);
	}
	if (err == 0)
		err = changed(it, l->fd);
	if (err == 0)
		err = object_root_end(l->p->v->sealer, it->size, it->address);
	return err;
}

static int alloc_chunks(struct longitem *l)
{
	for (unsigned i = 0; i < CHUNKS; i++) {
		struct chunk *c = &l->chunks[i];

		*c = (struct chunk){.job.run = work_chunk,
				    .v = l->p->v,
				    .key = l->key,
				    .plain = malloc(OBJECT_CHUNK + 1),
				    .sealed = malloc(OBJECT_SEALED_MAX)};
		if (!c->plain || !c->sealed)
			return -ENOMEM;
	}
	return 0;
}

/* The content is new: its head goes before its chunks, its name behind them. */
static int add_long(struct longitem *l, struct sealing *by, struct catalog_object *o)
{
	struct vault *v = l->p->v;
	struct vault_item *it = l->r.item;
	struct pack *p = &l->p->pack;
	uint8_t head[OBJECT_HEAD];
	int err;

	o->pack = p->id;
	o->at = p->end;
	o->head.size = it->size;
	o->head.length = l->at - p->end - OBJECT_HEAD;
	memcpy(o->head.address, it->address, CRYPTO_HASH);
	err = box(v, by, it, l->key, &o->head);
	if (err == 0)
		err = catalog_add_object(v->catalog, o);
	object_write_head(&o->head, head);
	if (err == 0)
		err = pack_write(p->fd, p->end, (struct bytes){head, sizeof(head)});
	if (err == 0)
		err = object_seal_name(v->sealer, l->key, it->address, &it->meta, l->name,
				       &l->r.name);
	return err;
}

/* Within the transaction. *ret_end: how far the pack goes then. */
static int index_parts(struct longitem *l, struct sealing *by, uint64_t *ret_end)
{
	struct vault *v = l->p->v;
	struct pack *p = &l->p->pack;
	struct batched b = {.item = l->r.item};
	struct catalog_object o;
	uint64_t end = l->at;
	bool same = false;
	int err = catalog_object_by_address(v->catalog, b.item->address, &o);

	memcpy(b.tag, l->r.tag, OBJECT_TAG);
	b.item->known = err == 0;
	if (err == 0) {
		end = p->end; /* what was written is forgotten */
		err = same_again(v, &o, &b, &same);
		if (err == 0 && !same)
			err = seal_name_again(v, &o, &b, l->key, l->name, &l->r.name);
	} else if (err == -ENOENT) {
		err = add_long(l, by, &o);
	}
	if (err < 0 || same) {
		*ret_end = end;
		return err;
	}
	err = pack_write(p->fd, end, (struct bytes){l->name, l->r.name});
	if (err == 0)
		err = add_name(v, &b, o.id, p, l->name, l->r.name, end);
	*ret_end = end + l->r.name;
	return err;
}

static int index_long(struct longitem *l)
{
	struct vault *v = l->p->v;
	struct pack *p = &l->p->pack;
	struct sealing by = {.key = l->p->batches[0]->data_key};
	uint64_t end;
	/* The chunks are on the disk before others have to wait for the index. */
	int err = fdatasync(p->fd) < 0 ? -errno : catalog_begin(v->catalog);

	if (err < 0)
		return err;
	err = index_parts(l, &by, &end);
	if (err == 0 && fdatasync(p->fd) < 0)
		err = -errno;
	if (err == 0)
		err = catalog_set_pack_end(v->catalog, p->id, end);
	if (err == 0)
		err = catalog_commit(v->catalog);
	secret_wipe(by.key, CRYPTO_KEY);
	if (err < 0)
		catalog_rollback(v->catalog);
	else
		p->end = end;
	return err;
}

static int put_chunks(struct longitem *l)
{
	struct putter *p = l->p;
	int err = 0;

	if (p->pack.fd < 0)
		err = pack_take(p->v->dir, &p->pack);
	l->at = p->pack.end + OBJECT_HEAD;
	if (err == 0)
		err = alloc_chunks(l);
	if (err == 0)
		err = object_tag(p->v->sealer, l->r.item->meta.name, l->r.tag);
	if (err == 0)
		err = write_long(l);
	if (err == 0)
		err = index_long(l);
	for (unsigned i = 0; i < CHUNKS; i++) {
		free(l->chunks[i].plain);
		free(l->chunks[i].sealed);
	}
	/* Cut off what the index does not know. */
	if (p->pack.fd >= 0 &&
	    (ftruncate(p->pack.fd, (off_t)p->pack.end) < 0 || p->pack.end >= PACK_MAX))
		pack_leave(&p->pack);
	return err;
}

/* Nothing else is under way: the first lot's memory is free to use. -EAGAIN: it is short, and
 * batched. */
static int put_open(struct putter *p, struct vault_item *it, int fd)
{
	struct lot *spare = &p->lots[0];
	struct ready r = {.item = it};
	struct longitem *l;
	ssize_t n = read_item(it, fd, spare->plain, OBJECT_CHUNK + 1);
	int err = n < 0 ? (int)n : crypto_random(spare->keys[0], CRYPTO_KEY);

	if (err < 0)
		return err;
	if (n <= OBJECT_CHUNK) {
		it->size = (uint64_t)n;
		err = changed(it, fd);
		if (err == 0)
			err = seal_short(p->v->sealer, &r, spare->keys[0],
					 (struct bytes){spare->plain, (size_t)n}, spare->records);
		if (err == 0)
			batch_item(p, &r, spare->keys[0], spare->records);
		return err == 0 ? -EAGAIN : err;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->p = p;
	l->r.item = it;
	l->fd = fd;
	l->key = spare->keys[0];
	l->first_plain = spare->plain;
	l->name = spare->records;
	err = put_chunks(l);
	free(l);
	return err;
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

/* The oldest lot under way: into the batch, what failed among it told in its place. */
static void take_oldest(struct putter *p)
{
	struct lot *l = &p->lots[p->first];

	pool_wait(p->v->pool, &l->job);
	p->first = (p->first + 1) % LOTS;
	p->count--;
	for (unsigned i = 0; i < l->count; i++) {
		struct ready *r = &l->items[i];

		if (r->item->err == 0) {
			batch_item(p, r, l->keys[i], l->records);
		} else {
			finish_batches(p);
			p->done(p->arg, r->item);
		}
	}
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
	finish_batches(p);
}

static struct batch *batch_new(struct putter *p)
{
	struct batch *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->job.run = work_batch;
	t->putter = p;
	t->data = malloc(BATCH_ROOM);
	t->keys = secret_new(sizeof(*t->keys) * (BATCH_ITEMS + 1));
	if (t->data && t->keys) {
		t->data_key = t->keys[BATCH_ITEMS];
		return t;
	}
	free(t->data);
	secret_free(t->keys, sizeof(*t->keys) * (BATCH_ITEMS + 1));
	free(t);
	return NULL;
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
	p->pack.fd = -1;
	p->batches[0] = batch_new(p);
	p->batches[1] = batch_new(p);
	p->writer = pool_new(1);
	if (make_lots(p) && p->batches[0] && p->batches[1] && p->writer)
		return p;
	putter_free(p);
	errno = ENOMEM;
	return NULL;
}

void putter_free(struct putter *p)
{
	if (!p)
		return;
	if (p->batches[0] && p->batches[1] && p->writer && p->keys)
		putter_flush(p);
	pool_free(p->writer);
	pack_leave(&p->pack);
	for (unsigned i = 0; i < 2 && p->batches[i]; i++) {
		free(p->batches[i]->data);
		secret_free(p->batches[i]->keys, sizeof(*p->batches[i]->keys) * (BATCH_ITEMS + 1));
		free(p->batches[i]);
	}
	for (unsigned i = 0; i < LOTS; i++) {
		free(p->lots[i].plain);
		free(p->lots[i].records);
	}
	secret_free(p->keys, LOTS * LOT_KEYS);
	free(p);
}
