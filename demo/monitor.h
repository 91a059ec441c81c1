#ifndef BEDWARDEN_DEMO_MONITOR_H
#define BEDWARDEN_DEMO_MONITOR_H
/*
 * The two ends of the vital signs: a bedside monitor that exports what its
 * patient has (UDP 24105), and the central station that asks for it and
 * displays it. Both run until they are stopped.
 */
#include "demo/board.h"

struct monitor {
	struct board *board; /* NULL for the rogue one, which nobody keeps books for */
	const struct patient *patient;
	uint32_t from_block; /* where the clock of the rogue one starts */
	const char *ip;	     /* to speak from; NULL: any */
	bool rogue;	     /* answers polls of associations that it never had */
};

struct central {
	struct board *board;
	const char *monitor_ip;
};

int monitor_run(void *arg); /* struct monitor */
int central_run(void *arg); /* struct central */

#endif
