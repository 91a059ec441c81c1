#ifndef BEDWARDEN_GUARD_BEDSIDE_H
#define BEDWARDEN_GUARD_BEDSIDE_H
/*
 * Between the parsers and the integrity of vital signs: what a message says, in
 * whatever protocol, becomes what guard/vitals watches. Knows which messages
 * come from a monitor and which go to it; keeps nothing itself.
 */
#include "guard/session.h"
#include "guard/vitals/vitals.h"

struct bedside;

/* What the engine knows of a message. */
struct bedside_message {
	const struct session_message *said;
	bool bound;    /* its sender is the device that the policy says it is */
	bool withheld; /* it does not pass */
	uint32_t device, peer, generation;
};

/* A registered device said a vital sign: it is on a patient. */
typedef void (*bedside_fn)(void *arg, const struct bedside_message *m);

/* `streams` waves at once, 0 as many as are usual. NULL with errno ENOMEM. */
struct bedside *bedside_new(uint32_t streams, vitals_fn fn, bedside_fn on_patient, void *arg);
void bedside_free(struct bedside *b);
void bedside_said(struct bedside *b, const struct bedside_message *m);
void bedside_tick(struct bedside *b, uint64_t time_ns);

#endif
