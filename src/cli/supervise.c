#include "cli/cli.h"

#include <getopt.h>
#include <unistd.h>

#include "role/supervisor.h"

#define UPDATES_DIR "/var/lib/bedwarden-updates" /* as updates.dir of the policy file */

int cli_supervise(int argc, char **argv)
{
	static const struct option options[] = {
		{"updates", required_argument, NULL, 'u'},
		{0},
	};
	struct supervisor_options o = {.config_file = BEDWARDEN_SYSCONFDIR "/bedwarden.yaml",
				       .updates_dir = UPDATES_DIR};
	int c;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (c == 'c')
			o.config_file = optarg;
		else if (c == 'u')
			o.updates_dir = optarg;
		else
			return cli_usage(cli_find("supervise"));
	}
	if (optind != argc)
		return cli_usage(cli_find("supervise"));
	if (geteuid() != 0)
		return cli_fail("supervise: guarding ports needs root; run it as root");
	return supervisor_run(&o) == 0 ? CLI_OK : CLI_FAILED;
}
