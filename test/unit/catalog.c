#include "safe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "keep/catalog.h"

static struct catalog *open_catalog(const char *name)
{
	struct catalog *c = NULL;

	assert_int_equal(catalog_open(in_dir(name), &c), 0);
	return c;
}

/* An address that begins like others of that `mark`. */
static struct catalog_object object(uint8_t mark, uint8_t rest)
{
	struct catalog_object o = {
		.pack = 1, .at = rest, .head = {.key = 7, .size = rest, .length = rest + 20u}};

	memset(o.head.address, rest, CRYPTO_HASH);
	memset(o.head.address, mark, 8);
	return o;
}

static int add(struct catalog *c, uint8_t mark, uint8_t rest, int64_t *ret_id)
{
	struct catalog_object o = object(mark, rest);
	int err = catalog_begin(c);

	if (err == 0)
		err = catalog_add_object(c, &o);
	if (err == 0 && ret_id)
		*ret_id = o.id;
	assert_int_equal(catalog_commit(c), 0);
	return err;
}

static int find(struct catalog *c, uint8_t mark, uint8_t rest, int64_t *ret_id)
{
	struct catalog_object want = object(mark, rest), o;
	int err = catalog_object_by_address(c, want.head.address, &o);

	if (err == 0) {
		assert_memory_equal(o.head.address, want.head.address, CRYPTO_HASH);
		assert_int_equal(o.at, rest);
		*ret_id = o.id;
	}
	return err;
}

static void addresses_that_begin_alike_are_told_apart(void **state)
{
	struct catalog *c = open_catalog("c.db");
	int64_t ids[3], id = 0;

	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(add(c, 9, i, &ids[i]), 0);
		assert_int_equal(add(c, 9, i, NULL), -EEXIST);
	}
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(find(c, 9, i, &id), 0);
		assert_int_equal(id, ids[i]);
	}
	assert_int_equal(find(c, 9, 4, &id), -ENOENT);
	assert_int_equal(find(c, 8, 0, &id), -ENOENT);
	/* The one that has the mark goes; the others stay to be found. */
	assert_int_equal(catalog_begin(c), 0);
	assert_int_equal(catalog_drop_object(c, ids[0]), 0);
	assert_int_equal(catalog_commit(c), 0);
	assert_int_equal(find(c, 9, 0, &id), -ENOENT);
	assert_int_equal(find(c, 9, 2, &id), 0);
	catalog_close(c);
}

/* What somebody else wrote into the file: no length that nothing could be read into. */
static void rows_that_cannot_be_ours_are_refused(void **state)
{
	static const char *const rows[] = {
		"length = 10485760", "length = 0",	"size = -1",
		"size = 1 << 62",    "key = 0",		"at = -1",
		"box = x''",	     "address = x'00'", "key = key + (1 << 32)",
		"pack = -1",
	};
	struct catalog *c = open_catalog("r.db");
	struct catalog_object o;
	char text[128];
	sqlite3 *sql;
	int64_t id;

	assert_int_equal(add(c, 3, 5, &id), 0);
	catalog_close(c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(sqlite3_open(in_dir("r.db"), &sql), SQLITE_OK);
		assert_int_equal(
			sqlite3_exec(sql, "CREATE TABLE was AS SELECT * FROM object", 0, 0, 0), 0);
		snprintf(text, sizeof(text), "UPDATE object SET %s", rows[i]);
		assert_int_equal(sqlite3_exec(sql, text, 0, 0, 0), SQLITE_OK);
		c = open_catalog("r.db");
		assert_int_equal(catalog_object_by_id(c, id, &o), -EUCLEAN);
		assert_int_equal(catalog_object_next(c, 0, 0, &o), -EUCLEAN);
		catalog_close(c);
		assert_int_equal(sqlite3_exec(sql,
					      "DELETE FROM object; INSERT INTO object SELECT * "
					      "FROM was; DROP TABLE was",
					      0, 0, 0),
				 SQLITE_OK);
		sqlite3_close(sql);
	}
	c = open_catalog("r.db");
	assert_int_equal(catalog_object_by_id(c, id, &o), 0);
	catalog_close(c);
}

