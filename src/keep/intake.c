#include "keep/intake.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "keep/pack.h"
#include "keep/spool.h"

#define GATHER_MS  100	/* for others to join, so that one write serves them all */
#define GATHER_MAX 512	/* that are not waited for */
#define RETRY_MS   1000 /* while the vault takes nothing */

struct thing {
	struct deposit d; /* first */
	struct thing *next;
	struct spool *spool;
	int file; /* instead of it; -1 */
	uint64_t file_size, at;
	struct vault_item item;
};

struct queue {
	struct thing *first, **last;
	unsigned count;
};

struct intake {
	char dir[PATH_MAX - 64];
	uint64_t max_bytes;
	struct keys *keys;
	struct vault *vault;
	struct putter *putter;
	pthread_t thread;
	bool started;
	int event;
	/* Of the caller's thread. */
	uint64_t bytes;
	unsigned things;
	/* Under the mutex, as is all that follows. */
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct queue todo, done;
	bool ending, retain, retained;
	int64_t retain_ns;
	struct retention_bound bounds[RETENTION_BOUNDS];
	unsigned bound_count;
	struct retention retention;
	void (*chore)(struct vault *v, void *arg); /* NULL: none */
	void *chore_arg;
	bool chored;
	uint64_t reserve;
	int error;
};

static void push(struct queue *q, struct thing *t)
{
	t->next = NULL;
	*q->last = t;
	q->last = &t->next;
	q->count++;
}

static struct thing *pop(struct queue *q)
{
	struct thing *t = q->first;

	if (!t)
		return NULL;
	q->first = t->next;
	if (!q->first)
		q->last = &q->first;
	q->count--;
	return t;
}

/* All of `from` in front of what is there. */
static void push_front(struct queue *q, struct queue *from)
{
	if (!from->first)
		return;
	*from->last = q->first;
	if (!q->first)
		q->last = from->last;
	q->first = from->first;
	q->count += from->count;
	*from = (struct queue){.last = &from->first};
}

/* --- in the thread ----------------------------------------------------------------------- */

static ssize_t read_spool(void *user, uint8_t *to, size_t len)
{
	return spool_read(((struct thing *)user)->spool, to, len);
}

/* As long as it was when it came; -EBUSY: it was cut off since. */
static ssize_t read_whole_file(void *user, uint8_t *to, size_t len)
{
	struct thing *t = user;
	uint64_t left = t->file_size - t->at;
	int err;

	if (len > left)
		len = (size_t)left;
	err = pack_read(t->file, t->at, to, len);
	if (err < 0)
		return err == -ENODATA ? -EBUSY : err;
	t->at += len;
	return (ssize_t)len;
}

static void was_put(void *arg, struct vault_item *it)
{
	struct thing *t = it->user;

	(void)arg;
	t->d.err = it->err;
	t->d.known = it->known;
	memcpy(t->d.address, it->address, sizeof(t->d.address));
}

/* Nothing that time could heal. */
static bool is_hopeless(int err)
{
	return err == -EINVAL || err == -ENAMETOOLONG || err == -EBADMSG || err == -EFBIG ||
	       err == -EBUSY; /* a file that changes */
}

static uint64_t size_of(const struct thing *t)
{
	return t->file < 0 ? spool_size(t->spool) : t->file_size;
}

static void fill_item(struct thing *t)
{
	t->item =
		(struct vault_item){.read = t->file < 0 ? read_spool : read_whole_file, .user = t};
	t->item.size = size_of(t);
	t->item.meta.name = (struct bytes){(const uint8_t *)t->d.name, strlen(t->d.name)};
	t->item.meta.until_ns = t->d.until_ns;
	memcpy(t->item.meta.class, t->d.class, sizeof(t->item.meta.class));
}

