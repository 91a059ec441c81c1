#ifndef BEDWARDEN_UPDATE_TUF_DELEGATION_H
#define BEDWARDEN_UPDATE_TUF_DELEGATION_H
/*
 * Who a targets role entrusts a path to, TUF §4.5: named roles with path patterns or prefixes of
 * the path's hash, in order; or hash bins ("succinct roles", TAP 15) that share one set of keys.
 */
#include <jansson.h>

#include "update/tuf/metadata.h"

#define DELEGATION_NAME_MAX 1024 /* bytes of a role's name, with the zero */

struct tuf_delegation {
	char name[DELEGATION_NAME_MAX];
	struct tuf_signers by; /* borrowed from the delegations */
	bool terminating;
};

/* NULL where `delegations` is well-formed, else what is not. */
const char *delegations_judge(const json_t *delegations);
/* The same of what says who signs a role: `keyids` and `threshold`. */
const char *tuf_role_judge(const json_t *role);

/*
 * The next role that `path` is entrusted to, in order; *at starts as 0. False: no more. Only for
 * delegations that were judged.
 */
bool delegation_next(const json_t *delegations, const char *path, size_t *at,
		     struct tuf_delegation *ret_delegation);
/* Who signs the role of that name, where it is delegated to by its name. False: it is not. */
bool delegation_named(const json_t *delegations, const char *name, struct tuf_signers *ret_by);

#endif
