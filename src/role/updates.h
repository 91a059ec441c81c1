#ifndef BEDWARDEN_ROLE_UPDATES_H
#define BEDWARDEN_ROLE_UPDATES_H
/*
 * Updates as the keeper decides on them: what was fetched, what is in place, what waits and why,
 * who held or approved it. It has the parent put in place or start what may be (IPC_INSTALL,
 * IPC_SWITCH); nobody here verifies anything, that is the installer's. Holds and approvals are
 * kept in STATE_DIR/updates.json.
 */
#include "base/ipc.h"

struct keeper;
struct updates;

/*
 * `rules`, of the parent: "CONTENT GATEWAY DAYS MIRRORS RELEASE WINDOW...", where the first two are
 * 1 if a person must say so, MIRRORS is 1 if there is an updater, RELEASE the one that
 * runs or "-" for the packaged one. NULL: no memory, or no such rules.
 */
struct updates *updates_new(struct keeper *k, const char *rules);
void updates_free(struct updates *u);

/* The updater's socket, -1: none; takes it over. */
void updates_meet(struct keeper *k, int sock);
int updates_sock(const struct updates *u);
/* It has something to say. */
void updates_hear(struct keeper *k);
/* The parent's answers. */
void updates_placed(struct keeper *k, const struct ipc_message *m);
void updates_switched(struct keeper *k, const struct ipc_message *m);
/* When updates_tick() is due, monotonic. */
uint64_t updates_due(const struct updates *u);
void updates_tick(struct keeper *k);

#endif
