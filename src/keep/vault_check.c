/* Holding index, packs, keys and log against each other, and making an index out of the packs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "keep/db.h"
#include "keep/vault_internal.h"
#include "keep/vault_proof.h"

#define WINDOW (64u << 10)

/* --- scanning a pack -------------------------------------------------------------------- */

/* The next place in the window that may begin a record, behind its first byte. */
static size_t skip_to_record(const uint8_t *buf, size_t len)
{
	static const uint8_t begin[] = {0x42, 0x57, 0x31, 0x01};
	const uint8_t *found = len > 1 ? memmem(buf + 1, len - 1, begin, sizeof(begin)) : NULL;

	return found ? (size_t)(found - buf) : len > sizeof(begin) ? len - sizeof(begin) + 1 : len;
}

/* Where there is data again from `at` on; holes of what was destroyed may be long. */
static uint64_t skip_hole(int fd, uint64_t at, uint64_t end)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : at;
	return (uint64_t)data > at ? (uint64_t)data : at;
}

/* Calls `fn` for every record of a pack up to `end`; what is no record is passed over. */
static int scan(int fd, uint64_t end,
		int (*fn)(void *arg, uint64_t at, const struct object_record *r), void *arg)
{
	uint8_t *buf = malloc(WINDOW);
	uint64_t at = PACK_HEAD, from = 0;
	size_t len = 0;
	int err = buf ? 0 : -ENOMEM;

	while (err == 0 && at < end) {
		struct object_record r;

		if (at < from || at + OBJECT_NAME_RECORD > from + len) {
			from = at = skip_hole(fd, at, end);
			len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
			err = pack_read(fd, from, buf, len);
			if (err < 0 || !len)
				break;
		}
		if (object_read((struct bytes){buf + (at - from), len - (size_t)(at - from)}, &r) !=
			    PARSE_OK ||
		    r.length > end - at) {
			at += skip_to_record(buf + (at - from), len - (size_t)(at - from));
			continue;
		}
		err = fn(arg, at, &r);
		at += r.length;
	}
	free(buf);
	return err == -ENODATA ? 0 : err;
}

/* --- what the index does not know ---------------------------------------------------------- */

struct punching {
	struct vault *v;
	uint32_t pack;
	int fd;
};

static bool has_name_at(struct vault *v, int64_t object, uint32_t pack, uint64_t at)
{
	struct catalog_name n = {.id = 0};

	while (catalog_name_of(v->catalog, object, n.id, &n) == 0)
		if (n.pack == pack && n.at == at)
			return true;
	return false;
}

static int punch_unknown(void *arg, uint64_t at, const struct object_record *r)
{
	struct punching *p = arg;
	bool content = r->kind == OBJECT_CONTENT, known;
	struct catalog_object o;
	int err = catalog_object_by_address(p->v->catalog, content ? r->head.address : r->address,
					    &o);

	if (err < 0 && err != -ENOENT)
		return err;
	known = err == 0 &&
		(content ? o.pack == p->pack && o.at == at : has_name_at(p->v, o.id, p->pack, at));
	return known ? 0 : pack_punch(p->fd, at, r->length);
}

int vault_punch_unknown(struct vault *v)
{
	uint32_t *ids = NULL;
	int count = pack_list(v->dir, &ids), err = 0;

	for (int i = 0; err == 0 && i < count; i++) {
		struct punching p = {v, ids[i], pack_open(v->dir, ids[i], true)};
		uint64_t end;

		if (p.fd < 0)
			continue;
		err = catalog_pack_end(v->catalog, p.pack, &end);
		if (err == 0)
			err = scan(p.fd, end, punch_unknown, &p);
		if (err == 0 && fdatasync(p.fd) < 0)
			err = -errno;
		close(p.fd);
	}
	free(ids);
	return count < 0 ? count : err;
}

/* --- checking -------------------------------------------------------------------------------- */

struct checking {
	struct vault *v;
	const struct vault_report *r;
	bool content;
	int lock;     /* shred.lock; -1 */
	uint8_t *key; /* the one in hand's; locked memory */
	uint64_t objects;
	int64_t wrong;
};

