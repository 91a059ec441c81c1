/*
 * Doors for data as they stand: which rule or grant permits one, whose it is once somebody came, and
 * when it goes.
 */
#include "site.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/clock.h"
#include "guard/announced.h"
#include "guard/policy/data.h"

#define SEC NSEC_PER_SEC

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, unknown_devices: block, binding: block}\n"
	"hosts:\n"
	"  - {name: files-1, ip: [10.1.0.5, 'fd00::5'], role: [files]}\n"
	"  - {name: offices, ip: [10.9.0.0/20], role: [viewer]}\n"
	"  - {name: barred, ip: [10.9.7.0/24], role: [barred]}\n"
	"devices:\n"
	"  - name: m1\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:01'\n"
	"    ip: [10.1.1.1]\n"
	"    starts:\n"
	"      - {service: never, proto: tcp, port: ['5000-5009'], peer: files, action: drop}\n"
	"      - {service: other, proto: tcp, port: ['6000-6009'], peer: files}\n"
	"      - {service: not-these, proto: tcp, port: ['6000-6999'], peer: files, action: drop}\n"
	"      - {service: export, proto: tcp, port: [21], peer: files, app: ftp}\n"
	"      - {service: web, proto: tcp, port: [80], peer: viewer, app: http}\n"
	"      - {service: plain, proto: tcp, port: [21], peer: viewer}\n"
	"    accepts:\n"
	"      - {service: import, proto: tcp, port: [21], peer: viewer, app: ftp}\n"
	"  - name: m2\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:02'\n"
	"    ip: [10.1.1.2]\n"
	"    starts:\n"
	"      - {service: closed, proto: tcp, port: ['1-1023'], peer: files, action: drop}\n"
	"      - {service: export, proto: tcp, port: [21], peer: files, app: ftp}\n"
	"      - {service: boot, proto: udp, port: [6969], peer: files, app: tftp}\n";

static struct policy *policy;
static struct announced *doors;
static struct announced_law law;
static struct gate_grant_row grant;

static int set_up(void **state)
{
	policy = site_policy(site, NULL, 0, 1);
	doors = calloc(1, sizeof(*doors));
	assert_non_null(doors);
	grant = (struct gate_grant_row){.key = {.peer = {.b = {[10] = 255, 255, 10, 1, 0, 5}},
						.device_mac = {2, 0, 0, 0, 1, 2},
						.port = 21,
						.proto = PROTO_TCP},
					.grant = {.until_ns = 500 * SEC,
						  .id = 7,
						  .port_lo = 21,
						  .port_hi = 21,
						  .mac = {2, 0, 0, 0, 0, 5},
						  .flags = GATE_GRANT_DATA | GATE_GRANT_RECORD}};
	law = (struct announced_law){
		.policy = policy, .grants = &grant, .grant_count = 1, .now_ns = 100 * SEC};
	return 0;
}

static int tear_down(void **state)
{
	policy_free(policy);
	free(doors);
	return 0;
}

static struct gate_grant_key key_of(uint8_t device, const char *peer, uint8_t proto,
				    enum gate_door_kind kind, uint16_t port)
{
	struct gate_grant_key k = {
		.device_mac = {2, 0, 0, 0, 1, device}, .port = port, .proto = proto, .kind = kind};

	if (inet_pton(AF_INET6, peer, k.peer.b) == 1)
		return k;
	k.peer.b[10] = k.peer.b[11] = 255;
	assert_int_equal(inet_pton(AF_INET, peer, k.peer.b + 12), 1);
	return k;
}

static const char *line(uint8_t device, const char *peer, uint8_t proto, enum gate_door_kind kind,
			uint16_t port, bool towards)
{
	struct gate_grant_key k = key_of(device, peer, proto, kind, port);
	uint32_t rule = data_rule(policy, &k, towards);

	return rule == ~0u ? "none" : policy_rule_service(policy, rule);
}

#define BACK	GATE_DOOR_BACK
#define SERVICE GATE_DOOR_SERVICE

