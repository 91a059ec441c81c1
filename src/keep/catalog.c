#include "keep/catalog_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "keep/db.h"

/* --- running statements ---------------------------------------------------------- */

/* What was borrowed from the row before is given back. */
void catalog_rest(struct catalog *c)
{
	if (c->open)
		sqlite3_reset(c->open);
	c->open = NULL;
}

static sqlite3_stmt *use(struct catalog *c, enum statement which)
{
	catalog_rest(c);
	return c->statements[which];
}

static void bind_blob(sqlite3_stmt *s, int n, const uint8_t *data, size_t len)
{
	sqlite3_bind_blob(s, n, data, (int)len, SQLITE_STATIC);
}

/* By its mark and by itself: parameters `n` and `n` + 1. */
static void bind_hash(sqlite3_stmt *s, int n, const uint8_t *hash, size_t len)
{
	sqlite3_bind_int64(s, n, catalog_mark(hash));
	bind_blob(s, n + 1, hash, len);
}

/* One row: 0; -ENOENT none. Its columns are good until the next use(). */
static int row(struct catalog *c, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s), err;

	if (rc == SQLITE_ROW) {
		c->open = s;
		return 0;
	}
	err = rc == SQLITE_DONE ? -ENOENT : db_error(c->sql, rc);
	sqlite3_reset(s);
	return err;
}

static bool take_blob(sqlite3_stmt *s, int n, uint8_t *ret_data, size_t len)
{
	const void *data = sqlite3_column_blob(s, n);

	if (!data || (size_t)sqlite3_column_bytes(s, n) != len)
		return false;
	memcpy(ret_data, data, len);
	return true;
}

/* Numbers of keys and packs have 32 bits; another number would be none that can be found again. */
static bool take_u32(sqlite3_stmt *s, int n, uint32_t *ret_value)
{
	int64_t value = sqlite3_column_int64(s, n);

	*ret_value = (uint32_t)value;
	return value >= 0 && value <= UINT32_MAX;
}

static int take_object(sqlite3_stmt *s, struct catalog_object *ret_object)
{
	struct catalog_object o = {
		.id = sqlite3_column_int64(s, 0),
		.head.size = (uint64_t)sqlite3_column_int64(s, 4),
		.head.length = (uint64_t)sqlite3_column_int64(s, 5),
		.at = (uint64_t)sqlite3_column_int64(s, 7),
	};

	if (!take_u32(s, 2, &o.head.key) || !take_u32(s, 6, &o.pack) ||
	    !take_blob(s, 1, o.head.address, CRYPTO_HASH) ||
	    !take_blob(s, 3, o.head.box, CIPHER_BOX) || !object_head_possible(&o.head) ||
	    o.at > INT64_MAX / 2)
		return -EUCLEAN;
	*ret_object = o;
	return 0;
}

static int object_row(struct catalog *c, sqlite3_stmt *s, struct catalog_object *ret_object)
{
	int err = row(c, s);

	if (err == 0)
		err = take_object(s, ret_object);
	use(c, BEGIN);
	return err;
}

static int take_name(sqlite3_stmt *s, int at, struct catalog_name *ret_name)
{
	struct catalog_name n = {
		.id = sqlite3_column_int64(s, at),
		.object = sqlite3_column_int64(s, at + 1),
		.sealed = {sqlite3_column_blob(s, at + 3), (size_t)sqlite3_column_bytes(s, at + 3)},
		.put_ns = sqlite3_column_int64(s, at + 5),
		.until_ns = sqlite3_column_int64(s, at + 6),
		.at = (uint64_t)sqlite3_column_int64(s, at + 8),
	};
	const char *class = (const char *)sqlite3_column_text(s, at + 4);

	if (!take_u32(s, at + 7, &n.pack) || !take_blob(s, at + 2, n.tag, OBJECT_TAG) || !class ||
	    strlen(class) >= sizeof(n.class))
		return -EUCLEAN;
	snprintf(n.class, sizeof(n.class), "%s", class);
	*ret_name = n;
	return 0;
}

