#ifndef BEDWARDEN_KEEP_OUTLET_H
#define BEDWARDEN_KEEP_OUTLET_H
/*
 * Where things leave the keeper's own vault: an object written to a pipe, opened or
 * sealed anew as an age file, by a thread, so that nobody waits for whoever takes it. Memory
 * is fixed: a thread holds a few chunks, and reads on once the pipe has room.
 *
 * All calls come from one thread. The handles on the vault, and their keys, are the
 * outlet's alone.
 */
#include "keep/vault.h"

#define OUTLET_MOST	  2  /* at once */
#define OUTLET_PATIENCE_S 60 /* that nothing is taken from a pipe */

struct age_recipients;
struct outlet;

/* Starts threads: before seccomp. NULL with errno, and why in ret_error. */
struct outlet *outlet_new(const char *dir, const struct keys *keys, char ret_error[KEYS_ERROR]);
/* Gives up what is under way. NULL is fine. */
void outlet_free(struct outlet *o);

/* For looking: names and sizes (vault_next(), vault_find()), then vault_rest(). The outlet's. */
struct vault *outlet_vault(struct outlet *o);

/*
 * The name with that id into a pipe, whose reading end is *ret_fd, the caller's. `recipients` NULL:
 * opened; else they are the outlet's from here on. What is read to its end without as many bytes as
 * there are was cut off: damaged, destroyed meanwhile, or given up. 0; -EBUSY OUTLET_MOST are
 * under way; -ENOENT; -errno: and the recipients stay the caller's.
 */
int outlet_begin(struct outlet *o, int64_t id, struct age_recipients *recipients, int *ret_fd);

#define OUTLET_FOUND	  32
#define OUTLET_FOUND_TEXT 200

struct outlet_check {
	bool content;  /* objects were read, too */
	int64_t wrong; /* how many things; or -errno */
	uint64_t objects, names;
	unsigned count; /* of what is told: the first OUTLET_FOUND */
	char found[OUTLET_FOUND][OUTLET_FOUND_TEXT];
};

/* Has the vault checked in a thread (vault_check()): one place of OUTLET_MOST, for as long as that
 * takes. 0, also where such a one is under way; -EALREADY one of the other kind is; -EBUSY. */
int outlet_check_begin(struct outlet *o, bool content);
/* What came of it, good until the next one begins; NULL: it is under way, or none was begun. */
const struct outlet_check *outlet_checked(struct outlet *o);

#endif