static void found(struct checking *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void found(struct checking *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->wrong++;
	if (c->r->found)
		c->r->found(c->r->arg, text);
}

/* How an object is called where its name may not be said. */
static const char *short_of(const struct object_head *h, char ret_text[24])
{
	snprintf(ret_text, 24, "%02x%02x%02x%02x%02x%02x", h->address[0], h->address[1],
		 h->address[2], h->address[3], h->address[4], h->address[5]);
	return ret_text;
}

static int ignore(void *arg, struct bytes data)
{
	return 0;
}

/* Heads and keys change, and holes are made, under shred.lock only. Where there is no room for it
 * nobody destroys. */
static void hold_still(struct checking *c)
{
	c->lock = vault_shred_lock(c->v->dir, true);
}

static void let_go(struct checking *c)
{
	if (c->lock >= 0)
		close(c->lock);
	c->lock = -1;
}

/* What is wrong with it, in `ret_what`; or 0. */
static bool is_wrong(struct checking *c, struct catalog_object *o, char ret_what[160])
{
	struct vault_entry e = {.size = o->head.size, .object = o, .key = c->key};
	uint8_t head[OBJECT_HEAD], want[OBJECT_HEAD];
	int fd = vault_pack(c->v, o->pack), err;

	err = vault_object_key(c->v, &o->head, c->key);
	if (err < 0) {
		snprintf(ret_what, 160, ": its key does not open: %s", strerror(-err));
		return true;
	}
	err = fd < 0 ? fd : pack_read(fd, o->at, head, sizeof(head));
	if (err < 0) {
		snprintf(ret_what, 160, ": pack %08x cannot be read: %s", o->pack, strerror(-err));
		return true;
	}
	object_write_head(&o->head, want);
	if (memcmp(head, want, sizeof(head)) != 0) {
		snprintf(ret_what, 160,
			 ": its head in pack %08x is another one than the index says", o->pack);
		return true;
	}
	err = c->content ? vault_stream(c->v, &e, ignore, NULL, true) : 0;
	snprintf(ret_what, 160, ": its content in pack %08x is damaged", o->pack);
	return err < 0;
}

/* What looks wrong is looked at again while nobody rotates or destroys. */
static void check_object(struct checking *c, struct catalog_object *o)
{
	struct catalog_object now;
	char what[160], name[24];

	if (!is_wrong(c, o, what))
		return;
	hold_still(c);
	if (catalog_object_by_id(c->v->catalog, o->id, &now) == 0 && is_wrong(c, &now, what))
		found(c, "object %s%s", short_of(&now.head, name), what);
	let_go(c);
}

/* Its last name may have been destroyed just now, and it with it. */
static void check_nameless(struct checking *c, const struct catalog_object *o)
{
	struct catalog_object now;
	int64_t names;
	char name[24];

	hold_still(c);
	if (catalog_object_by_id(c->v->catalog, o->id, &now) == 0 &&
	    catalog_names(c->v->catalog, o->id, &names) == 0 && names == 0)
		found(c, "object %s has no name", short_of(&o->head, name));
	let_go(c);
}

static int check_objects(struct checking *c)
{
	struct catalog_object o = {.id = 0};
	int64_t names;
	int err;

	while ((err = catalog_object_next(c->v->catalog, o.id, 0, &o)) == 0) {
		check_object(c, &o);
		err = catalog_names(c->v->catalog, o.id, &names);
		if (err < 0)
			return err;
		if (names == 0)
			check_nameless(c, &o);
		c->objects++;
		if (c->r->progress)
			c->r->progress(c->r->arg, c->objects);
	}
	return err == -ENOENT ? 0 : err;
}

static int name_opens(struct checking *c, struct catalog_name *n, uint8_t buf[OBJECT_META])
{
	uint8_t sealed[OBJECT_NAME_RECORD];
	struct catalog_object o;
	struct vault_entry e;
	int err = n->sealed.len && n->sealed.len <= sizeof(sealed) ? 0 : -EUCLEAN;

	if (err < 0)
		return err;
	memcpy(sealed, n->sealed.data, n->sealed.len);
	n->sealed.data = sealed;
	err = catalog_object_by_id(c->v->catalog, n->object, &o);
	return err == 0 ? vault_unseal(c->v, n, &o, c->key, buf, &e) : err;
}

/* As the index has it by now. */
static void check_name(struct checking *c, struct catalog_name *n)
{
	uint8_t buf[OBJECT_META];
	int64_t id = n->id;
	int err = name_opens(c, n, buf);

	if (err == 0)
		return;
	hold_still(c);
	err = catalog_name_next(c->v->catalog, id - 1, n);
	if (err == 0 && n->id == id && (err = name_opens(c, n, buf)) < 0 && err != -ENOENT)
		found(c, "name %lld does not open: %s", (long long)id, strerror(-err));
	let_go(c);
}

static int check_names(struct checking *c)
{
	struct catalog_name n = {.id = 0};
	int64_t astray, at = 0;
	int err = catalog_names_astray(c->v->catalog, &astray);

	if (err == 0 && astray)
		found(c,
		      "%lld names are of objects that the index does not have; "
		      "'bedwarden vault fsck --mend' makes it again from the packs",
		      (long long)astray);
	while (err == 0 && (err = catalog_name_next(c->v->catalog, at, &n)) == 0) {
		at = n.id;
		check_name(c, &n);
	}
	return err == -ENOENT ? 0 : err;
}

static void check_keys(struct checking *c)
{
	struct keys_state keys;

	keys_state(c->v->keys, &keys);
	if (keys.from_copy)
		found(c, "the keyring is damaged; its copy serves");
	else if (keys_check_copy(c->v->keys) < 0)
		found(c, "the keyring's copy is damaged or missing; 'bedwarden vault rotate' "
			 "writes both again");
}

/* Whoever destroys is between two lines of it. */
static int check_log(struct checking *c)
{
	struct vault_proof p = {0};
	int err;

	hold_still(c);
	if (c->lock < 0 && c->lock != -ENOSPC && c->lock != -EROFS)
		return c->lock;
	err = vault_prove(c->v, &p);
	let_go(c);
	if (err == -EUCLEAN)
		found(c, "the log was altered");
	if (err == 0 && p.unsaid)
		found(c, "key %u was destroyed, and the log has no line of it: lines are missing",
		      p.unsaid);
	if (err == 0 && p.back)
		found(c,
		      "key %u was destroyed, says the log, and is there: the keyring is an old "
		      "one",
		      p.back);
	return err == -EUCLEAN ? 0 : err;
}

int64_t vault_check(struct vault *v, bool content, const struct vault_report *r)
{
	struct checking c = {
		.v = v, .r = r, .content = content, .lock = -1, .key = secret_new(CRYPTO_KEY)};
	int err = c.key ? vault_resume(v) : -ENOMEM;

	if (err < 0)
		goto out;
	check_keys(&c);
	if (catalog_check(v->catalog) < 0)
		found(&c, "the index is damaged");
	err = check_objects(&c);
	if (err == 0)
		err = check_names(&c);
	if (err == 0)
		err = check_log(&c);
	if (err == -EUCLEAN) {
		found(&c, "the index has a row that cannot be ours; what comes after it was not "
			  "looked at");
		err = 0;
	}
out:
	secret_free(c.key, CRYPTO_KEY);
	return err < 0 ? err : c.wrong;
}

/* --- a new index ---------------------------------------------------------------------------------- */

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
	struct vault_entry e = {.size = o.head.size, .object = &o, .key = m->key};
	int err;

	if (r->kind != OBJECT_CONTENT)
		return 0;
	err = catalog_object_by_address(m->v->catalog, o.head.address, &known);
	if (err < 0 && err != -ENOENT)
		return err;
	if (vault_object_key(m->v, &o.head, m->key) < 0 ||
	    vault_stream(m->v, &e, ignore, NULL, true) < 0)
		return 0;
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

static int mend_name(void *arg, uint64_t at, const struct object_record *r)
{
	struct mending *m = arg;
	struct catalog_name n = {.sealed = r->sealed, .pack = m->pack, .at = at};
	uint8_t buf[OBJECT_META];
	struct object_meta meta;
	struct catalog_object o;
	int err;

	if (r->kind != OBJECT_NAME)
		return 0;
	err = catalog_object_by_address(m->v->catalog, r->address, &o);
	if (err == 0)
		err = find_owner(m, r->sealed, buf, &o, &meta);
	if (err == -ENOENT)
		return 0;
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
static int mend_pass(struct mending *m, const uint32_t *ids, int count,
		     int (*fn)(void *arg, uint64_t at, const struct object_record *r))
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
			err = scan(fd, (uint64_t)st.st_size, fn, m);
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