static int name_row(struct catalog *c, sqlite3_stmt *s, struct catalog_name *ret_name)
{
	int err = row(c, s);

	return err == 0 ? take_name(s, 0, ret_name) : err;
}

/* --- the calls ------------------------------------------------------------------- */

int catalog_begin(struct catalog *c)
{
	return db_run(use(c, BEGIN));
}

int catalog_commit(struct catalog *c)
{
	return db_run(use(c, COMMIT));
}

void catalog_rollback(struct catalog *c)
{
	db_run(use(c, ROLLBACK)); /* fails where SQLite has done so by itself */
}

int catalog_object_by_address(struct catalog *c, const uint8_t address[CRYPTO_HASH],
			      struct catalog_object *ret_object)
{
	sqlite3_stmt *s = use(c, OBJECT_BY_ADDRESS);

	bind_hash(s, 1, address, CRYPTO_HASH);
	return object_row(c, s, ret_object);
}

int catalog_object_by_id(struct catalog *c, int64_t id, struct catalog_object *ret_object)
{
	sqlite3_stmt *s = use(c, OBJECT_BY_ID);

	sqlite3_bind_int64(s, 1, id);
	return object_row(c, s, ret_object);
}

int catalog_object_next(struct catalog *c, int64_t after, uint32_t key,
			struct catalog_object *ret_object)
{
	sqlite3_stmt *s = use(c, key ? OBJECT_NEXT_OF_KEY : OBJECT_NEXT);

	sqlite3_bind_int64(s, 1, after);
	if (key)
		sqlite3_bind_int64(s, 2, key);
	return object_row(c, s, ret_object);
}

/* -EEXIST: its mark is taken. */
static int insert_object(struct catalog *c, struct catalog_object *o, bool marked)
{
	sqlite3_stmt *s = use(c, ADD_OBJECT);
	int err;

	bind_blob(s, 1, o->head.address, CRYPTO_HASH);
	sqlite3_bind_int64(s, 2, o->head.key);
	bind_blob(s, 3, o->head.box, CIPHER_BOX);
	sqlite3_bind_int64(s, 4, (sqlite3_int64)o->head.size);
	sqlite3_bind_int64(s, 5, (sqlite3_int64)o->head.length);
	sqlite3_bind_int64(s, 6, o->pack);
	sqlite3_bind_int64(s, 7, (sqlite3_int64)o->at);
	if (marked)
		sqlite3_bind_int64(s, 8, catalog_mark(o->head.address));
	else
		sqlite3_bind_null(s, 8);
	err = db_run(s);
	if (err == 0 && sqlite3_changes(c->sql) == 0)
		err = -EEXIST;
	if (err == 0)
		o->id = sqlite3_last_insert_rowid(c->sql);
	return err;
}

int catalog_add_object(struct catalog *c, struct catalog_object *o)
{
	struct catalog_object there;
	int err = insert_object(c, o, true);

	if (err != -EEXIST)
		return err;
	err = catalog_object_by_address(c, o->head.address, &there);
	if (err == -ENOENT)
		return insert_object(c, o, false);
	return err == 0 ? -EEXIST : err;
}

int catalog_rebox(struct catalog *c, int64_t id, uint32_t key, const uint8_t box[CIPHER_BOX])
{
	sqlite3_stmt *s = use(c, REBOX);

	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, key);
	bind_blob(s, 3, box, CIPHER_BOX);
	return db_run(s);
}

static int run_with(struct catalog *c, enum statement which, int64_t value)
{
	sqlite3_stmt *s = use(c, which);

	sqlite3_bind_int64(s, 1, value);
	return db_run(s);
}

int catalog_drop_object(struct catalog *c, int64_t id)
{
	return run_with(c, DROP_OBJECT, id);
}

int catalog_name_by_tag(struct catalog *c, const uint8_t tag[OBJECT_TAG],
			struct catalog_name *ret_name)
{
	sqlite3_stmt *s = use(c, NAME_BY_TAG);

