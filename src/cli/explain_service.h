#ifndef BEDWARDEN_CLI_EXPLAIN_SERVICE_H
#define BEDWARDEN_CLI_EXPLAIN_SERVICE_H
/*
 * `policy check`, on service ports that open for one person for a while: what
 * they are, who may ask, and which are open already whoever asks.
 */
#include <stdio.h>

#include <jansson.h>

#include "guard/policy/policy.h"

void explain_services(FILE *out, const struct policy *p, uint32_t device);
json_t *explain_services_json(const struct policy *p, uint32_t device);
/* The rule by which somebody has the service's port without any grant, as its text; NULL none. */
const char *explain_service_open(const struct policy *p, const struct policy_service *s);

#endif
