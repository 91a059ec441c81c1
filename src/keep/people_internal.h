#ifndef BEDWARDEN_KEEP_PEOPLE_INTERNAL_H
#define BEDWARDEN_KEEP_PEOPLE_INTERNAL_H
/* What people.c, factors.c and sessions.c share. */
#include <sqlite3.h>

#include "keep/people.h"

struct people {
	sqlite3 *sql;
	struct keys *keys; /* NULL: locked */
	sqlite3_stmt **statements;
	size_t count;
};

/*
 * A statement with its values bound in order: "b" bytes (const void *, size_t), "t" text, "i"
 * int64_t. Prepared once a text. NULL with *ret_err. Reset it when done.
 */
sqlite3_stmt *people_bind(struct people *p, const char *text, int *ret_err, const char *kinds, ...);
/* One that gives no rows. 0; -ENOENT where it changed nothing; -EEXIST; -errno. */
int people_run(struct people *p, const char *text, const char *kinds, ...);
/* The next row: 1; 0 no more; -errno. */
int people_step(struct people *p, sqlite3_stmt *s);
int people_begin(struct people *p);
/* Commits where `err` is 0, else takes everything back. */
int people_end(struct people *p, int err);
/* How many; -errno. */
int64_t people_number(struct people *p, const char *text, const char *kinds, ...);

/* Columns. Texts and bytes are cut at their place's end, which nothing we wrote reaches. */
void people_text(sqlite3_stmt *s, int column, char *ret_text, size_t cap);
size_t people_blob(sqlite3_stmt *s, int column, void *ret_data, size_t cap);

#endif
