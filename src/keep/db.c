#include "keep/db.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/*
 * A step a version; never changed once released. Times are nanoseconds since
 * 1970. A `routine` event is no finding of its own: it makes room first.
 */
static const char *const steps[DB_VERSION] = {
	"CREATE TABLE event("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, type TEXT NOT NULL,"
	"  device TEXT NOT NULL, reason TEXT NOT NULL, severity INTEGER NOT NULL,"
	"  routine INTEGER NOT NULL, line TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_time ON event(time);"
	"CREATE INDEX event_device ON event(device) WHERE device <> '';"
	"CREATE INDEX event_reason ON event(reason) WHERE reason <> '';"
	"CREATE INDEX event_routine ON event(routine);"
	"CREATE TABLE grouped("
	"  device TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,"
	"  blocked INTEGER NOT NULL, would INTEGER NOT NULL, first INTEGER NOT NULL,"
	"  last INTEGER NOT NULL, peer TEXT NOT NULL, severity INTEGER NOT NULL,"
	"  sentence TEXT NOT NULL, PRIMARY KEY(device, reason)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX grouped_rank ON grouped(severity, last);"
	"CREATE TABLE day("
	"  day INTEGER PRIMARY KEY, events INTEGER NOT NULL, blocked INTEGER NOT NULL,"
	"  would INTEGER NOT NULL) STRICT;"
	"CREATE TABLE audit("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, reason TEXT NOT NULL,"
	"  line TEXT NOT NULL) STRICT;"
	"PRAGMA user_version = 1;",

	"CREATE TABLE machine("
	"  mac TEXT PRIMARY KEY, device TEXT NOT NULL, name TEXT NOT NULL, vendor TEXT NOT NULL,"
	"  profile TEXT NOT NULL, why TEXT NOT NULL, segment TEXT NOT NULL,"
	"  services TEXT NOT NULL, apps TEXT NOT NULL,"
	"  first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX machine_last ON machine(last);"
	"CREATE TABLE machine_ip("
	"  mac TEXT NOT NULL REFERENCES machine(mac) ON DELETE CASCADE, ip TEXT NOT NULL,"
	"  last INTEGER NOT NULL, PRIMARY KEY(mac, ip)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE machine_peer("
	"  mac TEXT NOT NULL REFERENCES machine(mac) ON DELETE CASCADE, peer TEXT NOT NULL,"
	"  last INTEGER NOT NULL, PRIMARY KEY(mac, peer)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 2;",

	("ALTER TABLE machine ADD COLUMN dhcp_class TEXT NOT NULL DEFAULT '';"
	 "PRAGMA user_version = 3;"),

	("ALTER TABLE machine ADD COLUMN weaknesses TEXT NOT NULL DEFAULT '[]';"
	 "PRAGMA user_version = 4;"),

	/* `verdict`: enum record_verdict. What was stored before has it in its line. */
	("ALTER TABLE event ADD COLUMN verdict INTEGER NOT NULL DEFAULT 0;"
	 "UPDATE event SET verdict = CASE"
	 " WHEN json_extract(line, '$.verdict.action') = 'drop' THEN 2"
	 " WHEN json_extract(line, '$.verdict.would') = 'drop' THEN 1 ELSE 0 END"
	 " WHERE json_valid(line);"
	 "CREATE INDEX event_type ON event(type);"
	 "CREATE INDEX event_verdict ON event(verdict) WHERE verdict <> 0;"
	 "PRAGMA user_version = 5;"),
};

static const struct db_schema events = {steps, DB_VERSION};

int db_error(sqlite3 *sql, int rc)
{
	int os = sql ? sqlite3_system_errno(sql) : 0;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
	case SQLITE_RANGE:
		return -EINVAL;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		/* The write-ahead log and its index report a full disk as an I/O error. */
		if (os == ENOSPC || os == EDQUOT || rc == SQLITE_IOERR_SHMSIZE)
			return -ENOSPC;
		return os == EACCES || os == EROFS ? -EACCES : -EIO;
	default:
		return -EIO;
	}
}

int db_exec(sqlite3 *sql, const char *text)
{
	return db_error(sql, sqlite3_exec(sql, text, NULL, NULL, NULL));
}

int db_number(sqlite3 *sql, const char *text, int64_t *ret_number)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(sql, text, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return db_error(sql, rc);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -EUCLEAN : db_error(sql, rc);
}

