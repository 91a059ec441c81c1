#include "keep/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "keep/db.h"

#define VERSION 2
#define WAIT_MS 30000
#define LOOK_MS 3

/*
 * Addresses and tags are hashes: their places in an index are random, and every transaction
 * touches all of it. So what is indexed is short: a `mark`, the first eight bytes as a number,
 * which SQLite compares many times as fast as it does blobs. Marks may be equal by chance: the
 * second object of a mark has none, and is looked for among those few.
 */
#define OBJECT_TABLE                                                             \
	"CREATE TABLE object("                                                   \
	"  id INTEGER PRIMARY KEY, address BLOB NOT NULL, key INTEGER NOT NULL," \
	"  box BLOB NOT NULL, size INTEGER NOT NULL, length INTEGER NOT NULL,"   \
	"  pack INTEGER NOT NULL, at INTEGER NOT NULL, mark INTEGER) STRICT;"    \
	"CREATE UNIQUE INDEX object_mark ON object(mark);"

static const char schema[] =
	OBJECT_TABLE "CREATE TABLE name("
		     "  id INTEGER PRIMARY KEY, object INTEGER NOT NULL, tag BLOB NOT NULL,"
		     "  sealed BLOB NOT NULL, class TEXT NOT NULL, put INTEGER NOT NULL,"
		     "  until INTEGER NOT NULL, pack INTEGER NOT NULL, at INTEGER NOT NULL,"
		     "  mark INTEGER NOT NULL) STRICT;"
		     "CREATE INDEX name_mark ON name(mark);"
		     "CREATE INDEX name_object ON name(object);"
		     "CREATE TABLE pack(id INTEGER PRIMARY KEY, end INTEGER NOT NULL) STRICT;"
		     "CREATE TABLE doomed(key INTEGER PRIMARY KEY) STRICT;"
		     "CREATE TABLE log("
		     "  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, line TEXT NOT NULL,"
		     "  chain BLOB NOT NULL) STRICT;"
		     "PRAGMA user_version = 2;";

/* From version 1, which had indexes of whole addresses and tags. */
static const char upgrade[] = "ALTER TABLE object RENAME TO object_1;" OBJECT_TABLE
			      "INSERT INTO object SELECT id, address, key, box, size, length, "
			      "pack, at, NULL FROM object_1;"
			      "DROP TABLE object_1;"
			      "UPDATE OR IGNORE object SET mark = mark_of(address);"
			      "ALTER TABLE name ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;"
			      "UPDATE name SET mark = mark_of(tag);"
			      "DROP INDEX name_tag;"
			      "CREATE INDEX name_mark ON name(mark);"
			      "PRAGMA user_version = 2;";

