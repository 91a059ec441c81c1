#ifndef BEDWARDEN_DEMO_STAGE_H
#define BEDWARDEN_DEMO_STAGE_H
/*
 * One pass through the programme: the ward with its servers and its patient,
 * the legitimate transfers, and the attacks, each judged by what its victim
 * wrote down. The same for the open network and for the guarded one.
 */
#include "demo/board.h"
#include "demo/overheard.h"
#include "demo/pair.h"
#include "demo/transfer.h"
#include "demo/upkeep.h"
#include "demo/ward.h"

#define STAGE_ATTACKS	14
#define STAGE_TRANSFERS 4
#define STAGE_VITALS	2 /* among the transfers */
#define STAGE_ACTORS	24

struct stage {
	bool guarded;
	struct ward ward;
	struct pair gateways;
	struct board *board;
	const struct patient *patient, *rogue;
	char dir[160];
	const char *data; /* shared test data, or NULL */
	int vital_ms;	  /* how long the attacks on vital signs last */
	uint64_t begun_ns;
	uint64_t forged_ns; /* since when the monitor's own cable is not to be trusted; 0: it is */
	pid_t actors[STAGE_ACTORS];
	unsigned actor_count;
	pid_t listener;
	struct upkeep upkeep; /* guarded */
};

struct stage_outcome {
	bool through;		     /* it reached what it was after */
	char what[96];		     /* what the victim has, for people */
	char reason[GATEWAY_REASON]; /* guarded: what the gateway gave for blocking it, or "" */
	bool detected; /* guarded: it passed, as every vital sign does, and was told */
};

/* What somebody heard who listens on the wire between ward and servers. */
struct stage_heard {
	bool readable; /* what patients' devices say, of every kind */
	bool sealed;   /* nothing but DTLS and TLS */
	char what[120];
};

extern const char *const stage_attacks[STAGE_ATTACKS];
/* What comes in the patient's own name: told and never withheld. */
bool stage_is_reported(unsigned n);
extern const char *const stage_transfers[STAGE_TRANSFERS];

/* Builds and starts everything. 0; -errno with ret_why (256 bytes). */
int stage_open(struct stage *s, const char *capture, char *ret_why);
void stage_close(struct stage *s);
struct transfer_result stage_transfer(struct stage *s, unsigned n);
struct stage_outcome stage_attack(struct stage *s, unsigned n);
/* How the guarded ward is kept patched: begun once, after what was to be heard was. 0; -errno with ret_why. */
int stage_upkeep(struct stage *s, char *ret_why);
/* The listener ends; what it wrote down since the stage was opened is read. */
struct stage_heard stage_overheard(struct stage *s);
/* The vital signs of the whole pass so far, where nothing may be missing: guarded. */
struct transfer_result stage_vitals(struct stage *s);

#endif
