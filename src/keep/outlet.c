#include "keep/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/secret.h"
#include "keep/vault_file.h"
#include "seal/age/age.h"
#include "seal/age/recipient.h"

#define PIECE	65536
#define LOOK_MS 500 /* between looks whether to give up */

/* One that leaves; the thread's from begin to `done`. */
struct leaving {
	struct job job;
	struct outlet *of;
	struct vault *v;
	struct keys *keys;
	struct vault_cache *cache;
	struct age_engine *engine;
	uint8_t *piece; /* locked memory */
	struct vault_file *file;
	struct age_recipients *recipients; /* NULL: opened */
	int64_t id;			   /* of the name */
	uint64_t at;
	int fd;		   /* the pipe's end to write; -1 none */
	bool used, checks; /* checks: nothing leaves, it holds the vault against itself */
	atomic_bool done;
};

struct outlet {
	struct vault *v;
	struct keys *keys;
	struct leaving list[OUTLET_MOST];
	struct pool *pool;
	atomic_bool stop;
	struct outlet_check check; /* the thread's until `checking` is over */
	struct leaving *checking;  /* NULL: none is under way */
	bool checked, content;	   /* content: of what it reads every byte, too */
};

/* --- in a thread ----------------------------------------------------------------------- */

/* Room in the pipe. 0; -EPIPE nobody reads any longer; -ETIMEDOUT; -ECANCELED. */
static int wait_for_room(struct leaving *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLOUT};

	for (unsigned ms = 0; ms < OUTLET_PATIENCE_S * 1000; ms += LOOK_MS) {
		if (l->of->stop)
			return -ECANCELED;
		if (poll(&p, 1, LOOK_MS) > 0)
			return p.revents & (POLLERR | POLLNVAL) ? -EPIPE : 0;
	}
	return -ETIMEDOUT;
}

static int push(void *arg, const void *data, size_t len)
{
	struct leaving *l = arg;
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t n = write(l->fd, at, len);
		int err = n < 0 ? -errno : 0;

		if (err == -EAGAIN)
			err = wait_for_room(l);
		if (err < 0 && err != -EINTR)
			return err;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static ssize_t pull(void *arg, void *data, size_t max)
{
	struct leaving *l = arg;
	ssize_t n = vault_file_read(l->file, l->at, data, max < PIECE ? max : PIECE);

	if (n > 0)
		l->at += (uint64_t)n;
	return n;
}

static void write_plain(struct leaving *l)
{
	ssize_t n;

	while ((n = pull(l, l->piece, PIECE)) > 0)
		if (push(l, l->piece, (size_t)n) < 0)
			break;
	secret_wipe(l->piece, PIECE);
}

static void write_sealed(struct leaving *l)
{
	struct age_seal_options how = {.recipients = l->recipients};
	struct age_input in = {.read = pull, .arg = l};
	struct age_output out = {.write = push, .arg = l};
	struct age_result result;

	(void)age_seal(l->engine, &how, &in, &out, &result); /* cut off, it opens as cut off */
}

static void note_found(void *arg, const char *text)
{
	struct outlet_check *c = arg;

	if (c->count < OUTLET_FOUND)
		snprintf(c->found[c->count++], OUTLET_FOUND_TEXT, "%s", text);
}

static void check(struct leaving *l)
{
	struct outlet_check *c = &l->of->check;
	struct vault_report r = {.found = note_found, .arg = c};
	struct vault_totals t = {0};

	*c = (struct outlet_check){0};
	(void)vault_totals(l->v, &t);
	c->objects = t.objects;
	c->names = t.names;
	c->content = l->of->content;
	c->wrong = vault_check(l->v, c->content, &r);
	vault_rest(l->v);
	l->done = true;
}

static void run(struct job *job, unsigned worker)
{
	struct leaving *l = (struct leaving *)job; /* its first member */

	if (l->checks) {
		check(l);
		return;
	}
	if (l->recipients)
		write_sealed(l);
	else
		write_plain(l);
	vault_file_close(l->file);
	l->file = NULL;
	vault_rest(l->v);
	close(l->fd);
	l->fd = -1;
	l->done = true;
}

/* --- beginning ---------------------------------------------------------------------------- */

/* Takes back what is done. */
static void collect(struct outlet *o)
{
	for (unsigned i = 0; i < OUTLET_MOST; i++) {
		struct leaving *l = &o->list[i];

		if (!l->used || !l->done)
			continue;
		pool_wait(o->pool, &l->job);
		age_recipients_free(l->recipients);
		l->recipients = NULL;
		l->used = l->checks = false;
		if (o->checking == l) {
			o->checking = NULL;
			o->checked = true;
		}
	}
}

static struct leaving *free_place(struct outlet *o)
{
	collect(o);
	for (unsigned i = 0; i < OUTLET_MOST; i++)
		if (!o->list[i].used)
			return &o->list[i];
	return NULL;
}

static int open_file(void *arg, const struct vault_entry *e)
{
	struct leaving *l = arg;

	if (e->id != l->id)
		return -ESTALE;
	l->file = vault_file_open(l->cache, e);
	return l->file ? 0 : -ENOMEM;
}

int outlet_begin(struct outlet *o, int64_t id, struct age_recipients *recipients, int *ret_fd)
{
	struct leaving *l = free_place(o);
	int ends[2], err;

	if (!l)
		return -EBUSY;
	/* By the thread's own handle, which nobody uses now. */
	l->id = id;
	err = vault_next(l->v, id - 1, open_file, l);
	vault_rest(l->v);
	if (err < 0)
		return err == -ESTALE ? -ENOENT : err;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		err = -errno;
		vault_file_close(l->file);
		l->file = NULL;
		return err;
	}
	l->at = 0;
	l->fd = ends[1];
	l->recipients = recipients;
	l->done = false;
	l->used = true;
	l->job = (struct job){.run = run};
	pool_submit(o->pool, &l->job);
	*ret_fd = ends[0];
	return 0;
}

