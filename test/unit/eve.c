#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keep/eve.h"

static int set_up(void **state)
{
	return place_open(state, "eve.json");
}

static int put(struct eve *e, const char *text)
{
	struct bytes line = unit_exact(text, strlen(text));
	int err = eve_put(e, line);

	free((void *)line.data);
	return err;
}

/* The file's content; static. */
static const char *content(const char *folder, const char *name)
{
	static char buf[65536];
	char path[160];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n >= 0);
	buf[n] = 0;
	return buf;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void writes_whole_lines(void **state)
{
	struct place *p = *state;
	struct eve *e = eve_new(p->file, 1 << 20, 2);
	struct eve_counts c;

	assert_int_equal(put(e, "{\"a\":1}"), 0);
	assert_int_equal(put(e, "{\"a\":2}"), 0);
	assert_string_equal(content(p->folder, "eve.json"), "");
	assert_int_equal(eve_flush(e), 0);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":1}\n{\"a\":2}\n");
	eve_counts(e, &c);
	assert_int_equal(c.written, 2);
	assert_int_equal(c.buffered, 0);
	eve_free(e);
	e = eve_new(p->file, 1 << 20, 2); /* goes on where it ended */
	put(e, "{\"a\":3}");
	eve_free(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
}

static void cuts_a_torn_line(void **state)
{
	struct place *p = *state;
	struct eve_counts c;
	struct eve *e;

	write_text(p->file, "{\"a\":1}\n{\"a\":2,\"b");
	e = eve_new(p->file, 1 << 20, 2);
	eve_counts(e, &c);
	assert_int_equal(c.cut, 9);
	put(e, "{\"a\":3}");
	eve_free(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":1}\n{\"a\":3}\n");
}

static void completes_a_line_without_its_newline(void **state)
{
	struct place *p = *state;
	struct eve_counts c;
	struct eve *e;

	write_text(p->file, "{\"a\":1}\n{\"a\":2}");
	e = eve_new(p->file, 1 << 20, 2);
	eve_counts(e, &c);
	assert_int_equal(c.cut, 0);
	put(e, "{\"a\":3}");
	eve_free(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
}

static void cuts_a_file_without_any_line(void **state)
{
	struct place *p = *state;
	char junk[20000];
	struct eve *e;

	memset(junk, 'x', sizeof(junk));
	junk[sizeof(junk) - 1] = 0;
	write_text(p->file, junk);
	e = eve_new(p->file, 1 << 20, 2);
	put(e, "{\"a\":3}");
	eve_free(e);
	/* What is longer than any event is cut as far as an event could be; nothing is joined. */
	assert_non_null(strstr(content(p->folder, "eve.json"), "{\"a\":3}\n"));
}

static void rotates_by_size(void **state)
{
	struct place *p = *state;
	struct eve *e = eve_new(p->file, 30, 2);
	char line[32];

	for (int i = 0; i < 12; i++) {
		snprintf(line, sizeof(line), "{\"a\":%d}", i + 10);
		put(e, line);
		assert_int_equal(eve_flush(e), 0);
	}
	/* Four lines of nine bytes pass thirty: 10-13 are gone, 14-17, 18-21 are kept. */
	assert_string_equal(content(p->folder, "eve.json"),
			    "{\"a\":18}\n{\"a\":19}\n{\"a\":20}\n{\"a\":21}\n");
	assert_string_equal(content(p->folder, "eve.json.1"),
			    "{\"a\":14}\n{\"a\":15}\n{\"a\":16}\n{\"a\":17}\n");
	assert_string_equal(content(p->folder, "eve.json.2"),
			    "{\"a\":10}\n{\"a\":11}\n{\"a\":12}\n{\"a\":13}\n");
	put(e, "{\"a\":22}");
	assert_int_equal(eve_flush(e), 0);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":22}\n");
	assert_non_null(strstr(content(p->folder, "eve.json.2"), "{\"a\":14}"));
	assert_null(content(p->folder, "eve.json.3"));
	eve_free(e);
}

static void keeps_none_when_told_so(void **state)
{
	struct place *p = *state;
	struct eve *e = eve_new(p->file, 5, 0);

	put(e, "{\"a\":1}");
	eve_flush(e);
	put(e, "{\"a\":2}");
	eve_flush(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":2}\n");
	assert_null(content(p->folder, "eve.json.1"));
	eve_free(e);
}

