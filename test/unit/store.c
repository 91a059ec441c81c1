#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/event.h"
#include "keep/db.h"
#include "keep/query.h"
#include "keep/store.h"

static int set_up(void **state)
{
	return place_open(state, "events.db");
}

/* What a guard sends: number n, at second n of a day in 2026. */
static size_t make_line(char buf[EVENT_MAX], unsigned n, const char *device, const char *peer,
			enum reason reason)
{
	struct event_common e = {.time_ns = (1767225600ull + n) * NSEC_PER_SEC,
				 .type = reason == REASON_NONE ? "flow" : "policy",
				 .flow_id = n + 1,
				 .src_ip = "10.1.1.12",
				 .dest_ip = "10.1.0.5",
				 .src_port = 1024,
				 .dest_port = 445,
				 .proto = "TCP",
				 .device = device,
				 .peer = peer,
				 .reason = reason,
				 .verdict = reason == REASON_NONE ? "pass" : "drop"};
	struct json j = event_begin(&e, buf);

	return event_end(&j);
}

static int put(struct store *s, unsigned n, const char *device, enum reason reason)
{
	char buf[EVENT_MAX];
	size_t len = make_line(buf, n, device, "central-1", reason);
	struct bytes line = unit_exact(buf, len);
	int err = store_put(s, line);

	free((void *)line.data);
	return err;
}

static int put_text(struct store *s, const char *text)
{
	struct bytes line = unit_exact(text, strlen(text));
	int err = store_put(s, line);

	free((void *)line.data);
	return err;
}

struct rows {
	json_t *list;
};

static void take_row(void *arg, struct bytes row)
{
	struct rows *r = arg;
	json_t *one = json_loadb((const char *)row.data, row.len, JSON_ALLOW_NUL, NULL);

	assert_non_null(one);
	json_array_append_new(r->list, one);
}

static json_t *groups(struct store *s, const struct query_filter *f)
{
	struct query_filter all = {0};
	struct rows r = {json_array()};

	assert_int_equal(query_groups(store_db(s), f ? f : &all, take_row, &r), 0);
	return r.list;
}

static json_t *events(struct store *s, const struct query_filter *f)
{
	struct rows r = {json_array()};
	int64_t after = 0;
	uint32_t rows;

	assert_int_equal(query_tail(store_db(s), f, &after), 0);
	do
		assert_int_equal(query_events(store_db(s), f, &after, 7, take_row, &r, &rows), 0);
	while (rows == 7);
	return r.list;
}

static const char *text(const json_t *list, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(list, i), key));
}

static json_int_t number(const json_t *list, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(list, i), key));
}

static void keeps_what_was_committed(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct query_filter all = {0};
	struct store_counts c;
	json_t *list;

	for (unsigned n = 0; n < 20; n++)
		assert_int_equal(put(s, n, "pump-1", REASON_POLICY_NOT_ALLOWED), 0);
	store_counts(s, &c);
	assert_int_equal(c.queued, 20);
	assert_int_equal(c.stored, 0);
	assert_int_equal(store_commit(s), 0);
	store_counts(s, &c);
	assert_int_equal(c.queued, 0);
	assert_int_equal(c.queued_bytes, 0);
	assert_int_equal(c.stored, 20);
	store_free(s);

	s = store_new(p->file, 1000);
	assert_null(store_set_aside(s));
	list = events(s, &all);
	assert_int_equal(json_array_size(list), 20);
	assert_int_equal(number(list, 0, "flow_id"), 1);
	assert_int_equal(number(list, 19, "flow_id"), 20);
	json_decref(list);
	store_free(s);
}

