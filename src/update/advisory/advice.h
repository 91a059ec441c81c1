#ifndef BEDWARDEN_UPDATE_ADVISORY_ADVICE_H
#define BEDWARDEN_UPDATE_ADVISORY_ADVICE_H
/*
 * A match as a row for people and programs: how sure it is and why, what the advisory disagrees with
 * itself about, and what to do: update, shield, look, or wait.
 */
#include <jansson.h>

#include "base/config.h"
#include "update/advisory/match.h"

/* `c` for the shields there are; may be NULL. NULL: no memory. */
json_t *advice_row(const struct match *m, const struct config *c);

#endif
