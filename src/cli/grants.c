#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/list.h"
#include "base/number.h"
#include "cli/text.h"

static const struct table_column columns[] = {
	{"NO", false},	    {"STATE", false}, {"PERSON", false}, {"DEVICE", false},
	{"SERVICE", false}, {"FROM", false},  {"UNTIL", false},	 {"WHY", false},
};

/* In red where somebody is in by an emergency, or was and it is still to be looked at. */
static const char *state_of(const json_t *grant)
{
	bool open = strcmp(control_text(grant, "state"), "open") == 0;

	if (!json_is_true(json_object_get(grant, "break_glass")))
		return control_text(grant, "state");
	return open ? "EMERGENCY" : "TO REVIEW";
}

static void add_row(void *arg, json_t *grant)
{
	char until[TEXT_SHORT], number[16];

	snprintf(number, sizeof(number), "%d", (int)control_number(grant, "id"));
	table_cell(arg, number);
	table_cell(arg, state_of(grant));
	table_cell(arg, control_text(grant, "person"));
	table_cell(arg, control_text(grant, "device"));
	table_cell(arg, control_text(grant, "service"));
	table_cell(arg, control_text(grant, "source"));
	table_cell(arg, *control_text(grant, "until")
				? text_time(control_text(grant, "until"), until)
				: "");
	table_cell(arg, control_text(grant, "why"));
}

static int list(int argc, char **argv)
{
	static const struct list grants = {
		.command = "grants",
		.columns = columns,
		.count = sizeof(columns) / sizeof(*columns),
		.add = add_row,
		.nothing = "No access is granted to anybody now.",
	};

	return list_run(&grants, argc, argv);
}

/* What the verbs have between them. */
struct verb_options {
	struct control_options control;
	const char *ip, *mac, *reason;
	uint64_t minutes;
	bool record;
	char **args;
	int count;
};

static void print_grant(void *arg, json_t *ok)
{
	const struct verb_options *o = arg;
	const json_t *g = json_object_get(ok, "grant");
	char until[TEXT_SHORT];

	if (o->control.json) {
		json_dumpf(ok, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (g && *control_text(g, "until")) {
		printf("grant %d: %s of %s is open for %s from %s until %s\n",
		       (int)control_number(g, "id"), control_text(g, "service"),
		       control_text(g, "device"), control_text(g, "person"),
		       control_text(g, "source"), text_time(control_text(g, "until"), until));
	} else if (g) {
		printf("grant %d: %s\n", (int)control_number(g, "id"),
		       strcmp(control_text(g, "state"), "asked") == 0
			       ? "asked for; a second person has to approve it"
			       : control_text(g, "state"));
	} else {
		printf("number %d\n", (int)control_number(ok, "id"));
	}
	if (!o->control.json && g && *control_text(g, "note"))
		puts(control_text(g, "note"));
}

static void print_services(void *arg, json_t *ok)
{
	const struct verb_options *o = arg;
	const json_t *s;
	size_t i;

	if (o->control.json) {
		json_dumpf(json_object_get(ok, "services"), stdout,
			   JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		return;
	}
	json_array_foreach (json_object_get(ok, "services"), i, s) {
		printf("%s: %s (%s/%s), at most %d minutes, asked for by %s",
		       control_text(s, "device"), control_text(s, "service"),
		       control_text(s, "proto"), control_text(s, "port"),
		       (int)control_number(s, "minutes"), control_text(s, "ask"));
		if (*control_text(s, "alone"))
			printf("; nobody's leave needed by %s", control_text(s, "alone"));
		puts(json_is_true(json_object_get(s, "record")) ? "; recorded" : "");
	}
}

static int call(struct verb_options *o, const char *name, json_t *args, control_row_fn fn)
{
	json_t *request = json_pack("{s:s, s:s, s:o}", "call", name, "operator", control_operator(),
				    "args", args);
	int code;

	if (!request)
		return cli_fail("out of memory, or a text that is no UTF-8");
	code = control_ask(&o->control, request, false, fn, o);
	json_decref(request);
	return code;
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text)
		json_object_set_new(o, key, json_string(text));
}

static json_t *asking(const struct verb_options *o)
{
	json_t *args = json_object();

	set_text(args, "device", o->args[0]);
	set_text(args, "service", o->args[1]);
	set_text(args, "ip", o->ip);
	set_text(args, "mac", o->mac);
	set_text(args, "reason", o->reason);
	json_object_set_new(args, "minutes", json_integer((json_int_t)o->minutes));
	if (o->record)
		json_object_set_new(args, "record", json_true());
	return args;
}

static json_t *numbered(const struct verb_options *o)
{
	uint64_t id = 0; /* there is none */
	json_t *args;

	number_read(o->args[0], 1, INT64_MAX, &id);
	args = json_pack("{s:I}", "id", (json_int_t)id);

	set_text(args, "reason", o->reason);
	return args;
}

static json_t *inviting(const struct verb_options *o)
{
	json_t *args = json_object(), *devices = json_array();

	for (int i = 1; i < o->count; i++)
		json_array_append_new(devices, json_string(o->args[i]));
	set_text(args, "user", o->args[0]);
	set_text(args, "reason", o->reason);
	json_object_set_new(args, "minutes", json_integer((json_int_t)o->minutes));
	json_object_set_new(args, "devices", devices);
	return args;
}

static json_t *nothing(const struct verb_options *o)
{
	return json_object();
}

static const struct verb {
	const char *name, *call;
	int least, most; /* words behind it */
	json_t *(*args)(const struct verb_options *o);
	control_row_fn print;
} verbs[] = {
	{"request", "grant.request", 2, 2, asking, print_grant},
	{"break-glass", "grant.break_glass", 2, 2, asking, print_grant},
	{"approve", "grant.approve", 1, 1, numbered, print_grant},
	{"deny", "grant.deny", 1, 1, numbered, print_grant},
	{"revoke", "grant.revoke", 1, 1, numbered, print_grant},
	{"review", "grant.review", 1, 1, numbered, print_grant},
	{"invite", "vendor.invite", 2, 17, inviting, print_grant},
	{"withdraw", "vendor.withdraw", 1, 1, numbered, print_grant},
	{"services", "grant.services", 0, 0, nothing, print_services},
};

static int run(const struct verb *v, int argc, char **argv)
{
	static const struct option options[] = {
		CONTROL_OPTIONS,
		{"ip", required_argument, NULL, 'i'},
		{"mac", required_argument, NULL, 'm'},
		{"reason", required_argument, NULL, 'r'},
		{"minutes", required_argument, NULL, 't'},
		{"record", no_argument, NULL, 'R'},
		{NULL},
	};
	struct verb_options o = {.minutes = 30};
	int c, code;

	control_defaults(&o.control);
	optind = 2;
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		code = control_option(&o.control, c);
		if (code > 0)
			return code;
		if (code == CLI_OK)
			continue;
		if (c == 'i')
			o.ip = optarg;
		else if (c == 'm')
			o.mac = optarg;
		else if (c == 'r')
			o.reason = optarg;
		else if (c == 'R')
			o.record = true;
		else if (c == 't' && number_read(optarg, 1, INT32_MAX, &o.minutes))
			continue;
		else
			return cli_usage(cli_find("grants"));
	}
	o.args = argv + optind;
	o.count = argc - optind;
	if (o.count < v->least || o.count > v->most)
		return cli_usage(cli_find("grants"));
	return call(&o, v->call, v->args(&o), v->print);
}

int cli_grants(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(&verbs[i], argc, argv);
	return list(argc, argv);
}
