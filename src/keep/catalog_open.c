#include "keep/catalog_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
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

int64_t catalog_mark(const uint8_t *hash)
{
	uint64_t mark = 0;

	for (unsigned i = 0; i < 8; i++)
		mark = mark << 8 | hash[i];
	return (int64_t)mark;
}

static void sql_mark_of(sqlite3_context *context, int count, sqlite3_value **values)
{
	if (sqlite3_value_bytes(values[0]) >= 8)
		sqlite3_result_int64(context, catalog_mark(sqlite3_value_blob(values[0])));
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
