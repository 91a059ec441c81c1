/* When the engine lets the kernel pass what it can read no further, and that a flow is counted whole. */
#include "frames.h"
#include "site.h"

#include <errno.h>

#include "guard/engine.h"

#define WARD	 1 /* ifindexes, as policy_compile() gives them without ports */
#define HOSPITAL 2

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, unknown_devices: block, binding: block}\n"
	"hosts:\n"
	"  - {name: server, ip: [10.0.0.9], role: [central]}\n"
	"devices:\n"
	"  - name: lab\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:01'\n"
	"    ip: [10.0.0.1]\n"
	"    fail: closed\n"
	"    starts:\n"
	"      - {service: any, proto: udp, port: ['6000'], peer: central, action: inspect}\n"
	"      - {service: held, proto: udp, port: ['6001'], peer: central, action: inspect,\n"
	"         app: hl7}\n";

static char events[65536];
static struct policy *policy;
static struct engine *engine;
static uint64_t now;

static struct {
	struct gate_flow_key key;
	unsigned begun, ended;
	uint64_t for_ns;
	int answer;
} asked;

static void forward(struct capture *c, const struct frame *f, uint32_t out)
{
}

static void drop(struct capture *c, const struct frame *f)
{
}

static const struct capture_ops ops = {.name = "test", .forward = forward, .drop = drop};
static struct capture capture = {&ops};

static void note(void *arg, const char *line, size_t len)
{
	size_t used = strlen(events);

	if (used + len + 2 < sizeof(events))
		snprintf(events + used, sizeof(events) - used, "%.*s\n", (int)len, line);
}

static int bypass(void *arg, const struct gate_flow_key *key, uint64_t for_ns)
{
	asked.key = *key;
	if (asked.answer)
		return asked.answer;
	if (for_ns)
		asked.begun++, asked.for_ns = for_ns;
	else
		asked.ended++;
	return 0;
}

static int setup(void **state)
{
	struct engine_options o = {.max_flows = 1024,
				   .max_fragments = 64,
				   .inline_ = true,
				   .timeouts = flow_default_timeouts,
				   .sink = note,
				   .bypass = *state ? NULL : bypass};

	policy = site_policy(site, NULL, 0, 1);
	engine = engine_new(policy, &o);
	memset(&asked, 0, sizeof(asked));
	*events = 0;
	now = 1700000000000000000;
	return !engine;
}

static int teardown(void **state)
{
	engine_free(engine);
	policy_free(policy);
	return 0;
}

/* As the floor judges it: inspected, by the device's rule, or as a test wants it. */
static struct gate_verdict verdict(bool out)
{
	uint32_t count, d = 0;
	const struct gate_device *devices = policy_devices(policy, &count);

	while (d < count && devices[d].flags & GATE_DEVICE_STRANGER)
		d++;
	return (struct gate_verdict){.abi = GATE_ABI,
				     .ifindex = out ? WARD : HOSPITAL,
				     .device = d,
				     .rule = devices[d].rule_first,
				     .generation = 1,
				     .action = GATE_INSPECT,
				     .would = GATE_INSPECT,
				     .flags = out ? 0 : GATE_VERDICT_TO_DEVICE};
}

static void send(bool out, const struct gate_verdict *v)
{
	static const char noise[] = "\x93\xa7\x01\xfe\x55\xc2\x77\x18\xe9\x3d\x60\xb4";
	struct bytes b = out ? frame_ipv4_udp(0x0a000001, 40000, 0x0a000009, 6000, noise, 12)
			     : frame_ipv4_udp(0x0a000009, 6000, 0x0a000001, 40000, noise, 12);
	struct frame f = {.data = b,
			  .time_ns = now += 1000000,
			  .wire_len = (uint32_t)b.len,
			  .ifindex = out ? WARD : HOSPITAL,
			  .link = LINK_ETHERNET,
			  .verdict = v};
	uint8_t *bytes = (uint8_t *)(uintptr_t)b.data;

	bytes[out ? 11 : 5] = 1;
	bytes[out ? 5 : 11] = 9;
	engine_burst(engine, &capture, &f, 1);
	free(bytes);
}

static void talk(unsigned rounds)
{
	struct gate_verdict there = verdict(true), back = verdict(false);

	for (unsigned i = 0; i < rounds; i++) {
		send(true, &there);
		send(false, &back);
	}
}

static void tick(uint64_t ms)
{
	for (; ms >= 100; ms -= 100)
		engine_tick(engine, &capture, now += 100 * 1000000ull);
}

