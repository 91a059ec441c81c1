#ifndef BEDWARDEN_CLI_POLICY_H
#define BEDWARDEN_CLI_POLICY_H
/* `bedwarden policy check|learn|apply`. */

int policy_run(int argc, char **argv);

#endif
