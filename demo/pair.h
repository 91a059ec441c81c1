#ifndef BEDWARDEN_DEMO_PAIR_H
#define BEDWARDEN_DEMO_PAIR_H
/*
 * Two gateways, one in front of the ward and one in front of the servers, who
 * learn to trust each other as two hospitals' technicians would have them: each
 * is given the certificate of the other's authority. From then on the link
 * between them stands.
 */
#include "demo/gateway.h"

struct pair {
	struct gateway ward, far; /* the ward's is supervised */
	char place[200];
};

/*
 * Both run, and the link and the relay stand. `capture`: "auto", "xdp" or "packet". 0; -errno with
 * ret_why (256 bytes) for people. To be stopped either way.
 */
int pair_start(struct pair *ret_p, const struct ward *w, const char *dir, const char *capture,
	       char *ret_why);
void pair_stop(struct pair *p);

#endif
