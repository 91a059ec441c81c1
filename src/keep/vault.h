#ifndef BEDWARDEN_KEEP_VAULT_H
#define BEDWARDEN_KEEP_VAULT_H
/*
 * Sealed objects in a folder: addressed by their content and therefore kept
 * once, compressed, sealed each by a key of its own, found by name or address.
 * What was put is on the disk, and only then said to be. Any number of processes
 * read and write at once.
 *
 *   DIR/keyring, .copy, .lock   keep/keys.h
 *   DIR/index.db                keep/catalog.h; made again from the packs by vault_mend()
 *   DIR/packs/                  keep/pack.h, keep/object.h
 *
 * Destroying an object destroys the data key that its own key was sealed by;
 * what else that key sealed gets another one first. Its place in the pack becomes
 * a hole, and the log, each line of which is chained to the one before by a keyed
 * hash, says what went and proves which key.
 *
 * One thread a handle. Errors are -errno; for a person vault_error() says more.
 */
#include <sys/types.h>

#include "keep/keys.h"
#include "keep/object.h"

#define VAULT_KEEP_DAYS 2192 /* six years, 45 CFR §164.316(b)(2)(i) */

struct stat;
struct vault;

/* Makes DIR where there is none, keys (keys_create()) and an empty index in it. */
int vault_init(const char *dir, const struct holder *h, const struct holder_ask *ask,
	       const char *recipient, char ret_error[KEYS_ERROR]);
/* NULL with errno; EUCLEAN: damaged, see ret_error. `threads` 0: two for each core. */
struct vault *vault_open(const char *dir, const struct holder_ask *ask, unsigned threads,
			 char ret_error[KEYS_ERROR]);
/* With keys that are unlocked already; they stay the caller's. `dir` is where they are. */
struct vault *vault_open_with(const char *dir, struct keys *keys, unsigned threads,
			      char ret_error[KEYS_ERROR]);
void vault_close(struct vault *v);
struct keys *vault_keys(struct vault *v);
/* Whether that is the vault's own folder, or the one of its packs: nothing that is to be put, and
 * nothing that may be removed. */
bool vault_is_own(const struct vault *v, const struct stat *st);

/* --- putting --------------------------------------------------------------------- */

struct vault_item {
	const char *path; /* of a regular file; NULL: `fd`, read to its end, or … */
	/* … the next bytes, `len` of them but at the end, called with `user` from one thread or
	 * another: `size` in all, which is to be set. Their number or -errno. */
	ssize_t (*read)(void *user, uint8_t *to, size_t len);
	/* `path` is below the folder `fd`, no link leads out of it, and there it was a file. The
	 * folder has to be open as long as putter_add() takes. */
	bool below;
	int fd;
	struct object_meta meta; /* name, class, until_ns; the rest is filled in */
	const struct stat *st;	 /* of what `read` reads, for putter_add() alone; or NULL */
	void *user;
	/* What came of it. */
	int err; /* -EBUSY: the file changed while it was read */
	uint8_t address[CRYPTO_HASH];
	uint64_t size; /* bytes of the content */
	bool known;    /* the content was there already */
	/* The file as it was read. */
	uint64_t dev, ino;
	int64_t mtime_ns, ctime_ns;
	struct vault_item *next; /* the putter's own */
};

struct putter;
/* `done` is called once for every item, in order, when it is on the disk or has failed. */
struct putter *putter_new(struct vault *v, void (*done)(void *arg, struct vault_item *item),
			  void *arg);
/* The item and what it points to stay where they are until `done`. */
void putter_add(struct putter *p, struct vault_item *item);
/* Everything added is done. */
void putter_flush(struct putter *p);
void putter_free(struct putter *p);

/* --- finding ---------------------------------------------------------------------- */

struct vault_entry {
	int64_t id;
	uint8_t address[CRYPTO_HASH];
	uint64_t size;
	struct object_meta meta; /* the name is borrowed for the call */
	struct catalog_object *object;
	const uint8_t *key; /* the object's own; locked memory, borrowed for the call */
};

/* Every name in the order it was put, until `fn` gives anything but 0, which is then given back.
 * Nothing is missed where keys are rotated meanwhile. -ESTALE, after all the others: some do not
 * open, although nothing destroyed them: index or keyring is an old one. */
int vault_each(struct vault *v, int (*fn)(void *arg, const struct vault_entry *e), void *arg);
/* The newest under that name, or the first of that address (in hexadecimal, 8 digits at least):
 * calls `fn` once. -ENOENT; -ESTALE its key is gone, and nothing destroyed it. */
