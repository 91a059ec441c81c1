#ifndef BEDWARDEN_CLI_BATCH_H
#define BEDWARDEN_CLI_BATCH_H
/* Many paths sealed or opened in one go, with a bar for who watches (seal/tree). */
#include "seal/tree/tree.h"

/* What `seal` and `open` have in common. */
struct batch_options {
	const char *to;
	bool in_place, force, verbose;
};

/* Whether the paths are for a batch: several, a folder, in place, or to a folder. */
bool batch_wanted(const struct batch_options *b, char *const *paths, int count);
/* `o` with its keys; the rest is filled in. Says what failed; CLI_OK or CLI_FAILED. */
int batch_run(const struct batch_options *b, struct tree_options *o, char *const *paths, int count);

#endif
