#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ipc.h"
#include "role/child.h"

#define SEC NSEC_PER_SEC

static void first_restart_is_immediate_then_doubles(void **state)
{
	struct respawn r = {0};
	uint64_t now = 1000 * SEC, pause = 0;

	respawn_started(&r, now);
	now += SEC;
	assert_int_equal(respawn_died(&r, now), now);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t at, expect = i < 7 ? RESPAWN_FIRST_NS << i : RESPAWN_LONGEST_NS;

		respawn_started(&r, now);
		at = respawn_died(&r, now);
		assert_true(at - now >= pause);
		pause = at - now;
		assert_int_equal(pause, expect);
		now = at;
	}
}

static void a_long_life_forgives(void **state)
{
	struct respawn r = {0};
	uint64_t now = 5 * SEC;

	for (unsigned i = 0; i < 10; i++) {
		respawn_started(&r, now);
		respawn_died(&r, now);
	}
	respawn_started(&r, now);
	now += RESPAWN_HEALTHY_NS;
	assert_int_equal(respawn_died(&r, now), now);
}

static int wait_for(struct child *c)
{
	int status;

	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	child_gone(c, clock_mono_ns());
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int shell(struct child *c, const char *script, const int *fds, unsigned count)
{
	char *argv[] = {"sh", "-c", (char *)script, NULL};
	struct child_start how = {"/bin/sh", argv, fds, count, SIGKILL};

	return child_start(c, &how, clock_mono_ns());
}

/* A descriptor of ours that is not close-on-exec must not be there; those given must. */
static void inherits_exactly_what_it_is_given(void **state)
{
	int leaky = open("/dev/null", O_RDONLY), pipefd[2];
	char text[256] = {0};
	struct child c;

	assert_true(fcntl(leaky, F_DUPFD, 9) >= 9);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	child_init(&c, "test", 0);
	assert_int_equal(shell(&c,
			       "cd /proc/self/fd; for f in *; do case $(readlink $f) in "
			       "socket:*) echo s$f;; pipe:*) echo p$f;; esac; done >&4",
			       &pipefd[1], 1),
			 0);
	close(pipefd[1]);
	for (ssize_t n, len = 0;
	     (n = read(pipefd[0], text + len, sizeof(text) - 1 - (size_t)len)) > 0;)
		len += n;
	assert_int_equal(wait_for(&c), 0);
	assert_non_null(strstr(text, "s3\n"));
	assert_non_null(strstr(text, "p4\n"));
	close(pipefd[0]);
	close(leaky);

	child_init(&c, "test", 0);
	assert_int_equal(
		shell(&c, "for f in 4 5 6 7 8 9 10; do [ ! -e /proc/$$/fd/$f ] || exit 1; done",
		      NULL, 0),
		0);
	assert_int_equal(wait_for(&c), 0);
}

static void its_death_is_counted_and_its_socket_ends(void **state)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;
	struct child c;

	child_init(&c, "test", 1);
	assert_int_equal(shell(&c, "exec sleep 60", NULL, 0), 0);
	assert_int_equal(ipc_recv(c.sock, buf, &m), -EAGAIN);
	child_kill(&c);
	assert_int_equal(wait_for(&c), -SIGKILL);
	assert_int_equal(c.restarts, 1);
	assert_int_equal(c.sock, -1);
	assert_int_equal(c.pid, 0);
	assert_true(c.again_ns <= clock_mono_ns());

	assert_int_equal(shell(&c, "exit 3", NULL, 0), 0);
	assert_int_equal(wait_for(&c), 3);
	assert_int_equal(c.restarts, 2);
	assert_true(c.again_ns > clock_mono_ns());

	assert_int_equal(shell(&c, "exit 0", NULL, 0), 0);
	c.stopping = true;
	assert_int_equal(wait_for(&c), 0);
	assert_int_equal(c.restarts, 2); /* asked for: no news */
}

static void a_program_that_is_not_there_is_a_death(void **state)
{
	char *argv[] = {"x", NULL};
	struct child_start how = {"/no/such/program", argv, NULL, 0, SIGKILL};
	struct child c;

	child_init(&c, "test", 0);
	assert_int_equal(child_start(&c, &how, clock_mono_ns()), 0);
	assert_int_equal(wait_for(&c), 127);
	assert_int_equal(c.restarts, 1);
}

/* kill -9 of a parent: its child ends although it never looks at its socket. */
static void a_dead_parent_takes_its_child_along(void **state)
{
	int pipefd[2];
	pid_t child = 0, parent;

	assert_int_equal(pipe(pipefd), 0);
	parent = fork();
	if (parent == 0) {
		struct child c;

		child_init(&c, "test", 0);
		if (shell(&c, "trap '' HUP TERM; while :; do sleep 1; done", NULL, 0) < 0)
			_exit(1);
		if (write(pipefd[1], &c.pid, sizeof(c.pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipefd[0], &child, sizeof(child)), sizeof(child));
	usleep(50000);
	assert_int_equal(kill(child, 0), 0);
	kill(parent, SIGKILL);
	waitpid(parent, NULL, 0);
	for (unsigned i = 0; i < 100; i++) {
		char path[64], line[512] = {0};
		FILE *f;

		usleep(20000);
		snprintf(path, sizeof(path), "/proc/%d/stat", child);
		f = fopen(path, "r");
		if (!f)
			goto gone;
		if (!fgets(line, sizeof(line), f) || strstr(line, ") Z ")) {
			fclose(f);
			goto gone;
		}
		fclose(f);
	}
	kill(child, SIGKILL);
	fail_msg("the child outlived its parent");
gone:
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_restart_is_immediate_then_doubles),
		cmocka_unit_test(a_long_life_forgives),
		cmocka_unit_test(inherits_exactly_what_it_is_given),
		cmocka_unit_test(its_death_is_counted_and_its_socket_ends),
		cmocka_unit_test(a_program_that_is_not_there_is_a_death),
		cmocka_unit_test(a_dead_parent_takes_its_child_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
