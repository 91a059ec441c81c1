#ifndef BEDWARDEN_UPDATE_REPO_FOLDER_H
#define BEDWARDEN_UPDATE_REPO_FOLDER_H
/*
 * The repository's folders and how roles lie in them; inside update/repo only.
 */
#include "update/repo/repo.h"

#define FOLDER_FILE_MAX (32u << 20) /* of one metadata file */

struct repo {
	char *dir;
	int top, drafts, metadata, targets; /* descriptors; `top` is held */
	/* Read once, for nobody else changes the folder while it is held; NULL: not yet. */
	struct tuf_metadata *snapshot;
	json_t *roles;
};

/* A published or waiting file as it is, parsed and judged; to tuf_metadata_free(). -ENOENT. */
int folder_load(struct repo *r, const char *role, bool draft, struct tuf_metadata **ret_metadata,
		struct tuf_error *e);
/* Something was written: what was read once is read again. */
void folder_forget(struct repo *r);

#endif
