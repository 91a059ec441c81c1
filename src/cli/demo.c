#include "cli/cli.h"

#include <getopt.h>
#include <stdlib.h>

#include "base/number.h"
#include "cli/demo.h"
#include "demo/demo.h"

#define SECONDS_MAX 86400

int cli_demo(int argc, char **argv)
{
	static const struct option options[] = {
		{"headless", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"seconds", required_argument, NULL, 's'},
		{0},
	};
	struct demo_options o = {.seconds = -1};
	uint64_t seconds;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			o.headless = true;
			break;
		case 'j':
			o.json = true;
			break;
		case 's':
			if (!number_read(optarg, 0, SECONDS_MAX, &seconds))
				return cli_usage(cli_find("demo"));
			o.seconds = (int)seconds;
			break;
		default:
			return cli_usage(cli_find("demo"));
		}
	}
	if (optind != argc)
		return cli_usage(cli_find("demo"));
	return demo_run(&o) ? CLI_FAILED : CLI_OK;
}
