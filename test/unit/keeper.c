#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/evidence.h"
#include "base/ipc.h"
#include "role/keeper.h"

/* A keeper, sandbox and all, with this test as its parent and its one guard. */
struct stage {
	char folder[64], socket[96], state[96];
	pid_t pid;
	int listening, parent, guard;
	char buf[IPC_BUF];
};

static void become_keeper(const struct stage *s, int ipc, const char *user)
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

static void connect_guard(struct stage *s)
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
static struct ipc_message hear(struct stage *s, int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	struct ipc_message m;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(ipc_recv(sock, s->buf, &m), 0);
	return m;
}

static void start(struct stage *s)
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

static int set_up(void **state)
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
static int wait_for(struct stage *s)
{
	int status = 0;

	for (int i = 0; i < 500 && waitpid(s->pid, &status, WNOHANG) == 0; i++)
		usleep(10000);
	s->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int stop(struct stage *s)
{
	ipc_send(s->parent, IPC_STOP, 0, (struct bytes){0}, -1);
	return wait_for(s);
}

static int tear_down(void **state)
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

static size_t make_event(char buf[EVENT_MAX], unsigned n, enum reason reason)
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

static void send_text(int sock, enum ipc_type type, uint32_t id, const char *text)
{
	struct bytes body = {(const uint8_t *)text, strlen(text)};
	int err;

	while ((err = ipc_send(sock, type, id, body, -1)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(err, 0);
}

static void send_events(struct stage *s, unsigned first, unsigned count, enum reason reason)
{
	char line[EVENT_MAX + 2];

	for (unsigned n = first; n < first + count; n++) {
		size_t len = make_event(line, n, reason);

		strcpy(line + len, "\n");
		send_text(s->guard, IPC_EVENTS, 0, line);
	}
}

static int reach(struct stage *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 15};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, s->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static void say(int fd, const char *line)
{
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

/* The rows up to {"end":true} or {"error":…}, which is the last of them; NULL: it hung up. */
static json_t *read_rows(int fd)
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

static json_t *ask(struct stage *s, const char *request)
{
	int fd = reach(s);
	json_t *rows;

	say(fd, request);
	rows = read_rows(fd);
	close(fd);
	assert_non_null(rows);
	return rows;
}

static const json_t *last_of(const json_t *rows)
{
	return json_array_get(rows, json_array_size(rows) - 1);
}

static const char *error_of(const json_t *rows)
{
	const char *s = json_string_value(json_object_get(last_of(rows), "error"));

	return s ? s : "";
}

static size_t rows_of(struct stage *s, const char *request)
{
	json_t *rows = ask(s, request);
	size_t count = json_array_size(rows) - 1;

	assert_string_equal(error_of(rows), "");
	json_decref(rows);
	return count;
}

/* Asks until there are so many: what was sent is on its way. */
static void expect_rows(struct stage *s, const char *request, size_t count)
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

static void stores_and_serves_events(void **state)
{
	struct stage *s = *state;
	json_t *rows;

	send_events(s, 0, 30, REASON_POLICY_NOT_ALLOWED);
	expect_rows(s, ALL, 30);
	rows = ask(s, "{\"cmd\":\"events\"}\n");
	assert_int_equal(json_array_size(rows), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "count")), 30);
	json_decref(rows);
	assert_int_equal(rows_of(s, "{\"cmd\":\"events\",\"device\":\"nobody\"}\n"), 0);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0);
}

static void malformed_lines_cost_nothing_else(void **state)
{
	struct stage *s = *state;
	char good[EVENT_MAX + 2], mixed[EVENT_MAX * 4];
	size_t len = make_event(good, 1, REASON_SCAN_PORTS);

	good[len] = 0;
	snprintf(mixed, sizeof(mixed), "nonsense\n%s\n{\"a\":\n\n%s\n%s", good, good, good);
	send_text(s->guard, IPC_EVENTS, 0, mixed); /* the last has no end: refused */
	send_events(s, 5, 1, REASON_SCAN_PORTS);
	expect_rows(s, "{\"cmd\":\"events\",\"all\":true,\"reason\":\"scan\"}\n", 3);
	assert_int_equal(rows_of(s, "{\"cmd\":\"events\",\"reason\":\"gateway.bad_message\"}\n"),
			 1);
}

static void a_malformed_message_costs_a_guard_its_connection(void **state)
{
	struct stage *s = *state;
	struct ipc_header lie = {.type = IPC_EVENTS, .len = 9999};
	struct pollfd p = {.fd = s->guard, .events = POLLIN};

	assert_int_equal(send(s->guard, &lie, sizeof(lie), 0), sizeof(lie));
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(p.revents & POLLHUP);
	close(s->guard);
	connect_guard(s);
	send_events(s, 0, 3, REASON_SCAN_PORTS);
	expect_rows(s, "{\"cmd\":\"events\",\"all\":true,\"reason\":\"scan.ports\"}\n", 3);
}

static void a_guard_may_not_speak_for_the_parent(void **state)
{
	struct stage *s = *state;
	struct pollfd p = {.fd = s->guard, .events = POLLIN};

	send_text(s->guard, IPC_STOP, 0, "");
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(p.revents & POLLHUP);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0); /* it did not stop */
}

