#ifndef BEDWARDEN_SEAL_TREE_WALK_H
#define BEDWARDEN_SEAL_TREE_WALK_H
/*
 * The files under some paths, one after the other, each with the folder it is
 * in and the one where its result belongs; those of a folder about as they lie on
 * the disk, by inode. Everything is opened relative to
 * its folder and no symbolic link is followed, so nobody who renames folders
 * meanwhile can lead us out of the tree.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Held as long as a file in it is at work; then the folder that was made for its results gets its
 * mode and times. */
struct walk_folder {
	struct walk_folder *up;
	int in, out; /* one descriptor where results belong beside */
	bool made;
	struct stat st;
	char *path; /* for people */
	struct walk_names *names;
	atomic_uint holders;
};

struct walk_item {
	struct walk_folder *folder;
	char *name;
	bool given; /* by the caller, not found in a folder */
};

struct walk_options {
	char *const *paths;
	unsigned count;
	const char *to;	 /* folder of the results, made where it is missing; NULL: beside */
	bool dry;	 /* only to look: makes no folder */
	bool follow;	 /* a path given may be a symbolic link */
	bool unfinished; /* also what a killed run of ours has left (base/newfile.h) */
	/* A path that cannot be walked, and why. */
	void (*failed)(void *arg, const char *path, int error);
	/* Whether a folder, one that was given too, is passed over; may be NULL. */
	bool (*passed)(void *arg, const char *path, const struct stat *st);
	/* Something in a folder that is neither file nor folder; may be NULL. */
	void (*left)(void *arg, const char *path);
	void *arg;
};

struct walk;

/* The options must outlive it. 0, or -errno where `to` cannot be had. */
int walk_new(const struct walk_options *o, struct walk **ret_walk);
void walk_free(struct walk *w);
/* Not to be called twice at once. False after the last; else walk_done() is due. */
bool walk_next(struct walk *w, struct walk_item *ret_item);
/* From any thread. */
void walk_done(struct walk_item *item);
/* What was met that is neither file nor folder, and left alone. */
unsigned walk_left_alone(const struct walk *w);

#endif
