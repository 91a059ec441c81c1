/* What the engine does with frames for and from a sealed link: a link played by flags, ports by lists. */
#include "frames.h"
#include "site.h"

#include <errno.h>

#include "guard/engine.h"

#define WARD	 1 /* ifindexes, as policy_compile() gives them without ports */
#define HOSPITAL 2
#define PEER	 1

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, unknown_devices: block, binding: block}\n"
	"link: {listen: '10.1.0.200:4789'}\n"
	"peers:\n"
	"  - {name: east, hosts: [far]}\n"
	"hosts:\n"
	"  - {name: far, ip: [10.0.0.9], role: [central]}\n"
	"devices:\n"
	"  - name: closed\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:01'\n"
	"    ip: [10.0.0.1]\n"
	"    fail: closed\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [5000], peer: central}\n"
	"      - {service: reports, proto: tcp, port: [2575], peer: central, app: hl7}\n"
	"  - name: open\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:03'\n"
	"    ip: [10.0.0.3]\n"
	"    fail: open\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [5000], peer: central}\n"
	"  - name: trial\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:04'\n"
	"    ip: [10.0.0.4]\n"
	"    fail: closed\n"
	"    mode: observe\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [5000], peer: central}\n";

static unsigned forwarded[3], dropped, injected[3], sealed, sealed_own, wanted;
static uint8_t addressed[12]; /* the hardware addresses of the frame that was forwarded last */
static bool up, full;
static char events[65536];

static void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	assert_true(out < 3);
	forwarded[out]++;
	if (f->data.len >= sizeof(addressed))
		memcpy(addressed, f->data.data, sizeof(addressed));
}

static void drop(struct capture *c, const struct frame *f)
{
	dropped++;
}

static int inject(struct capture *c, struct bytes data, uint32_t out)
{
	injected[out]++;
	return 0;
}

static const struct capture_ops ops = {
	.name = "test", .forward = forward, .drop = drop, .inject = inject};
static struct capture capture = {&ops};

static bool is_up(void *arg, uint8_t link)
{
	wanted += link == PEER;
	return up;
}

static int seal(void *arg, const struct frame *f, const struct gate_verdict *v)
{
	assert_int_equal(v->link, PEER);
	if (full)
		return -ENOBUFS;
	sealed++;
	return 0;
}

static int seal_own(void *arg, struct bytes frame, const struct gate_verdict *v)
{
	sealed_own++;
	return 0;
}

static void note(void *arg, const char *line, size_t len)
{
	size_t used = strlen(events);

	if (used + len + 2 < sizeof(events))
		snprintf(events + used, sizeof(events) - used, "%.*s\n", (int)len, line);
}

static struct policy *policy;
static struct engine *engine;

static int setup(void **state)
{
	struct engine_options o = {.max_flows = 1024,
				   .max_fragments = 64,
				   .inline_ = true,
				   .timeouts = flow_default_timeouts,
				   .sink = note,
				   .seal = {is_up, seal, seal_own, NULL}};

	policy = site_policy(site, NULL, 0, 1);
	engine = engine_new(policy, &o);
	memset(forwarded, 0, sizeof(forwarded));
	memset(injected, 0, sizeof(injected));
	dropped = sealed = sealed_own = wanted = 0;
	up = true;
	full = false;
	*events = 0;
	return !engine;
}

static int teardown(void **state)
{
	engine_free(engine);
	policy_free(policy);
	return 0;
}

static void send(struct bytes b, uint32_t port, uint8_t by, const struct gate_verdict *kernels)
{
	static uint64_t now = 1700000000000000000;
	struct frame f = {.data = b,
			  .time_ns = now += 1000000,
			  .wire_len = (uint32_t)b.len,
			  .ifindex = port,
			  .link = LINK_ETHERNET,
			  .sealed = by,
			  .verdict = kernels};

	engine_burst(engine, &capture, &f, 1);
	free((void *)(uintptr_t)b.data);
}

/* From a device (1 closed, 3 open, 4 trial) to the host behind the peer, or back. */
static struct bytes vitals(uint8_t device, bool out)
{
	uint32_t ip = 0x0a000000u + device, far = 0x0a000009;
	struct bytes f = out ? frame_ipv4_udp(ip, 5000, far, 5000, "x", 1)
			     : frame_ipv4_udp(far, 5000, ip, 5000, "x", 1);
	uint8_t *b = (uint8_t *)(uintptr_t)f.data;

	b[out ? 11 : 5] = device;
	b[out ? 5 : 11] = 9;
	return f;
}

static void nothing_goes_in_the_clear(void)
{
	assert_int_equal(forwarded[HOSPITAL], 0);
	assert_int_equal(injected[HOSPITAL], 0);
}

static void what_is_allowed_goes_by_the_link(void **state)
{
	send(vitals(1, true), WARD, 0, NULL);
	send(vitals(3, true), WARD, 0, NULL);
	assert_int_equal(sealed, 2);
	assert_int_equal(dropped, 0);
	nothing_goes_in_the_clear();
	send(vitals(1, false), HOSPITAL, PEER, NULL);
	assert_int_equal(forwarded[WARD], 1);
	send(vitals(1, false), HOSPITAL, PEER + 1, NULL);
	send(vitals(1, false), HOSPITAL, 0, NULL);
	assert_int_equal(forwarded[WARD], 1);
	assert_int_equal(dropped, 2);
}

