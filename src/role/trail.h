#ifndef BEDWARDEN_ROLE_TRAIL_H
#define BEDWARDEN_ROLE_TRAIL_H
/*
 * The keeper's use of the audit trail (keep/audit.h): acts of people as calls
 * come in, what the parent reports of the gateway itself, and the calls that
 * read it. What a person did is also an event of type "audit".
 */
#include "keep/audit.h"
#include "role/call.h"

struct keeper;
struct record;

/* Opens it; where that fails nothing that must be recorded is done, and it is tried again. */
void trail_open(struct keeper *k);
void trail_close(struct keeper *k);
/* 0: it is on the disk. Else the act must not be done; that is said as an event, once a minute. */
int trail_note(struct keeper *k, const struct audit_entry *e);
/* What a call came to: call_note_fn. */
void trail_act(struct keeper *k, const struct call_row *row, const struct call_asker *by,
	       const json_t *args, const struct call_error *error);
/* Notes what an event of the parent's says, if it belongs there. */
void trail_fact(struct keeper *k, const struct record *r);
/* The checkpoint as text for `bedwarden status`; "" none. */
const char *trail_broken(const struct keeper *k);

extern const struct call_row audit_calls[];
/* One of them: trail_export.c. */
json_t *trail_export(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *ret_error);

#endif
