#include "keep/people.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "keep/db.h"
#include "keep/people_internal.h"

#define STATEMENTS 96

static const char *const steps[] = {
	"CREATE TABLE user("
	"  id BLOB PRIMARY KEY, name TEXT NOT NULL UNIQUE, display TEXT NOT NULL,"
	"  role TEXT NOT NULL, devices TEXT NOT NULL, disabled INTEGER NOT NULL,"
	"  made INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE factor("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  user BLOB NOT NULL REFERENCES user(id) ON DELETE CASCADE, kind TEXT NOT NULL,"
	"  label TEXT NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL,"
	"  handle BLOB UNIQUE, data BLOB NOT NULL, open INTEGER NOT NULL,"
	"  count INTEGER NOT NULL, failures INTEGER NOT NULL) STRICT;"
	"CREATE INDEX factor_user ON factor(user, kind);"
	"CREATE TABLE session("
	"  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
	"  user BLOB NOT NULL REFERENCES user(id) ON DELETE CASCADE, kind INTEGER NOT NULL,"
	"  aal INTEGER NOT NULL, factors TEXT NOT NULL, boot TEXT NOT NULL,"
	"  made_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL, fresh_ns INTEGER NOT NULL,"
	"  made INTEGER NOT NULL, source TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX session_user ON session(user);"
	"CREATE TABLE invitation("
	"  hash BLOB PRIMARY KEY, user BLOB NOT NULL UNIQUE REFERENCES user(id) ON DELETE CASCADE,"
	"  boot TEXT NOT NULL, until_ns INTEGER NOT NULL, until INTEGER NOT NULL)"
	"  STRICT, WITHOUT ROWID;"
	"CREATE TABLE api_key("
	"  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,"
	"  owner BLOB NOT NULL, role TEXT NOT NULL, scopes TEXT NOT NULL, made INTEGER NOT NULL,"
	"  until INTEGER NOT NULL, used INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE reset("
	"  user BLOB PRIMARY KEY REFERENCES user(id) ON DELETE CASCADE, by TEXT NOT NULL,"
	"  time INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE notice("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  user BLOB NOT NULL REFERENCES user(id) ON DELETE CASCADE, time INTEGER NOT NULL,"
	"  reason TEXT NOT NULL, text TEXT NOT NULL, seen INTEGER NOT NULL) STRICT;"
	"CREATE INDEX notice_user ON notice(user);"
	"CREATE TABLE known("
	"  user BLOB NOT NULL REFERENCES user(id) ON DELETE CASCADE, source TEXT NOT NULL,"
	"  time INTEGER NOT NULL, PRIMARY KEY(user, source)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 1;",
	"ALTER TABLE session ADD COLUMN certificate TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 2;",
};

static const struct db_schema schema = {steps, sizeof(steps) / sizeof(*steps)};

struct people *people_open(const char *dir, struct keys *keys)
{
	struct people *p = calloc(1, sizeof(*p));
	char path[DB_PATH_MAX];
	int err;

	if (!p)
		return NULL;
	p->statements = calloc(STATEMENTS, sizeof(*p->statements));
	p->keys = keys;
	snprintf(path, sizeof(path), "%s/people.db", dir);
	err = !p->statements			? -ENOMEM
	      : strlen(dir) + 16 > sizeof(path) ? -ENAMETOOLONG
						: db_open_as(path, &schema, &p->sql);
	if (err < 0) {
		people_free(p);
		errno = -err;
		return NULL;
	}
	sqlite3_exec(p->sql, "PRAGMA secure_delete = ON; PRAGMA cache_size = -1024;", NULL, NULL,
		     NULL);
	return p;
}

void people_free(struct people *p)
{
	if (!p)
		return;
	db_close(p->sql, p->statements, p->count);
	free(p->statements);
	free(p);
}

/* A handful: looked for by their text, which is a constant of the program. */
static sqlite3_stmt *prepare(struct people *p, const char *text, int *ret_err)
{
	size_t i;
	int rc;

	for (i = 0; i < p->count; i++)
		if (strcmp(sqlite3_sql(p->statements[i]), text) == 0)
			return p->statements[i];
	if (p->count == STATEMENTS) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	rc = sqlite3_prepare_v3(p->sql, text, -1, SQLITE_PREPARE_PERSISTENT, &p->statements[i],
				NULL);
	if (rc != SQLITE_OK) {
		*ret_err = db_error(p->sql, rc);
		return NULL;
	}
	return p->statements[p->count++];
}

static sqlite3_stmt *bind(struct people *p, const char *text, int *ret_err, const char *kinds,
			  va_list ap)
{
	sqlite3_stmt *s = prepare(p, text, ret_err);
	int rc = SQLITE_OK;

	if (!s)
		return NULL;
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	for (int i = 1; *kinds && rc == SQLITE_OK; kinds++, i++) {
		const void *data;
		size_t len;

		switch (*kinds) {
		case 'b':
			data = va_arg(ap, const void *);
			len = va_arg(ap, size_t);
			rc = data ? sqlite3_bind_blob64(s, i, data, len, SQLITE_TRANSIENT)
				  : sqlite3_bind_null(s, i);
			break;
		case 't':
			rc = sqlite3_bind_text(s, i, va_arg(ap, const char *), -1,
					       SQLITE_TRANSIENT);
			break;
		default:
			rc = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
			break;
		}
	}
	*ret_err = rc == SQLITE_OK ? 0 : db_error(p->sql, rc);
	return rc == SQLITE_OK ? s : NULL;
}

