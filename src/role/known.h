#ifndef BEDWARDEN_ROLE_KNOWN_H
#define BEDWARDEN_ROLE_KNOWN_H
/*
 * What machines are recognised by, as the inventory wants it: who made which
 * network card (the IEEE registries of Debian's ieee-data, where they are
 * installed), and the `identify` rows of every profile that a policy could
 * name. Read once, from files, before a process gives up the file system.
 */
#include "base/config.h"
#include "guard/policy/inventory.h"

struct known {
	struct oui *oui;
	unsigned makers; /* assignments in it; 0: no registry is installed */
	struct config_profile *profiles;
	struct inventory_profile *rows; /* one a profile, borrowing from it */
	unsigned profile_count;
};

/*
 * `file` is the policy's and may not exist, `profiles_dir` what it says of
 * gateway.profiles_dir, "" nothing. 0 or -ENOMEM; what can't be read is left out.
 */
int known_load(const char *file, const char *profiles_dir, struct known *ret_known);
/* The registries alone; how many assignments, or -ENOMEM. */
int known_makers(struct oui *o);

#endif
