#include "role/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "role/bequest.h"
#include "role/notify.h"
#include "role/respawn.h"
#include "update/place/place.h"
#include "update/place/deb_version.h"

#define STOP_S	   12 /* a gateway needs 5 to store what it has, and ends by itself */
#define REHEARSE_S 10
#define WORD_MAX   128
#define INHERITED  5 /* descriptors that a gateway gets, from 3 on: ours, handover, link */

struct supervisor {
	const struct supervisor_options *o;
	int dir; /* updates_dir; -1: there is none, and no release but the packaged one */
	int signals;
	pid_t gateway, helper; /* 0: none */
	int sock;	       /* our end of the gateway's pair; -1 none */
	int handover[2];       /* in which connections lie from gateway to gateway; -1 none */
	struct bequest link;   /* during a change */
	int helper_status;     /* as waitpid() has it, once helper is 0 */
	int helper_words;      /* what it has to say; -1 */
	char running[PLACE_NAME], wanted[PLACE_NAME]; /* "" the packaged one */
	bool asked;				      /* `wanted` is */
	bool changing;				      /* from one release to another */
	bool stop;
	struct respawn respawn;
	uint64_t again_ns;
};

static const char *name_of(const char *release)
{
	return *release ? release : "packaged as " BEDWARDEN_VERSION;
}

/* The release's program; false: it has none that is root's alone. */
static bool program_of(const struct supervisor *s, const char *release, char ret_path[PATH_MAX])
{
	struct stat st;

	if (!*release) {
		snprintf(ret_path, PATH_MAX, "/proc/self/exe");
		return true;
	}
	snprintf(ret_path, PATH_MAX, "%s/releases/%s/bin/bedwarden", s->o->updates_dir, release);
	return s->dir >= 0 && stat(ret_path, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       (st.st_mode & S_IXUSR);
}

/* --- children --------------------------------------------------------------- */

/* Descriptors from `at` on, which may stand where others are to go: false, one cannot. */
static bool move_to(const int *fds, unsigned count, int at)
{
	int high[INHERITED];

	for (unsigned i = 0; i < count; i++)
		if ((high[i] = fcntl(fds[i], F_DUPFD, 64)) < 0)
			return false;
	for (unsigned i = 0; i < count; i++) {
		if (dup2(high[i], at + (int)i) < 0)
			return false;
		close(high[i]);
	}
	return true;
}

/* What a new gateway gets: its end of our pair, and what the one before it left. */
static bool hand_down(const struct supervisor *s, int sock)
{
	int fds[INHERITED] = {sock, s->handover[0], s->handover[1], s->link.keys, s->link.sock};
	bool whole = fds[1] >= 0 && fds[2] >= 0, link = whole && fds[3] >= 0 && fds[4] >= 0;

	return move_to(fds,
		       link    ? 5
		       : whole ? 3
			       : 1,
		       3) &&
	       setenv(SUPERVISOR_ENV, "3", 1) == 0 &&
	       (!whole || setenv(SUPERVISOR_HANDOVER_ENV, "4 5", 1) == 0) &&
	       (!link || bequest_name(&s->link, 6, 7) == 0);
}

/* In the new process. A gateway gets `sock`, `words` becomes standard output; -1: neither. */
static _Noreturn void become(const struct supervisor *s, const char *program, char *const *argv,
			     int sock, int words, int death, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, death) < 0 || getppid() != parent)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ours is the service manager; the gateway speaks to us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (words >= 0 && dup2(words, STDOUT_FILENO) < 0)
		_exit(126);
	if (sock >= 0 && !hand_down(s, sock))
		_exit(126);
	execv(program, argv);
	fprintf(stderr, "bedwarden: %s cannot be started: %s\n", program, strerror(errno));
	_exit(127);
}

