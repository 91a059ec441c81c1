/* Making an index out of the packs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/db.h"
#include "keep/vault_scan.h"

struct mending {
	struct vault *v;
	const struct vault_report *r;
	uint32_t pack;
	uint64_t end; /* of the last record that was taken */
	uint64_t objects;
	uint8_t *key;
	/* Contents that lie in the packs twice: somebody was killed before he could say that he had
	 * put them, and somebody else put them again. Their names tell which it is. */
	struct catalog_object *twice;
	size_t twice_count;
};

static int keep_twice(struct mending *m, const struct catalog_object *o)
{
	struct catalog_object *more = realloc(m->twice, (m->twice_count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	m->twice = more;
	m->twice[m->twice_count++] = *o;
	return 0;
}

/* What is whole, and whose key was not destroyed. */
static int mend_object(void *arg, uint64_t at, const struct object_record *r)
{
	struct mending *m = arg;
	struct catalog_object o = {.pack = m->pack, .at = at, .head = r->head}, known;
	int err;

	if (r->kind != OBJECT_CONTENT)
		return SCAN_WHOLE;
	err = catalog_object_by_address(m->v->catalog, o.head.address, &known);
	if (err < 0 && err != -ENOENT)
		return err;
	if (vault_object_key(m->v, &o.head, m->key) < 0 ||
	    vault_verify_object(m->v, &o, m->key) < 0)
		return SCAN_INSIDE;
	m->end = at + r->length;
	if (err == 0)
		return keep_twice(m, &o);
	m->objects++;
	if (m->r->progress)
		m->r->progress(m->r->arg, m->objects);
	return catalog_add_object(m->v->catalog, &o);
}

static bool opens(struct mending *m, const struct catalog_object *o, struct bytes sealed,
		  uint8_t buf[OBJECT_META], struct object_meta *ret_meta)
{
	return vault_object_key(m->v, &o->head, m->key) == 0 &&
	       object_open_name(m->v->sealer, m->key, o->head.address, sealed, buf, ret_meta) == 0;
}

/* Another one's name, put later than all that the one in the index has: that one takes its place. */
static int change_places(struct mending *m, struct catalog_object *o, struct catalog_object *other,
			 int64_t put_ns)
{
	struct catalog_object was = *o;
	struct catalog_name n = {.id = 0};
	int err;

	while ((err = catalog_name_of(m->v->catalog, o->id, n.id, &n)) == 0) {
		if (n.put_ns >= put_ns)
			return -ENOENT;
		err = catalog_drop_name(m->v->catalog, n.id);
		if (err < 0)
			return err;
	}
	if (err == -ENOENT)
		err = catalog_drop_object(m->v->catalog, o->id);
	if (err == 0)
		err = catalog_add_object(m->v->catalog, other);
	*o = *other;
	*other = was;
	return err;
}

/* Whose name it is: *o, or another of its address, which is in the index then. -ENOENT: nobody's. */
static int find_owner(struct mending *m, struct bytes sealed, uint8_t buf[OBJECT_META],
		      struct catalog_object *o, struct object_meta *ret_meta)
{
	if (opens(m, o, sealed, buf, ret_meta))
		return 0;
	for (size_t i = 0; i < m->twice_count; i++)
		if (memcmp(m->twice[i].head.address, o->head.address, CRYPTO_HASH) == 0 &&
		    opens(m, &m->twice[i], sealed, buf, ret_meta))
			return change_places(m, o, &m->twice[i], ret_meta->put_ns);
	return -ENOENT;
}

/* The newest of a tag is the last one. Packs are filled side by side: between two, the clock
 * decides. */
static int add_in_order(struct mending *m, const struct catalog_name *n)
{
	uint8_t sealed[OBJECT_NAME_RECORD];
	struct catalog_name last;
	int err = catalog_name_by_tag(m->v->catalog, n->tag, &last);
	bool later = err == 0 && last.pack != n->pack && last.put_ns > n->put_ns &&
		     last.sealed.len <= sizeof(sealed);

	if (err < 0 && err != -ENOENT)
		return err;
	if (!later)
		return catalog_add_name(m->v->catalog, n);
	memcpy(sealed, last.sealed.data, last.sealed.len);
	last.sealed.data = sealed;
	err = catalog_add_name(m->v->catalog, n);
	if (err == 0)
		err = catalog_drop_name(m->v->catalog, last.id);
	return err == 0 ? catalog_add_name(m->v->catalog, &last) : err;
}

/* By the first pass, so that it is as long as it says. */
static bool is_taken(struct mending *m, uint64_t at, const struct object_record *r)
{
	struct catalog_object o;

	return catalog_object_by_address(m->v->catalog, r->head.address, &o) == 0 &&
	       o.pack == m->pack && o.at == at;
}

static int mend_name(void *arg, uint64_t at, const struct object_record *r)
{
	struct mending *m = arg;
	struct catalog_name n = {.sealed = r->sealed, .pack = m->pack, .at = at};
	uint8_t buf[OBJECT_META];
	struct object_meta meta;
	struct catalog_object o;
	int err;

	if (r->kind != OBJECT_NAME)
		return is_taken(m, at, r) ? SCAN_WHOLE : SCAN_INSIDE;
	err = catalog_object_by_address(m->v->catalog, r->address, &o);
	if (err == 0)
		err = find_owner(m, r->sealed, buf, &o, &meta);
	if (err == -ENOENT)
		return SCAN_INSIDE;
	if (err == 0)
		err = object_tag(m->v->sealer, meta.name, n.tag);
	if (err < 0)
		return err;
	n.object = o.id;
	n.put_ns = meta.put_ns;
	n.until_ns = meta.until_ns;
	memcpy(n.class, meta.class, sizeof(n.class));
	m->end = at + r->length;
	return add_in_order(m, &n);
}

/* One pass over all packs; both passes set where a pack ends. */
static int mend_pass(struct mending *m, const uint32_t *ids, int count, vault_scan_fn *fn)
{
	int err = 0;

	for (int i = 0; err == 0 && i < count; i++) {
		int fd = pack_open(m->v->dir, ids[i], false);
		struct stat st;

		if (fd < 0)
			continue;
		m->pack = ids[i];
		err = fstat(fd, &st) < 0 ? -errno
					 : catalog_pack_end(m->v->catalog, ids[i], &m->end);
		if (err == 0)
			err = vault_scan(fd, PACK_HEAD, (uint64_t)st.st_size, fn, m);
		if (err == 0)
			err = catalog_set_pack_end(m->v->catalog, ids[i], m->end);
		close(fd);
	}
	return err;
}

/* Content without a name was never acknowledged, or its names were taken away. */
static int drop_nameless(struct vault *v)
{
	struct catalog_object o = {.id = 0};
	int64_t names;
	int err;

	while ((err = catalog_object_next(v->catalog, o.id, 0, &o)) == 0) {
		err = catalog_names(v->catalog, o.id, &names);
		if (err == 0 && names == 0)
			err = catalog_drop_object(v->catalog, o.id);
		if (err < 0)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

static int mend_all(struct mending *m)
{
	static const char line[] = "{\"action\":\"mend\"}";
	uint32_t *ids = NULL;
	int count = pack_list(m->v->dir, &ids), err;

	if (count < 0)
		return count;
	err = catalog_begin(m->v->catalog);
	if (err == 0)
		err = mend_pass(m, ids, count, mend_object);
	if (err == 0)
		err = mend_pass(m, ids, count, mend_name);
	if (err == 0)
		err = drop_nameless(m->v);
	if (err == 0)
		err = vault_note(m->v, line, sizeof(line) - 1);
	if (err == 0)
		err = catalog_commit(m->v->catalog);
	if (err < 0)
		catalog_rollback(m->v->catalog);
	free(ids);
	return err;
}

/* The new one is whole, and no log of it is left beside: it takes the old one's place. */
static int move_into_place(const char *dir, const char *path)
{
	char old[PATH_MAX], aside[DB_PATH_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int err = 0;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(old, sizeof(old), "%s/index.db", dir);
	if (access(old, F_OK) == 0)
		err = db_set_aside(old, "broken", stamp, aside);
	if (err == 0 && rename(path, old) < 0)
		err = -errno;
	return err == 0 ? file_sync_folder(old) : err;
}

int vault_mend(const char *dir, struct keys *keys, const struct vault_report *r,
	       char ret_error[KEYS_ERROR])
{
	struct mending m = {.r = r, .key = secret_new(CRYPTO_KEY)};
	char path[PATH_MAX];
	int err = m.key ? 0 : -ENOMEM;

	*ret_error = 0;
	snprintf(path, sizeof(path), "%s/index.new", dir);
	if (err == 0) {
		m.v = vault_open_index(dir, "index.new", keys, 0, ret_error);
		err = m.v ? mend_all(&m) : -errno;
		vault_close(m.v);
	}
	secret_free(m.key, CRYPTO_KEY);
	free(m.twice);
	if (err == 0)
		err = move_into_place(dir, path);
	if (err < 0 && !*ret_error)
		holder_fail(ret_error, err, "%s: %s", path, strerror(-err));
	return err;
}
