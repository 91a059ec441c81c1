/* Reading one object: each core takes one chunk all the way, reads it, opens it while it is in
 * that core's cache, and hands it over in its turn. */
#include "keep/vault_read.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/behind.h"
#include "base/file.h"
#include "base/secret.h"

#define PAGE   4096u
#define LONG   (4 * OBJECT_CHUNK) /* sealed: worth going around the page cache */
#define LENGTH 4		  /* bytes that a chunk begins with */
/* A chunk and the next one's length, at any place. */
#define PAGES ((OBJECT_SEALED_MAX + LENGTH + 2 * PAGE) & ~(PAGE - 1))

struct reading {
	struct reading_options o;
	struct sealer *root; /* what hashes the leaves; whose turn it is uses it */

	pthread_mutex_t taking; /* the next chunk: these, and reading it */
	uint64_t at, end;	/* of the chunks not yet taken */
	uint64_t number;	/* of the next to be taken */
	size_t length;		/* of the next; 0: not known, there was none before it */
	int cut;		/* why no more can be taken */
	bool direct;		/* around the page cache */
	struct behind behind;	/* in the pack */

	pthread_mutex_t mutex; /* the order of what is handed over: the rest */
	pthread_cond_t turn;
	uint64_t next;		      /* of the next to be handed over */
	uint64_t size;		      /* handed over */
	uint8_t address[CRYPTO_HASH]; /* of an object of one chunk */
	int err;
};

struct lane {
	struct job job;
	struct reading *r;
	struct vault *v;
	uint8_t *pages, *plain; /* both by pages, as O_DIRECT wants it */
};

struct chunk {
	uint64_t number;
	struct bytes sealed; /* in the lane's pages */
	size_t len;
	bool last;
	uint8_t leaf[CRYPTO_HASH];
};

/* A chunk's length is its first four bytes. -EBADMSG: it has none that is possible. */
static int measure(struct bytes in, uint64_t room, size_t *ret_len)
{
	size_t len;

	if (object_chunk_length(in, &len) != PARSE_OK || len > room)
		return -EBADMSG;
	*ret_len = len;
	return 0;
}

