/* Who asks a keeper by its socket: what is answered, to whom, and what it costs others. */
#include "keeper_kit.h"

#include <pwd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(status_is_the_parents_and_its_own),
		STAGED(status_asks_for_better_keys),
		STAGED(a_parent_that_is_silent_is_not_waited_for),
		STAGED(apply_is_the_parents_answer),
		STAGED(flows_are_asked_of_a_guard_one_at_a_time),
		STAGED(bad_requests_are_told_what_is_wrong),
		STAGED(a_request_is_bounded),
		STAGED(strangers_are_turned_away),
		STAGED(clients_are_counted),
		STAGED(a_slow_client_costs_itself),
		STAGED(one_who_shuts_down_still_gets_the_answer),
		STAGED(following_gives_what_comes),
		STAGED(the_box_lets_people_in),
		STAGED(its_own_user_is_no_operator),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
