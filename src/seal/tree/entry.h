#ifndef BEDWARDEN_SEAL_TREE_ENTRY_H
#define BEDWARDEN_SEAL_TREE_ENTRY_H
/* One file of a tree, from its name to its result's, and no plain text lost between. */
#include <pthread.h>

#include "seal/tree/tree.h"
#include "seal/tree/walk.h"

enum entry_outcome { ENTRY_DONE, ENTRY_FAILED, ENTRY_LEFT };

/* `why` points to text that lasts, or is in the buffer. */
struct entry_report {
	const char *why;
	char text[160];
	uint64_t plain;
};

/* What a worker has for it. `big`, shared, is used under its lock for long files. */
struct entry_tools {
	const struct tree_options *options;
	struct age_engine *engine, *big;
	pthread_mutex_t *big_lock;
	uint8_t *buffer;   /* AGE_CHUNK */
	uint8_t *file_key; /* AGE_FILE_KEY, locked */
	age_progress progress;
	void *progress_arg;
};

bool entry_wanted(const struct tree_options *o, const struct walk_item *item);
enum entry_outcome entry_process(struct entry_tools *t, const struct walk_item *item,
				 struct entry_report *ret_report);

#endif
