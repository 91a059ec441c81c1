#ifndef BEDWARDEN_DEMO_INFUSER_H
#define BEDWARDEN_DEMO_INFUSER_H
/*
 * Infusion pumps at work, and whom they tell of it: every second over MLLP how fast each delivers
 * (HL7 v2.6, IHE PCD-01), with an acknowledgement each. One of them takes firmware from whoever
 * brings it by HTTP.
 */
#include "demo/board.h"

#define INFUSER_PORT   2580 /* where their reports go */
#define INFUSER_UPDATE 80   /* where the second takes firmware */

struct infuser {
	struct board *board;
	unsigned n; /* which of BOARD_PUMPS */
	const char *application;
	const char *server; /* address */
	const char *dir;    /* what runs is the file `firmware` in it */
};

/* The pump itself: says board->pump_rate[n], counts board->pump_lines[n] and board->pump_told[n]. */
int infuser_run(void *infuser);
/* Who hears it. */
int infuser_listen(void *unused);
/* PUT /firmware takes a file, GET /restart runs it: counts board->pump_restarts. */
int infuser_take(void *infuser);

#endif
