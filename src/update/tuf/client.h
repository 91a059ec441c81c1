#ifndef BEDWARDEN_UPDATE_TUF_CLIENT_H
#define BEDWARDEN_UPDATE_TUF_CLIENT_H
/*
 * The client of The Update Framework 1.0: what a repository says is believed only as far as the
 * keys reach that the folder's root.json began with (TUF §5). Whatever the source does, the folder
 * holds verified metadata, and a killed client leaves the old or the new of each file.
 *
 * Errors are those of update/tuf/error.h, and of the source.
 */
#include "update/tuf/error.h"
#include "update/tuf/hash.h"
#include "update/tuf/source.h"

struct tuf;

/*
 * Puts a root that somebody trusts into the folder (made where there is none): TUF §5.2. It must be
 * signed by its own keys; it may have expired. Nothing is fetched.
 */
int tuf_init(const char *dir, struct bytes root, struct tuf_error *e);

/* The latest known time (§5.1), seconds since 1970: the clock's, or, where that was set back, when the
 * folder last took a timestamp. What expires does not come back to life with a wrong clock. */
int64_t tuf_now(const char *dir);

/*
 * Opens a folder that has a root; `now` is the time of this update, seconds since 1970 (§5.1). The
 * source is borrowed.
 */
int tuf_open(const char *dir, struct tuf_source *source, int64_t now, struct tuf **ret_tuf,
	     struct tuf_error *e);
void tuf_close(struct tuf *t);

/* §5.3 to §5.6: root, timestamp, snapshot, targets. */
int tuf_refresh(struct tuf *t, struct tuf_error *e);
/* After a refresh. Versions of the top-level roles, by enum tuf_type; 0 for none. */
void tuf_versions(const struct tuf *t, int64_t ret_versions[4]);
/* When the first of the top-level roles expires, seconds since 1970, after a refresh. */
int64_t tuf_expires(const struct tuf *t);

/* §5.6.7: what is known of a target, searched through the delegations after a refresh. `role`,
 * where not NULL, gets who vouches for it, to free(); `custom` what stands there about it, as JSON,
 * to json_decref(), or NULL. */
int tuf_find(struct tuf *t, const char *target, struct tuf_file *ret_file, char **ret_role,
	     json_t **ret_custom, struct tuf_error *e);

/*
 * What a role lists itself, after a refresh: "targets", or one that the top-level targets role
 * delegates to by name (-ENOENT: it does not). That it is listed is no leave to use it: tuf_find()
 * says who vouches for a path.
 */
int tuf_list(struct tuf *t, const char *role, void (*fn)(void *arg, const char *target), void *arg,
	     struct tuf_error *e);

/*
 * §5.7: fetches a target that was found into the folder `dir` (made where there is none), under its
 * name, escaped; what is there already and fits is not fetched again. It has its name only once it
 * is verified and on the disk; where the line breaks, what came is kept, hidden, and the next try goes on
 * from there. *ret_cached: nothing was fetched. `ret_path`, where not NULL, gets
 * where it is, to free().
 */
int tuf_download(struct tuf *t, const char *target, const struct tuf_file *file,
		 struct tuf_source *source, const char *dir, bool *ret_cached, char **ret_path,
		 struct tuf_error *e);

#endif
