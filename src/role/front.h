#ifndef BEDWARDEN_ROLE_FRONT_H
#define BEDWARDEN_ROLE_FRONT_H
/*
 * Where the console listens. The parent opens these sockets, so that a console
 * needs no right to, and holds them, so that whoever connects while a console is
 * being replaced waits a moment instead of being turned away.
 */
#include "base/config.h"

#define FRONT_MAX   3 /* of a child's descriptors */
#define FRONT_ERROR 256
#define FRONT_TEXT  64

struct front {
	int sock[FRONT_MAX];
	char at[FRONT_MAX][FRONT_TEXT]; /* "10.0.0.1:8443", "[fd00::1]:8443" */
	unsigned count;
};

/*
 * Listens where the config says, and no longer elsewhere; what stays keeps its socket. 0;
 * -errno with ret_error said: some could not be opened, the others are.
 */
int front_open(struct front *f, const struct config_console *c, char ret_error[FRONT_ERROR]);
void front_close(struct front *f);
/* By which interface a connection came in; 0 not known. */
uint32_t front_interface(int sock);

#endif
