#ifndef BEDWARDEN_ROLE_CENSUS_H
#define BEDWARDEN_ROLE_CENSUS_H
/*
 * Who lives on the ward: the policy's devices, and the machines that were seen,
 * matched by hardware address. One JSON object each:
 *   name, mac, registered, segment, profile, mode, fail, addresses   (the policy's)
 *   seen, vendor, hostname, dhcp_class, likely_profile, profile_reasons, first, last, ips, peers,
 *   services, apps, weaknesses
 */
#include "keep/query.h"

struct policy;
struct json;

/* Registered devices first, in the policy's order, then strangers, the latest first. `policy`
 * and `db` may be NULL. 0 or as query_machines(). */
int census_rows(const struct policy *policy, struct sqlite3 *db, const char *device,
		query_row_fn fn, void *arg);

struct census_modes {
	uint32_t registered, observe, simulate, enforce, open, closed;
};
void census_modes(const struct policy *policy, struct census_modes *ret_modes);

#endif