static void what_nobody_can_read_is_let_pass_and_counted(void **state)
{
	struct gate_count passed[2] = {{0}};
	char want[160];

	talk(10);
	assert_int_equal(asked.begun, 0); /* too early */
	talk(10);
	assert_int_equal(asked.begun, 1);
	assert_true(asked.for_ns >= 1000000000);
	engine_bypassed(engine, &asked.key, true, passed, now);
	talk(1); /* were on their way */
	assert_int_equal(asked.begun, 1);
	/* The kernel counts; when its time is over it is asked. */
	tick(asked.for_ns / 1000000 + 300);
	assert_int_equal(asked.ended, 1);
	passed[0] = (struct gate_count){1000, 54000};
	passed[1] = (struct gate_count){900, 48600};
	engine_bypassed(engine, &asked.key, false, passed, now);
	/* It speaks on, and passes again; the kernel's count goes on. */
	talk(1);
	assert_int_equal(asked.begun, 2);
	engine_bypassed(engine, &asked.key, true, passed, now);
	tick(asked.for_ns / 1000000 + 300);
	assert_int_equal(asked.ended, 2);
	passed[0].packets = 1500, passed[0].bytes = 81000;
	engine_bypassed(engine, &asked.key, false, passed, now);
	engine_finish(engine, &capture);
	/* 10.0.0.1 is the key's first end, and began. */
	snprintf(want, sizeof(want), "\"pkts_toserver\":%u,\"pkts_toclient\":%u,", 22 + 1500,
		 22 + 900);
	assert_non_null(strstr(events, want));
	snprintf(want, sizeof(want), "\"bytes_toserver\":%u,\"bytes_toclient\":%u,",
		 22 * 54 + 81000, 22 * 54 + 48600);
	assert_non_null(strstr(events, want));
	assert_non_null(strstr(events, "\"bypassed\":{\"pkts_toserver\":1500,\"pkts_toclient\":900,"
				       "\"bytes_toserver\":81000,\"bytes_toclient\":48600},"
				       "\"bypass\":\"capture\""));
}

/* What is still wanted, or not the kernel's to decide, is looked at for as long as it lasts. */
static void what_somebody_looks_at_is_not(void **state)
{
	struct gate_verdict v[2];
	const struct gate_verdict fine[2] = {verdict(true), verdict(false)};

	for (unsigned n = 0; n < 8; n++) {
		memcpy(v, fine, sizeof(v));
		for (unsigned i = 0; i < 2; i++) {
			if (n == 0)
				v[i].grant = 7;
			if (n == 1)
				v[i].flags |= GATE_VERDICT_RECORD;
			if (n == 2)
				v[i].link = 1;
			if (n == 3)
				v[i].would = GATE_DROP, v[i].reason = REASON_POLICY_NOT_ALLOWED;
			if (n == 4)
				v[i].generation = 2;
			if (n == 5)
				v[i].action = GATE_PASS;
			if (n == 6)
				v[i].device = 0; /* a stranger */
			if (n == 7)
				v[i].flags |= GATE_VERDICT_HAIRPIN;
		}
		for (unsigned i = 0; i < 60; i++) {
			send(true, &v[0]);
			send(false, &v[1]);
		}
		if (asked.begun)
			fail_msg("case %u was let pass", n);
	}
	/* Not by our own floor's word either: there is no kernel to let it pass. */
	for (unsigned i = 0; i < 60; i++) {
		send(true, NULL);
		send(false, NULL);
	}
	assert_int_equal(asked.begun, 0);
	talk(1);
	assert_int_equal(asked.begun, 1); /* nothing else was in its way */
}

/* Nor where messages are judged, by a rule from the first or by one that it comes under later: it does
 * not say what that one names, and is at an end. */
static void what_a_rule_reads_is_not(void **state)
{
	struct gate_verdict ruled[2] = {verdict(true), verdict(false)};

	talk(10); /* too early */
	ruled[0].rule++;
	ruled[1].rule++;
	for (unsigned i = 0; i < 60; i++) {
		send(true, &ruled[0]);
		send(false, &ruled[1]);
	}
	talk(60);
	assert_int_equal(asked.begun, 0);
	assert_non_null(strstr(events, "policy.wrong_protocol"));
}

/* Where the parent's socket is full, it is asked again. */
static void who_is_not_heard_asks_again(void **state)
{
	struct gate_count passed[2] = {{0}};

	asked.answer = -EAGAIN;
	talk(40);
	assert_int_equal(asked.begun, 0);
	asked.answer = 0;
	talk(1);
	assert_int_equal(asked.begun, 1);
	engine_bypassed(engine, &asked.key, true, passed, now);
	asked.answer = -EAGAIN;
	tick(asked.for_ns / 1000000 + 1000);
	asked.answer = 0;
	tick(200);
	assert_int_equal(asked.ended, 1);
	/* What is said of a conversation that is none costs nothing. */
	asked.key.port[0] ^= 1;
	engine_bypassed(engine, &asked.key, false, passed, now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_nobody_can_read_is_let_pass_and_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_somebody_looks_at_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_rule_reads_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_not_heard_asks_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
