#ifndef BEDWARDEN_UPDATE_ADVISORY_ARENA_H
#define BEDWARDEN_UPDATE_ADVISORY_ARENA_H
/*
 * Memory that is given back all at once: what is kept of an advisory or an SBOM
 * once its JSON is gone. Sticky: memory that was missing once is missing for good.
 */
#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *last;
	size_t used;  /* of the last block */
	size_t total; /* bytes held */
	bool no_memory;
};

/* Zeroed, aligned for anything; NULL with no_memory set. */
void *arena_take(struct arena *a, size_t size);
/* A copy; "" for NULL; never NULL, so that a struct of texts may be read without questions. */
const char *arena_text(struct arena *a, const char *text);
/* The same, of at most `max` bytes and no letter cut. */
const char *arena_short(struct arena *a, const char *text, size_t max);
void arena_free(struct arena *a);

#endif
