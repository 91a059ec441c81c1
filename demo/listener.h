#ifndef BEDWARDEN_DEMO_LISTENER_H
#define BEDWARDEN_DEMO_LISTENER_H
/*
 * Somebody who listens on the wire between ward and servers: at the hospital's
 * switch, where every frame passes by. What it hears it writes down, as a
 * capture that any program reads.
 */
#include "demo/board.h"

struct listener {
	struct board *board; /* listening, unheard */
	const char *path;    /* of the capture */
};

/* Runs where the switch is until it is told to end (SIGTERM); 1 where it can't listen. */
int listener_run(void *listener);

#endif
