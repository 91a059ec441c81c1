#ifndef BEDWARDEN_ROLE_DEPOSIT_H
#define BEDWARDEN_ROLE_DEPOSIT_H
/*
 * What the keeper puts into its own vault, STATE_DIR/vault: evidence (class
 * "evidence"), messages and images of devices that are archived (class
 * "archive"), firmware for them (class "firmware"); and its daily look at what was kept long enough. None of it is
 * waited for (keep/intake.h). Without keys evidence rests as files, and nothing
 * is archived: status says so.
 */
#include "keep/pcaps.h"
#include "role/keeper.h"

/* Opens the vault if the keys are unlocked: k->intake. `archive_bytes` may be under way at once. */
void deposit_open(struct keeper *k, uint64_t archive_bytes);
/* Puts what is whole. */
void deposit_close(struct keeper *k);

/* For pcaps_options, with the keeper as their argument. */
int deposit_evidence(void *keeper, const struct pcaps_case *c, struct bytes file);
void deposit_kept(void *keeper, const struct pcaps_case *c);

/* What a guard sent (base/archive.h). 0, or -EBADMSG: part of it was malformed. */
int deposit_take(struct keeper *k, unsigned guard, struct bytes records);
/* A guard is gone: what it had begun is not whole. */
void deposit_lose(struct keeper *k, unsigned guard);

/* Firmware for devices that was fetched and verified, the file at `path`, as "firmware/NAME", for as
 * long as must be proved what a device ran. True: it is on its way; false: try again. */
bool deposit_firmware(struct keeper *k, const char *name, const char *path);

/* What somebody had uploaded; class, name and for how long it is kept. */
struct deposit_order {
	char name[256], class[24]; /* of INTAKE_NAME and OBJECT_CLASS_MAX bytes */
	unsigned days;
	uint32_t ticket; /* for custody_put_done(), which is called in the end */
};
/* Takes the descriptor of a regular file. 0 or -errno. The vault is open. */
int deposit_upload(struct keeper *k, const struct deposit_order *o, int fd);

/* What was put since the last turn is told; what is due is begun. */
void deposit_turn(struct keeper *k, uint64_t now_ns);
/* When to turn again though nothing happens, by the clock of `now_ns`. */
uint64_t deposit_due(const struct keeper *k);

/* The object "vault" of `bedwarden status`. */
void deposit_status(const struct keeper *k, struct json *j);
/* What a person should do something about, one after the other; NULL: no more. */
const char *deposit_nag(const struct keeper *k, unsigned n, char *buf, size_t cap);

#endif
