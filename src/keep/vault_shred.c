/*
 * Destroying. For each data key that one of the objects to go was sealed by, in
 * this order, each step on the disk before the next:
 *
 *   1. the key seals nothing any more (keyring)
 *   2. what stays has its own key sealed by another data key; what goes is out of
 *      the index; the key is doomed; the log says so (one transaction)
 *   3. the packs say the same: new heads, holes
 *   4. the key is destroyed (keyring)
 *   5. it is doomed no longer, and the log has the proof (one transaction)
 *
 * A process that is killed leaves a doomed key, or none. vault_resume() takes it
 * up at step 3.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "keep/vault_internal.h"

#define LINE  512
#define ROUND 65536 /* names that go together: what it takes in memory does not grow with all */

/* One name that is to go, and where it and its object lie. */
struct victim {
	int64_t name, object;
	uint32_t key;
	uint32_t name_pack, object_pack;
	uint32_t name_len;
	uint64_t name_at, object_at, object_len;
	bool whole; /* no other name holds the object */
};

struct victims {
	struct victim *list;
	size_t count, room;
	bool (*wanted)(void *arg, const struct vault_entry *e);
	void *arg;
};

/* Data keys in hand. */
struct doomed {
	struct doomed_key {
		uint32_t id;
		uint32_t into; /* what stayed is sealed by this one now; 0: nothing did */
	} * list;
	size_t count;
};

/* The pack that is being changed. */
struct editing {
	const char *dir;
	uint32_t pack;
	int fd; /* -1: none */
};

static void hex(const uint8_t *data, size_t len, char *ret_text)
{
	for (size_t i = 0; i < len; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", data[i]);
}

/* --- the log ----------------------------------------------------------------------- */

static int note(struct vault *v, struct json *j)
{
	json_u64(j, "uid", getuid());
	json_close(j);
	return j->out.bad ? -ENAMETOOLONG : vault_note(v, (const char *)j->out.data, j->out.len);
}

static int note_victim(struct vault *v, const struct victim *t,
		       const uint8_t object_address[CRYPTO_HASH], const char *why)
{
	char buf[LINE], address[2 * CRYPTO_HASH + 1];
	struct json j = json_new(buf, sizeof(buf));

	hex(object_address, CRYPTO_HASH, address);
	json_open(&j, NULL);
	json_str(&j, "action", t->whole ? "shred" : "unname");
	json_str(&j, "address", address);
	json_u64(&j, "key", t->key);
	json_str(&j, "why", why);
	return note(v, &j);
}

/* `action` "doom" before, "destroyed" after: between the two lines the keyring lost that key. */
static int note_key(struct vault *v, const char *action, uint32_t id, const uint8_t *print)
{
	char buf[LINE], text[2 * CRYPTO_HASH + 1];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_str(&j, "action", action);
	json_u64(&j, "key", id);
	if (print) {
		hex(print, CRYPTO_HASH, text);
		json_str(&j, "print", text);
	}
	return note(v, &j);
}

/* --- steps 1 and 2 -------------------------------------------------------------------- */

static int collect(void *arg, const struct vault_entry *e)
{
	struct victims *t = arg;

	if (!t->wanted(t->arg, e))
		return 0;
	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 256;
		struct victim *more = realloc(t->list, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->list = more;
		t->room = room;
	}
	t->list[t->count++] = (struct victim){
		.name = e->id,
		.object = e->object->id,
		.key = e->object->head.key,
		.object_pack = e->object->pack,
		.object_at = e->object->at,
		.object_len = OBJECT_HEAD + e->object->head.length,
	};
	return t->count == ROUND;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct doomed_key *)a)->id, y = ((const struct doomed_key *)b)->id;

	return x < y ? -1 : x > y;
}

