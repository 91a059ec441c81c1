#ifndef BEDWARDEN_GUARD_CONDUCT_H
#define BEDWARDEN_GUARD_CONDUCT_H
/*
 * Whether devices talk as the policy says: when each last sent what it allows, and what it does
 * not. What others do to a device is not its conduct. Asked for after an update: is it well?
 */
#include <stdbool.h>
#include <stdint.h>

struct conduct;

/* For devices numbered from 0. NULL: no memory. */
struct conduct *conduct_new(uint32_t devices);
void conduct_free(struct conduct *c);
/* It sent a packet; `well`: one that it may. */
void conduct_note(struct conduct *c, uint32_t device, bool well, uint64_t wall_ns);
/* Those of whom something was noted after `since_ns`, in wall clock nanoseconds; 0: never. */
void conduct_each(const struct conduct *c, uint64_t since_ns,
		  void (*fn)(void *arg, uint32_t device, uint64_t talked_ns,
			     uint64_t misbehaved_ns),
		  void *arg);

#endif
