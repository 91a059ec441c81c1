#ifndef BEDWARDEN_CLI_AUDIT_H
#define BEDWARDEN_CLI_AUDIT_H
/*
 * `bedwarden audit VERB`: the audit trail read from its folder, whether or not
 * the gateway runs.
 *
 *   audit.c         verify, ls, checkpoint
 *   audit_export.c  export: to a syslog collector, as DICOM audit messages
 */
#include "cli/cli.h"

int cli_audit(int argc, char **argv);
int audit_export(int argc, char **argv);

#endif
