#ifndef BEDWARDEN_GUARD_POLICY_VOCABULARY_H
#define BEDWARDEN_GUARD_POLICY_VOCABULARY_H
/*
 * What members of messages can say at all, where that is a short list or has a
 * form: a pattern that fits none of it is a slip, which would allow nothing, or
 * shield nothing.
 */
#include "guard/proto/proto.h"

/* What is expected, for people, where no message could say what the pattern asks for; else NULL. */
const char *vocabulary_misses(const struct proto *p, const struct proto_field *f,
			      const char *pattern);

/* The name of a registry (a SOP class, a cipher) that was probably meant; empty: none is near. */
void vocabulary_near(const struct proto *p, const struct proto_field *f, const char *pattern,
		     char ret_word[64]);

/* Whatever the pattern fits changes the device (marked `control`); false where that depends on more. */
bool vocabulary_is_control(const char *app, const char *member, const char *pattern);

/* HL7 table 0076, v2.1 to v2.9: no code of a message type, and none of a site's own (Z..) either. */
bool vocabulary_is_foreign(const char *message_type);

#endif