static void which_line_permits_data(void **state)
{
	static const struct {
		uint8_t device;
		const char *peer;
		uint8_t proto, kind;
		uint16_t port;
		const char *line;
		bool towards;
	} rows[] = {
		{1, "10.1.0.5", PROTO_TCP, BACK, 40000, "export"},
		{1, "10.1.0.5", PROTO_TCP, SERVICE, 40000, "export"},
		{1, "fd00::5", PROTO_TCP, BACK, 40000, "export"},
		/* Neither another machine, nor by another protocol, nor another device. */
		{1, "10.1.0.6", PROTO_TCP, BACK, 40000, "none"},
		{1, "fd00::6", PROTO_TCP, BACK, 40000, "none"},
		{1, "10.1.0.5", PROTO_UDP, BACK, 40000, "none"},
		{3, "10.1.0.5", PROTO_TCP, BACK, 40000, "none"},
		/* What a line drops stays shut, to whom and from whom it says so, the first that fits. */
		{1, "10.1.0.5", PROTO_TCP, BACK, 5005, "none"},
		{1, "10.1.0.5", PROTO_TCP, SERVICE, 5005, "export"},
		{1, "10.1.0.5", PROTO_TCP, BACK, 6500, "none"},
		{1, "10.1.0.5", PROTO_TCP, BACK, 6005, "export"},
		/* The device serves; networks by their longest prefix; a line that names nothing opens nothing. */
		{1, "10.9.15.9", PROTO_TCP, SERVICE, 40000, "import", true},
		{1, "10.9.15.9", PROTO_TCP, BACK, 40000, "import", true},
		{1, "10.9.15.9", PROTO_TCP, SERVICE, 40000, "none"},
		{1, "10.1.0.5", PROTO_TCP, BACK, 40000, "none", true},
		{1, "10.9.16.9", PROTO_TCP, SERVICE, 40000, "none", true},
		{1, "10.9.7.9", PROTO_TCP, SERVICE, 40000, "none", true},
		/* A line that is never reached. */
		{2, "10.1.0.5", PROTO_TCP, BACK, 40000, "none"},
		{2, "10.1.0.5", PROTO_UDP, SERVICE, 40000, "boot"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(line(rows[i].device, rows[i].peer, rows[i].proto,
					 (enum gate_door_kind)rows[i].kind, rows[i].port,
					 rows[i].towards),
				    rows[i].line);
	assert_true(data_is_app("ftp") && data_is_app("tftp"));
	assert_false(data_is_app("sftp") || data_is_app(""));
}

static int say(enum engine_door what, uint32_t id, uint16_t port, uint64_t by, uint16_t other)
{
	struct announced_word w = {.key = key_of(1, "10.1.0.5", PROTO_TCP, BACK, port),
				   .id = id,
				   .what = what,
				   .by = by,
				   .other_port = other};

	if (!(id & GATE_GRANT_RULE)) {
		w.key.device_mac[5] = 2;
		w.key.kind = SERVICE;
	}
	return announced_take(doors, &w, &law);
}

static int open_(uint32_t conversation, uint16_t port)
{
	return say(ENGINE_DOOR_OPEN, GATE_GRANT_RULE | conversation, port, conversation, 0);
}

/* The door at this port; NULL none. */
static const struct gate_grant *at(uint16_t port)
{
	static struct gate_grant_row rows[ANNOUNCED_MAX];
	uint32_t count = announced_rows(doors, rows, ANNOUNCED_MAX);

	for (uint32_t i = 0; i < count; i++)
		if (rows[i].key.port == port)
			return &rows[i].grant;
	return NULL;
}

static void of_a_rule(void **state)
{
	const uint32_t id = GATE_GRANT_RULE | 1;
	const struct gate_grant *g;

	assert_int_equal(open_(1, 5005), -EPERM);
	assert_int_equal(open_(1, 40000), 1);
	g = at(40000);
	assert_int_equal(g->until_ns, 130 * SEC);
	assert_int_equal(g->flags, GATE_GRANT_ANY_MAC);
	assert_int_equal(g->id, id);
	assert_string_equal(policy_rule_service(policy, gate_grant_rule(g)), "export");
	/* Nobody came to it, and another one is announced. */
	assert_int_equal(open_(1, 40001), 1);
	assert_null(at(40000));
	/* Who comes first has it, for as long as it is heard of. */
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40001, 0, 3333), 1);
	g = at(40001);
	assert_int_equal(g->flags, GATE_GRANT_ANY_MAC | GATE_GRANT_MET);
	assert_int_equal(g->port_lo, 40001);
	assert_int_equal(g->port_hi, 3333);
	assert_int_equal(g->until_ns, law.now_ns + ANNOUNCED_UNHEARD_NS);
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40001, 0, 4444), 0);
	law.now_ns += 20 * 3600 * SEC;
	announced_follow(doors, &law);
	assert_non_null(at(40001));
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40001, 0, 3333), 1);
	assert_int_equal(at(40001)->until_ns, law.now_ns + ANNOUNCED_UNHEARD_NS);
	/* The control connection's end does not end it; its own does, and nobody else's. */
	assert_int_equal(say(ENGINE_DOOR_OVER, id, 40001, 1, 0), 0);
	assert_int_equal(say(ENGINE_DOOR_LEFT, id, 40001, 0, 4444), 0);
	assert_int_equal(say(ENGINE_DOOR_LEFT, id | 2, 40001, 0, 3333), 0);
	assert_non_null(at(40001));
	assert_int_equal(say(ENGINE_DOOR_LEFT, id, 40001, 0, 3333), 1);
	assert_null(at(40001));
}

