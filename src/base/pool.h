#ifndef BEDWARDEN_BASE_POOL_H
#define BEDWARDEN_BASE_POOL_H
/*
 * A few threads that do what they are handed, first come, first served. A job is
 * the caller's struct; who hands it over waits for that one, so results can be
 * taken in order. The threads block every signal.
 */
#include <stdbool.h>

struct pool;

struct job {
	/* `worker` is the thread's number, from 0: its own contexts go by it. */
	void (*run)(struct job *job, unsigned worker);
	struct job *next;
	bool done;
};

/* NULL: no memory or no threads. */
struct pool *pool_new(unsigned threads);
/* After every job was waited for. NULL is fine. */
void pool_free(struct pool *p);
/* The job must stay where it is until pool_wait() for it has returned. */
void pool_submit(struct pool *p, struct job *j);
void pool_wait(struct pool *p, struct job *j);

#endif
