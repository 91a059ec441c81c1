#ifndef BEDWARDEN_CLI_YAML_H
#define BEDWARDEN_CLI_YAML_H
/*
 * Text in a policy file that is written. Whatever it holds, it comes back as it
 * was, and begins nothing of its own.
 */
#include <stdio.h>

/* In double quotes (YAML 1.2 §7.3.1). */
void yaml_quoted(FILE *out, const char *s);
void yaml_list(FILE *out, char *const *list, unsigned count);
/* Behind a '#': what is no printable ASCII becomes '?'. */
void yaml_comment(FILE *out, const char *s);

#endif
