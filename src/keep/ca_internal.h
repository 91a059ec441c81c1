#ifndef BEDWARDEN_KEEP_CA_INTERNAL_H
#define BEDWARDEN_KEEP_CA_INTERNAL_H
/*
 * Shared by the files of keep/ca.h. ca.c: the database, the authority itself and what it issues;
 * ca_enrol.c: codes, enrolment, renewal; ca_revoke.c: what is revoked, and the list of it; ca_own.c:
 * certificates of this gateway; ca_tell.c: what is told of all of them, and when somebody is warned.
 */
#include "keep/ca.h"
#include "keep/db.h"

#define CA_DAY	   86400
#define CA_PURPOSE "pki.ca"		    /* whose key signs */
#define CA_NAMES   (CERT_NAMES * CERT_HOST) /* bytes of an order's names, separated by spaces */

struct ca {
	sqlite3 *sql;
	struct signing *signing;
	X509 *root; /* NULL: not made yet */
	EVP_PKEY *key;
};

/* --- statements --- */
/* `kinds`: t text, i int64, b struct bytes. To sqlite3_finalize(); NULL with *ret_err. */
sqlite3_stmt *ca_query(struct ca *c, int *ret_err, const char *text, const char *kinds, ...);
/* One row is there: 1; none: 0; -errno. */
int ca_step(struct ca *c, sqlite3_stmt *s);
/* A statement without rows, its parameters as above. 0 or -errno. */
int ca_run(struct ca *c, const char *text, const char *kinds, ...);
/* All that is written from here on stands with ca_end(), or nothing of it where `err` is none of 0. */
int ca_begin(struct ca *c);
int ca_end(struct ca *c, int err);
/* Whoever is warned of what is in force for a purpose ("pki.ca": the authority) is so from the beginning. */
int ca_forget_alarm(struct ca *c, const char *purpose);
/* A column, "" for NULL; borrowed until the next step. */
const char *ca_text(sqlite3_stmt *s, int column);

/* --- certificates --- */
/* The public half of a purpose's key, the caller's to free; NULL with *ret_err. */
EVP_PKEY *ca_public(struct ca *c, const char *purpose, int *ret_err);
/* The first of a chain, the caller's to free; NULL: none can be read. */
X509 *ca_first(const char *pem);
/* It and its issuer as PEM, the caller's to free; NULL: no memory. */
char *ca_with_root(struct ca *c, X509 *x);
void ca_join_names(const struct cert_names *n, char ret_text[CA_NAMES]);
/* As ca_issue(). `own`: it is this gateway's. */
int ca_issue_as(struct ca *c, const struct ca_order *o, EVP_PKEY *key, bool own, int64_t now_s,
		char **ret_pem);

#endif
