#ifndef BEDWARDEN_KEEP_PEOPLE_H
#define BEDWARDEN_KEEP_PEOPLE_H
/*
 * Who there is: users, their factors, sessions, codes that let somebody in once, keys of
 * machines, notices. A file of its own, DIR/people.db, so that a flood of events or
 * a damaged event database takes nobody's way in; a damaged one is not set
 * aside as that is, but left for somebody to restore.
 *
 * A change is on the disk when the call returned 0. Tokens, codes and keys are
 * here as hashes only. Secrets that must be read again (an app's secret, a telephone
 * number, password records) are sealed by the keeper's key for "people" together with
 * whose and what they are, so that none serves as another; without keys they cannot be
 * read, and passkeys, which hold no secret, still work.
 *
 * Everything is bounded; -ENOSPC-like answers are -EDQUOT: no more of those.
 * Times: `_s` wall clock, seconds since 1970; `_ns` CLOCK_BOOTTIME of the start `boot`.
 * All answer 0 or -errno; -ENOENT: there is none; -EEXIST: there is one.
 */
#include "base/clock.h"
#include "base/crypto.h"

#define PEOPLE_ID	16
#define PEOPLE_NAME	64
#define PEOPLE_TEXT	128
#define PEOPLE_LIST	1024
#define PEOPLE_HANDLE	1023
#define PEOPLE_DATA	1024
#define PEOPLE_USERS	4096
#define PEOPLE_FACTORS	32 /* of one user */
#define PEOPLE_SESSIONS 16 /* of one user; a further one ends the oldest */
#define PEOPLE_KEYS	256
#define PEOPLE_NOTICES	50 /* of one user; the oldest go */
#define PEOPLE_SOURCES	16 /* of one user; the oldest go */
#define PEOPLE_INVITED	1024

struct keys;
struct people;

/* NULL with errno: -EUCLEAN damaged, -EPROTO of a newer gateway, or what the disk says. */
struct people *people_open(const char *dir, struct keys *keys);
void people_free(struct people *p);

struct people_user {
	uint8_t id[PEOPLE_ID]; /* WebAuthn's user handle: random, says nothing */
	char name[PEOPLE_NAME];
	char display[PEOPLE_TEXT];
	char role[24];
	char devices[PEOPLE_LIST]; /* of a vendor: names, a blank between */
	bool disabled;
	int64_t made_s;
};
int people_user_add(struct people *p, const struct people_user *u);
int people_user_by_id(struct people *p, const uint8_t id[PEOPLE_ID], struct people_user *ret_u);
int people_user_by_name(struct people *p, const char *name, struct people_user *ret_u);
/* Everything but id, name and made_s. */
int people_user_change(struct people *p, const struct people_user *u);
/* With all that is theirs. */
int people_user_remove(struct people *p, const uint8_t id[PEOPLE_ID]);
typedef void (*people_user_fn)(void *arg, const struct people_user *u);
int people_users(struct people *p, people_user_fn fn, void *arg);

struct people_factor {
	int64_t id;
	uint8_t user[PEOPLE_ID];
	char kind[12];
	char label[PEOPLE_NAME];
	int64_t made_s, used_s;
	uint8_t handle[PEOPLE_HANDLE]; /* a credential's id */
	size_t handle_len;	       /* 0 none */
	uint8_t data[PEOPLE_DATA];     /* sealed on the disk but where `open` */
	size_t data_len;
	bool open;
	int64_t count;	  /* signatures so far; the last step of a TOTP */
	int64_t failures; /* in a row */
};
/* *ret_id may be NULL. -EEXIST: somebody has that handle. -ENOKEY: the keys are locked. */
int people_factor_add(struct people *p, const struct people_factor *f, int64_t *ret_id);
/* Label, times, data, count, failures. */
int people_factor_change(struct people *p, const struct people_factor *f);
int people_factor_failed(struct people *p, int64_t id, int64_t failures);
int people_factor_remove(struct people *p, int64_t id);
int people_factor_by_handle(struct people *p, struct bytes handle, struct people_factor *ret_f);
int people_factor_by_id(struct people *p, int64_t id, struct people_factor *ret_f);
/* The one of that kind, where a user has but one. */
int people_factor_of(struct people *p, const uint8_t user[PEOPLE_ID], const char *kind,
		     struct people_factor *ret_f);
/* Without data. */
typedef void (*people_factor_fn)(void *arg, const struct people_factor *f);
int people_factors(struct people *p, const uint8_t user[PEOPLE_ID], people_factor_fn fn, void *arg);

