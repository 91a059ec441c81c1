#ifndef BEDWARDEN_KEEP_CA_H
#define BEDWARDEN_KEEP_CA_H
/*
 * The gateway's own small authority: one self-signed certificate, what it has
 * issued and revoked, one-time codes by which machines enrol, and the certificates of
 * this gateway itself, ours or a hospital's. DIR/pki.db; the private keys are
 * keep/signing.h's ("pki.ca" signs, "tls.link" and "tls.console" are signed).
 *
 * A certificate is on the disk before it is handed out, and with it, in one step, the
 * code that it cost. Times are seconds since 1970; texts returned are PEM, the
 * caller's to free(). One thread.
 *
 * Errors: -ENOENT there is none; -EEXIST; -EKEYREVOKED revoked; -EKEYEXPIRED; -EALREADY a code
 * that was used; -EACCES names that are not theirs; -EINVAL; -EIO; or as keep/db.h.
 */
#include "keep/signing.h"
#include "seal/pki/certificate.h"

#define CA_DAYS	      90 /* of a certificate; renewed at two thirds */
#define CA_ROOT_DAYS  3650
#define CA_CRL_HOURS  168
#define CA_CODE_HOURS 24
#define CA_CODE	      16 /* "ABCD-EFGH-JKMN", with its zero */
#define CA_SERIAL     33 /* hexadecimal */

struct ca;

/* NULL with errno. Borrows `s`. */
struct ca *ca_open(const char *dir, struct signing *s);
void ca_free(struct ca *c);

/*
 * Makes the authority; or, in the last third of its life, its certificate anew, of the same name and
 * key, so that what it issued stays good for whoever knows either. -EEXIST: it is younger.
 */
int ca_init(struct ca *c, const char *name, uint32_t days, int64_t now_s);
bool ca_ready(const struct ca *c);
/* Its certificate. -ENOENT. */
int ca_root(struct ca *c, char **ret_pem);
/* The list of what is revoked, made anew when it is half over. */
int ca_crl(struct ca *c, int64_t now_s, char **ret_pem);

struct ca_order {
	enum cert_profile profile;
	char name[CERT_NAME + 1];
	struct cert_names names;
	uint32_t days; /* 0: CA_DAYS */
};
/* A certificate for a key; ret_pem: it and its issuer. */
int ca_issue(struct ca *c, const struct ca_order *o, EVP_PKEY *key, int64_t now_s, char **ret_pem);
/* A code that is good for one certificate of the order, within `hours`. */
int ca_code(struct ca *c, const struct ca_order *o, uint32_t hours, int64_t now_s,
	    char ret_code[CA_CODE]);
/* First enrolment: what the request asks for must be of the code's order. ret_name 65 bytes. */
int ca_enrol(struct ca *c, const char *code, const struct csr *r, int64_t now_s, char **ret_pem,
	     char *ret_name);
/* The same again for who shows a certificate of ours (DER) that is valid: RFC 7030 §4.2.2. */
int ca_renew(struct ca *c, struct bytes der, const struct csr *r, int64_t now_s, char **ret_pem,
	     char *ret_name);
/* Every certificate of that serial (hexadecimal) or name that is still valid. How many. */
int ca_revoke(struct ca *c, const char *which, int reason, int64_t now_s);

/*
 * This gateway's own for a purpose: the installed one of another authority, else ours, made, renewed
 * or made again where names or key have changed. `anew`: in any case. *ret_fresh: it is another one
 * than before.
 */
int ca_own(struct ca *c, const char *purpose, const struct ca_order *o, int64_t now_s, bool anew,
	   char **ret_pem, bool *ret_fresh);
/* Puts a chain of another authority in force for a purpose; its key must be ours (-EACCES) and nothing
 * in it over (-EKEYEXPIRED). -EBADMSG it is none. `pem` NULL: out of force. */
int ca_install(struct ca *c, const char *purpose, struct bytes pem, int64_t now_s);
/* A request for that, PEM. */
int ca_request(struct ca *c, const char *purpose, const struct ca_order *o, char **ret_pem);

struct ca_row {
	char serial[CA_SERIAL];
	const char *name, *profile, *names; /* names: separated by spaces; borrowed for the call */
	int64_t from_s, until_s;
	int64_t revoked_s; /* 0 not */
	bool own, newest;  /* of this gateway; none of the same name and profile is younger */
	/* Only to ca_alarms(): */
	bool installed; /* of another authority: ca_install() */
	bool authority; /* our own authority's; only serial, names and profile are "" */
};
int ca_each(struct ca *c, void (*fn)(void *arg, const struct ca_row *row), void *arg);
/*
 * What a person should know: newest certificates that are past their renewal, with 90, 30 or 7 days
 * left or none, once each (days -1: over). Installed chains, too, by whichever of their certificates
 * ends first, and our authority's own, both with 30 or 7 days left however new they are; not what an
 * installed one stands in for.
 */
int ca_alarms(struct ca *c, int64_t now_s,
	      void (*fn)(void *arg, const struct ca_row *row, int days), void *arg);

#endif
