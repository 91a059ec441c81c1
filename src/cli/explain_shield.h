#ifndef BEDWARDEN_CLI_EXPLAIN_SHIELD_H
#define BEDWARDEN_CLI_EXPLAIN_SHIELD_H
/* A policy's virtual patches in plain words, and for programs its settings that a report is made of. */
#include <stdio.h>

#include <jansson.h>

#include "base/config.h"

void explain_shields(FILE *out, const struct config *c);
json_t *explain_shields_json(const struct config *c);
json_t *explain_settings_json(const struct config *c);

#endif
