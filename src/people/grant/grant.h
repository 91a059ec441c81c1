#ifndef BEDWARDEN_PEOPLE_GRANT_H
#define BEDWARDEN_PEOPLE_GRANT_H
/*
 * Grants: who was let into which service of which device, from which
 * workstation, why and until when. A state machine without a clock, files or
 * sockets of its own: time is an argument, whoever keeps the book stores it
 * (grants_save()) and opens and shuts the doors.
 *
 *            ask ──► ASKED ──approve──► OPEN ──time, revoke──► ENDED
 *                      │ deny, an hour    ▲
 *                      ▼                  │ ask, where policy needs nobody's leave
 *                   DENIED              break-glass: at once, to be reviewed
 *
 * A grant ends at the earlier of two ends, whichever way the wall clock is set: so
 * many minutes of boot time behind its opening, and that moment on the wall. Behind a
 * restart of the machine, when boot time begins anew, it has no more left than
 * when the book was last stored, less what the wall says went by; if the wall has gone
 * back meanwhile nobody can tell, and it ends.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/clock.h"

#define GRANTS_MAX	  256 /* in the book; those that are over and done with make room */
#define GRANT_NAME	  64
#define GRANT_REASON	  500
#define GRANT_REASON_MIN  4
#define GRANT_CERTIFICATE 256 /* its SHA-256 in hexadecimal digits, and its subject */
#define GRANT_DEVICES	  16  /* of an invitation */

struct grants;

struct grant_clock {
	uint64_t wall_ns;	     /* since 1970 */
	uint64_t boot_ns;	     /* CLOCK_BOOTTIME */
	char boot_id[CLOCK_BOOT_ID]; /* which boot that is of */
};

enum grant_state { GRANT_ASKED, GRANT_OPEN, GRANT_DENIED, GRANT_ENDED, GRANT_STATES };

struct grant {
	uint32_t id; /* never 0, never given twice */
	enum grant_state state;
	char person[GRANT_NAME], role[GRANT_NAME];
	char device[GRANT_NAME], service[GRANT_NAME];
	char source[48];		     /* the workstation's address */
	char mac[18];			     /* and hardware address; "any": behind a router */
	char certificate[GRANT_CERTIFICATE]; /* that it showed when it asked; "" none */
	char reason[GRANT_REASON + 1];
	uint32_t minutes;
	bool record, break_glass;
	uint32_t invitation; /* under which a vendor asked; 0 none */
	uint64_t asked_ns;   /* wall, as all that follow but until_boot_ns and left_ns */
	uint64_t opened_ns, until_ns, ended_ns;
	uint64_t until_boot_ns;
	char boot_id[CLOCK_BOOT_ID];
	uint64_t left_ns;	     /* when it was last looked at, */
	uint64_t seen_ns;	     /* which was then */
	char decided_by[GRANT_NAME]; /* who approved or denied; "" policy did */
	char ended_by[GRANT_NAME];   /* "" time did */
	char why_ended[GRANT_REASON + 1];
	char reviewed_by[GRANT_NAME];
	char review[GRANT_REASON + 1];
	uint64_t nagged_ns;
};

struct invitation {
	uint32_t id; /* out of the same numbers */
	char person[GRANT_NAME];
	char devices[GRANT_DEVICES][GRANT_NAME];
	unsigned device_count;
	char reason[GRANT_REASON + 1], by[GRANT_NAME];
	uint64_t made_ns, until_ns; /* wall */
	bool withdrawn;
};

/* What is asked for; the caller has checked it against the policy. */
struct grant_ask {
	const char *person, *role, *device, *service, *source, *mac, *reason;
	const char *certificate; /* NULL: none was shown */
	uint32_t minutes;
	bool record;
	bool alone;	  /* policy needs nobody's leave */
	bool break_glass; /* opens at once, and is to be reviewed */
	bool vendor;	  /* needs an invitation to the device */
};

struct grants *grants_new(void); /* NULL: no memory */
void grants_free(struct grants *g);

/*
 * 0; -EINVAL a text is missing or too long; -EACCES a vendor without an invitation to the device;
 * -EEXIST the same person asked for the same already (*ret_id says which); -ENOSPC the book is full
 * of what is not over yet.
 */
int grants_ask(struct grants *g, const struct grant_ask *a, const struct grant_clock *now,
	       uint32_t *ret_id);
/* -ENOENT; -EALREADY it waits for nobody (any longer); -EPERM nobody decides on their own. */
int grants_approve(struct grants *g, uint32_t id, const char *by, const struct grant_clock *now);
int grants_deny(struct grants *g, uint32_t id, const char *by, const char *why,
		const struct grant_clock *now);
/* Also what only waits; anybody's own too. */
int grants_revoke(struct grants *g, uint32_t id, const char *by, const char *why,
		  const struct grant_clock *now);
/* -EALREADY there is nothing to review; -EBUSY it is still open; -EPERM one's own; -EINVAL. */
int grants_review(struct grants *g, uint32_t id, const char *by, const char *text);
/* Undoes the last ask, approve or the like, which could not be recorded: the grant is as `was`, or
 * gone where was->id is 0. */
void grants_restore(struct grants *g, uint32_t id, const struct grant *was);

/* A vendor's: from now on, for at most 30 days. 0; -EINVAL; -ENOSPC. */
int grants_invite(struct grants *g, const struct invitation *i, uint32_t minutes,
		  const struct grant_clock *now, uint32_t *ret_id);
/* Its grants end with it. -ENOENT, -EALREADY. */
int grants_withdraw(struct grants *g, uint32_t id, const char *by, const struct grant_clock *now);

enum grant_change { GRANT_TIME_OVER, GRANT_ASK_OVER, GRANT_CLOCK_UNSURE, GRANT_REVIEW_DUE };
typedef void (*grant_changed_fn)(void *arg, const struct grant *g, enum grant_change what);
/* What time has done. True where the book is to be stored: something changed, or it is ten seconds
 * since and a door is open. */
bool grants_tick(struct grants *g, const struct grant_clock *now, grant_changed_fn fn, void *arg);
/* When to tick again, by boot time; UINT64_MAX: nothing is due. A second at most while one is open. */
uint64_t grants_due(const struct grants *g, const struct grant_clock *now);

/* How long it has left; 0 where it is not open. */
uint64_t grant_left(const struct grant *g, const struct grant_clock *now);
const struct grant *grants_find(const struct grants *g, uint32_t id); /* NULL; borrowed */
/* In the order of their numbers, oldest first. */
unsigned grants_count(const struct grants *g);
const struct grant *grants_at(const struct grants *g, unsigned i);
unsigned grants_invitations(const struct grants *g);
const struct invitation *grants_invitation(const struct grants *g, unsigned i);
bool grant_to_review(const struct grant *g); /* a break-glass that nobody has looked at */

const char *grant_state_name(enum grant_state s);
/* The book as JSON and back. NULL: no memory; load: -EBADMSG, and the book is as it was. */
json_t *grants_save(const struct grants *g);
int grants_load(struct grants *g, const json_t *book);

#endif
