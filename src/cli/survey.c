#include "cli/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/config.h"
#include "update/advisory/accept.h"

#define POLICY	  BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define STATE_DIR "/var/lib/bedwarden"
#define UPDATES	  "/var/lib/bedwarden-updates"

struct surveying {
	const struct survey_options *o;
	struct config *config; /* NULL with a file of devices */
	json_t *given, *seen;  /* devices of the file; what the gateway saw, by name */
	json_t *accepted, *notes;
	char state_dir[512];
};

static void note(struct surveying *y, const char *text)
{
	json_array_append_new(y->notes, json_string(text));
}

/* --- devices -------------------------------------------------------------------- */

static void remember(void *arg, json_t *row)
{
	if (*control_text(row, "name"))
		json_object_set(arg, control_text(row, "name"), row);
}

static int load_policy(struct surveying *y)
{
	const char *file = y->o->config ? y->o->config : POLICY;
	struct config_error e = {.line = 0};
	size_t errors = 0;

	y->config = config_load(file, &e, 1, &errors);
	if (!y->config)
		return cli_misread(&e);
	snprintf(y->state_dir, sizeof(y->state_dir), "%s", y->config->gateway.state_dir);
	return CLI_OK;
}

/* What it saw of them; where it does not run the policy alone counts. */
static void ask_gateway(struct surveying *y)
{
	struct control_options c = y->o->control;
	json_t *request = json_pack("{s:s}", "cmd", "devices");
	char path[sizeof(c.socket)];

	if (!y->o->socket_given && (size_t)snprintf(path, sizeof(path), "%s/control",
						    y->config->gateway.run_dir) < sizeof(path))
		memcpy(c.socket, path, sizeof(path));
	if (!control_is_there(&c))
		note(y,
		     "the gateway does not run: who made a device is known from the policy alone");
	else if (request)
		(void)control_ask(&c, request, false, remember, y->seen);
	json_decref(request);
}

static int load_devices(struct surveying *y)
{
	json_error_t e;

	if (!y->o->devices) {
		int code = load_policy(y);

		if (code == CLI_OK && !y->o->alone)
			ask_gateway(y);
		return code;
	}
	y->given = json_load_file(y->o->devices, JSON_REJECT_DUPLICATES, &e);
	if (!y->given)
		return cli_fail("%s:%d: %s", y->o->devices, e.line, e.text);
	if (!json_is_array(y->given))
		return cli_fail(
			"%s: expected a list of devices: [{\"name\":\"pump-1\",\"vendor\":…,"
			"\"model\":…,\"version\":…}]",
			y->o->devices);
	return CLI_OK;
}

static int load_accepted(struct surveying *y)
{
	char text[640];
	int err = accept_load(y->state_dir, &y->accepted);

	if (err == -EACCES) {
		snprintf(text, sizeof(text),
			 "what was accepted cannot be read: %s/" ACCEPT_FILE ": ask as root",
			 y->state_dir);
		note(y, text);
	} else if (err < 0) {
		return cli_fail("%s/" ACCEPT_FILE ": %s", y->state_dir,
				err == -EBADMSG ? "cannot be read; is it damaged?"
						: strerror(-err));
	}
	return CLI_OK;
}

static int run(struct surveying *y, struct survey *ret_survey)
{
	const struct survey_options *o = y->o;
	struct survey_input in = {.config = y->config,
				  .given = y->given,
				  .file = o->devices  ? o->devices
					  : o->config ? o->config
						      : POLICY,
				  .seen = y->seen,
				  .accepted = y->accepted,
				  .advisories = o->advisories,
				  .state_dir = y->state_dir,
				  .updates_dir = y->config ? y->config->updates.dir : UPDATES,
				  .now_s = (int64_t)time(NULL)};
	char why[SURVEY_WHY];

	if (survey_run(&in, ret_survey, why) < 0)
		return cli_fail("%s", why);
	json_array_extend(y->notes, ret_survey->notes);
	json_decref(ret_survey->notes);
	ret_survey->notes = json_incref(y->notes);
	return CLI_OK;
}

int survey_make(const struct survey_options *o, struct survey *ret_survey)
{
	struct surveying y = {
		.o = o, .seen = json_object(), .notes = json_array(), .state_dir = STATE_DIR};
	int code = y.seen && y.notes ? load_devices(&y) : cli_fail("out of memory");

	if (o->state_dir)
		snprintf(y.state_dir, sizeof(y.state_dir), "%s", o->state_dir);
	if (code == CLI_OK)
		code = load_accepted(&y);
	if (code == CLI_OK)
		code = run(&y, ret_survey);
	json_decref(y.accepted);
	json_decref(y.given);
	json_decref(y.seen);
	json_decref(y.notes);
	config_free(y.config);
	return code;
}