static void follows_logrotate(void **state)
{
	struct place *p = *state;
	struct eve *e = eve_new(p->file, 1 << 20, 2);
	char moved[128];

	put(e, "{\"a\":1}");
	eve_flush(e);
	snprintf(moved, sizeof(moved), "%s/moved", p->folder);
	assert_int_equal(rename(p->file, moved), 0);
	put(e, "{\"a\":2}"); /* without a signal */
	eve_flush(e);
	assert_string_equal(content(p->folder, "moved"), "{\"a\":1}\n");
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":2}\n");
	assert_int_equal(rename(p->file, moved), 0);
	assert_int_equal(eve_reopen(e), 0);
	put(e, "{\"a\":3}");
	eve_flush(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":3}\n");
	assert_int_equal(truncate(p->file, 0), 0); /* copytruncate */
	put(e, "{\"a\":4}");
	eve_flush(e);
	assert_string_equal(content(p->folder, "eve.json"), "{\"a\":4}\n");
	eve_free(e);
}

static void the_buffer_is_bounded(void **state)
{
	struct eve *e = eve_new("/nonexistent/eve.json", 1 << 20, 2);
	char line[8000];
	unsigned n = 0;
	struct eve_counts c;

	memset(line, ' ', sizeof(line));
	line[0] = '{';
	line[sizeof(line) - 2] = '}';
	line[sizeof(line) - 1] = 0;
	while (put(e, line) == 0)
		n++;
	assert_int_equal(n, EVE_BUFFER / sizeof(line));
	assert_true(eve_flush(e) < 0);
	eve_counts(e, &c);
	assert_int_equal(c.lost, 1);
	assert_true(c.buffered <= EVE_BUFFER);
	eve_free(e);
}

static void waits_out_a_full_disk(void **state)
{
	struct place *p = *state;
	static char file[1 << 20];
	char filler[96], line[1000], block[4096] = {1};
	struct eve_counts c;
	struct eve *e;
	unsigned lines = 0;
	ssize_t n;
	int fd;

	if (geteuid() != 0 || mount("tmpfs", p->folder, "tmpfs", 0, "size=256k") < 0) {
		print_message("eve.waits_out_a_full_disk: needs root to mount a tmpfs\n");
		skip();
	}
	e = eve_new(p->file, 1 << 30, 2);
	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + sizeof(line) - 3, "\"}", 3);
	put(e, line);
	assert_int_equal(eve_flush(e), 0);
	snprintf(filler, sizeof(filler), "%s/filler", p->folder);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		lines++;
	close(fd);
	assert_true(lines > 0);
	for (lines = 1; lines < 100; lines++)
		assert_int_equal(put(e, line), 0);
	assert_int_equal(eve_flush(e), -ENOSPC);
	fd = open(p->file, O_RDONLY);
	n = read(fd, file, sizeof(file));
	close(fd);
	assert_int_equal(n % (ssize_t)sizeof(line), 0); /* no torn line, even now */
	unlink(filler);
	assert_int_equal(eve_flush(e), 0);
	eve_counts(e, &c);
	assert_int_equal(c.written, 100);
	assert_int_equal(c.file_bytes, 100 * sizeof(line));
	eve_free(e);
	assert_int_equal(umount(p->folder), 0);
}

static void does_not_follow_a_link(void **state)
{
	struct place *p = *state;
	char target[128];
	struct eve *e;

	snprintf(target, sizeof(target), "%s/target", p->folder);
	assert_int_equal(symlink(target, p->file), 0);
	e = eve_new(p->file, 1 << 20, 2);
	put(e, "{\"a\":1}");
	assert_true(eve_flush(e) < 0);
	eve_free(e);
	assert_null(content(p->folder, "target"));
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_FOLDER(writes_whole_lines),
		IN_A_FOLDER(cuts_a_torn_line),
		IN_A_FOLDER(completes_a_line_without_its_newline),
		IN_A_FOLDER(cuts_a_file_without_any_line),
		IN_A_FOLDER(rotates_by_size),
		IN_A_FOLDER(keeps_none_when_told_so),
		IN_A_FOLDER(follows_logrotate),
		cmocka_unit_test(the_buffer_is_bounded),
		IN_A_FOLDER(waits_out_a_full_disk),
		IN_A_FOLDER(does_not_follow_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