/* Opening the vault would go on destroying it for ever. */
static void a_doomed_key_that_cannot_be_is_refused(void **state)
{
	struct catalog *c = open_catalog("d.db");
	uint32_t key;
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(in_dir("d.db"), &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "INSERT INTO doomed VALUES(1 << 40)", 0, 0, 0), 0);
	sqlite3_close(sql);
	assert_int_equal(catalog_next_doomed(c, &key), -EUCLEAN);
	catalog_close(c);
}

static int add_name(struct catalog *c, uint8_t mark, uint8_t rest, int64_t put_ns)
{
	struct catalog_name n = {.object = 1,
				 .put_ns = put_ns,
				 .class = "file",
				 .sealed = {(const uint8_t *)"x", 1}};
	int err;

	memset(n.tag, rest, OBJECT_TAG);
	memset(n.tag, mark, 8);
	err = catalog_begin(c);
	if (err == 0)
		err = catalog_add_name(c, &n);
	assert_int_equal(catalog_commit(c), 0);
	return err;
}

static int64_t newest(struct catalog *c, uint8_t mark, uint8_t rest)
{
	uint8_t tag[OBJECT_TAG];
	struct catalog_name n;

	memset(tag, rest, OBJECT_TAG);
	memset(tag, mark, 8);
	return catalog_name_by_tag(c, tag, &n) == 0 ? n.put_ns : -1;
}

static int count(void *arg, const struct catalog_name *n, struct catalog_object *o)
{
	(*(unsigned *)arg)++;
	return 0;
}

static const struct catalog_range all_names = {.last = INT64_MAX},
				  newest_names = {.last = INT64_MAX, .newest = true};

static void so_are_tags(void **state)
{
	struct catalog *c = open_catalog("c.db");
	unsigned all = 0, last = 0;
	int64_t id;

	assert_int_equal(add(c, 1, 1, NULL), 0);
	assert_int_equal(add_name(c, 3, 1, 10), 0);
	assert_int_equal(add_name(c, 3, 2, 20), 0);
	assert_int_equal(add_name(c, 3, 1, 5), 0);
	assert_int_equal(newest(c, 3, 1), 5); /* put last, though the clock went back */
	assert_int_equal(newest(c, 3, 2), 20);
	assert_int_equal(newest(c, 3, 3), -1);
	assert_int_equal(catalog_each(c, &all_names, count, &all), 0);
	assert_int_equal(catalog_each(c, &newest_names, count, &last), 0);
	assert_int_equal(all, 3);
	assert_int_equal(last, 2);
	assert_int_equal(catalog_name_last(c, &id), 0);
	assert_int_equal(id, 3);
	/* Of those up to the second the first is the newest of its tag. */
	all = last = 0;
	assert_int_equal(catalog_each(c, &(struct catalog_range){0, 2, true}, count, &all), 0);
	assert_int_equal(catalog_each(c, &(struct catalog_range){2, 3, true}, count, &last), 0);
	assert_int_equal(all, 2);
	assert_int_equal(last, 1);
	catalog_close(c);
}

/* --- an index as it was written before marks -------------------------------------------- */

#define EIGHT(hex) hex hex hex hex hex hex hex hex

static const char version_1[] =
	"PRAGMA journal_mode = WAL;"
	"CREATE TABLE object(id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE, key INTEGER NOT"
	" NULL, box BLOB NOT NULL, size INTEGER NOT NULL, length INTEGER NOT NULL, pack INTEGER NOT"
	" NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE name(id INTEGER PRIMARY KEY, object INTEGER NOT NULL, tag BLOB NOT NULL,"
	" sealed BLOB NOT NULL, class TEXT NOT NULL, put INTEGER NOT NULL, until INTEGER NOT NULL,"
	" pack INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX name_tag ON name(tag); CREATE INDEX name_object ON name(object);"
	"CREATE TABLE pack(id INTEGER PRIMARY KEY, end INTEGER NOT NULL) STRICT;"
	"CREATE TABLE doomed(key INTEGER PRIMARY KEY) STRICT;"
	"CREATE TABLE log(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, line TEXT NOT NULL,"
	" chain BLOB NOT NULL) STRICT;"
	/* Three addresses, two of which begin alike; a name of each of two. */
	"INSERT INTO object VALUES"
	" (1, x'" EIGHT("09") EIGHT("00") EIGHT("00") EIGHT(
		"00") "', 7, zeroblob(60), 0, 20, 1, 0),"
		      " (2, x'" EIGHT("09") EIGHT("01") EIGHT("01") EIGHT(
			      "01") "', 7, zeroblob(60), 1, 21, 1, 1),"
				    " (5, x'" EIGHT("03") EIGHT("02") EIGHT("02") EIGHT(
					    "02") "', 7, zeroblob(60), 2, 22, 1, 2);"
						  "INSERT INTO name VALUES"
						  " (1, 1, x'" EIGHT("04") EIGHT(
							  "01") "', x'aa', 'file', 10, 11, 1, 3),"
								" (2, 5, x'" EIGHT("f4") EIGHT(
									"02") "', x'bb', 'file', "
									      "20, 21, 1, 4);"
									      "INSERT INTO log "
									      "VALUES(1, 1, 'a "
									      "line', "
									      "zeroblob(32));"
									      "PRAGMA user_version "
									      "= 1;";

