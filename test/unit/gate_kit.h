#ifndef BEDWARDEN_TEST_GATE_KIT_H
#define BEDWARDEN_TEST_GATE_KIT_H
/*
 * The floor in the kernel (gate_place.h) with a policy filled in by hand, and packets for it.
 */
#include "unit.h"

#include <errno.h>
#include <net/if.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "gate_place.h"

/* Only the layout of floor_work is wanted: where the program leaves its verdict. */
#include "lookups.h"

#include "bpf/floor.h"

#define WORK_VERDICT offsetof(struct floor_work, verdict) /* floor_work begins `works` */

static char dir[64]; /* where it is pinned */
static struct gate *gate;
static struct policy *policy;
static uint32_t ward, hospital;
static int works_cpu;
static bool behind_peer; /* the server is behind another gateway */

static inline char *names(const char *s)
{
	return (char *)(uintptr_t)s;
}

static inline struct policy *make_policy(uint32_t generation)
{
	static char *pump_ip[] = {"10.1.1.11", "fd00::11"}, *lab_ip[] = {"10.1.1.12", "fd00::12"};
	static char *host_ip[] = {"10.1.0.5", "fd00::5"}, *role[] = {"server"};
	static char *p9000[] = {"9000"}, *p9001[] = {"9001-9010"}, *echo[] = {"8"};
	static struct config_rule starts[] = {
		{"reports", "tcp", p9000, 1, "server", GATE_PASS},
		{"numbers", "udp", p9001, 1, "server", GATE_INSPECT},
		{"ping", "icmp", echo, 1, "server", GATE_PASS},
		{"discovery", "udp", p9000, 1, "broadcast", GATE_PASS},
	};
	static struct config_rule accepts[] = {
		{"setup", "tcp", p9001, 1, "server", GATE_PASS},
		{"ping", "icmp", echo, 1, "any", GATE_PASS},
	};
	static struct config_profile profile = {.name = "pump",
						.title = "Pump",
						.kind = "pump",
						.fail = GATE_OPEN,
						.starts = starts,
						.starts_count = 4,
						.accepts = accepts,
						.accepts_count = 2};
	static struct config_segment segment = {.name = "icu",
						.ward = "bwug0",
						.hospital = "bwug1",
						.isolated = true,
						.mode = GATE_ENFORCE,
						.block_strangers = true,
						.block_binding = true};
	static struct config_host host = {
		.name = "server-1", .ip = host_ip, .ip_count = 2, .role = role, .role_count = 1};
	static char *behind[] = {"server-1"};
	static struct config_peer peer = {.name = "east", .hosts = behind, .hosts_count = 1};
	static enum gate_fail closed = GATE_CLOSED;
	static struct config_device devices[] = {
		{.name = "pump",
		 .segment = "icu",
		 .mac = "02:00:00:00:00:11",
		 .ip = pump_ip,
		 .ip_count = 2,
		 .profile = "pump"},
		{.name = "lab",
		 .segment = "icu",
		 .mac = "02:00:00:00:00:12",
		 .ip = lab_ip,
		 .ip_count = 2,
		 .fail = &closed,
		 .profile = "pump"},
		{.name = "free", .segment = "icu", .mac = "02:00:00:00:00:13", .profile = "pump"},
	};
	struct config c = {.segments = &segment,
			   .segments_count = 1,
			   .hosts = &host,
			   .hosts_count = 1,
			   .devices = devices,
			   .devices_count = 3,
			   .profiles = &profile,
			   .profiles_count = 1};
	struct policy_port ports[2] = {
		{.name = "bwug0", .ifindex = ward, .mac = {2, 0, 0, 0, 0xff, 1}},
		{.name = "bwug1", .ifindex = hospital, .mac = {2, 0, 0, 0, 0xff, 2}}};
	char why[256] = "";
	struct policy *p;

	c.gateway.name = names("unit");
	c.link.listen = names("10.1.0.77:4789");
	c.peers = &peer;
	c.peers_count = behind_peer;
	p = policy_compile(&c, ports, 2, generation, why);
	if (!p)
		fprintf(stderr, "policy: %s\n", why);
	return p;
}

/* From now on that one is in force. */
static inline void renew(uint32_t generation)
{
	policy_free(policy);
	policy = make_policy(generation);
	assert_int_equal(place_apply(gate, policy), 0);
}

