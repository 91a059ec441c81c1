#ifndef BEDWARDEN_DEMO_SERVICE_H
#define BEDWARDEN_DEMO_SERVICE_H
/*
 * The doors that devices leave open, and who stands behind them with a book:
 * the pump's telnet service, file sharing on a device's PC, the outside host
 * that collects stolen data, and a witness that sees which ports of a device
 * were knocked at. All run until they are stopped.
 */
#include "demo/board.h"

#define SERVICE_TELNET 23
#define SERVICE_SMB    445
#define SERVICE_OUT    443
#define SERVICE_BANNER "\r\nInfuser 9 service port\r\nlogin: "
#define SERVICE_WORM   "WORM"

int service_pump(void *board);	  /* says its banner, counts who read it */
int service_smb(void *board);	  /* counts connections that brought the worm */
int service_collect(void *board); /* counts bytes */
/* Counts TCP SYNs that arrive on eth0, by port. */
int service_witness(void *board);

#endif
