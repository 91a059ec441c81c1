#ifndef BEDWARDEN_ROLE_AUDIT_H
#define BEDWARDEN_ROLE_AUDIT_H
/*
 * What the parent itself has to report, as EVE lines on their way to the
 * keeper. They wait here while there is no keeper; a full queue drops the
 * newest and says later how many (gateway.events_lost).
 */
#include <stdint.h>

#include "base/event.h"

#define AUDIT_WAITING_MAX 1024

struct audit {
	char *waiting[AUDIT_WAITING_MAX]; /* a ring of lines, each ended by '\n' */
	unsigned first, count;
	uint64_t lost;
};

struct audit_fact {
	enum reason reason;
	const char *device;  /* NULL: none */
	const char *iface;   /* NULL: none */
	const char *verdict; /* "pass", "drop"; NULL: none */
	uint64_t count;	     /* how many times or packets; 0: left out */
	const char *text;    /* for a person: the particulars; NULL: none */
};

void audit_say(struct audit *a, const struct audit_fact *f);
/* Hands over what waits; stops where the keeper is full. */
void audit_flush(struct audit *a, int keeper_sock);
void audit_free(struct audit *a);

#endif
