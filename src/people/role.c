#include "people/role.h"

#include <string.h>

static const char *const names[PEOPLE_ROLE_COUNT] = {
	[PEOPLE_VIEWER] = "viewer",
	[PEOPLE_CLINICAL_ENGINEER] = "clinical_engineer",
	[PEOPLE_ADMINISTRATOR] = "administrator",
	[PEOPLE_AUDITOR] = "auditor",
	[PEOPLE_VENDOR] = "vendor",
};

const char *people_role_name(enum people_role role)
{
	return (unsigned)role < PEOPLE_ROLE_COUNT ? names[role] : "none";
}

bool people_role_from_name(const char *name, enum people_role *ret_role)
{
	for (unsigned i = 0; name && i < PEOPLE_ROLE_COUNT; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*ret_role = (enum people_role)i;
		return true;
	}
	return false;
}
