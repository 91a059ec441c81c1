#ifndef BEDWARDEN_KEEP_AUDIT_H
#define BEDWARDEN_KEEP_AUDIT_H
/*
 * The audit trail: every act of a person, and every change of policy, key,
 * factor or grant, in the order in which it happened. Nothing is ever edited or
 * removed; the trail is a chain, so that whoever edits, removes, reorders or
 * cuts off entries breaks it where everybody can see.
 *
 *   DIR/audit.log          a line an entry: 64 hex digits, a blank, a JSON object, '\n'.
 *                          The digits are SHA-256(the 32 bytes that the line before
 *                          begins with in hex, 32 zero bytes for the first line ||
 *                          the JSON object's bytes as they stand there).
 *   DIR/audit.checkpoint   how many entries there are, the newest one's hash, when: signed
 *                          by the keeper's key (Ed25519, purpose "sign.audit"). Outside the
 *                          log, so that a log that was cut off is found out.
 *
 * Who puts both files back as they were last week forges nothing and goes
 * unnoticed on this machine alone. A checkpoint kept elsewhere (paper, a SIEM, the
 * syslog collector that the trail is exported to) shows it: audit_verify() takes one.
 *
 * An entry is on the disk, under a new checkpoint, when audit_append() has returned
 * 0; an act whose entry cannot be written must not be done. A line torn by a
 * power cut was acknowledged to nobody: audit_open() sets it aside and says so.
 *
 * No secret and no patient identifier goes in. What an outsider can repeat at will
 * (a sign-in that fails) its caller counts, and appends once a minute at most, with
 * `count`: the trail grows with acts, never with traffic.
 */
#include <stdio.h>

#include "base/crypto.h"

struct audit_log;
struct keys;

#define AUDIT_TEXT_MAX \
	2000 /* bytes of a field; a longer one is cut, and the cut is marked by "…" */
#define AUDIT_LINE_MAX 32768 /* bytes of a line */
#define AUDIT_ERROR    512
#define AUDIT_PURPOSE  "sign.audit"

/* DICOM PS3.15 §A.5.1 EventOutcomeIndicator. */
enum audit_outcome {
	AUDIT_SUCCESS = 0,
	AUDIT_MINOR = 4,   /* refused: wrong password, no right to, malformed */
	AUDIT_SERIOUS = 8, /* failed although allowed */
	AUDIT_MAJOR = 12,  /* what should have worked no longer does */
};

/* Everything borrowed; NULL and "" are left out, but `who` and `what`. UTF-8; other bytes are escaped. */
struct audit_entry {
	const char *who; /* the user's name; "root" for an operator on the box; "gateway" itself */
	const char *as;	 /* "session", "api_key", "operator", "gateway", "nobody" (not signed in) */
	const char *role;    /* "administrator", … */
	const char *source;  /* from where: the client's IP address; */
	const char *mac;     /* and hardware address */
	const char *session; /* its public id, never its token */
	const char *what;    /* the call: "grant.approve", "policy.apply", "key.rotate" */
	const char *object;  /* on what: "device:pump-3", "user:anna", "grant:7" */
	enum audit_outcome outcome;
	const char *reason; /* of a refusal: dotted, "auth.step_up_needed" */
	const char *text;   /* for a person: the particulars; of a grant the reason given for it */
	uint64_t count;	    /* how many times; 0 and 1: once */
	uint64_t time_ns;   /* wall clock; 0: now */
};

/*
 * Opens DIR's trail, begins one where there is none, and checks all of it against the
 * checkpoint. `keys` is borrowed until audit_free(); NULL while they are locked: entries are
 * chained all the same, and signed by the first checkpoint after.
 * A trail that does not hold together is never continued: it is set aside whole, under another
 * name, and a new one begins by saying so (audit_found() gives the particulars). Several processes
 * may have one trail open. NULL with errno and ret_error.
 */
struct audit_log *audit_open(const char *dir, struct keys *keys, char ret_error[AUDIT_ERROR]);
/* The same only to be read, by whoever may read the files: nothing is set right or begun. What
 * does not hold together is left out, and audit_found() says so. */
