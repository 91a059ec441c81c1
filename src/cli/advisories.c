/* `bedwarden update advisories`: which devices known weaknesses concern, and what to do. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/survey.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/update.h"

struct listing {
	struct survey_options survey;
	const char *device, *advisory; /* NULL all */
	bool all;
};

static const struct option options[] = {
	CONTROL_OPTIONS,
	{"advisories", required_argument, NULL, 'A'},
	{"devices", required_argument, NULL, 'D'},
	{"device", required_argument, NULL, 'd'},
	{"advisory", required_argument, NULL, 'a'},
	{"state-dir", required_argument, NULL, 's'},
	{"all", no_argument, NULL, 'l'},
	{NULL},
};

static const struct table_column columns[] = {
	{"DEVICE", false}, {"ADVISORY", false}, {"SCORE", true},
	{"IS IT", false},  {"HOW SURE", false}, {"WHAT TO DO", false},
};

/* Words for a person, of those for programs. */
static const char *in_words(const char *word)
{
	static const struct {
		const char *word, *words;
	} known[] = {
		{"affected", "affected"},
		{"cannot_tell", "cannot tell"},
		{"under_investigation", "being investigated"},
		{"fixed", "fixed"},
		{"not_affected", "not affected"},
		{"identifier", "same identifier"},
		{"name_and_version", "same name and version"},
		{"name", "same name"},
		{"part_of_name", "part of the name"},
		{"update", "update"},
		{"shield", "shield it: no update is named"},
		{"shielded", "shielded; update once there is one"},
		{"enforce_shield", "its shield is rehearsed: enforce it"},
		{"look", "look: the advisory or the policy says too little"},
		{"wait", "wait for the maker's word"},
		{"nothing", "nothing"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].word, word) == 0)
			return known[i].words;
	return word;
}

static bool is_wanted(const struct listing *l, const json_t *row)
{
	const char *todo = control_text(row, "do");

	if (l->device && strcmp(l->device, control_text(row, "device")) != 0)
		return false;
	if (l->advisory && strcmp(l->advisory, control_text(row, "advisory")) != 0)
		return false;
	return l->all || l->advisory ||
	       (strcmp(todo, "nothing") != 0 && strcmp(todo, "accepted") != 0);
}

static void say_todo(const json_t *row, char *ret_text, size_t size)
{
	const json_t *accepted = json_object_get(row, "accepted");
	const json_t *fixed = json_array_get(json_object_get(row, "fixed_in"), 0);

	if (accepted)
		snprintf(ret_text, size, "accepted until %.20s: %.200s",
			 control_text(accepted, "until"), control_text(accepted, "reason"));
	else if (strcmp(control_text(row, "do"), "update") == 0 && fixed)
		snprintf(ret_text, size, "update to %.80s", json_string_value(fixed));
	else
		snprintf(ret_text, size, "%s", in_words(control_text(row, "do")));
}

static void say_score(const json_t *row, char ret_text[8])
{
	const json_t *score = json_object_get(row, "score");

	*ret_text = 0;
	if (score)
		snprintf(ret_text, 8, "%.1f", json_number_value(score));
}

static void print_table(const json_t *rows)
{
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		char score[8], todo[320];

		say_score(row, score);
		say_todo(row, todo, sizeof(todo));
		table_cell(t, control_text(row, "device"));
		table_cell(t, control_text(row, "advisory"));
		table_cell(t, score);
		table_cell(t, in_words(control_text(row, "status")));
		table_cell(t, in_words(control_text(row, "certainty")));
		table_cell(t, todo);
	}
	table_print(t, stdout, table_width(stdout));
	table_free(t);
}

/* Whatever an advisory says, it moves no terminal. */
static void line(const char *indent, const char *label, const char *text)
{
	char *clean;

	if (!*text)
		return;
	clean = text_clean(text, strlen(text));
	printf("%s%s%s\n", indent, label, clean);
	free(clean);
}

