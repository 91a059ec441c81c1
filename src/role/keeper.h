#ifndef BEDWARDEN_ROLE_KEEPER_H
#define BEDWARDEN_ROLE_KEEPER_H
/*
 * The keeper: the one process that touches the disk, and that answers people.
 * Takes events from guards and parent, keeps them (keep/store.h, keep/eve.h),
 * and serves the control socket. The parent starts it as root, with two
 * descriptors; it makes and owns state_dir, then gives everything else up.
 *
 *   bedwarden _keeper -d STATE_DIR -u USER [-e EVE_FILE] [-m ROTATE_MB] [-k KEEP] [-n EVENTS]
 *                     [-E EVIDENCE_MB -D EVIDENCE_DAYS] [-A ARCHIVE_MB] [-R]
 *                     [-H HOLDER [-P PLACE]] [-c POLICY_FILE [-p PROFILES_DIR]]
 *                     [-s SITE] [-S SMS] [-3 ROLES] [-I MINUTES] [-O HOURS]
 *                     [-W SMS_URL] [-F SMS_FROM] [-G ONE_FACTOR_ANYWHERE]
 *                     [-U RULES] [-C UPDATES_DIR] [-B FOLDER -b HOURS -T DAYS]
 *
 * fd 3 is its end of the parent's pair (base/ipc.h), fd 4 the control socket,
 * bound and listening. SIGHUP reopens the EVE file, IPC_STOP or SIGTERM ends it
 * after everything taken is stored.
 *
 * With a holder it unlocks the keys in STATE_DIR/vault (role/secrets.h) and opens the
 * vault there (role/deposit.h, role/holdings.h).
 *
 * Of what it takes in, the store also reads (all optional):
 *   event_type "inventory" and binding.new_device carry an object "inventory":
 *     {"mac","name","vendor","profile","profile_reasons":[],"ips":[],"peers":[],
 *      "services":[],"apps":[],"segment"}
 *   a whole number "count" on any event says how many times it happened (1 where
 *   it is missing); a summary ("policy":{"summary":true,"unsaid":N}) counts N.
 *
 * Its files: keeper_start.c, how it begins; keeper.c, who may say what, and its loop;
 * ledger.c, what it writes down; answer.c, what each
 * command is answered; census.c, who lives on the ward; serve.c, the control
 * socket; desk.c, the console; call.c, what either may call, and look.c,
 * amend.c, pki.c, updates.c, wave.c, staff.c and its own, the calls themselves; secrets.c, what its
 * keys do for others; deposit.c, what goes into its vault; custody.c, what people put and destroy there; backups.c, the
 * copies of all of it.
 */
#include "base/ipc.h"
#include "base/reason.h"
#include "role/call.h"

#define KEEPER_IPC_FD	  3
#define KEEPER_CONTROL_FD 4
#define KEEPER_GUARDS_MAX 64

struct amends;
struct audit_log;
struct backups;
struct calls;
struct client;
struct custody;
struct deposits;
struct desk;
struct door;
struct errands;
struct eve;
struct intake;
struct json;
struct looks;
struct outlet;
struct pcaps;
struct pki;
struct person;
struct policy;
struct secrets;
struct serve;
struct store;
struct surveys;
struct updates;
struct uploads;
struct waves;

