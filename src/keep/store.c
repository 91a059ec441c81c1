#include "keep/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "keep/db.h"
#include "keep/inventory.h"
#include "keep/person.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	PUT_EVENT,
	PUT_GROUP,
	PUT_DAY,
	PUT_AUDIT,
	DROP_EVENTS,
	DROP_GROUPS,
	DROP_AUDIT,
	DROP_DAYS,
	COUNT_EVENTS,
	COUNT_ROUTINE,
	COUNT_GROUPS,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[PUT_EVENT] = "INSERT INTO event(time, type, device, reason, severity, routine, line,"
		      "  verdict) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[PUT_GROUP] =
		"INSERT INTO grouped(device, reason, count, blocked, would, first, last, peer,"
		"  severity, sentence) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)"
		" ON CONFLICT(device, reason) DO UPDATE SET count = count + ?3,"
		"  blocked = blocked + ?4, would = would + ?5, first = min(first, ?6),"
		"  peer = iif(?6 >= last AND ?7 <> '', ?7, peer), last = max(last, ?6),"
		"  severity = ?8, sentence = ?9",
	[PUT_DAY] = "INSERT INTO day(day, events, blocked, would) VALUES(?1, ?2, ?3, ?4)"
		    " ON CONFLICT(day) DO UPDATE SET events = events + ?2,"
		    "  blocked = blocked + ?3, would = would + ?4",
	[PUT_AUDIT] = "INSERT INTO audit(time, reason, line) VALUES(?1, ?2, ?3)",
	[DROP_EVENTS] = "DELETE FROM event WHERE id IN"
			" (SELECT id FROM event WHERE routine = ?1 ORDER BY id LIMIT ?2)",
	[DROP_GROUPS] = "DELETE FROM grouped WHERE (device, reason) IN (SELECT device, reason"
			" FROM grouped ORDER BY severity DESC, last LIMIT ?1)",
	[DROP_AUDIT] = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1",
	[DROP_DAYS] = "DELETE FROM day WHERE day NOT IN"
		      " (SELECT day FROM day ORDER BY day DESC LIMIT ?1)",
	[COUNT_EVENTS] = "SELECT count(*) FROM event",
	[COUNT_ROUTINE] = "SELECT count(*) FROM event WHERE routine",
	[COUNT_GROUPS] = "SELECT count(*) FROM grouped",
};

/* What the next batch will add to one day. */
struct day {
	int64_t number; /* days since 1970, local time */
	int64_t begin_ns, end_ns;
	uint64_t events, blocked, would;
};

struct store {
	char path[DB_PATH_MAX];
	char aside[DB_PATH_MAX];
	bool tell_aside;
	sqlite3 *sql;
	sqlite3_stmt *statements[STATEMENTS];
	struct inventory *inventory;
	struct person *person; /* the caller's; NULL: nothing is opened */
	struct record *first, **last;
	size_t queue_max;
	uint32_t max_events;
	uint64_t rows, routine, groups; /* as of the last commit */
	struct store_counts counts;
};

/* opened(text): with what is sealed in it opened. */
static void opened(sqlite3_context *c, int count, sqlite3_value **values)
{
	struct store *s = sqlite3_user_data(c);
	struct bytes text = {sqlite3_value_text(values[0]), (size_t)sqlite3_value_bytes(values[0])};
	size_t len;
	char *plain = text.data ? person_open(s->person, text, &len) : NULL;

	(void)count;
	if (plain)
		sqlite3_result_text64(c, plain, len, free, SQLITE_UTF8);
	else
		sqlite3_result_value(c, values[0]);
}

struct store *store_new(const char *path, uint32_t max_events)
{
	struct store *s;

