#include "keep/vault_commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define BATCH_ITEMS 1024
#define BATCH_BYTES (1u << 20)
#define BATCH_ROOM  (BATCH_BYTES + OBJECT_SEALED_MAX + OBJECT_HEAD + OBJECT_NAME_RECORD)

#define TOGETHER  8192			 /* items in a transaction */
#define LOCKED_NS (1000 * NSEC_PER_MSEC) /* or so long */
#define IDLE_NS	  (100 * NSEC_PER_MSEC)	 /* or where nothing came for so long */
#define LONG_NS	  (50 * NSEC_PER_MSEC)	 /* who held the lock longer than that … */
#define TURN_NS	  (4 * NSEC_PER_MSEC)	 /* … leaves it free for others, who look every 3 ms */

struct entry {
	struct vault_item *item;
	size_t at, object, name; /* in the batch's data: where, how long; `name` 0: it failed */
	uint8_t tag[OBJECT_TAG];
};

struct batch {
	bool full;     /* and the thread's until it is not */
	uint8_t *data; /* records, one behind the other */
	size_t len;
	unsigned count;
	uint8_t (*keys)[CRYPTO_KEY];
	struct entry entries[BATCH_ITEMS];
};

/* Items one behind the other, by their `next`. */
struct queue {
	struct vault_item *first, **last;
};

struct committer {
	struct vault *v;
	uint8_t *keys; /* locked memory: both batches', and the data key */
	struct batch batches[2];
	unsigned filling; /* the caller's */

	struct pool *thread;
	struct job job;
	pthread_mutex_t mutex;
	pthread_cond_t work, done;
	bool flushing, ending; /* these, each batch's `full`, … */
	uint64_t added, told;  /* … items so far, … */
	struct queue finished; /* … and this are the mutex's … */
	/* … and these the thread's */
	unsigned taking;
	bool open; /* a transaction is */
	uint64_t begun_ns;
	uint64_t from; /* where the pack ended before */
	struct pack pack;
	struct sealing by;
	struct queue pending; /* not durable yet */
	unsigned count;	      /* of them */
};

static void queue_add(struct queue *q, struct vault_item *it)
{
	it->next = NULL;
	*q->last = it;
	q->last = &it->next;
}

static void queue_append(struct queue *q, struct queue *tail)
{
	if (!tail->first)
		return;
	*q->last = tail->first;
	q->last = tail->last;
	*tail = (struct queue){NULL, &tail->first};
}

/* --- a transaction --------------------------------------------------------------------------- */

static int begin(struct committer *c)
{
	int err = c->pack.fd < 0 ? pack_take(c->v->dir, &c->pack) : 0;

	if (err == 0)
		err = catalog_begin(c->v->catalog);
	if (err < 0)
		return err;
	c->open = true;
	c->begun_ns = clock_mono_ns();
	c->from = c->pack.end;
	c->by.id = 0;
	return 0;
}

/* Everybody who waits for it hears. */
static void abandon(struct committer *c, int err)
{
	for (struct vault_item *it = c->pending.first; it; it = it->next)
		it->err = it->err < 0 ? it->err : err;
	if (!c->open)
		return;
	catalog_rollback(c->v->catalog);
	c->open = false;
	c->pack.end = c->from;
	if (ftruncate(c->pack.fd, (off_t)c->from) < 0)
		pack_leave(&c->pack); /* what nobody knows stays there */
}

/* The records are on the disk before the index that names them is. */
static void commit(struct committer *c)
{
	struct pack *p = &c->pack;
	int err = 0;

	if (p->end > c->from && fdatasync(p->fd) < 0)
		err = -errno;
	if (err == 0 && p->end > c->from)
		err = catalog_set_pack_end(c->v->catalog, p->id, p->end);
	if (err == 0)
		err = catalog_commit(c->v->catalog);
	secret_wipe(c->by.key, CRYPTO_KEY);
	if (err < 0)
		abandon(c, err);
	c->open = false;
	if (p->end >= PACK_MAX)
		pack_leave(p);
}

