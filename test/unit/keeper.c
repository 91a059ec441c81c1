/* What a keeper is told by guards and by the parent, and what comes of it. */
#include "keeper_kit.h"

#include <sqlite3.h>
#include <sys/mman.h>

#include "base/evidence.h"

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

/* A case of almost as much as one may hold. */
static void send_case(struct stage *s, uint64_t id)
{
	static uint8_t message[sizeof(struct evidence_record) + EVIDENCE_FRAME_MAX];
	struct evidence_record r = {.id = id,
				    .time_ns = 1790000000ull * 1000000000,
				    .len = EVIDENCE_FRAME_MAX,
				    .wire_len = EVIDENCE_FRAME_MAX,
				    .reason = REASON_HL7_FRAMING};
	size_t len = sizeof(message);

	for (unsigned i = 0; i < 120; i++) {
		if (i == 119) {
			r.len = r.wire_len = r.reason = 0;
			r.flags = EVIDENCE_LAST;
			len = sizeof(r);
		}
		memcpy(message, &r, sizeof(r));
		for (size_t at = sizeof(r); at < len; at++)
			message[at] = (uint8_t)(rand() >> 7);
		while (ipc_send(s->guard, IPC_EVIDENCE, 0, (struct bytes){message, len}, -1) ==
		       -EAGAIN)
			usleep(1000);
	}
}

/* The newest event is older than a gateway is switched off for: nothing is taken for kept long enough. */
static void a_doubted_clock_does_not_unbind_evidence(void **state)
{
	struct stage *s = *state;
	char path[128], name[64];
	sqlite3 *db;

	send_events(s, 0, 1, REASON_SCAN_PORTS);
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"scan.ports\"}\n", 1);
	assert_int_equal(stop(s), 0);
	close(s->parent);
	close(s->guard);
	snprintf(path, sizeof(path), "%s/events.db", s->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE event SET time = 1", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	start(s);
	for (uint64_t id = 1; id <= 10; id++) { /* 20 MB of 16 */
		send_case(s, id);
		snprintf(name, sizeof(name), "evidence/20260921T141320.000Z-%llu.pcapng",
			 (unsigned long long)id);
		expect_sealed(s, name, 1);
	}
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"gateway.retention_held\"}\n", 1);
	expect_rows(s, "{\"cmd\":\"events\",\"reason\":\"gateway.retention\"}\n", 1);
}

static void what_is_no_folder_takes_no_evidence(void **state)
{
	struct stage *s = *state;
	char path[128];
	struct ipc_message m;
	json_t *rows;
	char *text;
	int fd;

	assert_int_equal(stop(s), 0);
	close(s->parent);
	close(s->guard);
	snprintf(path, sizeof(path), "%s/evidence", s->state);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	start(s);
	fd = reach(s);
	say(fd, "{\"cmd\":\"status\"}\n");
	m = hear(s, s->parent);
	send_text(s->parent, IPC_STATUS, m.id, "{\"nags\":[]}");
	rows = read_rows(fd);
	close(fd);
	text = json_dumps(rows, 0);
	assert_non_null(strstr(text, "\"evidence\": \"broken\""));
	assert_non_null(strstr(text, "no evidence is kept"));
	free(text);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(stores_and_serves_events),
		STAGED(malformed_lines_cost_nothing_else),
		STAGED(a_malformed_message_costs_a_guard_its_connection),
		STAGED(a_guard_may_not_speak_for_the_parent),
		STAGED(keys_serve_those_who_may_use_them),
		STAGED(a_policy_that_is_none_is_refused),
		STAGED(evidence_is_sealed),
		STAGED(a_doubted_clock_does_not_unbind_evidence),
		STAGED(what_is_no_folder_takes_no_evidence),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
