#ifndef BEDWARDEN_ROLE_DOORS_H
#define BEDWARDEN_ROLE_DOORS_H
/*
 * The relays as the parent has them for the link: sockets that listen, which the parent opens
 * and keeps, so that the link needs no right to and who connects while a link is
 * being replaced waits a moment; and what there is to know of each, as JSON in a memfd:
 *
 *   {"name","names":[],"days",				the gateway, for its own certificate
 *    "relays":[{"name","tls_in","ip","port","server_name","mutual","names":[],"pins":[],
 *               "ca":PEM|null (our own)|"" (nobody),"tls12","proxy","app","messages",
 *               "from":[prefix],"late_ok","connections","idle_s"}]}
 *
 * and for the sealed link, in the same:
 *
 *    "link":{"dead_ms","renew_s","ca":PEM|""},
 *    "peers":[{"number","name","certificate","ip","port","ifindex"}],	ip "": it calls us
 *    "generation"
 *
 * Where machines enrol is a relay, too, called DOORS_EST, that connects to nowhere; so is where
 * agents of devices call, DOORS_AGENTS.
 */
#include "base/config.h"
#include "role/port.h"

#define DOORS_MAX    66
#define DOORS_ERROR  256
#define DOORS_EST    "est"
#define DOORS_AGENTS "agents"

struct door {
	char name[64], at[64];
	int sock;
};

struct doors {
	struct door list[DOORS_MAX];
	unsigned count;
	struct door link; /* UDP; name "": nobody listens */
};

/* As front_open(). Each that cannot be opened is told by `fn`. */
void doors_open(struct doors *d, const struct config *c,
		void (*fn)(void *arg, const char *name, const char *why), void *arg);
void doors_close(struct doors *d);
/* The memfd, the caller's; -errno. Files that cannot be read are told by `fn`. */
int doors_setup(const struct config *c, const struct ports *ports, uint32_t generation,
		void (*fn)(void *arg, const char *name, const char *why), void *arg);
bool doors_wanted(const struct config *c);

#endif
