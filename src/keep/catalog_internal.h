#ifndef BEDWARDEN_KEEP_CATALOG_INTERNAL_H
#define BEDWARDEN_KEEP_CATALOG_INTERNAL_H
/* The index, shared by its own files: catalog_open.c, its tables and statements; catalog.c, the calls that
 * run them. */
#include <sqlite3.h>

#include "keep/catalog.h"

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	OBJECT_BY_ADDRESS,
	OBJECT_BY_ID,
	OBJECT_NEXT,
	OBJECT_NEXT_OF_KEY,
	ADD_OBJECT,
	REBOX,
	DROP_OBJECT,
	NAME_BY_TAG,
	NAME_NEXT,
	NAME_OF,
	ADD_NAME,
	KEEP,
	DROP_NAME,
	NAMES,
	NAMES_ASTRAY,
	PACK_END,
	SET_PACK_END,
	EACH,
	NAME_LAST,
	KEY_NEXT,
	DOOM,
	NEXT_DOOMED,
	UNDOOM,
	LOG_NEXT,
	LOG_LAST,
	LOG_ADD,
	TOTALS,
	CHANGED,
	STATEMENTS,
};

struct catalog {
	sqlite3 *sql;
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3_stmt *open; /* whose row is borrowed */
};

/* What an address or a tag is looked up by. */
int64_t catalog_mark(const uint8_t *hash);

#endif
