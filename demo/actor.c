#include "demo/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const folders[] = {"/usr/sbin", "/usr/bin",	      "/sbin",
				      "/bin",	   "/usr/local/sbin", "/usr/local/bin"};

static bool locate(const char *name, char *ret_path, size_t cap)
{
	ret_path[0] = 0;
	if (!name)
		return false;
	if (strchr(name, '/')) {
		snprintf(ret_path, cap, "%s", name);
		return access(name, X_OK) == 0;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(ret_path, cap, "%s/%s", folders[i], name);
		if (access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

bool actor_tool_there(const char *name)
{
	char path[256];

	return locate(name, path, sizeof(path));
}

static void enter(int netns)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	if (netns >= 0 && setns(netns, CLONE_NEWNET)) {
		perror("demo: entering a namespace");
		_exit(127);
	}
}

pid_t actor_start(int netns, actor_fn fn, void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid)
		return pid;
	enter(netns);
	_exit(fn(arg) & 0xff);
}

/* Standard input from text: a pipe holds 64 kB, more than any of ours. */
static int input_of(const char *text)
{
	int fds[2];
	size_t len = text ? strlen(text) : 0;

	if (!len)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipe2(fds, O_CLOEXEC))
		return -1;
	if (write(fds[1], text, len) != (ssize_t)len) {
		close(fds[0]);
		fds[0] = -1;
	}
	close(fds[1]);
	return fds[0];
}

static void become(const struct actor_tool *t)
{
	char path[256];
	int in = input_of(t->input);
	int out = open(t->output ? t->output : "/dev/null",
		       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	if (t->dir && chdir(t->dir))
		_exit(126);
	if (t->prepare)
		t->prepare(t->prepare_arg);
	signal(SIGPIPE, SIG_DFL);
	if (locate(t->argv[0], path, sizeof(path)))
		execv(path, (char *const *)t->argv);
	fprintf(stderr, "%s: %s\n", t->argv[0], strerror(errno ? errno : ENOENT));
	_exit(127);
}

pid_t actor_exec(int netns, const struct actor_tool *t)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid)
		return pid;
	enter(netns);
	become(t);
	_exit(127);
}

void actor_sleep(int ms)
{
	struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

int actor_wait(pid_t pid, int timeout_ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (clock_mono_ns() >= end)
			break;
		actor_sleep(10);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -ETIMEDOUT;
}

void actor_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	actor_wait(pid, 1000);
}

int actor_run(int netns, const struct actor_tool *t, int timeout_ms)
{
	pid_t pid = actor_exec(netns, t);

	return pid < 0 ? (int)pid : actor_wait(pid, timeout_ms);
}
