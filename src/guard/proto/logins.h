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
/* What base64 says, up to the first character that is none of its digits, and the first `max` bytes of
 * it; how many there are. */
size_t login_decode(struct bytes base64, uint8_t *ret_plain, size_t max);
/* A name kept until its password comes; a longer one is none that is known. */
#define LOGIN_USER 64
struct login_user {
	uint8_t len, name[LOGIN_USER];
};
void login_user_set(struct login_user *u, struct bytes name);
static inline struct bytes login_user(const struct login_user *u)
{
	return (struct bytes){u->name, u->len};
}

#endif
