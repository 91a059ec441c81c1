#ifndef BEDWARDEN_CLI_SELFCHECK_H
#define BEDWARDEN_CLI_SELFCHECK_H
/*
 * `bedwarden _selfcheck -c FILE -r RELEASE`, of the supervisor alone: does the gateway that runs do
 * its work? It must be that release, have the policy in force in every guard and every process at
 * work, the console must finish a TLS handshake, and for SELFCHECK_STEADY_S the kernel's floor
 * must count nobody whose packets nobody inspected, and no process start again. What the
 * gateway says of itself is believed only as far as the floor's counters bear it out.
 *
 * Looks until it finds so; whoever started it ends it when it takes too long. What was
 * missing last stands on standard output, one line, also then.
 */
#define SELFCHECK_STEADY_S 3

int selfcheck_main(int argc, char **argv);

#endif
