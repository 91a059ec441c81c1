#ifndef BEDWARDEN_CLI_SURVEY_H
#define BEDWARDEN_CLI_SURVEY_H
/*
 * Which of the site's devices known weaknesses concern: the policy's devices (and what the running gateway
 * saw of them), the advisories at hand, and what was decided about each, put together.
 */
#include <jansson.h>

#include "cli/control.h"

struct survey_options {
	const char *config;	/* the policy; NULL the default one */
	const char *advisories; /* a folder of CSAF files; NULL those that updates brought */
	const char *devices;	/* a file with devices in JSON; NULL the policy's */
	const char *state_dir;	/* NULL: as the policy says */
	bool alone;		/* the running gateway is not asked */
	bool socket_given;	/* control.socket is no default; else the policy says where it is */
	struct control_options control;
};

enum { SURVEY_MATCHES_MAX = 20000 };

struct survey {
	json_t *matches;  /* the worst first; doc/advisories.md names the members */
	json_t *refusals; /* files that could not be used: file, why */
	json_t *notes;	  /* sentences: what this cannot know */
	size_t advisories, devices, nameless; /* nameless: without a model, so nothing fits them */
	size_t more;			      /* matches beyond the bound */
	char state_dir[512];
};

/* CLI_OK, to survey_free(); or CLI_FAILED, having said why. */
int survey_make(const struct survey_options *o, struct survey *ret_survey);
void survey_free(struct survey *s);

#endif
