#ifndef BEDWARDEN_UPDATE_REPORT_MEASURE_INTERNAL_H
#define BEDWARDEN_UPDATE_REPORT_MEASURE_INTERNAL_H
/*
 * Shared by the files of measure.h: how a figure is written down, with the command that gives it again.
 * measure_patches.c has weaknesses, firmware and updates; measure.c everything else.
 */
#include "update/report/measure.h"

/* What is behind a figure; FILE is the policy, %u the days that the report is about. */
#define STATUS	   "bedwarden status --json"
#define POLICY	   "bedwarden policy check FILE --json"
#define DEVICES	   "bedwarden devices --json"
#define USERS	   "bedwarden user ls --json"
#define GRANTS	   "bedwarden grants --json"
#define EVENTS	   "bedwarden events --json --since %ud"
#define AUDIT	   "bedwarden audit verify --json"
#define UPDATES	   "bedwarden update status --json"
#define ADVISORIES "bedwarden update advisories --json --all"

/* A figure that speaks for it; one that says how things are; what is missing; what nobody told. */
void figure_good(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void figure_info(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void figure_lack(struct compliance_finding *f, const char *trace, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void figure_unknown(struct compliance_finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A member of an object: "" and 0 where there is none. */
const char *figure_text(const json_t *o, const char *key);
json_int_t figure_number(const json_t *o, const char *key);
/* Events whose reason begins so; *ret_blocked of them were. */
json_int_t figure_events(const struct compliance_facts *x, const char *begin,
			 json_int_t *ret_blocked);
/* False, and said, where nobody told. */
bool figure_has_policy(const struct compliance_facts *x, struct compliance_finding *f);

#endif