static void groups_by_device_and_reason(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct query_filter f = {0};
	json_t *list;

	for (unsigned n = 0; n < 5; n++)
		put(s, n, "pump-1", REASON_POLICY_NOT_ALLOWED);
	put(s, 7, "pump-1", REASON_BINDING_ARP_SPOOF);
	put(s, 8, "pump-2", REASON_POLICY_NOT_ALLOWED);
	put(s, 9, "pump-2", REASON_NONE); /* an ordinary flow is no finding */
	store_commit(s);
	put(s, 3, "pump-1", REASON_POLICY_NOT_ALLOWED); /* late: moves neither end */
	store_commit(s);

	list = groups(s, NULL);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text(list, 0, "reason"), "binding.arp_spoof");
	assert_string_equal(text(list, 1, "device"), "pump-2");
	assert_string_equal(text(list, 2, "device"), "pump-1");
	assert_int_equal(number(list, 2, "count"), 6);
	assert_int_equal(number(list, 2, "blocked"), 6);
	assert_int_equal(number(list, 2, "would"), 0);
	assert_string_equal(text(list, 2, "first"), "2026-01-01T00:00:00.000000+0000");
	assert_string_equal(text(list, 2, "last"), "2026-01-01T00:00:04.000000+0000");
	assert_string_equal(text(list, 2, "peer"), "central-1");
	assert_string_equal(text(list, 2, "sentence"), reason_sentence(REASON_POLICY_NOT_ALLOWED));
	json_decref(list);

	strcpy(f.device, "pump-1");
	strcpy(f.reason, "binding");
	list = groups(s, &f);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	strcpy(f.reason, "bind"); /* no whole word before a dot */
	list = groups(s, &f);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	store_free(s);
}

static void counts_what_happened_often(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	json_t *list;
	struct query_day day;

	assert_int_equal(
		put_text(s, "{\"timestamp\":\"2026-01-01T12:00:00.5+0100\",\"event_type\":"
			    "\"policy\",\"device\":\"a\",\"reason\":\"policy.not_allowed\","
			    "\"count\":40,\"verdict\":{\"action\":\"pass\",\"would\":\"drop\"}}"),
		0);
	store_commit(s);
	list = groups(s, NULL);
	assert_int_equal(number(list, 0, "count"), 40);
	assert_int_equal(number(list, 0, "would"), 40);
	assert_string_equal(text(list, 0, "first"), "2026-01-01T11:00:00.500000+0000");
	json_decref(list);
	assert_int_equal(query_day(store_db(s), 1767265200ll * 1000000000, &day), 0);
	assert_int_equal(day.events, 40);
	assert_int_equal(day.would, 40);
	store_free(s);
}

static void filters_single_events(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct query_filter f = {.limit = 3};
	json_t *list;

	for (unsigned n = 0; n < 60; n++)
		put(s, n, n % 2 ? "odd" : "even",
		    n % 3 ? REASON_POLICY_NOT_ALLOWED : REASON_SCAN_PORTS);
	store_commit(s);
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(list, 2, "flow_id"), 60);
	json_decref(list);

	strcpy(f.device, "odd");
	strcpy(f.reason, "scan.ports");
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(list, 0, "flow_id"), 46);
	assert_int_equal(number(list, 2, "flow_id"), 58);
	json_decref(list);

	f = (struct query_filter){.since_ns = (1767225600ll + 50) * 1000000000};
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 10);
	json_decref(list);
	strcpy(f.reason, "scan");
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 3); /* 51, 54, 57 */
	json_decref(list);
	store_free(s);
}

static void evicts_the_oldest_and_routine_first(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 100);
	struct query_filter f = {0};
	struct store_counts c;
	json_t *list;

	for (unsigned n = 0; n < 40; n++)
		put(s, n, "pump-1", REASON_POLICY_NOT_ALLOWED);
	store_commit(s);
	for (unsigned n = 40; n < 5040; n++)
		put(s, n, "pump-1", REASON_NONE);
	store_commit(s);
	store_counts(s, &c);
	assert_int_equal(c.events, 100);
	strcpy(f.reason, "policy.not_allowed");
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 40); /* no flood of flows displaced one */
	json_decref(list);

	for (unsigned n = 6000; n < 6200; n++)
		put(s, n, "pump-1", REASON_POLICY_NOT_ALLOWED);
	store_commit(s);
	store_counts(s, &c);
	assert_int_equal(c.events, 100);
	assert_int_equal(c.routine, 25);
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 75);
	assert_int_equal(number(list, 74, "flow_id"), 6200);
	json_decref(list);
	list = groups(s, NULL);
	assert_int_equal(number(list, 0, "count"), 240); /* groups forget nothing */
	json_decref(list);
	store_free(s);

	s = store_new(p->file, 100);
	store_counts(s, &c);
	assert_int_equal(c.events, 100);
	assert_int_equal(c.routine, 25);
	store_free(s);
}