static void status_is_the_parents_and_its_own(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	struct ipc_message m;
	const json_t *status;
	json_t *rows;

	send_events(s, 0, 2, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 2);
	say(fd, "{\"cmd\":\"status\"}\n");
	m = hear(s, s->parent);
	assert_int_equal(m.type, IPC_STATUS);
	send_text(s->parent, IPC_STATUS, m.id + 77, "{\"name\":\"nobody asked\"}");
	send_text(s->parent, IPC_STATUS, m.id, "{\"name\":\"icu-3\"}");
	rows = read_rows(fd);
	assert_int_equal(json_array_size(rows), 2);
	status = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(status, "name")), "icu-3");
	/* Two that were sent; that it was started may be counted by now. */
	assert_in_range(json_integer_value(
				json_object_get(json_object_get(status, "store"), "events_today")),
			2, 3);
	assert_int_equal(json_array_size(json_object_get(status, "attention")), 1);
	json_decref(rows);
	close(fd);
}

/* Asks by the socket for something with the keys; the result's bytes in ret_data, its error. */
static int32_t use_keys(struct stage *s, int sock, enum ipc_type type, const char *purpose,
			struct bytes data, struct bytes *ret_data)
{
	static uint32_t id = 7000;
	uint8_t body[512];
	struct writer w = writer_new(body, sizeof(body));
	struct ipc_message m;
	int32_t err;

	write_u8(&w, (uint8_t)strlen(purpose));
	write_bytes(&w, purpose, strlen(purpose));
	write_bytes(&w, data.data, data.len);
	assert_int_equal(ipc_send(sock, type, ++id, (struct bytes){body, w.len}, -1), 0);
	m = hear(s, sock);
	assert_int_equal(m.type, type);
	assert_int_equal(m.id, id);
	assert_true(m.body.len >= sizeof(err));
	memcpy(&err, m.body.data, sizeof(err));
	*ret_data = (struct bytes){m.body.data + sizeof(err), m.body.len - sizeof(err)};
	return err;
}

static void keys_serve_those_who_may_use_them(void **state)
{
	struct stage *s = *state;
	struct bytes text = {(const uint8_t *)"a secret", 8}, got, wrapped;
	uint8_t kept[128];

	assert_int_equal(use_keys(s, s->parent, IPC_WRAP, "setting", text, &got), 0);
	assert_true(got.len < sizeof(kept));
	memcpy(kept, got.data, got.len);
	wrapped = (struct bytes){kept, got.len};
	assert_null(memmem(kept, wrapped.len, "a secret", 8));
	assert_int_equal(use_keys(s, s->parent, IPC_UNWRAP, "setting", wrapped, &got), 0);
	assert_int_equal(got.len, 8);
	assert_memory_equal(got.data, "a secret", 8);
	kept[20] ^= 1;
	assert_int_equal(use_keys(s, s->parent, IPC_UNWRAP, "setting", wrapped, &got), -EBADMSG);
	assert_int_equal(use_keys(s, s->parent, IPC_SIGN, "sign.gateway", text, &got), 0);
	assert_int_equal(got.len, 64);
	assert_int_equal(use_keys(s, s->parent, IPC_SIGN, "setting", text, &got), -EACCES);
	assert_int_equal(use_keys(s, s->parent, IPC_SIGN, "", text, &got), -EBADMSG);
	assert_int_equal(use_keys(s, s->guard, IPC_WRAP, "evidence", text, &got), 0);
	assert_int_equal(use_keys(s, s->guard, IPC_WRAP, "setting", text, &got), -EACCES);
	/* To ask for what no guard may ask for costs it its connection. */
	assert_int_equal(ipc_send(s->guard, IPC_UNWRAP, 1, wrapped, -1), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = s->guard, .events = POLLIN}, 1, 5000), 1);
	assert_int_equal(recv(s->guard, kept, sizeof(kept), 0), 0);
}

