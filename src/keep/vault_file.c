#include "keep/vault_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/secret.h"
#include "keep/vault_internal.h"

#define SLOTS 16 /* chunks in the cache, 4 MiB */

struct slot {
	const struct vault_file *file; /* NULL: nothing is in it */
	uint64_t number, used;	       /* the chunk; when it was last asked for */
	size_t len;
	uint8_t *plain;
};

struct vault_cache {
	struct vault *v;
	struct slot slots[SLOTS];
	uint64_t clock;
	uint8_t *key;	 /* locked memory, as the slots' is */
	uint8_t *plain;	 /* all slots' */
	uint8_t *sealed; /* a chunk as it lies in the pack */
};

struct vault_file {
	struct vault_cache *cache;
	struct catalog_object object;
	/* Where chunks begin, from the object's first: as many as were passed so far, and the
	 * one behind them. */
	uint64_t *starts;
	size_t known, room;
};

struct vault_cache *vault_cache_new(struct vault *v)
{
	struct vault_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->v = v;
	c->key = secret_new(CRYPTO_KEY);
	c->plain = secret_new((size_t)SLOTS * OBJECT_CHUNK);
	c->sealed = malloc(OBJECT_SEALED_MAX);
	if (c->key && c->plain && c->sealed) {
		for (unsigned i = 0; i < SLOTS; i++)
			c->slots[i].plain = c->plain + (size_t)i * OBJECT_CHUNK;
		return c;
	}
	vault_cache_free(c);
	return NULL;
}

void vault_cache_free(struct vault_cache *c)
{
	if (!c)
		return;
	secret_free(c->plain, (size_t)SLOTS * OBJECT_CHUNK);
	secret_free(c->key, CRYPTO_KEY);
	free(c->sealed);
	free(c);
}

static void forget(struct slot *s)
{
	secret_wipe(s->plain, s->len);
	s->file = NULL;
	s->len = 0;
}

struct vault_file *vault_file_open(struct vault_cache *c, const struct vault_entry *e)
{
	struct vault_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->cache = c;
	f->object = *e->object;
	f->room = 16;
	f->starts = calloc(f->room, sizeof(*f->starts));
	if (f->starts)
		return f;
	free(f);
	return NULL;
}

void vault_file_close(struct vault_file *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		if (f->cache->slots[i].file == f)
			forget(&f->cache->slots[i]);
	free(f->starts);
	free(f);
}

/* --- a chunk ------------------------------------------------------------------------------- */

static uint64_t chunks_of(uint64_t size)
{
	return size ? (size - 1) / OBJECT_CHUNK + 1 : 1;
}

/* Chunks are as long as they could be made: each says how long it is, and so where the next is. */
static int pass_chunks(struct vault_file *f, int pack, uint64_t number)
{
	const struct object_head *h = &f->object.head;

	while (f->known <= number) {
		uint64_t at = f->starts[f->known];
		uint8_t length[4];
		size_t len;
		int err = pack_read(pack, f->object.at + OBJECT_HEAD + at, length, sizeof(length));

		if (err < 0)
			return err == -ENODATA ? -EBADMSG : err;
		if (object_chunk_length((struct bytes){length, 4}, &len) != PARSE_OK ||
		    at > h->length || len > h->length - at)
			return -EBADMSG;
		if (f->known + 2 > f->room) {
			uint64_t *more = realloc(f->starts, 2 * f->room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			f->starts = more;
			f->room *= 2;
		}
		f->starts[++f->known] = at + len;
	}
	return 0;
}

/* Whether the object is what it was, though perhaps sealed by another data key. */
static int still_there(struct vault_file *f)
{
	struct catalog_object o;
	int err = catalog_object_by_id(f->cache->v->catalog, f->object.id, &o);

	if (err == 0 && memcmp(o.head.address, f->object.head.address, CRYPTO_HASH) != 0)
		err = -ENOENT;
	if (err == 0)
		err = vault_object_key(f->cache->v, &o.head, f->cache->key);
	return err == -ENOENT || err == -ENOKEY ? -ESTALE : err;
}

static int open_chunk(struct vault_file *f, uint64_t number, struct slot *s)
{
	struct vault_cache *c = f->cache;
	int pack = vault_pack(c->v, f->object.pack), err = pack < 0 ? pack : still_there(f);
	uint64_t last = chunks_of(f->object.head.size) - 1;
	size_t sealed, want = OBJECT_CHUNK;

	if (err == 0)
		err = pass_chunks(f, pack, number);
	if (err < 0)
		return err;
	sealed = (size_t)(f->starts[number + 1] - f->starts[number]);
	if (number == last)
		want = (size_t)(f->object.head.size - last * OBJECT_CHUNK);
	err = pack_read(pack, f->object.at + OBJECT_HEAD + f->starts[number], c->sealed, sealed);
	if (err == 0)
		err = object_open_chunk(c->v->sealer, c->key, number, number == last,
					(struct bytes){c->sealed, sealed}, s->plain, &s->len);
	if (err == 0 && s->len != want) {
		secret_wipe(s->plain, s->len);
		err = -EBADMSG;
	}
	return err == -ENODATA ? -EBADMSG : err;
}

/* From the cache, or into it, where it was looked at least lately. */
static int find_chunk(struct vault_file *f, uint64_t number, struct slot **ret_slot)
{
	struct vault_cache *c = f->cache;
	struct slot *oldest = &c->slots[0];
	int err;

	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &c->slots[i];

		if (s->file == f && s->number == number) {
			s->used = ++c->clock;
			*ret_slot = s;
			return 0;
		}
		if (!s->file || s->used < oldest->used)
			oldest = s;
		if (!oldest->file)
			oldest->used = 0;
	}
	forget(oldest);
	err = open_chunk(f, number, oldest);
	secret_wipe(c->key, CRYPTO_KEY);
	if (err < 0) {
		oldest->len = 0;
		return err;
	}
	oldest->file = f;
	oldest->number = number;
	oldest->used = ++c->clock;
	*ret_slot = oldest;
	return 0;
}

ssize_t vault_file_read(struct vault_file *f, uint64_t at, void *ret_data, size_t len)
{
	uint64_t size = f->object.head.size;
	uint8_t *to = ret_data;
	size_t got = 0;

	if (at >= size)
		return 0;
	if (len > size - at)
		len = (size_t)(size - at);
	while (got < len) {
		size_t from = (size_t)((at + got) % OBJECT_CHUNK), n;
		struct slot *s;
		int err = find_chunk(f, (at + got) / OBJECT_CHUNK, &s);

		if (err < 0) {
			secret_wipe(ret_data, got);
			return err;
		}
		n = s->len - from < len - got ? s->len - from : len - got;
		memcpy(to + got, s->plain + from, n);
		got += n;
	}
	return (ssize_t)got;
}
