#ifndef BEDWARDEN_GUARD_POLICY_LIKELY_H
#define BEDWARDEN_GUARD_POLICY_LIKELY_H
/*
 * Which profile a machine is likely to be: every row of a profile's `identify`
 * that fits adds to its score, the more the harder it is to fit by chance. A
 * guess for a person, with its reasons; nothing is ever allowed by it.
 */
#include "guard/policy/inventory.h"

/* The index of the best one, -1 where none reaches the least score or two tie for the best. */
int likely_profile(const struct machine *m, const struct inventory_profile *profiles,
		   unsigned count, uint32_t *ret_score);
unsigned likely_reasons(const struct machine *m, const struct inventory_profile *p,
			char ret_reasons[MACHINE_REASONS][128]);
/* "udp/24105", as profiles write it. */
void likely_service_text(const struct machine_service *s, char ret_text[16]);

#endif
