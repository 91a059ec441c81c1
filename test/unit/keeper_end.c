/* A keeper that ends, is killed, begins again, or has no room: what was acknowledged is there. */
#include "keeper_kit.h"

#include <sys/mount.h>

/* One line says who, where and what to do. */
static void a_closed_folder_is_named(void **state)
{
	struct stage *s = *state;
	char closed[80], said[1024] = "", expect[384];
	int ipc[2], err[2];

	if (geteuid() != 0) {
		print_message("keeper.a_closed_folder_is_named: needs root to become another\n");
		skip();
	}
	assert_int_equal(stop(s), 0);
	snprintf(closed, sizeof(closed), "%s/closed", s->folder);
	assert_int_equal(mkdir(closed, 0700), 0);
	snprintf(s->state, sizeof(s->state), "%s/closed/state", s->folder);
	assert_int_equal(ipc_pair(ipc), 0);
	assert_int_equal(pipe(err), 0);
	s->pid = fork();
	if (s->pid == 0) {
		dup2(err[1], 2);
		become_keeper(s, ipc[1], "nobody");
	}
	close(err[1]);
	close(ipc[1]);
	assert_int_not_equal(wait_for(s), 0);
	assert_true(read(err[0], said, sizeof(said) - 1) > 0);
	snprintf(expect, sizeof(expect),
		 "state_dir '%s': user 'nobody' cannot pass through '%s' (Permission denied); "
		 "chmod o+x it",
		 s->state, closed);
	if (!strstr(said, expect))
		fail_msg("said: %s", said);
	close(err[0]);
	close(ipc[0]);
}

static void stopping_stores_what_was_taken(void **state)
{
	struct stage *s = *state;

	send_events(s, 0, 200, REASON_SCAN_PORTS);
	assert_int_equal(stop(s), 0);
	close(s->parent);
	close(s->guard);
	start(s);
	assert_int_equal(rows_of(s, ALL), 200);
}

static void a_parent_that_is_gone_ends_it(void **state)
{
	struct stage *s = *state;

	send_events(s, 0, 50, REASON_SCAN_PORTS);
	close(s->parent);
	assert_int_equal(wait_for(s), 0);
	close(s->guard);
	start(s);
	assert_int_equal(rows_of(s, ALL), 50);
}

static void what_was_shown_survives_a_kill(void **state)
{
	struct stage *s = *state;

	for (unsigned round = 0; round < 4; round++) {
		size_t have = rows_of(s, ALL);

		send_events(s, 0, 100, REASON_SCAN_PORTS);
		expect_rows(s, ALL, have + 100);
		send_events(s, 0, round * 7, REASON_SCAN_PORTS); /* not acknowledged */
		kill(s->pid, SIGKILL);
		assert_int_equal(wait_for(s), -SIGKILL);
		close(s->parent);
		close(s->guard);
		start(s);
		assert_true(rows_of(s, ALL) >= have + 100);
	}
}

/* Killed the moment that it answered: whoever was added is there. */
static void people_survive_a_kill(void **state)
{
	struct stage *s = *state;
	char line[128];
	json_t *o;

	for (unsigned n = 0; n < 6; n++) {
		snprintf(line, sizeof(line),
			 "{\"call\":\"user.add\",\"args\":{\"user\":\"user%u\"}}\n", n);
		o = called(s, line);
		assert_non_null(o);
		json_decref(o);
		kill(s->pid, SIGKILL);
		assert_int_equal(wait_for(s), -SIGKILL);
		close(s->parent);
		close(s->guard);
		start(s);
		o = called(s, "{\"call\":\"user.list\"}\n");
		assert_int_equal(json_array_size(json_object_get(o, "users")), n + 1);
		json_decref(o);
	}
}

/* A copy put back by hand: SQLite gives its log the same rights, whatever our umask says. */
static void a_database_of_other_rights_is_used(void **state)
{
	struct stage *s = *state;
	char path[128];

	send_events(s, 0, 5, REASON_SCAN_PORTS);
	assert_int_equal(stop(s), 0);
	close(s->parent);
	close(s->guard);
	snprintf(path, sizeof(path), "%s/events.db", s->state);
	assert_int_equal(chmod(path, 0644), 0);
	start(s);
	send_events(s, 5, 5, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 10);
}

static void reopens_its_file_when_told(void **state)
{
	struct stage *s = *state;
	char from[128], to[128];
	struct stat st;

	snprintf(from, sizeof(from), "%s/eve.json", s->state);
	snprintf(to, sizeof(to), "%s/moved", s->state);
	assert_int_equal(rename(from, to), 0);
	kill(s->pid, SIGHUP);
	for (int i = 0; i < 100 && stat(from, &st) < 0; i++)
		usleep(20000);
	assert_int_equal(stat(from, &st), 0);
}

static void says_that_the_disk_is_full_and_recovers(void **state)
{
	struct stage *s = *state;
	char filler[128], block[65536] = {1};
	int fd;

	if (geteuid() != 0) {
		print_message("keeper.says_that_the_disk_is_full: needs root to mount a tmpfs\n");
		skip();
	}
	assert_int_equal(stop(s), 0);
	close(s->parent);
	close(s->guard);
	assert_int_equal(mount("tmpfs", s->state, "tmpfs", 0, "size=3m"), 0);
	start(s);
	send_events(s, 0, 10, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 10);
	snprintf(filler, sizeof(filler), "%s/filler", s->state);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	send_events(s, 10, 4000, REASON_SCAN_PORTS);
	usleep(600000);
	assert_true(rows_of(s, ALL) < 4010); /* it serves what it has */
	unlink(filler);
	expect_rows(s, "{\"cmd\":\"events\",\"all\":true,\"limit\":9999,\"reason\":\"scan\"}\n",
		    4010);
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"gateway.disk_full\"}\n", 1);
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"gateway.disk_freed\"}\n", 1);
	assert_int_equal(stop(s), 0);
	assert_int_equal(umount(s->state), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(a_closed_folder_is_named),
		STAGED(stopping_stores_what_was_taken),
		STAGED(a_parent_that_is_gone_ends_it),
		STAGED(what_was_shown_survives_a_kill),
		STAGED(people_survive_a_kill),
		STAGED(a_database_of_other_rights_is_used),
		STAGED(reopens_its_file_when_told),
		STAGED(says_that_the_disk_is_full_and_recovers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
