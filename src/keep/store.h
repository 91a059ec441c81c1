#ifndef BEDWARDEN_KEEP_STORE_H
#define BEDWARDEN_KEEP_STORE_H
/*
 * What lasts. Lines are queued in memory and written in batches: a line is
 * durable, and only then acknowledged, when the store_commit() that covers it
 * returned 0; a process killed at any moment loses none of those. Every line is
 * stored as it came and counted in its group (one per device and reason).
 *
 * Bounded: single events (routine ones beyond a quarter make room first, so
 * that a flood of ordinary flows never displaces evidence), groups, machines,
 * audit rows, and the queue. While the disk is full or the file cannot be
 * opened the queue is kept and tried again; when it is full too, further lines
 * are refused and counted. A damaged database is set aside and a new one begun
 * with the batch in hand.
 */
#include "base/bytes.h"
#include "keep/record.h"

struct person;
struct sqlite3;
struct store;

#define STORE_QUEUE_BYTES (64u << 20)
#define STORE_BATCH	  8192 /* events a transaction */
#define STORE_GROUPS	  20000
#define STORE_AUDIT	  200000
#define STORE_DAYS	  400

struct store_counts {
	uint64_t stored;  /* since opened: events that are durable */
	uint64_t refused; /* lines that were no events */
	uint64_t lost;	  /* events that no queue or row had room for */
	uint32_t queued;
	size_t queued_bytes;
	uint64_t events, routine; /* rows now */
	uint64_t file_bytes;	  /* database and write-ahead log */
};

/* `path` is copied. A file that cannot be opened now is tried again at every commit. NULL with
 * errno ENOMEM. */
struct store *store_new(const char *path, uint32_t max_events);
/* Queries give what names a person opened by it (keep/person.h). Borrowed. */
void store_opens(struct store *s, struct person *person);
/* Commits what is queued, as far as that works, and closes. */
void store_free(struct store *s);
/* Bytes that may be queued, STORE_QUEUE_BYTES if never called. */
void store_limit_queue(struct store *s, size_t bytes);

/* Queues one EVE line (no newline). 0; -EBADMSG refused; -ENOBUFS the queue is full; -ENOMEM. */
int store_put(struct store *s, struct bytes line);
/* The same with a record at hand, which the store then owns, whatever it answers. */
int store_put_record(struct store *s, struct record *r);
/* Everything queued, durable: 0. Else -ENOSPC, -EAGAIN, -EIO...: it stays queued. */
int store_commit(struct store *s);

/* The name of the database that was set aside since the last call, or NULL. */
const char *store_set_aside(struct store *s);
void store_counts(struct store *s, struct store_counts *ret_counts);
uint32_t store_queued(const struct store *s); /* events */
uint64_t store_lost(const struct store *s);
/* The connection, for keep/query.h; NULL while there is none. */
struct sqlite3 *store_db(struct store *s);

#endif
