#include "people/auth/hasher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/secret.h"

#define NICE	 5		      /* packets come first */
#define PACE_NS	 (20 * NSEC_PER_MSEC) /* between looks at a budget that is spent */
#define DONE_MAX (HASHER_CLASSES * HASHER_MOST + 1)

struct waiting {
	struct hasher_job job; /* its texts are below */
	uint64_t since_ns;
	char password[HASHER_TEXT];
	uint8_t record[PASSWORD_RECORD];
	size_t record_len;
};

struct line {
	struct waiting list[HASHER_MOST]; /* in the order they came */
	unsigned count;
	uint64_t last; /* the source that was served last */
};

struct hasher {
	struct hasher_options o;
	pthread_t thread;
	bool started;
	int event;
	/* Under the mutex, as is all that follows. */
	pthread_mutex_t mutex;
	pthread_cond_t work, begun;
	bool is_at_work, ending;
	struct line lines[HASHER_CLASSES];
	struct waiting now; /* that the thread works at; id 0: none */
	struct hasher_done done[DONE_MAX];
	unsigned done_count;
};

/* --- in the thread ----------------------------------------------------------------------- */

static void tell(struct hasher *h)
{
	uint64_t one = 1;
	ssize_t n = write(h->event, &one, sizeof(one));

	(void)n; /* it is readable already */
}

/* With the mutex. There is room: every job has one place, wherever it is. */
static void finish(struct hasher *h, const struct hasher_done *d)
{
	if (h->done_count < DONE_MAX)
		h->done[h->done_count++] = *d;
	tell(h);
}

static void take_out(struct line *l, unsigned at, struct waiting *ret_w)
{
	*ret_w = l->list[at];
	l->count--;
	memmove(l->list + at, l->list + at + 1, (l->count - at) * sizeof(*l->list));
	secret_wipe(&l->list[l->count], sizeof(*l->list));
}

/* How many of the same source stand before it, or were just served. */
static unsigned before(const struct line *l, unsigned at)
{
	unsigned n = l->list[at].job.source == l->last;

	for (unsigned i = 0; i < at; i++)
		n += l->list[i].job.source == l->list[at].job.source;
	return n;
}

/* The first of every source before the second of any. */
static unsigned whose_turn(const struct line *l)
{
	unsigned best = 0;

	for (unsigned i = 1; i < l->count; i++)
		if (before(l, i) < before(l, best))
			best = i;
	return best;
}

/* With the mutex: nobody waits for ever. */
static void give_up(struct hasher *h, struct line *l, uint64_t now_ns)
{
	struct waiting w;

	for (unsigned i = 0; i < l->count;) {
		if (now_ns - l->list[i].since_ns < h->o.patience_ns) {
			i++;
			continue;
		}
		take_out(l, i, &w);
		finish(h, &(struct hasher_done){.id = w.job.id, .err = -ETIMEDOUT});
		secret_wipe(&w, sizeof(w));
	}
}

/* With the mutex: the next that may be worked at now, into h->now. */
static bool choose(struct hasher *h)
{
	uint64_t now_ns = clock_mono_ns();

	for (unsigned c = 0; c < HASHER_CLASSES; c++) {
		struct line *l = &h->lines[c];

		give_up(h, l, now_ns);
		if (!l->count || !throttle_spend(&h->o.class[c].budget, now_ns))
			continue;
		take_out(l, whose_turn(l), &h->now);
		l->last = h->now.job.source;
		return true;
	}
	return false;
}

/* Without it. */
static void hash(const struct waiting *w, struct hasher_done *ret_done)
{
	struct hasher_done d = {.id = w->job.id, .record_len = w->record_len};

	memcpy(d.record, w->record, w->record_len);
	if (w->job.make) {
		d.err = password_hash(w->password, crypto_random, d.record);
		d.record_len = PASSWORD_RECORD;
	} else if (w->record_len) {
		d.err = password_verify(w->password, (struct bytes){w->record, w->record_len});
	} else {
		password_waste(w->password);
		d.err = -EACCES;
	}
	*ret_done = d;
}

/* With the mutex: until there is something to do; a while where the budget is spent. */
static void rest(struct hasher *h)
{
	struct timespec until;
	bool any = false;

	for (unsigned c = 0; c < HASHER_CLASSES; c++)
		any |= h->lines[c].count > 0;
	if (!any) {
		pthread_cond_wait(&h->work, &h->mutex);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)PACE_NS;
	until.tv_sec += until.tv_nsec / (long)NSEC_PER_SEC;
	until.tv_nsec %= (long)NSEC_PER_SEC;
	pthread_cond_timedwait(&h->work, &h->mutex, &until);
}