/* The data keys of all that may go, each once. */
static int keys_of(const struct victims *t, struct doomed *ret_doomed)
{
	struct doomed_key *list = calloc(t->count + 1, sizeof(*list));
	size_t count = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++)
		list[i].id = t->list[i].key;
	qsort(list, t->count, sizeof(*list), by_number);
	for (size_t i = 0; i < t->count; i++)
		if (i == 0 || list[i].id != list[count - 1].id)
			list[count++].id = list[i].id;
	*ret_doomed = (struct doomed){list, count};
	return 0;
}

static int retire(struct vault *v, const struct doomed *d)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < d->count; i++)
		err = keys_retire(v->keys, d->list[i].id);
	return err;
}

static int drop_name(struct vault *v, struct victim *t)
{
	struct catalog_name n;
	int err = catalog_name_next(v->catalog, t->name - 1, &n);

	if (err == 0 && n.id != t->name)
		err = -ENOENT;
	if (err < 0)
		return err;
	t->name_pack = n.pack;
	t->name_at = n.at;
	t->name_len = (uint32_t)(OBJECT_NAME_HEAD + n.sealed.len);
	return catalog_drop_name(v->catalog, t->name);
}

/* Of several names of one object that go the last takes it along. */
static int drop(struct vault *v, struct victim *t, const char *why)
{
	struct catalog_object o;
	int64_t left;
	int err = drop_name(v, t);

	if (err == 0)
		err = catalog_object_by_id(v->catalog, t->object, &o);
	if (err == 0)
		err = catalog_names(v->catalog, t->object, &left);
	t->whole = err == 0 && left == 0;
	if (t->whole)
		err = catalog_drop_object(v->catalog, t->object);
	return err == 0 ? note_victim(v, t, o.head.address, why) : err;
}

static int drop_all(struct vault *v, struct victims *t, const char *why)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < t->count; i++)
		err = drop(v, &t->list[i], why);
	return err;
}

/* One object from one data key to the one that seals for the same purpose and day now. */
static int rebox(struct vault *v, struct catalog_object *o, const struct keys_info *info,
		 uint8_t *key, uint32_t *ret_into)
{
	const uint8_t *data_key;
	uint32_t id = 0;
	int err = vault_object_key(v, &o->head, key);

	if (err == 0)
		err = keys_sealing(v->keys, info->purpose, info->day, &id, &data_key);
	if (err == 0 && id == o->head.key)
		err = -EINVAL; /* it was not retired */
	if (err == 0)
		err = object_box(v->sealer, data_key, o->head.address, key, o->head.box);
	*ret_into = id;
	return err == 0 ? catalog_rebox(v->catalog, o->id, id, o->head.box) : err;
}

/* Everything out of a data key, which is doomed then. */
static int empty(struct vault *v, struct doomed_key *d)
{
	struct catalog_object o = {.id = 0};
	uint8_t *key = secret_new(CRYPTO_KEY);
	uint32_t id = d->id;
	struct keys_info info;
	int err = key ? keys_describe(v->keys, id, &info) : -ENOMEM;

	while (err == 0 && (err = catalog_object_next(v->catalog, o.id, id, &o)) == 0)
		err = rebox(v, &o, &info, key, &d->into);
	secret_free(key, CRYPTO_KEY);
	if (err != -ENOENT)
		return err;
	err = catalog_doom(v->catalog, id);
	return err == 0 ? note_key(v, "doom", id, info.print) : err;
}

/* --- step 3 ------------------------------------------------------------------------------ */

static int end_editing(struct editing *e)
{
	int err = e->fd >= 0 && fdatasync(e->fd) < 0 ? -errno : 0;

	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
	return err;
}

/* -ENODATA, -ENOENT, -EUCLEAN: the pack is damaged, which is for vault_check() to say. */
static int edit(struct editing *e, uint32_t pack)
{
	int err = 0;

	if (e->fd >= 0 && e->pack == pack)
		return 0;
	err = end_editing(e);
	if (err < 0)
		return err;
	e->fd = pack_open(e->dir, pack, true);
	e->pack = pack;
	return e->fd < 0 ? e->fd : 0;
}

