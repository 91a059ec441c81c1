#ifndef BEDWARDEN_ROLE_UPDATES_INTERNAL_H
#define BEDWARDEN_ROLE_UPDATES_INTERNAL_H
/*
 * Shared by the files of role/updates.h. updates.c: what updater and parent say, and what follows from
 * it; updates_call.c: what people ask for and want.
 */
#include <limits.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/reason.h"
#include "role/keeper.h"
#include "role/updates.h"
#include "update/fetch/plan.h"

#define UPDATES_WINDOWS	  8
#define UPDATES_SWITCH_MS 5000 /* for the parent to answer whether it starts another release */

struct updates {
	bool content_waits, gateway_waits, mirrors;
	unsigned warn_days, window_count;
	char release[64]; /* "" the packaged one */
	char *windows[UPDATES_WINDOWS], *rules;
	char path[PATH_MAX];
	int updater;	  /* -1 none */
	json_t *state;	  /* what is kept: hold, approved, failed, told, tries, fetched, outcome */
	json_t *fetched;  /* the updater's last report */
	json_t *place;	  /* the installer's */
	json_t *asked;	  /* names that are being installed; NULL none */
	uint32_t ask;	  /* id of the last question to the parent */
	uint64_t busy_ns; /* until then nothing else is begun; 0: nothing is under way */
	uint32_t ticket;  /* who waits for a switch */
	bool checking;	  /* the next report is of a look that somebody asked for */
	uint32_t checker;
	json_t *sealed; /* firmware that is in the vault, or on its way, by its hash */
	bool again;	/* something failed that is tried once more */
	uint64_t due_ns;
};

/* An object of what is kept, made where there is none; borrowed. */
json_t *updates_kept(struct updates *u, const char *name);
/* To the disk; that it cannot be is logged. */
void updates_save(struct updates *u);

/* As an event; `target` NULL: of none. */
void updates_tell(struct keeper *k, enum reason why, const json_t *target, const char *text);
/* Whether, and what a person is told of it: nothing was fetched for too long; what is trusted ends. */
bool updates_are_stale(const struct updates *u, char *ret_text, size_t size);
bool updates_expire(const struct updates *u, char *ret_text, size_t size);

/* What is fetched and what is in place, one list; to json_decref(). */
json_t *updates_targets(const struct updates *u);
/* What is to be done with them now; to plan_free(). */
void updates_plan(struct updates *u, const json_t *targets, struct plan *ret_plan);
/* Has the parent do what may be done, where nothing is under way. */
void updates_decide(struct keeper *k);
/* Has the parent start another release, "" the packaged one. False: its socket takes no more. */
bool updates_ask_switch(struct keeper *k, const char *release);

#endif
