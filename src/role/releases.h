#ifndef BEDWARDEN_ROLE_RELEASES_H
#define BEDWARDEN_ROLE_RELEASES_H
/*
 * The gateway's parent and its supervisor (role/supervisor.h), if it has one.
 */
#include <stdbool.h>

struct gateway;
struct member;
struct ipc_message;

/* Which release are we, and who started us? */
void releases_open(struct gateway *g);
/* The supervisor's socket has something; the keeper learns what came of a change. */
void releases_hear(struct gateway *g);
/* The keeper wants another release started. False: that is no message of its kind. */
bool releases_take(struct gateway *g, struct member *keeper, const struct ipc_message *m);

#endif