static void *work(void *arg)
{
	static _Thread_local struct waiting w;
	struct hasher *h = arg;
	struct hasher_done d;

	/* Of this thread alone, as Linux has it. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	pthread_mutex_lock(&h->mutex);
	h->is_at_work = true;
	pthread_cond_signal(&h->begun);
	while (!h->ending) {
		if (!choose(h)) {
			rest(h);
			continue;
		}
		w = h->now;
		pthread_mutex_unlock(&h->mutex);
		hash(&w, &d);
		secret_wipe(&w, sizeof(w));
		pthread_mutex_lock(&h->mutex);
		secret_wipe(&h->now, sizeof(h->now));
		finish(h, &d);
		secret_wipe(&d, sizeof(d));
	}
	pthread_mutex_unlock(&h->mutex);
	return NULL;
}

/* --- in the caller's --------------------------------------------------------------------- */

static int start(struct hasher *h)
{
	sigset_t all, was;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_create(&h->thread, NULL, work, h);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (err != 0)
		return -err;
	h->started = true;
	/* Behind what it does at its beginning, the caller may have system calls forbidden. */
	pthread_mutex_lock(&h->mutex);
	while (!h->is_at_work)
		pthread_cond_wait(&h->begun, &h->mutex);
	pthread_mutex_unlock(&h->mutex);
	return 0;
}

struct hasher *hasher_new(const struct hasher_options *o)
{
	struct hasher *h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;
	int err;

	if (!h)
		return NULL;
	h->o = *o;
	pthread_mutex_init(&h->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&h->begun, NULL);
	h->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = h->event >= 0 ? start(h) : -errno;
	if (err == 0)
		return h;
	hasher_free(h);
	errno = -err;
	return NULL;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	if (h->started) {
		pthread_mutex_lock(&h->mutex);
		h->ending = true;
		pthread_cond_signal(&h->work);
		pthread_mutex_unlock(&h->mutex);
		pthread_join(h->thread, NULL);
	}
	pthread_cond_destroy(&h->begun);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->mutex);
	if (h->event >= 0)
		close(h->event);
	secret_wipe(h, sizeof(*h));
	free(h);
}

int hasher_fd(const struct hasher *h)
{
	return h->event;
}

static bool is_under_way(const struct hasher *h, uint64_t account)
{
	if (!account)
		return false;
	for (unsigned c = 0; c < HASHER_CLASSES; c++)
		for (unsigned i = 0; i < h->lines[c].count; i++)
			if (h->lines[c].list[i].job.account == account)
				return true;
	return h->now.job.id && h->now.job.account == account;
}

static unsigned from_source(const struct hasher *h, enum hasher_class class, uint64_t source)
{
	const struct line *l = &h->lines[class];
	unsigned n = h->now.job.id && h->now.job.class == class && h->now.job.source == source;

	for (unsigned i = 0; i < l->count; i++)
		n += l->list[i].job.source == source;
	return n;
}

/* With the mutex. */
static int admit(struct hasher *h, const struct hasher_job *job)
{
	struct line *l = &h->lines[job->class];
	unsigned most = h->o.class[job->class].most;
	struct waiting *w;

	if (is_under_way(h, job->account))
		return -EBUSY;
	if (l->count >= (most < HASHER_MOST ? most : HASHER_MOST) ||
	    h->done_count + l->count + 1 >= DONE_MAX ||
	    from_source(h, job->class, job->source) >= h->o.class[job->class].per_source)
		return -EAGAIN;
	w = &l->list[l->count++];
	*w = (struct waiting){.job = *job, .since_ns = clock_mono_ns()};
	w->record_len = job->record.len;
	if (job->record.len)
		memcpy(w->record, job->record.data, job->record.len);
	memcpy(w->password, job->password, strlen(job->password) + 1);
	w->job.password = NULL;
	w->job.record = (struct bytes){0};
	pthread_cond_signal(&h->work);
	return 0;
}

int hasher_add(struct hasher *h, const struct hasher_job *job)
{
	int err;

	if (strlen(job->password) >= HASHER_TEXT || job->record.len > PASSWORD_RECORD || !job->id)
		return -EINVAL;
	pthread_mutex_lock(&h->mutex);
	err = admit(h, job);
	pthread_mutex_unlock(&h->mutex);
	return err;
}

bool hasher_next(struct hasher *h, struct hasher_done *ret_done)
{
	uint64_t count;
	bool any;

	pthread_mutex_lock(&h->mutex);
	any = h->done_count > 0;
	if (any) {
		*ret_done = h->done[0];
		h->done_count--;
		memmove(h->done, h->done + 1, h->done_count * sizeof(*h->done));
		secret_wipe(&h->done[h->done_count], sizeof(*h->done));
	} else if (read(h->event, &count, sizeof(count)) < 0) {
		count = 0; /* was not readable */
	}
	pthread_mutex_unlock(&h->mutex);
	return any;
}
