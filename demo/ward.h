#ifndef BEDWARDEN_DEMO_WARD_H
#define BEDWARDEN_DEMO_WARD_H
/*
 * A ward and the hospital behind it, out of network namespaces: one a machine,
 * one a switch, one for each gateway between two switches. Nothing has a
 * name outside: a namespace lives as long as its holder process, and every
 * process dies with the director, so that nothing can be left behind.
 *
 *   CT  analyser  monitor  fridge  pumps  camera
 *    |      |        |       |      | |     |
 *   [            the ward's switch           ]
 *                    | eth1   | eth2
 *                [  ward's gateway  ]      a plain bridge, or Bedwarden
 *                    | eth0   | eth3
 *   [           the hospital's switch       ] -- outsider, router -- internet
 *                    | eth0   | eth3           and a listener
 *                [ servers' gateway ]      a plain bridge, or Bedwarden
 *                    | eth1   | eth2
 *   [         the server room's switch      ]
 *        |        |         |         |
 *      PACS      lab     central    broker
 *
 * What is guarded goes by eth0 and eth1; eth2 and eth3 are where the relay is
 * spoken to and speaks, in the guarded ward alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ward_place {
	WARD_CT,
	WARD_ANALYSER,
	WARD_MONITOR,
	WARD_FRIDGE,
	WARD_PUMP,
	WARD_PUMP_2,
	WARD_CAMERA, /* a registered device that an attacker has taken over */
	WARD_DEVICES,
	WARD_PACS = WARD_DEVICES,
	WARD_LAB,
	WARD_CENTRAL,
	WARD_BROKER,
	WARD_SERVERS,
	WARD_OUTSIDER = WARD_SERVERS, /* an attacker's machine in the hospital's network */
	WARD_ROUTER,
	WARD_MACHINES,
	WARD_INTERNET = WARD_MACHINES,
	WARD_SWITCH,
	WARD_HOSPITAL,
	WARD_ROOM,
	WARD_GATEWAY,
	WARD_FAR,
	WARD_PLACES,
};

struct ward_machine {
	const char *name;  /* as the policy calls it */
	const char *title; /* for people */
	const char *ip;
	uint8_t mac[6];
};

/* Addresses of the gateways' own. */
#define WARD_LINK_IP	   "10.79.0.1"
#define WARD_FAR_LINK_IP   "10.79.0.2"
#define WARD_UPLINK_IP	   "10.78.0.1"
#define WARD_FAR_UPLINK_IP "10.78.0.2"
#define WARD_RELAY_IP	   "10.77.1.2"	 /* where the ward's devices reach a relay */
#define WARD_ROUTER_IP	   "10.78.0.254" /* whence the internet is reached by the ward's */
#define WARD_FAR_RELAY_IP  "10.77.0.3"	 /* whence the servers are reached by one */

/* Addresses and names; those behind the internet have no address of their own. */
extern const struct ward_machine ward_machines[WARD_PLACES];

struct ward {
	pid_t holder[WARD_PLACES];
	long outer[WARD_PLACES]; /* the holder's pid as the world outside knows it */
	int netns[WARD_PLACES];
	char log[160]; /* file for what the tools say */
};

/* 0 or -errno; ret_w is to be closed either way. `guarded`: isolated ports, gateways instead of bridges. */
int ward_open(struct ward *ret_w, const char *log, bool guarded);
void ward_close(struct ward *w);
/* Runs `ip -batch` with these lines in a place. 0, -EIO where ip refused. */
int ward_ip(const struct ward *w, enum ward_place p, const char *lines);

#endif
