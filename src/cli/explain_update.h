#ifndef BEDWARDEN_CLI_EXPLAIN_UPDATE_H
#define BEDWARDEN_CLI_EXPLAIN_UPDATE_H
/* How a device gets firmware, in plain words (cli/explain.h). */
#include <stdio.h>

#include <jansson.h>

#include "base/config.h"

/* Nothing is said of a device that gets none. */
void explain_update(FILE *out, const struct config *c, const struct config_device *d);
/* How all of them are gone through; nothing where none gets any. */
void explain_rollouts(FILE *out, const struct config *c);
/* The same of a device; NULL where it gets none. The caller's. */
json_t *explain_update_json(const struct config_device *d);

#endif