static void bounds_the_groups(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 100);
	char name[32];
	json_t *list;

	put(s, 0, "central-1", REASON_BINDING_ARP_SPOOF);
	for (unsigned n = 1; n <= STORE_GROUPS + 500; n++) {
		snprintf(name, sizeof(name), "stranger-%u", n);
		put(s, n, name, REASON_BINDING_UNKNOWN_DEVICE);
	}
	assert_int_equal(store_commit(s), 0);
	list = groups(s, NULL);
	assert_int_equal(json_array_size(list), STORE_GROUPS);
	assert_string_equal(text(list, 0, "device"), "central-1"); /* what matters stays */
	json_decref(list);
	store_free(s);
}

static void refuses_what_is_no_event(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"timestamp\":\"2026-01-01T00:00:00.0+0000\"}",
		"{\"event_type\":\"flow\"}",
		"{\"timestamp\":1,\"event_type\":\"flow\"}",
		"{\"timestamp\":\"yesterday\",\"event_type\":\"flow\"}",
		"{\"timestamp\":\"9999-01-01T00:00:00.0+0000\",\"event_type\":\"flow\"}",
		"{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":\"flow\"",
		"{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":\"flow\"}}",
		"{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\n\"event_type\":\"flow\"}",
	};
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct store_counts c;
	char *deep = malloc(EVENT_MAX * 2);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(put_text(s, bad[i]), -EBADMSG);
	memset(deep, '[', EVENT_MAX * 2 - 1);
	deep[EVENT_MAX * 2 - 1] = 0;
	assert_int_equal(put_text(s, deep), -EBADMSG);
	deep[EVENT_MAX - 1] = 0;
	assert_int_equal(put_text(s, deep), -EBADMSG);
	free(deep);
	assert_int_equal(store_commit(s), 0);
	store_counts(s, &c);
	assert_int_equal(c.refused, sizeof(bad) / sizeof(*bad) + 2);
	assert_int_equal(c.events, 0);
	store_free(s);
}

/* A zero that a peer put into a name must not make its event vanish. */
static void keeps_an_event_with_a_zero_in_it(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct query_filter all = {0};
	json_t *list;

	assert_int_equal(
		put_text(s, "{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":"
			    "\"dhcp\",\"device\":\"a\\u0000b\",\"reason\":\"dhcp.malformed\"}"),
		0);
	assert_int_equal(store_commit(s), 0);
	list = events(s, &all);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	store_free(s);
}

static void remembers_machines(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct rows r = {json_array()};
	const json_t *m;

	put_text(s,
		 "{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":\"binding\","
		 "\"reason\":\"binding.new_device\",\"inventory\":{\"mac\":\"00:09:FB:01:02:03\","
		 "\"vendor\":\"Philips\",\"ips\":[\"10.1.1.12\"],\"services\":[\"udp/24105\"]}}");
	put_text(s, "{\"timestamp\":\"2026-01-01T00:01:00.0+0000\",\"event_type\":\"inventory\","
		    "\"device\":\"monitor-12\",\"inventory\":{\"mac\":\"00:09:fb:01:02:03\","
		    "\"vendor\":\"\",\"profile\":\"philips-intellivue\",\"name\":\"bed 12\","
		    "\"profile_reasons\":[\"talks from udp/24105\"],"
		    "\"ips\":[\"fe80::1\",7,\"\"],\"peers\":[\"central-1\"]}}");
	put_text(s, "{\"timestamp\":\"2026-01-01T00:02:00.0+0000\",\"event_type\":\"inventory\","
		    "\"inventory\":{\"mac\":\"not a mac\"}}");
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(query_machines(store_db(s), 0, take_row, &r), 0);
	assert_int_equal(json_array_size(r.list), 1);
	m = json_array_get(r.list, 0);
	assert_string_equal(text(r.list, 0, "mac"), "00:09:fb:01:02:03");
	assert_string_equal(text(r.list, 0, "vendor"), "Philips");
	assert_string_equal(text(r.list, 0, "device"), "monitor-12");
	assert_string_equal(text(r.list, 0, "profile"), "philips-intellivue");
	assert_int_equal(json_array_size(json_object_get(m, "ips")), 2);
	assert_int_equal(json_array_size(json_object_get(m, "peers")), 1);
	assert_int_equal(json_array_size(json_object_get(m, "services")), 1);
	assert_int_equal(json_array_size(json_object_get(m, "apps")), 0);
	assert_int_equal(json_array_size(json_object_get(m, "profile_reasons")), 1);
	assert_string_equal(text(r.list, 0, "first"), "2026-01-01T00:00:00.000000+0000");
	assert_string_equal(text(r.list, 0, "last"), "2026-01-01T00:01:00.000000+0000");
	json_decref(r.list);
	store_free(s);
}

