#ifndef BEDWARDEN_CLI_SHIELD_EDIT_H
#define BEDWARDEN_CLI_SHIELD_EDIT_H
/*
 * Virtual patches in a policy's text: one is added, changed or taken away, and nothing else of what
 * people wrote there moves, comments least of all.
 */
#include "base/bytes.h"
#include "base/config.h"

enum { SHIELD_WHY = 256 };

/* A line for `s` at the head of the policy's shields. 0, *ret_text is the caller's to free(); -EINVAL with the
 * reason; -ENOMEM. */
int shield_edit_add(const char *text, const struct config_shield *s, char **ret_text,
		    char ret_why[SHIELD_WHY]);
/*
 * Every shield for the advisory that is of one of the devices (none: of any) gets the mode. As above;
 * -ENOENT: there is none.
 */
int shield_edit_mode(const char *text, const struct config *c, const struct config_shield *which,
		     bool enforce, char **ret_text, char ret_why[SHIELD_WHY]);
/* Takes them away; only such as stand on one line, as shield_edit_add() writes them. */
int shield_edit_remove(const char *text, const struct config *c, const struct config_shield *which,
		       char **ret_text, char ret_why[SHIELD_WHY]);

#endif