static void status_asks_for_better_keys(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	const json_t *status, *keys;
	struct ipc_message m;
	bool held = false, paper = false;
	json_t *rows, *nag;
	size_t i;

	say(fd, "{\"cmd\":\"status\"}\n");
	m = hear(s, s->parent);
	send_text(s->parent, IPC_STATUS, m.id, "{\"nags\":[\"the parent's\"]}");
	rows = read_rows(fd);
	status = json_array_get(rows, 0);
	keys = json_object_get(status, "keys");
	assert_true(json_is_false(json_object_get(keys, "locked")));
	assert_true(json_is_false(json_object_get(keys, "recoverable")));
	assert_string_equal(json_string_value(json_object_get(keys, "holder")), "file");
	assert_int_equal(json_array_size(json_object_get(status, "nags")),
			 5); /* and nobody administers it, nor is it backed up */
	json_array_foreach (json_object_get(status, "nags"), i, nag) {
		held |= strstr(json_string_value(nag), "the keys are held by a file") != NULL;
		paper |= strstr(json_string_value(nag), "--recovery' prints a key") != NULL;
	}
	assert_true(held && paper);
	json_decref(rows);
	close(fd);
}

static void a_parent_that_is_silent_is_not_waited_for(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	json_t *rows;

	say(fd, "{\"cmd\":\"status\"}\n");
	assert_int_equal(hear(s, s->parent).type, IPC_STATUS);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0); /* others are served */
	rows = read_rows(fd);
	assert_non_null(strstr(error_of(rows), "did not answer"));
	json_decref(rows);
	close(fd);
}

static void apply_is_the_parents_answer(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	struct ipc_message m;
	json_t *rows;

	say(fd, "{\"cmd\":\"apply\"}\n");
	m = hear(s, s->parent);
	assert_int_equal(m.type, IPC_APPLY);
	send_text(s->parent, IPC_APPLY, m.id, "{\"error\":\"site.yaml:3:1: no such host\"}");
	rows = read_rows(fd);
	assert_string_equal(error_of(rows), "site.yaml:3:1: no such host");
	json_decref(rows);
	say(fd, "{\"cmd\":\"apply\"}\n"); /* again, over the same connection */
	m = hear(s, s->parent);
	send_text(s->parent, IPC_APPLY, m.id, "{\"generation\":8}");
	rows = read_rows(fd);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 0), "generation")),
			 8);
	json_decref(rows);
	close(fd);
}

static void flows_are_asked_of_a_guard_one_at_a_time(void **state)
{
	struct stage *s = *state;
	int one = reach(s), two = reach(s);
	struct ipc_message m;
	uint32_t first;
	json_t *rows;

	say(one, "{\"cmd\":\"flows\",\"device\":\"a\"}\n");
	m = hear(s, s->guard);
	first = m.id;
	assert_int_equal(m.type, IPC_FLOWS);
	say(two, "{\"cmd\":\"flows\"}\n");
	usleep(100000);
	assert_int_equal(ipc_recv(s->guard, s->buf, &m), -EAGAIN);
	send_text(s->guard, IPC_FLOWS, first,
		  "{\"device\":\"a\"}\nnonsense\n{\"device\":\"b\"}\n[]\n{\"device\":\"a\"}\n");
	send_text(s->guard, IPC_FLOWS, first, "");
	rows = read_rows(one);
	assert_int_equal(json_array_size(rows), 3);
	json_decref(rows);
	m = hear(s, s->guard);
	assert_int_not_equal(m.id, first);
	close(s->guard); /* it dies meanwhile: what is known is the answer */
	rows = read_rows(two);
	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	close(one);
	close(two);
	s->guard = -1;
	rows = ask(s, "{\"cmd\":\"flows\"}\n");
	assert_non_null(strstr(error_of(rows), "no guard is running"));
	json_decref(rows);
}

