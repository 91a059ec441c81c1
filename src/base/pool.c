#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS_MAX 64

struct pool {
	pthread_mutex_t mutex;
	pthread_cond_t work, done;
	struct job *first, **last;
	pthread_t threads[THREADS_MAX];
	unsigned count, started;
	bool ending;
};

static void *work(void *arg)
{
	struct pool *p = arg;
	unsigned number;

	pthread_mutex_lock(&p->mutex);
	number = p->started++;
	for (;;) {
		struct job *j = p->first;

		if (!j && p->ending)
			break;
		if (!j) {
			pthread_cond_wait(&p->work, &p->mutex);
			continue;
		}
		p->first = j->next;
		if (!p->first)
			p->last = &p->first;
		pthread_mutex_unlock(&p->mutex);
		j->run(j, number);
		pthread_mutex_lock(&p->mutex);
		j->done = true;
		pthread_cond_broadcast(&p->done);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

struct pool *pool_new(unsigned threads)
{
	struct pool *p = calloc(1, sizeof(*p));
	sigset_t all, before;

	if (!p)
		return NULL;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	p->last = &p->first;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->count < threads && p->count < THREADS_MAX &&
	       pthread_create(&p->threads[p->count], NULL, work, p) == 0)
		p->count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (p->count)
		return p;
	pool_free(p);
	return NULL;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->mutex);
	p->ending = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->mutex);
	for (unsigned i = 0; i < p->count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

void pool_submit(struct pool *p, struct job *j)
{
	j->next = NULL;
	j->done = false;
	pthread_mutex_lock(&p->mutex);
	*p->last = j;
	p->last = &j->next;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->mutex);
}

void pool_wait(struct pool *p, struct job *j)
{
	pthread_mutex_lock(&p->mutex);
	while (!j->done)
		pthread_cond_wait(&p->done, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
}
