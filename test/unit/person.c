/* What could name a patient is hidden from the disk, and shown to who asks. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "keep/keys.h"
#include "keep/person.h"
#include "keep/query.h"
#include "keep/store.h"

static char dir[64], vault[96];
static char error[KEYS_ERROR];
static struct keys *keys;
static struct person *person;

static int set_up(void **state)
{
	struct holder_ask ask = {.dir = vault, .place = ""};

	strcpy(dir, "/tmp/bw-person-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(vault, sizeof(vault), "%s", dir);
	if (keys_create(vault, &holder_file, &ask, NULL, error) < 0)
		return -1;
	keys = keys_open(vault, &ask, error);
	person = person_new(keys);
	return keys && person ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	person_free(person);
	keys_free(keys);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

#define HEAD "{\"timestamp\":\"2026-01-31T07:15:02.000123+0000\",\"event_type\":"

/* Hides, and asserts that neither line has `secret`; gives the stored one opened again. */
static char *round_trip(const char *line, const char *secret, char **ret_told)
{
	uint8_t *block = malloc(strlen(line));
	char *stored, *told, *opened;
	size_t len;

	memcpy(block, line, strlen(line));
	assert_true(person_hide(person, (struct bytes){block, strlen(line)}, clock_wall_ns(),
				&stored, &told));
	free(block);
	assert_non_null(stored);
	assert_non_null(told);
	assert_null(strstr(stored, secret));
	assert_null(strstr(told, secret));
	opened = person_open(person, bytes_of(stored), &len);
	assert_non_null(opened);
	opened = realloc(opened, len + 1);
	opened[len] = 0;
	free(stored);
	if (ret_told)
		*ret_told = told;
	else
		free(told);
	return opened;
}

static void a_value_is_sealed_hashed_and_opened(void **state)
{
	static const char line[] =
		HEAD "\"http\",\"http\":{\"hostname\":\"pacs\",\"url\":\"/p/DOE?n=\\\"JANE\\\\\","
		     "\"length\":12}}";
	char *told, *again, *opened = round_trip(line, "DOE", &told);
	char *hash = strstr(told, "\"url\":\"hashed:");

	assert_string_equal(opened, line);
	assert_non_null(hash);
	assert_non_null(strstr(told, "\"hostname\":\"pacs\""));
	free(opened);
	/* The same value has the same hash, whenever it comes. */
	opened = round_trip(line, "DOE", &again);
	assert_string_equal(told, again);
	free(opened);
	free(told);
	free(again);
}

static void every_text_of_a_list_is_hidden(void **state)
{
	static const char line[] = HEAD
		"\"mqtt\",\"mqtt\":{\"subscribe\":{\"topics\":[{\"topic\":\"ward/DOE\",\"qos\":1},"
		"{\"topic\":\"ward/DOE/2\",\"qos\":0}]},\"publish\":{\"topic\":\"x/DOE\"}}}";
	char *opened = round_trip(line, "DOE", NULL);

	assert_string_equal(opened, line);
	free(opened);
}

/* Whatever the event is called: a rule's alert carries the same objects. */
static void the_type_does_not_matter(void **state)
{
	static const char line[] = HEAD "\"alert\",\"smb\":{\"filename\":\"DOE_JANE.doc\"}}";
	char *opened = round_trip(line, "DOE", NULL);

	assert_string_equal(opened, line);
	free(opened);
}

static void what_names_nobody_stays_as_it_is(void **state)
{
	static const char *const lines[] = {
		HEAD "\"flow\",\"flow\":{\"age\":1}}",
		HEAD "\"http\",\"http\":{\"hostname\":\"pacs\"}}",
		HEAD "\"ssh\",\"ssh\":{\"text\":\"\\\"http\\\":{\\\"url\\\":1}\"}}",
		"no json \"http\":{\"url\":\"x\"",
		"[\"http\":1]",
		"",
	};
	char *stored, *told;

	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		assert_false(person_hide(person, bytes_of(lines[i]), 1, &stored, &told));
}

static void without_keys_it_is_withheld(void **state)
{
	struct person *locked = person_new(NULL);
	char *stored, *told, *opened;
	size_t len;

	assert_true(person_hide(locked, bytes_of(HEAD "\"tftp\",\"tftp\":{\"file\":\"DOE\"}}"), 1,
				&stored, &told));
	assert_non_null(strstr(stored, "\"file\":\"withheld\""));
	assert_string_equal(stored, told);
	free(stored);
	free(told);
	/* Sealed before they were locked, it is not shown either. */
	assert_true(person_hide(person, bytes_of(HEAD "\"tftp\",\"tftp\":{\"file\":\"DOE\"}}"), 1,
				&stored, &told));
	opened = person_open(locked, bytes_of(stored), &len);
	assert_non_null(memmem(opened, len, "\"withheld\"", 10));
	assert_null(memmem(opened, len, "DOE", 3));
	free(opened);
	free(stored);
	free(told);
	person_free(locked);
}

