#ifndef BEDWARDEN_UPDATE_REPORT_COMPLIANCE_H
#define BEDWARDEN_UPDATE_REPORT_COMPLIANCE_H
/*
 * The report: every requirement of a framework, its state and its evidence, as an object for programs
 * and as one page of HTML that needs nothing else. It shows what the gateway enforces and measures; whether an
 * organisation complies is not for a gateway to say, and the report says that, too.
 */
#include <stdio.h>

#include "update/report/measure.h"

#define COMPLIANCE_MEASURES 4

struct compliance_requirement {
	const char *section; /* "164.312(a)(2)(i)"; of CSF "PR.AA"; NULL ends a table */
	const char *title;   /* NULL: `section` is a heading */
	const char *level;   /* "required", "addressable"; of CSF "" */
	bool proposed;	     /* of a rule that is proposed, not law */
	bool shared; /* of a heading: what stands below takes more than a gateway, so it is met in part at most */
	compliance_fn measures[COMPLIANCE_MEASURES]; /* none: for the organisation */
};

struct compliance_framework {
	const char *name, *title, *source, *note;
	const struct compliance_requirement *requirements;
};

extern const struct compliance_framework compliance_hipaa, compliance_csf;
/* "hipaa" or "csf"; NULL neither. */
const struct compliance_framework *compliance_find(const char *name);

/* `about`: gateway, version, made (as EVE time), days, for the head; borrowed. NULL: no memory. */
json_t *compliance_report(const struct compliance_framework *f, const struct compliance_facts *x,
			  const json_t *about);
/* The page of it. False: it could not be written. */
bool compliance_page(FILE *out, const json_t *report);

#endif
