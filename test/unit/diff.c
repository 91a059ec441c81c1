#include "unit.h"

#include <stdio.h>

#include "base/diff.h"

static char *diff(const char *a, const char *b)
{
	struct bytes x = unit_exact(a, strlen(a)), y = unit_exact(b, strlen(b));
	char *text = diff_unified(x, y);

	free((void *)x.data);
	free((void *)y.data);
	assert_non_null(text);
	return text;
}

static void check(const char *a, const char *b, const char *want)
{
	char *was = diff(a, b);

	assert_string_equal(was, want);
	free(was);
}

static void what_differs_is_shown(void **state)
{
	check("", "", "");
	check("a\nb\n", "a\nb\n", "");
	check("", "a\n", "@@ -0,0 +1,1 @@\n+a\n");
	check("a\n", "", "@@ -1,1 +0,0 @@\n-a\n");
	check("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	check("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
	      "@@ -7,3 +7,4 @@\n 7\n 8\n 9\n+10\n");
	check("a\n2\n3\n4\n5\n6\n7\n8\n9\nb\n", "x\n2\n3\n4\n5\n6\n7\n8\n9\ny\n",
	      "@@ -1,4 +1,4 @@\n-a\n+x\n 2\n 3\n 4\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-b\n+y\n");
	check("no end", "no end\nmore", "@@ -1,1 +1,2 @@\n no end\n+more\n");
}

/* Applies what diff_unified() says to `a`: it must give `b`. */
static char *apply(const char *a, const char *patch)
{
	char *out = calloc(1, strlen(a) + strlen(patch) + 1);
	long line = 1, from, count, to, n;

	while (*patch) {
		assert_int_equal(sscanf(patch, "@@ -%ld,%ld +%ld,%ld @@", &from, &count, &to, &n),
				 4);
		patch = strchr(patch, '\n') + 1;
		if (count == 0)
			from++;
		for (; line < from; line++) {
			size_t len = strcspn(a, "\n") + 1;

			strncat(out, a, len);
			a += len;
		}
		while (*patch && *patch != '@') {
			size_t len = strcspn(patch, "\n") + 1;

			if (*patch != '+') {
				assert_memory_equal(patch + 1, a, len - 1);
				a += len - 1;
				line++;
			}
			if (*patch != '-')
				strncat(out, patch + 1, len - 1);
			patch += len;
		}
	}
	strcat(out, a);
	return out;
}

static void make(char *text, unsigned lines, unsigned kinds)
{
	*text = 0;
	for (unsigned i = 0; i < lines; i++)
		sprintf(text + strlen(text), "line %d\n", rand() % (int)kinds);
}

static void it_leads_from_one_to_the_other(void **state)
{
	char a[4096], b[4096], *patch, *made;

	srand(7);
	for (unsigned i = 0; i < 2000; i++) {
		make(a, (unsigned)rand() % 40, 1 + (unsigned)rand() % 12);
		make(b, (unsigned)rand() % 40, 1 + (unsigned)rand() % 12);
		patch = diff(a, b);
		made = apply(a, patch);
		assert_string_equal(made, b);
		free(made);
		free(patch);
	}
}

static void much_is_replaced_whole(void **state)
{
	size_t size = 20 * 4 * DIFF_EDITS;
	char *a = calloc(1, size), *b = calloc(1, size), *patch, *made, *at = a, *bt = b;

	for (unsigned i = 0; i < 2 * DIFF_EDITS; i++) {
		at += sprintf(at, "a %u\n", i);
		bt += sprintf(bt, "b %u\n", i);
	}
	patch = diff(a, b);
	made = apply(a, patch);
	assert_string_equal(made, b);
	free(made);
	free(patch);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_differs_is_shown),
		cmocka_unit_test(it_leads_from_one_to_the_other),
		cmocka_unit_test(much_is_replaced_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