static inline int setup(void **state)
{
	char why[256] = "";
	cpu_set_t one;

	snprintf(dir, sizeof(dir), "/tmp/bedwarden-unit-gate-%d", (int)getpid());
	if (getuid() || place_make("bwug0", "bwug1"))
		return 0;
	works_cpu = sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(works_cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	ward = if_nametoindex("bwug0");
	hospital = if_nametoindex("bwug1");
	gate = gate_open(dir, NULL, why);
	if (!gate) {
		fprintf(stderr, "# %s\n", why);
		return errno == EPERM ? 0 : -1;
	}
	policy = make_policy(1);
	return policy ? place_apply(gate, policy) : -1;
}

static inline int teardown(void **state)
{
	if (gate) {
		gate_close(gate, true);
		umount2(dir, MNT_DETACH);
		rmdir(dir);
	}
	policy_free(policy);
	return 0;
}

static inline void need_kernel(void)
{
	if (!gate) {
		printf("skip - the kernel's floor: loading programs is not permitted here\n");
		skip();
	}
}

static uint8_t after[4096]; /* what became of the frame */
static size_t after_len;

/* Runs the program on one frame; its return value, and its verdict as it stands in `works`. */
static inline uint32_t run(struct bytes frame, uint32_t ifindex, struct gate_verdict *ret_verdict)
{
	struct bpf_test_run_opts o;
	size_t size = (bpf_map__value_size(gate->bpf->maps.works) + 7) & ~7ul;
	uint8_t *all = calloc((size_t)libbpf_num_possible_cpus(), size);
	uint32_t zero = 0;

	assert_non_null(all);
	assert_int_equal(place_run(gate, frame, ifindex, after, sizeof(after), &o), 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(gate->bpf->maps.works), &zero, all), 0);
	memcpy(ret_verdict, all + (size_t)works_cpu * size + WORK_VERDICT, sizeof(*ret_verdict));
	free(all);
	after_len = o.data_size_out;
	return o.retval;
}

static inline uint64_t total(enum gate_total which)
{
	struct gate_count all[GATE_TOTAL_COUNT];

	assert_int_equal(gate_totals(gate, all), 0);
	return all[which].packets;
}

static inline void set_heart(uint64_t hold_until_ns)
{
	struct gate_heart h = {.hold_until_ns = hold_until_ns};
	uint32_t queue = 0;

	assert_int_equal(bpf_map_update_elem(gate_fd(gate, GATE_MAP_HEARTS), &queue, &h, BPF_ANY),
			 0);
}

/* A number to the server: inspected. Of device 1 or 2, `len` in all. */
static inline struct bytes number(uint8_t device, size_t len)
{
	static const uint8_t head[] = {2,  0,	 0,    0,	  0,	      5, 2, 0, 0,  0, 0,
				       0,  8,	 0,    0x45,	  0,	      0, 0, 0, 1,  0, 0,
				       64, 17,	 0,    0,	  10,	      1, 1, 0, 10, 1, 0,
				       5,  0x9c, 0x40, 9001 >> 8, 9001 & 255, 0, 0, 0, 0};
	uint8_t f[2048] = {0};

	memcpy(f, head, sizeof(head));
	f[11] = (uint8_t)(0x10 + device);
	f[29] = (uint8_t)(10 + device);
	f[16] = (uint8_t)((len - 14) >> 8);
	f[17] = (uint8_t)(len - 14);
	f[38] = (uint8_t)((len - 34) >> 8);
	f[39] = (uint8_t)(len - 34);
	f[len - 1] = 0x77;
	return unit_exact(f, len);
}

static inline struct gate_grant_row door(uint8_t device, uint8_t proto, uint16_t lo, uint16_t hi)
{
	struct gate_grant_row r = {
		.key = {.device_mac = {2, 0, 0, 0, 0, device},
			.port = lo == hi ? lo : 0,
			.proto = proto},
		.grant = {.until_ns = clock_boot_ns() + 600 * NSEC_PER_SEC,
			  .id = 7,
			  .port_lo = lo,
			  .port_hi = hi,
			  .mac = {2, 0, 0, 0, 0, 5}},
	};

	r.key.peer = (struct gate_ip){.b = {[10] = 255, 255, 10, 1, 0, 5}};
	return r;
}

/* From the server to the pump's port 23. */
static inline size_t telnet(uint8_t frame[54], uint8_t mac, uint8_t ip, uint8_t flags)
{
	const uint8_t bytes[54] = {2, 0,  0,	0, 0, 0x11, 2,	0, 0, 0,  0,	mac,
				   8, 0,  0x45, 0, 0, 40,   0,	1, 0, 0,  64,	6,
				   0, 0,  10,	1, 0, ip,   10, 1, 1, 11, 0x9c, 0x41,
				   0, 23, 0,	0, 0, 1,    0,	0, 0, 0,  0x50, flags};

	memcpy(frame, bytes, 54);
	return 54;
}

static inline enum reason reason_of(uint8_t mac, uint8_t ip, uint8_t flags, uint32_t *ret_grant)
{
	uint8_t frame[54];
	struct gate_verdict v;

	run((struct bytes){frame, telnet(frame, mac, ip, flags)}, hospital, &v);
	*ret_grant = v.grant;
	return v.reason == REASON_FLOOR_NO_GUARD ? REASON_NONE : v.reason;
}

#endif
