#ifndef BEDWARDEN_ROLE_ERRAND_H
#define BEDWARDEN_ROLE_ERRAND_H
/*
 * Errands: what the command line does with files that no process of the running gateway opens, done
 * for people who ask by the API. The parent starts a clerk, which is the command itself
 * (cli/clerk.c), for one errand at a time; so both give the same answer (doc/adr/0039).
 *
 * The keeper sends an order, and never words of a command line: those are put together here,
 * out of what is known beforehand.
 *
 *   {"do":"report","framework":"hipaa","days":30,"html":true}
 *   {"do":"learn","wards":["10.1.1.0/24"]}
 *   {"do":"import"}          the descriptor is the bundle's
 */
#include "base/bytes.h"

#define ERRAND_WORDS	 48
#define ERRAND_WARDS	 16
#define ERRAND_BYTES_MAX (32u << 20) /* that a clerk prints, whoever gets more refuses it */

struct errand_words {
	const char *word[ERRAND_WORDS + 1]; /* NULL ends them */
	unsigned count;
	char text[2048];
	size_t used;
};

/* The command of an order, for the policy file. false: it is none that is known. */
bool errand_words(struct bytes order, const char *config_file, struct errand_words *ret_words);

struct gateway;
struct ipc_message;
struct member;

/* The keeper's order. False: that is no message of its kind. */
bool errand_take(struct gateway *g, struct member *keeper, const struct ipc_message *m);
/* Has one waited for long enough to be begun? The clerk was started: it has. */
void errand_begun(struct gateway *g);
/* What came of it. False: nobody waits for any. */
bool errand_done(struct gateway *g, struct member *clerk, const struct ipc_message *m);
/* The clerk is gone; without a word of what came of it, that is told. */
void errand_gone(struct gateway *g);

#endif
