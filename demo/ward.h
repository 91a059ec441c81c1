#ifndef BEDWARDEN_DEMO_WARD_H
#define BEDWARDEN_DEMO_WARD_H
/*
 * A ward and the hospital behind it, out of network namespaces: one a machine,
 * one a switch, one for the gateway between the two switches. Nothing has a
 * name outside: a namespace lives as long as its holder process, and every
 * process dies with the director, so that nothing can be left behind.
 *
 *   CT  analyser  monitor  fridge  pump  camera
 *    |      |        |       |      |     |
 *   [            the ward's switch          ]
 *                    | eth1
 *                [gateway]   a plain bridge, or Bedwarden
 *                    | eth0
 *   [           the hospital's switch       ]
 *    |      |        |       |      |     |
 *  PACS    lab    central  broker outsider router -- internet
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
	WARD_CAMERA, /* a registered device that an attacker has taken over */
	WARD_DEVICES,
	WARD_PACS = WARD_DEVICES,
	WARD_LAB,
	WARD_CENTRAL,
	WARD_BROKER,
	WARD_OUTSIDER, /* an attacker's machine in the hospital's network */
	WARD_ROUTER,
	WARD_MACHINES,
	WARD_INTERNET = WARD_MACHINES,
	WARD_SWITCH,
	WARD_HOSPITAL,
	WARD_GATEWAY,
	WARD_PLACES,
};

struct ward_machine {
	const char *name;  /* as the policy calls it */
	const char *title; /* for people */
	const char *ip;
	uint8_t mac[6];
};

/* Addresses and names; the last four have no address of their own. */
extern const struct ward_machine ward_machines[WARD_PLACES];

struct ward {
	pid_t holder[WARD_PLACES];
	long outer[WARD_PLACES]; /* the holder's pid as the world outside knows it */
	int netns[WARD_PLACES];
	char log[160]; /* file for what the tools say */
};

/* 0 or -errno; ret_w is to be closed either way. `guarded`: isolated ports, no bridge between. */
int ward_open(struct ward *ret_w, const char *log, bool guarded);
void ward_close(struct ward *w);
/* Runs `ip -batch` with these lines in a place. 0, -EIO where ip refused. */
int ward_ip(const struct ward *w, enum ward_place p, const char *lines);

#endif