struct audit_log *audit_open_to_read(const char *dir, char ret_error[AUDIT_ERROR]);
void audit_free(struct audit_log *a);
uint64_t audit_count(const struct audit_log *a); /* entries */
/* What was wrong with the trail when it was opened; "" nothing. */
const char *audit_found(const struct audit_log *a);
/*
 * 0: durable. -ENOSPC, -EIO, …: nothing was appended; -EINVAL without who or what; -EUCLEAN:
 * somebody changed the trail meanwhile, nothing is appended until it is opened anew.
 */
int audit_append(struct audit_log *a, const struct audit_entry *e);

/*
 * Newest first. `before` is the number of an entry, 0 for the newest; the filters are "" or what
 * an entry must have: `who` all of it, `what` and `object` its beginning. `row` is the entry's JSON
 * object with its number ("seq"), borrowed. *ret_next: for the next page, 0: no more. 0 or -errno.
 */
struct audit_query {
	uint64_t before;
	uint32_t limit;
	const char *who, *what, *object;
};
typedef void (*audit_row_fn)(void *arg, struct bytes row);
int audit_list(struct audit_log *a, const struct audit_query *q, audit_row_fn fn, void *arg,
	       uint64_t *ret_next);
/* Oldest first, from entry number `from` on, for an exporter that resumes: at most `limit`. */
int audit_since(struct audit_log *a, uint64_t from, uint32_t limit, audit_row_fn fn, void *arg);

/*
 * A checkpoint as one line of text, to be kept elsewhere:
 *   audit-checkpoint-1 TRAIL COUNT HEAD NANOSECONDS KEY SIGNATURE
 * TRAIL is the first entry's hash, HEAD the COUNTth's; KEY and SIGNATURE are zeros while the keys
 * are locked.
 */
#define AUDIT_CHECKPOINT_MAX 512
struct audit_checkpoint {
	uint8_t trail[CRYPTO_HASH], head[CRYPTO_HASH];
	uint64_t count, time_ns;
	uint8_t key[CRYPTO_KEY];
	uint8_t sign[64];
};
bool audit_checkpoint_parse(struct bytes text, struct audit_checkpoint *ret_c);
size_t audit_checkpoint_text(const struct audit_checkpoint *c, char ret_text[AUDIT_CHECKPOINT_MAX]);
bool audit_checkpoint_signed(const struct audit_checkpoint *c); /* by anybody: see its key */
/* The newest one of an open trail. */
void audit_checkpoint_of(const struct audit_log *a, struct audit_checkpoint *ret_c);

/* What audit_verify() found; `text` is for a person: what is wrong and at which entry. */
enum audit_state {
	AUDIT_WHOLE,	/* nothing was changed since the checkpoint, as far as its key goes */
	AUDIT_CHANGED,	/* an entry was edited, removed, added or moved */
	AUDIT_CUT,	/* entries are missing at the end */
	AUDIT_FORGED,	/* a checkpoint is not by the key, or not of this trail */
	AUDIT_UNSIGNED, /* holds together, but nothing says that it is ours */
};
struct audit_report {
	enum audit_state state;
	uint64_t count;	    /* entries */
	uint64_t sure;	    /* of which the checkpoint covers so many */
	uint64_t where;	    /* entry that is wrong, 0: none in particular */
	bool key_known;	    /* the key was the one given, not just the checkpoint's own */
	bool torn;	    /* the last line has no end: a power cut, or it is being written */
	uint64_t signed_ns; /* when the checkpoint was made */
	char text[AUDIT_ERROR];
};
/*
 * Reads DIR's trail from the first entry on. `key` is the public key that checkpoints must be
 * signed by, NULL: whatever the checkpoint says. `elsewhere` is a checkpoint kept elsewhere, NULL:
 * none. Changes nothing. 0 with ret_report; or -errno: the files cannot be read.
 */
int audit_verify(const char *dir, const uint8_t key[CRYPTO_KEY],
		 const struct audit_checkpoint *elsewhere, struct audit_report *ret_report);

#endif
