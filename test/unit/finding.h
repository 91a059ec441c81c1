#ifndef BEDWARDEN_TEST_UNIT_FINDING_H
#define BEDWARDEN_TEST_UNIT_FINDING_H
/* What a finding about vital signs says; a test fails where it does not say it. */
#include "guard/vitals/vitals.h"
#include "unit.h"

static inline double fact(const struct vitals_finding *f, const char *name)
{
	for (unsigned i = 0; i < f->facts; i++)
		if (!strcmp(f->fact[i].name, name) && !f->fact[i].text)
			return f->fact[i].number;
	fail_msg("no fact %s", name);
	return 0;
}

static inline const char *text(const struct vitals_finding *f, const char *name)
{
	for (unsigned i = 0; i < f->facts; i++)
		if (!strcmp(f->fact[i].name, name) && f->fact[i].text)
			return f->fact[i].text;
	fail_msg("no fact %s", name);
	return NULL;
}

#endif
