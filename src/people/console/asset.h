#ifndef BEDWARDEN_PEOPLE_CONSOLE_ASSET_H
#define BEDWARDEN_PEOPLE_CONSOLE_ASSET_H
/*
 * The page's files, out of web/, in the program itself.
 */
#include "base/bytes.h"

struct asset {
	const char *path; /* "/", "/app.js"; NULL ends the table */
	const char *type;
	const uint8_t *data;
	size_t len;
	const char *tag; /* HTTP's entity tag, quotes and all */
};

extern const struct asset assets[]; /* web/embed.py makes it */
/* NULL: there is none at that path. */
const struct asset *asset_find(const char *path);

#endif
