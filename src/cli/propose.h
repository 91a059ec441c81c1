#ifndef BEDWARDEN_CLI_PROPOSE_H
#define BEDWARDEN_CLI_PROPOSE_H
/*
 * Writes a policy file from what was seen. Machines on the ward's side become
 * devices with the profile that explains them best; who they talk to becomes a
 * host, with the roles that the profiles have for what it does. What no profile
 * covers is written as a comment, and so are lines that hold a service to what
 * was said there: a person may take the '#' away, the proposal never does.
 */
#include <stdio.h>

#include "base/config.h"
#include "cli/seen.h"

struct propose {
	const struct seen *seen;
	const struct config *config;	       /* what there is; NULL nothing */
	const char *config_file;	       /* its name, or NULL */
	const struct config_profile *profiles; /* all that there are */
	unsigned profile_count;
	const char *const *ward; /* networks the devices are in, as prefixes */
	unsigned ward_count;
	unsigned devices, hosts; /* set: how many were written, */
	unsigned uncovered;	 /* services that no line allows, */
	unsigned narrower;	 /* and lines that would allow less than there is */
};

/* 0; -ENOENT no machine could be told to be a device; -ENOMEM. */
int propose_write(struct propose *p, FILE *out);

#endif
