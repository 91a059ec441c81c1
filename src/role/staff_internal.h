#ifndef BEDWARDEN_ROLE_STAFF_INTERNAL_H
#define BEDWARDEN_ROLE_STAFF_INTERNAL_H
/* What the files of role/staff.h share. */
#include "base/clock.h"
#include "people/auth/hasher.h"
#include "people/auth/throttle.h"
#include "people/auth/webauthn.h"
#include "role/staff.h"

#define STAFF_SMS 32 /* messages on their way at once */
struct staff_sms {
	uint32_t id;	 /* the question to the courier; 0: free */
	uint32_t ticket; /* who is told */
	json_t *ok;	 /* and what, if the gateway took it */
};

#define STAFF_HASHES	 8	      /* passwords that may be tried at once, */
#define STAFF_HASH_EVERY NSEC_PER_SEC /* and one more a second of strangers, two of others */

struct staff {
	struct staff_options o;
	struct staff_clock clock;
	staff_tell_fn tell;
	void *arg;
	char boot[CLOCK_BOOT_ID];
	struct people *people; /* NULL: the database cannot be used */
	int trouble;	       /* why, -errno */
	bool keys;	       /* they are unlocked */
	struct tickets *tickets;
	struct throttle *throttle;
	struct keeper *keeper;			 /* with a hasher */
	struct hasher *hasher;			 /* NULL: hashes are made in the loop, within */
	struct throttle_budget strangers, known; /* these budgets */
	struct hasher_done hashed;   /* of the call that is being done again; id 0: none */
	struct x509_store_st *roots; /* of staff_options.attestation; NULL: none */
	uint64_t tick_ns;
	/* Failed sign-ins are told once a minute. */
	uint64_t failures, failures_told_ns;
	char failed_user[PEOPLE_NAME], failed_source[64];
	/* What staff_identify() lends out until the call ends. */
	struct people_user user;
	struct people_session session;
	struct people_key key;
	json_t *scopes, *devices;
	struct staff_sms sms[STAFF_SMS];
};

struct keeper;
struct staff *staff_of(struct keeper *k);
/* The store, or NULL with ret_error. */
struct people *staff_people(struct staff *s, struct call_error *ret_error);

static inline uint64_t staff_now(const struct staff *s)
{
	return s->clock.boot_ns();
}

static inline int64_t staff_wall(const struct staff *s)
{
	return (int64_t)(s->clock.wall_ns() / 1000000000);
}

/* Whether a person's session asks, whose user and session are in the staff; else the error. */
bool staff_person(const struct call_asker *by, struct call_error *ret_error);
/* What a store's error is to who asked. NULL. */
json_t *staff_broken(struct call_error *ret_error, int err);
/* An event and, for who it is about, a notice. */
void staff_notice(struct staff *s, const struct people_user *u, enum reason why, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));

/* The factors that a user has, a set; false: the store is broken. */
bool staff_enrolled(struct staff *s, const uint8_t user[PEOPLE_ID], unsigned *ret_set);
/* Administrators who can sign in, but `but` (NULL: all). */
unsigned staff_administrators(struct staff *s, const uint8_t *but);
enum people_role staff_role(const struct people_user *u);
bool staff_attests(const struct staff *s); /* authenticators must prove who made them */
bool staff_aal3(const struct staff *s, const struct people_user *u);

/* A session begins, or goes on under a new token (`renew`, its old hash). What the console needs. */
json_t *staff_session(struct staff *s, const struct people_user *u, int kind, int aal,
		      unsigned shown, const struct call_asker *by,
		      const struct people_session *renew, struct call_error *ret_error);
/* Whether they may come in from that workstation; else the error. */
bool staff_certified(const struct staff *s, const struct people_user *u,
		     const struct call_asker *by, struct call_error *ret_error);

/* A one-time code for a user, written down in ret_text; 0 or -errno. */
#define STAFF_INVITE_S 86400
int staff_invite(struct staff *s, const uint8_t user[PEOPLE_ID], char ret_text[32]);

/* The relying party's id in "https://name:port"; false: passkeys need a name, and this is none. */
bool staff_rp_id(const char *origin, char ret_id[256]);

/*
 * sms.c: hands a message to the courier. `ok`, taken over, is the answer once the gateway took
 * it; nothing says that it arrived.
 */
json_t *staff_send(struct keeper *k, const struct call_asker *by, const char *to, const char *text,
		   json_t *ok, struct call_error *ret_error);

/* show.c: what came in as a factor, tried. */
struct shown {
	unsigned factors; /* a set */
	bool bound;	  /* a passkey that cannot leave its device */
	struct people_user user;
	bool known; /* user is somebody */
};
/*
 * All factors that `args` holds, in turn. `t` is the ceremony's ticket. 0; else the error is
 * written. What was right stays in *shown all the same.
 */
int show_factors(struct staff *s, const struct call_asker *by, const json_t *args,
		 const struct ticket *t, struct shown *shown, struct call_error *ret_error);
/* Slows down who tries `what` from there; 0, or -EAGAIN with the error. */
int show_source(struct staff *s, const struct call_asker *by, const char *what,
		struct call_error *ret_error);
void show_source_failed(struct staff *s, const struct call_asker *by, const char *what);

/* Base64url text of an argument; false: absent or none. */
bool staff_bytes(const json_t *args, const char *name, uint8_t *ret_data, size_t max,
		 size_t *ret_len);
/* The other way: a credential's id or a challenge, at most AUTHDATA_ID_MAX bytes. */
json_t *staff_base64(const uint8_t *data, size_t len);
/*
 * hash.c: a password's hash, made or compared, by the thread that does nothing else. 0: ret_done
 * says what came of it; -EINPROGRESS: the call is done again when it is there, return what
 * call_wait() gave (NULL, without an error); -EAGAIN: the error is written, too many try.
 */
int staff_hash(struct staff *s, const struct call_asker *by, struct hasher_job *job,
	       struct hasher_done *ret_done, struct call_error *ret_error);
/* Too many try: how long to wait. -EAGAIN. */
int show_slow_down(struct call_error *ret_error, uint64_t wait_ns);

void staff_credential_write(const struct webauthn_credential *c, struct people_factor *f);

#endif