/* One item into the index; its records move up to where `*len` says, and are counted there. */
static int index_item(struct committer *c, struct batch *t, unsigned i, size_t *len)
{
	struct entry *e = &t->entries[i];
	struct vault_item *it = e->item;
	uint8_t *to = t->data + *len, *from = t->data + e->at;
	struct catalog_object o = {.pack = c->pack.id, .at = c->pack.end + *len};
	size_t name = e->name;
	bool same;
	int err;

	o.head.size = it->size;
	o.head.length = e->object - OBJECT_HEAD;
	memcpy(o.head.address, it->address, CRYPTO_HASH);
	err = index_box(c->v, &c->by, it, t->keys[i], &o.head);
	if (err == 0)
		err = catalog_add_object(c->v->catalog, &o);
	it->known = err == -EEXIST;
	if (err == 0) {
		if (to != from)
			memmove(to, from, e->object + name);
		object_write_head(&o.head, to);
		to += e->object;
		*len += e->object;
	} else if (err == -EEXIST) {
		err = catalog_object_by_address(c->v->catalog, it->address, &o);
		if (err == 0)
			err = index_same_again(c->v, &o, it, e->tag, &same);
		if (err < 0 || same)
			return err;
		err = index_name_again(c->v, &o, it, t->keys[i], to, &name);
	}
	if (err == 0)
		err = index_name(c->v, it, e->tag, o.id, c->pack.id, (struct bytes){to, name},
				 c->pack.end + *len);
	*len += name;
	return err;
}

