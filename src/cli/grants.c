#include "cli/list.h"
#include "cli/text.h"

static const struct table_column columns[] = {
	{"PERSON", false}, {"DEVICE", false}, {"SERVICE", false}, {"UNTIL", false}, {"WHY", false},
};

static void add_row(void *arg, json_t *grant)
{
	char until[TEXT_SHORT];

	table_cell(arg, control_text(grant, "person"));
	table_cell(arg, control_text(grant, "device"));
	table_cell(arg, control_text(grant, "service"));
	table_cell(arg, text_time(control_text(grant, "until"), until));
	table_cell(arg, control_text(grant, "why"));
}

int cli_grants(int argc, char **argv)
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
