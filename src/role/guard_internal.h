#ifndef BEDWARDEN_ROLE_GUARD_INTERNAL_H
#define BEDWARDEN_ROLE_GUARD_INTERNAL_H
/*
 * Shared by the files of role/guard.h. guard.c: packets, and whose turn it is; guard_start.c: from the
 * first instruction until every right is given up; guard_hear.c: what parent and keeper say, and
 * what waits for the keeper; guard_tell.c: what either is told of this guard's work.
 */
#include "base/coalesce.h"
#include "guard/archive.h"
#include "guard/engine.h"
#include "guard/evidence.h"
#include "role/guard.h"
#include "role/known.h"
#include "role/lender.h"
#include "role/outbox.h"
#include "role/setup.h"

struct ring_buffer;

struct guard_policy { /* a policy as it was handed over */
	void *map;
	size_t len;
	const struct policy *policy;
};

struct guard {
	unsigned number;
	struct setup_guard setup;
	bool have_setup, stopping;
	bool heir; /* another gateway's guard and link go on where ours end */
	struct guard_policy policy;
	int parent, keeper;
	struct gate_grant_row grants[GATE_GRANTS]; /* what came before there was an engine */
	uint32_t grant_count;
	bool grants_told;   /* before that, what a door let in is no matter of ours */
	struct known known; /* the inventory borrows from it */
	struct engine *engine;
	struct capture *capture;
	struct ring_buffer *samples;
	struct outbox events, flows;
	struct evidence *evidence; /* NULL: off */
	struct archive *archive;
	struct lender *lender;
	struct coalesce all;	/* frames, */
	struct coalesce sealed; /* and of them those that are */
	bool keeper_full;	/* its socket takes no more, and is not tried again */
	uint64_t keeper_ns;	/* before then, however much waits */
	uint32_t flows_id;	/* of the question that `flows` answers */
	bool flows_due;
	uint64_t tick_ns, counts_ns;
	uint64_t settle_ns; /* what waits for the link goes then at the latest; 0: nothing waits */
	uint64_t patients_ns; /* wall clock: what was seen until then was told */
	uint64_t conduct_ns;  /* the same */
	uint64_t wall_minus_mono;
	uint8_t buf[IPC_BUF];
};

/* --- guard_start.c --- */
/* Waits for the parent's instructions, opens what they name and locks itself in; ends the process
 * where it cannot. */
void guard_prepare(struct guard *g);

/* --- guard_hear.c --- */
/* What waits on the parent's socket; ends the process where it is gone. */
void guard_hear_parent(struct guard *g);
/* What the keeper asks; then it gets what waits, as much as its socket takes. */
void guard_talk_to_keeper(struct guard *g);
/* The same, of what is on its way alone. True: some of it is left. */
bool guard_flush_keeper(struct guard *g);

/* --- guard_tell.c --- */
/* The parent: which policy holds here, and what was counted. */
void guard_say_generation(struct guard *g);
void guard_say_counts(struct guard *g);
/* The keeper: who was on a patient, or misbehaved, since it was last told. Does nothing without one. */
void guard_say_patients(struct guard *g, uint64_t wall);
void guard_say_conduct(struct guard *g, uint64_t wall);
/* As struct engine_options wants them; `arg` is the guard. */
void guard_block(void *arg, const struct gate_flow_key *key, enum reason why, uint64_t for_ns);
int guard_bypass(void *arg, const struct gate_flow_key *key, uint64_t for_ns);
int guard_announce(void *arg, const struct gate_grant_row *row, enum engine_door what, uint64_t by,
		   uint16_t other_port);

#endif
