/* tuf_list(): what a role lists. */
#include <errno.h>
#include <string.h>

#include "update/tuf/delegation.h"
#include "update/tuf/trusted.h"

int tuf_list(struct tuf *t, const char *role, void (*fn)(void *arg, const char *target), void *arg,
	     struct tuf_error *e)
{
	const json_t *delegations = json_object_get(t->targets->body, "delegations");
	struct tuf_metadata *m = t->targets;
	struct tuf_signers by;
	const char *target;
	json_t *entry;
	int err = 0;

	if (strcmp(role, "targets") != 0) {
		if (!delegation_named(delegations, role, &by))
			return tuf_fail(e, -ENOENT, "the repository delegates to no role '%.100s'",
					role);
		err = tuf_load_targets(t, role, &by, &m, e);
	}
	if (err < 0)
		return err;
	json_object_foreach (json_object_get(m->body, "targets"), target, entry) {
		fn(arg, target);
	}
	if (m != t->targets)
		tuf_metadata_free(m);
	return 0;
}