/* The head in the pack is made to say what the index says. */
static int mend_head(struct editing *e, const struct catalog_object *o)
{
	uint8_t head[OBJECT_HEAD], want[OBJECT_HEAD];
	int err = edit(e, o->pack);

	if (err == 0)
		err = pack_read(e->fd, o->at, head, sizeof(head));
	object_write_head(&o->head, want);
	if (err < 0 || memcmp(head, want, sizeof(head)) == 0)
		return err;
	return pack_write(e->fd, o->at + OBJECT_KEY_AT,
			  (struct bytes){want + OBJECT_KEY_AT, OBJECT_KEY_LEN});
}

/* Of one data key, or of all where `key` is 0. What no pack has any more is not mended here. */
static int mend_heads(struct vault *v, struct editing *e, uint32_t key)
{
	struct catalog_object o = {.id = 0};
	int err = 0;

	while (err == 0 && (err = catalog_object_next(v->catalog, o.id, key, &o)) == 0) {
		err = mend_head(e, &o);
		if (err == -ENODATA || err == -ENOENT || err == -EUCLEAN)
			err = 0;
	}
	return err == -ENOENT ? 0 : err;
}

static int punch(struct editing *e, uint32_t pack, uint64_t at, uint64_t len)
{
	int err = edit(e, pack);

	if (err == 0)
		err = pack_punch(e->fd, at, len);
	return err == -ENOENT || err == -EUCLEAN ? 0 : err;
}

static int punch_victims(struct editing *e, const struct victims *t)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < t->count; i++) {
		const struct victim *one = &t->list[i];

		err = punch(e, one->name_pack, one->name_at, one->name_len);
		if (err == 0 && one->whole)
			err = punch(e, one->object_pack, one->object_at, one->object_len);
	}
	return err;
}

/* --- steps 4 and 5 ------------------------------------------------------------------------ */

static int destroy(struct vault *v, uint32_t id)
{
	int err = keys_destroy(v->keys, id);

	if (err < 0 && err != -ENOKEY) /* destroyed already, by who was killed then */
		return err;
	err = catalog_begin(v->catalog);
	if (err < 0)
		return err;
	err = catalog_undoom(v->catalog, id);
	if (err == 0)
		err = note_key(v, "destroyed", id, NULL);
	if (err == 0)
		err = catalog_commit(v->catalog);
	if (err < 0)
		catalog_rollback(v->catalog);
	return err;
}

static int destroy_doomed(struct vault *v)
{
	uint32_t id;
	int err = 0;

	while (err == 0 && (err = catalog_next_doomed(v->catalog, &id)) == 0)
		err = destroy(v, id);
	return err == -ENOENT ? 0 : err;
}

/* --- one at a time -------------------------------------------------------------------------- */

int vault_shred_lock(const char *dir, bool wait)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/shred.lock", dir) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	(void)file_follow_folder(fd, path);
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
		if (errno != EINTR) {
			int err = -errno;

			close(fd);
			return err;
		}
	return fd;
}

/* Under the lock. Which heads and which holes were left to make is not known: all are looked at. */
static int resume(struct vault *v)
{
	struct editing e = {.dir = v->dir, .fd = -1};
	uint32_t id;
	int err = catalog_next_doomed(v->catalog, &id), end;

	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = mend_heads(v, &e, 0);
	end = end_editing(&e);
	if (err == 0)
		err = end;
	if (err == 0)
		err = vault_punch_unknown(v);
	return err == 0 ? destroy_doomed(v) : err;
}

int vault_resume(struct vault *v)
{
	uint32_t id;
	int err = catalog_next_doomed(v->catalog, &id), lock;

	if (err < 0)
		return err == -ENOENT ? 0 : err;
	lock = vault_shred_lock(v->dir, false);
	if (lock < 0)
		return lock == -EWOULDBLOCK ? 0 : lock; /* it is being done */
	err = resume(v);
	close(lock);
	return err;
}

