#include "keep/page.h"

#include <errno.h>
#include <stdio.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "keep/db.h"

/*
 * Events are looked through in windows of their numbers, from the newest down.
 * Within one the most selective filter has an index that also holds the
 * numbers; the others are asked of each row.
 */
#define WINDOW_FIRST 4096
#define WINDOW_MAX   (1 << 22)
/* Events come in nearly in the order of their times: so far out of order, at most. */
#define DISORDER   10000
#define LOOK_EVERY 64 /* rows between looks at the clock */

/* ?1 device, ?2 reason, ?3 since, ?4 until, ?5 type, ?6 verdict, ?7 from, ?8 below, ?9 limit. */
#define REASON(column) "(" column " = ?2 OR (" column " > ?2 || '.' AND " column " < ?2 || '/'))"
#define HEAD	       "SELECT id, line FROM event WHERE id >= ?7 AND id < ?8 AND time >= ?3"
#define TIME	       " AND (?4 = 0 OR time <= ?4)"
#define TYPE	       " AND (?5 = '' OR +type = ?5)"
#define VERDICT	       " AND (?6 < 0 OR +verdict = ?6)"
#define WHY	       " AND (?2 = '' OR " REASON("+reason") ")"
#define TAIL	       " ORDER BY id DESC LIMIT ?9"

enum variant { BY_DEVICE, BY_REASON, BY_REASON_GROUP, BY_VERDICT, BY_TYPE, BY_ID, VARIANTS };

static const char *const texts[VARIANTS] = {
	[BY_DEVICE] = HEAD " AND device <> '' AND device = ?1" TIME TYPE VERDICT WHY TAIL,
	[BY_REASON] = HEAD " AND reason <> '' AND reason = ?2" TIME TYPE VERDICT TAIL,
	[BY_REASON_GROUP] = HEAD TIME TYPE VERDICT " AND " REASON("+reason") TAIL,
	[BY_VERDICT] = HEAD " AND verdict <> 0 AND verdict = ?6" TIME TYPE TAIL,
	[BY_TYPE] = HEAD " AND type = ?5" TIME VERDICT TAIL,
	[BY_ID] = HEAD TIME VERDICT TAIL,
};

static enum variant variant_of(const struct page_ask *a)
{
	if (*a->filter.device)
		return BY_DEVICE;
	if (*a->filter.reason)
		return strchr(a->filter.reason, '.') ? BY_REASON : BY_REASON_GROUP;
	if (a->verdict > RECORD_PASSED)
		return BY_VERDICT;
	return *a->type ? BY_TYPE : BY_ID;
}

/* The number that a query of one row gives; *ret_number stays where there is no row. */
static int number(sqlite3 *db, const char *text, int64_t arg, int64_t *ret_number)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db, text, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return db_error(db, rc);
	sqlite3_bind_int64(s, 1, arg);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		*ret_number = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_error(db, rc);
}

/* [*ret_low, *ret_high): the numbers in which the page's events are. */
static int bounds(sqlite3 *db, const struct page_ask *a, int64_t *ret_low, int64_t *ret_high)
{
	int64_t low = 1, high = 0, at = -1;
	int err = number(db, "SELECT min(id) FROM event WHERE ?1 = 0", 0, &low);

	if (err == 0)
		err = number(db, "SELECT max(id) + 1 FROM event WHERE ?1 = 0", 0, &high);
	if (err == 0 && a->filter.since_ns > 0) {
		at = high;
		err = number(db, "SELECT id FROM event WHERE time >= ?1 ORDER BY time LIMIT 1",
			     a->filter.since_ns, &at);
		if (at - DISORDER > low)
			low = at - DISORDER;
	}
	if (err == 0 && a->until_ns > 0) {
		at = low - 1;
		err = number(db, "SELECT id FROM event WHERE time <= ?1 ORDER BY time DESC LIMIT 1",
			     a->until_ns, &at);
		if (at + DISORDER < high)
			high = at + DISORDER;
	}
	if (a->before > 0 && a->before < high)
		high = a->before;
	*ret_low = low;
	*ret_high = high;
	return err;
}

static bool has_text(const char *line, const char *text)
{
	return !*text || strcasestr(line, text);
}

struct walk {
	const struct page_ask *ask;
	page_row_fn fn;
	void *arg;
	uint64_t until_ns; /* when the page has cost enough */
	uint32_t left;
	int64_t at; /* everything from here up was looked at */
	bool late;
};

/* One window's rows. 0 or as db_error(). */
static int walk_window(struct walk *w, sqlite3 *db, sqlite3_stmt *s, int64_t from)
{
	uint32_t rows = 0;
	int rc;

	sqlite3_bind_int64(s, 7, from);
	sqlite3_bind_int64(s, 8, w->at);
	sqlite3_bind_int64(s, 9, *w->ask->text ? -1 : (int64_t)w->left);
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(s, 1);

		w->at = sqlite3_column_int64(s, 0);
		if (line && has_text(line, w->ask->text)) {
			w->fn(w->arg, w->at,
			      (struct bytes){(const uint8_t *)line,
					     (size_t)sqlite3_column_bytes(s, 1)});
			w->left--;
		}
		if (++rows % LOOK_EVERY == 0)
			w->late = clock_mono_ns() >= w->until_ns;
		if (w->left == 0 || w->late)
			break;
	}
	if (rc == SQLITE_DONE)
		w->at = from;
	sqlite3_reset(s);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_error(db, rc);
}

static int walk_all(struct walk *w, sqlite3 *db, sqlite3_stmt *s, int64_t low)
{
	int64_t size = WINDOW_FIRST;
	int err = 0;

	while (err == 0 && w->at > low && w->left > 0 && !w->late) {
		uint64_t begin = clock_mono_ns(), end;

		err = walk_window(w, db, s, w->at - size > low ? w->at - size : low);
		end = clock_mono_ns();
		w->late |= end >= w->until_ns;
		/* What went quickly may be taken in larger steps. */
		if (size < WINDOW_MAX && (end - begin) * 4 < w->until_ns - begin)
			size *= 2;
	}
	return err;
}

static void bind(sqlite3_stmt *s, const struct page_ask *a)
{
	sqlite3_bind_text(s, 1, a->filter.device, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, a->filter.reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, a->filter.since_ns);
	sqlite3_bind_int64(s, 4, a->until_ns);
	sqlite3_bind_text(s, 5, a->type, -1, SQLITE_STATIC);
	sqlite3_bind_int(s, 6, a->verdict);
}

int page_events(sqlite3 *db, const struct page_ask *a, uint64_t budget_ns, page_row_fn fn,
		void *arg, int64_t *ret_next)
{
	struct walk w = {.ask = a,
			 .fn = fn,
			 .arg = arg,
			 .until_ns = clock_mono_ns() + budget_ns,
			 .left = a->filter.limit};
	sqlite3_stmt *s;
	int64_t low;
	int err;

	if (!db)
		return -ENODEV;
	err = bounds(db, a, &low, &w.at);
	if (err != 0)
		return err;
	err = db_error(db, sqlite3_prepare_v2(db, texts[variant_of(a)], -1, &s, NULL));
	if (err != 0)
		return err;
	bind(s, a);
	err = walk_all(&w, db, s, low);
	sqlite3_finalize(s);
	if (err == 0)
		*ret_next = w.at > low ? w.at : 0;
	return err;
}
