#ifndef BEDWARDEN_SEAL_TREE_TREE_H
#define BEDWARDEN_SEAL_TREE_TREE_H
/*
 * Many files, and whole trees of them, sealed or opened in one go on all cores.
 * NAME becomes NAME.age and back, with its mode, its times and, for root, its
 * owner. A result has its name only once it is whole; when it reaches the disk
 * is the system's affair, as with any copy whose source stays.
 *
 * In place, a file is removed only after its result is on the disk, was read
 * back and found to hold the same, and nobody has written to the file
 * meanwhile. Killed at any moment, the next run takes it up again.
 */
#include "seal/age/age.h"

#define TREE_SUFFIX ".age"

struct tree_result {
	uint64_t files, bytes; /* done; plain bytes */
	unsigned failed;       /* each was told to `failed` */
	unsigned left_alone;   /* links, devices, and what is sealed, or is not, already */
};

/* The functions are called one at a time, from any thread. */
struct tree_options {
	bool open;	  /* else seal */
	bool in_place;	  /* the source goes when its result is safe */
	bool force;	  /* replace what has the result's name; in place, also take a file that has
			 * several names */
	const char *to;	  /* folder of the results; NULL: beside */
	unsigned threads; /* 0: as there are cores */
	struct age_seal_options seal; /* recipients and armor */
	age_unwrap unwrap;
	void *unwrap_arg;

	void (*failed)(void *arg, const char *path, const char *why);
	/* It is done, and durably so where it is in place. NULL: nobody asks. */
	void (*done)(void *arg, const char *path);
	void (*progress)(void *arg, const struct tree_result *so_far); /* or NULL */
	void *arg;
};

/*
 * Every path and all below it. 0 where all of it was done, -EIO where something
 * failed that `failed` was told; or -errno.
 * A single folder's content goes into `to`; of several paths each keeps its name there.
 */
int tree_run(const struct tree_options *o, char *const *paths, unsigned count,
	     struct tree_result *ret_result);
/* How much there is to do, for who watches. */
void tree_measure(const struct tree_options *o, char *const *paths, unsigned count,
		  struct tree_result *ret_result);

#endif
