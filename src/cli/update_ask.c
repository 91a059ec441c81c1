/* `bedwarden update check|approve|hold|release|rollback`: asked of the gateway that runs. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "cli/update.h"

static const struct word {
	const char *verb, *call, *done;
	int words; /* behind it */
} words[] = {
	{"check", "update.check", "looked; 'bedwarden update status' says what is there", 0},
	{"approve", "update.approve", "approved", 1},
	{"hold", "update.hold", "updates are held: nothing is installed until they are released",
	 0},
	{"release", "update.release", "updates go on", 0},
	{"rollback", "update.rollback", "the release before this one is being started", 0},
};

struct asking {
	struct control_options control;
	const struct word *word;
};

static void print(void *arg, json_t *ok)
{
	const struct asking *a = arg;

	if (a->control.json) {
		json_dumpf(ok, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (*control_text(ok, "name")) {
		printf("%s: %s %s\n", a->word->done, control_text(ok, "name"),
		       control_text(ok, "version"));
	} else {
		puts(a->word->done);
	}
}

static int ask(struct asking *a, const char *name, const char *reason)
{
	json_t *args = json_object(), *request;
	int code;

	if (name)
		json_object_set_new(args, "name", json_string(name));
	if (reason)
		json_object_set_new(args, "reason", json_string(reason));
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
		{NULL},
	};
	struct asking a = {0};
	const char *reason = NULL;
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
			reason = optarg;
		else if (code < 0)
			return cli_usage(cli_find("update"));
	}
	if (!a.word || argc - optind != a.word->words)
		return cli_usage(cli_find("update"));
	return ask(&a, a.word->words ? argv[optind] : NULL, reason);
}
