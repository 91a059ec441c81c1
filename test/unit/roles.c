#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "role/fact.h"
#include "role/control.h"
#include "role/jump.h"
#include "role/notify.h"
#include "role/port.h"
#include "role/site.h"

static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/bw-roles-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* --- audit ---------------------------------------------------------------- */

static unsigned receive_lines(int sock, char *ret_last, size_t cap)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;
	unsigned n = 0;

	for (; ipc_recv(sock, buf, &m) == 0; n++) {
		assert_int_equal(m.type, IPC_EVENTS);
		assert_true(m.body.len > 1 && m.body.len < cap);
		assert_int_equal(m.body.data[m.body.len - 1], '\n');
		memcpy(ret_last, m.body.data, m.body.len);
		ret_last[m.body.len] = 0;
	}
	return n;
}

static void audit_waits_and_says_what_it_lost(void **state)
{
	static struct facts a;
	const struct fact f = {
		.reason = REASON_GATEWAY_PORT_DOWN, .iface = "eth1", .text = "eth1 has no link"};
	char last[EVENT_MAX + 2] = "";
	unsigned got = 0, rounds = 0;
	int pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	for (unsigned i = 0; i < FACTS_WAITING_MAX + 10; i++)
		facts_say(&a, &f);
	assert_int_equal(a.lost, 10);
	while (a.count && rounds++ < 10000) { /* a slow keeper: nothing sent is lost */
		facts_flush(&a, pair[0]);
		got += receive_lines(pair[1], last, sizeof(last));
	}
	assert_int_equal(got, FACTS_WAITING_MAX);
	assert_non_null(strstr(last, "\"reason\":\"gateway.port_down\""));
	assert_non_null(strstr(last, "\"event_type\":\"audit\""));
	assert_non_null(strstr(last, "\"in_iface\":\"eth1\""));
	assert_non_null(strstr(last, "\"audit\":{\"message\":\"eth1 has no link\"}"));

	facts_say(&a, &f);
	assert_int_equal(a.count, 2); /* the loss itself came first */
	assert_non_null(strstr(a.waiting[a.first], "gateway.events_lost"));
	assert_non_null(strstr(a.waiting[a.first], "\"count\":10"));
	facts_free(&a);
	close(pair[0]);
	close(pair[1]);
}

/* --- control -------------------------------------------------------------- */

static void control_is_one_and_waits_for_a_keeper(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct control c, second;
	struct stat st;
	int s;

	assert_int_equal(control_open(in_dir("run"), &c), 0);
	assert_int_equal(control_open(in_dir("run"), &second), -EBUSY);
	strcpy(a.sun_path, in_dir("run/control"));
	assert_int_equal(stat(a.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0007, 0);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	close(s);
	control_close(&c, in_dir("run"));
	assert_int_equal(access(in_dir("run/control"), F_OK), -1);

	/* What a killed gateway left behind is no hindrance. */
	assert_int_equal(control_open(in_dir("run"), &c), 0);
	close(c.sock);
	close(c.lock);
	assert_int_equal(control_open(in_dir("run"), &c), 0);
	control_close(&c, in_dir("run"));
	memset(a.sun_path, 'x', sizeof(a.sun_path));
	a.sun_path[sizeof(a.sun_path) - 1] = 0;
	assert_int_equal(control_open(a.sun_path, &c), -ENAMETOOLONG);
}

static void notify_reaches_the_service_manager(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[32] = {0};

	notify_say("READY=1"); /* nobody there: nothing happens */
	strcpy(a.sun_path, in_dir("notify"));
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	notify_say("READY=1");
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(s, buf, sizeof(buf), MSG_DONTWAIT), 7);
	assert_string_equal(buf, "READY=1");
	close(s);
}

/* --- site ----------------------------------------------------------------- */

static const char policy[] =
	"gateway: {name: t}\n"
	"segments:\n"
	"  - {name: icu, ward: bwt-w0, hospital: bwt-h0, isolated: no, mode: enforce}\n"
	"hosts:\n"
	"  - {name: central, ip: [10.9.0.1], role: [central]}\n"
	"devices:\n"
	"  - {name: m1, segment: icu, mac: \"02:00:00:00:00:01\", ip: [10.9.0.10], profile: mon}\n";

static const char profile[] =
	"title: Test monitor\n"
	"kind: monitor\n"
	"fail: open\n"
	"source: [none]\n"
	"starts:\n"
	"  - {service: vitals, proto: udp, port: [\"5000\"], peer: central}\n";

static void write_policy(const char *text)
{
	mkdir(in_dir("profiles"), 0700);
	write_file("profiles/mon.yaml", profile);
	write_file("bw.yaml", text);
}

