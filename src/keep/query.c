#include "keep/query.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "keep/db.h"

#define ROW_MAX 32768

/*
 * ?1 device, ?2 reason, ?3 since, ?4 limit are bound in every filtered query.
 * Each comes in the variants below, so that the index that fits is used. A
 * reason also matches what begins with it and a dot ('/' is the character
 * behind '.').
 */
enum variant { ALL, DEVICE, REASON, VARIANTS };

#define MATCH_ALL    "?1 = '' AND ?2 = ''"
#define MATCH_REASON "(reason = ?2 OR (reason > ?2 || '.' AND reason < ?2 || '/'))"
#define MATCH_DEVICE "device <> '' AND device = ?1 AND (?2 = '' OR " MATCH_REASON ")"
#define MATCH_ONE    "reason <> '' AND " MATCH_REASON

/* The query of each variant: what stands before and behind the match. */
#define EACH(before, behind)                                                            \
	{                                                                               \
		[ALL] = before MATCH_ALL behind, [DEVICE] = before MATCH_DEVICE behind, \
		[REASON] = before MATCH_ONE behind                                      \
	}

/*
 * Events come in almost in the order of their times, but not quite: `since` is
 * looked up by time, to begin at the first that is not older, and asked again
 * of every row.
 */
#define NOT_BEFORE            \
	" AND time >= ?3 AND" \
	" (?3 = 0 OR id >= (SELECT min(id) FROM event WHERE time >= ?3))"

static const char *const groups_sql[VARIANTS] =
	EACH("SELECT device, reason, severity, count, blocked, would, first, last, peer, sentence"
	     " FROM grouped WHERE ",
	     " AND last >= ?3 ORDER BY severity, last DESC LIMIT ?4");
static const char *const tail_sql[VARIANTS] =
	EACH("SELECT min(id) FROM (SELECT id FROM event WHERE ",
	     NOT_BEFORE " ORDER BY id DESC LIMIT ?4)");
static const char *const events_sql[VARIANTS] =
	EACH("SELECT id, opened(line) FROM event WHERE id > ?5 AND ",
	     " AND time >= ?3 ORDER BY id LIMIT ?4");

static int prepare(sqlite3 *db, const char *text, sqlite3_stmt **ret_statement)
{
	if (!db)
		return -ENODEV;
	return db_error(db, sqlite3_prepare_v2(db, text, -1, ret_statement, NULL));
}

static int prepare_filtered(sqlite3 *db, const char *const texts[VARIANTS],
			    const struct query_filter *f, sqlite3_stmt **ret_statement)
{
	enum variant v = *f->device ? DEVICE : *f->reason ? REASON : ALL;
	int err = prepare(db, texts[v], ret_statement);

	if (err != 0)
		return err;
	sqlite3_bind_text(*ret_statement, 1, f->device, -1, SQLITE_STATIC);
	sqlite3_bind_text(*ret_statement, 2, f->reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(*ret_statement, 3, f->since_ns);
	sqlite3_bind_int64(*ret_statement, 4, f->limit ? (int64_t)f->limit : -1);
	return 0;
}

/* Ends a walk: its statement is gone, its last result judged. */
static int finish(sqlite3 *db, sqlite3_stmt *s, int rc)
{
	int err = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_error(db, rc);

	sqlite3_finalize(s);
	return err;
}

static struct bytes column(sqlite3_stmt *s, int n)
{
	const void *data = sqlite3_column_text(s, n);

	return (struct bytes){data, (size_t)sqlite3_column_bytes(s, n)};
}

static void put_time(struct json *j, const char *key, int64_t ns)
{
	char text[CLOCK_EVE_LEN];

	clock_eve(ns > 0 ? (uint64_t)ns : 0, text);
	json_str(j, key, text);
}

static void give(struct json *j, query_row_fn fn, void *arg)
{
	json_close(j);
	if (!j->out.bad)
		fn(arg, (struct bytes){j->out.data, j->out.len});
}

static void give_group(sqlite3_stmt *s, query_row_fn fn, void *arg)
{
	char buf[4096];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_text(&j, "device", column(s, 0));
	json_text(&j, "reason", column(s, 1));
	json_i64(&j, "severity", sqlite3_column_int64(s, 2));
	json_i64(&j, "count", sqlite3_column_int64(s, 3));
	json_i64(&j, "blocked", sqlite3_column_int64(s, 4));
	json_i64(&j, "would", sqlite3_column_int64(s, 5));
	put_time(&j, "first", sqlite3_column_int64(s, 6));
	put_time(&j, "last", sqlite3_column_int64(s, 7));
	json_text(&j, "peer", column(s, 8));
	json_text(&j, "sentence", column(s, 9));
	give(&j, fn, arg);
}

int query_groups(sqlite3 *db, const struct query_filter *f, query_row_fn fn, void *arg)
{
	sqlite3_stmt *s;
	int err = prepare_filtered(db, groups_sql, f, &s);
	int rc;

	if (err != 0)
		return err;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		give_group(s, fn, arg);
	return finish(db, s, rc);
}

/* One whole number, 0 where the answer is NULL. */
static int one_number(sqlite3 *db, sqlite3_stmt *s, int64_t *ret_number)
{
	int rc = sqlite3_step(s);
	int64_t n = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	int err = finish(db, s, rc);

	if (err == 0)
		*ret_number = n;
	return err;
}

int query_newest(sqlite3 *db, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int err = prepare(db, "SELECT max(id) FROM event", &s);

	return err != 0 ? err : one_number(db, s, ret_id);
}

int query_last_time(sqlite3 *db, int64_t *ret_ns)
{
	sqlite3_stmt *s;
	int err = prepare(db, "SELECT max(time) FROM event", &s);

	return err != 0 ? err : one_number(db, s, ret_ns);
}

int query_tail(sqlite3 *db, const struct query_filter *f, int64_t *ret_after)
{
	sqlite3_stmt *s;
	int64_t first = 0;
	int err = prepare_filtered(db, tail_sql, f, &s);

	if (err == 0)
		err = one_number(db, s, &first);
	if (err == 0)
		*ret_after = first > 0 ? first - 1 : 0;
	return err;
}

int query_events(sqlite3 *db, const struct query_filter *f, int64_t *after, uint32_t max,
		 query_row_fn fn, void *arg, uint32_t *ret_rows)
{
	struct query_filter page = *f;
	sqlite3_stmt *s;
	uint32_t rows = 0;
	int rc, err;

	page.limit = max;
	err = prepare_filtered(db, events_sql, &page, &s);
	if (err != 0)
		return err;
	sqlite3_bind_int64(s, 5, *after);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		*after = sqlite3_column_int64(s, 0);
		fn(arg, column(s, 1));
		rows++;
	}
	err = finish(db, s, rc);
	if (err == 0)
		*ret_rows = rows;
	return err;
}

