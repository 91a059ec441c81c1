#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/reason.h"
#include "cli/list.h"
#include "cli/text.h"
#include "keep/record.h"

static const struct table_column grouped[] = {
	{"LAST", false},   {"FIRST", false},  {"TIMES", true},
	{"DEVICE", false}, {"REASON", false}, {"WHAT HAPPENED", false},
};
static const struct table_column single[] = {
	{"WHEN", false}, {"DEVICE", false}, {"WITH", false},
	{"DONE", false}, {"REASON", false}, {"WHAT HAPPENED", false},
};

/* What became of what a group counts, behind its sentence. */
static void say_outcome(const json_t *g, char *ret_text, size_t max)
{
	json_int_t count = control_number(g, "count"), blocked = control_number(g, "blocked");
	json_int_t would = control_number(g, "would");
	const char *peer = control_text(g, "peer");
	char number[TEXT_SHORT], which[48] = "";

	if (blocked == count && count > 0)
		snprintf(which, sizeof(which), " Blocked.");
	else if (blocked > 0)
		snprintf(which, sizeof(which), " Blocked %s times.",
			 text_count((uint64_t)blocked, number));
	else if (would > 0)
		snprintf(which, sizeof(which), " Let through, for its mode only reports.");
	snprintf(ret_text, max, "%s%s%s%.128s%s", control_text(g, "sentence"), which,
		 *peer ? " Last with " : "", peer, *peer ? "." : "");
}

static void add_group(void *arg, json_t *g)
{
	const char *device = control_text(g, "device");
	char last[TEXT_SHORT], first[TEXT_SHORT], times[TEXT_SHORT], what[512];

	say_outcome(g, what, sizeof(what));
	table_cell(arg, text_time(control_text(g, "last"), last));
	table_cell(arg, text_time(control_text(g, "first"), first));
	table_cell(arg, text_count((uint64_t)control_number(g, "count"), times));
	table_cell(arg, *device ? device : "(gateway)");
	table_cell(arg, control_text(g, "reason"));
	table_cell(arg, what);
}

/* Whom it is about: as the store groups it. */
static const char *who_of(const json_t *e)
{
	const char *who = control_text(e, "device");

	if (!*who)
		who = control_text(json_object_get(e, "binding"), "mac");
	if (!*who)
		who = control_text(json_object_get(e, "inventory"), "mac");
	return *who ? who : control_text(e, "src_ip");
}

static const char *done_to(const json_t *event)
{
	const json_t *v = json_object_get(event, "verdict");

	if (strcmp(control_text(v, "action"), "drop") == 0)
		return "blocked";
	return strcmp(control_text(v, "would"), "drop") == 0 ? "would block" : "";
}

/* " (TCP to port 445)" */
static const char *say_service(const json_t *e, char ret_text[64])
{
	const json_t *port = json_object_get(e, "dest_port");
	const char *proto = control_text(e, "proto");

	ret_text[0] = 0;
	if (*proto && json_is_integer(port))
		snprintf(ret_text, 64, " (%.16s to port %d)", proto, (int)json_integer_value(port));
	else if (*proto)
		snprintf(ret_text, 64, " (%.16s)", proto);
	return ret_text;
}

/* The reason's sentence; for what has none, the particulars that its kind has. */
static void say_event(const json_t *e, char *ret_text, size_t max)
{
	const char *type = control_text(e, "event_type");
	const json_t *own = json_object_get(e, type);
	enum reason r = reason_from_name(control_text(e, "reason"));
	const char *message = control_text(own, "message"), *name = control_text(own, "event");
	const char *file = control_text(own, "file");
	char service[64];
	const char *sentence = r < REASON_COUNT && r != REASON_NONE ? reason_sentence(r) : "";

	if (*sentence)
		snprintf(ret_text, max, "%s%s%s%.256s", sentence, say_service(e, service),
			 *message ? " " : "", message);
	else if (strcmp(type, "flow") == 0)
		snprintf(ret_text, max, "%s %s to %s, %" PRIu64 " packets",
			 control_text(e, "proto"), control_text(e, "src_ip"),
			 control_text(e, "dest_ip"),
			 (uint64_t)(control_number(own, "pkts_toserver") +
				    control_number(own, "pkts_toclient")));
	else if (*message)
		snprintf(ret_text, max, "%s: %.256s%s%.256s", type, message, *file ? ": " : "",
			 file);
	else
		snprintf(ret_text, max, "%s%s%.256s", type, *name ? ": " : "", name);
}

static void add_event(void *arg, json_t *e)
{
	const char *reason = control_text(e, "reason");
	char when[TEXT_SHORT], what[1024];

	say_event(e, what, sizeof(what));
	table_cell(arg, text_time(control_text(e, "timestamp"), when));
	table_cell(arg, who_of(e));
	table_cell(arg, control_text(e, "peer"));
	table_cell(arg, done_to(e));
	table_cell(arg, *reason ? reason : control_text(e, "event_type"));
	table_cell(arg, what);
}