/* The database as version 1 wrote it, with one event, comes up to date and keeps it. */
static void migrates_an_older_database(void **state)
{
	static const char *const v1 =
		"CREATE TABLE event(id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,"
		" type TEXT NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL,"
		" severity INTEGER NOT NULL, routine INTEGER NOT NULL, line TEXT NOT NULL) STRICT;"
		"CREATE TABLE grouped(device TEXT NOT NULL, reason TEXT NOT NULL,"
		" count INTEGER NOT NULL, blocked INTEGER NOT NULL, would INTEGER NOT NULL,"
		" first INTEGER NOT NULL, last INTEGER NOT NULL, peer TEXT NOT NULL,"
		" severity INTEGER NOT NULL, sentence TEXT NOT NULL,"
		" PRIMARY KEY(device, reason)) STRICT, WITHOUT ROWID;"
		"CREATE TABLE day(day INTEGER PRIMARY KEY, events INTEGER NOT NULL,"
		" blocked INTEGER NOT NULL, would INTEGER NOT NULL) STRICT;"
		"CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL,"
		" reason TEXT NOT NULL, line TEXT NOT NULL) STRICT;"
		"INSERT INTO event VALUES(9, 5, 'flow', 'a', '', 4, 1, '{\"flow_id\":77}');"
		"PRAGMA user_version = 1;";
	struct place *p = *state;
	struct query_filter all = {0};
	struct rows r = {json_array()};
	struct store *s;
	sqlite3 *sql;
	json_t *list;

	assert_int_equal(sqlite3_open(p->file, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, v1, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
	s = store_new(p->file, 1000);
	assert_null(store_set_aside(s));
	list = events(s, &all);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(list, 0, "flow_id"), 77);
	json_decref(list);
	assert_int_equal(query_machines(store_db(s), 0, take_row, &r), 0);
	json_decref(r.list);
	store_free(s);
}

static void write_file(const char *path, const void *data, size_t len, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), (ssize_t)len);
	close(fd);
}

static void sets_a_damaged_database_aside(void **state)
{
	struct place *p = *state;
	char junk[8192];
	const char *aside;
	struct stat st;
	struct store *s;

	memset(junk, 'x', sizeof(junk));
	write_file(p->file, junk, sizeof(junk), 0);
	s = store_new(p->file, 1000);
	aside = store_set_aside(s);
	assert_non_null(aside);
	assert_non_null(strstr(aside, "events.db.broken-"));
	assert_int_equal(stat(aside, &st), 0);
	assert_int_equal(st.st_size, sizeof(junk));
	assert_null(store_set_aside(s)); /* told once */
	assert_int_equal(put(s, 1, "a", REASON_SCAN_PORTS), 0);
	assert_int_equal(store_commit(s), 0);
	store_free(s);
}

