#ifndef BEDWARDEN_DEMO_SLOTTED_H
#define BEDWARDEN_DEMO_SLOTTED_H
/*
 * The inside of a pump with `bedwarden-agent`: two slots, and a boot loader that starts the one that
 * is primary and not marked bad. The agent drives RAUC itself, with its service on a bus of its own;
 * where RAUC cannot be had the slots are folders, which the agent switches.
 */
#include <sys/types.h>

#include "demo/maker.h"

struct slotted {
	const struct maker *maker;
	char dir[FOLDER_MAX]; /* agent.conf and the certificate of whom it calls (ca.pem) lie in it */
	const char *server, *server_name; /* the gateway, as agents reach it and as it is called */
	int port;
};

/* Its folder, with the first release in slot A, and a request for a certificate (pump.csr). 0 or -errno. */
int slotted_make(const struct slotted *s);
/* The machine, which runs until it is ended. */
int slotted_run(void *slotted);

/* Which version runs; "" none. */
void slotted_version(const struct slotted *s, char ret_version[32]);
/* Is that release, to the last byte, in the slot that runs? ret_sha256: 64 digits of its file system. */
bool slotted_holds(const struct slotted *s, const char *version, char ret_sha256[65]);
/* Did it ever run that version? */
bool slotted_ran(const struct slotted *s, const char *version);

#endif
