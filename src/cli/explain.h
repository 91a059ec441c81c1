#ifndef BEDWARDEN_CLI_EXPLAIN_H
#define BEDWARDEN_CLI_EXPLAIN_H
/*
 * A policy in plain words: what each device may do, who may reach it, how far
 * the gateway goes for it, and what in the file is probably not meant. Read
 * from the compiled tables, so that it says what will be enforced and not what
 * was written.
 */
#include <stdio.h>

#include <jansson.h>

#include "base/config.h"
#include "guard/policy/policy.h"

/* For people. */
void explain_text(FILE *out, const struct config *c, const struct policy *p);
/* The same as one object; NULL where there is no memory. The caller's. */
json_t *explain_json(const struct config *c, const struct policy *p);

#endif
