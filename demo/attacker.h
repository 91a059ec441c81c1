#ifndef BEDWARDEN_DEMO_ATTACKER_H
#define BEDWARDEN_DEMO_ATTACKER_H
/*
 * What an attacker does from the machine he holds. Each runs in that machine's
 * namespace for its time and ends; whether it worked is for the victim's book
 * to say (board.h). He has had weeks to look round: addresses are known.
 */
#include "demo/board.h"

struct attacker_end {
	const char *ip;
	const uint8_t *mac;
};

struct attacker {
	struct board *board;
	struct attacker_end self, victim, other; /* other: the victim's correspondent */
	const struct patient *patient;		 /* the rogue monitor's own */
	const char *sweep;			 /* "10.77.1.": where the worm looks */
	uint16_t port;
	int ms; /* how long */
};

/* Poisons the ARP caches of victim and other, relays between them, and draws every ECG
 * flat; at the end puts the caches right and leaves. */
int attacker_flatline(void *arg);
/* Takes the victim's address and answers the other's polls with its own patient. */
int attacker_rogue_monitor(void *arg);
/* Reads a login banner on the victim's port and answers it. */
int attacker_telnet(void *arg);
/* Tries port `port` of every address from 1 to 80 under `sweep`, and brings the worm. */
int attacker_worm(void *arg);
/* Pushes 256 kB out to the victim's port. */
int attacker_exfiltrate(void *arg);
/* Answers every DHCP question, and offers unasked, with itself as router. */
int attacker_dhcp(void *arg);
/* Fills the victim's link with UDP. */
int attacker_flood(void *arg);

/* The other side of attacker_dhcp: a device that asks for an address; writes down whom it
 * believed. Bound to eth0 of the caller's namespace. */
int device_dhcp(void *arg); /* struct attacker; self is the device */

#endif