static void a_site_is_loaded_whole_or_not_at_all(void **state)
{
	char file[128], error[SITE_ERROR] = "";
	struct ports ports;
	struct site s = {.memfd = -1};
	struct bytes block;
	void *m;

	write_policy(policy);
	strcpy(file, in_dir("bw.yaml"));
	assert_int_equal(ports_open(&ports), 0);
	assert_int_equal(site_load(file, 5, &ports, &s, error), 0);
	assert_int_equal(ports.count, 2);
	assert_string_equal(ports.list[0].name, "bwt-w0");
	assert_true(ports.list[0].ward && !ports.list[1].ward);
	assert_int_equal(ports.list[0].ifindex, 0); /* not there: no error */
	assert_int_equal(policy_generation(s.policy), 5);

	block = policy_bytes(s.policy);
	m = mmap(NULL, block.len, PROT_READ, MAP_SHARED, s.memfd, 0);
	assert_ptr_not_equal(m, MAP_FAILED);
	assert_non_null(policy_open((struct bytes){m, block.len}));
	munmap(m, block.len);
	assert_int_equal(ftruncate(s.memfd, 1), -1);
	assert_int_equal(write(s.memfd, "x", 1), -1);
	assert_ptr_equal(mmap(NULL, 1, PROT_WRITE, MAP_SHARED, s.memfd, 0), MAP_FAILED);

	assert_int_equal(site_recompile(&s, 6, &ports, error), 0);
	assert_int_equal(policy_generation(s.policy), 6);
	site_free(&s);

	write_policy("gateway: {name: t}\nsegments:\n  - {name: icu, wird: eth1}\n");
	assert_int_equal(site_load(file, 7, &ports, &s, error), -EINVAL);
	assert_non_null(strstr(error, "bw.yaml:3:"));
	assert_int_equal(ports.count, 2);
	assert_null(s.config);
	assert_int_equal(site_load("/no/such/file", 7, &ports, &s, error), -EINVAL);
	assert_non_null(strstr(error, "/no/such/file"));
	ports_close(&ports);
}

/* --- ports ---------------------------------------------------------------- */

struct seen {
	unsigned changes, calls;
	uint32_t ifindex;
};

static void on_change(void *arg, const struct port *p, unsigned changes)
{
	struct seen *s = arg;

	s->changes |= changes;
	s->ifindex = p->ifindex;
	s->calls++;
}

static struct seen after(struct ports *ps, const char *command)
{
	struct seen s = {0};

	if (system(command) != 0)
		fail_msg("%s", command);
	/* The kernel tells of a link's state when it gets to it. */
	for (unsigned tries = 0; tries < 200 && !s.changes; tries++) {
		if (tries)
			usleep(10000);
		ports_drain(ps);
		ports_refresh(ps, on_change, &s);
	}
	return s;
}

static void ports_come_go_and_lose_their_link(void **state)
{
	struct ports ps;
	struct seen s;
	uint32_t first;

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("skip: a network namespace needs root\n");
		skip();
	}
	assert_int_equal(ports_open(&ps), 0);
	assert_int_equal(ports_add(&ps, "", 0, true), -EINVAL);
	assert_int_equal(ports_add(&ps, "a-name-that-is-too-long", 0, true), -EINVAL);
	assert_int_equal(ports_add(&ps, "bwt-a", 0, true), 0);
	assert_false(ports_drain(&ps));

	s = after(&ps, "ip link add bwt-a type veth peer name bwt-b");
	assert_int_equal(s.changes, PORT_CAME);
	assert_true(s.ifindex > 0);
	first = s.ifindex;
	assert_int_equal(ports_prepare(&ps, &ps.list[0]), 0);
	s = after(&ps, "ip link set bwt-b up");
	assert_int_equal(s.changes, PORT_LINK_UP);
	assert_int_equal(system("ip link show bwt-a | grep -q PROMISC"), 0);
	s = after(&ps, "ip link set bwt-b down");
	assert_int_equal(s.changes, PORT_LINK_DOWN);
	s = after(&ps, "ip link set bwt-b up; ip link del bwt-a");
	assert_int_equal(s.changes, PORT_VANISHED);
	assert_int_equal(s.ifindex, 0);
	s = after(&ps, "ip link add bwt-a type veth peer name bwt-b");
	assert_int_equal(s.changes, PORT_CAME);
	assert_int_not_equal(s.ifindex, first);
	assert_true(ps.list[0].queues >= 1);
	ports_close(&ps);
}

/* --- the clock ------------------------------------------------------------ */

/* Setting the machine's own clock would disturb it. So its timer rings for another reason, and
 * what is remembered of the clock is wrong by as much as it is to have been set. */
static void a_clock_that_is_set_is_news(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {{3600, "the clock was set forward by 3600.0 seconds"},
		     {-7200, "the clock was set back by 7200.0 seconds"},
		     {-5, "the clock was set back by 5.0 seconds"}};
	const int64_t slack = (int64_t)NSEC_PER_SEC / 50;
	char text[JUMP_TEXT];
	struct jump j;
	uint64_t one = 1;
	int bell;

	assert_int_equal(jump_open(&j), 0);
	assert_int_equal(jump_take(&j), 0); /* it is armed and silent */
	bell = eventfd(0, EFD_NONBLOCK);
	assert_true(bell >= 0 && dup2(bell, j.timer) >= 0);
	j.wall_minus_mono -= 3600 * (int64_t)NSEC_PER_SEC;
	assert_int_equal(jump_take(&j), 0); /* nothing rang */
	j.wall_minus_mono += 3600 * (int64_t)NSEC_PER_SEC;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t set = cases[i].seconds * (int64_t)NSEC_PER_SEC, ns;

		j.wall_minus_mono -= set;
		assert_int_equal(write(bell, &one, sizeof(one)), sizeof(one));
		ns = jump_take(&j);
		assert_true(ns > set - slack && ns < set + slack);
		jump_text(ns, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(write(bell, &one, sizeof(one)), sizeof(one));
		assert_int_equal(jump_take(&j), 0); /* told once */
	}
	j.wall_minus_mono -= (int64_t)NSEC_PER_SEC / 2;
	assert_int_equal(write(bell, &one, sizeof(one)), sizeof(one));
	assert_int_equal(jump_take(&j), 0); /* ntpd at work */
	jump_close(&j);
	close(bell);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(audit_waits_and_says_what_it_lost),
		T(control_is_one_and_waits_for_a_keeper),
		T(notify_reaches_the_service_manager),
		T(a_site_is_loaded_whole_or_not_at_all),
		T(ports_come_go_and_lose_their_link),
		cmocka_unit_test(a_clock_that_is_set_is_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
