#include "unit.h"

#include <stdio.h>

#include "guard/proto/proto.h"

/* doc/messages.md, whole. */
static char page[65536];

static int read_page(void **state)
{
	FILE *f = fopen(UNIT_SOURCE "/doc/messages.md", "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	page[n] = 0;
	return 0;
}

/* A protocol's row of the table; NULL where it has none. */
static char *row_of(const struct proto *p)
{
	static char row[2048];
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "\n| `%s` |", p->name);
	at = strstr(page, start);
	if (!at)
		return NULL;
	snprintf(row, sizeof(row), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	return row;
}

/* What the page says of a protocol's members is what a rule may say, no more and no less. */
static void every_member_is_named(void **state)
{
	unsigned rows = 0;

	for (unsigned i = 0; i < proto_count; i++) {
		const struct proto *p = protos[i];
		char *row = row_of(p), *member, *end;

		if (!row)
			continue;
		rows++;
		for (const struct proto_field *f = p->fields; *f->name; f++) {
			char item[64];

			snprintf(item, sizeof(item), "`%s`", f->name);
			if (f->flags & FIELD_MATCH && !strstr(row, item))
				fail_msg("%s: no word of %s", p->name, f->name);
		}
		row = strchr(row + 2, '|');
		*strchr(row + 1, '|') = 0;
		for (member = strchr(row, '`'); member; member = strchr(end + 1, '`')) {
			const struct proto_field *f;

			end = strchr(++member, '`');
			*end = 0;
			f = proto_field(p, member);
			if (!f || !(f->flags & FIELD_MATCH))
				fail_msg("%s: a rule cannot narrow %s", p->name, member);
		}
	}
	assert_true(rows >= 8);
}

/* An event takes a member's name as it stands: what is said of it must be so. */
static void names_are_what_is_said_of_them(void **state)
{
	for (unsigned i = 0; i < proto_count; i++)
		for (const struct proto_field *f = protos[i]->fields; *f->name; f++) {
			bool path = strchr(f->name, '.');

			assert_true(f->len < PROTO_KEY_MAX);
			assert_int_equal(f->len, strnlen(f->name, PROTO_KEY_MAX));
			if (path != !!(f->flags & FIELD_INNER) && !(f->flags & FIELD_SILENT))
				fail_msg("%s: %s is%s a path", protos[i]->name, f->name,
					 path ? "" : " not");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_is_named),
		cmocka_unit_test(names_are_what_is_said_of_them),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