static void write_old(const char *name, const char *more)
{
	sqlite3 *sql = NULL;

	assert_int_equal(sqlite3_open(in_dir(name), &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, version_1, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, more, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
}

static void an_older_index_goes_on_with_all_it_has(void **state)
{
	struct catalog *c;
	uint8_t chain[CRYPTO_HASH];
	int64_t id = 0, seq = 0;
	unsigned names = 0;

	write_old("old.db", "");
	for (int again = 0; again < 2; again++) {
		c = open_catalog("old.db");
		assert_int_equal(catalog_check(c), 0);
		assert_int_equal(find(c, 9, 0, &id), 0);
		assert_int_equal(id, 1);
		assert_int_equal(find(c, 9, 1, &id), 0);
		assert_int_equal(id, 2);
		assert_int_equal(find(c, 3, 2, &id), 0);
		assert_int_equal(id, 5);
		assert_int_equal(newest(c, 4, 1), 10);
		assert_int_equal(newest(c, 0xf4, 2), 20);
		assert_int_equal(catalog_log_last(c, &seq, chain), 0);
		assert_int_equal(seq, 1);
		assert_int_equal(add(c, 9, 1, NULL), -EEXIST);
		catalog_close(c);
	}
	c = open_catalog("old.db");
	assert_int_equal(add(c, 9, 8, NULL), 0);
	assert_int_equal(catalog_each(c, &all_names, count, &names), 0);
	assert_int_equal(names, 2);
	catalog_close(c);
}

static void one_that_cannot_be_ours_is_refused(void **state)
{
	struct catalog *c;

	write_old("short.db", "UPDATE name SET tag = x'01' WHERE id = 2;");
	assert_int_equal(catalog_open(in_dir("short.db"), &c), -EUCLEAN);
	write_old("new.db", "PRAGMA user_version = 3;");
	assert_int_equal(catalog_open(in_dir("new.db"), &c), -EUCLEAN);
}

/* A second handle of this process must not cost the first one its locks: whoever closes the index in
 * another process would take it for unused, and its log away. */
static void two_handles_and_another_process(void **state)
{
	struct catalog *first, *second, *other;
	struct catalog_object found, want = object(9, 2);
	int ready[2], status = 1;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork(); /* before there is any handle to inherit */
	if (pid == 0) {
		struct catalog_object own = object(9, 2);
		bool fine = read(ready[0], &c, 1) == 1 &&
			    catalog_open(in_dir("two.db"), &other) == 0 &&
			    catalog_begin(other) == 0 && catalog_add_object(other, &own) == 0 &&
			    catalog_commit(other) == 0;

		if (fine)
			catalog_close(other);
		_exit(fine ? 0 : 1);
	}
	first = open_catalog("two.db");
	assert_int_equal(add(first, 9, 1, NULL), 0);
	second = open_catalog("two.db");
	assert_int_equal(write(ready[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(access(in_dir("two.db-wal"), F_OK), 0);
	assert_int_equal(catalog_object_by_address(first, want.head.address, &found), 0);
	assert_int_equal(catalog_object_by_address(second, want.head.address, &found), 0);
	catalog_close(second);
	catalog_close(first);
	close(ready[0]);
	close(ready[1]);
}

#define T(f) cmocka_unit_test_setup_teardown(f, safe_open, safe_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(addresses_that_begin_alike_are_told_apart),
		T(rows_that_cannot_be_ours_are_refused),
		T(a_doomed_key_that_cannot_be_is_refused),
		T(so_are_tags),
		T(an_older_index_goes_on_with_all_it_has),
		T(one_that_cannot_be_ours_is_refused),
		T(two_handles_and_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
