#ifndef BEDWARDEN_CLI_KEYFILE_H
#define BEDWARDEN_CLI_KEYFILE_H
/*
 * What stands behind -r, -R, -i and -j: recipients and identities, from the
 * command line, from files, or from standard input as "-". Every function says
 * what is wrong and where, and gives CLI_OK or CLI_FAILED.
 */
#include <stdbool.h>

#include "seal/age/identity.h"
#include "seal/age/recipient.h"

/* Standard input serves one purpose: the first who asks gets it. */
int keyfile_take_stdin(const char *purpose);
int keyfile_recipient(struct age_recipients *to, const char *text);
int keyfile_recipients(struct age_recipients *to, const char *path);
/* Also one that is itself sealed with a passphrase, which is asked for. */
int keyfile_identities(struct age_identities *ids, const char *path);
/* -j: only "batchpass" is built in. */
int keyfile_plugin(const char *name);

#endif
