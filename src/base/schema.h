#ifndef BEDWARDEN_BASE_SCHEMA_H
#define BEDWARDEN_BASE_SCHEMA_H
/*
 * Every option of the policy file and of a profile: its key, type, bounds,
 * default and one sentence, stated once, in schema_gateway.h and schema_device.h.
 * From those lists come libcyaml's schema, the defaults, the checks and the
 * manual.
 *
 * In memory, between libcyaml and schema_settle(), a word's number is stored
 * one higher than its enum value, so that zero means "not given".
 */
#include <cyaml/cyaml.h>

#include "base/config.h"

struct schema_option {
	const char *fallback; /* as it would be written; NULL: none */
	uint32_t min, max;    /* number: its range; text: its length; list: its entries */
	uint32_t target;      /* numbers: where the settled value goes */
	const char *what;
};

/* The keys of one mapping; fields and options run in step. */
struct schema_table {
	const char *name; /* "segments" */
	const char *what;
	const struct cyaml_schema_field *fields;
	const struct schema_option *options;
};

/* Numbers as the file gives them; NULL where it does not. */
struct schema_given {
	uint32_t *workers, *flows, *fragments, *streams_mb, *vitals, *stale_ms, *eve_rotate_mb,
		*eve_keep, *store_events, *evidence_mb, *evidence_days, *archive_mb, *connections,
		*per_source, *requests, *subscribers, *days, *idle_minutes, *overall_hours,
		*renew_minutes, *dead_ms, *coalesce_us, *minutes, *kb_per_second, *warn_days,
		*export_port, *few, *parallel, *success, *pause_minutes, *install_seconds,
		*watch_seconds, *patient_seconds, *every_hours, *keep_days;
};

/* What a policy file loads into. `config` is first: config_free() gets back here. */
struct schema_file {
	struct config config;
	struct schema_given given;
};

extern const struct cyaml_schema_value schema_policy;	/* → struct schema_file */
extern const struct cyaml_schema_value schema_profile;	/* → struct config_profile */
extern const struct cyaml_schema_value schema_profiles; /* an array of them, to free it */

/* All there are, in the order of the manual; the last one has no name. */
extern const struct schema_table schema_tables[];
/* The table that a mapping's fields belong to; never NULL for those reached from above. */
const struct schema_table *schema_table(const struct cyaml_schema_field *fields);

/* Puts words at their enum values and fills in what was not given. 0, -ENOMEM, -ERANGE
 * where a number is out of its bounds, or -EINVAL where a text is more than a line. */
int schema_settle(const struct cyaml_schema_value *schema, void *data);

#endif