	bind_hash(s, 1, tag, OBJECT_TAG);
	return name_row(c, s, ret_name);
}

int catalog_name_next(struct catalog *c, int64_t after, struct catalog_name *ret_name)
{
	sqlite3_stmt *s = use(c, NAME_NEXT);

	sqlite3_bind_int64(s, 1, after);
	return name_row(c, s, ret_name);
}

int catalog_name_of(struct catalog *c, int64_t object, int64_t after, struct catalog_name *ret_name)
{
	sqlite3_stmt *s = use(c, NAME_OF);

	sqlite3_bind_int64(s, 1, object);
	sqlite3_bind_int64(s, 2, after);
	return name_row(c, s, ret_name);
}

int catalog_each(struct catalog *c, const struct catalog_range *r,
		 int (*fn)(void *arg, const struct catalog_name *n, struct catalog_object *o),
		 void *arg)
{
	sqlite3_stmt *s = c->statements[EACH]; /* other questions may be asked meanwhile */
	int rc = SQLITE_DONE, err = 0;

	sqlite3_bind_int(s, 1, r->newest);
	sqlite3_bind_int64(s, 2, r->after);
	sqlite3_bind_int64(s, 3, r->last);
	while (err == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct catalog_object o;
		struct catalog_name n;

		err = take_object(s, &o);
		if (err == 0)
			err = take_name(s, 8, &n);
		if (err == 0)
			err = fn(arg, &n, &o);
	}
	if (err == 0)
		err = db_error(c->sql, rc);
	sqlite3_reset(s);
	return err;
}

int catalog_add_name(struct catalog *c, const struct catalog_name *n)
{
	sqlite3_stmt *s = use(c, ADD_NAME);

	sqlite3_bind_int64(s, 1, n->object);
	bind_blob(s, 2, n->tag, OBJECT_TAG);
	bind_blob(s, 3, n->sealed.data, n->sealed.len);
	sqlite3_bind_text(s, 4, n->class, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 5, n->put_ns);
	sqlite3_bind_int64(s, 6, n->until_ns);
	sqlite3_bind_int64(s, 7, n->pack);
	sqlite3_bind_int64(s, 8, (sqlite3_int64)n->at);
	sqlite3_bind_int64(s, 9, catalog_mark(n->tag));
	return db_run(s);
}

int catalog_keep(struct catalog *c, int64_t id, int64_t until_ns)
{
	sqlite3_stmt *s = use(c, KEEP);

	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, until_ns);
	return db_run(s);
}

int catalog_drop_name(struct catalog *c, int64_t id)
{
	return run_with(c, DROP_NAME, id);
}

static int count_row(struct catalog *c, sqlite3_stmt *s, int64_t *ret_count)
{
	int err = row(c, s);

	if (err == 0)
		*ret_count = sqlite3_column_int64(s, 0);
	use(c, BEGIN);
	return err;
}

int catalog_names(struct catalog *c, int64_t object, int64_t *ret_count)
{
	sqlite3_stmt *s = use(c, NAMES);

	sqlite3_bind_int64(s, 1, object);
	return count_row(c, s, ret_count);
}

int catalog_name_last(struct catalog *c, int64_t *ret_id)
{
	return count_row(c, use(c, NAME_LAST), ret_id);
}

int catalog_names_astray(struct catalog *c, int64_t *ret_count)
{
	return count_row(c, use(c, NAMES_ASTRAY), ret_count);
}

int catalog_version(struct catalog *c, int64_t *ret_version)
{
	sqlite3_stmt *s = use(c, CHANGED);
	int err = row(c, s);

	if (err == 0)
		*ret_version = sqlite3_column_int64(s, 0);
	use(c, BEGIN);
	return err;
}

int catalog_pack_end(struct catalog *c, uint32_t pack, uint64_t *ret_end)
{
	sqlite3_stmt *s = use(c, PACK_END);
	int err;

	sqlite3_bind_int64(s, 1, pack);
	err = row(c, s);
	if (err == 0)
		*ret_end = (uint64_t)sqlite3_column_int64(s, 0);
	else if (err == -ENOENT)
		*ret_end = 0;
	use(c, BEGIN);
	return err == -ENOENT ? 0 : err;
}