#define OBJECT_COLUMNS "id, address, key, box, size, length, pack, at"
#define NAME_COLUMNS   "id, object, tag, sealed, class, put, until, pack, at"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	OBJECT_BY_ADDRESS,
	OBJECT_BY_ID,
	OBJECT_NEXT,
	OBJECT_NEXT_OF_KEY,
	ADD_OBJECT,
	REBOX,
	DROP_OBJECT,
	NAME_BY_TAG,
	NAME_NEXT,
	NAME_OF,
	ADD_NAME,
	KEEP,
	DROP_NAME,
	NAMES,
	NAMES_ASTRAY,
	PACK_END,
	SET_PACK_END,
	EACH,
	NAME_LAST,
	KEY_NEXT,
	DOOM,
	NEXT_DOOMED,
	UNDOOM,
	LOG_NEXT,
	LOG_LAST,
	LOG_ADD,
	TOTALS,
	CHANGED,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[OBJECT_BY_ADDRESS] =
		"SELECT " OBJECT_COLUMNS " FROM object WHERE mark = ?1 AND address = ?2"
		" UNION ALL SELECT " OBJECT_COLUMNS
		" FROM object WHERE mark IS NULL AND address = ?2 LIMIT 1",
	[OBJECT_BY_ID] = "SELECT " OBJECT_COLUMNS " FROM object WHERE id = ?1",
	[OBJECT_NEXT] = "SELECT " OBJECT_COLUMNS " FROM object WHERE id > ?1 ORDER BY id LIMIT 1",
	[OBJECT_NEXT_OF_KEY] = "SELECT " OBJECT_COLUMNS
			       " FROM object WHERE id > ?1 AND key = ?2 ORDER BY id LIMIT 1",
	[ADD_OBJECT] = "INSERT INTO object(address, key, box, size, length, pack, at, mark)"
		       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(mark) DO NOTHING",
	[REBOX] = "UPDATE object SET key = ?2, box = ?3 WHERE id = ?1",
	[DROP_OBJECT] = "DELETE FROM object WHERE id = ?1",
	[NAME_BY_TAG] = "SELECT " NAME_COLUMNS
			" FROM name WHERE mark = ?1 AND tag = ?2 ORDER BY id DESC LIMIT 1",
	[NAME_NEXT] = "SELECT " NAME_COLUMNS " FROM name WHERE id > ?1 ORDER BY id LIMIT 1",
	[NAME_OF] = "SELECT " NAME_COLUMNS
		    " FROM name WHERE object = ?1 AND id > ?2 ORDER BY id LIMIT 1",
	[ADD_NAME] = "INSERT INTO name(object, tag, sealed, class, put, until, pack, at, mark)"
		     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[KEEP] = "UPDATE name SET until = max(until, ?2) WHERE id = ?1",
	[DROP_NAME] = "DELETE FROM name WHERE id = ?1",
	[NAMES] = "SELECT count(*) FROM name WHERE object = ?1",
	[NAMES_ASTRAY] = "SELECT count(*) FROM name WHERE object NOT IN (SELECT id FROM object)",
	[PACK_END] = "SELECT end FROM pack WHERE id = ?1",
	[SET_PACK_END] = "INSERT INTO pack(id, end) VALUES(?1, ?2)"
			 " ON CONFLICT(id) DO UPDATE SET end = ?2",
	[EACH] = "SELECT o.id, o.address, o.key, o.box, o.size, o.length, o.pack, o.at,"
		 " n.id, n.object, n.tag, n.sealed, n.class, n.put, n.until, n.pack, n.at"
		 " FROM name n JOIN object o ON o.id = n.object"
		 " WHERE n.id > ?2 AND n.id <= ?3 AND (NOT ?1 OR NOT EXISTS"
		 "  (SELECT 1 FROM name m"
		 "   WHERE m.mark = n.mark AND m.tag = n.tag AND m.id > n.id AND m.id <= ?3))"
		 " ORDER BY n.id",
	[NAME_LAST] = "SELECT coalesce(max(id), 0) FROM name",
	[KEY_NEXT] = "SELECT min(key) FROM object WHERE key > ?1",
	[DOOM] = "INSERT OR IGNORE INTO doomed(key) VALUES(?1)",
	[NEXT_DOOMED] = "SELECT key FROM doomed ORDER BY key LIMIT 1",
	[UNDOOM] = "DELETE FROM doomed WHERE key = ?1",
	[LOG_NEXT] = "SELECT seq, time, line, chain FROM log WHERE seq > ?1 ORDER BY seq LIMIT 1",
	[LOG_LAST] = "SELECT seq, chain FROM log ORDER BY seq DESC LIMIT 1",
	[LOG_ADD] = "INSERT INTO log(seq, time, line, chain) VALUES(?1, ?2, ?3, ?4)",
	[TOTALS] = "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(length), 0),"
		   " (SELECT count(*) FROM name) FROM object",
	[CHANGED] = "PRAGMA data_version",
};

struct catalog {
	sqlite3 *sql;
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3_stmt *open; /* whose row is borrowed */
};

static int64_t mark_of(const uint8_t *hash)
{
	uint64_t mark = 0;

	for (unsigned i = 0; i < 8; i++)
		mark = mark << 8 | hash[i];
	return (int64_t)mark;
}

static void sql_mark_of(sqlite3_context *context, int count, sqlite3_value **values)
{
	if (sqlite3_value_bytes(values[0]) >= 8)
		sqlite3_result_int64(context, mark_of(sqlite3_value_blob(values[0])));
}

