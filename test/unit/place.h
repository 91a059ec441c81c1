#ifndef BEDWARDEN_TEST_PLACE_H
#define BEDWARDEN_TEST_PLACE_H
/* A folder of its own for every test, and a file in it; gone afterwards with all that it holds. */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>

struct place {
	char folder[64];
	char file[96]; /* a path; not made */
};

static inline int place_remove(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	return remove(path);
}

/* With all that is in it. */
static inline void place_clear(const char *folder)
{
	nftw(folder, place_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* The set-up of a test, whose state it becomes. */
static inline int place_open(void **state, const char *file)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->folder, "/tmp/bedwarden-unit-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->file, sizeof(p->file), "%s/%s", p->folder, file);
	*state = p;
	return 0;
}

/* The tear-down. */
static inline int place_close(void **state)
{
	struct place *p = *state;

	place_clear(p->folder);
	free(p);
	return 0;
}

#endif
