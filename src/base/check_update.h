#ifndef BEDWARDEN_BASE_CHECK_UPDATE_H
#define BEDWARDEN_BASE_CHECK_UPDATE_H
/*
 * Whether what a policy says of firmware for devices holds together: who brings it, where to, and
 * that it can be found. As base/check.h, of which it is a part.
 */
#include "base/outline.h"

struct config;

void check_device_update(const struct config *c, unsigned device, const struct outline *o,
			 struct errors *e);
void check_rollouts(const struct config *c, const struct outline *o, struct errors *e);
/* "02:00-05:00"; over midnight, too. */
bool check_window(const char *text);

#endif
