/* Holding index, packs, keys and log against each other. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "keep/vault_proof.h"
#include "keep/vault_scan.h"

/* --- checking -------------------------------------------------------------------------------- */

struct checking {
	struct vault *v;
	const struct vault_report *r;
	bool content;
	int lock;     /* shred.lock; -1 */
	uint8_t *key; /* the one in hand's; locked memory */
	uint64_t objects, unknown;
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
	err = c->content ? vault_verify_object(c->v, o, c->key) : 0;
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

/* --- what lies behind the last that the index knows ------------------------------------------ */

static int count_content(void *arg, uint64_t at, const struct object_record *r)
{
	struct checking *c = arg;

	if (r->kind == OBJECT_CONTENT && vault_object_key(c->v, &r->head, c->key) == 0)
		c->unknown++;
	return SCAN_INSIDE;
}

/* How long it is beyond that end, in *ret_size; 0: not at all. */
static int measure(struct checking *c, uint32_t pack, int fd, uint64_t *ret_end, uint64_t *ret_size)
{
	struct stat st;
	int err = catalog_pack_end(c->v->catalog, pack, ret_end);

	if (err == 0 && fstat(fd, &st) < 0)
		err = -errno;
	if (err < 0)
		return err;
	if (*ret_end < PACK_HEAD)
		*ret_end = PACK_HEAD;
	*ret_size = (uint64_t)st.st_size > *ret_end ? (uint64_t)st.st_size : 0;
	return 0;
}

/* Who writes to it has it locked, and what he wrote is his until he has committed. */
static int check_pack(struct checking *c, uint32_t pack)
{
	int fd = pack_open(c->v->dir, pack, false), err;
	uint64_t end, size;

	if (fd < 0)
		return 0; /* what is in there is missed otherwise */
	err = measure(c, pack, fd, &end, &size);
	if (err == 0 && size && flock(fd, LOCK_SH | LOCK_NB) == 0) {
		err = measure(c, pack, fd, &end, &size);
		if (err == 0 && size)
			err = vault_scan(fd, end, size, count_content, c);
	}
	close(fd);
	return err;
}

/* Somebody was killed before he committed it, or the index is an older one: nobody can tell. */
static int check_packs(struct checking *c)
{
	uint32_t *ids = NULL;
	int count = pack_list(c->v->dir, &ids), err = count < 0 ? count : 0;
	char text[256];

	for (int i = 0; err == 0 && i < count; i++)
		err = check_pack(c, ids[i]);
	free(ids);
	if (err < 0 || !c->unknown || !c->r->noted)
		return err;
	snprintf(
		text, sizeof(text),
		"the packs hold %llu things that the index does not know: somebody was killed "
		"while "
		"putting them, or an older index was put back; 'bedwarden vault fsck --mend' takes "
		"them in",
		(unsigned long long)c->unknown);
	c->r->noted(c->r->arg, text);
	return 0;
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
		err = check_packs(&c);
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
