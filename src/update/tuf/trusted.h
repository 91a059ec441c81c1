#ifndef BEDWARDEN_UPDATE_TUF_TRUSTED_H
#define BEDWARDEN_UPDATE_TUF_TRUSTED_H
/*
 * What one update trusts so far; inside update/tuf only.
 */
#include "update/tuf/client.h"
#include "update/tuf/metadata.h"

struct tuf {
	const char *dir; /* borrowed, as is the source */
	struct tuf_source *source;
	int64_t now;
	int store;
	struct tuf_metadata *root, *timestamp, *snapshot, *targets; /* owned; NULL: not yet */
};

/* A targets role that the snapshot lists, from the folder or fetched, verified against `by`. To
 * tuf_metadata_free(). */
int tuf_load_targets(struct tuf *t, const char *role, const struct tuf_signers *by,
		     struct tuf_metadata **ret_targets, struct tuf_error *e);

#endif
