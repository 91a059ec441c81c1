#include "role/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fips.h"
#include "base/ipc.h"

void child_init(struct child *c, const char *name, unsigned number)
{
	*c = (struct child){.name = name, .number = number, .sock = -1};
}

#define KEPT 6

/* Nothing of the parent's environment but how sanitizers report, which algorithms are used and
 * where their library finds them: a child must not do without a module that its parent has. */
static char **clean_environment(char *env[KEPT + 1])
{
	static const char *const keep[KEPT] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=",
					       "LSAN_OPTIONS=", FIPS_ENV "=",
					       "OPENSSL_CONF=", "OPENSSL_MODULES="};
	unsigned n = 0;

	for (char **e = environ; e && *e; e++)
		for (unsigned k = 0; k < KEPT && n < KEPT; k++)
			if (strncmp(*e, keep[k], strlen(keep[k])) == 0)
				env[n++] = *e;
	env[n] = NULL;
	return env;
}

/*
 * Descriptors 3, 4, … become the socket and those given; every other one beyond
 * stderr is closed. Sources may lie where targets go: first all move up.
 */
static bool arrange_fds(int sock, const struct child_start *how)
{
	int high[1 + CHILD_FDS_MAX];
	unsigned count = 1 + how->fd_count;
	int null = open("/dev/null", O_RDONLY);

	for (unsigned i = 0; i < count; i++) {
		high[i] = fcntl(i == 0 ? sock : how->fds[i - 1], F_DUPFD, 64);
		if (high[i] < 0)
			return false;
	}
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (dup2(high[i], CHILD_IPC_FD + (int)i) < 0)
			return false;
	return syscall(SYS_close_range, CHILD_IPC_FD + count, ~0u, 0) == 0;
}

/* In the new process, until exec: system calls only. */
static _Noreturn void become(const struct child_start *how, int sock, pid_t parent, char **env)
{
	sigset_t none;

	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, how->death_signal) < 0 || getppid() != parent)
		_exit(126); /* the parent died before the kernel was told */
	setsid();	    /* a Ctrl-C is for the parent, which ends its children in order */
	for (int s = 1; s < 32; s++)
		signal(s, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (arrange_fds(sock, how))
		execve(how->program, how->argv, env);
	_exit(127);
}

int child_start(struct child *c, const struct child_start *how, uint64_t now_ns)
{
	pid_t parent = getpid(), pid;
	char *env[KEPT + 1];
	int pair[2], err;

	respawn_started(&c->respawn, now_ns);
	c->heard_ns = now_ns;
	c->unheard = 0;
	c->ready = c->stopping = false;
	if (how->fd_count > CHILD_FDS_MAX)
		return -EINVAL;
	err = ipc_pair(pair);
	if (err < 0)
		goto died;
	clean_environment(env);
	pid = fork();
	if (pid == 0)
		become(how, pair[1], parent, env);
	if (pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		goto died;
	}
	close(pair[1]);
	c->pid = pid;
	c->sock = pair[0];
	return 0;

died:
	c->again_ns = respawn_died(&c->respawn, now_ns);
	return err;
}

void child_gone(struct child *c, uint64_t now_ns)
{
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
	c->pid = 0;
	c->ready = false;
	if (c->stopping) { /* asked for: may come back at once */
		c->again_ns = now_ns;
		return;
	}
	c->restarts++;
	c->again_ns = respawn_died(&c->respawn, now_ns);
}

void child_kill(struct child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}
