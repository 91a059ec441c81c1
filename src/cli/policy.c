#include "cli/policy.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/config.h"
#include "cli/control.h"
#include "cli/explain.h"
#include "cli/learn.h"
#include "cli/list.h"
#include "cli/text.h"
#include "guard/policy/policy.h"

#define DEFAULT_FILE BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define MAX_ERRORS   256

static void print_errors_json(const struct config_error *errors, size_t count)
{
	json_t *list = json_array(), *root;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:i, s:s}", "file", errors[i].file,
						"line", (int)errors[i].line, "column",
						(int)errors[i].column, "text", errors[i].text));
	root = json_pack("{s:b, s:o}", "ok", 0, "errors", list);
	json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(root);
}

/* Loads and compiles, and says everything that is wrong. NULL where anything is. */
static struct policy *load(const char *file, bool json, struct config **ret_config)
{
	struct config_error *errors = calloc(MAX_ERRORS, sizeof(*errors));
	struct config *c = NULL;
	struct policy *p = NULL;
	char error[256];
	size_t count = 0;

	if (!errors) {
		cli_fail("out of memory");
		return NULL;
	}
	c = config_load(file, errors, MAX_ERRORS, &count);
	if (c)
		p = policy_compile(c, NULL, 0, 1, error);
	if (c && !p) {
		snprintf(errors[0].file, sizeof(errors[0].file), "%s", file);
		snprintf(errors[0].text, sizeof(errors[0].text), "%s", error);
		count = 1;
	}
	if (!p && json)
		print_errors_json(errors, count);
	for (size_t i = 0; !p && !json && i < count; i++)
		cli_misread(&errors[i]);
	if (count == MAX_ERRORS && !json)
		fprintf(stderr, "%s: there may be more than these %u errors\n", file, MAX_ERRORS);
	free(errors);
	if (p)
		*ret_config = c;
	else
		config_free(c);
	return p;
}

static int check(const char *file, bool json)
{
	struct config *c;
	struct policy *p = load(file, json, &c);
	json_t *root;

	if (!p)
		return CLI_FAILED;
	if (json) {
		root = explain_json(c, p);
		json_dumpf(root, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(root);
	} else {
		explain_text(stdout, c, p);
	}
	policy_free(p);
	config_free(c);
	return CLI_OK;
}

static void print_answer(void *arg, json_t *row)
{
	const bool *json = arg;
	const json_t *generation = json_object_get(row, "generation");

	if (!*json && json_is_integer(generation)) {
		printf("policy generation %" JSON_INTEGER_FORMAT " is in force\n",
		       json_integer_value(generation));
		return;
	}
	json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
}

/* What is wrong is said here, before the gateway is asked; it reads and checks the file itself. */
static int apply(const char *file, const char *socket, bool json)
{
	struct control_options o;
	struct config *c;
	struct policy *p = load(file, json, &c);
	json_t *request;
	int r;

	if (!p)
		return cli_fail("%s was refused; the policy in force stays", file);
	policy_free(p);
	control_defaults(&o);
	if (socket)
		snprintf(o.socket, sizeof(o.socket), "%s", socket);
	else
		snprintf(o.socket, sizeof(o.socket), "%s/control", c->gateway.run_dir);
	config_free(c);
	request = json_pack("{s:s}", "cmd", "apply");
	r = request ? control_ask(&o, request, false, print_answer, &json)
		    : cli_fail("out of memory");
	json_decref(request);
	return r;
}

static const struct table_column counter_columns[] = {
	{"DEVICE", false}, {"SERVICE", false}, {"DIRECTION", false},
	{"PROTO", false},  {"PORT", false},    {"PEER", false},
	{"ACTION", false}, {"PACKETS", true},  {"BYTES", true},
};

static void add_counter(void *arg, json_t *row)
{
	static const char *const texts[] = {"device", "service", "direction", "proto",
					    "port",   "peer",	 "action"};
	char packets[TEXT_SHORT], bytes[TEXT_SHORT];

	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		table_cell(arg, control_text(row, texts[i]));
	table_cell(arg, text_count((uint64_t)control_number(row, "packets"), packets));
	table_cell(arg, text_bytes((uint64_t)control_number(row, "bytes"), bytes));
}

/* What each rule in force counted, in the kernel. */
static int counters(char *file, char *socket, const char *device, bool json)
{
	static const struct list list = {
		.command = "counters",
		.columns = counter_columns,
		.count = sizeof(counter_columns) / sizeof(*counter_columns),
		.add = add_counter,
		.nothing = "The policy in force has no rules.",
	};
	struct control_options o;
	json_t *request = json_pack("{s:s}", "cmd", list.command);
	int r = CLI_OK;

	control_defaults(&o);
	if ((optarg = socket ? socket : file)) /* as control_option() takes it */
		r = control_option(&o, socket ? 'S' : 'c');
	o.json = json;
	if (request && device)
		json_object_set_new(request, "device", json_string(device));
	if (r == CLI_OK)
		r = request ? list_print(&list, &o, request) : cli_fail("out of memory");
	json_decref(request);
	return r;
}

int policy_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"eve", required_argument, NULL, 'e'},
		{"socket", required_argument, NULL, 'S'},
		{"device", required_argument, NULL, 'd'},
		{NULL},
	};
	const struct cli_command *self = cli_find("policy");
	struct learn_options l = {.config = NULL};
	const char *verb = argc > 1 ? argv[1] : "", *device = NULL;
	char *file = NULL, *socket = NULL;
	bool json = false;
	int c;

	optind = 2;
	while ((c = getopt_long(argc, argv, "c:r:o:w:", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'c')
			l.config = file = optarg;
		else if (c == 'r')
			l.pcap = optarg;
		else if (c == 'e')
			l.eve = optarg;
		else if (c == 'S')
			l.socket = socket = optarg;
		else if (c == 'd')
			device = optarg;
		else if (c == 'o')
			l.out = optarg;
		else if (c == 'w' && l.ward_count < LEARN_WARDS)
			l.ward[l.ward_count++] = optarg;
		else
			return cli_usage(self);
	}
	if (strcmp(verb, "counters") == 0 && optind == argc)
		return counters(file, socket, device, json);
	if (device)
		return cli_usage(self);
	if (strcmp(verb, "check") == 0 && (optind + 1 == argc || (file && optind == argc)))
		return check(optind < argc ? argv[optind] : file, json);
	if (strcmp(verb, "apply") == 0 && optind == argc)
		return apply(file ? file : DEFAULT_FILE, l.socket, json);
	if (strcmp(verb, "learn") == 0 && optind == argc && !(l.pcap && l.eve))
		return learn(&l);
	return cli_usage(self);
}
