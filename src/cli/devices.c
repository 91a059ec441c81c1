#include <stdio.h>
#include <string.h>

#include "cli/list.h"
#include "cli/text.h"

static const struct table_column columns[] = {
	{"DEVICE", false},     {"SEGMENT", false},    {"MODE", false},	    {"IF UNGUARDED", false},
	{"ADDRESS", false},    {"MAC", false},	      {"LAST SEEN", false}, {"TALKS TO", false},
	{"WHAT IT IS", false}, {"WEAKNESSES", false},
};

/* "10.1.1.12 +2": the latest address, and how many others. */
static const char *first_of(const json_t *list, char ret_text[96])
{
	const char *first = json_string_value(json_array_get(list, 0));
	size_t count = json_array_size(list);

	if (count > 1)
		snprintf(ret_text, 96, "%.80s +%zu", first ? first : "", count - 1);
	else
		snprintf(ret_text, 96, "%.80s", first ? first : "");
	return ret_text;
}

/* The profile for those that have one; for a stranger what it looks like, and why. */
static void describe(const json_t *d, char *ret_text, size_t max)
{
	const char *vendor = control_text(d, "vendor"), *likely = control_text(d, "likely_profile");
	const json_t *reasons = json_object_get(d, "profile_reasons"), *reason;
	char why[640] = "";
	size_t i, len = 0;

	json_array_foreach (reasons, i, reason)
		if (json_is_string(reason) && len < sizeof(why))
			len += (size_t)snprintf(why + len, sizeof(why) - len, "%s%s", i ? ", " : "",
						json_string_value(reason));
	if (json_is_true(json_object_get(d, "registered")))
		snprintf(ret_text, max, "%s%s%s", control_text(d, "profile"), *vendor ? ", " : "",
			 vendor);
	else if (*likely)
		snprintf(ret_text, max, "not registered; looks like %s%s%s%s%s%s", likely,
			 *why ? ": " : "", why, *vendor ? " (" : "", vendor, *vendor ? ")" : "");
	else
		snprintf(ret_text, max, "not registered%s%s", *vendor ? "; made by " : "", vendor);
}

/* "telnet, default login": why it needs the gateway in front of it. */
static const char *weaknesses(const json_t *d, char ret_text[640])
{
	const json_t *item;
	size_t i, len = 0;

	*ret_text = 0;
	json_array_foreach (json_object_get(d, "weaknesses"), i, item)
		if (json_is_string(item) && len < 640)
			len += (size_t)snprintf(ret_text + len, 640 - len, "%s%s", i ? ", " : "",
						json_string_value(item));
	return ret_text;
}

static void add_row(void *arg, json_t *d)
{
	struct table *t = arg;
	const char *name = control_text(d, "name"), *hostname = control_text(d, "hostname");
	char ip[96], peer[96], when[TEXT_SHORT], what[640], weak[640];
	bool registered = json_is_true(json_object_get(d, "registered"));

	text_time(control_text(d, "last"), when);
	describe(d, what, sizeof(what));
	table_cell(t, *name ? name : *hostname ? hostname : "(stranger)");
	table_cell(t, control_text(d, "segment"));
	table_cell(t, control_text(d, "mode"));
	table_cell(t, !registered				? ""
		      : strcmp(control_text(d, "fail"), "open") ? "shut off"
								: "stays online");
	table_cell(t, first_of(json_object_get(d, json_array_size(json_object_get(d, "addresses"))
							  ? "addresses"
							  : "ips"),
			       ip));
	table_cell(t, control_text(d, "mac"));
	table_cell(t, *when ? when : "never");
	table_cell(t, first_of(json_object_get(d, "peers"), peer));
	table_cell(t, what);
	table_cell(t, weaknesses(d, weak));
}

int cli_devices(int argc, char **argv)
{
	static const struct list devices = {
		.command = "devices",
		.columns = columns,
		.count = sizeof(columns) / sizeof(*columns),
		.add = add_row,
		.by_device = true,
		.nothing = "No device is registered, and no machine was seen yet.",
	};

	return list_run(&devices, argc, argv);
}
