#ifndef BEDWARDEN_UPDATE_PLACE_INSTALL_H
#define BEDWARDEN_UPDATE_PLACE_INSTALL_H
/*
 * Puts targets in place (place.h), each verified against metadata that is root's alone, whatever who
 * fetched them thinks of them: the updater's folder is a mirror like any other. A release is
 * unpacked, not started; profiles, rules and advisories become a new set, not yet used.
 *
 * Killed at any moment it leaves the sets and releases that were there, or new ones that are
 * whole; the next run goes on.
 */
#include <jansson.h>

#include "base/bytes.h"
#include "update/tuf/error.h"

struct install_options {
	const char *dir;    /* updates.dir; made where there is none */
	int mirror;	    /* the updater's folder, open; -1: only what is verified already */
	struct bytes root;  /* trusted to begin with; empty: none */
	char *const *roles; /* as fetch/listing.h has them */
	unsigned role_count;
	const char *running; /* the release that runs; "" the packaged one */
};

struct install_sets {
	unsigned before, now; /* numbers of the set in use, and of the one that is next; 0: none */
};

/*
 * Installs the targets of these names, an array of texts, may be empty. What is in place then:
 *
 *   {"error":text, "failed":[{"name","sha256","error","final"}], "took":[name], "expires":S,
 *    "targets":[as fetch/listing.h, and "installed":bool], "content":N, "releases":[version],
 *    "current":version, "outcome":{"what","to","from","why"}}
 *
 * `error` where metadata could not be verified; `final` where no other try could end otherwise. NULL: no memory.
 */
json_t *install_run(const struct install_options *o, const json_t *names,
		    struct install_sets *ret_sets);

#endif
