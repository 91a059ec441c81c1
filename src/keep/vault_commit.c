#include "keep/vault_commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#define TOGETHER  8192			 /* items in a transaction */
#define LOCKED_NS (1000 * NSEC_PER_MSEC) /* or so long */
#define IDLE_NS	  (100 * NSEC_PER_MSEC)	 /* or where nothing came for so long */
#define LONG_NS	  (50 * NSEC_PER_MSEC)	 /* who held the lock longer than that … */
#define TURN_NS	  (4 * NSEC_PER_MSEC)	 /* … leaves it free for others, who look every 3 ms */

/* Items one behind the other, by their `next`. */
struct queue {
	struct vault_item *first, **last;
};

struct committer {
	struct vault *v;
	struct pool *thread;
	struct job job;
	pthread_mutex_t mutex;
	pthread_cond_t work, done;
	bool flushing, ending;
	uint64_t added, told;	  /* items so far */
	struct lot *first, **end; /* those that are queued */
	struct queue finished;	  /* all this is the mutex's, … */
	/* … and this the thread's */
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
static int index_item(struct committer *c, struct lot *l, unsigned i, size_t *len)
{
	struct sealed *e = &l->items[i];
	struct vault_item *it = e->item;
	uint8_t *to = l->records + *len, *from = l->records + e->at;
	struct catalog_object o = {.pack = c->pack.id, .at = c->pack.end + *len};
	size_t name = e->name;
	bool same;
	int err;

	o.head.size = it->size;
	o.head.length = e->object - OBJECT_HEAD;
	memcpy(o.head.address, it->address, CRYPTO_HASH);
	err = index_box(c->v, &c->by, it, l->keys[i], &o.head);
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
		err = index_name_again(c->v, &o, it, l->keys[i], to, &name);
	}
	if (err == 0)
		err = index_name(c->v, it, e->tag, o.id, c->pack.id, (struct bytes){to, name},
				 c->pack.end + *len);
	*len += name;
	return err;
}

static void take_lot(struct committer *c, struct lot *l)
{
	int err = c->open ? 0 : begin(c);
	size_t len = 0;

	for (unsigned i = 0; i < l->count; i++) {
		if (err == 0 && l->items[i].name)
			err = index_item(c, l, i, &len);
		queue_add(&c->pending, l->items[i].item);
	}
	if (err == 0 && len)
		err = pack_write(c->pack.fd, c->pack.end, (struct bytes){l->records, len});
	if (err == 0)
		c->pack.end += len;
	else
		abandon(c, err);
	c->count += l->count;
	secret_wipe(l->keys, sizeof(*l->keys) * LOT_ITEMS);
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

static void unlocked_lot(struct committer *c)
{
	struct lot *l = c->first;

	pthread_mutex_unlock(&c->mutex);
	take_lot(c, l);
	pthread_mutex_lock(&c->mutex);
	c->first = l->next;
	if (!c->first)
		c->end = &c->first;
	l->queued = false;
	if (c->open)
		pthread_cond_broadcast(&c->done);
	else /* it failed */
		tell(c);
}

static bool has_ready(const struct committer *c)
{
	return c->first && c->first->ready;
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
	while (c->open || c->first || !c->ending) {
		bool ready = has_ready(c);

		if (c->open && (due(c) || (!c->first && (c->flushing || c->ending)) || !more))
			unlocked_commit(c);
		else if (ready)
			unlocked_lot(c);
		else
			more = wait_for_work(c);
		more |= has_ready(c);
	}
	pthread_mutex_unlock(&c->mutex);
}

/* --- the caller's side ------------------------------------------------------------------------------ */

void committer_add(struct committer *c, struct lot *l)
{
	pthread_mutex_lock(&c->mutex);
	l->queued = true;
	l->ready = false;
	l->next = NULL;
	*c->end = l;
	c->end = &l->next;
	c->added += l->count;
	pthread_mutex_unlock(&c->mutex);
}

void committer_ready(struct committer *c, struct lot *l)
{
	pthread_mutex_lock(&c->mutex);
	l->ready = true;
	if (c->first == l)
		pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->mutex);
}

void committer_wait(struct committer *c, const struct lot *l)
{
	pthread_mutex_lock(&c->mutex);
	while (l->queued)
		pthread_cond_wait(&c->done, &c->mutex);
	pthread_mutex_unlock(&c->mutex);
}

void committer_flush(struct committer *c)
{
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
	c->finished = (struct queue){NULL, &c->finished.first};
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

static bool make(struct committer *c)
{
	pthread_condattr_t mono;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&c->work, &mono);
	pthread_condattr_destroy(&mono);
	pthread_cond_init(&c->done, NULL);
	pthread_mutex_init(&c->mutex, NULL);
	c->by.key = secret_new(CRYPTO_KEY);
	if (!c->by.key)
		return false;
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
	c->end = &c->first;
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
	secret_free(c->by.key, CRYPTO_KEY);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}
