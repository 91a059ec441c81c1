#ifndef BEDWARDEN_ROLE_PKI_H
#define BEDWARDEN_ROLE_PKI_H
/*
 * Certificates at the service of others (keep/ca.h): the link asks for its own and passes on what
 * machines ask by EST, people ask by calls ("pki.issue"), and once an hour it is
 * looked at what runs out.
 *
 * IPC_PKI, link → keeper, a JSON object each, answered with the same id:
 *
 *   {"call":"identity","name","names":[],"days"} → {"chain":PEM,"trust":PEM}
 *   {"call":"cacerts"}                            → {"pem":PEM}
 *   {"call":"enrol","code","csr"}                 → {"pem":PEM,"name"}
 *   {"call":"renew","certificate":base64 of DER,"csr"} → {"pem":PEM,"name"}
 *
 * or {"error":{"status":403,"text":"…"}}. With id 0 and {}, keeper → link: ask again.
 */
#include "base/ipc.h"

struct keeper;
struct pki;

/* The authority in state_dir, after the keys are unlocked; what is wrong is said and told to who
 * asks. NULL: no memory. */
struct pki *pki_new(struct keeper *k);
void pki_free(struct pki *p);
/* The link's end; taken. */
void pki_link(struct pki *p, int sock);
int pki_sock(const struct pki *p); /* to be polled for input; -1 */
/*
 * The console's chain (PEM) for those names and addresses: a hospital's that was installed, else
 * ours. 0; -ENOENT there is no authority, and nothing was installed; or as keep/ca.h.
 */
struct json_t;
int pki_console(struct keeper *k, struct pki *p, const struct json_t *names, char **ret_pem);
/* Adds to `status` how the link's relays stand, as it last said; nothing where it runs not. */
void pki_status(const struct pki *p, struct json_t *status);
/* What the link says. */
void pki_hear(struct keeper *k, struct pki *p);
/* When pki_tick() is due, monotonic. */
uint64_t pki_due(const struct pki *p);
void pki_tick(struct keeper *k, struct pki *p);

#endif