/* A JSON list of the texts that one machine's row gives, newest first. */
static int list_of(sqlite3_stmt *s, struct bytes mac, const char *key, struct json *j)
{
	int rc;

	sqlite3_bind_text(s, 1, (const char *)mac.data, (int)mac.len, SQLITE_TRANSIENT);
	json_list(j, key);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW)
		json_text(j, NULL, column(s, 0));
	json_end(j);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? 0 : db_error(sqlite3_db_handle(s), rc);
}

static int give_machine(sqlite3_stmt *s, sqlite3_stmt *ips, sqlite3_stmt *peers, query_row_fn fn,
			void *arg)
{
	char buf[ROW_MAX];
	struct json j = json_new(buf, sizeof(buf));
	int err;

	json_open(&j, NULL);
	json_text(&j, "mac", column(s, 0));
	json_text(&j, "device", column(s, 1));
	json_text(&j, "name", column(s, 2));
	json_text(&j, "vendor", column(s, 3));
	json_text(&j, "profile", column(s, 4));
	json_raw(&j, "profile_reasons", column(s, 5));
	json_text(&j, "segment", column(s, 6));
	put_time(&j, "first", sqlite3_column_int64(s, 7));
	put_time(&j, "last", sqlite3_column_int64(s, 8));
	json_raw(&j, "services", column(s, 9));
	json_raw(&j, "apps", column(s, 10));
	json_text(&j, "dhcp_class", column(s, 11));
	json_raw(&j, "weaknesses", column(s, 12));
	err = list_of(ips, column(s, 0), "ips", &j);
	if (err == 0)
		err = list_of(peers, column(s, 0), "peers", &j);
	if (err == 0)
		give(&j, fn, arg);
	return err;
}

int query_machines(sqlite3 *db, uint32_t limit, query_row_fn fn, void *arg)
{
	sqlite3_stmt *s = NULL, *ips = NULL, *peers = NULL;
	int rc = SQLITE_DONE;
	int err = prepare(
		db,
		"SELECT mac, device, opened(name), vendor, profile, why, segment, first, last, "
		"services, apps, dhcp_class, weaknesses"
		" FROM machine ORDER BY last DESC, mac LIMIT ?1",
		&s);

	if (err == 0)
		err = prepare(db, "SELECT ip FROM machine_ip WHERE mac = ?1 ORDER BY last DESC, ip",
			      &ips);
	if (err == 0)
		err = prepare(db,
			      "SELECT peer FROM machine_peer WHERE mac = ?1"
			      " ORDER BY last DESC, peer",
			      &peers);
	if (err == 0)
		sqlite3_bind_int64(s, 1, limit ? (int64_t)limit : -1);
	while (err == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW)
		err = give_machine(s, ips, peers, fn, arg);
	sqlite3_finalize(ips);
	sqlite3_finalize(peers);
	if (err != 0) {
		sqlite3_finalize(s);
		return err;
	}
	return finish(db, s, rc);
}

int query_day(sqlite3 *db, int64_t time_ns, struct query_day *ret_day)
{
	const int64_t day_s = 24 * 60 * 60;
	time_t t = (time_t)(time_ns / (int64_t)NSEC_PER_SEC);
	struct query_day day = {0};
	sqlite3_stmt *s;
	struct tm tm;
	int rc, err;

	err = prepare(db, "SELECT events, blocked, would FROM day WHERE day = ?1", &s);
	if (err != 0)
		return err;
	localtime_r(&t, &tm);
	sqlite3_bind_int64(s, 1, ((int64_t)t + tm.tm_gmtoff) / day_s);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		day = (struct query_day){(uint64_t)sqlite3_column_int64(s, 0),
					 (uint64_t)sqlite3_column_int64(s, 1),
					 (uint64_t)sqlite3_column_int64(s, 2)};
	err = finish(db, s, rc);
	if (err == 0)
		*ret_day = day;
	return err;
}
