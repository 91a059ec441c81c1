#include "cli/cli.h"

#include <getopt.h>
#include <unistd.h>

#include "base/config.h"
#include "role/parent.h"

int cli_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"unload", no_argument, NULL, 'u'},
		{0},
	};
	struct parent_options o = {.config_file = BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"};
	int c;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.config_file = optarg;
			break;
		case 'u':
			o.unload = true;
			break;
		default:
			return cli_usage(cli_find("run"));
		}
	}
	if (optind != argc)
		return cli_usage(cli_find("run"));
	if (geteuid() != 0)
		return cli_fail("run: guarding ports needs root; run it as root, or inside "
				"'unshare -Urn' to try it out");
	return parent_run(&o) == 0 ? CLI_OK : CLI_FAILED;
}