	if (strlen(path) >= sizeof(s->path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->last = &s->first;
	s->queue_max = STORE_QUEUE_BYTES;
	s->max_events = max_events;
	store_commit(s);
	return s;
}

void store_opens(struct store *s, struct person *person)
{
	s->person = person;
}

static void close_db(struct store *s)
{
	inventory_close(s->inventory);
	s->inventory = NULL;
	db_close(s->sql, s->statements, STATEMENTS);
	s->sql = NULL;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	store_commit(s);
	close_db(s);
	while (s->first) {
		struct record *r = s->first;

		s->first = r->next;
		free(r);
	}
	free(s);
}

void store_limit_queue(struct store *s, size_t bytes)
{
	s->queue_max = bytes;
}

int store_put_record(struct store *s, struct record *r)
{
	size_t cost = sizeof(*r) + r->line.len;

	if (s->counts.queued_bytes + cost > s->queue_max) {
		s->counts.lost++;
		free(r);
		return -ENOBUFS;
	}
	r->next = NULL;
	*s->last = r;
	s->last = &r->next;
	s->counts.queued++;
	s->counts.queued_bytes += cost;
	return 0;
}

int store_put(struct store *s, struct bytes line)
{
	struct record *r = record_parse(line);

	if (r)
		return store_put_record(s, r);
	if (errno == EBADMSG)
		s->counts.refused++;
	return -errno;
}

static void bind_text(sqlite3_stmt *st, int n, const char *text)
{
	sqlite3_bind_text(st, n, text, -1, SQLITE_STATIC);
}

static void bind_line(sqlite3_stmt *st, int n, struct bytes line)
{
	sqlite3_bind_text(st, n, (const char *)line.data, (int)line.len, SQLITE_STATIC);
}

static int put_event(struct store *s, const struct record *r)
{
	sqlite3_stmt *st = s->statements[PUT_EVENT];

	sqlite3_bind_int64(st, 1, r->time_ns);
	bind_text(st, 2, r->type);
	bind_text(st, 3, r->who);
	bind_text(st, 4, r->reason);
	sqlite3_bind_int(st, 5, r->severity);
	sqlite3_bind_int(st, 6, r->routine);
	bind_line(st, 7, r->line);
	sqlite3_bind_int(st, 8,
			 r->blocked ? RECORD_BLOCKED
			 : r->would ? RECORD_WOULD
				    : RECORD_PASSED);
	return db_run(st);
}

static int put_group(struct store *s, const struct record *r)
{
	sqlite3_stmt *st = s->statements[PUT_GROUP];
	enum reason known = reason_from_name(r->reason);

	bind_text(st, 1, r->audit ? "" : r->who);
	bind_text(st, 2, *r->reason ? r->reason : r->type);
	sqlite3_bind_int64(st, 3, r->count);
	sqlite3_bind_int64(st, 4, r->blocked ? r->count : 0);
	sqlite3_bind_int64(st, 5, r->would ? r->count : 0);
	sqlite3_bind_int64(st, 6, r->time_ns);
	bind_text(st, 7, r->peer);
	sqlite3_bind_int(st, 8, r->severity);
	bind_text(st, 9, known < REASON_COUNT ? reason_sentence(known) : "");
	return db_run(st);
}

static int put_audit(struct store *s, const struct record *r)
{
	sqlite3_stmt *st = s->statements[PUT_AUDIT];

	sqlite3_bind_int64(st, 1, r->time_ns);
	bind_text(st, 2, r->reason);
	bind_line(st, 3, r->line);
	return db_run(st);
}

static int put_day(struct store *s, const struct day *d)
{
	sqlite3_stmt *st = s->statements[PUT_DAY];

	if (d->events == 0)
		return 0;
	sqlite3_bind_int64(st, 1, d->number);
	sqlite3_bind_int64(st, 2, (int64_t)d->events);
	sqlite3_bind_int64(st, 3, (int64_t)d->blocked);
	sqlite3_bind_int64(st, 4, (int64_t)d->would);
	return db_run(st);
}

/* The local day of a time. Days are compared, so a clock change costs nothing worse than a short one. */
static struct day day_of(int64_t time_ns)
{
	const int64_t day_s = 24 * 60 * 60;
	time_t t = (time_t)(time_ns / (int64_t)NSEC_PER_SEC);
	struct tm tm;
	int64_t local, begin;

	localtime_r(&t, &tm);
	local = (int64_t)t + tm.tm_gmtoff;
	begin = (int64_t)t - local % day_s;
	return (struct day){.number = local / day_s,
			    .begin_ns = begin * (int64_t)NSEC_PER_SEC,
			    .end_ns = (begin + day_s) * (int64_t)NSEC_PER_SEC};
}

static int count_day(struct store *s, struct day *d, const struct record *r)
{
	int err = 0;

	if (r->time_ns < d->begin_ns || r->time_ns >= d->end_ns) {
		err = put_day(s, d);
		*d = day_of(r->time_ns);
	}
	d->events += r->count;
	d->blocked += r->blocked ? r->count : 0;
	d->would += r->would ? r->count : 0;
	return err;
}

static int put_one(struct store *s, const struct record *r)
{
	int err = put_event(s, r);

	if (err == 0 && !r->routine)
		err = put_group(s, r);
	if (err == 0 && r->audit)
		err = put_audit(s, r);
	if (err == 0 && r->inventory) {
		err = inventory_put(s->inventory, r);
		if (err == -EINVAL)
			err = 0; /* names no machine; the event stands for itself */
	}
	return err;
}

static int drop_events(struct store *s, bool routine, uint64_t count)
{
	sqlite3_stmt *st = s->statements[DROP_EVENTS];

	if (count == 0)
		return 0;
	sqlite3_bind_int(st, 1, routine);
	sqlite3_bind_int64(st, 2, (int64_t)count);
	return db_run(st);
}

/* Runs one of the statements that keep a table within `limit` rows. */
static int drop_rest(struct store *s, enum statement which, int64_t limit)
{
	sqlite3_bind_int64(s->statements[which], 1, limit);
	return db_run(s->statements[which]);
}

/* The one number a counting statement gives. */
static int count_rows(struct store *s, enum statement which, uint64_t *ret_count)
{
	sqlite3_stmt *st = s->statements[which];
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		*ret_count = (uint64_t)sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 0 : db_error(s->sql, rc);
}

static int count_all(struct store *s)
{
	int err = count_rows(s, COUNT_EVENTS, &s->rows);

	if (err == 0)
		err = count_rows(s, COUNT_ROUTINE, &s->routine);
	if (err == 0)
		err = count_rows(s, COUNT_GROUPS, &s->groups);
	return err;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Brings every table back within its bound; *s counts the rows as they will be. */
static int trim(struct store *s)
{
	uint64_t share = s->max_events / 4, over, routine;
	int err;

	over = s->rows > s->max_events ? s->rows - s->max_events : 0;
	routine = s->routine > share ? at_most(over, s->routine - share) : 0;
	err = drop_events(s, true, routine);
	if (err == 0)
		err = drop_events(s, false, over - routine);
	if (err == 0)
		err = count_rows(s, COUNT_GROUPS, &s->groups);
	if (err == 0 && s->groups > STORE_GROUPS)
		err = drop_rest(s, DROP_GROUPS, (int64_t)(s->groups - STORE_GROUPS));
	if (err == 0)
		err = drop_rest(s, DROP_AUDIT, STORE_AUDIT);
	if (err == 0)
		err = drop_rest(s, DROP_DAYS, STORE_DAYS);
	if (err == 0)
		err = inventory_trim(s->inventory);
	s->rows -= over;
	s->routine -= routine;
	return err;
}

/* Writes up to STORE_BATCH of the queue as one transaction; *ret_end is the first not written. */
static int write_batch(struct store *s, struct record **ret_end)
{
	struct day day = {0};
	struct record *r = s->first;
	unsigned count = 0;
	int err = db_run(s->statements[BEGIN]);

	for (; err == 0 && r && count < STORE_BATCH; r = r->next, count++) {
		err = put_one(s, r);
		if (err == -EINVAL) {
			s->counts.lost++; /* this one row cannot be stored, ever */
			err = 0;
			continue;
		}
		if (err == 0)
			err = count_day(s, &day, r);
		s->rows++;
		s->routine += r->routine;
	}
	if (err == 0)
		err = put_day(s, &day);
	if (err == 0)
		err = trim(s);
	if (err == 0)
		err = db_run(s->statements[COMMIT]);
	*ret_end = r;
	return err;
}

#define STAMP_LEN 20

static void stamp_now(char ret_stamp[STAMP_LEN])
{
	time_t now = (time_t)(clock_wall_ns() / NSEC_PER_SEC);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(ret_stamp, STAMP_LEN, "%Y%m%dT%H%M%SZ", &tm);
}

static int open_db(struct store *s)
{
	struct db db;
	char stamp[STAMP_LEN];
	int err;

	stamp_now(stamp);
	err = db_open(s->path, stamp, &db);
	if (err != 0)
		return err;
	s->sql = db.sql;
	err = db_error(s->sql,
		       sqlite3_create_function(s->sql, "opened", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
					       s, opened, NULL, NULL));
	if (err == 0)
		err = db_prepare(s->sql, texts, s->statements, STATEMENTS);
	if (err == 0)
		err = inventory_open(s->sql, &s->inventory);
	if (err == 0)
		err = count_all(s);
	if (err != 0) {
		sqlite3_db_config(s->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		close_db(s);
		return err;
	}
	if (db.fate == DB_SET_ASIDE) {
		snprintf(s->aside, sizeof(s->aside), "%s", db.aside);
		s->tell_aside = true;
	}
	return 0;
}

/* Found damaged while in use: out of the way with it, and a new one. */
static int replace_db(struct store *s)
{
	char stamp[STAMP_LEN];
	int err;

	stamp_now(stamp);
	if (s->sql)
		sqlite3_db_config(s->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_db(s);
	err = db_set_aside(s->path, "broken", stamp, s->aside);
	if (err != 0)
		return err;
	s->tell_aside = true;
	return open_db(s);
}

static void let_go(struct store *s, struct record *end)
{
	while (s->first != end) {
		struct record *r = s->first;

		s->first = r->next;
		s->counts.queued--;
		s->counts.queued_bytes -= sizeof(*r) + r->line.len;
		s->counts.stored++;
		free(r);
	}
	if (!s->first)
		s->last = &s->first;
}

static int commit_batch(struct store *s)
{
	uint64_t rows = s->rows, routine = s->routine, lost = s->counts.lost;
	struct record *end;
	int err = write_batch(s, &end);

	if (err == 0) {
		let_go(s, end);
		return 0;
	}
	db_run(s->statements[ROLLBACK]); /* fails where SQLite has done so by itself */
	s->rows = rows;
	s->routine = routine;
	s->counts.lost = lost;
	return err;
}

int store_commit(struct store *s)
{
	bool replaced = false;
	int err = 0;

	while (err == 0 && (!s->sql || s->first)) {
		err = s->sql ? commit_batch(s) : open_db(s);
		if (err == -EUCLEAN && !replaced) {
			replaced = true;
			err = replace_db(s);
		}
	}
	return err;
}

const char *store_set_aside(struct store *s)
{
	if (!s->tell_aside)
		return NULL;
	s->tell_aside = false;
	return s->aside;
}

static uint64_t file_size(const char *path, const char *tail)
{
	char name[DB_PATH_MAX + 8];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, tail);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void store_counts(struct store *s, struct store_counts *ret_counts)
{
	*ret_counts = s->counts;
	ret_counts->events = s->rows;
	ret_counts->routine = s->routine;
	ret_counts->file_bytes = file_size(s->path, "") + file_size(s->path, "-wal");
}

uint32_t store_queued(const struct store *s)
{
	return s->counts.queued;
}

uint64_t store_lost(const struct store *s)
{
	return s->counts.lost;
}

sqlite3 *store_db(struct store *s)
{
	return s->sql;
}
