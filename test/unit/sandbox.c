#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"

/* Runs fn in a child; its exit code, or minus the signal that ended it. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#define CHECK(cond)                                \
	do {                                       \
		if (!(cond))                       \
			return __LINE__ % 250 + 1; \
	} while (0)

static int lock_in(void)
{
	if (sandbox_drop("bedwarden") < 0)
		return -1;
	return sandbox_calls(NULL, 0);
}

static int works_on(void)
{
	int fds[2];
	struct stat st;
	char c = 0;
	void *m;

	CHECK(pipe(fds) == 0);
	CHECK(lock_in() == 0);
	CHECK(fstat(fds[0], &st) == 0);
	CHECK(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1 && c == 'x');
	m = malloc(1 << 20); /* large enough for mmap */
	CHECK(m);
	free(m);
	return 0;
}

static int opens_a_file(void)
{
	CHECK(lock_in() == 0);
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 1;
}

static int looks_at_a_file(void)
{
	struct stat st;

	CHECK(lock_in() == 0);
	return stat("/etc/passwd", &st);
}

static int opens_a_socket(void)
{
	CHECK(lock_in() == 0);
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int runs_a_program(void)
{
	char *argv[] = {"/bin/true", NULL};

	CHECK(lock_in() == 0);
	return execv(argv[0], argv);
}

static int makes_code(void)
{
	CHECK(lock_in() == 0);
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED;
}

static int opens_where_named(void)
{
	static const char *const calls[] = {"openat"};

	CHECK(sandbox_drop("bedwarden") == 0);
	CHECK(sandbox_calls(calls, 1) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	return 0;
}

static int names_an_unknown_call(void)
{
	static const char *const calls[] = {"open_everything"};

	CHECK(sandbox_calls(calls, 1) == -EINVAL);
	CHECK(open("/etc/passwd", O_RDONLY) >= 0); /* nothing was half done */
	return 0;
}

static void seccomp_kills(void **state)
{
	assert_int_equal(in_child(works_on), 0);
	assert_int_equal(in_child(opens_a_file), -SIGSYS);
	assert_int_equal(in_child(looks_at_a_file), -SIGSYS);
	assert_int_equal(in_child(opens_a_socket), -SIGSYS);
	assert_int_equal(in_child(runs_a_program), -SIGSYS);
	assert_int_equal(in_child(makes_code), -SIGSYS);
	assert_int_equal(in_child(opens_where_named), 0);
	assert_int_equal(in_child(names_an_unknown_call), 0);
}

static int drops(void)
{
	bool root = geteuid() == 0;
	int death = 0;

	CHECK(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
	CHECK(sandbox_drop("no-such-user-here") == 0);
	CHECK(!root || (geteuid() != 0 && getegid() != 0));
	CHECK(!root || getgroups(0, NULL) <= 1);
	CHECK(setuid(0) < 0 || !root);
	CHECK(prctl(PR_GET_PDEATHSIG, &death) == 0 && death == SIGTERM);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(!root || prctl(PR_CAPBSET_READ, 12) == 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0);
	return 0;
}

static int keeps_some(void)
{
	static const unsigned keep[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP};
	bool root = geteuid() == 0;

	CHECK(sandbox_keep(keep, 3) == 0);
	CHECK(geteuid() == 0 || !root);
	CHECK(!root || prctl(PR_CAPBSET_READ, CAP_SETUID) == 1);
	CHECK(!root || prctl(PR_CAPBSET_READ, CAP_NET_RAW) == 0);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0);
	CHECK(sandbox_drop("nobody") == 0);
	CHECK(!root || geteuid() != 0);
	return 0;
}

static void rights_are_dropped(void **state)
{
	assert_int_equal(in_child(keeps_some), 0);
	assert_int_equal(in_child(drops), 0);
}

static char dir[] = "/tmp/bw-sandbox-XXXXXX";

static int try_file(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, flags, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int no_file_at_all(void)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(sandbox_files(NULL, 0) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	CHECK(try_file("new", O_WRONLY | O_CREAT) == -EACCES);
	return 0;
}

static int one_tree(void)
{
	struct sandbox_path p = {dir, true};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(sandbox_files(&p, 1) == 0);
	CHECK(try_file("new", O_RDWR | O_CREAT | O_TRUNC) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
	p.write = false; /* rights only ever shrink */
	CHECK(sandbox_files(&p, 1) == 0);
	CHECK(try_file("new", O_RDONLY) == 0);
	CHECK(try_file("new", O_WRONLY) == -EACCES);
	CHECK(try_file("other", O_WRONLY | O_CREAT) == -EACCES);
	return 0;
}

static int one_file(void)
{
	struct sandbox_path p = {"/etc/passwd", false};

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(sandbox_files(&p, 1) == 0);
	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	CHECK(open("/etc/group", O_RDONLY) < 0 && errno == EACCES);
	p.path = "/no/such/file";
	CHECK(sandbox_files(&p, 1) == -ENOENT);
	return 0;
}

static void landlock_confines(void **state)
{
	int err = sandbox_files(&(struct sandbox_path){"/no/such/file", false}, 1);

	if (err == -ENOSYS || err == -EOPNOTSUPP) {
		print_message("skip: this kernel has no Landlock\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	assert_int_equal(in_child(no_file_at_all), 0);
	assert_int_equal(in_child(one_tree), 0);
	assert_int_equal(in_child(one_file), 0);
	try_file("new", O_RDONLY);
	char path[128];

	snprintf(path, sizeof(path), "%s/new", dir);
	unlink(path);
	rmdir(dir);
}

static int no_network(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int err, s;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	err = sandbox_network();
	if (err == -EOPNOTSUPP || err == -ENOSYS)
		return 0;
	CHECK(err == 0);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(s >= 0);
	CHECK(bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EACCES);
	a.sin_port = htons(9);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EACCES);
	return 0;
}

static void landlock_denies_the_network(void **state)
{
	assert_int_equal(in_child(no_network), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seccomp_kills),
		cmocka_unit_test(rights_are_dropped),
		cmocka_unit_test(landlock_confines),
		cmocka_unit_test(landlock_denies_the_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