int outlet_check_begin(struct outlet *o, bool content)
{
	struct leaving *l = free_place(o);

	if (o->checking)
		return o->content == content ? 0 : -EALREADY;
	if (!l)
		return -EBUSY;
	o->checked = false;
	o->content = content;
	o->checking = l;
	l->done = false;
	l->used = l->checks = true;
	l->job = (struct job){.run = run};
	pool_submit(o->pool, &l->job);
	return 0;
}

const struct outlet_check *outlet_checked(struct outlet *o)
{
	collect(o);
	return o->checked ? &o->check : NULL;
}

/* --- opening ------------------------------------------------------------------------------ */

/* A handle that reads in the thread that uses it. */
static struct vault *open_handle(const char *dir, const struct keys *keys, struct keys **ret_keys,
				 char ret_error[KEYS_ERROR])
{
	struct vault *v;

	*ret_keys = keys_again(keys, ret_error);
	v = *ret_keys ? vault_open_with(dir, *ret_keys, 1, ret_error) : NULL;
	if (v)
		vault_lone(v);
	return v;
}

static bool open_leaving(struct outlet *o, struct leaving *l, const char *dir,
			 const struct keys *keys, char ret_error[KEYS_ERROR])
{
	l->of = o;
	l->fd = -1;
	l->v = open_handle(dir, keys, &l->keys, ret_error);
	if (!l->v)
		return false;
	l->cache = vault_cache_new(l->v);
	l->engine = age_engine_new(1);
	l->piece = secret_new(PIECE);
	return l->cache && l->engine && l->piece;
}

struct outlet *outlet_new(const char *dir, const struct keys *keys, char ret_error[KEYS_ERROR])
{
	struct outlet *o = calloc(1, sizeof(*o));
	bool fine;
	int err;

	snprintf(ret_error, KEYS_ERROR, "no memory, or no threads");
	errno = ENOMEM;
	if (!o)
		return NULL;
	o->v = open_handle(dir, keys, &o->keys, ret_error);
	fine = o->v;
	for (unsigned i = 0; fine && i < OUTLET_MOST; i++)
		fine = open_leaving(o, &o->list[i], dir, keys, ret_error);
	if (fine)
		o->pool = pool_new(OUTLET_MOST);
	if (o->pool)
		return o;
	err = errno;
	outlet_free(o);
	errno = err;
	return NULL;
}

void outlet_free(struct outlet *o)
{
	if (!o)
		return;
	o->stop = true;
	for (unsigned i = 0; i < OUTLET_MOST; i++) {
		struct leaving *l = &o->list[i];

		if (l->used)
			pool_wait(o->pool, &l->job);
		age_recipients_free(l->recipients);
		age_engine_free(l->engine);
		vault_cache_free(l->cache);
		secret_free(l->piece, PIECE);
		vault_close(l->v);
		keys_free(l->keys);
	}
	pool_free(o->pool);
	vault_close(o->v);
	keys_free(o->keys);
	free(o);
}

struct vault *outlet_vault(struct outlet *o)
{
	return o->v;
}
