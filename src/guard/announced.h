#ifndef BEDWARDEN_GUARD_ANNOUNCED_H
#define BEDWARDEN_GUARD_ANNOUNCED_H
/*
 * The doors for data that conversations announced (guard/announce.h), whoever lets those speak: a
 * person's grant, or a rule of the policy (GATE_GRANT_RULE). Each waits for a while for whoever it was
 * announced to, is of that conversation alone from then on, and goes with it; where a server has one
 * port for all, each conversation there has a door of its own. What lets the two
 * speak is looked up again whenever that changes. Bounded: of one opener and of one device the oldest
 * that nobody has come to, or no more, makes room, else the oldest. Time is CLOCK_BOOTTIME, or a file's.
 */
#include "bpf/shared.h"
#include "guard/engine.h"

#define ANNOUNCED_MAX	 256 /* doors in all; */
#define ANNOUNCED_OPENER 8   /* of one grant, or conversation under a rule */
#define ANNOUNCED_DEVICE 32
#define ANNOUNCED_PORT	 1024 /* the lowest */
/* What a rule permits has no end of its own: so long from when it was last heard of. */
#define ANNOUNCED_UNHEARD_NS (24 * 3600 * 1000000000ull)

struct announced_door {
	struct gate_grant_row row;
	uint64_t alone_ns; /* until then somebody has to come; 0: somebody has */
	uint64_t met_ns;   /* when that was last said */
	uint64_t by;	   /* flow_id of what announced it */
	bool done;	   /* who came has closed the conversation */
	uint32_t awaited;  /* how many may still come: others announced the same port */
};

struct announced {
	struct announced_door list[ANNOUNCED_MAX]; /* oldest first */
	uint32_t count;
};

/* What a door is permitted by: the grants in force, borrowed, and the policy; NULL: none. */
struct announced_law {
	const struct gate_grant_row *grants;
	uint32_t grant_count;
	const struct policy *policy;
	uint64_t now_ns;
};

/* What a guard says of one; key, id and what happened are the sender's word. */
struct announced_word {
	struct gate_grant_key key;
	uint32_t id;
	enum engine_door what;
	uint64_t by;
	uint16_t other_port;
};

/* -EPERM: nothing permits it. 0: nothing has changed. 1: the doors are others now. */
int announced_take(struct announced *a, const struct announced_word *word,
		   const struct announced_law *law);
/* The law has changed, or time has passed: what is no longer permitted goes. */
void announced_follow(struct announced *a, const struct announced_law *law);
/* Copies the rows, at most `max`. How many. */
uint32_t announced_rows(const struct announced *a, struct gate_grant_row *ret_rows, uint32_t max);
/* Takes doors of rules over that stood before, met or not, as far as the law permits them. */
void announced_adopt(struct announced *a, const struct gate_grant_row *rows, uint32_t count,
		     const struct announced_law *law);

#endif
