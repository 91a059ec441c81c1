#include "unit.h"

#include <stdio.h>

#include "base/config.h"
#include "base/reason.h"

/*
 * What the code declares in one table, a page lists as it is there, between two markers:
 * bedwarden.yaml(5) every option of the schema, doc/reasons.md every reason. UNIT_WRITE=1 in the
 * environment puts the lists there anew.
 */
struct page {
	const char *path, *begin, *end;
};
static const struct page options_page = {
	UNIT_SOURCE "/doc/man/bedwarden.yaml.5",
	".\\\" options: begin, written by UNIT_WRITE=1 unit-options\n",
	".\\\" options: end\n",
};
static const struct page reasons_page = {
	UNIT_SOURCE "/doc/reasons.md",
	"<!-- reasons: begin, written by UNIT_WRITE=1 unit-options -->\n",
	"<!-- reasons: end -->\n",
};

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

static char *read_page(const struct page *p)
{
	FILE *f = fopen(p->path, "r");
	char *page = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(page);
	assert_true(fread(page, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return page;
}

static void write_page(const struct page *p, const char *page, const char *begin, const char *end,
		       const char *list)
{
	FILE *f = fopen(p->path, "w");

	assert_non_null(f);
	fwrite(page, 1, (size_t)(begin - page), f);
	fprintf(f, "%s%s%s", p->begin, list, end);
	fclose(f);
}

static void check_page(const struct page *p, const char *list)
{
	char *page = read_page(p), *begin, *end;
	size_t len = strlen(list);

	begin = strstr(page, p->begin);
	assert_non_null(begin);
	end = strstr(begin, p->end);
	assert_non_null(end);
	if (getenv("UNIT_WRITE"))
		write_page(p, page, begin, end, list);
	else if (strncmp(begin + strlen(p->begin), list, len) != 0 ||
		 begin + strlen(p->begin) + len != end)
		fail_msg("%s differs from the code; run UNIT_WRITE=1 unit-options", p->path);
	free(page);
}

static void the_manual_lists_every_option(void **state)
{
	struct listing l = {.section = NULL};
	char *list = NULL;
	size_t len = 0;

	l.out = open_memstream(&list, &len);
	config_describe(list_option, &l);
	fputs(".El\n", l.out);
	fclose(l.out);
	assert_true(l.options > 50);
	check_page(&options_page, list);
	free(list);
}

static void a_page_lists_every_reason(void **state)
{
	char *list = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&list, &len);

	fputs("| reason | what it means |\n|---|---|\n", out);
	for (unsigned r = REASON_NONE + 1; r < REASON_COUNT; r++)
		if (strncmp(reason_name(r), "spare.", 6) != 0)
			fprintf(out, "| `%s` | %s |\n", reason_name(r), reason_sentence(r));
	fclose(out);
	check_page(&reasons_page, list);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_lists_every_option),
		cmocka_unit_test(a_page_lists_every_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