static void sets_a_newer_database_aside(void **state)
{
	struct place *p = *state;
	struct store *s;
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(p->file, &sql), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sql, "CREATE TABLE t(a); PRAGMA user_version = 999;", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(sql);
	s = store_new(p->file, 1000);
	assert_non_null(strstr(store_set_aside(s), "events.db.newer-"));
	store_free(s);
}

/* Damage that shows only while writing costs nothing of the batch in hand. */
static void survives_damage_while_in_use(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 100000);
	struct query_filter f = {0};
	char junk[4096];
	struct stat st;
	json_t *list;

	for (unsigned n = 0; n < 3000; n++)
		put(s, n, "a", REASON_SCAN_PORTS);
	store_commit(s);
	store_free(s);
	memset(junk, 0xa5, sizeof(junk));
	assert_int_equal(stat(p->file, &st), 0);
	for (off_t at = 2 * 4096; at + 4096 <= st.st_size; at += 4096)
		write_file(p->file, junk, sizeof(junk), at);
	s = store_new(p->file, 100000);
	for (unsigned n = 5000; n < 5010; n++)
		assert_int_equal(put(s, n, "b", REASON_SCAN_HOSTS), 0);
	assert_int_equal(store_commit(s), 0);
	assert_non_null(store_set_aside(s));
	strcpy(f.device, "b");
	list = events(s, &f);
	assert_int_equal(json_array_size(list), 10);
	json_decref(list);
	store_free(s);
}

static void the_queue_is_bounded(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000);
	struct store_counts c;
	unsigned n = 0;

	store_limit_queue(s, 20000);
	while (put(s, n, "a", REASON_SCAN_PORTS) == 0)
		n++;
	assert_true(n > 10 && n < 100);
	assert_int_equal(put(s, n, "a", REASON_SCAN_PORTS), -ENOBUFS);
	store_counts(s, &c);
	assert_int_equal(c.lost, 2);
	assert_true(c.queued_bytes <= 20000);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(put(s, n, "a", REASON_SCAN_PORTS), 0);
	store_free(s);
}

