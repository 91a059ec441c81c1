#ifndef BEDWARDEN_DEMO_INSIDER_H
#define BEDWARDEN_DEMO_INSIDER_H
/*
 * Attacks inside conversations that are allowed: right machines, right
 * addresses, right port, and something said there that must not be.
 */
#include "demo/attacker.h"

#define INSIDER_PORT   2580	   /* where pumps report to their server, HL7 */
#define INSIDER_FORGED "BLOODBANK" /* in whose name the pump reports what it never measured */

#define INSIDER_STORE 8042 /* where images are uploaded, HTTP */

/* A pump that was taken over sends the laboratory system (victim) a blood group as the blood
 * bank's; the system counts board->forged_results. */
int insider_forge(void *arg);
/* The pump's server, taken over: answers a report with an order to infuse. */
int insider_order(void *arg);
/* A CT scanner that was taken over uploads an image whose first bytes are a program, to the
 * archive (victim). */
int insider_polyglot(void *arg);
/* The archive: takes uploads, counts board->programs that arrived as images. */
int insider_archive(void *arg);
/* The pump (self) reports to its server (other), and obeys: counts board->orders. */
int insider_pump(void *arg);

#endif
