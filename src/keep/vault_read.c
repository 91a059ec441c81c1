/* Reading one object: each core takes one chunk all the way, reads it, opens it while it is in
 * that core's cache, and hands it over in its turn. */
#include "keep/vault_read.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/secret.h"

struct reading {
	struct reading_options o;
	struct sealer *root; /* what hashes the leaves; whose turn it is uses it */

	pthread_mutex_t mutex;
	pthread_cond_t turn;
	uint64_t at, end;	      /* of the chunks not yet taken */
	uint64_t number;	      /* of the next to be taken */
	uint64_t next;		      /* of the next to be handed over */
	uint64_t size;		      /* handed over */
	uint8_t address[CRYPTO_HASH]; /* of an object of one chunk */
	int err, cut;		      /* `cut`: why no more can be taken */
};

struct lane {
	struct job job;
	struct reading *r;
	struct vault *v;
	uint8_t *sealed, *plain;
};

struct chunk {
	uint64_t at, number;
	size_t sealed, len;
	bool last;
	uint8_t leaf[CRYPTO_HASH];
};

/* Its length is its first four bytes. -EBADMSG: it has none that is possible. */
static int measure(struct reading *r, size_t *ret_len)
{
	uint8_t length[4];
	int err = pack_read(r->o.pack, r->at, length, sizeof(length));

	if (err == 0 && (object_chunk_length((struct bytes){length, 4}, ret_len) != PARSE_OK ||
			 *ret_len > r->end - r->at))
		err = -EBADMSG;
	return err == -ENODATA ? -EBADMSG : err;
}

/* False: there is none, or something failed; what was taken before is still handed over. */
static bool take_chunk(struct reading *r, struct chunk *c)
{
	bool more;

	pthread_mutex_lock(&r->mutex);
	more = r->err == 0 && r->cut == 0 && r->at < r->end;
	if (more)
		r->cut = measure(r, &c->sealed);
	more = more && r->cut == 0;
	if (more) {
		c->at = r->at;
		c->number = r->number++;
		r->at += c->sealed;
		c->last = r->at == r->end;
	}
	pthread_mutex_unlock(&r->mutex);
	return more;
}

static int open_chunk(struct lane *a, struct sealer *s, struct chunk *c)
{
	struct reading *r = a->r;
	int err = pack_read(r->o.pack, c->at, a->sealed, c->sealed);

	if (err == 0)
		err = object_open_chunk(s, r->o.key, c->number, c->last,
					(struct bytes){a->sealed, c->sealed}, a->plain, &c->len);
	if (err == 0 && r->o.verify)
		err = r->o.object->head.size <= OBJECT_CHUNK
			      ? object_address(s, (struct bytes){a->plain, c->len}, r->address)
			      : object_leaf(s, (struct bytes){a->plain, c->len}, c->leaf);
	return err == -ENODATA ? -EBADMSG : err;
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

	while (take_chunk(a->r, &c))
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

	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->turn, NULL);
	for (unsigned i = 0; err == 0 && i < lanes; i++) {
		all[i] = (struct lane){.job.run = work,
				       .r = r,
				       .v = v,
				       .sealed = malloc(OBJECT_SEALED_MAX),
				       .plain = malloc(OBJECT_CHUNK)};
		if (!all[i].sealed || !all[i].plain)
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
		free(all[i].sealed);
		free(all[i].plain);
	}
	pthread_cond_destroy(&r->turn);
	pthread_mutex_destroy(&r->mutex);
	return err;
}

static struct reading begin(const struct reading_options *o, struct sealer *root)
{
	uint64_t at = o->object->at + OBJECT_HEAD;

	return (struct reading){
		.o = *o, .root = root, .at = at, .end = at + o->object->head.length};
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
	uint8_t *key = secret_new(CRYPTO_KEY);
	int pack = vault_pack(v, e->object->pack), err;

	if (!key)
		return -ENOMEM;
	memcpy(key, e->key, CRYPTO_KEY);
	err = pack < 0 ? pack
		       : reading_together(v, &(struct reading_options){.object = e->object,
								       .key = key,
								       .pack = pack,
								       .write = write,
								       .arg = arg,
								       .verify = verify});
	secret_free(key, CRYPTO_KEY);
	return err;
}

static int forget(void *arg, struct bytes data)
{
	return 0;
}

static int write_fd(void *arg, struct bytes data)
{
	return file_write(*(int *)arg, data);
}

int vault_read(struct vault *v, const struct vault_entry *e, int fd)
{
	return vault_stream(v, e, write_fd, &fd, false);
}

int vault_verify(struct vault *v, const uint8_t address[CRYPTO_HASH])
{
	uint8_t *key = secret_new(CRYPTO_KEY);
	struct catalog_object o;
	struct vault_entry e = {.object = &o, .key = key};
	int err = key ? catalog_object_by_address(v->catalog, address, &o) : -ENOMEM;

	if (err == 0)
		err = vault_object_key(v, &o.head, key);
	if (err == 0) {
		e.size = o.head.size;
		err = vault_stream(v, &e, forget, NULL, true);
	}
	secret_free(key, CRYPTO_KEY);
	return err;
}
