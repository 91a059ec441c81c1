#ifndef BEDWARDEN_GUARD_PROTO_LOGINS_H
#define BEDWARDEN_GUARD_PROTO_LOGINS_H
/*
 * Logins that machines are delivered with, or that are tried first by whoever
 * should not be there. A login is compared, told as a fact, and never given out.
 */
#include "base/bytes.h"

/* So many logins that fail in one conversation are no slips of a finger. */
#define LOGIN_GUESSES 4

bool login_is_default(struct bytes user, struct bytes password);

#endif
