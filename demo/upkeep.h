#ifndef BEDWARDEN_DEMO_UPKEEP_H
#define BEDWARDEN_DEMO_UPKEEP_H
/*
 * The guarded ward is kept patched: firmware reaches two pumps in waves, by RAUC and by pushing, the one
 * on a patient waits, a bad release goes back by itself; the gateway replaces itself; a stick brings what
 * no mirror does. Each is judged by what the pumps, their listener and the ward hold afterwards.
 */
#include "demo/infuser.h"
#include "demo/pair.h"
#include "demo/slotted.h"

#define UPKEEP_STEPS  7
#define UPKEEP_ACTORS 8

struct upkeep {
	struct maker maker;
	struct slotted slotted; /* pump-1 */
	struct infuser pumps[BOARD_PUMPS];
	const struct ward *ward;
	struct pair *gateways;
	struct board *board;
	const struct patient *patient;
	char dir[FOLDER_MAX], second[FOLDER_MAX], output[FOLDER_MAX + 32];
	pid_t actors[UPKEEP_ACTORS], mirror;
	unsigned actor_count;
	struct gateway_mark begun;
};

struct upkeep_outcome {
	bool good;
	bool skipped;		     /* what it needs is not to be had here; `what` says that */
	char what[120];		     /* measured, for people */
	char reason[GATEWAY_REASON]; /* the gateway's own word for it, where it has one */
};

extern const char *const upkeep_steps[UPKEEP_STEPS];
/* "updated", "waited" …: what is said of a step that is good. */
extern const char *const upkeep_words[UPKEEP_STEPS];

/* Before the gateways start: a publisher whom the ward's trusts. Files lie in `dir`. 0 or -errno. */
int upkeep_prepare(struct upkeep *ret_u, const char *dir);
/* The pumps begin to work and to be kept. To be ended. 0; -errno with ret_why (256 bytes). */
int upkeep_begin(struct upkeep *u, const struct ward *w, struct pair *gateways, struct board *b,
		 const struct patient *p, char *ret_why);
/* One after the other, from 0. */
struct upkeep_outcome upkeep_step(struct upkeep *u, unsigned n);
void upkeep_end(struct upkeep *u);

#endif