struct keeper {
	const char *state_dir;
	const char *site; /* the gateway's name */
	struct store *store;
	struct person *person;	  /* hides and opens what could name one */
	bool eve_open;		  /* and the event file has it open */
	bool one_factor_anywhere; /* opens doors in emergencies; else only from the ward */
	struct eve *eve;	  /* NULL: none wanted */
	struct pcaps *pcaps;	  /* NULL: no evidence is wanted */
	struct serve *serve;
	struct secrets *secrets;   /* NULL: no keys are wanted */
	struct intake *intake;	   /* the vault; NULL: no keys, or they are locked */
	struct deposits *deposits; /* deposit.c's */
	struct backups *backups;   /* NULL: none are wanted */
	struct pki *pki;
	struct updates *updates;
	struct waves *waves;	 /* rollouts to devices */
	struct surveys *surveys; /* survey.c's */
	struct errands *errands; /* errands.c's */
	struct uploads *uploads; /* upload.c's */
	struct custody *custody; /* custody.c's */
	struct outlet *outlet;	 /* NULL: the vault is not open */
	uint32_t checking;	 /* who waits for it to be checked, */
	uint64_t checking_ns;	 /* until then */
	struct staff *staff;	 /* who is there */
	int courier;		 /* who takes messages to telephones; -1 none */
	struct calls *calls;
	struct looks *looks;
	struct amends *amends;
	struct desk *desk;	 /* the console's; NULL none is there */
	int console_key;	 /* where it has handshakes signed; -1 none */
	struct audit_log *trail; /* NULL: it cannot be opened, see trail.h */
	uint64_t trail_said_ns;
	struct trail_send *trail_send; /* and its way out */
	json_t *wishes;		       /* whose texts are lent to others, see wishes.h */
	struct door *door;	       /* grants; see door.h */
	call_identify_fn identify;     /* who is behind a session; NULL nobody ever */
	call_note_fn note_act;	       /* the audit trail; NULL none */
	int parent;		       /* socket */
	int guards[KEEPER_GUARDS_MAX]; /* sockets by the guard's number; -1 none */
	const struct policy *policy;   /* NULL until the parent sent one */
	void *policy_block;	       /* its mapping */
	size_t policy_len;
	struct json_t *patients; /* devices on one: see census_patients() */
	uint64_t flows_owed;	 /* guards whose list of flows has not ended yet, a bit each */
	uint32_t asked;		 /* id of the last question to others */
	int64_t last_event_ns;	 /* wall clock, of the newest when we started; 0: there was none */
	uint64_t refused;	 /* messages and lines from our own processes */
	uint64_t lost_told;	 /* events lost, as far as an event has said so, */
	uint64_t evidence_told;	 /* and evidence */
	uint64_t evidence_bytes, evidence_age_s; /* that is kept at most */
	uint64_t full_ns; /* since when nothing can be written; 0: all is well */
	uint64_t retry_ns;
	uint64_t commit_ns; /* when what is queued is written; 0: nothing is */
	bool stopping;
};

/* ledger.c */
/* An event of the keeper's own, begun by event_begin(); it goes the way of everybody's. */
void keeper_put(struct keeper *k, struct json *j);
/* One about the gateway itself. `count` 0 is left out, as is `text` NULL. */
void keeper_report(struct keeper *k, enum reason why, uint64_t count, const char *text);
/* Events of another process, lines each ended by '\n'; and something of its that was refused. */
void keeper_events(struct keeper *k, const char *who, struct bytes lines);
void keeper_refuse(struct keeper *k, const char *who, const char *what);

/* answer.c: the calls of serve.h, with the keeper as their argument. */
extern const struct serve_calls answer_calls;
/* What the parent or a guard answered to a question asked for a client. */
void answer_status(struct keeper *k, const struct ipc_message *m);
void answer_apply(struct keeper *k, const struct ipc_message *m);
/* The parent's status with what the keeper knows; NULL: it answered nonsense. */
json_t *answer_merge(struct keeper *k, const struct ipc_message *m);
void answer_flows(struct keeper *k, unsigned guard, const struct ipc_message *m);
/* Once a turn: asks the guards for the next client that wants their flows. */
void answer_turn(struct keeper *k);
/* A guard is gone: nobody waits for it any longer. */
void answer_without(struct keeper *k, unsigned guard);

/* Who is behind a session; NULL: nobody is. A test puts its own here. */
extern call_identify_fn keeper_identify;

int keeper_main(int argc, char **argv);

#endif
