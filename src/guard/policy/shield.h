#ifndef BEDWARDEN_GUARD_POLICY_SHIELD_H
#define BEDWARDEN_GUARD_POLICY_SHIELD_H
/*
 * Virtual patches: what must not reach or leave a device with a known weakness, although its rules would
 * allow it. Whole conversations that are to be stopped the kernel stops by itself
 * (struct policy_shield); here it is said of them whose doing that was, and everything else is judged: messages
 * inside of what is allowed, and all that is only rehearsed.
 */
#include "guard/policy/message.h"

struct shields;

/* Borrows the policy. NULL with errno ENOMEM. */
struct shields *shields_new(const struct policy *p);
void shields_free(struct shields *s);
bool shields_are_none(const struct shields *s);

/* Was it by this rule of the policy? */
bool shield_is_rule(const struct shields *s, uint32_t rule);

/* A conversation, as a verdict and its flow say it. */
struct shield_talk {
	uint32_t device, peer; /* peer ids as in a verdict */
	uint16_t port;	       /* of the side that is called; the type for ICMP */
	uint8_t proto;
	bool towards; /* the peer began it */
};

enum shield_word { SHIELD_PASS, SHIELD_WOULD_DROP, SHIELD_DROP };

/* Of both ends' shields, where both are devices, the stricter word. */
enum shield_word shield_conversation(const struct shields *s, const struct shield_talk *t);
enum shield_word shield_message(const struct shields *s, const struct shield_talk *t,
				const struct proto *p, const struct msg *msg);

#endif
