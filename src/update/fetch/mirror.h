#ifndef BEDWARDEN_UPDATE_FETCH_MIRROR_H
#define BEDWARDEN_UPDATE_FETCH_MIRROR_H
/*
 * The updater's folder as a mirror for the installer, who believes nothing of it: the trusted files
 * of a TUF client (update/tuf/local.h) answer for what a repository calls "7.targets.json", and
 * roots are kept by their versions besides, for whoever is some roots behind.
 */
#include "update/tuf/source.h"

/*
 * `of`, whose roots are kept in the folder `store` as they come. What is not followed by a
 * refresh that trusts it must be forgotten then: mirror_settle(). `of` is freed with it.
 */
struct tuf_source *mirror_keep_roots(struct tuf_source *of, int store); /* NULL: no memory */
/* After a refresh that got to that root. */
void mirror_settle(int store, int64_t root_version);

/* A folder's files. `store` is borrowed. */
struct tuf_source *mirror_of_folder(int store); /* NULL: no memory */
/* One open file whatever the path; borrowed. */
struct tuf_source *mirror_of_file(int fd); /* NULL: no memory */

#endif
