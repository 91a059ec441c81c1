#ifndef BEDWARDEN_UPDATE_REPORT_MEASURE_H
#define BEDWARDEN_UPDATE_REPORT_MEASURE_H
/*
 * What the gateway can show of a requirement, from its policy, its own answers and its stores. A measure
 * says figures, each with the command that anybody can trace it by, and what is missing. What
 * could not be asked is "not measured": nothing is taken to be well because nobody looked.
 */
#include <stdint.h>

#include <jansson.h>

#include "base/config.h"

enum compliance_state {
	COMPLIANCE_MET,
	COMPLIANCE_PARTLY,
	COMPLIANCE_NOT_MET,
	COMPLIANCE_NOT_MEASURED,
	COMPLIANCE_ORGANISATION, /* of people and paper: no gateway can show it */
	COMPLIANCE_STATES,
};
const char *compliance_state_name(enum compliance_state s);  /* "met" … */
const char *compliance_state_words(enum compliance_state s); /* "Met", "Not measured" … */

/* Everything that was asked. Borrowed; NULL where there was no answer. */
struct compliance_facts {
	const struct config *config;
	const json_t *status;  /* of `bedwarden status --json` */
	const json_t *devices; /* of `bedwarden devices --json` */
	const json_t *users;   /* of `bedwarden user ls --json` */
	const json_t *grants;  /* of `bedwarden grants --json` */
	const json_t *events;  /* groups of `bedwarden events --json --since …` */
	const json_t *audit;   /* of `bedwarden audit verify --json` */
	const json_t *matches; /* of `bedwarden update advisories --json --all` */
	const json_t *updates; /* of `bedwarden update status --json` */
	size_t advisories, nameless;
	unsigned days; /* that events are counted over */
	int64_t now_s; /* since 1970 */
};

/* What comes of one requirement. */
struct compliance_finding {
	json_t *evidence; /* {text, trace} */
	json_t *missing;  /* texts */
	unsigned good, lacking, unknown;
	unsigned days; /* that events are counted over, for the command that traces them */
};

typedef void (*compliance_fn)(const struct compliance_facts *x, struct compliance_finding *f);

void measure_inventory(const struct compliance_facts *x, struct compliance_finding *f);
void measure_allowlist(const struct compliance_facts *x, struct compliance_finding *f);
void measure_segments(const struct compliance_facts *x, struct compliance_finding *f);
void measure_binding(const struct compliance_facts *x, struct compliance_finding *f);
void measure_factors(const struct compliance_facts *x, struct compliance_finding *f);
void measure_users(const struct compliance_facts *x, struct compliance_finding *f);
void measure_logoff(const struct compliance_facts *x, struct compliance_finding *f);
void measure_emergency(const struct compliance_facts *x, struct compliance_finding *f);
void measure_doors(const struct compliance_facts *x, struct compliance_finding *f);
void measure_sign_ins(const struct compliance_facts *x, struct compliance_finding *f);
void measure_audit(const struct compliance_facts *x, struct compliance_finding *f);
void measure_events(const struct compliance_facts *x, struct compliance_finding *f);
void measure_incidents(const struct compliance_facts *x, struct compliance_finding *f);
void measure_vitals(const struct compliance_facts *x, struct compliance_finding *f);
void measure_sealed(const struct compliance_facts *x, struct compliance_finding *f);
void measure_rest(const struct compliance_facts *x, struct compliance_finding *f);
void measure_patches(const struct compliance_facts *x, struct compliance_finding *f);
void measure_updates(const struct compliance_facts *x, struct compliance_finding *f);
void measure_shields(const struct compliance_facts *x, struct compliance_finding *f);
void measure_continuity(const struct compliance_facts *x, struct compliance_finding *f);
void measure_changes(const struct compliance_facts *x, struct compliance_finding *f);
void measure_kept(const struct compliance_facts *x, struct compliance_finding *f);

#endif
