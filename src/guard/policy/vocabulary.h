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

#endif
