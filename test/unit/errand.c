#include "unit.h"

#include <stdio.h>

#include "role/errand.h"

/* The words that come of an order, with spaces; "" none. */
static void words_of(const char *order, char ret_text[4096])
{
	struct bytes exact = unit_exact(order, strlen(order));
	static struct errand_words w;
	size_t len = 0;

	*ret_text = 0;
	if (errand_words(exact, "/etc/p.yaml", &w))
		for (unsigned i = 0; i < w.count; i++)
			len += (size_t)snprintf(ret_text + len, 4096 - len, "%s%s", i ? " " : "",
						w.word[i]);
	if (len)
		assert_null(w.word[w.count]);
	free((void *)exact.data);
}

static void orders_become_commands(void **state)
{
	static const struct {
		const char *order, *want;
	} cases[] = {
		{"{\"do\":\"report\",\"framework\":\"csf\",\"days\":7}",
		 "report csf --json --days 7 -c /etc/p.yaml"},
		{"{\"do\":\"report\",\"framework\":\"hipaa\",\"days\":3650,\"html\":true}",
		 "report hipaa --days 3650 -c /etc/p.yaml"},
		{"{\"do\":\"learn\",\"wards\":[]}", "policy learn -c /etc/p.yaml"},
		{"{\"do\":\"learn\",\"wards\":[\"10.1.0.0/16\",\"fd00::/64\"]}",
		 "policy learn -w 10.1.0.0/16 -w fd00::/64 -c /etc/p.yaml"},
		{"{\"do\":\"import\"}", "update import --json - -c /etc/p.yaml"},
		/* A keeper in foreign hands has no word of its own in a command that root runs. */
		{"{\"do\":\"import\",\"wards\":[\"-d\"],\"name\":\"/etc\"}",
		 "update import --json - -c /etc/p.yaml"},
		{"{\"do\":\"learn\",\"wards\":[\"-o/etc/shadow\"]}", ""},
		{"{\"do\":\"learn\",\"wards\":[\"10.0.0.0/8 -o x\"]}", ""},
		{"{\"do\":\"learn\",\"wards\":[1]}", ""},
		{"{\"do\":\"report\",\"framework\":\"hipaa -o /etc/x\",\"days\":7}", ""},
		{"{\"do\":\"report\",\"framework\":\"-o\",\"days\":7}", ""},
		{"{\"do\":\"report\",\"framework\":\"csf\",\"days\":0}", ""},
		{"{\"do\":\"report\",\"framework\":\"csf\",\"days\":3651}", ""},
		{"{\"do\":\"report\",\"framework\":\"csf\",\"days\":\"7\"}", ""},
		{"{\"do\":\"report\",\"framework\":\"csf\"}", ""},
		{"{\"do\":\"run\"}", ""},
		{"{\"do\":\"vault\"}", ""},
		{"{\"do\":[\"import\"]}", ""},
		{"{\"do\":\"import\",\"do\":\"import\"}", ""},
		{"{}", ""},
		{"[]", ""},
		{"", ""},
		{"{\"do\":\"import\"", ""},
	};
	char text[4096];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		words_of(cases[i].order, text);
		if (strcmp(text, cases[i].want) != 0)
			fail_msg("%s gives '%s'", cases[i].order, text);
	}
}

static void too_many_wards_are_none(void **state)
{
	char order[2000] = "{\"do\":\"learn\",\"wards\":[\"10.1.1.0/24\"", text[4096];
	size_t len = strlen(order);

	for (unsigned i = 1; i < ERRAND_WARDS; i++)
		len += (size_t)snprintf(order + len, sizeof(order) - len, ",\"10.1.%u.0/24\"", i);
	snprintf(order + len, sizeof(order) - len, "]}");
	words_of(order, text);
	assert_int_not_equal(*text, 0);
	snprintf(order + len, sizeof(order) - len, ",\"10.2.1.0/24\"]}");
	words_of(order, text);
	assert_int_equal(*text, 0);
}

static void a_long_file_is_no_overflow(void **state)
{
	struct errand_words *w = malloc(sizeof(*w));
	struct bytes order = unit_exact("{\"do\":\"import\"}", 15);
	char file[4000];

	memset(file, 'x', sizeof(file) - 1);
	file[sizeof(file) - 1] = 0;
	assert_non_null(w);
	assert_false(errand_words(order, file, w));
	free((void *)order.data);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_become_commands),
		cmocka_unit_test(too_many_wards_are_none),
		cmocka_unit_test(a_long_file_is_no_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