sqlite3_stmt *people_bind(struct people *p, const char *text, int *ret_err, const char *kinds, ...)
{
	sqlite3_stmt *s;
	va_list ap;

	va_start(ap, kinds);
	s = bind(p, text, ret_err, kinds, ap);
	va_end(ap);
	return s;
}

int people_step(struct people *p, sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW)
		return 1;
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : db_error(p->sql, rc);
}

int people_run(struct people *p, const char *text, const char *kinds, ...)
{
	sqlite3_stmt *s;
	va_list ap;
	int err = 0, rc;

	va_start(ap, kinds);
	s = bind(p, text, &err, kinds, ap);
	va_end(ap);
	if (!s)
		return err;
	rc = sqlite3_step(s);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return -EEXIST;
	if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
		return -ENOENT;
	if (rc != SQLITE_DONE)
		return db_error(p->sql, rc);
	return sqlite3_changes(p->sql) ? 0 : -ENOENT;
}

int64_t people_number(struct people *p, const char *text, const char *kinds, ...)
{
	sqlite3_stmt *s;
	int64_t n = 0;
	va_list ap;
	int err = 0;

	va_start(ap, kinds);
	s = bind(p, text, &err, kinds, ap);
	va_end(ap);
	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0)
		n = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	return err < 0 ? err : n;
}

int people_begin(struct people *p)
{
	return db_exec(p->sql, "BEGIN IMMEDIATE");
}

