#ifndef BEDWARDEN_ROLE_KEEPER_START_H
#define BEDWARDEN_ROLE_KEEPER_START_H
/*
 * How the keeper begins: what it was told on its command line, its folder, its user, the
 * locks around it, and everything it has open. Whatever forbids it to begin ends it with a
 * line that says what to do.
 */
#include "base/clock.h"
#include "role/backups.h"
#include "role/door.h"
#include "role/keeper.h"
#include "role/staff.h"

struct keeper_options {
	const char *state_dir, *user, *eve_file, *key_holder, *key_place, *config_file;
	const char *profiles_dir, *updates, *updates_dir;
	uint64_t eve_rotate_mb, eve_keep, store_events;
	uint64_t evidence_mb, evidence_days; /* 0: none is kept */
	uint64_t archive_mb;
	bool eve_open, one_factor_anywhere;
	struct staff_options staff;
	struct backups_options backup;
	char boot_id[CLOCK_BOOT_ID];
};

struct keeper_options keeper_options_read(int argc, char **argv);
/* From root to a user without rights, whose files are state_dir alone. */
void keeper_lock_in(struct keeper *k, const struct keeper_options *o);
/* What is in there; `gid` may use the control socket. */
void keeper_open_all(struct keeper *k, const struct keeper_options *o, gid_t gid);

#endif
