#ifndef BEDWARDEN_ROLE_SITE_H
#define BEDWARDEN_ROLE_SITE_H
/*
 * The site that a gateway guards, as far as its policy file tells: the config,
 * what it compiles to on this machine's ports, and that once more as a sealed
 * memfd for the guards. A site is loaded whole or not at all.
 */
#include "base/config.h"
#include "guard/policy/policy.h"
#include "role/port.h"

#define SITE_ERROR 1024 /* bytes: the first thing wrong, "FILE:LINE:COLUMN: what was expected" */

struct site {
	struct config *config;
	struct policy *policy;
	int memfd;
};

/*
 * Reads `file` and compiles it; `ports` gets the segments' ports in place of
 * those it had. 0; -EINVAL with ret_error said; nothing changed then.
 */
int site_load(const char *file, uint32_t generation, struct ports *ports, struct site *ret_site,
	      char ret_error[SITE_ERROR]);
/* Compiles again, for ports that became other interfaces. The same answers. */
int site_recompile(struct site *s, uint32_t generation, const struct ports *ports,
		   char ret_error[SITE_ERROR]);
void site_free(struct site *s);

#define SITE_TEXT_MAX (8u << 20) /* bytes of a policy file */
/* A memfd of what the file says now; -errno with ret_error said. */
int site_text(const char *file, char ret_error[SITE_ERROR]);

#endif
