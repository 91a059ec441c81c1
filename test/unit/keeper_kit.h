#ifndef BEDWARDEN_TEST_KEEPER_KIT_H
#define BEDWARDEN_TEST_KEEPER_KIT_H
/*
 * A keeper as it runs, sandbox and all, with this test as its parent, its one guard and those who
 * ask it.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/ipc.h"
#include "role/keeper.h"

/* A keeper, sandbox and all, with this test as its parent and its one guard. */
struct stage {
	char folder[64], socket[96], state[96];
	pid_t pid;
	int listening, parent, guard;
	char buf[IPC_BUF];
};

static inline void become_keeper(const struct stage *s, int ipc, const char *user)
{
	char *argv[] = {"_keeper",  "-d",	  (char *)s->state,
			"-u",	    (char *)user, "-e",
			"eve.json", "-m",	  "1",
			"-k",	    "2",	  "-n",
			"5000",	    "-E",	  "16",
			"-D",	    "1",	  "-H",
			"file",	    NULL};
	int a = fcntl(ipc, F_DUPFD, 100), b = fcntl(s->listening, F_DUPFD, 100);

	dup2(a, KEEPER_IPC_FD);
	dup2(b, KEEPER_CONTROL_FD);
	for (int fd = 5; fd < 200; fd++)
		close(fd);
	optind = 0;
	_exit(keeper_main(19, argv));
}

static inline void connect_guard(struct stage *s)
{
	uint32_t number = 0;
	int pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	assert_int_equal(ipc_send(s->parent, IPC_PEER, 0,
				  (struct bytes){(uint8_t *)&number, sizeof(number)}, pair[1]),
			 0);
	close(pair[1]);
	s->guard = pair[0];
}

/* The next message, within five seconds. */
static inline struct ipc_message hear(struct stage *s, int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct ipc_message m;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(ipc_recv(sock, s->buf, &m), 0);
	return m;
}

static inline void start(struct stage *s)
{
	int pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		become_keeper(s, pair[1], "bedwarden");
	close(pair[1]);
	s->parent = pair[0];
	assert_int_equal(hear(s, s->parent).type, IPC_READY);
	connect_guard(s);
}

static inline int set_up(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(s->folder, "/tmp/bedwarden-keeper-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	chmod(s->folder, 0755); /* the keeper's own user passes through */
	snprintf(s->socket, sizeof(s->socket), "%s/control", s->folder);
	snprintf(s->state, sizeof(s->state), "%s/state", s->folder);
	strcpy(a.sun_path, s->socket);
	s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->listening, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listening, 64), 0);
	start(s);
	*state = s;
	return 0;
}

/* Its exit code; minus a signal. */
static inline int wait_for(struct stage *s)
{
	int status = 0;

	for (int i = 0; i < 500 && waitpid(s->pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	s->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int stop(struct stage *s)
{
	ipc_send(s->parent, IPC_STOP, 0, (struct bytes){0}, -1);
	return wait_for(s);
}

static inline int tear_down(void **state)
{
	struct stage *s = *state;
	int code = 0;

	if (s->pid)
		code = stop(s);
	close(s->parent);
	close(s->guard);
	close(s->listening);
	place_clear(s->folder);
	free(s);
	return code;
}

static inline size_t make_event(char buf[EVENT_MAX], unsigned n, enum reason reason)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "policy",
				 .flow_id = n + 1,
				 .src_port = -1,
				 .dest_port = -1,
				 .device = "pump-1",
				 .reason = reason,
				 .verdict = "drop"};
	struct json j = event_begin(&e, buf);

	return event_end(&j);
}

static inline void send_text(int sock, enum ipc_type type, uint32_t id, const char *text)
{
	struct bytes body = {(const uint8_t *)text, strlen(text)};
	int err;

	while ((err = ipc_send(sock, type, id, body, -1)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(err, 0);
}

static inline void send_events(struct stage *s, unsigned first, unsigned count, enum reason reason)
{
	char line[EVENT_MAX + 2];

	for (unsigned n = first; n < first + count; n++) {
		size_t len = make_event(line, n, reason);

		strcpy(line + len, "\n");
		send_text(s->guard, IPC_EVENTS, 0, line);
	}
}

static inline int reach(struct stage *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 15};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, s->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static inline void say(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

/* The rows up to {"end":true} or {"error":…}, which is the last of them; NULL: it hung up. */
static inline json_t *read_rows(int fd)
{
	json_t *rows = json_array(), *row;
	char line[65536];
	size_t len = 0;

	while (recv(fd, line + len, 1, 0) == 1) {
		if (line[len++] != '\n')
			continue;
		row = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
		assert_non_null(row);
		json_array_append_new(rows, row);
		if (json_object_get(row, "end") || json_object_get(row, "error"))
			return rows;
		len = 0;
	}
	json_decref(rows);
	return NULL;
}

static inline json_t *ask(struct stage *s, const char *request)
{
	int fd = reach(s);
	json_t *rows;

	say(fd, request);
	rows = read_rows(fd);
	close(fd);
	assert_non_null(rows);
	return rows;
}

static inline const json_t *last_of(const json_t *rows)
{
	return json_array_get(rows, json_array_size(rows) - 1);
}

static inline const char *error_of(const json_t *rows)
{
	const char *s = json_string_value(json_object_get(last_of(rows), "error"));

	return s ? s : "";
}

static inline size_t rows_of(struct stage *s, const char *request)
{
	json_t *rows = ask(s, request);
	size_t count = json_array_size(rows) - 1;

	assert_string_equal(error_of(rows), "");
	json_decref(rows);
	return count;
}

/* Asks until there are so many: what was sent is on its way. */
static inline void expect_rows(struct stage *s, const char *request, size_t count)
{
	size_t have = 0;

	for (int i = 0; i < 300; i++) {
		have = rows_of(s, request);
		if (have == count)
			return;
		usleep(20000);
	}
	assert_int_equal(have, count);
}

/* What guards reported, without what the gateway says of itself. */
#define ALL "{\"cmd\":\"events\",\"all\":true,\"device\":\"pump-1\",\"limit\":100000}\n"

/* The answer to a call of the box's operator; NULL: it was an error. */
static inline json_t *called(struct stage *s, const char *line)
{
	json_t *rows = ask(s, line), *first = json_incref(json_array_get(rows, 0));

	json_decref(rows);
	if (json_object_get(first, "error") || json_object_get(first, "end")) {
		json_decref(first);
		return NULL;
	}
	return first;
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
