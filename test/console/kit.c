/*
 * kit FOLDER [FACTOR...]: keeper and console as the parent would start them, sandbox and
 * all, with this as their parent: no ports, no packets. Says "PORT\n" once both are ready.
 * What stands on stdin goes to the keeper as events; its end stops them.
 *
 * The policy is FOLDER/policy.yaml. Errands are run by the program beside the folder that this is in. Sessions are made up (below), with KIT_REAL real ones. Console options by environment: KIT_PER_SOURCE, …
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/file.h"
#include "base/ipc.h"
#include "role/console.h"
#include "role/errand.h"
#include "role/keeper.h"
#include "role/staff.h"

#define USER "bedwarden"

/*
 * Who is behind a token here: "t.ROLE[.key|.fresh]...", a fresh one with a new factor, a key one of
 * a machine, whose scopes are "events" and "policy.*". The proof of our page is "csrf". While
 * there is a file `revoked` in the state's folder, nobody is.
 */
static bool identify(struct keeper *k, const char *token, const char *csrf, struct call_asker *by,
		     struct call_error *e)
{
	static json_t *scopes, *devices;
	static char role[64];
	char path[300];

	snprintf(path, sizeof(path), "%s/revoked", k->state_dir);
	if (sscanf(token, "t.%40[a-z_]", role) != 1 || !people_role_from_name(role, &by->role) ||
	    access(path, F_OK) == 0) {
		call_fail(e, 401, "auth.session", "There is no such session", "sign in again");
		return false;
	}
	if (!scopes)
		scopes = json_pack("[s, s]", "events", "policy.*");
	if (!devices)
		devices = json_pack("[s]", "pump-1");
	by->user = role;
	by->session_id = "1";
	by->csrf_ok = strcmp(csrf, "csrf") == 0;
	by->api_key = strstr(token, ".key") != NULL;
	by->scopes = scopes;
	by->devices = devices;
	by->stepped_up_ns = strstr(token, ".fresh") ? UINT64_MAX : 0;
	return true;
}

struct kit {
	char folder[200], state[240], policy[240], control[240], at[64];
	int listening, web, keeper, console;
	pid_t keeper_pid, console_pid, clerk_pid;
	int clerk; /* -1 none */
	uint32_t errand;
	char buf[IPC_BUF];
};

/* A real session; while there is a file `stale` in the state's folder, no factor is fresh. */
static bool identify_stale(struct keeper *k, const char *token, const char *csrf,
			   struct call_asker *by, struct call_error *e)
{
	bool ok = staff_identify(k, token, csrf, by, e);
	char path[300];

