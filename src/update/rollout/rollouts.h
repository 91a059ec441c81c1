#ifndef BEDWARDEN_UPDATE_ROLLOUT_ROLLOUTS_H
#define BEDWARDEN_UPDATE_ROLLOUT_ROLLOUTS_H
/*
 * The rollouts of a site, kept in a folder, a file each: what each orders is done by the
 * device's driver, a line each in a table:
 *
 *   agent    a program on the device asks for it (update/agent/talk.h)
 *   push     we bring it (push.h), from a thread
 *   person   somebody does it by hand, and says so
 *
 * Nothing is done before what led to it is on the disk; killed at any moment, the next one goes on.
 */
#include "update/rollout/agents.h"
#include "update/rollout/push.h"
#include "update/rollout/rollout.h"

enum driver { DRIVER_PERSON, DRIVER_AGENT, DRIVER_PUSH, DRIVERS };

struct rollouts_calls {
	/* What the gateway sees of a device; what its agent says of itself comes on top. */
	rollout_see see;
	/* How a device takes firmware; *ret_push for DRIVER_PUSH. */
	enum driver (*how)(void *arg, const char *device, struct push *ret_push);
	/* A verified target, and the file, which is closed for it. 0; -ENOENT it is not there (yet). */
	int (*file)(void *arg, const char *target, struct agents_file *ret_file, int *ret_fd);
	void *arg;
};

struct rollouts;

/* What the folder holds; a file that cannot be read is told on stderr's log and left alone. NULL
 * with errno. */
struct rollouts *rollouts_open(const char *folder, const struct rollouts_calls *calls);
/* Waits for transfers under way to be broken off. */
void rollouts_close(struct rollouts *s);

/* Kept from now on. 0; -EEXIST one of that id is there; -errno, and then `r` is still the caller's. */
int rollouts_add(struct rollouts *s, struct rollout *r);
struct rollout *rollouts_find(struct rollouts *s, const char *id);
/* One after the other; NULL begins, and ends. */
struct rollout *rollouts_next(struct rollouts *s, const struct rollout *r);
/* A proposal that nobody needs any more: gone, its file too, and freed. 0 or -errno. */
int rollouts_drop(struct rollouts *s, struct rollout *r);
/* After a person changed it through rollout_*(). 0 or -errno. */
int rollouts_keep(struct rollouts *s, struct rollout *r);
/* All of them, for people and programs; the caller's. */
json_t *rollouts_status(const struct rollouts *s);

/* Looks at everything once; call it every few seconds. 0, or -errno where something could not be
 * kept: then nothing is ordered either. */
int rollouts_turn(struct rollouts *s, int64_t now, int local_minute);

/* An agent speaks: see agents_report(). For TALK_BYTES, *ret_fd is the file, to be closed. */
int rollouts_report(struct rollouts *s, const char *device, const struct talk_report *r,
		    int64_t now, struct talk_order *ret_order, int *ret_fd);

#endif
