#ifndef BEDWARDEN_CLI_AUDIT_H
#define BEDWARDEN_CLI_AUDIT_H
/*
 * `bedwarden audit VERB`: the audit trail read from its folder, whether or not
 * the gateway runs.
 *
 *   audit.c         verify, ls, checkpoint
 *   audit_export.c  export: to a syslog collector, as DICOM audit messages
 */
#include <jansson.h>

#include "cli/cli.h"

int cli_audit(int argc, char **argv);
int audit_export(int argc, char **argv);
/* What `audit verify --json` says of DIR's trail, by the gateway's own key; NULL: it cannot be read. */
json_t *audit_verified(const char *dir);

#endif
