#ifndef BEDWARDEN_UPDATE_BUNDLE_BUNDLE_H
#define BEDWARDEN_UPDATE_BUNDLE_BUNDLE_H
/*
 * A repository, or some of its targets, in one file that a stick carries to a site without
 * internet: a tar archive (POSIX.1-2017 pax, ustar) of public/metadata and public/targets. It needs no
 * signature of its own, for nothing in it is believed but what the keys of TUF vouch for: it is a
 * mirror like any other, read by the same client (doc/adr/0017).
 *
 * Reading takes only ordinary files whose names stay below metadata/ and targets/, in an archive
 * that is whole to its last byte; nothing is unpacked.
 */
#include <jansson.h>

#include "update/repo/repo.h"
#include "update/tuf/source.h"

struct bundle_made {
	unsigned metadata, targets;
	int64_t expires; /* when the first of what leads to a target does */
};

/* Writes what is published, with the targets named, or with all of them where none is. The file
 * has its name once it is whole. */
int bundle_write(struct repo *r, const char *const *names, unsigned count, const char *path,
		 struct bundle_made *ret_made, struct tuf_error *e);

struct bundle;

/* Of an open file, which is closed with the bundle, or at once where this fails; `path` is for
 * what is said of it. -EBADMSG: it is no bundle, or not all of one. */
int bundle_open_fd(int fd, const char *path, struct bundle **ret_bundle, struct tuf_error *e);
void bundle_close(struct bundle *b);
/* Borrowed: good until bundle_close(); tuf_source_free() does nothing. */
struct tuf_source *bundle_metadata(struct bundle *b);
struct tuf_source *bundle_targets(struct bundle *b);
/* Paths of the targets that it says it carries, an array to json_decref(). */
json_t *bundle_names(const struct bundle *b);

#endif