int catalog_set_pack_end(struct catalog *c, uint32_t pack, uint64_t end)
{
	sqlite3_stmt *s = use(c, SET_PACK_END);

	sqlite3_bind_int64(s, 1, pack);
	sqlite3_bind_int64(s, 2, (sqlite3_int64)end);
	return db_run(s);
}

int catalog_key_next(struct catalog *c, uint32_t after, uint32_t *ret_key)
{
	sqlite3_stmt *s = use(c, KEY_NEXT);
	int err;

	sqlite3_bind_int64(s, 1, after);
	err = row(c, s);
	if (err == 0 && sqlite3_column_type(s, 0) == SQLITE_NULL)
		err = -ENOENT;
	if (err == 0)
		err = take_u32(s, 0, ret_key) ? 0 : -EUCLEAN;
	use(c, BEGIN);
	return err;
}

int catalog_doom(struct catalog *c, uint32_t key)
{
	return run_with(c, DOOM, key);
}

int catalog_next_doomed(struct catalog *c, uint32_t *ret_key)
{
	sqlite3_stmt *s = use(c, NEXT_DOOMED);
	int err = row(c, s);

	if (err == 0)
		err = take_u32(s, 0, ret_key) ? 0 : -EUCLEAN;
	use(c, BEGIN);
	return err;
}

int catalog_undoom(struct catalog *c, uint32_t key)
{
	return run_with(c, UNDOOM, key);
}

int catalog_log_next(struct catalog *c, int64_t after, int64_t *ret_seq, int64_t *ret_time_ns,
		     struct bytes *ret_line, uint8_t ret_chain[CRYPTO_HASH])
{
	sqlite3_stmt *s = use(c, LOG_NEXT);
	int err;

	sqlite3_bind_int64(s, 1, after);
	err = row(c, s);
	if (err < 0)
		return err;
	*ret_seq = sqlite3_column_int64(s, 0);
	*ret_time_ns = sqlite3_column_int64(s, 1);
	*ret_line = (struct bytes){sqlite3_column_text(s, 2), (size_t)sqlite3_column_bytes(s, 2)};
	return take_blob(s, 3, ret_chain, CRYPTO_HASH) ? 0 : -EUCLEAN;
}

int catalog_log_last(struct catalog *c, int64_t *ret_seq, uint8_t ret_chain[CRYPTO_HASH])
{
	sqlite3_stmt *s = use(c, LOG_LAST);
	int err = row(c, s);

	if (err == 0) {
		*ret_seq = sqlite3_column_int64(s, 0);
		err = take_blob(s, 1, ret_chain, CRYPTO_HASH) ? 0 : -EUCLEAN;
	}
	use(c, BEGIN);
	return err;
}

int catalog_log_add(struct catalog *c, int64_t seq, int64_t time_ns, struct bytes line,
		    const uint8_t chain[CRYPTO_HASH])
{
	sqlite3_stmt *s = use(c, LOG_ADD);

	sqlite3_bind_int64(s, 1, seq);
	sqlite3_bind_int64(s, 2, time_ns);
	sqlite3_bind_text(s, 3, (const char *)line.data, (int)line.len, SQLITE_STATIC);
	bind_blob(s, 4, chain, CRYPTO_HASH);
	return db_run(s);
}

int catalog_totals(struct catalog *c, struct catalog_totals *ret_totals)
{
	sqlite3_stmt *s = use(c, TOTALS);
	int err = row(c, s);

	if (err == 0)
		*ret_totals = (struct catalog_totals){
			.objects = (uint64_t)sqlite3_column_int64(s, 0),
			.size = (uint64_t)sqlite3_column_int64(s, 1),
			.stored = (uint64_t)sqlite3_column_int64(s, 2),
			.names = (uint64_t)sqlite3_column_int64(s, 3),
		};
	use(c, BEGIN);
	return err;
}
