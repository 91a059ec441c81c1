#ifndef BEDWARDEN_UPDATE_PLACE_CONTENT_H
#define BEDWARDEN_UPDATE_PLACE_CONTENT_H
/*
 * Sets of profiles, rules and advisories, side by side (place.h): a set is made whole beside the
 * one in use; once somebody found that it can be used it takes its place in one step. The one
 * before stays, to go back to. manifest.json in it
 * lists {"name","kind","version","role","sha256","file"} of each. What a repository lists no longer
 * stays until something of its name comes: a profile that goes would take a device's policy
 * with it.
 */
#include <jansson.h>

#include "base/bytes.h"
#include "update/tuf/error.h"

struct content;

/* The next set, beginning with what is in use. `place`: updates.dir, open. 0; -errno. */
int content_begin(int place, struct content **ret_content, struct tuf_error *e);
/*
 * Puts in a target that was verified and lies in the place's targets/ under `file`. -EINVAL: it is not
 * of its kind, such as a profile with an error; what was there of that name stays.
 */
int content_put(struct content *c, const json_t *target, const char *file, struct tuf_error *e);
/* The set is whole, and "next", or, where nothing was put in, gone and *ret_number the one in use: whoever uses it tries that first, then adopts it. Also frees it. */
int content_commit(struct content *c, unsigned *ret_number, struct tuf_error *e);

/* Number of the set in use, 0: none; and its manifest, an array that is the caller's. */
unsigned content_number(int place);
json_t *content_manifest(int place);
/* The set `number` is in use from here on; the one before can be gone back to. 0; -errno. */
int content_adopt(int place, unsigned number);
/* Back to the set `number`, or to none (0). 0; -errno. */
int content_back(int place, unsigned number);

#endif