	snprintf(path, sizeof(path), "%s/stale", k->state_dir);
	if (access(path, F_OK) == 0)
		by->stepped_up_ns = 0;
	return ok;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static const char *option(const char *name, const char *fallback)
{
	const char *s = getenv(name);

	return s ? s : fallback;
}

/* Becomes the role, with descriptors 3 and 4. */
static pid_t become(int ipc, int fourth, int (*role)(int, char **), char **argv)
{
	pid_t pid = fork();
	int argc = 0, a, b;

	if (pid != 0)
		return pid;
	a = fcntl(ipc, F_DUPFD, 100);
	b = fcntl(fourth, F_DUPFD, 100);
	dup2(a, 3);
	dup2(b, 4);
	for (int fd = 5; fd < 200; fd++)
		close(fd);
	while (argv[argc])
		argc++;
	optind = 0;
	exit(role(argc, argv));
}

static void start_keeper(struct kit *k)
{
	char *argv[] = {"_keeper", "-d", k->state, "-u", USER,	    "-n",
			"2000000", "-H", "file",   "-c", k->policy, NULL};
	int pair[2];

	if (ipc_pair(pair) < 0)
		die("pair");
	k->keeper_pid = become(pair[1], k->listening, keeper_main, argv);
	close(pair[1]);
	k->keeper = pair[0];
}

static void start_console(struct kit *k)
{
	char *argv[] = {"_console",
			"-u",
			USER,
			"-a",
			k->at,
			"-n",
			"localhost",
			"-c",
			(char *)option("KIT_CONNECTIONS", "300"),
			"-s",
			(char *)option("KIT_PER_SOURCE", "280"),
			"-r",
			(char *)option("KIT_REQUESTS", "2000"),
			"-l",
			(char *)option("KIT_SUBSCRIBERS", "250"),
			NULL};
	int pair[2];

	if (ipc_pair(pair) < 0)
		die("pair");
	k->console_pid = become(pair[1], k->web, console_main, argv);
	close(pair[1]);
	k->console = pair[0];
}

static void introduce(struct kit *k)
{
	int pair[2];

	for (uint32_t which = 0; which < 2; which++) {
		struct bytes body = {(const uint8_t *)&which, sizeof(which)};

		if (ipc_pair(pair) < 0 || ipc_send(k->console, IPC_PEER, 0, body, pair[0]) ||
		    ipc_send(k->keeper, IPC_CONSOLE, 0, body, pair[1]))
			die("introduce");
		close(pair[0]);
		close(pair[1]);
	}
}

static void say(struct kit *k, enum ipc_type type, uint32_t id, const char *text)
{
	ipc_send(k->keeper, type, id, (struct bytes){(const uint8_t *)text, strlen(text)}, -1);
}

static void give_policy(struct kit *k, uint32_t id)
{
	struct bytes text;
	int fd = memfd_create("policy", MFD_CLOEXEC);

	if (file_read(k->policy, 1 << 20, &text) < 0) {
		say(k, IPC_POLICY_FILE, id, "{\"error\":\"no policy\"}");
	} else {
		file_write(fd, text);
		ipc_send(k->keeper, IPC_POLICY_TEXT, id, (struct bytes){0}, fd);
		free((void *)text.data);
	}
	close(fd);
}

/* As reload_replace(), without the gateway. */
static void take_policy(struct kit *k, const struct ipc_message *m)
{
	uint8_t hash[CRYPTO_HASH];
	struct bytes was = {0}, now = {0};

	file_read(k->policy, 1 << 20, &was);
	crypto_sha256(was, hash);
	if (memcmp(hash, m->body.data, sizeof(hash)) != 0) {
		give_policy(k, m->id);
	} else {
		lseek(m->fd, 0, SEEK_SET);
		file_read_fd(m->fd, 1 << 20, &now);
		file_replace(k->policy, now, 0644);
		say(k, IPC_POLICY_FILE, m->id, "{\"generation\":2}");
	}
	free((void *)was.data);
	free((void *)now.data);
}

/* As member_start() does it. */
static void start_clerk(struct kit *k, const struct ipc_message *m)
{
	static struct errand_words w;
	char *argv[ERRAND_WORDS + 3] = {"bedwarden", "_clerk"}, self[400], program[500];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int pair[2], a, b;

	if (k->clerk >= 0) { /* it has answered, and is about to end */
		waitpid(k->clerk_pid, NULL, 0);
		close(k->clerk);
	}
	if (n < 0 || !errand_words(m->body, k->policy, &w) || ipc_pair(pair) < 0)
		die("errand");
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(program, sizeof(program), "%s/../bedwarden", self);
	for (unsigned i = 0; i <= w.count; i++)
		argv[2 + i] = (char *)w.word[i];
	k->errand = m->id;
	k->clerk = pair[0];
	k->clerk_pid = fork();
	if (k->clerk_pid == 0) {
		a = fcntl(pair[1], F_DUPFD, 100);
		b = fcntl(m->fd, F_DUPFD, 100);
		dup2(a, 3);
		dup2(b, 4);
		for (int fd = 5; fd < 200; fd++)
			close(fd);
		execv(program, argv);
		_exit(127);
	}
	close(pair[1]);
}

static void hear_clerk(struct kit *k)
{
	struct ipc_message m;
	int err;

	while ((err = ipc_recv(k->clerk, k->buf, &m)) == 0) {
		if (m.type == IPC_ERRAND)
			ipc_send(k->keeper, IPC_ERRAND, k->errand, m.body, m.fd);
		if (m.fd >= 0)
			close(m.fd);
	}
	if (err == -EAGAIN)
		return;
	waitpid(k->clerk_pid, NULL, 0);
	close(k->clerk);
	k->clerk = -1;
}

static void hear(struct kit *k, int sock)
{
	struct ipc_message m;
	int err;

	while ((err = ipc_recv(sock, k->buf, &m)) == 0) {
		if (m.type == IPC_STATUS)
			say(k, IPC_STATUS, m.id,
			    "{\"version\":\"kit\",\"nags\":[],\"console\":{\"on\":true}}");
		else if (m.type == IPC_POLICY_FILE)
			give_policy(k, m.id);
		else if (m.type == IPC_POLICY_TEXT)
			take_policy(k, &m);
		else if (m.type == IPC_ERRAND)
			start_clerk(k, &m);
		if (m.fd >= 0)
			close(m.fd);
	}
	if (err != -EAGAIN) {
		int status = 0;

		waitpid(sock == k->keeper ? k->keeper_pid : k->console_pid, &status, 0);
		fprintf(stderr, "kit: %s is gone: %s %d\n",
			sock == k->keeper ? "keeper" : "console",
			WIFSIGNALED(status) ? "signal" : "code",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		exit(1);
	}
}

static void wait_ready(struct kit *k, int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct ipc_message m;

	if (poll(&p, 1, 30000) != 1 || ipc_recv(sock, k->buf, &m) != 0 || m.type != IPC_READY) {
		fprintf(stderr, "kit: %s is not ready\n", sock == k->keeper ? "keeper" : "console");
		exit(1);
	}
}

/* Whole lines of stdin, as far as they come; false: its end. */
static bool pass_events(struct kit *k)
{
	static char buf[IPC_BODY_MAX];
	static size_t len;
	ssize_t n = read(0, buf + len, sizeof(buf) - len);
	char *newline;
	size_t whole;

	if (n <= 0)
		return false;
	len += (size_t)n;
	newline = memrchr(buf, '\n', len);
	if (!newline)
		return true;
	whole = (size_t)(newline - buf) + 1;
	while (ipc_send(k->keeper, IPC_EVENTS, 0, (struct bytes){(uint8_t *)buf, whole}, -1) ==
	       -EAGAIN) {
		usleep(1000);
		hear(k, k->keeper);
	}
	memmove(buf, buf + whole, len - whole);
	len -= whole;
	return true;
}

static void listen_all(struct kit *k)
{
	struct sockaddr_un u = {.sun_family = AF_UNIX};
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int on = 1;

	snprintf(u.sun_path, sizeof(u.sun_path), "%.90s/control", k->folder);
	unlink(u.sun_path);
	k->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	k->web = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(k->web, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	a.sin_port = htons((uint16_t)atoi(option("KIT_PORT", "0")));
	if (bind(k->listening, (struct sockaddr *)&u, sizeof(u)) || listen(k->listening, 16) ||
	    bind(k->web, (struct sockaddr *)&a, sizeof(a)) || listen(k->web, 512) ||
	    getsockname(k->web, (struct sockaddr *)&a, &len))
		die("listen");
	snprintf(k->at, sizeof(k->at), "127.0.0.1:%u", ntohs(a.sin_port));
}

int main(int argc, char **argv)
{
	static struct kit k = {.clerk = -1};
	struct pollfd p[4];

	if (argc != 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	keeper_identify = getenv("KIT_REAL") ? identify_stale : identify;
	snprintf(k.folder, sizeof(k.folder), "%s", argv[1]);
	snprintf(k.state, sizeof(k.state), "%s/state", k.folder);
	snprintf(k.policy, sizeof(k.policy), "%s/policy.yaml", k.folder);
	chmod(k.folder, 0755); /* the keeper's own user passes through */
	listen_all(&k);
	start_keeper(&k);
	wait_ready(&k, k.keeper);
	start_console(&k);
	wait_ready(&k, k.console);
	introduce(&k);
	printf("%s\n", strrchr(k.at, ':') + 1);
	fflush(stdout);
	p[0] = (struct pollfd){.fd = 0, .events = POLLIN};
	p[1] = (struct pollfd){.fd = k.keeper, .events = POLLIN};
	p[2] = (struct pollfd){.fd = k.console, .events = POLLIN};
	for (;;) {
		p[3] = (struct pollfd){.fd = k.clerk, .events = POLLIN};
		if (poll(p, 4, -1) < 0)
			continue;
		if (p[3].revents)
			hear_clerk(&k);
		if (p[1].revents)
			hear(&k, k.keeper);
		if (p[2].revents)
			hear(&k, k.console);
		if (p[0].revents && !pass_events(&k))
			break;
	}
	ipc_send(k.console, IPC_STOP, 0, (struct bytes){0}, -1);
	waitpid(k.console_pid, NULL, 0);
	ipc_send(k.keeper, IPC_STOP, 0, (struct bytes){0}, -1);
	waitpid(k.keeper_pid, NULL, 0);
	return 0;
}
