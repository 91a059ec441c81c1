#ifndef BEDWARDEN_KEEP_INTAKE_H
#define BEDWARDEN_KEEP_INTAKE_H
/*
 * What the keeper puts into its own vault, without ever waiting for it: things
 * come in pieces (keep/spool.h), and a thread of its own puts those that are
 * whole, as many at once as there are, and destroys what was kept long enough.
 * While the vault cannot be written to, what is whole waits and is tried again;
 * bytes and things are bounded, and what finds no room is refused.
 *
 * All calls come from one thread. The vault's handle, and its keys, are the
 * intake's alone from intake_new() on.
 */
#include "keep/retention.h"
#include "keep/vault.h"

#define INTAKE_NAME   256
#define INTAKE_THINGS 4096 /* under way or waiting, at most */

struct intake;

/* One thing on its way. */
struct deposit {
	char name[INTAKE_NAME]; /* in the vault; set these four before intake_end(), … */
	char class[OBJECT_CLASS_MAX];
	int64_t until_ns; /* how long it is kept */
	uint64_t tag[2];  /* … and these as the caller likes */
	int err;	  /* what came of it, by intake_next(): */
	bool known;	  /* the content was there already */
	uint8_t address[CRYPTO_HASH];
	uint64_t size;
};

struct intake_options {
	const char *dir;	 /* the vault's */
	const struct keys *keys; /* the intake has a second handle on them */
	uint64_t max_bytes;	 /* under way and waiting */
	uint64_t reserve_bytes;	 /* of the disk, that stay free */
};

/* Opens the vault. Starts threads: before seccomp. NULL with errno, and why in ret_error. */
struct intake *intake_new(const struct intake_options *o, char ret_error[KEYS_ERROR]);
/* Puts what is whole, once: what cannot be put then is lost. Nothing more may be begun; the rest of
 * what came of it is there to be taken. */
void intake_finish(struct intake *in);
/* NULL is fine. Every deposit was dropped or ended before. */
void intake_free(struct intake *in);

/* NULL with errno: ENOBUFS too many, ENOMEM. */
struct deposit *intake_begin(struct intake *in);
/* 0; -ENOBUFS too much waits; -errno: intake_drop() it. */
int intake_add(struct intake *in, struct deposit *d, struct bytes piece);
/* Instead of pieces: all of a regular file, which is read by the thread, and its descriptor the
 * intake's. 0; -EINVAL it is none; -errno, and the descriptor is closed. */
int intake_file(struct intake *in, struct deposit *d, int fd);
/* It is whole, and the thread's until intake_next() gives it back. */
void intake_end(struct intake *in, struct deposit *d);
/* Forgets it; also what intake_next() gave back. */
void intake_drop(struct intake *in, struct deposit *d);

/* Readable when intake_next(), intake_retained() or intake_chored() have something. */
int intake_fd(const struct intake *in);
/* What was put, and is on the disk, or never will be; NULL: no more now. */
struct deposit *intake_next(struct intake *in);

/* Has what was kept long enough destroyed; `now_ns` is the wall clock's. */
void intake_retain(struct intake *in, int64_t now_ns, const struct retention_bound *bounds,
		   unsigned count);
/* What came of it, once. */
bool intake_retained(struct intake *in, struct retention *ret_r);

/*
 * Has `run` called by the thread, once and with its handle on the vault, before whatever is put next:
 * for what must not wait in the caller's. `arg` is the thread's until intake_chored() gives it
 * back; what was not begun before intake_finish() never is. -EBUSY: another one is under way.
 */
int intake_chore(struct intake *in, void (*run)(struct vault *v, void *arg), void *arg);
/* The `arg` of one that is done, once; NULL: it is not. */
void *intake_chored(struct intake *in);

/* Another bound for the disk. */
void intake_reserve(struct intake *in, uint64_t reserve_bytes);

struct intake_counts {
	uint64_t waiting, bytes; /* now */
	int error;		 /* why the vault takes nothing just now; 0 */
};
void intake_counts(struct intake *in, struct intake_counts *ret_counts);

#endif