static void take_batch(struct committer *c, struct batch *t)
{
	int err = c->open ? 0 : begin(c);
	size_t len = 0;

	for (unsigned i = 0; i < t->count; i++) {
		if (err == 0 && t->entries[i].name)
			err = index_item(c, t, i, &len);
		queue_add(&c->pending, t->entries[i].item);
	}
	if (err == 0 && len)
		err = pack_write(c->pack.fd, c->pack.end, (struct bytes){t->data, len});
	if (err == 0)
		c->pack.end += len;
	else
		abandon(c, err);
	c->count += t->count;
	secret_wipe(t->keys, sizeof(*t->keys) * BATCH_ITEMS);
	t->count = 0;
	t->len = 0;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* What is pending is done. */
static void tell(struct committer *c)
{
	queue_append(&c->finished, &c->pending);
	c->told += c->count;
	c->count = 0;
	pthread_cond_broadcast(&c->done);
}

static void unlocked_commit(struct committer *c)
{
	bool held = clock_mono_ns() - c->begun_ns > LONG_NS;

	pthread_mutex_unlock(&c->mutex);
	commit(c);
	pthread_mutex_lock(&c->mutex);
	tell(c);
	if (held && !c->flushing) {
		pthread_mutex_unlock(&c->mutex);
		nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
		pthread_mutex_lock(&c->mutex);
	}
}

static void unlocked_batch(struct committer *c)
{
	struct batch *t = &c->batches[c->taking];

	pthread_mutex_unlock(&c->mutex);
	take_batch(c, t);
	pthread_mutex_lock(&c->mutex);
	t->full = false;
	c->taking = !c->taking;
	if (c->open)
		pthread_cond_broadcast(&c->done);
	else /* it failed */
		tell(c);
}

static bool due(const struct committer *c)
{
	return c->count >= TOGETHER || c->pack.end >= PACK_MAX ||
	       clock_mono_ns() - c->begun_ns > LOCKED_NS;
}

/* Whether something came before it was long enough. */
static bool wait_for_work(struct committer *c)
{
	uint64_t until = clock_mono_ns() + IDLE_NS;
	struct timespec t = {.tv_sec = (time_t)(until / NSEC_PER_SEC),
			     .tv_nsec = (long)(until % NSEC_PER_SEC)};

	if (!c->open) {
		pthread_cond_wait(&c->work, &c->mutex);
		return true;
	}
	return pthread_cond_timedwait(&c->work, &c->mutex, &t) != ETIMEDOUT;
}

static void work(struct job *job, unsigned worker)
{
	struct committer *c = (void *)((uint8_t *)job - offsetof(struct committer, job));
	bool more = true;

	pthread_mutex_lock(&c->mutex);
	while (c->open || c->batches[c->taking].full || !c->ending) {
		bool full = c->batches[c->taking].full;

		if (c->open && (due(c) || (!full && (c->flushing || c->ending || !more))))
			unlocked_commit(c);
		else if (full)
			unlocked_batch(c);
		else
			more = wait_for_work(c);
		more |= c->batches[c->taking].full;
	}
	pthread_mutex_unlock(&c->mutex);
}

/* --- the caller's side ------------------------------------------------------------------------------ */

/* Hands over what was filled; the other one is empty then. */
static void hand_over(struct committer *c)
{
	pthread_mutex_lock(&c->mutex);
	if (c->batches[c->filling].count) {
		c->batches[c->filling].full = true;
		c->added += c->batches[c->filling].count;
		c->filling = !c->filling;
		pthread_cond_signal(&c->work);
	}
	while (c->batches[c->filling].full)
		pthread_cond_wait(&c->done, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
}

static struct entry *next_entry(struct committer *c, struct vault_item *it)
{
	struct batch *t = &c->batches[c->filling];
	struct entry *e = &t->entries[t->count++];

	*e = (struct entry){.item = it, .at = t->len};
	return e;
}

static void hand_over_full(struct committer *c)
{
	struct batch *t = &c->batches[c->filling];

	if (t->count == BATCH_ITEMS || t->len >= BATCH_BYTES)
		hand_over(c);
}

void committer_add(struct committer *c, const struct sealed *s)
{
	struct batch *t = &c->batches[c->filling];
	struct entry *e = next_entry(c, s->item);

	e->object = s->object.len;
	e->name = s->name.len;
	memcpy(e->tag, s->tag, OBJECT_TAG);
	memcpy(t->keys[t->count - 1], s->key, CRYPTO_KEY);
	memcpy(t->data + t->len, s->object.data, s->object.len);
	memcpy(t->data + t->len + s->object.len, s->name.data, s->name.len);
	t->len += s->object.len + s->name.len;
	hand_over_full(c);
}

void committer_pass(struct committer *c, struct vault_item *it)
{
	next_entry(c, it);
	hand_over_full(c);
}

void committer_flush(struct committer *c)
{
	hand_over(c);
	pthread_mutex_lock(&c->mutex);
	c->flushing = true;
	pthread_cond_signal(&c->work);
	while (c->told != c->added)
		pthread_cond_wait(&c->done, &c->mutex);
	c->flushing = false;
	pthread_mutex_unlock(&c->mutex);
}

struct vault_item *committer_take(struct committer *c)
{
	struct vault_item *it;

	pthread_mutex_lock(&c->mutex);
	it = c->finished.first;
	if (it)
		c->finished.first = it->next;
	if (!c->finished.first)
		c->finished.last = &c->finished.first;
	pthread_mutex_unlock(&c->mutex);
	return it;
}

int committer_pack(struct committer *c, struct pack **ret_pack)
{
	int err = 0;

	if (c->pack.end >= PACK_MAX)
		pack_leave(&c->pack);
	if (c->pack.fd < 0)
		err = pack_take(c->v->dir, &c->pack);
	*ret_pack = &c->pack;
	return err;
}

struct sealing *committer_sealing(struct committer *c)
{
	c->by.id = 0;
	return &c->by;
}

/* --- making one ---------------------------------------------------------------------------------------- */

#define KEYS ((2 * BATCH_ITEMS + 1) * CRYPTO_KEY)

static bool make(struct committer *c)
{
	pthread_condattr_t mono;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&c->work, &mono);
	pthread_condattr_destroy(&mono);
	pthread_cond_init(&c->done, NULL);
	pthread_mutex_init(&c->mutex, NULL);
	c->keys = secret_new(KEYS);
	for (unsigned i = 0; c->keys && i < 2; i++) {
		c->batches[i].data = malloc(BATCH_ROOM);
		c->batches[i].keys = (void *)(c->keys + i * BATCH_ITEMS * CRYPTO_KEY);
		if (!c->batches[i].data)
			return false;
	}
	if (!c->keys)
		return false;
	c->by.key = c->keys + KEYS - CRYPTO_KEY;
	c->thread = pool_new(1);
	return c->thread;
}

struct committer *committer_new(struct vault *v)
{
	struct committer *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->v = v;
	c->pack.fd = -1;
	c->pending.last = &c->pending.first;
	c->finished.last = &c->finished.first;
	c->job.run = work;
	if (make(c)) {
		pool_submit(c->thread, &c->job);
		return c;
	}
	committer_free(c);
	return NULL;
}

void committer_free(struct committer *c)
{
	if (!c)
		return;
	if (c->thread) {
		pthread_mutex_lock(&c->mutex);
		c->ending = true;
		pthread_cond_signal(&c->work);
		pthread_mutex_unlock(&c->mutex);
		pool_wait(c->thread, &c->job);
		pool_free(c->thread);
	}
	pack_leave(&c->pack);
	for (unsigned i = 0; i < 2; i++)
		free(c->batches[i].data);
	secret_free(c->keys, KEYS);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}