int people_end(struct people *p, int err)
{
	if (err == 0)
		err = db_exec(p->sql, "COMMIT");
	if (err != 0)
		sqlite3_exec(p->sql, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

void people_text(sqlite3_stmt *s, int column, char *ret_text, size_t cap)
{
	const char *text = (const char *)sqlite3_column_text(s, column);

	snprintf(ret_text, cap, "%s", text ? text : "");
}

size_t people_blob(sqlite3_stmt *s, int column, void *ret_data, size_t cap)
{
	const void *data = sqlite3_column_blob(s, column);
	size_t len = (size_t)sqlite3_column_bytes(s, column);

	len = data && len <= cap ? len : 0;
	if (len)
		memcpy(ret_data, data, len);
	return len;
}

#define USER "SELECT id, name, display, role, devices, disabled, made FROM user "

static void read_user(sqlite3_stmt *s, struct people_user *ret_u)
{
	memset(ret_u, 0, sizeof(*ret_u));
	people_blob(s, 0, ret_u->id, sizeof(ret_u->id));
	people_text(s, 1, ret_u->name, sizeof(ret_u->name));
	people_text(s, 2, ret_u->display, sizeof(ret_u->display));
	people_text(s, 3, ret_u->role, sizeof(ret_u->role));
	people_text(s, 4, ret_u->devices, sizeof(ret_u->devices));
	ret_u->disabled = sqlite3_column_int(s, 5) != 0;
	ret_u->made_s = sqlite3_column_int64(s, 6);
}

int people_user_add(struct people *p, const struct people_user *u)
{
	int64_t n = people_number(p, "SELECT count(*) FROM user", "");

	if (n < 0 || n >= PEOPLE_USERS)
		return n < 0 ? (int)n : -EDQUOT;
	return people_run(p, "INSERT INTO user VALUES(?, ?, ?, ?, ?, ?, ?)", "bttttii", u->id,
			  sizeof(u->id), u->name, u->display, u->role, u->devices,
			  (int64_t)u->disabled, u->made_s);
}

static int one_user(struct people *p, sqlite3_stmt *s, int err, struct people_user *ret_u)
{
	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0)
		read_user(s, ret_u);
	sqlite3_reset(s);
	return err > 0 ? 0 : err == 0 ? -ENOENT : err;
}

int people_user_by_id(struct people *p, const uint8_t id[PEOPLE_ID], struct people_user *ret_u)
{
	int err;
	sqlite3_stmt *s = people_bind(p, USER "WHERE id = ?", &err, "b", id, (size_t)PEOPLE_ID);

	return one_user(p, s, err, ret_u);
}

int people_user_by_name(struct people *p, const char *name, struct people_user *ret_u)
{
	int err;
	sqlite3_stmt *s = people_bind(p, USER "WHERE name = ?", &err, "t", name);

	return one_user(p, s, err, ret_u);
}

int people_user_change(struct people *p, const struct people_user *u)
{
	return people_run(p,
			  "UPDATE user SET display = ?, role = ?, devices = ?, disabled = ? "
			  "WHERE id = ?",
			  "tttib", u->display, u->role, u->devices, (int64_t)u->disabled, u->id,
			  sizeof(u->id));
}

int people_user_remove(struct people *p, const uint8_t id[PEOPLE_ID])
{
	return people_run(p, "DELETE FROM user WHERE id = ?", "b", id, (size_t)PEOPLE_ID);
}

int people_users(struct people *p, people_user_fn fn, void *arg)
{
	int err = 0;
	sqlite3_stmt *s = people_bind(p, USER "ORDER BY name", &err, "");
	struct people_user u;

	while (s && (err = people_step(p, s)) > 0) {
		read_user(s, &u);
		fn(arg, &u);
	}
	return err;
}

int people_reset_ask(struct people *p, const uint8_t user[PEOPLE_ID], const char *by, int64_t now_s)
{
	return people_run(p, "INSERT OR REPLACE INTO reset VALUES(?, ?, ?)", "bti", user,
			  (size_t)PEOPLE_ID, by, now_s);
}

int people_reset_asked(struct people *p, const uint8_t user[PEOPLE_ID], char ret_by[PEOPLE_NAME],
		       int64_t *ret_s)
{
	int err;
	sqlite3_stmt *s = people_bind(p, "SELECT by, time FROM reset WHERE user = ?", &err, "b",
				      user, (size_t)PEOPLE_ID);

	if (!s)
		return err;
	err = people_step(p, s);
	if (err > 0) {
		people_text(s, 0, ret_by, PEOPLE_NAME);
		*ret_s = sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return err > 0 ? 0 : err == 0 ? -ENOENT : err;
}

/* Deleting what is not there is no failure here. */
static int clear(struct people *p, const char *text, const uint8_t user[PEOPLE_ID])
{
	int err = people_run(p, text, "b", user, (size_t)PEOPLE_ID);

	return err == -ENOENT ? 0 : err;
}

int people_reset(struct people *p, const uint8_t user[PEOPLE_ID])
{
	int err = people_begin(p);

	if (err != 0)
		return err;
	err = clear(p, "DELETE FROM factor WHERE user = ?", user);
	err = err ? err : clear(p, "DELETE FROM session WHERE user = ?", user);
	err = err ? err : clear(p, "DELETE FROM invitation WHERE user = ?", user);
	err = err ? err : clear(p, "DELETE FROM known WHERE user = ?", user);
	err = err ? err : clear(p, "DELETE FROM reset WHERE user = ?", user);
	return people_end(p, err);
}

int people_notice_add(struct people *p, const uint8_t user[PEOPLE_ID], const char *reason,
		      const char *text, int64_t now_s)
{
	int err = people_run(p,
			     "INSERT INTO notice(user, time, reason, text, seen) "
			     "VALUES(?, ?, ?, ?, 0)",
			     "bitt", user, (size_t)PEOPLE_ID, now_s, reason, text);

	if (err != 0)
		return err;
	err = people_run(p,
			 "DELETE FROM notice WHERE user = ?1 AND id NOT IN (SELECT id FROM notice "
			 "WHERE user = ?1 ORDER BY id DESC LIMIT ?2)",
			 "bi", user, (size_t)PEOPLE_ID, (int64_t)PEOPLE_NOTICES);
	return err == -ENOENT ? 0 : err;
}

int people_notices(struct people *p, const uint8_t user[PEOPLE_ID], people_notice_fn fn, void *arg)
{
	int err = 0;
	sqlite3_stmt *s = people_bind(p,
				      "SELECT id, time, reason, text, seen FROM notice WHERE user "
				      "= ? ORDER BY id DESC",
				      &err, "b", user, (size_t)PEOPLE_ID);

	while (s && (err = people_step(p, s)) > 0) {
		struct people_notice n = {.id = sqlite3_column_int64(s, 0),
					  .time_s = sqlite3_column_int64(s, 1),
					  .seen = sqlite3_column_int(s, 4) != 0};

		people_text(s, 2, n.reason, sizeof(n.reason));
		people_text(s, 3, n.text, sizeof(n.text));
		fn(arg, &n);
	}
	return err;
}

int people_notices_seen(struct people *p, const uint8_t user[PEOPLE_ID])
{
	return clear(p, "UPDATE notice SET seen = 1 WHERE user = ? AND seen = 0", user);
}

bool people_is_known(struct people *p, const uint8_t user[PEOPLE_ID], const char *source)
{
	return *source &&
	       people_number(p, "SELECT count(*) FROM known WHERE user = ? AND source = ?", "bt",
			     user, (size_t)PEOPLE_ID, source) > 0;
}

int people_know(struct people *p, const uint8_t user[PEOPLE_ID], const char *source, int64_t now_s)
{
	int err = *source ? people_run(p, "INSERT OR REPLACE INTO known VALUES(?, ?, ?)", "bti",
				       user, (size_t)PEOPLE_ID, source, now_s)
			  : 0;

	if (err != 0)
		return err;
	err = people_run(p,
			 "DELETE FROM known WHERE user = ?1 AND source NOT IN (SELECT source FROM "
			 "known WHERE user = ?1 ORDER BY time DESC LIMIT ?2)",
			 "bi", user, (size_t)PEOPLE_ID, (int64_t)PEOPLE_SOURCES);
	return err == -ENOENT ? 0 : err;
}
