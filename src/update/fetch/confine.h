#ifndef BEDWARDEN_UPDATE_FETCH_CONFINE_H
#define BEDWARDEN_UPDATE_FETCH_CONFINE_H
/*
 * The sandbox around whoever reads what a mirror or a stick gives: a few folders, the calls that
 * files and connections need, nothing that starts a program or makes code out of data. What curl and
 * the C library look up on the way (names, certificates, time zone) is found in /etc.
 */
#include "base/sandbox.h"

struct confine {
	const struct sandbox_path *paths;
	size_t count;
	bool network; /* connects, and looks names up */
};

/* For good. Folders must be there. 0; -errno, and nobody must go on then. */
int confine_enter(const struct confine *c);

#endif