static void print_list(const json_t *row, const char *key, const char *head, const char *label,
		       const char *text)
{
	const json_t *list = json_object_get(row, key), *o;
	size_t i;

	if (!json_array_size(list))
		return;
	printf("  %s\n", head);
	json_array_foreach (list, i, o) {
		char both[700];

		if (*label)
			snprintf(both, sizeof(both), "%.60s: %.600s", control_text(o, label),
				 control_text(o, text));
		else
			snprintf(both, sizeof(both), "%.690s", control_text(o, text));
		line("    ", "", both);
	}
}

static void print_whole(const json_t *row)
{
	const json_t *hint = json_object_get(row, "shield_hint");
	char todo[320], score[8];

	say_todo(row, todo, sizeof(todo));
	say_score(row, score);
	line("", "", control_text(row, "device"));
	line("  ", "", control_text(row, "title"));
	line("  ", "advisory: ", control_text(row, "advisory"));
	line("  ", "see: ", control_text(row, "url"));
	line("  ", "is it: ", in_words(control_text(row, "status")));
	line("  ", "how sure: ", in_words(control_text(row, "certainty")));
	line("  ", "score: ", score);
	line("  ", "what to do: ", todo);
	print_list(row, "evidence", "why:", "", "text");
	print_list(row, "vulnerabilities", "vulnerabilities:", "id", "status");
	print_list(row, "remedies", "what its publisher says:", "category", "details");
	print_list(row, "disagrees", "where it disagrees with itself:", "name", "text");
	if (hint) {
		line("  ", "it names ports: ", control_text(hint, "because"));
		line("  ", "a shield to rehearse: ", control_text(hint, "command"));
	}
	putchar('\n');
}

static void print_notes(const struct survey *s)
{
	const json_t *o;
	size_t i;

	json_array_foreach (s->notes, i, o)
		line("note: ", "", json_string_value(o) ? json_string_value(o) : "");
	json_array_foreach (s->refusals, i, o) {
		char both[700];

		snprintf(both, sizeof(both), "%.400s: %.250s", control_text(o, "file"),
			 control_text(o, "why"));
		line("not read: ", "", both);
	}
}

static int print(const struct listing *l, const struct survey *s)
{
	json_t *rows = json_array(), *row, *whole;
	size_t i;

	json_array_foreach (s->matches, i, row)
		if (is_wanted(l, row))
			json_array_append(rows, row);
	if (l->survey.control.json) {
		whole = json_pack("{s:I, s:I, s:O, s:O, s:O}", "devices", (json_int_t)s->devices,
				  "advisories", (json_int_t)s->advisories, "matches", rows, "notes",
				  s->notes, "refused", s->refusals);
		json_dumpf(whole, stdout,
			   JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(4));
		putchar('\n');
		json_decref(whole);
	} else if (l->advisory || (l->device && json_array_size(rows) <= 20)) {
		json_array_foreach (rows, i, row)
			print_whole(row);
	} else if (json_array_size(rows)) {
		print_table(rows);
	} else {
		printf("None of %zu advisories asks for anything at any of %zu devices.\n",
		       s->advisories, s->devices);
	}
	if (!l->survey.control.json)
		print_notes(s);
	json_decref(rows);
	return CLI_OK;
}

int update_cli_advisories(int argc, char **argv)
{
	struct listing l = {.all = false};
	struct survey s;
	int c, code;

	control_defaults(&l.survey.control);
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		if (c == 'c')
			l.survey.config = optarg;
		else if (c == 'A')
			l.survey.advisories = optarg;
		else if (c == 'D')
			l.survey.devices = optarg;
		else if (c == 'd')
			l.device = optarg;
		else if (c == 'a')
			l.advisory = optarg;
		else if (c == 's')
			l.survey.state_dir = optarg;
		else if (c == 'l')
			l.all = true;
		else if (c == 'S' && control_option(&l.survey.control, c) == CLI_OK)
			l.survey.socket_given = true;
		else if (control_option(&l.survey.control, c) != CLI_OK)
			return cli_usage(cli_find("update"));
	}
	if (optind != argc)
		return cli_usage(cli_find("update"));
	code = survey_make(&l.survey, &s);
	if (code != CLI_OK)
		return code;
	code = print(&l, &s);
	survey_free(&s);
	return code;
}