/* How many doors for whoever comes (`other` 0), or of who came from there, stand at this port. */
static unsigned doors_at(uint16_t port, uint16_t other)
{
	static struct gate_grant_row rows[ANNOUNCED_MAX];
	uint32_t count = announced_rows(doors, rows, ANNOUNCED_MAX), n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += rows[i].key.port == port && rows[i].key.other == other;
	return n;
}

/* A server with one port for data: what is under way there stays while others come and go. */
static void one_port_for_all(void **state)
{
	const uint32_t id = GATE_GRANT_RULE | 1;

	assert_int_equal(open_(1, 40000), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40000, 0, 3333), 1);
	assert_int_equal(doors_at(40000, 0), 0);
	assert_int_equal(open_(2, 40000), 1);
	assert_int_equal(doors_at(40000, 3333), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40000, 0, 3333), 1); /* goes on */
	assert_int_equal(doors_at(40000, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 2, 40000, 0, 4444), 1);
	assert_int_equal(doors_at(40000, 0), 0);
	/* Two are announced before either comes: each is let in, and no third. */
	assert_int_equal(open_(3, 40000), 1);
	assert_int_equal(open_(4, 40000), 1);
	assert_int_equal(doors_at(40000, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 3, 40000, 0, 5555), 1);
	assert_int_equal(doors_at(40000, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 3, 40000, 0, 6666), 1);
	assert_int_equal(doors_at(40000, 0), 0);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 3, 40000, 0, 7777), 0);
	/* One conversation that announces it twice waits for one. */
	assert_int_equal(open_(5, 40000), 1);
	assert_int_equal(open_(5, 40000), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 5, 40000, 0, 8888), 1);
	assert_int_equal(doors_at(40000, 0), 0);
	assert_int_equal(say(ENGINE_DOOR_LEFT, GATE_GRANT_RULE | 2, 40000, 0, 4444), 1);
	assert_int_equal(doors_at(40000, 4444), 0);
	assert_int_equal(doors_at(40000, 3333), 1);
	/* A person's, too: the grant is the same one. */
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 50000, 1, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, 7, 50000, 0, 3333), 1);
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 50000, 2, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, 7, 50000, 0, 3333), 0);
	assert_int_equal(doors_at(50000, 0), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, 7, 50000, 0, 4444), 1);
	assert_int_equal(doors_at(50000, 3333) + doors_at(50000, 4444), 2);
}

static void nobody_comes(void **state)
{
	const uint32_t id = GATE_GRANT_RULE | 1;

	assert_int_equal(open_(1, 40000), 1);
	law.now_ns += 30 * SEC - 1;
	announced_follow(doors, &law);
	assert_non_null(at(40000));
	law.now_ns++;
	announced_follow(doors, &law);
	assert_null(at(40000));
	assert_int_equal(say(ENGINE_DOOR_MET, id, 40000, 0, 3333), 0);
	/* The control connection ends before. */
	assert_int_equal(open_(1, 40000), 1);
	assert_int_equal(say(ENGINE_DOOR_OVER, id, 40000, 2, 0), 0);
	assert_int_equal(say(ENGINE_DOOR_OVER, id, 40000, 1, 0), 1);
	assert_null(at(40000));
}

static void a_policy_that_forbids(void **state)
{
	static const char other[] =
		"segments:\n  - {name: icu, ward: w0, hospital: h0}\n"
		"hosts:\n  - {name: files-1, ip: [10.1.0.5], role: [files]}\n"
		"devices:\n"
		"  - {name: m1, segment: icu, mac: '02:00:00:00:01:01', ip: [10.1.1.1], starts: [\n"
		"     {service: never, proto: tcp, port: [40001], peer: files, action: drop},\n"
		"     {service: renamed, proto: tcp, port: [21], peer: files, app: ftp}]}\n";
	struct policy *p = site_policy(other, NULL, 0, 2), *none = NULL;

	assert_int_equal(open_(1, 40000), 1);
	assert_int_equal(open_(2, 40001), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 1, 40000, 0, 3333), 1);
	law.policy = p;
	announced_follow(doors, &law);
	assert_null(at(40001));
	assert_int_equal(at(40000)->id, GATE_GRANT_RULE | 1); /* what stands is cut by no number */
	assert_int_equal(at(40000)->port_hi, 3333);
	assert_string_equal(policy_rule_service(p, gate_grant_rule(at(40000))), "renamed");
	law.policy = none;
	announced_follow(doors, &law);
	assert_null(at(40000));
	assert_int_equal(open_(1, 40000), -EPERM);
	policy_free(p);
}