static bool is_disk_short(struct intake *in, uint64_t more)
{
	struct statvfs v;
	uint64_t reserve;

	pthread_mutex_lock(&in->mutex);
	reserve = in->reserve;
	pthread_mutex_unlock(&in->mutex);
	return statvfs(in->dir, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < reserve + more;
}

/* Each of the batch has its `err` afterwards. */
static void put_all(struct intake *in, struct queue *batch)
{
	for (struct thing *t = batch->first; t; t = t->next) {
		t->at = 0;
		t->d.err = spool_rewind(t->spool);
		if (t->d.err == 0 && is_disk_short(in, size_of(t)))
			t->d.err = -ENOSPC;
		if (t->d.err < 0)
			continue;
		fill_item(t);
		putter_add(in->putter, &t->item);
	}
	putter_flush(in->putter);
}

/* With the mutex. What failed comes again, in its order, before what came meanwhile. */
static void sort_out(struct intake *in, struct queue *batch)
{
	struct queue again = {.last = &again.first};
	struct thing *t;

	in->error = 0;
	while ((t = pop(batch)) != NULL) {
		if (t->d.err == 0 || is_hopeless(t->d.err) || in->ending) {
			push(&in->done, t);
		} else {
			in->error = t->d.err;
			push(&again, t);
		}
	}
	push_front(&in->todo, &again);
}

/* With the mutex: a while for others to join, or after a failure. */
static void wait_ms(struct intake *in, unsigned ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms * NSEC_PER_MSEC);
	until.tv_sec += until.tv_nsec / (long)NSEC_PER_SEC;
	until.tv_nsec %= (long)NSEC_PER_SEC;
	while (!in->ending && !(in->todo.count >= GATHER_MAX && !in->error))
		if (pthread_cond_timedwait(&in->work, &in->mutex, &until) != 0)
			break;
}

static void tell(struct intake *in)
{
	uint64_t one = 1;
	ssize_t n = write(in->event, &one, sizeof(one));

	(void)n; /* it is readable already */
}

/* With the mutex, which is let go meanwhile. */
static void take_batch(struct intake *in)
{
	struct queue batch = {.last = &batch.first};

	wait_ms(in, in->error ? RETRY_MS : GATHER_MS);
	push_front(&batch, &in->todo);
	pthread_mutex_unlock(&in->mutex);
	put_all(in, &batch);
	pthread_mutex_lock(&in->mutex);
	sort_out(in, &batch);
	tell(in);
}

static void retain(struct intake *in)
{
	struct retention r;

	in->retain = false;
	pthread_mutex_unlock(&in->mutex);
	retention_run(in->vault, in->retain_ns, in->bounds, in->bound_count, &r);
	pthread_mutex_lock(&in->mutex);
	in->retention = r;
	in->retained = true;
	tell(in);
}

static void do_chore(struct intake *in)
{
	pthread_mutex_unlock(&in->mutex);
	in->chore(in->vault, in->chore_arg);
	pthread_mutex_lock(&in->mutex);
	in->chore = NULL;
	in->chored = true;
	tell(in);
}

static void *work(void *arg)
{
	struct intake *in = arg;

	pthread_mutex_lock(&in->mutex);
	for (;;) {
		if (in->retain && !in->ending)
			retain(in);
		else if (in->chore && !in->ending)
			do_chore(in);
		else if (in->todo.first)
			take_batch(in);
		else if (in->ending)
			break;
		else
			pthread_cond_wait(&in->work, &in->mutex);
	}
	pthread_mutex_unlock(&in->mutex);
	return NULL;
}

/* --- in the caller's ---------------------------------------------------------------------- */

static void make_locks(struct intake *in)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&in->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&in->work, &attr);
	pthread_condattr_destroy(&attr);
}

static int start(struct intake *in)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&in->thread, NULL, work, in);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	in->started = err == 0;
	return -err;
}

struct intake *intake_new(const struct intake_options *o, char ret_error[KEYS_ERROR])
{
	struct intake *in = calloc(1, sizeof(*in));
	int err = in ? 0 : -ENOMEM;

	*ret_error = 0;
	if (!in || snprintf(in->dir, sizeof(in->dir), "%s", o->dir) >= (int)sizeof(in->dir)) {
		holder_fail(ret_error, in ? -ENAMETOOLONG : err, "%.64s…: no memory", o->dir);
		free(in);
		errno = ENOMEM;
		return NULL;
	}
	make_locks(in);
	in->max_bytes = o->max_bytes;
	in->reserve = o->reserve_bytes;
	in->todo.last = &in->todo.first;
	in->done.last = &in->done.first;
	in->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	in->keys = keys_again(o->keys, ret_error);
	in->vault = in->keys ? vault_open_with(in->dir, in->keys, 1, ret_error) : NULL;
	err = in->vault ? 0 : -errno;
	if (err == 0) {
		in->putter = putter_new(in->vault, was_put, in);
		err = in->putter && in->event >= 0 ? start(in) : -errno;
	}
	if (err == 0)
		return in;
	if (!*ret_error)
		holder_fail(ret_error, err, "%s: %s", in->dir, strerror(-err));
	intake_free(in);
	errno = -err;
	return NULL;
}

static void free_thing(struct thing *t)
{
	spool_free(t->spool);
	if (t->file >= 0)
		close(t->file);
	free(t);
}