/* Whole pages of the pack, `want` bytes at least but at its end. Their number or -errno. */
static ssize_t read_pages(struct reading *r, uint8_t *to, uint64_t from, size_t want)
{
	size_t len = (want + PAGE - 1) & ~(size_t)(PAGE - 1), got = 0;

	while (got < want) {
		ssize_t n = pread(r->o.pack, to + got, len - got, (off_t)(from + got));

		if (n < 0 && errno == EINVAL && r->direct) {
			if (fcntl(r->o.pack, F_SETFL, 0) < 0)
				return -errno;
			r->direct = false;
			continue; /* not by pages of this size, or not here */
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

/* The next chunk and, since only it tells where the one after it ends, that one's length. */
static int read_chunk(struct reading *r, uint8_t *pages, struct chunk *c)
{
	uint64_t room = r->end - r->at;
	size_t skip = r->at % PAGE, len = r->length;
	size_t most = len ? len : room < OBJECT_SEALED_MAX ? (size_t)room : OBJECT_SEALED_MAX;
	ssize_t n = read_pages(r, pages, r->at - skip, skip + most + (most < room ? LENGTH : 0));
	size_t got = n < (ssize_t)skip ? 0 : (size_t)n - skip;
	int err = n < 0 ? (int)n : 0;

	if (err == 0 && !len)
		err = measure((struct bytes){pages + skip, got}, room, &len);
	if (err == 0 && got < len)
		err = -EBADMSG;
	if (err < 0)
		return err;
	c->sealed = (struct bytes){pages + skip, len};
	c->number = r->number++;
	c->last = len == room;
	r->at += len;
	if (!c->last)
		r->cut = measure((struct bytes){pages + skip + len, got - len}, room - len,
				 &r->length);
	return 0;
}

static bool has_failed(struct reading *r)
{
	bool failed;

	pthread_mutex_lock(&r->mutex);
	failed = r->err < 0;
	pthread_mutex_unlock(&r->mutex);
	return failed;
}

/* False: there is none, or something failed; what was taken before is still handed over. */
static bool take_chunk(struct lane *a, struct chunk *c)
{
	struct reading *r = a->r;
	bool more;
	int err;

	pthread_mutex_lock(&r->taking);
	more = r->cut == 0 && r->at < r->end && !has_failed(r);
	if (more) {
		err = read_chunk(r, a->pages, c);
		if (err < 0)
			r->cut = err;
		more = err == 0;
		if (more && !r->direct)
			behind_read(&r->behind, r->at);
	}
	pthread_mutex_unlock(&r->taking);
	return more;
}

static int open_chunk(struct lane *a, struct sealer *s, struct chunk *c)
{
	struct reading *r = a->r;
	int err = object_open_chunk(s, r->o.key, c->number, c->last, c->sealed, a->plain, &c->len);

	if (err == 0 && r->o.verify)
		err = r->o.object->head.size <= OBJECT_CHUNK
			      ? object_address(s, (struct bytes){a->plain, c->len}, r->address)
			      : object_leaf(s, (struct bytes){a->plain, c->len}, c->leaf);
	return err;
}

/* Every chunk that was taken has its turn, whatever came of it: the next one waits for it. */
static bool hand_over(struct lane *a, const struct chunk *c, int err)
{
	struct reading *r = a->r;

	pthread_mutex_lock(&r->mutex);
	while (r->next != c->number)
		pthread_cond_wait(&r->turn, &r->mutex);
	if (r->err < 0)
		err = r->err;
	pthread_mutex_unlock(&r->mutex);

	if (err == 0 && r->o.verify)
		err = object_root_add(r->root, c->leaf);
	if (err == 0)
		err = r->o.write(r->o.arg, (struct bytes){a->plain, c->len});

	pthread_mutex_lock(&r->mutex);
	r->size += err == 0 ? c->len : 0;
	r->err = err;
	r->next++;
	pthread_cond_broadcast(&r->turn);
	pthread_mutex_unlock(&r->mutex);
	return err == 0;
}

static void run_lane(struct lane *a, struct sealer *s)
{
	struct chunk c;

	while (take_chunk(a, &c))
		if (!hand_over(a, &c, open_chunk(a, s, &c)))
			break;
}

static void work(struct job *job, unsigned worker)
{
	struct lane *a = (struct lane *)job;

	run_lane(a, a->v->sealers[worker]);
}

static int check_address(struct reading *r)
{
	const struct object_head *h = &r->o.object->head;
	int err = 0;

	if (r->cut < 0)
		return r->cut;
	if (r->size != h->size)
		return -EBADMSG;
	if (!r->o.verify)
		return 0;
	if (h->size > OBJECT_CHUNK)
		err = object_root_end(r->root, h->size, r->address);
	if (err == 0 && !crypto_equal(r->address, h->address, CRYPTO_HASH))
		err = -EBADMSG;
	return err;
}

static int run(struct reading *r, struct vault *v, struct sealer *s, unsigned lanes)
{
	struct lane all[VAULT_WORKERS_MAX] = {0};
	unsigned count = 0;
	int err = r->o.verify ? object_root_start(r->root) : 0;

	pthread_mutex_init(&r->taking, NULL);
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->turn, NULL);
	for (unsigned i = 0; err == 0 && i < lanes; i++) {
		all[i] = (struct lane){.job.run = work,
				       .r = r,
				       .v = v,
				       .pages = aligned_alloc(PAGE, PAGES),
				       .plain = aligned_alloc(PAGE, OBJECT_CHUNK)};
		if (!all[i].pages || !all[i].plain)
			err = -ENOMEM;
	}
	if (err == 0 && s)
		run_lane(&all[0], s);
	for (; err == 0 && !s && count < lanes; count++)
		pool_submit(v->pool, &all[count].job);
	for (unsigned i = 0; i < count; i++)
		pool_wait(v->pool, &all[i].job);
	if (err == 0)
		err = r->err < 0 ? r->err : check_address(r);
	for (unsigned i = 0; i < lanes; i++) {
		free(all[i].pages);
		free(all[i].plain);
	}
	pthread_cond_destroy(&r->turn);
	pthread_mutex_destroy(&r->mutex);
	pthread_mutex_destroy(&r->taking);
	return err;
}

static struct reading begin(const struct reading_options *o, struct sealer *root)
{
	uint64_t at = o->object->at + OBJECT_HEAD;

	return (struct reading){.o = *o,
				.root = root,
				.at = at,
				.end = at + o->object->head.length,
				.direct = fcntl(o->pack, F_GETFL) & O_DIRECT,
				.behind = behind_at(o->pack, at)};
}

int reading_alone(struct sealer *s, const struct reading_options *o)
{
	struct reading r = begin(o, s);

	return run(&r, NULL, s, 1);
}

int reading_together(struct vault *v, const struct reading_options *o)
{
	uint64_t chunks = o->object->head.size / OBJECT_CHUNK + 1;
	struct reading r = begin(o, v->sealer);

	if (chunks <= 2 || v->workers == 1)
		return reading_alone(v->sealer, o);
	return run(&r, v, NULL, chunks < v->workers ? (unsigned)chunks : v->workers);
}

/* --- for others ------------------------------------------------------------------------------ */

int vault_stream(struct vault *v, const struct vault_entry *e,
		 int (*write)(void *arg, struct bytes data), void *arg, bool verify)
{
	bool is_long = e->object->head.length > LONG;
	uint8_t *key = secret_new(CRYPTO_KEY);
	int pack, err;

	if (!key)
		return -ENOMEM;
	memcpy(key, e->key, CRYPTO_KEY);
	pack = is_long ? pack_open_long(v->dir, e->object->pack) : vault_pack(v, e->object->pack);
	err = pack < 0 ? pack
		       : reading_together(v, &(struct reading_options){.object = e->object,
								       .key = key,
								       .pack = pack,
								       .write = write,
								       .arg = arg,
								       .verify = verify});
	if (is_long && pack >= 0)
		close(pack);
	secret_free(key, CRYPTO_KEY);
	return err;
}

static int forget(void *arg, struct bytes data)
{
	return 0;
}

/* From where it stands. */
static struct sink sink_of(int fd)
{
	off_t at = lseek(fd, 0, SEEK_CUR);

	return (struct sink){
		.fd = fd, .written = at < 0 ? 0 : (uint64_t)at, .behind = behind_here(fd)};
}

struct sink sink_of_new(int fd)
{
	struct sink s = sink_of(fd);

	s.direct = fd >= 0 && fcntl(fd, F_SETFL, O_DIRECT) == 0;
	return s;
}

/* From here on by way of the page cache. */
static int go_cached(struct sink *s)
{
	if (fcntl(s->fd, F_SETFL, 0) < 0)
		return -errno;
	s->direct = false;
	s->behind = behind_at(s->fd, s->written);
	return 0;
}

int sink_write(void *arg, struct bytes data)
{
	struct sink *s = arg;
	int err = 0;

	while (err == 0 && data.len > 0) {
		bool pages = (s->written | data.len | (uintptr_t)data.data) % PAGE == 0;
		ssize_t n;

		if (s->direct && !pages) /* the last of it */
			err = go_cached(s);
		n = err == 0 ? write(s->fd, data.data, data.len) : 0;
		if (n < 0 && errno == EINVAL && s->direct)
			err = go_cached(s); /* a file system of larger pages */
		else if (n < 0 && errno != EINTR)
			err = -errno;
		if (n > 0) {
			s->written += (size_t)n;
			data = (struct bytes){data.data + n, data.len - (size_t)n};
		}
	}
	return err == 0 && !s->direct ? behind_written(&s->behind, s->written) : err;
}

int vault_read(struct vault *v, const struct vault_entry *e, int fd)
{
	struct sink sink = sink_of(fd);

	return vault_stream(v, e, sink_write, &sink, false);
}

int vault_verify_object(struct vault *v, struct catalog_object *o, const uint8_t key[CRYPTO_KEY])
{
	struct vault_entry e = {.size = o->head.size, .object = o, .key = key};

	return vault_stream(v, &e, forget, NULL, true);
}

int vault_verify(struct vault *v, const uint8_t address[CRYPTO_HASH])
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	struct catalog_object o;
	int err = key ? catalog_object_by_address(v->catalog, address, &o) : -ENOMEM;

	if (err == 0)
		err = vault_object_key(v, &o.head, key);
	if (err == 0)
		err = vault_verify_object(v, &o, key);
	secret_free(key, CRYPTO_KEY);
	return err;
}
