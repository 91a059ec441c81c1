#ifndef BEDWARDEN_CLI_USER_H
#define BEDWARDEN_CLI_USER_H
/* `bedwarden user`: who may sign in, as root on the box itself sees to it. */
#include "cli/cli.h"

int cli_user(int argc, char **argv);

#endif
