#ifndef BEDWARDEN_UPDATE_PLACE_RELEASE_H
#define BEDWARDEN_UPDATE_PLACE_RELEASE_H
/*
 * Releases of the gateway, side by side (place.h): a tar archive of files, bin/bedwarden among them,
 * unpacked beside the others and given its name once it is whole and on the disk. Files in bin/ can be
 * executed, nothing else; all are root's.
 */
#include <stdbool.h>
#include <stdint.h>

#include "update/tuf/error.h"

#define RELEASE_BYTES_MAX (512ull << 20)
#define RELEASE_FILES_MAX 4096

/*
 * `tar`: the archive, verified. `sha256` names its content: the same of that version is there
 * already, nothing is done; another takes its place. 0; -EBADMSG it is no such archive; -errno.
 */
int release_unpack(int place, int tar, const char *version, const char *sha256,
		   struct tuf_error *e);
/* Is it there, and of that content? */
bool release_is_there(int place, const char *version, const char *sha256);
/* Removes all releases but those named; NULL and "" count for none. */
void release_tidy(int place, const char *const *keep, unsigned count);

/* A file or a folder and what is in it, without following links. */
void release_remove(int parent, const char *name);

#endif
