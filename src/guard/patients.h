#ifndef BEDWARDEN_GUARD_PATIENTS_H
#define BEDWARDEN_GUARD_PATIENTS_H
/*
 * Which devices are on a patient, as far as their vital signs show: when each last said one. In
 * doubt it is on one: whatever a monitor does not itself declare off or a test counts, also a
 * flat line. What this is asked for is whether a device may be restarted.
 */
#include "base/bytes.h"

struct patients;

/* For devices numbered from 0. NULL: no memory. */
struct patients *patients_new(uint32_t devices);
void patients_free(struct patients *p);
void patients_seen(struct patients *p, uint32_t device, uint64_t wall_ns);
/* Those seen after `since_ns`, in wall clock nanoseconds; 0 all that ever were. */
void patients_each(const struct patients *p, uint64_t since_ns,
		   void (*fn)(void *arg, uint32_t device, uint64_t wall_ns), void *arg);

#endif
