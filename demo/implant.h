#ifndef BEDWARDEN_DEMO_IMPLANT_H
#define BEDWARDEN_DEMO_IMPLANT_H
/*
 * The attack that no address gives away: something in the cable between the
 * monitor and its switch that lets everything through and draws the ECG flat,
 * in the monitor's own datagrams. It runs where both ends of the cut cable are.
 */
#include "demo/attacker.h"

#define IMPLANT_MONITOR "monitor-1" /* the end at the monitor: the port it had */
#define IMPLANT_SWITCH	"implant"   /* the end at the switch */

int implant_run(void *arg);

/* Every ECG in a datagram of the monitor becomes the line of a heart that stands still; the pleth
 * goes on. How many; the caller sums up anew. */
unsigned implant_flatten(uint8_t *datagram, size_t len);

#endif
