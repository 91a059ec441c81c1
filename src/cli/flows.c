#include <stdio.h>
#include <string.h>

#include "cli/list.h"
#include "cli/text.h"

static const struct table_column columns[] = {
	{"DEVICE", false}, {"WITH", false},    {"PROTO", false},  {"FROM", false},
	{"TO", false},	   {"STATE", false},   {"PACKETS", true}, {"BYTES", true},
	{"SINCE", false},  {"VERDICT", false}, {"WHAT", false},
};

/* "10.1.1.12:1024", "[fd00::1]:24105". */
static const char *end_of(const json_t *flow, const char *ip_key, const char *port_key,
			  char ret_text[80])
{
	const char *ip = control_text(flow, ip_key);
	const json_t *port = json_object_get(flow, port_key);
	bool v6 = strchr(ip, ':');

	if (json_is_integer(port))
		snprintf(ret_text, 80, v6 ? "[%.60s]:%d" : "%.60s:%d", ip,
			 (int)json_integer_value(port));
	else
		snprintf(ret_text, 80, "%.60s", ip);
	return ret_text;
}

static uint64_t both(const json_t *f, const char *to_server, const char *to_client)
{
	return (uint64_t)(control_number(f, to_server) + control_number(f, to_client));
}

static const char *verdict_of(const json_t *flow)
{
	const json_t *v = json_object_get(flow, "verdict");

	if (strcmp(control_text(v, "action"), "drop") == 0)
		return "blocked";
	return strcmp(control_text(v, "would"), "drop") == 0 ? "would block" : "allowed";
}

static void add_row(void *arg, json_t *flow)
{
	const json_t *f = json_object_get(flow, "flow");
	const char *app = control_text(flow, "app_proto"), *service = control_text(f, "service");
	const char *data_of = control_text(f, "data_of");
	char from[80], to[80], packets[TEXT_SHORT], bytes[TEXT_SHORT], since[TEXT_SHORT];
	char what[256];

	snprintf(what, sizeof(what), "%s%s%s%s%s", service, *data_of ? ", data of " : "", data_of,
		 (*service || *data_of) && *app ? ", " : "", app);
	table_cell(arg, control_text(flow, "device"));
	table_cell(arg, control_text(flow, "peer"));
	table_cell(arg, control_text(flow, "proto"));
	table_cell(arg, end_of(flow, "src_ip", "src_port", from));
	table_cell(arg, end_of(flow, "dest_ip", "dest_port", to));
	table_cell(arg, control_text(f, "state"));
	table_cell(arg, text_count(both(f, "pkts_toserver", "pkts_toclient"), packets));
	table_cell(arg, text_bytes(both(f, "bytes_toserver", "bytes_toclient"), bytes));
	table_cell(arg, text_time(control_text(f, "start"), since));
	table_cell(arg, verdict_of(flow));
	table_cell(arg, what);
}

int cli_flows(int argc, char **argv)
{
	static const struct list flows = {
		.command = "flows",
		.columns = columns,
		.count = sizeof(columns) / sizeof(*columns),
		.add = add_row,
		.by_device = true,
		.nothing = "No conversation is under way.",
	};

	return list_run(&flows, argc, argv);
}
