#ifndef BEDWARDEN_PEOPLE_AUTH_TICKET_H
#define BEDWARDEN_PEOPLE_AUTH_TICKET_H
/*
 * What a ceremony that is under way must remember, given to the other side to keep:
 * sealed (AES-256-GCM) under a key that lives and dies with the process. So a
 * thousand begun sign-ins cost us nothing, and nobody can push out another's.
 *
 * A ticket is good until its time is over and, where it says so, once: of those that
 * served, the numbers are kept until they would be too old anyway.
 */
#include "base/crypto.h"

enum ticket_use {
	TICKET_LOGIN = 1, /* a sign-in */
	TICKET_STEP_UP,	  /* a fresh factor for a session */
	TICKET_ENROL,	  /* a factor being added */
};

#define TICKET_USER   16
#define TICKET_LIFE_S 300

struct ticket {
	uint8_t number[16]; /* its own, random */
	uint8_t use;	    /* enum ticket_use */
	uint8_t known;	    /* 1: `user` is somebody, shown by the factors in `passed` */
	uint8_t user[TICKET_USER];
	uint8_t challenge[32];
	char name[64];		      /* that somebody said is theirs; "" none */
	uint32_t passed;	      /* factors shown so far, a set (factor.h) */
	uint8_t session[CRYPTO_HASH]; /* that it was made for */
	uint8_t secret[32];	      /* what is being enrolled, or the code that was sent */
	char to[24];		      /* a telephone number; "" none */
	uint64_t made_ns;	      /* of a clock that never jumps */
};

struct tickets;
/* `random` is asked for the key, and for every number and nonce. NULL: no memory, or no randomness. */
struct tickets *tickets_new(int (*random)(void *ret_data, size_t len));
void tickets_free(struct tickets *t);

#define TICKET_TEXT 384
/* Gives it a number and a time, and writes it down. 0 or -errno. */
int ticket_write(struct tickets *t, struct ticket *k, uint64_t now_ns, char ret_text[TICKET_TEXT]);
/* -EBADMSG none of ours, -ESTALE too old, -EALREADY it served. */
int ticket_read(struct tickets *t, const char *text, uint64_t now_ns, struct ticket *ret_k);
/* It has served. -EALREADY; -ENOBUFS: more people signed in lately than there is room to remember. */
int ticket_spend(struct tickets *t, const struct ticket *k, uint64_t now_ns);

#endif
