#ifndef BEDWARDEN_ROLE_TRAIL_SEND_H
#define BEDWARDEN_ROLE_TRAIL_SEND_H
/*
 * The audit trail on its way out, the keeper's side: hands the exporter (role/exporter.h) one batch
 * of entries after the other, and writes down how far the collector's machine has them. What was
 * not confirmed is handed out again, after whatever restart: nothing is lost, some may come twice.
 *
 * How far it is stands in state_dir as `audit.exported-PLACE`, which `bedwarden audit export` uses, too.
 */
#include "base/ipc.h"

struct keeper;
struct trail_send;

struct trail_send *trail_send_new(void); /* NULL: no memory */
void trail_send_free(struct trail_send *t);
/* From now on to this collector; "" none. */
void trail_send_to(struct keeper *k, const char *place);
/* The exporter's socket, which is the keeper's from here on. */
void trail_send_peer(struct keeper *k, int sock);
int trail_send_fd(const struct keeper *k); /* -1 none */
/* What the exporter said. */
void trail_send_hear(struct keeper *k);
/* Hands out what there is, if the exporter waits for it. */
void trail_send_turn(struct keeper *k);
/* What a person should do something about; NULL: nothing. */
const char *trail_send_nag(struct keeper *k, char *buf, size_t cap);

#endif
