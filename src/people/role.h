#ifndef BEDWARDEN_PEOPLE_ROLE_H
#define BEDWARDEN_PEOPLE_ROLE_H
/*
 * What a person may do here. Roles are not ranks: an auditor reads what an
 * administrator did and changes nothing, a vendor sees its own devices alone.
 * So who may do a thing is a set of roles, never "at least".
 */
#include <stdbool.h>
#include <stdint.h>

enum people_role {
	PEOPLE_VIEWER,		  /* looks */
	PEOPLE_CLINICAL_ENGINEER, /* looks after devices: doors, policies, updates */
	PEOPLE_ADMINISTRATOR,	  /* and after people and the gateway itself */
	PEOPLE_AUDITOR,		  /* reads everything, changes nothing */
	PEOPLE_VENDOR,		  /* invited, for a while, to its own devices */
	PEOPLE_ROLE_COUNT,
};

/* Sets of roles, a bit each. */
#define PEOPLE_ONLY(role) (1u << (role))
#define PEOPLE_ALL	  ((1u << PEOPLE_ROLE_COUNT) - 1)
/* Who belongs to the house: everybody but vendors. */
#define PEOPLE_HOUSE (PEOPLE_ALL & ~PEOPLE_ONLY(PEOPLE_VENDOR))

/* As the API, the command line and the database write it: "clinical_engineer". Never NULL. */
const char *people_role_name(enum people_role role);
/* false: there is no such role. */
bool people_role_from_name(const char *name, enum people_role *ret_role);

#endif
