#ifndef BEDWARDEN_UPDATE_ADVISORY_SURVEY_H
#define BEDWARDEN_UPDATE_ADVISORY_SURVEY_H
/*
 * Which of a site's devices known weaknesses concern: the devices of its policy and what was seen of them, the
 * advisories at hand, and what was decided about each, put together.
 */
#include <jansson.h>
#include <stdint.h>

#include "base/config.h"

enum { SURVEY_MATCHES_MAX = 20000, SURVEY_WHY = 256 };

/* All of it borrowed. */
struct survey_input {
	const struct config *config; /* the policy; NULL: `given` counts */
	const json_t *given;	/* a list of devices: name, vendor, model, version, serial, sbom */
	const char *file;	/* what lists them; lists of parts are named relative to it */
	const json_t *seen;	/* what was seen of devices, by their name; NULL nothing */
	const json_t *accepted; /* accept_load()'s; NULL nothing */
	const char *advisories; /* a folder of CSAF files; NULL: those that updates brought, in … */
	const char *state_dir, *updates_dir;
	int64_t now_s; /* wall clock */
};

struct survey {
	json_t *matches;  /* the worst first; doc/advisories.md names the members */
	json_t *refusals; /* files that could not be used: file, why */
	json_t *notes;	  /* sentences: what this cannot know */
	size_t advisories, devices, nameless; /* nameless: without a model, so nothing fits them */
	size_t more;			      /* matches beyond the bound */
};

/* 0, to survey_free(); -errno with ret_why said. Reads files, writes none. */
int survey_run(const struct survey_input *in, struct survey *ret_survey, char ret_why[SURVEY_WHY]);
void survey_free(struct survey *s);
/* devices, advisories, matches, notes, refused: as `bedwarden update advisories --json` has them. */
json_t *survey_json(const struct survey *s);

#endif