static int upgrade_tables(sqlite3 *sql)
{
	int err = db_error(sql, sqlite3_create_function(sql, "mark_of", 1, SQLITE_UTF8, NULL,
							sql_mark_of, NULL, NULL));

	if (err == 0)
		err = db_exec(sql, upgrade);
	sqlite3_create_function(sql, "mark_of", 1, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	return err == -EINVAL ? -EUCLEAN : err; /* rows that cannot be ours */
}

/* SQLite's own would look ten times a second only, and miss its turn between two transactions. */
static int wait_turn(void *arg, int tries)
{
	nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000l}, NULL);
	return tries < WAIT_MS / LOOK_MS;
}

/* Whoever comes first makes the tables; a vault's index of another form is none of ours. Alone:
 * what is otherwise shared with others in a file is kept in memory. */
static int set_up(sqlite3 *sql, bool alone)
{
	int64_t version = 0, tables = 0;
	int err = alone ? db_exec(sql, "PRAGMA locking_mode = EXCLUSIVE") : 0;

	sqlite3_busy_handler(sql, wait_turn, NULL);
	sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* A page is twice as long as usual: half as many have to be written. */
	if (err == 0)
		err = db_exec(sql, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA "
				   "synchronous = FULL;"
				   "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
				   "PRAGMA cell_size_check = ON; PRAGMA cache_size = -6144;"
				   "PRAGMA wal_autocheckpoint = 4096;");
	if (err == 0)
		err = db_exec(sql, "BEGIN IMMEDIATE");
	if (err < 0)
		return err;
	err = db_number(sql, "PRAGMA user_version", &version);
	if (err == 0)
		err = db_number(sql, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err == 0 && version == 0 && tables == 0)
		err = db_exec(sql, schema);
	else if (err == 0 && version == 1)
		err = upgrade_tables(sql);
	else if (err == 0 && version != VERSION)
		err = -EUCLEAN;
	if (err == 0)
		err = db_exec(sql, "COMMIT");
	if (err == 0)
		sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return err;
}

/* Counting its memory costs SQLite a lock at every allocation. Where it runs already it goes on. */
static void count_no_memory(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int open_tables(struct catalog *c, const char *path, bool alone)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;
	int rc = sqlite3_open_v2(path, &c->sql, flags, NULL), err = db_error(c->sql, rc);

	return err == 0 ? set_up(c->sql, alone) : err;
}

int catalog_open(const char *path, struct catalog **ret_catalog)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct catalog *c = calloc(1, sizeof(*c));
	int fd, err;

	pthread_once(&once, count_no_memory);
	if (!c)
		return -ENOMEM;
	/*
	 * SQLite would let others read it; its log takes over the mode. One that is there is not
	 * opened: close() would give up the locks of all other handles that this process has on it
	 * (fcntl(2)), and whoever closes it elsewhere would take their log away under them.
	 */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST) {
		err = -errno;
		free(c);
		return err;
	}
	if (fd >= 0)
		close(fd);
	err = open_tables(c, path, false);
	/* A full disk has no room for the file that those share who have it open. Nobody has, then,
	 * and what is in there can be read all the same. */
	if (err == -ENOSPC) {
		sqlite3_close(c->sql);
		c->sql = NULL;
		err = open_tables(c, path, true);
	}
	if (err == 0)
		err = db_prepare(c->sql, texts, c->statements, STATEMENTS);
	if (err == 0) {
		*ret_catalog = c;
		return 0;
	}
	/* What is damaged is left as it is, for whoever makes it again. */
	if (c->sql)
		sqlite3_db_config(c->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	catalog_close(c);
	return err;
}

void catalog_close(struct catalog *c)
{
	if (!c)
		return;
	db_close(c->sql, c->statements, STATEMENTS);
	free(c);
}

int catalog_check(struct catalog *c)
{
	sqlite3_stmt *s;
	int err = 0, rc = sqlite3_prepare_v2(c->sql, "PRAGMA integrity_check(1)", -1, &s, NULL);

	if (rc != SQLITE_OK)
		return db_error(c->sql, rc);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
			err = -EUCLEAN;
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? err : db_error(c->sql, rc);
}

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
	sqlite3_bind_int64(s, n, mark_of(hash));
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
		sqlite3_bind_int64(s, 8, mark_of(o->head.address));
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
	sqlite3_bind_int64(s, 9, mark_of(n->tag));
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
