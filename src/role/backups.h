#ifndef BEDWARDEN_ROLE_BACKUPS_H
#define BEDWARDEN_ROLE_BACKUPS_H
/*
 * Backups that the gateway makes by itself, for those who have nobody to think of
 * them: every so many hours what it is made of is put into its vault
 * (keep/backup.h), and the vault is copied to another disk (keep/vault_copy.h). A
 * thread of its own does it; everything else goes on. When the last one was made
 * survives a restart, in STATE_DIR/backup.last. What fails is told, and tried
 * again in an hour; `status` says how old the last one is, and nags.
 */
#include "role/keeper.h"

struct backups_options {
	uint64_t every_hours, keep_days;
	const char *to;		  /* the folder; NULL: none is made */
	const char *config_file;  /* with what is beside it in the gateway's own folder */
	char user[64], group[64]; /* who we are, by name */
};

/* Starts a thread: before seccomp, after the keys are unlocked. */
void backups_open(struct keeper *k, const struct backups_options *o);
/* Gives up what is under way. */
void backups_close(struct keeper *k);
/* What is due is begun; what was done is told. */
void backups_turn(struct keeper *k, uint64_t now_ns);
/* One is begun though none is due. 0; -ENOENT none are wanted; -EBUSY one is under way; -ENOKEY. */
int backups_now(struct keeper *k);
/* When to turn again though nothing happens, by the clock of `now_ns`. */
uint64_t backups_due(const struct keeper *k, uint64_t now_ns);

/* The object "backup" of `bedwarden status`. */
void backups_status(const struct keeper *k, struct json *j);
/* What a person should do something about, one after the other; NULL: no more. */
const char *backups_nag(const struct keeper *k, unsigned n, char *buf, size_t cap);

#endif