/* As they come: a line each, no columns to wait for. */
static void print_event(void *arg, json_t *e)
{
	const struct control_options *o = arg;
	char when[TEXT_SHORT], what[1024];
	const char *peer = control_text(e, "peer");
	const char *reason = control_text(e, "reason"), *done = done_to(e);

	if (o->json) {
		json_dumpf(e, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		fputc('\n', stdout);
	} else {
		say_event(e, what, sizeof(what));
		text_say("%s  %s%s%s  %s%s%s  %s", text_time(control_text(e, "timestamp"), when),
			 who_of(e), *peer ? " with " : "", peer,
			 *reason ? reason : control_text(e, "event_type"), *done ? ", " : "", done,
			 what);
	}
	fflush(stdout);
}

/* "90s", "15m", "2h", "7d" ago, or a time; as the request wants it. NULL: neither. */
static const char *since_text(const char *arg, char ret_text[CLOCK_EVE_LEN])
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	uint64_t now = clock_wall_ns(), n, seconds = 0;
	int64_t ns;
	char *end;

	if (record_time(arg, &ns))
		return arg;
	n = strtoull(arg, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (*end == units[i].letter && end[1] == 0)
			seconds = units[i].seconds;
	if (end == arg || *arg == '-' || !seconds || n > now / NSEC_PER_SEC / seconds)
		return NULL;
	clock_eve(now - n * seconds * NSEC_PER_SEC, ret_text);
	return ret_text;
}

static int take_since(json_t *request, const char *arg)
{
	char text[CLOCK_EVE_LEN];
	const char *since = since_text(arg, text);

	if (!since)
		return cli_misuse(
			"--since '%s': neither a time like 2026-01-31T07:15:02+0000 nor an "
			"age like 90s, 15m, 2h or 7d",
			arg);
	json_object_set_new(request, "since", json_string(since));
	return CLI_OK;
}

static int take_limit(json_t *request, const char *arg)
{
	uint64_t n;

	if (!number_read(arg, 1, 1000000, &n))
		return cli_misuse("-n '%s': not a number from 1 to 1000000", arg);
	json_object_set_new(request, "limit", json_integer((json_int_t)n));
	return CLI_OK;
}

static const struct option options[] = {
	CONTROL_OPTIONS,
	{"all", no_argument, NULL, 'a'},
	{"follow", no_argument, NULL, 'f'},
	{"device", required_argument, NULL, 'd'},
	{"reason", required_argument, NULL, 'r'},
	{"since", required_argument, NULL, 's'},
	{0},
};

static int take_option(struct control_options *o, json_t *request, int letter)
{
	switch (letter) {
	case 'a':
		return json_object_set_new(request, "all", json_true()) ? CLI_FAILED : CLI_OK;
	case 'f':
		return json_object_set_new(request, "follow", json_true()) ? CLI_FAILED : CLI_OK;
	case 'd':
		json_object_set_new(request, "device", json_string(optarg));
		return CLI_OK;
	case 'r':
		json_object_set_new(request, "reason", json_string(optarg));
		return CLI_OK;
	case 's':
		return take_since(request, optarg);
	case 'n':
		return take_limit(request, optarg);
	default:
		return control_option(o, letter);
	}
}

static int show(struct control_options *o, json_t *request)
{
	static const struct list groups = {
		.columns = grouped,
		.count = sizeof(grouped) / sizeof(*grouped),
		.add = add_group,
		.nothing = "Nothing to report.",
	};
	static const struct list events = {
		.columns = single,
		.count = sizeof(single) / sizeof(*single),
		.add = add_event,
		.nothing = "Nothing to report.",
	};

	if (json_is_true(json_object_get(request, "follow")))
		return control_ask(o, request, true, print_event, o);
	return list_print(json_is_true(json_object_get(request, "all")) ? &events : &groups, o,
			  request);
}

int cli_events(int argc, char **argv)
{
	struct control_options o;
	json_t *request = json_pack("{s:s}", "cmd", "events");
	int c, code = CLI_OK;

	control_defaults(&o);
	while (code == CLI_OK &&
	       (c = getopt_long(argc, argv, CONTROL_LETTERS "an:f", options, NULL)) != -1)
		code = take_option(&o, request, c);
	if (code < 0 || (code == CLI_OK && optind < argc))
		code = cli_usage(cli_find("events"));
	if (code == CLI_OK && json_is_true(json_object_get(request, "follow")) &&
	    !json_object_get(request, "limit"))
		json_object_set_new(request, "limit", json_integer(10));
	if (code == CLI_OK)
		code = show(&o, request);
	json_decref(request);
	return code;
}