static void bad_requests_are_told_what_is_wrong(void **state)
{
	static const char *const bad[][2] = {
		{"\n", "no JSON"},
		{"nonsense\n", "no JSON"},
		{"[]\n", "one JSON object"},
		{"{}\n", "'cmd' must be"},
		{"{\"cmd\":7}\n", "'cmd' must be"},
		{"{\"cmd\":\"reboot\"}\n", "'cmd' must be"},
		{"{\"cmd\":\"status\",\"limit\":1}\n", "no option 'limit'"},
		{"{\"cmd\":\"events\",\"limit\":0}\n", "'limit' must be"},
		{"{\"cmd\":\"events\",\"limit\":\"5\"}\n", "'limit' must be"},
		{"{\"cmd\":\"events\",\"since\":\"now\"}\n", "'since' must be"},
		{"{\"cmd\":\"events\",\"all\":1}\n", "'all' must be"},
		{"{\"cmd\":\"events\",\"cmd\":\"events\"}\n", "no JSON"},
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *rows = ask(s, bad[i][0]);

		assert_non_null(strstr(error_of(rows), bad[i][1]));
		json_decref(rows);
	}
}

static void a_request_is_bounded(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	char flood[3000];
	json_t *rows;
	char c;

	memset(flood, 'x', sizeof(flood));
	for (int i = 0; i < 12; i++)
		assert_true(send(fd, flood, sizeof(flood), MSG_NOSIGNAL) > 0);
	rows = read_rows(fd);
	assert_non_null(strstr(error_of(rows), "longer than"));
	json_decref(rows);
	assert_true(recv(fd, &c, 1, 0) <= 0); /* and it hung up */
	close(fd);
}

/* The socket lets anybody in here; the keeper does not. */
static void strangers_are_turned_away(void **state)
{
	struct stage *s = *state;
	int status;
	pid_t child;

	if (geteuid() != 0) {
		print_message("keeper.strangers_are_turned_away: needs root to become another\n");
		skip();
	}
	chmod(s->socket, 0777);
	child = fork();
	if (child == 0) {
		char answer[256] = "";
		int fd;

		if (setgid(54321) < 0 || setuid(54321) < 0)
			_exit(2);
		fd = reach(s);
		if (recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) < 0)
			_exit(3);
		_exit(strstr(answer, "not allowed") ? 0 : 4);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0);
}

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

static void a_policy_that_is_none_is_refused(void **state)
{
	struct stage *s = *state;
	int fd = memfd_create("junk", MFD_CLOEXEC);
	char junk[4096];

	memset(junk, 0x41, sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	assert_int_equal(ipc_send(s->parent, IPC_POLICY, 0, (struct bytes){0}, fd), 0);
	close(fd);
	assert_int_equal(rows_of(s, "{\"cmd\":\"devices\"}\n"), 0);
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"gateway.bad_message\"}\n", 1);
}

static void clients_are_counted(void **state)
{
	struct stage *s = *state;
	int fds[20];
	json_t *rows;

	for (int i = 0; i < 20; i++)
		fds[i] = reach(s);
	rows = read_rows(fds[19]);
	assert_non_null(strstr(error_of(rows), "too many clients"));
	json_decref(rows);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	usleep(100000);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0);
}

/* One who asks for much and reads nothing holds nobody up, and events go on being stored. */
static void a_slow_client_costs_itself(void **state)
{
	struct stage *s = *state;
	int slow = reach(s);
	int small = 4096;

	setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	send_events(s, 0, 4000, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 4000);
	say(slow, ALL);
	usleep(50000);
	send_events(s, 4000, 100, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 4100);
	close(slow);
}

