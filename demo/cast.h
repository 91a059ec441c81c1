#ifndef BEDWARDEN_DEMO_CAST_H
#define BEDWARDEN_DEMO_CAST_H
/*
 * Who plays which part, as the two gateways' policies say it: the one in front
 * of the ward, the one in front of the servers. What goes between the two goes
 * sealed: by the link, or, what the fridge says, through a relay by TLS.
 */
#include "demo/ward.h"

/* The names in the gateways' certificates; also what each calls the other. */
#define CAST_WARD    "gateway-ward"
#define CAST_SERVERS "gateway-servers"
/* The file with the other gateway's authority, in a gateway's own folder. */
#define CAST_CA "other.pem"

#define CAST_LINK_PORT	4789 /* UDP, on the wire between */
#define CAST_RELAY_PORT 8883 /* TCP by TLS, on the wire between */
/* Updates of the ward's gateway, below its folder: what it trusts at first, where it keeps them. */
#define CAST_ROOT	 "root.json"
#define CAST_PLACE	 "place"
#define CAST_MIRROR	 "http://203.0.113.80"
#define CAST_AGENTS_PORT 8086

/*
 * Writes the policy of a gateway that keeps its files in `dir`. WARD_GATEWAY or WARD_FAR; alone:
 * a ward's gateway that has no other one. 0 or -errno.
 */
int cast_policy(enum ward_place place, bool alone, const char *dir, const char *file,
		const char *capture);

#endif
