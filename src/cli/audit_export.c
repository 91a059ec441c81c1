#include "cli/audit.h"

int audit_export(int argc, char **argv)
{
	return cli_usage(cli_find("audit"));
}
