/* `bedwarden update check|approve|hold|release|rollback|done`: asked of the gateway that runs. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "cli/update.h"

static const struct word {
	const char *verb, *call, *done;
	const char *of;	 /* what is done to a rollout that is named; NULL none can be */
	int least, most; /* words behind it */
} words[] = {
	{"check", "update.check", "looked; 'bedwarden update status' says what is there", NULL, 0,
	 0},
	{"approve", "update.approve", "approved", "approved", 1, 1},
	{"hold", "update.hold", "updates are held: nothing is installed until they are released",
	 "held: no further device is begun with", 0, 1},
	{"release", "update.release", "updates go on", "goes on", 0, 1},
	{"rollback", "update.rollback", "the release before this one is being started",
	 "every device goes back to what it had", 0, 1},
	{"done", "update.done", "noted", "noted", 2, 2},
};

struct asking {
	struct control_options control;
	const struct word *word;
	const char *name, *device, *reason;
	bool failed;
};

static void print(void *arg, json_t *ok)
{
	const struct asking *a = arg;

	if (a->control.json) {
		json_dumpf(ok, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (*control_text(ok, "name")) {
		printf("%s: %s %s\n", a->word->of ? a->word->of : a->word->done,
		       control_text(ok, "name"), control_text(ok, "version"));
	} else {
		puts(a->word->done);
	}
}

static int ask(struct asking *a)
{
	json_t *args = json_pack("{s:s*, s:s*, s:s*}", "name", a->name, "device", a->device,
				 "reason", a->reason),
	       *request;
	int code;

	if (args && a->failed)
		json_object_set_new(args, "failed", json_true());
	request = json_pack("{s:s, s:s, s:o}", "call", a->word->call, "operator",
			    control_operator(), "args", args);
	if (!request)
		return cli_fail("out of memory, or a text that is no UTF-8");
	code = control_ask(&a->control, request, false, print, a);
	json_decref(request);
	return code;
}

int update_cli_ask(int argc, char **argv)
{
	static const struct option options[] = {
		CONTROL_OPTIONS,
		{"reason", required_argument, NULL, 'r'},
		{"failed", no_argument, NULL, 'f'},
		{NULL},
	};
	struct asking a = {0};
	int c, code;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(argv[0], words[i].verb) == 0)
			a.word = &words[i];
	control_defaults(&a.control);
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		code = control_option(&a.control, c);
		if (code > 0)
			return code;
		if (c == 'r')
			a.reason = optarg;
		else if (c == 'f')
			a.failed = true;
		else if (code < 0)
			return cli_usage(cli_find("update"));
	}
	if (!a.word || argc - optind < a.word->least || argc - optind > a.word->most ||
	    (a.failed && a.word->most < 2))
		return cli_usage(cli_find("update"));
	a.name = argc > optind ? argv[optind] : NULL;
	a.device = argc > optind + 1 ? argv[optind + 1] : NULL;
	return ask(&a);
}
