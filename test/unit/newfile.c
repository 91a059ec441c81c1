#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/newfile.h"

static char path[64];
static int folder;

static int set_up(void **state)
{
	snprintf(path, sizeof(path), "/tmp/newfile.XXXXXX");
	assert_non_null(mkdtemp(path));
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder >= 0);
	return 0;
}

static int tear_down(void **state)
{
	unlinkat(folder, "name", 0);
	close(folder);
	return rmdir(path); /* fails where something was left behind */
}

static unsigned count_entries(void)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void check_content(const char *want)
{
	char text[32] = "";
	int fd = openat(folder, "name", O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), (int)strlen(want));
	assert_string_equal(text, want);
	close(fd);
}

static int (*const ways[])(int, struct newfile *) = {newfile_begin, newfile_begin_named};

/* As root, -o /dev/null must not be the end of /dev/null. */
static void a_device_is_never_replaced(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct newfile f;
		struct stat st;

		assert_int_equal(mkfifoat(folder, "name", 0600), 0);
		assert_int_equal(ways[i](folder, &f), 0);
		assert_int_equal(newfile_commit(&f, "name", true), -EEXIST);
		newfile_abandon(&f);
		assert_int_equal(fstatat(folder, "name", &st, 0), 0);
		assert_true(S_ISFIFO(st.st_mode));
		assert_int_equal(unlinkat(folder, "name", 0), 0);
		assert_int_equal(count_entries(), 0);
	}
}

static void a_name_comes_with_the_whole(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct newfile f, g;
		struct stat st;

		assert_int_equal(ways[i](folder, &f), 0);
		assert_int_equal(fstat(f.fd, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(write(f.fd, "one", 3), 3);
		assert_int_equal(faccessat(folder, "name", F_OK, 0), -1);
		assert_int_equal(newfile_commit(&f, "name", false), 0);
		assert_int_equal(f.fd, -1);
		newfile_abandon(&f); /* harmless */
		check_content("one");
		/* Taken, and then replaced. */
		assert_int_equal(ways[i](folder, &g), 0);
		assert_int_equal(write(g.fd, "two", 3), 3);
		assert_int_equal(newfile_commit(&g, "name", false), -EEXIST);
		check_content("one");
		assert_int_equal(newfile_commit(&g, "name", true), 0);
		check_content("two");
		assert_int_equal(count_entries(), 1);
		unlinkat(folder, "name", 0);
	}
}

static void what_is_given_up_leaves_nothing(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct newfile f;

		assert_int_equal(ways[i](folder, &f), 0);
		newfile_abandon(&f);
		assert_int_equal(count_entries(), 0);
		assert_int_equal(ways[i](folder, &f), 0);
		assert_int_equal(newfile_commit(&f, "missing/name", false), -ENOENT);
		assert_int_equal(newfile_commit(&f, "missing/name", true), -ENOENT);
		newfile_abandon(&f);
		assert_int_equal(count_entries(), 0);
	}
}

static void who_is_killed_leaves_nothing(void **state)
{
	struct newfile f;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (newfile_begin(folder, &f) < 0 || write(f.fd, "x", 1) != 1)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	if (newfile_begin(folder, &f) == 0 && *f.name) {
		newfile_abandon(&f);
		skip(); /* a file system without unnamed files: the next test would tell nothing */
	}
	newfile_abandon(&f);
	assert_int_equal(count_entries(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_is_never_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_comes_with_the_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_given_up_leaves_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_killed_leaves_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
