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

#define AUDIT_TEXT_MAX 2000 /* bytes of a field; a longer one is cut, and the cut is marked by "…" */
#define AUDIT_LINE_MAX 16384 /* bytes of a line */
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
	const char *who;     /* the user's name; "root" for an operator on the box; "gateway" itself */
	const char *as;	     /* "session", "api_key", "operator", "gateway", "nobody" (not signed in) */
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
 * Opens DIR's trail, begins one where there is none, and checks the newest entries
 * against the checkpoint. `keys` is borrowed until audit_free(); NULL while they are
 * locked: entries are chained all the same and signed by the first checkpoint after.
 * A trail that does not hold together is never continued: it is set aside whole, under another
 * name, and a new one begins by saying so (reason audit.broken). NULL with errno.
 */
struct audit_log *audit_open(const char *dir, struct keys *keys, char ret_error[AUDIT_ERROR]);
void audit_free(struct audit_log *a);
/* 0: durable. -ENOSPC, -EIO, …: nothing was appended; -EINVAL without who or what. */
int audit_append(struct audit_log *a, const struct audit_entry *e);

#endif
