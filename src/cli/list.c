#include "cli/list.h"

#include <getopt.h>
#include <stdio.h>

struct filling {
	const struct list *list;
	struct table *table;
	size_t rows;
};

static void add(void *arg, json_t *row)
{
	struct filling *f = arg;

	f->list->add(f->table, row);
	f->rows++;
}

int list_print(const struct list *l, const struct control_options *o, json_t *request)
{
	struct filling f = {.list = l};
	int code;

	if (o->json)
		return control_print_json(o, request);
	f.table = table_new(l->columns, l->count);
	code = control_ask(o, request, false, add, &f);
	if (code == CLI_OK && f.rows > 0)
		table_print(f.table, stdout, table_width(stdout));
	else if (code == CLI_OK)
		puts(l->nothing);
	table_free(f.table);
	return code;
}

int list_run(const struct list *l, int argc, char **argv)
{
	static const struct option options[] = {
		CONTROL_OPTIONS, {"device", required_argument, NULL, 'd'}, {0}};
	struct control_options o;
	json_t *request = json_pack("{s:s}", "cmd", l->command);
	int c, code = CLI_OK;

	control_defaults(&o);
	while (code == CLI_OK &&
	       (c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		if (c == 'd' && l->by_device)
			json_object_set_new(request, "device", json_string(optarg));
		else
			code = control_option(&o, c);
	}
	if (code < 0 || (code == CLI_OK && optind < argc))
		code = cli_usage(cli_find(l->command));
	if (code == CLI_OK)
		code = list_print(l, &o, request);
	json_decref(request);
	return code;
}