static void a_closed_device_waits_for_its_link(void **state)
{
	up = false;
	send(vitals(1, true), WARD, 0, NULL);
	send(vitals(4, true), WARD, 0, NULL); /* only watched, and yet */
	assert_int_equal(dropped, 2);
	assert_int_equal(sealed, 0);
	nothing_goes_in_the_clear();
	engine_tick(engine, &capture, 1700000002000000000);
	assert_non_null(strstr(events, "\"reason\":\"seal.down\""));
	up = true;
	full = true; /* up, and yet it takes no more */
	send(vitals(1, true), WARD, 0, NULL);
	assert_int_equal(dropped, 3);
	nothing_goes_in_the_clear();
	full = false;
	send(vitals(1, true), WARD, 0, NULL);
	assert_int_equal(sealed, 1);
}

static void an_open_device_goes_on(void **state)
{
	up = false;
	send(vitals(3, true), WARD, 0, NULL);
	assert_int_equal(forwarded[HOSPITAL], 1);
	assert_non_null(strstr(events, "\"reason\":\"seal.clear\""));
	send(vitals(3, false), HOSPITAL, 0, NULL);
	assert_int_equal(forwarded[WARD], 1);
	assert_non_null(strstr(events, "\"reason\":\"seal.in_clear\""));
	up = full = true;
	send(vitals(3, true), WARD, 0, NULL);
	assert_int_equal(forwarded[HOSPITAL], 2);
	assert_int_equal(dropped, 0);
}

/* The kernel has judged what goes out; what comes back by the link is known all the same. */
static void the_kernels_word_is_remembered(void **state)
{
	struct gate_verdict v = {.abi = GATE_ABI,
				 .ifindex = WARD,
				 .device = 1,
				 .rule = ~0u,
				 .peer = 0,
				 .generation = 1,
				 .link = PEER,
				 .action = GATE_SEAL,
				 .would = GATE_SEAL};

	send(vitals(1, false), HOSPITAL, PEER, NULL); /* nobody has asked */
	assert_int_equal(dropped, 1);
	send(vitals(1, true), WARD, 0, &v);
	assert_int_equal(sealed, 1);
	send(vitals(1, false), HOSPITAL, PEER, NULL);
	assert_int_equal(forwarded[WARD], 1);
}

static void what_a_dead_link_left_goes_by_the_fail_mode(void **state)
{
	struct gate_verdict v = {.ifindex = WARD, .link = PEER};
	struct frame f = {.wire_len = 1};

	v.device = 1; /* ids: the stranger, closed, open, trial */
	engine_left(engine, &capture, &f, &v);
	assert_int_equal(dropped, 1);
	v.device = 2;
	engine_left(engine, &capture, &f, &v);
	assert_int_equal(forwarded[HOSPITAL], 1);
	v.device = 3;
	engine_left(engine, &capture, &f, &v);
	v.device = 77;
	engine_left(engine, &capture, &f, &v);
	assert_int_equal(dropped, 3);
	assert_int_equal(forwarded[HOSPITAL], 1);
}

/* Its router's address was on it: a device hears its own alone. The sender's stays. */
static void a_router_between_is_stepped_over(void **state)
{
	static const uint8_t router[6] = {0x02, 0, 0, 0, 0, 0xfe}, device[6] = {2, 0, 0, 0, 0, 1};
	static const uint8_t group[6] = {0x01, 0, 0x5e, 0, 0, 1};
	struct bytes f;

	send(vitals(1, true), WARD, 0, NULL);
	f = vitals(1, false);
	memcpy((uint8_t *)(uintptr_t)f.data, router, 6);
	send(f, HOSPITAL, PEER, NULL);
	assert_int_equal(forwarded[WARD], 1);
	assert_memory_equal(addressed, device, 6);
	assert_int_equal(addressed[11], 9);
	f = vitals(1, false); /* what is for many stays for many */
	memcpy((uint8_t *)(uintptr_t)f.data, group, 6);
	send(f, HOSPITAL, PEER, NULL);
	assert_int_equal(forwarded[WARD], 2);
	assert_memory_equal(addressed, group, 6);
	/* In the clear it is for somebody else. */
	up = false;
	send(vitals(3, true), WARD, 0, NULL);
	f = vitals(3, false);
	memcpy((uint8_t *)(uintptr_t)f.data, router, 6);
	send(f, HOSPITAL, 0, NULL);
	assert_int_equal(forwarded[WARD], 2);
	assert_int_equal(dropped, 1);
}

/* A conversation that is cut off is reset at both ends, at the far one by the link. */
static void a_reset_goes_by_the_link(void **state)
{
	static const char bad[] =
		"\x0bMSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\r\x1c\rnot hl7 at all";
	struct frame_tcp t = {.src = 4000, .dst = 2575, .seq = 1, .flags = TCP_SYN};
	struct bytes f = frame_ipv4_tcp(0x0a000001, 0x0a000009, &t, 0);

	((uint8_t *)(uintptr_t)f.data)[5] = 9;
	send(f, WARD, 0, NULL);
	t = (struct frame_tcp){.src = 4000, .dst = 2575, .seq = 2, .ack = 9, .flags = 0x18};
	f = frame_ipv4_tcp(0x0a000001, 0x0a000009, &t, sizeof(bad) - 1);
	((uint8_t *)(uintptr_t)f.data)[5] = 9;
	memcpy((uint8_t *)(uintptr_t)f.data + 54, bad, sizeof(bad) - 1);
	send(f, WARD, 0, NULL);
	assert_int_equal(dropped, 1);
	assert_int_equal(sealed_own, 1);
	assert_int_equal(injected[WARD], 1);
	nothing_goes_in_the_clear();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_allowed_goes_by_the_link),
		T(a_closed_device_waits_for_its_link),
		T(an_open_device_goes_on),
		T(the_kernels_word_is_remembered),
		T(what_a_dead_link_left_goes_by_the_fail_mode),
		T(a_router_between_is_stepped_over),
		T(a_reset_goes_by_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
