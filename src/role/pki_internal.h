#ifndef BEDWARDEN_ROLE_PKI_INTERNAL_H
#define BEDWARDEN_ROLE_PKI_INTERNAL_H
/* What the link's questions (pki.c) and people's calls (pki_call.c) share. */
#include <jansson.h>

#include "keep/ca.h"
#include "role/pki.h"

#define PKI_TEXT 320

struct pki {
	struct ca *ca; /* NULL: it cannot be opened, `err` says why */
	int err;
	int link;
	json_t *state; /* the link's last word; NULL none */
	uint64_t due_ns;
	/* As the link asked for them, for its renewal. */
	struct ca_order own;
};

/* What went wrong, for people and for HTTP. */
struct pki_failure {
	unsigned status;
	char text[PKI_TEXT];
};
void pki_fail(struct pki_failure *f, int err);

/* By the wall, in seconds. */
int64_t pki_now(void);
/* The authority is there: made when the first certificate is needed, if nobody has made one
 * before. 0 or -errno. */
int pki_ready(struct keeper *k, struct pki *p, const char *name);
/* A JSON array of names and addresses. 0; -EINVAL. */
int pki_names(const json_t *list, struct cert_names *ret_names);
/* The link asks again, which renews what is due, and gets a list that is not too old. */
void pki_wake_link(struct pki *p);

#endif
