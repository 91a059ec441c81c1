#ifndef BEDWARDEN_GUARD_POLICY_MESSAGE_H
#define BEDWARDEN_GUARD_POLICY_MESSAGE_H
/*
 * What may be said inside a conversation that a rule allows. A rule may name
 * the protocol (`app`): then nothing else may pass there, and a message that
 * breaks the protocol does not. `allow` narrows members of its messages to
 * patterns: a message that has such a member must match one of them; answers to
 * what was allowed are not asked. `control: no` refuses what changes a device.
 */
#include "guard/policy/policy.h"
#include "guard/proto/proto.h"

struct message_rules;

/* Borrows the policy's texts. NULL with errno ENOMEM. */
struct message_rules *message_rules_new(const struct policy *p);
/* Of a single rule, number 0, by its text; borrows it. NULL with errno ENOMEM. */
struct message_rules *message_rules_of(const char *text);
void message_rules_free(struct message_rules *m);

/* The protocol that the rule names; NULL: none, or no such rule. */
const struct proto *message_protocol(const struct message_rules *m, uint32_t rule);
/* Does it let some messages of that protocol pass and others not? */
bool message_narrows(const struct message_rules *m, uint32_t rule);
/* REASON_NONE, or why the rule does not let the message pass. */
enum reason message_judge(const struct message_rules *m, uint32_t rule, const struct proto *p,
			  const struct msg *msg);
/* After REASON_POLICY_MESSAGE: the member that is like none of the rule's patterns. Static. */
const char *message_unmatched(const struct message_rules *m, uint32_t rule, const struct msg *msg);

/*
 * The other way round, as a shield's text is meant: does it deny the message? That is each of its protocol,
 * or those alone that one of its lines fits or, with "control=no", that change a device.
 */
bool message_is_denied(const struct message_rules *m, uint32_t rule, const struct proto *p,
		       const struct msg *msg);

/*
 * A rule's text, as the policy keeps it: "app\n", then "control=no\n" and
 * "member=pattern\n" lines. What is wrong with the words of a rule (an unknown
 * protocol or member, a member that cannot be narrowed), as a sentence in
 * ret_error (160 bytes), and in which line of `allow`, -1: in `app`; false where
 * nothing is.
 */
bool message_is_wrong(const char *app, char *const *allow, unsigned allow_count, int *ret_line,
		      char ret_error[160]);

/*
 * `*` stands for any bytes, `?` for one; everything else for itself. Of a field's flags FIELD_CASELESS
 * and FIELD_FILTER count. Linear but for each `*`.
 */
bool message_match(const char *pattern, size_t len, struct bytes value, unsigned flags);

#endif
