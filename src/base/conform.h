#ifndef BEDWARDEN_BASE_CONFORM_H
#define BEDWARDEN_BASE_CONFORM_H
/*
 * Holds a YAML tree against the schema and says, for a person, everything that
 * does not fit: at which place, what is there and what was expected. libcyaml
 * itself stops at the first; what passes here it accepts.
 */
#include "base/outline.h"
#include "base/schema.h"

/*
 * Adds one error for each thing that does not fit. `ret_unknown_only` is set
 * where nothing but unknown keys was found: the rest can then still be read.
 */
void conform(const struct outline *o, const struct cyaml_schema_value *schema, struct errors *e,
	     bool *ret_unknown_only);

/*
 * The word of `words` that `text` was probably meant to be, NULL where none is
 * near. `next` yields them one by one and NULL at the end.
 */
struct nearest {
	const char *text;
	const char *best;
	unsigned distance;
};
void nearest_offer(struct nearest *n, const char *word);

#endif