static int migrate(sqlite3 *sql, const struct db_schema *schema, int from)
{
	int err = db_exec(sql, "BEGIN IMMEDIATE");

	for (int v = from; err == 0 && v < schema->version; v++)
		err = db_exec(sql, schema->steps[v]);
	if (err == 0)
		err = db_exec(sql, "COMMIT");
	if (err != 0)
		db_exec(sql, "ROLLBACK");
	return err;
}

/* 0; -EUCLEAN damaged; -EPROTO written by a newer gateway; else as db_error(). */
static int set_up(sqlite3 *sql, const struct db_schema *schema, bool *ret_created)
{
	int64_t version = 0, tables = 0;
	int err;

	sqlite3_busy_timeout(sql, 500);
	sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* Temporary tables in memory: outside state_dir nothing may be written. */
	err = db_exec(sql, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			   "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
			   "PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384;");
	if (err == 0)
		err = db_number(sql, "PRAGMA user_version", &version);
	if (err == 0)
		err = db_number(sql, "SELECT count(*) FROM sqlite_schema", &tables);
	if (err != 0)
		return err;
	if (version > schema->version)
		return -EPROTO;
	if (version < 0 || (version == 0 && tables != 0))
		return -EUCLEAN; /* a database, but none of ours */
	sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	*ret_created = version == 0;
	return version < schema->version ? migrate(sql, schema, (int)version) : 0;
}

static int open_file(const char *path, const struct db_schema *schema, sqlite3 **ret_sql,
		     bool *ret_created)
{
	sqlite3 *sql = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;
	int rc = sqlite3_open_v2(path, &sql, flags, NULL), err = db_error(sql, rc);

	if (err == -EIO && sql)
		err = db_error(sql, sqlite3_extended_errcode(sql));
	if (err == 0)
		err = set_up(sql, schema, ret_created);
	if (err != 0) {
		/* What is to be set aside keeps its log as it is. */
		if (sql)
			sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		sqlite3_close(sql);
		return err;
	}
	*ret_sql = sql;
	return 0;
}

int db_set_aside(const char *path, const char *kind, const char *stamp, char ret_aside[DB_PATH_MAX])
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char aside[DB_PATH_MAX], from[DB_PATH_MAX + 8], to[DB_PATH_MAX + 8];
	struct stat st;
	int n = snprintf(aside, sizeof(aside), "%s.%s-%s", path, kind, stamp);

	/* Twice in one second: the earlier one must not be overwritten. */
	for (unsigned i = 2; n > 0 && n < DB_PATH_MAX && lstat(aside, &st) == 0 && i < 1000; i++)
		n = snprintf(aside, sizeof(aside), "%s.%s-%s.%u", path, kind, stamp, i);
	if (n < 0 || n >= DB_PATH_MAX)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		snprintf(from, sizeof(from), "%s%s", path, tails[i]);
		snprintf(to, sizeof(to), "%s%s", aside, tails[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	snprintf(ret_aside, DB_PATH_MAX, "%s", aside);
	return file_sync_folder(path);
}

int db_open_as(const char *path, const struct db_schema *schema, sqlite3 **ret_sql)
{
	bool created;

	return open_file(path, schema, ret_sql, &created);
}

int db_open(const char *path, const char *stamp, struct db *ret_db)
{
	struct db db = {.fate = DB_OPENED};
	bool created = false;
	int err;

	if (strlen(path) >= DB_PATH_MAX)
		return -ENAMETOOLONG;
	err = open_file(path, &events, &db.sql, &created);
	if (err == -EUCLEAN || err == -EPROTO) {
		err = db_set_aside(path, err == -EPROTO ? "newer" : "broken", stamp, db.aside);
		if (err == 0)
			err = open_file(path, &events, &db.sql, &created);
		db.fate = DB_SET_ASIDE;
	} else if (created) {
		db.fate = DB_CREATED;
	}
	if (err != 0)
		return err == -EUCLEAN || err == -EPROTO ? -EIO : err;
	*ret_db = db;
	return 0;
}

void db_close(sqlite3 *sql, sqlite3_stmt **statements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sqlite3_finalize(statements[i]);
		statements[i] = NULL;
	}
	sqlite3_close(sql);
}

int db_prepare(sqlite3 *sql, const char *const *texts, sqlite3_stmt **ret_statements, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int rc = sqlite3_prepare_v3(sql, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					    &ret_statements[i], NULL);
		if (rc != SQLITE_OK)
			return db_error(sql, rc);
	}
	return 0;
}

int db_run(sqlite3_stmt *statement)
{
	sqlite3 *sql = sqlite3_db_handle(statement);
	int err = db_error(sql, sqlite3_step(statement));

	sqlite3_reset(statement);
	return err;
}
