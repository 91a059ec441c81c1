#ifndef BEDWARDEN_ROLE_PEERS_H
#define BEDWARDEN_ROLE_PEERS_H
/*
 * The sealed links of this gateway, as the link's process has them (seal/link/link.h): what
 * guards hand over in shared memory (base/share.h) goes to peers, what peers send goes to a guard;
 * keys' certificates, counters, events. A guard is not trusted more than it has to be: what it
 * says of its memory is checked, and one that says what cannot be is not heard any more.
 */
#include <jansson.h>
#include <openssl/x509.h>

#include "role/link.h"

struct peers;

struct peers *peers_new(struct link *l); /* NULL with errno */
/* Peers are told that we go. */
void peers_free(struct peers *ps);

/* What the parent says (role/doors.h): peers that stay as they were go on. `root` is borrowed. */
void peers_take(struct peers *ps, const json_t *root);
/* The UDP socket, which is ours from now on. */
void peers_socket(struct peers *ps, int fd);
/* IPC_LINKS, IPC_FRAMES, IPC_WAKE or IPC_QUEUES; takes its fd. False: it is none of these, or it lies. */
bool peers_message(struct peers *ps, struct ipc_message *m);
/* What peers send is left in the socket from now on; what is sent to them still goes. */
void peers_rest(struct peers *ps);
/* Our certificate and whom we trust (PEM), by the keeper's word; borrowed. */
void peers_identity(struct peers *ps, EVP_PKEY *key, STACK_OF(X509) * chain, const char *trust);
/* Whether `who`, whose signature is there, was a handshake of ours; then it goes on. */
bool peers_resume(struct peers *ps, void *who);

/* Everything that can be done now. When to come again, in ms, at most `most`. */
int peers_turn(struct peers *ps, int most);
/* Before and after the loop sleeps: false, there is something to do. */
bool peers_sleep(struct peers *ps);
void peers_wake(struct peers *ps);
/* How they are; once in half a second to the parent. */
void peers_report(struct peers *ps);

#endif