struct people_session {
	uint8_t hash[CRYPTO_HASH];
	char id[16]; /* for people: what it is called */
	uint8_t user[PEOPLE_ID];
	int kind; /* people/auth/limits.h */
	int aal;
	char factors[64];
	char boot[CLOCK_BOOT_ID];
	uint64_t made_ns, used_ns, fresh_ns; /* fresh: when a factor was last shown */
	int64_t made_s;
	char source[64];
	char certificate[256]; /* the workstation's (people/console/client_cert.h); "" none */
};
int people_session_add(struct people *p, const struct people_session *s);
int people_session_by_hash(struct people *p, const uint8_t hash[CRYPTO_HASH],
			   struct people_session *ret_s);
int people_session_used(struct people *p, const uint8_t hash[CRYPTO_HASH], uint64_t used_ns);
/* The same session under another token, its factor fresh. */
int people_session_renew(struct people *p, const uint8_t hash[CRYPTO_HASH],
			 const struct people_session *s);
int people_session_remove(struct people *p, const uint8_t hash[CRYPTO_HASH]);
/* By what it is called; of `user`, NULL: of anybody. */
int people_session_end(struct people *p, const char *id, const uint8_t *user);
/* All of a user's, but one (NULL: all). */
int people_sessions_end(struct people *p, const uint8_t user[PEOPLE_ID], const uint8_t *but_hash);
/* Those of other starts of the machine. */
int people_sessions_sweep(struct people *p, const char *boot);
typedef void (*people_session_fn)(void *arg, const struct people_session *s);
int people_sessions(struct people *p, const uint8_t *user, people_session_fn fn, void *arg);

/* A code that lets somebody enrol, once. */
struct people_invitation {
	uint8_t hash[CRYPTO_HASH];
	uint8_t user[PEOPLE_ID];
	char boot[CLOCK_BOOT_ID];
	uint64_t until_ns; /* within that start */
	int64_t until_s;   /* and after it */
};
/* Replaces an earlier one of that user. */
int people_invite(struct people *p, const struct people_invitation *i);
int people_invited(struct people *p, const uint8_t hash[CRYPTO_HASH],
		   struct people_invitation *ret_i);
int people_invitation_remove(struct people *p, const uint8_t hash[CRYPTO_HASH]);

struct people_key {
	uint8_t hash[CRYPTO_HASH];
	char id[16];
	char name[PEOPLE_NAME];
	uint8_t owner[PEOPLE_ID]; /* zeros: the operator of the box */
	char role[24];
	char scopes[PEOPLE_LIST]; /* calls, a blank between */
	int64_t made_s, until_s, used_s;
};
int people_key_add(struct people *p, const struct people_key *k);
int people_key_by_hash(struct people *p, const uint8_t hash[CRYPTO_HASH], struct people_key *ret_k);
int people_key_used(struct people *p, const uint8_t hash[CRYPTO_HASH], int64_t used_s);
int people_key_remove(struct people *p, const char *id);
/* Those that have run out: gone for good, whatever the clock says later. */
int people_keys_sweep(struct people *p, int64_t now_s);
typedef void (*people_key_fn)(void *arg, const struct people_key *k);
int people_keys(struct people *p, people_key_fn fn, void *arg);

/* Somebody asked that a user's factors be reset; another must agree. `by` "": nobody did. */
int people_reset_ask(struct people *p, const uint8_t user[PEOPLE_ID], const char *by,
		     int64_t now_s);
int people_reset_asked(struct people *p, const uint8_t user[PEOPLE_ID], char ret_by[PEOPLE_NAME],
		       int64_t *ret_s);
/* Their factors, sessions and the question are gone, at once. */
int people_reset(struct people *p, const uint8_t user[PEOPLE_ID]);

/* What a user should know; kept until there are too many. */
struct people_notice {
	int64_t id, time_s;
	char reason[48];
	char text[256];
	bool seen;
};
int people_notice_add(struct people *p, const uint8_t user[PEOPLE_ID], const char *reason,
		      const char *text, int64_t now_s);
typedef void (*people_notice_fn)(void *arg, const struct people_notice *n);
int people_notices(struct people *p, const uint8_t user[PEOPLE_ID], people_notice_fn fn, void *arg);
int people_notices_seen(struct people *p, const uint8_t user[PEOPLE_ID]);

/* Addresses from where a user signed in, lately. */
bool people_is_known(struct people *p, const uint8_t user[PEOPLE_ID], const char *source);
int people_know(struct people *p, const uint8_t user[PEOPLE_ID], const char *source, int64_t now_s);

#endif
