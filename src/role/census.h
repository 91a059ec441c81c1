#ifndef BEDWARDEN_ROLE_CENSUS_H
#define BEDWARDEN_ROLE_CENSUS_H
/*
 * Who lives on the ward: the policy's devices, and the machines that were seen,
 * matched by hardware address. One JSON object each:
 *   name, mac, registered, segment, profile, mode, fail, addresses   (the policy's)
 *   seen, vendor, hostname, dhcp_class, likely_profile, profile_reasons, first, last, ips, peers,
 *   services, apps, weaknesses
 *   vital_signs   when it last said one, as far as is known since the keeper began
 */
#include "keep/query.h"

struct policy;
struct json;
struct json_t;

/* Registered devices first, in the policy's order, then strangers, the latest first. `policy`
 * and `db` may be NULL. 0 or as query_machines(). */
int census_rows(const struct policy *policy, struct sqlite3 *db, const struct json_t *patients,
		const char *device, query_row_fn fn, void *arg);
/*
 * A guard's IPC_PATIENTS into `patients`, an object of devices' names with nanoseconds since
 * 1970. Under another policy than ours it is passed over. False: it is none.
 */
bool census_patients(const struct policy *policy, struct bytes body, struct json_t *patients);

struct census_modes {
	uint32_t registered, observe, simulate, enforce, open, closed;
};
void census_modes(const struct policy *policy, struct census_modes *ret_modes);

#endif
