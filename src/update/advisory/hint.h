#ifndef BEDWARDEN_UPDATE_ADVISORY_HINT_H
#define BEDWARDEN_UPDATE_ADVISORY_HINT_H
/*
 * What could shield a device, from the advisory's own words: ports that its text names
 * ("Port 80/TCP", "TCP port 5000"). Only what stands there; whether it helps a person decides.
 */
#include "update/advisory/csaf.h"

enum { HINT_PORTS_MAX = 16 };

struct hint_port {
	uint16_t port;
	bool udp;
};

struct hints {
	struct hint_port ports[HINT_PORTS_MAX];
	unsigned count;
	char sentence[200]; /* where the first was found */
};

void hints_of(const struct csaf *c, struct hints *ret_hints);

#endif
