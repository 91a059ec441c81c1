#include "unit.h"

#include <stdio.h>

#include "base/config.h"

/*
 * bedwarden.yaml(5) lists every option as the schema has it, between two
 * markers. UNIT_WRITE=1 in the environment puts the list there anew.
 */
#define PAGE  UNIT_SOURCE "/doc/man/bedwarden.yaml.5"
#define BEGIN ".\\\" options: begin, written by UNIT_WRITE=1 unit-options\n"
#define END   ".\\\" options: end\n"

struct listing {
	FILE *out;
	const char *section;
	unsigned options;
};

static void list_option(void *arg, const struct config_option *o)
{
	struct listing *l = arg;

	if (!l->section || strcmp(l->section, o->section) != 0) {
		if (l->section)
			fputs(".El\n", l->out);
		fprintf(l->out, ".Ss %s\n%s:\n.Bl -tag -width Ds\n",
			*o->section ? o->section : "top level", o->section_what);
		l->section = o->section;
	}
	fprintf(l->out, ".It Ic %s : %s", o->key, o->type);
	if (o->required)
		fputs(", required", l->out);
	else if (o->fallback)
		fprintf(l->out, ", default %s", *o->fallback ? o->fallback : "empty");
	fputc('\n', l->out);
	for (const char *s = o->what; *s; s++) {
		/* mdoc: a new sentence, a new line. */
		if (s[0] == ' ' && s > o->what && s[-1] == '.')
			fputc('\n', l->out);
		else
			fputc(*s, l->out);
	}
	fputc('\n', l->out);
	l->options++;
}

static char *read_page(void)
{
	FILE *f = fopen(PAGE, "r");
	char *page = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(page);
	assert_true(fread(page, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return page;
}

static void write_page(const char *page, const char *begin, const char *end, const char *list)
{
	FILE *f = fopen(PAGE, "w");

	assert_non_null(f);
	fwrite(page, 1, (size_t)(begin - page), f);
	fprintf(f, "%s%s%s", BEGIN, list, end);
	fclose(f);
}

static void the_manual_lists_every_option(void **state)
{
	struct listing l = {.section = NULL};
	char *page = read_page(), *list = NULL, *begin, *end;
	size_t len = 0;

	l.out = open_memstream(&list, &len);
	config_describe(list_option, &l);
	fputs(".El\n", l.out);
	fclose(l.out);
	assert_true(l.options > 50);
	begin = strstr(page, BEGIN);
	assert_non_null(begin);
	end = strstr(begin, END);
	assert_non_null(end);
	if (getenv("UNIT_WRITE"))
		write_page(page, begin, end, list);
	else if (strncmp(begin + strlen(BEGIN), list, len) != 0 ||
		 begin + strlen(BEGIN) + len != end)
		fail_msg(
			"bedwarden.yaml(5) differs from the schema; run UNIT_WRITE=1 unit-options");
	free(list);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_lists_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
