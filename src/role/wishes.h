#ifndef BEDWARDEN_ROLE_WISHES_H
#define BEDWARDEN_ROLE_WISHES_H
/*
 * What a policy wishes of the keeper besides judging packets: how people sign in, and where the
 * audit trail is sent. The parent says so when the keeper starts, and with every
 * policy that comes into force, so that neither needs a restart (IPC_WISHES, JSON).
 */
#include "base/bytes.h"
#include "base/config.h"

#define WISHES_MAX 4096

struct keeper;

/* The parent's: its length. */
size_t wishes_write(const struct config *c, char ret_text[WISHES_MAX]);
/* The keeper's: in force from here on. False: it is none. */
bool wishes_take(struct keeper *k, struct bytes text);

#endif
