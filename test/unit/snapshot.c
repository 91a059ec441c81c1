#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "keep/db.h"
#include "keep/snapshot.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[8][160];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/bw-snapshot-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int write_file(const char *name, int flags, const char *text)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | flags, 0640);

	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, (struct bytes){(const uint8_t *)text, strlen(text)}), 0);
	return close(fd);
}

static sqlite3 *make_database(const char *name)
{
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(in_dir(name), &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql,
				      "PRAGMA journal_mode = WAL; CREATE TABLE t(n);"
				      "INSERT INTO t VALUES(1), (2), (3);",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	return sql;
}

/* What is read of it, written to another file. */
static void keep_copy(struct snapshot *s, const char *name, size_t step)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint8_t *piece = malloc(step);
	uint64_t total = 0;
	ssize_t n;

	while ((n = snapshot_read(s, piece, step)) > 0) {
		assert_int_equal(file_write(fd, (struct bytes){piece, (size_t)n}), 0);
		total += (uint64_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(total, s->size);
	free(piece);
	close(fd);
}

static int count_rows(const char *name)
{
	sqlite3_stmt *st;
	sqlite3 *sql;
	int count;

	assert_int_equal(sqlite3_open(in_dir(name), &sql), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(sql, "SELECT count(*) FROM t", -1, &st, NULL), 0);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	count = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(sql);
	return count;
}

/* Rows that are in the log alone are in the copy; those that come later are not. */
static void a_database_is_of_one_moment(void **state)
{
	sqlite3 *sql = make_database("a.db");
	struct snapshot s;

	assert_int_equal(snapshot_open(in_dir("a.db"), dir, &s), 0);
	assert_true(s.copied);
	sqlite3_exec(sql, "INSERT INTO t SELECT n FROM t; INSERT INTO t SELECT n FROM t", NULL,
		     NULL, NULL);
	keep_copy(&s, "copy.db", 1000);
	assert_int_equal(snapshot_check(&s), 0);
	snapshot_close(&s);
	sqlite3_close(sql);
	assert_int_equal(count_rows("a.db"), 12);
	assert_int_equal(count_rows("copy.db"), 3);
}

/* A writer in its midst holds nothing up, and nothing of what it has not said is in there. */
static void a_writer_goes_on(void **state)
{
	sqlite3 *sql = make_database("w.db");
	struct snapshot s;

	sqlite3_exec(sql, "BEGIN IMMEDIATE; INSERT INTO t VALUES(4)", NULL, NULL, NULL);
	assert_int_equal(snapshot_open(in_dir("w.db"), dir, &s), 0);
	assert_int_equal(sqlite3_exec(sql, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	keep_copy(&s, "copy.db", 4096);
	snapshot_close(&s);
	sqlite3_close(sql);
	assert_int_equal(count_rows("copy.db"), 3);
}

static void a_damaged_database_is_told(void **state)
{
	sqlite3 *sql = make_database("d.db");
	struct snapshot s = {.fd = -7};
	int fd;

	sqlite3_exec(sql, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close(sql);
	fd = open(in_dir("d.db"), O_WRONLY);
	assert_int_equal(pwrite(fd, "garbage, garbage", 16, 16), 16);
	close(fd);
	assert_int_equal(snapshot_open(in_dir("d.db"), dir, &s), -EUCLEAN);
	assert_int_equal(s.fd, -7);
}

static void a_log_that_grows_is_cut_where_it_was(void **state)
{
	struct snapshot s;
	uint8_t text[64];

	write_file("log", 0, "one\ntwo\n");
	assert_int_equal(snapshot_open(in_dir("log"), dir, &s), 0);
	assert_false(s.copied);
	write_file("log", O_APPEND, "three\n");
	assert_int_equal(snapshot_read(&s, text, sizeof(text)), 8);
	assert_memory_equal(text, "one\ntwo\n", 8);
	assert_int_equal(snapshot_read(&s, text, sizeof(text)), 0);
	assert_int_equal(snapshot_check(&s), 0);
	snapshot_close(&s);
}

static void what_is_written_over_or_cut_off_is_told(void **state)
{
	struct timespec t[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct snapshot s;
	uint8_t text[64];

	write_file("f", 0, "one\ntwo\n");
	utimensat(AT_FDCWD, in_dir("f"), t, 0);
	assert_int_equal(snapshot_open(in_dir("f"), dir, &s), 0);
	write_file("f", 0, "six");
	assert_int_equal(snapshot_read(&s, text, sizeof(text)), 8);
	assert_int_equal(snapshot_check(&s), -EBUSY);
	snapshot_close(&s);

	assert_int_equal(snapshot_open(in_dir("f"), dir, &s), 0);
	assert_int_equal(truncate(in_dir("f"), 3), 0);
	assert_int_equal(snapshot_read(&s, text, sizeof(text)), -EBUSY);
	assert_int_equal(snapshot_check(&s), -EBUSY);
	snapshot_close(&s);
}

static void only_plain_files(void **state)
{
	struct snapshot s;

	assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
	assert_int_equal(symlink("/etc/passwd", in_dir("link")), 0);
	assert_int_equal(snapshot_open(in_dir("pipe"), dir, &s), -EINVAL);
	assert_int_equal(snapshot_open(in_dir("link"), dir, &s), -ELOOP);
	assert_int_equal(snapshot_open(dir, dir, &s), -EINVAL);
	assert_int_equal(snapshot_open(in_dir("nothing"), dir, &s), -ENOENT);
	assert_true(snapshot_is_log("events.db-wal"));
	assert_true(snapshot_is_log("events.db-shm"));
	assert_false(snapshot_is_log("-wal"));
	assert_false(snapshot_is_log("events.db"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_database_is_of_one_moment),
		cmocka_unit_test(a_writer_goes_on),
		cmocka_unit_test(a_damaged_database_is_told),
		cmocka_unit_test(a_log_that_grows_is_cut_where_it_was),
		cmocka_unit_test(what_is_written_over_or_cut_off_is_told),
		cmocka_unit_test(only_plain_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
