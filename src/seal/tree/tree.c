#include "seal/tree/tree.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "seal/age/stream.h"
#include "seal/tree/entry.h"
#include "seal/tree/walk.h"

#define WORKERS_MAX 16

struct tree {
	const struct tree_options *options;
	struct walk *walk;
	pthread_mutex_t walking, big_lock;
	pthread_mutex_t telling; /* and what is told: */
	struct tree_result result;
	struct age_engine *big;
};

struct worker {
	struct tree *tree;
	struct entry_tools tools;
	uint64_t told; /* bytes of the file at work */
	int error;
};

static const char *path_why(int error)
{
	if (error == -ELOOP)
		return "it is a symbolic link; name what it leads to";
	return error == -EINVAL ? "it is neither a file nor a folder" : strerror(-error);
}

static void path_failed(void *arg, const char *path, int error)
{
	struct tree *t = arg;

	pthread_mutex_lock(&t->telling);
	t->result.failed++;
	t->options->failed(t->options->arg, path, path_why(error));
	pthread_mutex_unlock(&t->telling);
}

static void tell_bytes(void *arg, uint64_t plain)
{
	struct worker *w = arg;
	struct tree *t = w->tree;

	pthread_mutex_lock(&t->telling);
	t->result.bytes += plain - w->told;
	w->told = plain;
	if (t->options->progress)
		t->options->progress(t->options->arg, &t->result);
	pthread_mutex_unlock(&t->telling);
}

static void tell_entry(struct worker *w, const struct walk_item *item, enum entry_outcome outcome,
		       const struct entry_report *report)
{
	struct tree *t = w->tree;
	const struct tree_options *o = t->options;
	const char *folder = item->folder->path;
	size_t n = strlen(folder);
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", item->name) < 0)
		path = NULL;
	pthread_mutex_lock(&t->telling);
	t->result.bytes += report->plain - w->told;
	w->told = 0;
	if (outcome == ENTRY_DONE) {
		t->result.files++;
		if (o->done)
			o->done(o->arg, path ? path : item->name);
	} else if (outcome == ENTRY_FAILED) {
		t->result.failed++;
		o->failed(o->arg, path ? path : item->name, report->why);
	} else {
		t->result.left_alone++;
	}
	if (o->progress)
		o->progress(o->arg, &t->result);
	pthread_mutex_unlock(&t->telling);
	free(path);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct tree *t = w->tree;
	struct walk_item item;
	struct entry_report report;
	bool got;

	for (;;) {
		pthread_mutex_lock(&t->walking);
		got = walk_next(t->walk, &item);
		pthread_mutex_unlock(&t->walking);
		if (!got)
			return NULL;
		tell_entry(w, &item, entry_process(&w->tools, &item, &report), &report);
		walk_done(&item);
	}
}

static int worker_init(struct worker *w, struct tree *t)
{
	w->tree = t;
	w->tools = (struct entry_tools){.options = t->options,
					.engine = age_engine_new(1),
					.big = t->big,
					.big_lock = &t->big_lock,
					.buffer = malloc(AGE_CHUNK),
					.file_key = secret_new(AGE_FILE_KEY),
					.progress = tell_bytes,
					.progress_arg = w};
	return w->tools.engine && w->tools.buffer && w->tools.file_key ? 0 : -ENOMEM;
}

static void worker_free(struct worker *w)
{
	age_engine_free(w->tools.engine);
	free(w->tools.buffer);
	secret_free(w->tools.file_key, AGE_FILE_KEY);
}

static unsigned worker_count(const struct tree_options *o)
{
	cpu_set_t set;
	unsigned n = o->threads;

	if (!n)
		n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	return n < WORKERS_MAX ? n : WORKERS_MAX;
}

/* The caller's thread is one of them; signals stay with it. */
static int run_workers(struct tree *t, unsigned count)
{
	struct worker workers[WORKERS_MAX] = {{.tree = NULL}};
	pthread_t threads[WORKERS_MAX];
	unsigned started = 1;
	sigset_t all, was;
	int r = 0;

	for (unsigned i = 0; i < count && r == 0; i++)
		r = worker_init(&workers[i], t);
	if (r == 0) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &was);
		while (started < count &&
		       pthread_create(&threads[started], NULL, work, &workers[started]) == 0)
			started++;
		pthread_sigmask(SIG_SETMASK, &was, NULL);
		work(&workers[0]);
		for (unsigned i = 1; i < started; i++)
			pthread_join(threads[i], NULL);
	}
	for (unsigned i = 0; i < count; i++)
		worker_free(&workers[i]);
	return r;
}

static struct walk_options walk_options(const struct tree_options *o, char *const *paths,
					unsigned count)
{
	return (struct walk_options){
		.paths = paths, .count = count, .to = o->to, .follow = !o->in_place};
}

int tree_run(const struct tree_options *o, char *const *paths, unsigned count,
	     struct tree_result *ret_result)
{
	struct walk_options wo = walk_options(o, paths, count);
	struct tree t = {.options = o};
	int r;

	pthread_mutex_init(&t.walking, NULL);
	pthread_mutex_init(&t.big_lock, NULL);
	pthread_mutex_init(&t.telling, NULL);
	wo.failed = path_failed;
	wo.arg = &t;
	r = walk_new(&wo, &t.walk);
	if (r < 0)
		return r;
	t.big = age_engine_new(o->threads);
	r = t.big ? run_workers(&t, worker_count(o)) : -ENOMEM;
	age_engine_free(t.big);
	t.result.left_alone += walk_left_alone(t.walk);
	walk_free(t.walk);
	*ret_result = t.result;
	return r < 0 ? r : t.result.failed ? -EIO : 0;
}

static void ignore(void *arg, const char *path, int error)
{
}

void tree_measure(const struct tree_options *o, char *const *paths, unsigned count,
		  struct tree_result *ret_result)
{
	struct walk_options wo = walk_options(o, paths, count);
	struct tree_result r = {.files = 0};
	struct walk_item item;
	struct walk *w;
	struct stat st;

	wo.dry = true;
	wo.failed = ignore;
	if (walk_new(&wo, &w) == 0) {
		while (walk_next(w, &item)) {
			if (entry_wanted(o, &item) &&
			    fstatat(item.folder->in, item.name, &st, 0) == 0) {
				r.files++;
				r.bytes += (uint64_t)st.st_size;
			}
			walk_done(&item);
		}
		walk_free(w);
	}
	*ret_result = r;
}
