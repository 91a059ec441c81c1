#ifndef BEDWARDEN_UPDATE_REPO_REPO_H
#define BEDWARDEN_UPDATE_REPO_REPO_H
/*
 * A repository in the making, the publishing side of The Update Framework 1.0, as a folder:
 *
 *   keys/      private keys FILE and public ones FILE.pub, as far as they are here
 *   drafts/    ROLE.json: the next version of a role, which waits for its signatures
 *   public/    what any web server serves: metadata/ and targets/, consistent snapshots
 *
 * A draft is an ordinary metadata file. It may travel to who else signs it and come back. Nothing
 * in public/ is ever seen half: the timestamp, which leads to all else, is replaced last.
 */
#include <jansson.h>

#include "update/repo/signer.h"
#include "update/tuf/hash.h"
#include "update/tuf/metadata.h"

#define REPO_ROLE_MAX 128 /* bytes of a role's name, with its zero */

struct repo;

/* Makes the folders; -EEXIST where there is a repository already. */
int repo_create(const char *dir, struct tuf_error *e);
/* Holds it alone, and waits for whoever has it. */
int repo_open(const char *dir, struct repo **ret_repo, struct tuf_error *e);
void repo_close(struct repo *r);
const char *repo_dir(const struct repo *r);

/* Letters, digits, '-', '_' and '.', not first: what a web server and a file system leave alone. */
bool repo_role_is_good(const char *role);

/* --- reading. What is given out is a whole metadata file, {"signed", "signatures"}, to
 * json_decref(). */
/* What is published; -ENOENT. */
int repo_published(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e);
/* What waits; -ENOENT. */
int repo_draft(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e);
/* The draft, or else what is published; -ENOENT. */
int repo_latest(struct repo *r, const char *role, json_t **ret_whole, struct tuf_error *e);
/* Names of all drafts, or of all targets roles that are published or waiting (an array). */
int repo_drafts(struct repo *r, json_t **ret_names, struct tuf_error *e);
int repo_roles(struct repo *r, json_t **ret_names, struct tuf_error *e);

/*
 * Who signs a role, by the latest there is: the signers are borrowed from *ret_by, which holds
 * the metadata that says so, to json_decref(). For a delegated role, the first that delegates to
 * it, whose name goes to ret_delegator where it is not NULL. -ENOENT: nobody does.
 */
int repo_signers(struct repo *r, const char *role, struct tuf_signers *ret_signers, json_t **ret_by,
		 char ret_delegator[REPO_ROLE_MAX], struct tuf_error *e);

/* --- changing. An edit begins with the draft, or with what is published and one version more,
 * and expires `days` from now; saved, it has no signatures. */
int repo_edit(struct repo *r, const char *role, int days, json_t **ret_whole, struct tuf_error *e);
int repo_save(struct repo *r, const char *role, json_t *whole, struct tuf_error *e);
/* A draft as it is, with its signatures. */
int repo_save_signed(struct repo *r, const char *role, const json_t *whole, struct tuf_error *e);

/* Signs the whole with a key; nothing where that key has signed already (*ret_new false). */
int repo_sign(json_t *whole, const struct signer *s, bool *ret_new, struct tuf_error *e);
/* Adds signatures of `from` over the same body. -EINVAL: it is another body. */
int repo_merge(json_t *whole, const json_t *from, unsigned *ret_new, struct tuf_error *e);

/* Copies a file into public/targets under its name and hash. */
int repo_put_target(struct repo *r, const char *path, const char *name, struct tuf_file *ret_file,
		    struct tuf_error *e);
/* Length and hash of a file anywhere. */
int repo_hash_file(const char *path, struct tuf_file *ret_file, struct tuf_error *e);
/* Is it there, in its length? */
bool repo_has_target(struct repo *r, const char *name, const struct tuf_file *file);
/* A path that every file system and server can have; else why not. */
const char *repo_judge_name(const char *name);
/* The same of a file's path below public/, which may have a hash before it. */
const char *repo_judge_stored(const char *name);

struct repo_publish {
	int timestamp_days, snapshot_days;
	struct signer *const *signers; /* the online keys */
	unsigned signer_count;
};
/*
 * Publishes the drafts that are signed by enough, and a new snapshot and timestamp. Refuses the
 * whole where one is not, or where something that stays is not vouched for any more. `note`, where
 * not NULL, is told of each role that was published, and of those that are left out.
 */
int repo_publish(struct repo *r, const struct repo_publish *o,
		 void (*note)(void *arg, const char *line), void *arg, struct tuf_error *e);

/*
 * Removes from public/ what was superseded and has not changed for so many days: versions of roles but
 * root, and targets that neither a published role nor a draft lists. `note` is told each path.
 */
int repo_tidy(struct repo *r, int days, void (*note)(void *arg, const char *line), void *arg,
	      struct tuf_error *e);

#endif
