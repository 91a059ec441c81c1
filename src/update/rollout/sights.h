#ifndef BEDWARDEN_UPDATE_ROLLOUT_SIGHTS_H
#define BEDWARDEN_UPDATE_ROLLOUT_SIGHTS_H
/*
 * What guards see of devices, as far as rollouts want to know: when each talked, when it misbehaved, and since
 * when every guard has looked, for silence says nothing of a time when nobody looked. Seconds of
 * the wall clock, which may be set back: then what lies ahead is not believed. Pure.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SIGHTS_GUARDS 64

struct sights {
	json_t *talked, *misbehaved; /* device to seconds */
	bool missing[SIGHTS_GUARDS];
	int64_t since; /* from then on every guard looked; 0: not now */
};

/* 0 or -ENOMEM; sights_free() in either case. */
int sights_init(struct sights *s);
void sights_free(struct sights *s);
/* A guard's word; 0: it saw no such thing. Nanoseconds. */
void sights_note(struct sights *s, const char *device, uint64_t talked_ns, uint64_t misbehaved_ns);
/* A guard came or went. */
void sights_guard(struct sights *s, unsigned guard, bool there, int64_t now);
/* All guards are introduced anew; `gone(arg, n)`: guard n is not there. */
void sights_anew(struct sights *s, bool (*gone)(void *arg, unsigned guard), void *arg, int64_t now);

struct sight {
	int64_t since, vitals, talked, misbehaved; /* 0 never */
};
/* Of a device, as of `now`; `looked`: a guard is there at all. `patients`, device to nanoseconds, is set right
 * where it lies ahead: in doubt the vital signs are of now, so that a device is on its patient for
 * a while longer, and not for ever. */
struct sight sights_of(struct sights *s, json_t *patients, const char *device, bool looked,
		       int64_t now);

#endif
