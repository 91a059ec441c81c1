#ifndef BEDWARDEN_KEEP_QUERY_H
#define BEDWARDEN_KEEP_QUERY_H
/*
 * What people ask the store: each answer is a row of JSON handed to a function.
 * Long answers are taken in pages, so that a slow reader holds a number and
 * not a cursor. All calls only read, on a store's connection. Errors as db_error(), -ENODEV while there
 * is no database.
 */
#include "base/bytes.h"

struct sqlite3;

#define QUERY_NAME_MAX 129 /* a device's or reason's name, with its zero */

struct query_filter {
	char device[QUERY_NAME_MAX]; /* "": all */
	char reason[QUERY_NAME_MAX]; /* itself, or what stands before a dot: "policy" */
	int64_t since_ns;
	uint32_t limit; /* 0: no limit */
};

/* One row, no newline, good until it returns. */
typedef void (*query_row_fn)(void *arg, struct bytes row);

/*
 * One object per device and reason: device, reason, severity, count, blocked,
 * would, first, last, peer, sentence. Most severe first, then the latest.
 */
int query_groups(struct sqlite3 *db, const struct query_filter *f, query_row_fn fn, void *arg);

/*
 * Single events as they came, oldest first. A page begins behind *after and
 * moves it on; query_tail() finds where the last `limit` of them begin. Rows
 * given are counted in *ret_rows: fewer than `max` means that no more are there.
 */
int query_tail(struct sqlite3 *db, const struct query_filter *f, int64_t *ret_after);
int query_events(struct sqlite3 *db, const struct query_filter *f, int64_t *after, uint32_t max,
		 query_row_fn fn, void *arg, uint32_t *ret_rows);
/* The newest event's number. */
int query_newest(struct sqlite3 *db, int64_t *ret_id);

/* One object per machine: mac, device, name, vendor, profile, profile_reasons, segment, first,
 * last, services, apps, ips, peers. Latest first. */
int query_machines(struct sqlite3 *db, uint32_t limit, query_row_fn fn, void *arg);

/* When the newest was, wall clock; 0 where there is none. */
int query_last_time(struct sqlite3 *db, int64_t *ret_ns);

struct query_day {
	uint64_t events, blocked, would;
};
/* The local day `time_ns` is in; zeros where nothing happened. */
int query_day(struct sqlite3 *db, int64_t time_ns, struct query_day *ret_day);

#endif