/* --- the calls --------------------------------------------------------------------------------- */

/* Steps 2 to 5 for what was collected, its keys retired. */
static int shred(struct vault *v, struct victims *t, struct doomed *d, const char *why)
{
	struct editing e = {.dir = v->dir, .fd = -1};
	int err = catalog_begin(v->catalog), end;

	if (err < 0)
		return err;
	err = drop_all(v, t, why);
	for (size_t i = 0; err == 0 && i < d->count; i++)
		err = empty(v, &d->list[i]);
	if (err == 0)
		err = catalog_commit(v->catalog);
	if (err < 0) {
		catalog_rollback(v->catalog);
		return err;
	}
	for (size_t i = 0; err == 0 && i < d->count; i++)
		if (d->list[i].into)
			err = mend_heads(v, &e, d->list[i].into);
	if (err == 0)
		err = punch_victims(&e, t);
	end = end_editing(&e);
	if (err == 0)
		err = end;
	return err == 0 ? destroy_doomed(v) : err;
}

/* The next of the range that are wanted, as many as go together. *ret_more: there may be others. */
static int shred_round(struct vault *v, struct victims *t, struct catalog_range *range,
		       const char *why, bool *ret_more)
{
	struct doomed d = {.list = NULL};
	int err;

	t->count = 0;
	err = vault_walk_range(v, range, collect, t);
	*ret_more = err > 0;
	if (err > 0)
		err = 0;
	if (err == 0)
		err = keys_of(t, &d);
	if (err == 0)
		err = retire(v, &d);
	if (err == 0 && t->count)
		err = shred(v, t, &d, why);
	free(d.list);
	return err;
}

int vault_shred(struct vault *v, bool (*wanted)(void *arg, const struct vault_entry *e), void *arg,
		const char *why, uint64_t *ret_count)
{
	struct victims t = {.wanted = wanted, .arg = arg};
	struct catalog_range range = {.after = 0};
	int lock = vault_shred_lock(v->dir, true), err;
	uint64_t count = 0;
	bool more = true;

	if (lock < 0)
		return lock;
	err = resume(v);
	if (err == 0)
		err = catalog_name_last(v->catalog, &range.last);
	while (err == 0 && more) {
		err = shred_round(v, &t, &range, why, &more);
		count += t.count;
	}
	if (err == 0)
		*ret_count = count;
	free(t.list);
	close(lock);
	return err;
}

/* Whether an earlier rotation left keys that were retired and still seal something. */
static int find_retired(struct vault *v, bool *ret_found)
{
	struct keys_info info;
	uint32_t id = 0;
	int err = 0;

	*ret_found = false;
	while (err == 0 && !*ret_found && (err = catalog_key_next(v->catalog, id, &id)) == 0) {
		err = keys_describe(v->keys, id, &info);
		*ret_found = err == 0 && info.retired;
	}
	return err == -ENOENT ? 0 : err;
}

static int rotate_key(struct vault *v, uint32_t id)
{
	struct victims none = {.count = 0};
	struct doomed_key key = {.id = id};
	struct doomed d = {.list = &key, .count = 1};

	return shred(v, &none, &d, "");
}

int vault_rotate_data(struct vault *v, uint64_t *ret_count)
{
	int lock = vault_shred_lock(v->dir, true), err;
	struct keys_info info;
	uint64_t count = 0;
	uint32_t id = 0;
	bool found;

	if (lock < 0)
		return lock;
	err = resume(v);
	if (err == 0)
		err = find_retired(v, &found);
	if (err == 0 && !found)
		err = keys_retire(v->keys, 0);
	while (err == 0 && (err = catalog_key_next(v->catalog, id, &id)) == 0) {
		err = keys_describe(v->keys, id, &info);
		if (err == 0 && info.retired) {
			err = rotate_key(v, id);
			count++;
		}
	}
	close(lock);
	if (err != -ENOENT)
		return err;
	*ret_count = count;
	return 0;
}
