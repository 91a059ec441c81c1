#ifndef BEDWARDEN_ROLE_FACT_H
#define BEDWARDEN_ROLE_FACT_H
/*
 * What the parent itself has to report, as EVE lines on their way to the
 * keeper. They wait here while there is no keeper; a full queue drops the
 * newest and says later how many (gateway.events_lost).
 */
#include <stdint.h>

#include "base/event.h"

#define FACTS_WAITING_MAX 1024

struct facts {
	char *waiting[FACTS_WAITING_MAX]; /* a ring of lines, each ended by '\n' */
	unsigned first, count;
	uint64_t lost;
};

struct fact {
	enum reason reason;
	const char *device;  /* NULL: none */
	const char *iface;   /* NULL: none */
	const char *verdict; /* "pass", "drop"; NULL: none */
	uint64_t count;	     /* how many times or packets; 0: left out */
	const char *text;    /* for a person: the particulars; NULL: none */
};

void facts_say(struct facts *a, const struct fact *f);
/* Hands over what waits; stops where the keeper is full. */
void facts_flush(struct facts *a, int keeper_sock);
void facts_free(struct facts *a);

#endif
