#ifndef BEDWARDEN_CLI_DEMO_H
#define BEDWARDEN_CLI_DEMO_H
/* `bedwarden demo`: a ward out of network namespaces, attacked open and guarded. */
int cli_demo(int argc, char **argv);

#endif