int vault_find(struct vault *v, const char *what, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg);

/* The first name with an id above `after` that is there still: calls `fn` once. -ENOENT. */
int vault_next(struct vault *v, int64_t after, int (*fn)(void *arg, const struct vault_entry *e),
	       void *arg);
/* Whether a name is there, and kept: the one that was put then. */
bool vault_has(struct vault *v, int64_t id, int64_t put_ns);
/* Changes whenever somebody else has changed the index. */
int vault_version(struct vault *v, int64_t *ret_version);
/* A handle that looks now and then, and stays open, says so when it has looked: else what others put
 * in meanwhile lengthens the index's log. */
void vault_rest(struct vault *v);
/* Ends the threads, before a sandbox that holds one thread only. From then on nothing may be put
 * or got; finding, and keep/vault_file.h, do without. */
void vault_lone(struct vault *v);

/* --- getting ---------------------------------------------------------------------- */

/* Writes the content to a descriptor, each chunk only once it is authenticated. -EBADMSG: damaged,
 * and what is written so far is sound; -ENOKEY it was destroyed meanwhile. */
int vault_read(struct vault *v, const struct vault_entry *e, int fd);
/* The same to a function, which is called by one thread at a time, not always the caller's.
 * `verify`: -EBADMSG also where the content is not what its address says. */
int vault_stream(struct vault *v, const struct vault_entry *e,
		 int (*write)(void *arg, struct bytes data), void *arg, bool verify);
/* The names that `wanted` picks as files below `folder`, with their modes and times, on all cores;
 * `done` hears what came of each. Of a name that was put twice the newest; what is there already
 * is not replaced (-EEXIST). */
struct vault_getting {
	bool (*wanted)(void *arg, const struct vault_entry *e);
	void (*done)(void *arg, const struct vault_entry *e, int err);
	void *arg;
};
int vault_get(struct vault *v, int folder, const struct vault_getting *g);
/* Whether it is there and what its address says. 0; -ENOENT; -EBADMSG. */
int vault_verify(struct vault *v, const uint8_t address[CRYPTO_HASH]);
/* Opens what is below `folder`, never outside and never through a link. Or -errno. */
int vault_open_below(int folder, const char *path, int flags);
/* Opens a new file of that name below `folder`, making folders on the way; never outside (its
 * parts are those of object_name_part()), never through a link. Its descriptor; -EEXIST; -EINVAL
 * a name without any part, or a link on the way; or -errno. */
int vault_create_below(int folder, struct bytes name, uint32_t mode);
/* Opens a folder below `folder`, made with all on the way, 0700, where there is none. Its
 * descriptor or -errno. */
int vault_folder_below(int folder, const char *path);

/* --- keeping, destroying, mending --------------------------------------------------- */

/* Destroys what `wanted` picks. *ret_count: how many names went. Names that others share an object
 * with leave the object. */
int vault_shred(struct vault *v, bool (*wanted)(void *arg, const struct vault_entry *e), void *arg,
		const char *why, uint64_t *ret_count);
/* Every data key replaced by another one, the old ones destroyed. Interrupted, it goes on when it
 * is called again. */
int vault_rotate_data(struct vault *v, uint64_t *ret_count);
/* Finishes what a process that was killed had begun to destroy; opening the vault does so, too. */
int vault_resume(struct vault *v);

struct vault_report {
	void (*found)(void *arg, const char *text); /* something wrong, for a person */
	void (*progress)(void *arg, uint64_t objects);
	void *arg;
};
/* Holds everything against everything; `content`: reads every object, too. How many things are
 * wrong, or -errno. */
int64_t vault_check(struct vault *v, bool content, const struct vault_report *r);
/* A new index out of the packs, the old one set aside. No process may have it open. */
int vault_mend(const char *dir, struct keys *keys, const struct vault_report *r,
	       char ret_error[KEYS_ERROR]);

/* The log, oldest first; -EUCLEAN where the chain is broken, after the line where it is. */
int vault_log(struct vault *v, int (*fn)(void *arg, int64_t time_ns, struct bytes line), void *arg);
/* How many lines it has, and what the last one's chain is; zeros where it has none. */
int vault_log_head(struct vault *v, uint64_t *ret_lines, uint8_t ret_chain[CRYPTO_HASH]);

struct vault_totals {
	uint64_t objects, names, size, stored;
};
int vault_totals(struct vault *v, struct vault_totals *ret_totals);

#endif
