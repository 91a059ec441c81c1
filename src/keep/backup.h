#ifndef BEDWARDEN_KEEP_BACKUP_H
#define BEDWARDEN_KEEP_BACKUP_H
/*
 * What a gateway is made of, put into its vault: files and folders as objects of
 * class BACKUP_CLASS under the moment they were taken at, and, last, a list of
 * them: a backup is whole only if that is there. Databases are copied as they were
 * at one moment (keep/snapshot.h), and nothing has to stop for it.
 *
 *   20260131T071502Z/var/lib/bedwarden/events.db
 *   20260131T071502Z/contents
 *
 * The list has a text for every folder and file, each ended by a zero:
 * "MODE OWNER GROUP PATH", the mode in octal, a folder's path with a '/' at its end.
 */
#include <sys/stat.h>

#include "keep/vault.h"

#define BACKUP_CLASS  "backup"
#define BACKUP_LIST   "contents"
#define BACKUP_MOMENT sizeof("20260131T071502Z")

struct backup_options {
	const char
		*dir; /* the vault's, which is left out; databases are copied in it for a moment */
	int64_t until_ns; /* how long it is kept, wall clock */
	/* Names of who owns what; "-" where there is none. Borrowed until the next call. */
	const char *(*owner)(void *arg, uid_t uid);
	const char *(*group)(void *arg, gid_t gid);
	/* Each file that was put; NULL. */
	void (*put)(void *arg, const char *path);
	/* Each that could not be, and why, for a person. */
	void (*failed)(void *arg, const char *path, const char *why);
	/* Whether to give up now; NULL: never. */
	bool (*stop)(void *arg);
	void *arg;
};

struct backup_path {
	const char *path; /* links in it are resolved: what is restored lies where it really was */
	bool optional;	  /* it need not be there */
};

struct backup_result {
	uint64_t files, bytes, failed;
};

/* The moment by its name, UTC. */
void backup_moment(int64_t wall_ns, char ret_moment[BACKUP_MOMENT]);
/*
 * By a putter of the vault's, whose `done` need do nothing. 0: it is whole, and on the disk.
 * -EIO: some could not be put, `failed` heard which; -ECANCELED; -ENOSPC and other -errno of the
 * list itself. What is not whole is none that is ever restored. *ret_result is set in any case.
 */
int backup_run(struct putter *p, const struct backup_options *o, const char *moment,
	       const struct backup_path *paths, unsigned count, struct backup_result *ret_result);

#endif
