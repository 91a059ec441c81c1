#include "unit.h"

#include <stdio.h>

#include "cli/cli.h"
#include "people/console/api.h"
#include "people/role.h"
#include "role/call.h"

/*
 * doc/api.md's table of commands and calls: every command and every verb of its usage line stands
 * there, with a call that exists, or with the reason why there is none; who may call it, and whether
 * that takes a fresh factor, is as the keeper has it. UNIT_WRITE=1 writes these two columns anew.
 */
#define DOC   UNIT_SOURCE "/doc/api.md"
#define BEGIN "| command | call | who | fresh factor |\n|---|---|---|---|\n"

static char page[65536];
static char *table; /* its first row */

static int read_page(void **state)
{
	FILE *f = fopen(DOC, "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	page[n] = 0;
	table = strstr(page, BEGIN);
	assert_non_null(table);
	table += strlen(BEGIN);
	return 0;
}

struct row {
	char command[64], call[256], who[128], fresh[16];
	size_t len; /* of the whole line */
};

/* The n-th cell of a line, without the spaces and backticks around it. */
static void take_cell(const char **at, char *ret_text, size_t size)
{
	const char *s = *at + 1, *end = strchr(s, '|');
	size_t len;

	assert_non_null(end);
	*at = end;
	while (*s == ' ' || *s == '`')
		s++;
	while (end > s &&
	       (end[-1] == ' ' || (end[-1] == '`' && !memchr(s, '`', (size_t)(end - 1 - s)))))
		end--;
	len = (size_t)(end - s);
	assert_true(len < size);
	memcpy(ret_text, s, len);
	ret_text[len] = 0;
}

static bool next_row(const char *at, struct row *r)
{
	const char *line = at;

	if (*at != '|')
		return false;
	take_cell(&at, r->command, sizeof(r->command));
	take_cell(&at, r->call, sizeof(r->call));
	take_cell(&at, r->who, sizeof(r->who));
	take_cell(&at, r->fresh, sizeof(r->fresh));
	assert_int_equal(at[1], '\n');
	r->len = (size_t)(at + 2 - line);
	return true;
}

static bool stands(const char *command)
{
	struct row r;

	for (const char *at = table; next_row(at, &r); at += r.len)
		if (strcmp(r.command, command) == 0)
			return true;
	return false;
}

/* The words that an alternative of a usage line begins with, "a|b|c"; where they end. */
static const char *words(const struct cli_command *c, const char *s,
			 void (*fn)(const char *command))
{
	char text[96];

	if (*s < 'a' || *s > 'z')
		fn(c->name);
	while (*s >= 'a' && *s <= 'z') {
		size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz-");

		snprintf(text, sizeof(text), "%s %.*s", c->name, (int)len, s);
		fn(text);
		s += len + (s[len] == '|');
	}
	return s;
}

/* Calls fn for every "command verb", or for the command where it has none. What stands behind a
 * semicolon is of all of them. */
static void each_verb(const struct cli_command *c, void (*fn)(const char *command))
{
	const char *s = words(c, c->usage, fn);

	for (int depth = 0; *s && *s != ';';) {
		if (depth == 0 && strncmp(s, " | ", 3) == 0) {
			s = words(c, s + 3, fn);
			continue;
		}
		depth += (*s == '[') - (*s == ']');
		s++;
	}
}

static unsigned verbs;

static void check_verb(const char *command)
{
	char whole[64];

	verbs++;
	snprintf(whole, sizeof(whole), "%.*s", (int)strcspn(command, " "), command);
	/* A reason may be that of the whole command. */
	if (!stands(command) && !stands(whole))
		fail_msg("doc/api.md does not say by which call '%s' is reached, or why by none",
			 command);
}

static void every_verb_has_a_call_or_a_reason(void **state)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (c->what)
			each_verb(c, check_verb);
	assert_true(verbs > 70);
}

static const char *sought;
static bool seen;

static void look_verb(const char *command)
{
	size_t len = strlen(sought);

	seen |= strncmp(command, sought, len) == 0 && (command[len] == 0 || command[len] == ' ');
}

static void every_row_is_a_command(void **state)
{
	struct row r;

	for (const char *at = table; next_row(at, &r); at += r.len) {
		sought = r.command;
		seen = false;
		for (const struct cli_command *c = cli_commands; c->name; c++)
			if (c->what)
				each_verb(c, look_verb);
		if (!seen)
			fail_msg("doc/api.md names '%s', which is no command", r.command);
	}
}

static const struct call_row *find_call(const char *name)
{
	const struct call_row *const *tables;
	size_t count = call_tables(&tables);

	for (size_t i = 0; i < count; i++)
		for (const struct call_row *c = tables[i]; c->name; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

static void name_roles(unsigned roles, char ret_text[128])
{
	size_t len = 0;

	*ret_text = 0;
	if (roles == PEOPLE_ALL || roles == PEOPLE_HOUSE) {
		snprintf(ret_text, 128, "%s", roles == PEOPLE_ALL ? "all" : "all but vendors");
		return;
	}
	for (unsigned i = 0; i < PEOPLE_ROLE_COUNT; i++)
		if (roles & PEOPLE_ONLY(i))
			len += (size_t)snprintf(ret_text + len, 128 - len, "%s%s", len ? ", " : "",
						people_role_name((enum people_role)i));
}

/* Of a row with a call: its line as it has to be. */
static void write_row(const struct row *r, FILE *out)
{
	const struct call_row *c = find_call(r->call);
	char who[128];

	assert_non_null(c);
	name_roles(c->roles, who);
	fprintf(out, "| `%s` | `%s` | %s | %s |\n", r->command, r->call, who,
		c->step_up ? "yes" : "");
}

static bool is_local(const struct row *r)
{
	static const char why[] = "on the box: ";

	return strncmp(r->call, why, sizeof(why) - 1) == 0 && strlen(r->call) > sizeof(why) + 5;
}

static void write_anew(void)
{
	FILE *out = fopen(DOC, "w");
	const char *at = table;
	struct row r;

	assert_non_null(out);
	fwrite(page, 1, (size_t)(table - page), out);
	for (; next_row(at, &r); at += r.len)
		if (is_local(&r))
			fwrite(at, 1, r.len, out);
		else
			write_row(&r, out);
	fputs(at, out);
	fclose(out);
	read_page(NULL);
}

static void every_call_is_there_for_whom_it_says(void **state)
{
	struct row r;

	if (getenv("UNIT_WRITE"))
		write_anew();
	for (const char *at = table; next_row(at, &r); at += r.len) {
		const struct call_row *c = find_call(r.call);
		char path[API_PATH_MAX], who[128];

		if (is_local(&r))
			continue;
		if (!c || c->on_box ||
		    !api_find(api_path(&(struct api_route){.call = r.call}, path)))
			fail_msg("doc/api.md: '%s': there is no call '%s'", r.command, r.call);
		name_roles(c->roles, who);
		if (strcmp(who, r.who) != 0 || (strcmp(r.fresh, "yes") == 0) != c->step_up)
			fail_msg("doc/api.md: '%s' is for %s%s; UNIT_WRITE=1 corrects it", r.call,
				 who, c->step_up ? ", with a fresh factor" : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_has_a_call_or_a_reason),
		cmocka_unit_test(every_row_is_a_command),
		cmocka_unit_test(every_call_is_there_for_whom_it_says),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
