#ifndef BEDWARDEN_CLI_SURVEY_H
#define BEDWARDEN_CLI_SURVEY_H
/*
 * What update/advisory/survey.h needs, as somebody on the box has it: the policy or a file of devices, and what the
 * running gateway saw of them.
 */
#include <jansson.h>

#include "cli/control.h"
#include "update/advisory/survey.h"

struct survey_options {
	const char *config;	/* the policy; NULL the default one */
	const char *advisories; /* a folder of CSAF files; NULL those that updates brought */
	const char *devices;	/* a file with devices in JSON; NULL the policy's */
	const char *state_dir;	/* NULL: as the policy says */
	bool alone;		/* the running gateway is not asked */
	bool socket_given;	/* control.socket is no default; else the policy says where it is */
	struct control_options control;
};

/* CLI_OK, to survey_free(); or CLI_FAILED, having said why. */
int survey_make(const struct survey_options *o, struct survey *ret_survey);

#endif
