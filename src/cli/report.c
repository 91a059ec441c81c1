/* `bedwarden report`: what the gateway can show of each requirement of a framework. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/newfile.h"
#include "base/number.h"
#include "cli/audit.h"
#include "cli/output.h"
#include "cli/survey.h"
#include "update/report/compliance.h"

#define POLICY	 BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define DAYS_MAX 3650

struct reporting {
	struct survey_options survey;
	const char *out; /* NULL: standard output */
	uint64_t days;
	bool json;
	struct config *config;
	json_t *status, *devices, *users, *grants, *events, *audit, *updates, *notes;
};

static const struct option options[] = {
	CONTROL_OPTIONS,
	{"days", required_argument, NULL, 'n'},
	{"advisories", required_argument, NULL, 'A'},
	{NULL},
};

static void collect(void *arg, json_t *row)
{
	json_array_append(arg, row);
}

/* Rows of a command; NULL where nobody answered. */
static json_t *ask(const struct reporting *r, json_t *request)
{
	json_t *rows = json_array();

	if (!request || control_ask(&r->survey.control, request, false, collect, rows) != CLI_OK) {
		json_decref(rows);
		rows = NULL;
	}
	json_decref(request);
	return rows;
}

/* The answer of a call; NULL: there was none. */
static json_t *call(const struct reporting *r, const char *name)
{
	json_t *rows = ask(r, json_pack("{s:s, s:s, s:{}}", "call", name, "operator",
					control_operator(), "args"));
	json_t *answer = json_incref(json_array_get(rows, 0));

	json_decref(rows);
	return answer;
}

static json_t *ask_users(const struct reporting *r)
{
	json_t *answer = call(r, "user.list");
	json_t *users = json_incref(json_object_get(answer, "users"));

	json_decref(answer);
	return users;
}

static json_t *ask_events(const struct reporting *r)
{
	char since[CLOCK_EVE_LEN];

	clock_eve(clock_wall_ns() - r->days * 86400 * NSEC_PER_SEC, since);
	return ask(r, json_pack("{s:s, s:s}", "cmd", "events", "since", since));
}

static void ask_gateway(struct reporting *r)
{
	json_t *rows;

	if (!control_is_there(&r->survey.control)) {
		json_array_append_new(
			r->notes, json_string("The gateway does not run: only its policy and its "
					      "stores could be read, and much is not measured."));
		return;
	}
	rows = ask(r, json_pack("{s:s}", "cmd", "status"));
	r->status = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	r->devices = ask(r, json_pack("{s:s}", "cmd", "devices"));
	r->grants = ask(r, json_pack("{s:s}", "cmd", "grants"));
	r->users = ask_users(r);
	r->events = ask_events(r);
	r->updates = call(r, "update.status");
	r->audit = call(r, "audit.verify"); /* by who has the keys already */
}

static int load_policy(struct reporting *r)
{
	const char *file = r->survey.config ? r->survey.config : POLICY;
	struct config_error e = {.line = 0};
	size_t errors = 0;

	r->config = config_load(file, &e, 1, &errors);
	if (!r->config)
		return cli_misread(&e);
	if (!r->survey.socket_given &&
	    strlen(r->config->gateway.run_dir) + 9 < sizeof(r->survey.control.socket))
		snprintf(r->survey.control.socket, sizeof(r->survey.control.socket),
			 "%.90s/control", r->config->gateway.run_dir);
	return CLI_OK;
}

static json_t *about(const struct reporting *r)
{
	char made[CLOCK_EVE_LEN], words[64];
	time_t now = time(NULL);
	struct tm t;

	/* As HTML wants a time: its zone with a colon, and no more than seconds. */
	gmtime_r(&now, &t);
	strftime(made, sizeof(made), "%Y-%m-%dT%H:%M:%SZ", &t);
	strftime(words, sizeof(words), "%e %B %Y, %H:%M UTC", &t);
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:O}", "gateway", r->config->gateway.name,
			 "version", BEDWARDEN_VERSION, "made", made, "made_words", words, "days",
			 (int)r->days, "notes", r->notes);
}

static int print(const struct reporting *r, const json_t *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok = out;
	int code;

	if (out && r->json)
		ok = json_dumpf(report, out, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0 &&
		     fputc('\n', out) != EOF;
	else if (out)
		ok = compliance_page(out, report);
	ok = out && fclose(out) == 0 && ok;
	/* Nobody else may read it before somebody decides so. */
	code = ok ? output_put(r->out, (struct bytes){(const uint8_t *)text, len}, 0600)
		  : cli_fail("out of memory");
	free(text);
	return code;
}

static int make(struct reporting *r, const struct compliance_framework *f)
{
	struct survey s;
	struct compliance_facts x = {.days = (unsigned)r->days, .now_s = (int64_t)time(NULL)};
	json_t *head, *report, *n;
	size_t i;
	int code = load_policy(r);

	if (code != CLI_OK)
		return code;
	ask_gateway(r);
	if (!r->audit)
		r->audit = audit_verified(r->config->gateway.state_dir);
	r->survey.alone = !r->devices;
	code = survey_make(&r->survey, &s);
	if (code != CLI_OK)
		return code;
	json_array_foreach (s.notes, i, n)
		if (r->devices || !strstr(json_string_value(n), "the gateway does not run"))
			json_array_append(r->notes, n);
	x.config = r->config;
	x.status = r->status;
	x.devices = r->devices;
	x.users = r->users;
	x.grants = r->grants;
	x.events = r->events;
	x.audit = r->audit;
	x.updates = r->updates;
	x.matches = s.matches;
	x.advisories = s.advisories;
	x.nameless = s.nameless;
	head = about(r);
	report = head ? compliance_report(f, &x, head) : NULL;
	code = report ? print(r, report) : cli_fail("out of memory");
	json_decref(report);
	json_decref(head);
	survey_free(&s);
	return code;
}

static bool take(struct reporting *r, int c)
{
	switch (c) {
	case 'o':
		r->out = optarg;
		return true;
	case 'A':
		r->survey.advisories = optarg;
		return true;
	case 'c':
		r->survey.config = optarg;
		return true;
	case 'J':
		r->json = true;
		return true;
	case 'n':
		return number_read(optarg, 1, DAYS_MAX, &r->days);
	case 'S':
		r->survey.socket_given = true;
		/* fall through */
	default:
		return control_option(&r->survey.control, c) == CLI_OK;
	}
}

int cli_report(int argc, char **argv)
{
	struct reporting r = {.days = 30};
	const struct compliance_framework *f;
	int c, code;

	control_defaults(&r.survey.control);
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS "o:", options, NULL)) != -1)
		if (!take(&r, c))
			return cli_usage(cli_find("report"));
	f = argc - optind == 1 ? compliance_find(argv[optind]) : NULL;
	if (!f)
		return cli_usage(cli_find("report"));
	r.notes = json_array();
	code = make(&r, f);
	json_decref(r.notes);
	json_decref(r.status);
	json_decref(r.devices);
	json_decref(r.users);
	json_decref(r.grants);
	json_decref(r.events);
	json_decref(r.audit);
	json_decref(r.updates);
	config_free(r.config);
	return code;
}