static void start_gateway(struct supervisor *s, const char *release)
{
	char program[PATH_MAX];
	char *const argv[] = {"bedwarden", "run", "-c", (char *)s->o->config_file, NULL};
	pid_t self = getpid(), pid;
	int pair[2];

	respawn_started(&s->respawn, clock_mono_ns());
	s->again_ns = UINT64_MAX;
	if (!program_of(s, release, program)) {
		log_error("release %s has no program that is root's alone; starting the packaged "
			  "one",
			  release);
		release = "";
		program_of(s, release, program);
	}
	if (release != s->running)
		snprintf(s->running, sizeof(s->running), "%s", release);
	if (ipc_pair(pair) < 0)
		pair[0] = pair[1] = -1;
	pid = fork();
	if (pid == 0)
		become(s, program, argv, pair[1], -1, SIGTERM, self);
	if (pair[1] >= 0)
		close(pair[1]);
	if (s->sock >= 0)
		close(s->sock);
	s->sock = pair[0];
	s->gateway = pid > 0 ? pid : 0;
	if (pid < 0)
		s->again_ns = respawn_died(&s->respawn, clock_mono_ns());
	log_info("release %s is started", name_of(release));
}

/* Another program of ours or of a release; what it says on standard output is kept where `heard`. */
static int start_helper(struct supervisor *s, const char *program, char *const *argv, bool heard)
{
	pid_t self = getpid(), pid;
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	if (!heard) { /* it may be more than a pipe holds */
		close(pipe_fds[1]);
		pipe_fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	pid = fork();
	if (pid == 0)
		become(s, program, argv, -1, pipe_fds[1], SIGKILL, self);
	close(pipe_fds[1]);
	if (pid < 0) {
		close(pipe_fds[0]);
		return -EAGAIN;
	}
	s->helper = pid;
	s->helper_words = pipe_fds[0];
	fcntl(s->helper_words, F_SETFL, O_NONBLOCK);
	return 0;
}

static void end_helper(struct supervisor *s, char *ret_words, size_t size)
{
	ssize_t n = read(s->helper_words, ret_words, size - 1);

	char *line;

	ret_words[n > 0 ? n : 0] = 0;
	/* The last line is the one that counts. */
	while (n > 0 && ret_words[n - 1] == '\n')
		ret_words[--n] = 0;
	line = strrchr(ret_words, '\n');
	if (line)
		memmove(ret_words, line + 1, strlen(line));
	close(s->helper_words);
	s->helper_words = -1;
}

/* --- what happens ----------------------------------------------------------- */

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->helper) {
			s->helper = 0;
			s->helper_status = status;
		}
		if (pid != s->gateway)
			continue;
		s->gateway = 0;
		s->again_ns = respawn_died(&s->respawn, clock_mono_ns());
		if (WIFSIGNALED(status))
			log_error("release %s was ended by signal %d", name_of(s->running),
				  WTERMSIG(status));
		else
			log_info("release %s ended with code %d", name_of(s->running),
				 WEXITSTATUS(status));
	}
}

static void hear_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (info.ssi_signo == SIGHUP && s->gateway)
			kill(s->gateway, SIGHUP);
		else if (info.ssi_signo != SIGHUP)
			s->stop = true;
	}
}

/* False: it says nothing more now. */
static bool hear_gateway(struct supervisor *s)
{
	char word[WORD_MAX];
	int fds[2];
	ssize_t n = bequest_hear(s->sock, word, sizeof(word), fds);

	if (n <= 0) {
		if (n == 0 || (n != -EAGAIN && n != -EINTR)) {
			close(s->sock);
			s->sock = -1;
		}
		return false;
	}
	if (strcmp(word, "READY=1") == 0 || strcmp(word, "WATCHDOG=1") == 0) {
		notify_say(word);
	} else if (strncmp(word, "SWITCH=", 7) == 0 && (!word[7] || place_name_is_good(word + 7))) {
		snprintf(s->wanted, sizeof(s->wanted), "%.63s", word + 7);
		s->asked = true;
	} else if (s->changing) {
		bequest_take(&s->link, word, fds);
	}
	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return true;
}

static void turn(struct supervisor *s, int ms)
{
	struct pollfd set[] = {{s->signals, POLLIN, 0}, {s->sock, POLLIN, 0}};

	if (poll(set, 2, ms) <= 0)
		return;
	if (set[0].revents)
		hear_signals(s);
	if (set[1].revents && s->sock == set[1].fd)
		hear_gateway(s);
}