void intake_finish(struct intake *in)
{
	if (!in->started)
		return;
	pthread_mutex_lock(&in->mutex);
	in->ending = true;
	pthread_cond_signal(&in->work);
	pthread_mutex_unlock(&in->mutex);
	pthread_join(in->thread, NULL);
	in->started = false;
}

void intake_free(struct intake *in)
{
	struct thing *t;

	if (!in)
		return;
	intake_finish(in);
	pthread_cond_destroy(&in->work);
	pthread_mutex_destroy(&in->mutex);
	while ((t = pop(&in->done)) != NULL)
		free_thing(t);
	putter_free(in->putter);
	vault_close(in->vault);
	keys_free(in->keys);
	if (in->event >= 0)
		close(in->event);
	free(in);
}

struct deposit *intake_begin(struct intake *in)
{
	struct thing *t = in->things < INTAKE_THINGS ? calloc(1, sizeof(*t)) : NULL;

	if (!t) {
		errno = in->things < INTAKE_THINGS ? ENOMEM : ENOBUFS;
		return NULL;
	}
	t->file = -1;
	t->spool = spool_new(in->dir);
	if (!t->spool) {
		free(t);
		return NULL;
	}
	in->things++;
	return &t->d;
}

int intake_add(struct intake *in, struct deposit *d, struct bytes piece)
{
	if (piece.len > in->max_bytes - in->bytes)
		return -ENOBUFS;
	in->bytes += piece.len;
	d->size += piece.len;
	return spool_add(((struct thing *)d)->spool, piece);
}

int intake_file(struct intake *in, struct deposit *d, int fd)
{
	struct thing *t = (struct thing *)d;
	struct stat st;
	int err = fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;

	if (err < 0) {
		close(fd);
		return err;
	}
	t->file = fd;
	t->file_size = (uint64_t)st.st_size;
	return 0;
}

void intake_end(struct intake *in, struct deposit *d)
{
	pthread_mutex_lock(&in->mutex);
	push(&in->todo, (struct thing *)d);
	pthread_cond_signal(&in->work);
	pthread_mutex_unlock(&in->mutex);
}

void intake_drop(struct intake *in, struct deposit *d)
{
	in->bytes -= d->size;
	in->things--;
	free_thing((struct thing *)d);
}

int intake_fd(const struct intake *in)
{
	return in->event;
}

struct deposit *intake_next(struct intake *in)
{
	struct thing *t;
	uint64_t n;

	if (read(in->event, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return NULL;
	pthread_mutex_lock(&in->mutex);
	t = pop(&in->done);
	pthread_mutex_unlock(&in->mutex);
	return t ? &t->d : NULL;
}

void intake_retain(struct intake *in, int64_t now_ns, const struct retention_bound *bounds,
		   unsigned count)
{
	pthread_mutex_lock(&in->mutex);
	if (!in->retain) {
		in->bound_count = count < RETENTION_BOUNDS ? count : RETENTION_BOUNDS;
		if (in->bound_count)
			memcpy(in->bounds, bounds, in->bound_count * sizeof(*bounds));
		in->retain_ns = now_ns;
		in->retain = true;
		pthread_cond_signal(&in->work);
	}
	pthread_mutex_unlock(&in->mutex);
}

bool intake_retained(struct intake *in, struct retention *ret_r)
{
	bool was;

	pthread_mutex_lock(&in->mutex);
	was = in->retained;
	if (was)
		*ret_r = in->retention;
	in->retained = false;
	pthread_mutex_unlock(&in->mutex);
	return was;
}

int intake_chore(struct intake *in, void (*run)(struct vault *v, void *arg), void *arg)
{
	int err = -EBUSY;

	pthread_mutex_lock(&in->mutex);
	if (!in->chore && !in->chored) {
		in->chore = run;
		in->chore_arg = arg;
		pthread_cond_signal(&in->work);
		err = 0;
	}
	pthread_mutex_unlock(&in->mutex);
	return err;
}

void *intake_chored(struct intake *in)
{
	void *arg = NULL;

	pthread_mutex_lock(&in->mutex);
	if (in->chored)
		arg = in->chore_arg;
	in->chored = false;
	pthread_mutex_unlock(&in->mutex);
	return arg;
}

void intake_counts(struct intake *in, struct intake_counts *ret_counts)
{
	pthread_mutex_lock(&in->mutex);
	*ret_counts = (struct intake_counts){in->things, in->bytes, in->error};
	pthread_mutex_unlock(&in->mutex);
}

void intake_reserve(struct intake *in, uint64_t reserve_bytes)
{
	pthread_mutex_lock(&in->mutex);
	in->reserve = reserve_bytes;
	pthread_mutex_unlock(&in->mutex);
}
