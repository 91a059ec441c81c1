#ifndef BEDWARDEN_PEOPLE_AUTH_HASHER_H
#define BEDWARDEN_PEOPLE_AUTH_HASHER_H
/*
 * Password hashes from a thread of their own, so that whoever asks for one holds
 * up nobody: a hash takes a tenth of a second and 64 MiB (people/auth/password.h).
 * There is one thread, so one hash at a time and its memory once. What waits is bounded, per class and
 * per source; the first of every source comes before the second of any; and no class is worked
 * for faster than its budget, so that guessing never takes a whole core. Known people
 * come before strangers.
 *
 * One caller's thread; it may sandbox itself afterwards (base/sandbox.h), as the thread is there
 * from the start. Passwords are wiped when they are done with.
 */
#include "people/auth/password.h"
#include "people/auth/throttle.h"

enum hasher_class { HASHER_KNOWN, HASHER_STRANGER, HASHER_CLASSES };

#define HASHER_TEXT 1025 /* of a password, its end included */

struct hasher_options {
	struct {
		unsigned most;		       /* that wait, at most HASHER_MOST */
		unsigned per_source;	       /* of which from one source */
		struct throttle_budget budget; /* by CLOCK_MONOTONIC */
	} class[HASHER_CLASSES];
	uint64_t patience_ns; /* what waits longer is given up */
};
#define HASHER_MOST 32

struct hasher_job {
	uint32_t id; /* the caller's */
	enum hasher_class class;
	uint64_t source;  /* whom it is for, as a key (throttle_key()) */
	uint64_t account; /* of which one is under way at a time; 0: of nobody's */
	const char *password;
	struct bytes record; /* to compare with; none: nobody's, the same effort for nothing */
	bool make;	     /* a new record instead */
};

struct hasher_done {
	uint32_t id;
	/* Of password_verify() or password_hash(); -ETIMEDOUT: it was not looked at. */
	int err;
	uint8_t record[PASSWORD_RECORD]; /* compared with, or made */
	size_t record_len;
};

struct hasher;

/* Starts the thread. NULL with errno. */
struct hasher *hasher_new(const struct hasher_options *o);
/* Waits for the hash that is being made; what waits is forgotten. */
void hasher_free(struct hasher *h);
/* Readable when something is done. */
int hasher_fd(const struct hasher *h);
/*
 * Copies the job. 0; -EBUSY the account's last one is under way; -EAGAIN too much waits, in all or
 * of this source; -EINVAL it is longer than a password may be.
 */
int hasher_add(struct hasher *h, const struct hasher_job *job);
/* The next that is done, the caller's to wipe; false: none (any longer). */
bool hasher_next(struct hasher *h, struct hasher_done *ret_done);

#endif