static void stop_gateway(struct supervisor *s)
{
	uint64_t end = clock_mono_ns() + STOP_S * NSEC_PER_SEC;

	if (s->gateway && s->changing && s->sock >= 0)
		(void)!send(s->sock, SUPERVISOR_HEIR, sizeof(SUPERVISOR_HEIR) - 1,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (s->gateway)
		kill(s->gateway, SIGTERM);
	while (s->gateway) {
		if (clock_mono_ns() >= end)
			kill(s->gateway, SIGKILL);
		notify_say("WATCHDOG=1");
		turn(s, 50);
	}
	while (s->sock >= 0 && hear_gateway(s))
		; /* its last words */
}

/* Whether the helper ends well in time; false with its words, or with what became of it. */
static bool await(struct supervisor *s, unsigned seconds, bool with_gateway, char *ret_why,
		  size_t size)
{
	uint64_t end = clock_mono_ns() + seconds * NSEC_PER_SEC;
	bool late = false, gone = false;

	while (s->helper) {
		late = clock_mono_ns() >= end;
		gone = with_gateway && !s->gateway;
		if (late || gone || s->stop)
			kill(s->helper, SIGKILL);
		notify_say("WATCHDOG=1");
		turn(s, 50);
	}
	end_helper(s, ret_why, size);
	if (gone || (with_gateway && !s->gateway))
		snprintf(ret_why, size, "it ended by itself");
	else if (late && !*ret_why)
		snprintf(ret_why, size, "it did not prove itself within %u seconds", seconds);
	else if (WIFEXITED(s->helper_status) && WEXITSTATUS(s->helper_status) == 0)
		return true;
	else if (!*ret_why)
		snprintf(ret_why, size, "its program cannot be used");
	return false;
}

/* --- a change of release ---------------------------------------------------- */

static void decide(struct supervisor *s, const char *what, const char *to, const char *from,
		   const char *why)
{
	char note[PLACE_NOTE];
	int err;

	snprintf(note, sizeof(note), "%s\n%s\n%s\n%.256s\n", what, to, from, why);
	err = place_note(s->dir, "outcome", note);
	if (err == 0)
		err = place_drop(s->dir, "trial");
	if (err < 0)
		log_error("%s: what came of the change is not noted: %s", s->o->updates_dir,
			  strerror(-err));
	if (s->sock >= 0)
		(void)!send(s->sock, "OUTCOME", 7, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Can it run here, and read the policy? Asked while the old one still guards. */
static bool rehearse(struct supervisor *s, const char *release, char *ret_why, size_t size)
{
	char program[PATH_MAX];
	char *const argv[] = {"bedwarden", "policy", "check", (char *)s->o->config_file, NULL};

	if (!program_of(s, release, program)) {
		snprintf(ret_why, size, "there is no such release");
		return false;
	}
	if (start_helper(s, program, argv, false) < 0) {
		snprintf(ret_why, size, "no process can be made");
		return false;
	}
	if (await(s, REHEARSE_S, false, ret_why, size))
		return true;
	snprintf(ret_why, size, "it does not start, or does not take the policy file");
	return false;
}

static bool prove(struct supervisor *s, const char *release, char *ret_why, size_t size)
{
	char *const argv[] = {"bedwarden", "_selfcheck",    "-c", (char *)s->o->config_file,
			      "-r",	   (char *)release, NULL};

	if (start_helper(s, "/proc/self/exe", argv, true) < 0) {
		snprintf(ret_why, size, "no process can be made to check it");
		return false;
	}
	return await(s, SUPERVISOR_PROVE_S, true, ret_why, size);
}

/* What is noted first is what a start after a crash goes by. */
static int begin_trial(struct supervisor *s, const char *to, const char *from)
{
	char note[PLACE_NOTE];
	int err;

	snprintf(note, sizeof(note), "%s\n%s\n", to, from);
	err = place_note(s->dir, "trial", note);
	return err < 0 ? err : place_point(s->dir, "current", "releases", to);
}

static void try(struct supervisor *s)
{
	char from[PLACE_NAME], to[PLACE_NAME], why[256] = "";
	int err;

	s->asked = false;
	snprintf(from, sizeof(from), "%s", s->running);
	snprintf(to, sizeof(to), "%s", s->wanted);
	if (s->dir < 0 || strcmp(from, to) == 0)
		return;
	if (!rehearse(s, to, why, sizeof(why))) {
		if (s->stop)
			return;
		log_error("release %s is not started: %s", name_of(to), why);
		decide(s, "refused", to, from, why);
		return;
	}
	err = begin_trial(s, to, from);
	if (err < 0) {
		log_error("%s: %s", s->o->updates_dir, strerror(-err));
		place_point(s->dir, "current", "releases", from);
		decide(s, "refused", to, from, strerror(-err));
		return;
	}
	stop_gateway(s);
	if (s->stop)
		return; /* the next start goes back, and may try again */
	start_gateway(s, to);
	if (prove(s, to, why, sizeof(why))) {
		log_info("release %s does its work", name_of(to));
		decide(s, "done", to, from, "");
		return;
	}
	if (s->stop)
		return;
	log_error("release %s failed: %s; going back to %s", name_of(to), why, name_of(from));
	if (s->gateway && strcmp(why, "it ended by itself") != 0)
		stop_gateway(s);
	err = place_point(s->dir, "current", "releases", from);
	if (err < 0)
		log_error("%s/current: %s", s->o->updates_dir, strerror(-err));
	start_gateway(s, from);
	decide(s, "back", to, from, why);
}

static void change(struct supervisor *s)
{
	s->changing = true;
	try(s);
	s->changing = false;
	bequest_drop(&s->link);
}

/* --- beginning and end ------------------------------------------------------ */

/* Which release is to be started: never one that has not proved itself. */
static void choose(struct supervisor *s, char ret_release[PLACE_NAME])
{
	char note[PLACE_NOTE], to[PLACE_NAME], from[PLACE_NAME];

	*ret_release = 0;
	if (s->dir < 0)
		return;
	place_read(s->dir, "trial", note);
	if (*note) {
		place_line(note, 0, to, sizeof(to));
		place_line(note, 1, from, sizeof(from));
		if (*from && !place_name_is_good(from))
			*from = 0;
		log_warn("release %s had not proved itself when the machine stopped; starting %s",
			 name_of(to), name_of(from));
		place_point(s->dir, "current", "releases", from);
		decide(s, "interrupted", to, from, "the machine stopped before it was decided");
	}
	place_link(s->dir, "current", ret_release);
	/* The package was updated by other means since: that was somebody's wish. */
	if (*ret_release && deb_version_compare(ret_release, BEDWARDEN_VERSION) < 0) {
		place_point(s->dir, "current", "", "");
		*ret_release = 0;
	}
}

static int open_signals(void)
{
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mine, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_place(const char *path)
{
	struct stat st;
	int dir = place_open(path);

	if (dir < 0) {
		log_info("%s: %s; only the packaged release can run", path, strerror(-dir));
		return -1;
	}
	if (fstat(dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		log_error("%s is not root's alone: no release is started from there", path);
		close(dir);
		return -1;
	}
	return dir;
}

/* The pair that the service manager kept, or a new one for it to keep. */
static void open_handover(struct supervisor *s)
{
	static const char *const names[2] = {"handover-0", "handover-1"};

	for (unsigned i = 0; i < 2; i++)
		s->handover[i] = notify_kept(names[i]);
	if (s->handover[0] >= 0 && s->handover[1] >= 0)
		return;
	if (ipc_pair(s->handover) < 0) {
		s->handover[0] = s->handover[1] = -1;
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		notify_keep(names[i], s->handover[i]);
}

int supervisor_run(const struct supervisor_options *o)
{
	struct supervisor s = {.o = o,
			       .sock = -1,
			       .link = BEQUEST_NONE,
			       .helper_words = -1,
			       .again_ns = UINT64_MAX};
	char release[PLACE_NAME];

	log_init("supervisor", LOG_INFO);
	open_handover(&s);
	s.signals = open_signals();
	if (s.signals < 0)
		fatal("no signals from the kernel: %s", strerror(errno));
	s.dir = open_place(o->updates_dir);
	choose(&s, release);
	start_gateway(&s, release);
	while (!s.stop) {
		uint64_t now = clock_mono_ns();

		if (s.asked && s.gateway)
			change(&s);
		else if (!s.gateway && now >= s.again_ns)
			start_gateway(&s, s.running);
		turn(&s, s.gateway ? 1000 : 50);
	}
	notify_say("STOPPING=1");
	stop_gateway(&s);
	if (s.dir >= 0)
		close(s.dir);
	close(s.signals);
	return 0;
}
