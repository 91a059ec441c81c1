#ifndef BEDWARDEN_ROLE_STAFF_H
#define BEDWARDEN_ROLE_STAFF_H
/*
 * Who is there: the keeper's calls about people, over people/auth (what proves what)
 * and keep/people.h (what lasts). doc/people.md says how it looks from outside.
 *
 * Its files: staff.c, who is behind a token, and sessions; signin.c, auth.*: from
 * nobody to a session; show.c, whether a factor is right, and how fast one may try;
 * hash.c, hashes of passwords, by their thread; enrol.c, factor.*; sms.c, codes on their way;
 * user.c, user.*; machine.c, key.*.
 */
#include "base/reason.h"
#include "keep/people.h"
#include "people/auth/factor.h"
#include "people/auth/limits.h"
#include "people/auth/ticket.h"
#include "role/call.h"

struct keys;
struct staff;

/* What a site wishes (base/config.h, people). */
struct staff_options {
	const char *site;		/* what apps and passkeys call it */
	bool sms;			/* codes by SMS are offered, by */
	const char *sms_url, *sms_from; /* this gateway (people/auth/sms.h) */
	unsigned aal3;			/* roles that must show level 3, a set */
	unsigned certificate;	 /* roles that need a workstation with a certificate, a set */
	const char *attestation; /* whose word on authenticators is needed, a file; "" nobody's */
	struct limits_wish wish;
};

/*
 * Before the sandbox: reads which start of the machine this is. `tell` is called with what
 * should be an event: about whom (a user's name, "" nobody's in particular), and what.
 * NULL: no memory or no randomness.
 */
typedef void (*staff_tell_fn)(void *arg, enum reason why, const char *user, const char *text,
			      uint64_t count);
struct staff *staff_new(const struct staff_options *o, staff_tell_fn tell, void *arg);
/*
 * After it: opens DIR/people.db; `keys` NULL: locked. A database that cannot be opened lets nobody
 * in and changes nothing else: staff_nag() says so. */
void staff_open(struct staff *s, const char *dir, struct keys *keys);
void staff_free(struct staff *s);
/*
 * Between Landlock and seccomp: the thread that hashes passwords. Without it, in tests, the call
 * itself does. 0; -errno.
 */
int staff_start(struct keeper *k);
int staff_fd(const struct staff *s); /* readable when it has done something; -1 none */
void staff_hashed(struct keeper *k); /* what it has done */
/* Whose word on authenticators is needed: PEM, read at once; without them, or where they cannot be
 * read, no passkey is added as long as staff_options.attestation names a file. */
void staff_take_roots(struct staff *s, struct bytes pem);
/* What a person should do something about; NULL: nothing. */
const char *staff_nag(struct staff *s, char *buf, size_t cap);
/* When staff_tick() is wanted, monotonic: what has run out goes. */
uint64_t staff_due(const struct staff *s);
void staff_tick(struct staff *s);

/* call_identify_fn. */
bool staff_identify(struct keeper *k, const char *token, const char *csrf, struct call_asker *by,
		    struct call_error *ret_error);

/* The courier's answer; and it is gone: whoever waited is told so. */
struct ipc_message;
void staff_sent(struct keeper *k, const struct ipc_message *m);
void staff_without_courier(struct keeper *k);

/* Time, which tests set: nanoseconds of CLOCK_BOOTTIME, and of the wall clock. */
struct staff_clock {
	uint64_t (*boot_ns)(void);
	uint64_t (*wall_ns)(void);
};
void staff_set_clock(struct staff *s, const struct staff_clock *c);
/* Another start of the machine, as far as it knows. For tests. */
void staff_set_boot(struct staff *s, const char *boot);

/* Their calls. */
extern const struct call_row signin_calls[], session_calls[], enrol_calls[], user_calls[],
	machine_calls[];

#endif