static void one_who_shuts_down_still_gets_the_answer(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	json_t *rows;
	char c;

	send_events(s, 0, 600, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 600);
	say(fd, ALL);
	shutdown(fd, SHUT_WR);
	rows = read_rows(fd);
	assert_int_equal(json_array_size(rows), 601);
	json_decref(rows);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static void following_gives_what_comes(void **state)
{
	struct stage *s = *state;
	int fd = reach(s);
	char line[EVENT_MAX];
	size_t len = 0, lines = 0;

	send_events(s, 0, 5, REASON_SCAN_PORTS);
	expect_rows(s, ALL, 5);
	say(fd, "{\"cmd\":\"events\",\"follow\":true,\"limit\":2}\n");
	usleep(100000);
	send_events(s, 5, 700, REASON_SCAN_PORTS);
	while (lines < 702 && recv(fd, line + len, 1, 0) == 1) {
		if (line[len++] != '\n')
			continue;
		line[len] = 0;
		lines++;
		if (lines == 1)
			assert_non_null(strstr(line, "\"flow_id\":4,"));
		if (lines == 702)
			assert_non_null(strstr(line, "\"flow_id\":705,"));
		len = 0;
	}
	assert_int_equal(lines, 702);
	close(fd);
	assert_int_equal(rows_of(s, "{\"cmd\":\"grants\"}\n"), 0);
}

/* How many events say that this was sealed. */
static size_t sealed_rows(struct stage *s, const char *name)
{
	json_t *rows = ask(s, "{\"cmd\":\"events\",\"all\":true,\"limit\":100000}\n");
	size_t count = 0, i;
	const json_t *row;

	json_array_foreach (rows, i, row) {
		const json_t *audit = json_object_get(row, "audit");
		const char *file = json_string_value(json_object_get(audit, "file"));
		const char *said = json_string_value(json_object_get(audit, "message"));

		count += file && said && strcmp(file, name) == 0 &&
			 strcmp(said, "evidence was sealed") == 0;
	}
	json_decref(rows);
	return count;
}

static void expect_sealed(struct stage *s, const char *name, size_t count)
{
	size_t have = 0;

	for (int i = 0; i < 300 && have != count; i++) {
		have = sealed_rows(s, name);
		usleep(20000);
	}
	assert_int_equal(have, count);
}

/* From inside its sandbox: a case goes into the vault, nowhere else, and an event says where. */
static void evidence_is_sealed(void **state)
{
	static const char name[] = "evidence/20260921T141320.000Z-4711.pcapng";
	struct stage *s = *state;
	struct evidence_record r = {.id = 4711,
				    .time_ns = 1790000000ull * 1000000000,
				    .len = 60,
				    .wire_len = 60,
				    .reason = REASON_HL7_FRAMING,
				    .fate = EVIDENCE_DROPPED,
				    .port = "ward0"};
	uint8_t message[2 * sizeof(r) + 60] = {0};
	char path[256];
	struct stat st;

	memcpy(message, &r, sizeof(r));
	r.len = r.wire_len = 0;
	r.reason = 0;
	r.flags = EVIDENCE_LAST;
	memcpy(message + sizeof(r) + 60, &r, sizeof(r));
	assert_int_equal(
		ipc_send(s->guard, IPC_EVIDENCE, 0, (struct bytes){message, sizeof(message)}, -1),
		0);
	expect_sealed(s, name, 1);
	snprintf(path, sizeof(path), "%s/%s", s->state, name);
	assert_int_equal(stat(path, &st), -1);

	/* One that is none costs the record, and its guard nothing else. */
	assert_int_equal(ipc_send(s->guard, IPC_EVIDENCE, 0, (struct bytes){message, 30}, -1), 0);
	expect_rows(s, "{\"cmd\":\"events\",\"all\":true,\"reason\":\"gateway.bad_message\"}\n", 1);
	send_events(s, 0, 3, REASON_SCAN_PORTS);
	expect_rows(s, "{\"cmd\":\"events\",\"all\":true,\"reason\":\"scan.ports\"}\n", 3);

	/* A case that is not over when the keeper ends is there afterwards. */
	assert_int_equal(
		ipc_send(s->guard, IPC_EVIDENCE, 0, (struct bytes){message, sizeof(r) + 60}, -1),
		0);
	assert_int_equal(stop(s), 0);
	assert_int_equal(stat(path, &st), -1);
	close(s->parent);
	close(s->guard);
	start(s);
	expect_sealed(s, name, 2);
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

/* A copy put back by hand: SQLite gives its log the same rights, whatever our umask says. */
/* The answer to a call of the box's operator; NULL: it was an error. */
static json_t *called(struct stage *s, const char *line)
{
	json_t *rows = ask(s, line), *first = json_incref(json_array_get(rows, 0));

	json_decref(rows);
	if (json_object_get(first, "error") || json_object_get(first, "end")) {
		json_decref(first);
		return NULL;
	}
	return first;
}

/* Inside the sandbox: hashing, sealing, drawing and storing are all permitted there. */
static void the_box_lets_people_in(void **state)
{
	struct stage *s = *state;
	json_t *o = called(s, "{\"call\":\"user.add\",\"args\":{\"user\":\"anna\",\"role\":"
			      "\"administrator\"}}\n"),
	       *u;

	assert_int_equal(strlen(json_string_value(json_object_get(o, "code")) ?: ""), 19);
	json_decref(o);
	o = called(s, "{\"call\":\"factor.password_set\",\"args\":{\"user\":\"anna\",\"password\":"
		      "\"tuvulepi ragoma\"}}\n");
	assert_non_null(o);
	json_decref(o);
	assert_null(called(s, "{\"call\":\"factor.password_set\",\"args\":{\"user\":\"anna\","
			      "\"password\":\"password1234567\"}}\n"));
	o = called(s, "{\"call\":\"factor.totp_begin\",\"args\":{\"user\":\"anna\"}}\n");
	assert_non_null(strstr(json_string_value(json_object_get(o, "svg")) ?: "", "<svg"));
	json_decref(o);
	o = called(s, "{\"call\":\"factor.recovery_make\",\"args\":{\"user\":\"anna\"}}\n");
	assert_int_equal(json_array_size(json_object_get(o, "codes")), 10);
	json_decref(o);
	o = called(s, "{\"call\":\"user.list\"}\n");
	u = json_array_get(json_object_get(o, "users"), 0);
	assert_int_equal(json_array_size(json_object_get(u, "factors")), 2);
	json_decref(o);
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

/* The gateway's own processes read the network: taken over, one could ask here. It may look. */
static void its_own_user_is_no_operator(void **state)
{
	struct stage *s = *state;
	const struct passwd *own = getpwnam("bedwarden") ?: getpwnam("nobody"); /* as it does */
	int status = -1, report[2];
	char text[512] = "";
	pid_t pid;

	if (!own || geteuid() != 0) {
		print_message("skipped: needs root, to become another\n");
		skip();
	}
	chmod(s->socket, 0666);
	assert_int_equal(pipe(report), 0);
	pid = fork();
	if (pid == 0) {
		json_t *rows;
		const char *error;

		if (setgid(own->pw_gid) < 0 || setuid(own->pw_uid) < 0)
			_exit(2);
		rows = ask(s, "{\"call\":\"user.add\",\"args\":{\"user\":\"mallory\"}}\n");
		error = error_of(rows);
		dprintf(report[1], "%s", error ? error : "let in");
		_exit(0);
	}
	close(report[1]);
	waitpid(pid, &status, 0);
	(void)!read(report[0], text, sizeof(text) - 1);
	close(report[0]);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "auth.role"));
}

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

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(stores_and_serves_events),
		STAGED(malformed_lines_cost_nothing_else),
		STAGED(a_malformed_message_costs_a_guard_its_connection),
		STAGED(a_guard_may_not_speak_for_the_parent),
		STAGED(status_is_the_parents_and_its_own),
		STAGED(keys_serve_those_who_may_use_them),
		STAGED(status_asks_for_better_keys),
		STAGED(a_parent_that_is_silent_is_not_waited_for),
		STAGED(apply_is_the_parents_answer),
		STAGED(flows_are_asked_of_a_guard_one_at_a_time),
		STAGED(bad_requests_are_told_what_is_wrong),
		STAGED(a_request_is_bounded),
		STAGED(strangers_are_turned_away),
		STAGED(a_closed_folder_is_named),
		STAGED(a_policy_that_is_none_is_refused),
		STAGED(clients_are_counted),
		STAGED(a_slow_client_costs_itself),
		STAGED(one_who_shuts_down_still_gets_the_answer),
		STAGED(following_gives_what_comes),
		STAGED(evidence_is_sealed),
		STAGED(stopping_stores_what_was_taken),
		STAGED(a_parent_that_is_gone_ends_it),
		STAGED(what_was_shown_survives_a_kill),
		cmocka_unit_test_setup_teardown(the_box_lets_people_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(people_survive_a_kill, set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_own_user_is_no_operator, set_up, tear_down),
		STAGED(a_database_of_other_rights_is_used),
		STAGED(reopens_its_file_when_told),
		STAGED(says_that_the_disk_is_full_and_recovers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
