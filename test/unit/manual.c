#include "unit.h"

#include <ctype.h>

#include <stdio.h>

#include "cli/cli.h"

/* bedwarden(8), whole. */
static char page[131072];

static int read_page(void **state)
{
	FILE *f = fopen(UNIT_SOURCE "/doc/man/bedwarden.8", "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	page[n] = 0;
	assert_true(n > 1000);
	return 0;
}

static void every_command_is_described(void **state)
{
	char item[64];

	for (const struct cli_command *c = cli_commands; c->name; c++) {
		if (!c->what)
			continue;
		snprintf(item, sizeof(item), "\n.It Cm %s ", c->name);
		if (!strstr(page, item))
			fail_msg("bedwarden(8) does not describe '%s'", c->name);
	}
}

/* An option of a usage line, "-c" or "--json", as mdoc writes it: "Fl c", "Fl -json". */
static void check_option(const char *command, const char *option, size_t len)
{
	char flag[64];

	snprintf(flag, sizeof(flag), "Fl %.*s", (int)len - 1, option + 1);
	if (!strstr(page, flag))
		fail_msg("bedwarden(8) does not name %.*s of '%s'", (int)len, option, command);
}

static void every_option_is_named(void **state)
{
	unsigned checked = 0;

	for (const struct cli_command *c = cli_commands; c->name; c++) {
		if (!c->what)
			continue;
		for (const char *s = c->usage; (s = strchr(s, '-')) != NULL;) {
			size_t len = strcspn(s, " ]|");

			/* "break-glass" is a word, no option. */
			if (s == c->usage || !isalpha((unsigned char)s[-1])) {
				check_option(c->name, s, len);
				checked++;
			}
			s += len;
		}
	}
	assert_true(checked > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_described),
		cmocka_unit_test(every_option_is_named),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
