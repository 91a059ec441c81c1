#include "unit.h"

#include <stdio.h>
#include <time.h>

#include "cli/table.h"
#include "cli/text.h"

static char *clean(const char *s, size_t len)
{
	struct bytes in = unit_exact(s, len);
	char *out = text_clean((const char *)in.data, in.len);

	free((void *)in.data);
	return out;
}

static void nothing_moves_the_terminal(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{"monitor-12", "monitor-12"},
		{"Müller ↔ 監視", "Müller ↔ 監視"},
		{"a\033[31mb\033]0;x\007c", "a?[31mb?]0;x?c"},
		{"a\nb\rc\td\177e\bf", "a?b?c?d?e?f"},
		{"a\xc2\x9b"
		 "31mb",
		 "a?31mb"}, /* C1 CSI */
		{"a\xe2\x80\xae"
		 "b",
		 "a?b"}, /* right-to-left override */
		{"a\xe2\x81\xa6"
		 "b",
		 "a?b"}, /* isolate */
		{"a\xe2\x80\x8b"
		 "b",
		 "a?b"}, /* zero-width space */
		{"a\xff\xfe"
		 "b",
		 "a??b"}, /* no UTF-8 */
		{"a\xc0\xaf"
		 "b",
		 "a??b"},		   /* overlong */
		{"a\xed\xa0\x80", "a???"}, /* surrogate */
		{"a\xe2\x82", "a??"},	   /* cut short */
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *out = clean(cases[i].in, strlen(cases[i].in));

		assert_string_equal(out, cases[i].out);
		free(out);
	}
}

static void a_zero_is_one_more_character(void **state)
{
	char *out = clean("a\0b", 3);

	assert_string_equal(out, "a?b");
	free(out);
}

static void widths_are_what_a_terminal_shows(void **state)
{
	int columns;

	assert_int_equal(text_width("Müller"), 6);
	assert_int_equal(text_width("監視"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1); /* combining accent */
	assert_int_equal(text_fit("監視", 3, &columns), 3);
	assert_int_equal(columns, 2);
}

/* What a table of two columns looks like; the caller's to free. */
static char *render(const char *const *cells, size_t count, int width)
{
	static const struct table_column columns[] = {
		{"NAME", false}, {"N", true}, {"WHAT", false}};
	struct table *t = table_new(columns, 3);
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	for (size_t i = 0; i < count; i++)
		table_cell(t, cells[i]);
	table_print(t, f, width);
	fclose(f);
	table_free(t);
	return out;
}

static void columns_are_aligned(void **state)
{
	static const char *const cells[] = {"監視", "7", "one", "b", "1234", NULL};
	char *out = render(cells, 6, 0);

	assert_string_equal(out, "NAME     N  WHAT\n"
				 "監視     7  one\n"
				 "b     1234  \n");
	free(out);
}

static void the_last_column_is_wrapped(void **state)
{
	static const char *const cells[] = {
		"pump-1", "7", "This device tried a connection that its profile does not list."};
	char *out = render(cells, 3, 40);

	assert_string_equal(out, "NAME    N  WHAT\n"
				 "pump-1  7  This device tried a\n"
				 "           connection that its profile\n"
				 "           does not list.\n");
	free(out);
}

static void or_goes_below_where_there_is_no_room(void **state)
{
	static const char *const cells[] = {"a-very-long-name", "7",
					    "This device tried a connection that it may not."};
	char *out = render(cells, 3, 40);

	assert_string_equal(out, "NAME              N\n"
				 "    WHAT\n"
				 "a-very-long-name  7\n"
				 "    This device tried a connection that\n"
				 "    it may not.\n");
	free(out);
}

/* One word wider than the terminal, and a terminal narrower than any character. */
static void a_long_word_is_cut(void **state)
{
	static const char *const cells[] = {"x", "1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	char *out = render(cells, 3, 36);

	assert_non_null(strstr(out, "aaaaaaaaaaaa\n"));
	free(out);
	out = render(cells, 3, 1);
	assert_non_null(strstr(out, "a"));
	free(out);
}

static void an_empty_table_is_its_heads(void **state)
{
	char *out = render(NULL, 0, 80);

	assert_string_equal(out, "NAME  N  WHAT\n");
	free(out);
}

static void times_are_short(void **state)
{
	char text[TEXT_SHORT];
	time_t now = time(NULL);
	struct tm tm;
	char eve[64], expect[32];

	localtime_r(&now, &tm);
	strftime(expect, sizeof(expect), "%H:%M:%S", &tm);
	gmtime_r(&now, &tm);
	strftime(eve, sizeof(eve), "%Y-%m-%dT%H:%M:%S.000000+0000", &tm);
	assert_string_equal(text_time(eve, text), expect);
	assert_string_equal(text_time("2001-06-15T12:00:00.0+0000", text), "15 Jun 2001");
	assert_string_equal(text_time("nonsense", text), "");
	assert_string_equal(text_time(NULL, text), "");
}

static void numbers_are_for_people(void **state)
{
	char t[TEXT_SHORT];

	assert_string_equal(text_bytes(999, t), "999 bytes");
	assert_string_equal(text_bytes(12345, t), "12.3 kB");
	assert_string_equal(text_bytes(UINT64_MAX, t), "18.4 EB");
	assert_string_equal(text_span(59, t), "59 s");
	assert_string_equal(text_span(86400 + 7200, t), "1 day 2 h");
	assert_string_equal(text_span(UINT64_MAX, t), "213503982334601 days 7 h");
	assert_string_equal(text_count(0, t), "0");
	assert_string_equal(text_count(999, t), "999");
	assert_string_equal(text_count(1234567, t), "1,234,567");
	assert_string_equal(text_count(UINT64_MAX, t), "18,446,744,073,709,551,615");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_moves_the_terminal),
		cmocka_unit_test(a_zero_is_one_more_character),
		cmocka_unit_test(widths_are_what_a_terminal_shows),
		cmocka_unit_test(columns_are_aligned),
		cmocka_unit_test(the_last_column_is_wrapped),
		cmocka_unit_test(or_goes_below_where_there_is_no_room),
		cmocka_unit_test(a_long_word_is_cut),
		cmocka_unit_test(an_empty_table_is_its_heads),
		cmocka_unit_test(times_are_short),
		cmocka_unit_test(numbers_are_for_people),
	};

	text_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
