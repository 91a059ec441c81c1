#ifndef BEDWARDEN_KEEP_DB_H
#define BEDWARDEN_KEEP_DB_H
/*
 * The database file: one SQLite connection, set up so that a commit that
 * returned is on the disk (WAL, synchronous FULL), brought to the newest schema
 * step by step (user_version), and set aside where it is damaged or was written
 * by a newer gateway. Whatever was set aside is kept, write-ahead log included,
 * for somebody to look at.
 *
 * Statements are prepared once and only ever get their values bound.
 */
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#define DB_VERSION 5

/* What is in a file: one step a version, never changed once released. */
struct db_schema {
	const char *const *steps;
	int version; /* how many */
};

enum db_fate {
	DB_OPENED,
	DB_CREATED,
	DB_SET_ASIDE, /* and a new one begun */
};

#define DB_PATH_MAX 512

struct db {
	sqlite3 *sql;
	enum db_fate fate;
	char aside[DB_PATH_MAX]; /* with DB_SET_ASIDE: what the old file is called now */
};

/*
 * Opens or creates. `stamp` ("20260131T071502Z") ends the name of what is set
 * aside. 0; -ENOSPC, -EACCES, -EIO, -EAGAIN (locked by another): nothing is open.
 */
int db_open(const char *path, const char *stamp, struct db *ret_db);
/*
 * The same for a file of another schema. One that is damaged or newer stays where it is:
 * -EUCLEAN, -EPROTO, or as db_open().
 */
int db_open_as(const char *path, const struct db_schema *schema, sqlite3 **ret_sql);
/* Renames file, log and index to PATH.broken-STAMP; the database must be closed. 0 or -errno. */
int db_set_aside(const char *path, const char *kind, const char *stamp,
		 char ret_aside[DB_PATH_MAX]);
/* Frees `count` statements (NULL ones too), then closes. */
void db_close(sqlite3 *sql, sqlite3_stmt **statements, size_t count);

/* Statements without values or rows, such as BEGIN. 0 or as db_error(). */
int db_exec(sqlite3 *sql, const char *text);
/* The number that a query of one row and column gives. 0; -EUCLEAN no row; or as db_error(). */
int db_number(sqlite3 *sql, const char *text, int64_t *ret_number);
/* Prepares the whole table. 0 or as db_error(). */
int db_prepare(sqlite3 *sql, const char *const *texts, sqlite3_stmt **ret_statements, size_t count);
/* Runs a statement that returns no row, and resets it. 0 or as db_error(). */
int db_run(sqlite3_stmt *statement);
/*
 * What an SQLite result means to us: 0, -ENOSPC (full), -EUCLEAN (damaged), -EAGAIN (locked),
 * -ENOMEM, -EINVAL (this row cannot be stored), -EACCES, else -EIO.
 */
int db_error(sqlite3 *sql, int rc);

#endif