/* Commits batches and acknowledges each on `pipe`, until it is killed. */
static void commit_until_killed(const char *path, int pipe)
{
	struct store *s = store_new(path, 1000000);

	for (uint32_t n = 0;;) {
		for (unsigned i = 0; i < 37; i++)
			put(s, n++, "pump-1", REASON_SCAN_PORTS);
		if (store_commit(s) != 0 || write(pipe, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

static void loses_nothing_acknowledged_when_killed(void **state)
{
	struct place *p = *state;
	struct query_filter all = {0};
	uint64_t total = 0;

	for (unsigned round = 0; round < 12; round++) {
		uint32_t acknowledged = 0, n;
		json_int_t count;
		int fds[2], status;
		struct store *s;
		json_t *list;
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(fds[0]);
			commit_until_killed(p->file, fds[1]);
		}
		close(fds[1]);
		/* Killed at work, however slow the machine is: once something was acknowledged. */
		assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
		acknowledged = n;
		usleep((useconds_t)(random() % 60000));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &n, sizeof(n)) == sizeof(n))
			acknowledged = n;
		close(fds[0]);

		s = store_new(p->file, 1000000);
		assert_null(store_set_aside(s));
		list = events(s, &all);
		assert_true(json_array_size(list) >= acknowledged);
		assert_int_equal(json_array_size(list) % 37, 0); /* whole batches only */
		json_decref(list);
		list = groups(s, NULL);
		count = json_array_size(list) ? number(list, 0, "count") : 0;
		assert_true(count >= acknowledged);
		json_decref(list);
		store_free(s);
		place_clear(p->folder);
		assert_int_equal(mkdir(p->folder, 0700), 0);
		total += acknowledged;
	}
	assert_true(total >= 12 * 37);
}

static void waits_out_a_full_disk(void **state)
{
	struct place *p = *state;
	struct query_filter all = {0};
	char filler[96];
	char block[65536];
	struct store *s;
	json_t *list;
	unsigned n = 0, stored;
	int fd, err = 0;

	if (geteuid() != 0 || mount("tmpfs", p->folder, "tmpfs", 0, "size=2m") < 0) {
		print_message("store.waits_out_a_full_disk: needs root to mount a tmpfs\n");
		skip();
	}
	s = store_new(p->file, 100000);
	put(s, n++, "a", REASON_SCAN_PORTS);
	assert_int_equal(store_commit(s), 0);
	memset(block, 1, sizeof(block));
	snprintf(filler, sizeof(filler), "%s/filler", p->folder);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	while (err == 0 && n < 20000) {
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(put(s, n++, "a", REASON_SCAN_PORTS), 0);
		stored = n - 100;
		err = store_commit(s);
	}
	assert_int_equal(err, -ENOSPC);
	list = events(s, &all); /* still serves what it has */
	assert_int_equal(json_array_size(list), stored);
	json_decref(list);
	put(s, n++, "a", REASON_SCAN_PORTS);
	assert_int_equal(store_commit(s), -ENOSPC);
	unlink(filler);
	assert_int_equal(store_commit(s), 0);
	list = events(s, &all);
	assert_int_equal(json_array_size(list), n);
	json_decref(list);
	store_free(s);
	assert_int_equal(umount(p->folder), 0);
}

/* No room even to begin: everything waits in memory. */
static void begins_when_the_disk_has_room(void **state)
{
	struct place *p = *state;
	char filler[96], block[4096] = {1};
	struct store *s;
	struct store_counts c;
	int fd;

	if (geteuid() != 0 || mount("tmpfs", p->folder, "tmpfs", 0, "size=1m") < 0) {
		print_message("store.begins_when_the_disk_has_room: needs root to mount a tmpfs\n");
		skip();
	}
	snprintf(filler, sizeof(filler), "%s/filler", p->folder);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
	s = store_new(p->file, 1000);
	assert_non_null(s);
	assert_int_equal(put(s, 0, "a", REASON_SCAN_PORTS), 0);
	assert_int_equal(store_commit(s), -ENOSPC);
	unlink(filler);
	assert_int_equal(store_commit(s), 0);
	store_counts(s, &c);
	assert_int_equal(c.events, 1);
	store_free(s);
	assert_int_equal(umount(p->folder), 0);
}

static void reads_times(void **state)
{
	int64_t ns;

	assert_true(record_time("1970-01-01T00:00:00.000001+0000", &ns));
	assert_int_equal(ns, 1000);
	assert_true(record_time("2026-01-31T07:15:02.25-0130", &ns));
	assert_int_equal(ns, 1769849102ll * 1000000000 + 250000000);
	assert_true(record_time("2026-01-31T07:15:02Z", &ns));
	assert_false(record_time("2026-01-31T07:15:02", &ns));
	assert_false(record_time("2026-13-31T07:15:02Z", &ns));
	assert_false(record_time("2026-02-29T07:15:02Z", &ns));
	assert_true(record_time("2028-02-29T23:59:60Z", &ns));
	assert_false(record_time("1969-12-31T23:59:59Z", &ns));
	assert_false(record_time("1970-01-01T00:00:00+0100", &ns));
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_FOLDER(keeps_what_was_committed),
		IN_A_FOLDER(groups_by_device_and_reason),
		IN_A_FOLDER(counts_what_happened_often),
		IN_A_FOLDER(filters_single_events),
		IN_A_FOLDER(evicts_the_oldest_and_routine_first),
		IN_A_FOLDER(bounds_the_groups),
		IN_A_FOLDER(refuses_what_is_no_event),
		IN_A_FOLDER(keeps_an_event_with_a_zero_in_it),
		IN_A_FOLDER(remembers_machines),
		IN_A_FOLDER(migrates_an_older_database),
		IN_A_FOLDER(sets_a_damaged_database_aside),
		IN_A_FOLDER(sets_a_newer_database_aside),
		IN_A_FOLDER(survives_damage_while_in_use),
		IN_A_FOLDER(the_queue_is_bounded),
		IN_A_FOLDER(loses_nothing_acknowledged_when_killed),
		IN_A_FOLDER(waits_out_a_full_disk),
		IN_A_FOLDER(begins_when_the_disk_has_room),
		cmocka_unit_test(reads_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
