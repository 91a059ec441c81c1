#include "cli/update.h"

#include <string.h>

#include "cli/cli.h"

static const struct update_verb verbs[] = {
	{"import", update_cli_import},
	{"advisories", update_cli_advisories},
	{"shield", update_cli_shield},
	{"accept", update_cli_accept},
	{"withdraw", update_cli_withdraw},
	{"status", update_cli_status},
	{"check", update_cli_ask},
	{"approve", update_cli_ask},
	{"hold", update_cli_ask},
	{"release", update_cli_ask},
	{"rollback", update_cli_ask},
	{"done", update_cli_ask},
	{0},
};

int cli_update(int argc, char **argv)
{
	for (const struct update_verb *v = verbs; argc > 1 && v->name; v++)
		if (strcmp(v->name, argv[1]) == 0)
			return v->run(argc - 1, argv + 1);
	return cli_usage(cli_find("update"));
}
