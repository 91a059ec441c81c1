#ifndef BEDWARDEN_ROLE_PARENT_H
#define BEDWARDEN_ROLE_PARENT_H
/*
 * The parent of the gateway's processes, `bedwarden run`: the only one that stays root,
 * and the only one that never reads a byte from the network. Starts and supervises the
 * others, keeps the kernel's floor in step with the policy file, watches ports and
 * clock. Should it be killed, its children end with it and the floor goes on
 * enforcing; a new one takes over where it stood.
 *
 * SIGHUP reads the policy file again; SIGTERM and SIGINT stop in order.
 */
#include <stdbool.h>

struct parent_options {
	const char *config_file;
	bool unload; /* take the floor down when stopped */
};

/* Runs the gateway until it is told to stop; the program's exit code. */
int parent_run(const struct parent_options *o);

#endif
