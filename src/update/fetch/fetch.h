#ifndef BEDWARDEN_UPDATE_FETCH_FETCH_H
#define BEDWARDEN_UPDATE_FETCH_FETCH_H
/*
 * One look for updates: the mirrors in order until one gives metadata that is good, then those
 * targets that a gateway can use, verified, into a folder; then what a stick brought to `place`, of
 * which only firmware for devices is taken, for the rest is there already:
 *
 *   metadata/   what is trusted (update/tuf/local.h), and roots by their versions
 *   targets/    targets under their escaped names; what is listed no more is removed
 */
#include <jansson.h>

#include "base/bytes.h"
#include "update/tuf/error.h"

struct fetch_options {
	const char *dir;
	const char *place;    /* updates.dir, with what a stick brought; NULL none */
	char *const *mirrors; /* URLs with metadata/ and targets/ below */
	unsigned mirror_count;
	char *const *roles; /* as listing.h has them */
	unsigned role_count;
	uint64_t bytes_per_s;	 /* 0: no limit */
	bool (*stop)(void *arg); /* NULL: never */
	/* Is this firmware, one of the list, for a device here? NULL: none is. */
	bool (*wants)(void *arg, const json_t *list, const json_t *target);
	void *arg;
};

/* Begins with a root that is trusted, if none is there yet. 0; -errno. */
int fetch_begin(const char *dir, struct bytes root, struct tuf_error *e);
/*
 * {"at":S,"fresh":bool,"error":text,"mirror":URL,"expires":S,"targets":[…],"more":bool}, as far as it
 * got: `fresh` where metadata was had from a mirror; an error also where only a target failed.
 * NULL: no memory.
 */
json_t *fetch_look(const struct fetch_options *o);

#endif