static void of_a_grant(void **state)
{
	assert_int_equal(say(ENGINE_DOOR_OPEN, 8, 40000, 1, 0), -EPERM);
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 40000, 1, 0), 1);
	assert_int_equal(at(40000)->until_ns, 110 * SEC);
	assert_int_equal(at(40000)->flags, GATE_GRANT_RECORD);
	assert_memory_equal(at(40000)->mac, grant.grant.mac, 6);
	assert_int_equal(say(ENGINE_DOOR_MET, 7, 40000, 0, 3333), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, 7, 40000, 0, 3333), 0);
	assert_int_equal(at(40000)->until_ns, grant.grant.until_ns);
	assert_int_equal(at(40000)->flags, GATE_GRANT_RECORD | GATE_GRANT_MET);
	law.grant_count = 0;
	announced_follow(doors, &law);
	assert_null(at(40000));
	/* Of a service without data of its own nothing that is said behind it makes another. */
	law.grant_count = 1;
	grant.grant.flags = 0;
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 40000, 1, 0), -EPERM);
}

/* Of one conversation the ninth door takes the oldest's place, and no device can take all. */
static void no_more_than_so_many(void **state)
{
	for (uint16_t i = 0; i < ANNOUNCED_OPENER; i++) {
		assert_int_equal(open_(1, 40000 + i), 1);
		assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 1, 40000 + i, 0, 3333), 1);
	}
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 50000, 99, 0), 1);
	assert_int_equal(open_(1, 40100), 1);
	assert_null(at(40000));
	assert_non_null(at(40001));
	for (uint16_t i = 0; i < ANNOUNCED_DEVICE; i++)
		assert_int_equal(open_(2u + i, 41000 + i), 1);
	assert_int_equal(doors->count, ANNOUNCED_DEVICE + 1);
	assert_null(at(40100)); /* nobody has come to it: before those that are in use */
	assert_non_null(at(40001));
	assert_non_null(at(50000));
}

/* A long transfer outlives short ones beside it, which are over before anybody has forgotten them. */
static void what_is_through_makes_room_first(void **state)
{
	for (uint16_t i = 0; i < 3 * ANNOUNCED_OPENER; i++) {
		assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 40000 + i, 1, 0), 1);
		assert_int_equal(say(ENGINE_DOOR_MET, 7, 40000 + i, 0, 3333), 1);
		if (i)
			assert_int_equal(say(ENGINE_DOOR_DONE, 7, 40000 + i, 0, 3333), 0);
	}
	assert_int_equal(doors->count, ANNOUNCED_OPENER);
	assert_non_null(at(40000));
	assert_null(at(40001));
	assert_non_null(at(40000 + 3 * ANNOUNCED_OPENER - 1)); /* it may still be said again */
}

/* A gateway that takes another's place over finds them in the kernel. */
static void what_stood_before(void **state)
{
	struct gate_grant_row rows[4];
	uint32_t count;

	assert_int_equal(open_(1, 40000), 1);
	assert_int_equal(say(ENGINE_DOOR_MET, GATE_GRANT_RULE | 1, 40000, 0, 3333), 1);
	assert_int_equal(open_(2, 40001), 1);
	assert_int_equal(say(ENGINE_DOOR_OPEN, 7, 50000, 99, 0), 1);
	count = announced_rows(doors, rows, 4);
	assert_int_equal(count, 3);
	doors->count = 0;
	law.grant_count = 0;
	announced_adopt(doors, rows, count, &law);
	assert_int_equal(doors->count, 2); /* a person's is the keeper's to say */
	assert_int_equal(at(40000)->port_hi, 3333);
	assert_int_equal(at(40001)->until_ns, 130 * SEC);
	doors->count = 0;
	law.now_ns += 30 * SEC;
	announced_adopt(doors, rows, count, &law);
	assert_int_equal(doors->count, 1);
	law.policy = NULL;
	doors->count = 0;
	announced_adopt(doors, rows, count, &law);
	assert_int_equal(doors->count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(which_line_permits_data, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_port_for_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_policy_that_forbids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_grant, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_more_than_so_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_through_makes_room_first, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_stood_before, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