/* Two hundred long topics do not fit a line any more once they are sealed. */
static void what_would_be_too_long_is_withheld(void **state)
{
	static char line[EVENT_MAX];
	size_t at = (size_t)snprintf(line, sizeof(line),
				     HEAD "\"mqtt\",\"mqtt\":{\"subscribe\":{\"topics\":[\"DOE\"");
	char *stored, *told;

	for (unsigned i = 0; i < 200; i++)
		at += (size_t)snprintf(line + at, sizeof(line) - at, ",\"DOE-%050u\"", i);
	snprintf(line + at, sizeof(line) - at, "]}}}");
	assert_true(person_hide(person, bytes_of(line), 1, &stored, &told));
	assert_true(strlen(stored) <= EVENT_MAX);
	assert_null(strstr(stored, "DOE"));
	assert_null(strstr(told, "DOE"));
	assert_non_null(strstr(stored, "withheld"));
	free(stored);
	free(told);
}

static void what_only_looks_sealed_opens_nothing(void **state)
{
	static const char *const rows[] = {
		"{\"a\":\"sealed:\"}",
		"{\"a\":\"sealed:AAAA\"}",
		"{\"a\":\"sealed:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"a\":\"sealed:%%%%\",\"b\":\"sealed:",
		"sealed:AAAA",
	};
	static const char inside[] = "{\"a\":\"say \\\"sealed:AAAA\\\"\",\"b\":\"unsealed:AAAA\"}";
	size_t len;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *opened = person_open(person, bytes_of(rows[i]), &len);

		assert_non_null(memmem(opened, len, "withheld", 8));
		free(opened);
	}
	char *opened = person_open(person, bytes_of(inside), &len);

	assert_int_equal(len, sizeof(inside) - 1);
	assert_memory_equal(opened, inside, len);
	free(opened);
	assert_null(person_open(person, bytes_of("{\"a\":1}"), &len));
}

static void what_is_hidden_is_known(void **state)
{
	assert_true(person_is_hidden("withheld"));
	assert_true(person_is_hidden("hashed:0011223344556677"));
	assert_true(person_is_hidden("sealed:AAAA"));
	assert_false(person_is_hidden("/withheld"));
	assert_false(person_is_hidden(""));
}

static void take_row(void *arg, struct bytes row)
{
	snprintf(arg, 4096, "%.*s", (int)row.len, row.data);
}

/* The file alone tells nothing; who asks the store is told. */
static void the_database_holds_it_sealed(void **state)
{
	static const char line[] =
		HEAD "\"inventory\",\"inventory\":{\"mac\":\"02:00:00:00:00:01\","
		     "\"name\":\"Janes-iPhone\"}}";
	char path[128], command[256], row[4096] = "", *stored, *told;
	struct query_filter all = {.limit = 0};
	int64_t after = 0;
	uint32_t rows;
	struct store *s;

	snprintf(path, sizeof(path), "%s/events.db", dir);
	s = store_new(path, 1000);
	store_opens(s, person);
	assert_true(person_hide(person, bytes_of(line), clock_wall_ns(), &stored, &told));
	assert_int_equal(store_put(s, bytes_of(stored)), 0);
	assert_int_equal(store_commit(s), 0);
	snprintf(command, sizeof(command), "grep -raq Janes %s", dir);
	assert_int_not_equal(system(command), 0);
	assert_int_equal(query_events(store_db(s), &all, &after, 10, take_row, row, &rows), 0);
	assert_string_equal(row, line);
	assert_int_equal(query_machines(store_db(s), 10, take_row, row), 0);
	assert_non_null(strstr(row, "\"name\":\"Janes-iPhone\""));
	store_opens(s, NULL);
	after = 0;
	assert_int_equal(query_events(store_db(s), &all, &after, 10, take_row, row, &rows), 0);
	assert_null(strstr(row, "Janes"));
	store_free(s);
	free(stored);
	free(told);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_value_is_sealed_hashed_and_opened),
		T(every_text_of_a_list_is_hidden),
		T(the_type_does_not_matter),
		T(what_names_nobody_stays_as_it_is),
		T(without_keys_it_is_withheld),
		T(what_would_be_too_long_is_withheld),
		T(what_only_looks_sealed_opens_nothing),
		T(what_is_hidden_is_known),
		T(the_database_holds_it_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
