#ifndef BEDWARDEN_CLI_INSPECT_H
#define BEDWARDEN_CLI_INSPECT_H
/* `bedwarden inspect`: the engine on a capture file, EVE lines out. */

int inspect_run(int argc, char **argv);

#endif
