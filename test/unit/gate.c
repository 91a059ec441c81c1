/*
 * The floor in the kernel: single packets through the loaded program
 * (BPF_PROG_TEST_RUN) against a policy filled in by hand, and the same thousands
 * of random packets through both compilations of the decision.
 */
#include "unit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "gate.skel.h"
#include "guard/capture/gate_internal.h"
#include "guard/capture/held.h"
#include "guard/decode/packet.h"
#include "guard/hairpin.h"
#include "guard/policy/floor.h"

/* Only the layout of floor_work is wanted: where the program leaves its verdict. */
#include "lookups.h"

#include "bpf/floor.h"

#define WORK_VERDICT offsetof(struct floor_work, verdict) /* floor_work begins `works` */

#define DIR "/tmp/bedwarden-unit-gate"

static struct gate *gate;
static struct policy *policy;
static uint32_t ward, hospital;
static int works_cpu;
static bool behind_peer; /* the server is behind another gateway */

static char *names(const char *s)
{
	return (char *)(uintptr_t)s;
}

static struct policy *make_policy(uint32_t generation)
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

static int apply(const struct policy *p)
{
	struct gate_tables t = {.generation = policy_generation(p)};
	char why[256];

	t.ports = policy_ports(p, &t.port_count);
	t.devices = policy_devices(p, &t.device_count);
	t.rules = policy_rules(p, &t.rule_count);
	t.macs = policy_macs(p, &t.mac_count);
	t.ips = policy_ips(p, &t.ip_count);
	t.nets = policy_nets(p, &t.net_count);
	return gate_apply(gate, &t, why);
}

static int setup(void **state)
{
	char why[256] = "";
	cpu_set_t one;

	if (getuid() || unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    system("ip link add name bwug0 type veth peer name bwug1 2>/dev/null"))
		return 0;
	works_cpu = sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(works_cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	ward = if_nametoindex("bwug0");
	hospital = if_nametoindex("bwug1");
	gate = gate_open(DIR, NULL, why);
	if (!gate) {
		fprintf(stderr, "# %s\n", why);
		return errno == EPERM ? 0 : -1;
	}
	policy = make_policy(1);
	return policy ? apply(policy) : -1;
}

static int teardown(void **state)
{
	if (gate) {
		gate_close(gate, true);
		umount2(DIR, MNT_DETACH);
		rmdir(DIR);
	}
	policy_free(policy);
	return 0;
}

static void need_kernel(void)
{
	if (!gate) {
		printf("skip - the kernel's floor: loading programs is not permitted here\n");
		skip();
	}
}

static uint8_t after[4096]; /* what became of the frame */
static size_t after_len;

/* Runs the program on one frame; its return value, and its verdict as it stands in `works`. */
static uint32_t run(struct bytes frame, uint32_t ifindex, struct gate_verdict *ret_verdict)
{
	struct xdp_md ctx = {.data_end = (uint32_t)frame.len, .ingress_ifindex = ifindex};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame.data,
			    .data_size_in = (uint32_t)frame.len, .data_out = after,
			    .data_size_out = sizeof(after), .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = 1);
	size_t size = (bpf_map__value_size(gate->bpf->maps.works) + 7) & ~7ul;
	uint8_t *all = calloc((size_t)libbpf_num_possible_cpus(), size);
	uint32_t zero = 0;

	assert_non_null(all);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(gate->bpf->progs.gate), &o), 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(gate->bpf->maps.works), &zero, all), 0);
	memcpy(ret_verdict, all + (size_t)works_cpu * size + WORK_VERDICT, sizeof(*ret_verdict));
	free(all);
	after_len = o.data_size_out;
	return o.retval;
}

/* ---- frames ---- */

static uint64_t seed = 88172645463325252ull;

static uint32_t any(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 11) % n;
}

static const uint8_t macs[][6] = {
	{2, 0, 0, 0, 0, 0x11},		{2, 0, 0, 0, 0, 0x12},
	{2, 0, 0, 0, 0, 0x13},		{2, 0, 0, 0, 0, 5},
	{2, 0, 0, 0, 0, 0x66},		{2, 0, 0, 0, 0xff, 1},
	{255, 255, 255, 255, 255, 255}, {1, 0, 0x5e, 0, 0, 1},
};
static const uint8_t ip4s[][4] = {
	{10, 1, 1, 11}, {10, 1, 1, 12},	      {10, 1, 0, 5},  {10, 1, 0, 9},  {10, 1, 1, 77},
	{0, 0, 0, 0},	{255, 255, 255, 255}, {224, 0, 0, 1}, {127, 0, 0, 1}, {10, 1, 1, 13},
};
static const uint16_t portnos[] = {9000, 9001, 9005, 445, 67, 68, 53, 40000, 40001};

static void w_ip6(struct writer *w)
{
	uint8_t ip[16] = {0xfd};

	switch (any(6)) {
	case 0:
		ip[15] = 0x11;
		break;
	case 1:
		ip[15] = 5;
		break;
	case 2:
		ip[0] = 0xfe;
		ip[1] = 0x80;
		ip[15] = (uint8_t)any(4);
		break;
	case 3:
		ip[0] = 0xff;
		ip[1] = 2;
		ip[15] = 1;
		break;
	case 4:
		ip[0] = 0;
		ip[15] = (uint8_t)any(2);
		break;
	default:
		ip[15] = 0x99;
	}
	write_bytes(w, ip, 16);
}

static void w_transport(struct writer *w, uint8_t proto, bool six)
{
	static const uint8_t flags[] = {2, 16, 18, 4, 1, 0, 24, 20, 41};
	static const uint8_t types4[] = {8, 0, 3, 11, 5, 13},
			     types6[] = {128, 129, 1, 2, 133, 134, 135, 136, 137, 143};

	if (proto == 6 || proto == 17 || proto == 132) {
		write_be16(w, portnos[any(9)]);
		write_be16(w, portnos[any(9)]);
		if (proto == 17) {
			write_be16(w, any(20) ? 16 : (uint16_t)any(40));
			write_be16(w, 0);
			write_be32(w, 0);
			write_be32(w, 0);
			return;
		}
		write_be32(w, 1);
		write_be32(w, 2);
		if (proto == 6) {
			write_u8(w, any(20) ? 0x50 : (uint8_t)(any(16) << 4));
			write_u8(w, flags[any(9)]);
			write_be16(w, 1000);
			write_be32(w, 0);
		}
	} else if (proto == 1 || proto == 58) {
		uint8_t type = six ? types6[any(10)] : types4[any(6)];

		write_u8(w, type);
		write_u8(w, 0);
		write_be16(w, 0);
		write_be32(w, any(3));
		if (six && type >= 133 && type <= 137) {
			w_ip6(w);
			if (any(2)) {
				write_u8(w, (uint8_t)(1 + any(2)));
				write_u8(w, any(8) ? 1 : 0);
				write_bytes(w, macs[any(5)], 6);
			}
		} else if (!six && (type == 3 || type == 11)) {
			uint8_t quote[28] = {0x45, 0, 0, 40, 0, 1, 0, 0, 64, 17};

			memcpy(quote + 12, ip4s[any(4)], 4);
			memcpy(quote + 16, ip4s[any(4)], 4);
			quote[20] = (uint8_t)(portnos[any(9)] >> 8);
			quote[22] = 9000 >> 8, quote[23] = 9000 & 255;
			write_bytes(w, quote, 28);
		}
	} else {
		write_be32(w, 0);
		write_be32(w, 0);
	}
}

static size_t random_frame(uint8_t *buf, size_t cap)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 17, 1, 58, 132, 47, 2, 50};
	struct writer w = writer_new(buf, cap);
	uint32_t kind = any(12);
	uint8_t proto = protos[any(11)];
	size_t l3, end;

	write_bytes(&w, macs[any(8)], 6);
	write_bytes(&w, macs[any(50) ? any(5) : 7], 6);
	if (any(8) == 0) {
		write_be16(&w, 0x8100);
		write_be16(&w, (uint16_t)any(3));
	}
	if (kind == 0) {
		static const uint16_t types[] = {0x88cc, 0x888e, 0x0100, 0x8999, 0x8100};

		write_be16(&w, types[any(5)]);
		write_be32(&w, 0);
	} else if (kind <= 2) {
		write_be16(&w, 0x0806);
		write_be16(&w, 1);
		write_be16(&w, 0x0800);
		write_u8(&w, any(30) ? 6 : 5);
		write_u8(&w, 4);
		write_be16(&w, (uint16_t)(1 + any(2)));
		write_bytes(&w, macs[any(5)], 6);
		write_bytes(&w, ip4s[any(6)], 4);
		write_bytes(&w, macs[any(5)], 6);
		write_bytes(&w, ip4s[any(6)], 4);
	} else if (kind <= 8) {
		write_be16(&w, 0x0800);
		l3 = w.len;
		write_be32(&w, 0x45000000);
		write_be16(&w, (uint16_t)any(3));
		write_be16(&w, (uint16_t)(any(6) ? 0 : (any(2) ? 0x2000 : 0) | any(4)));
		write_u8(&w, 64);
		write_u8(&w, proto);
		write_be16(&w, 0);
		write_bytes(&w, ip4s[any(10)], 4);
		write_bytes(&w, ip4s[any(10)], 4);
		w_transport(&w, proto, false);
		end = w.len - l3;
		if (any(20) == 0)
			end += any(9) - 4;
		buf[l3 + 2] = (uint8_t)(end >> 8);
		buf[l3 + 3] = (uint8_t)end;
	} else {
		write_be16(&w, 0x86dd);
		l3 = w.len;
		write_be32(&w, 0x60000000);
		write_be16(&w, 0);
		write_u8(&w, any(4) ? proto : 44);
		write_u8(&w, 255);
		w_ip6(&w);
		w_ip6(&w);
		if (buf[l3 + 6] == 44) {
			write_u8(&w, proto);
			write_u8(&w, 0);
			write_be16(&w, (uint16_t)(any(2) ? any(4) * 8 + any(2) : any(2)));
			write_be32(&w, any(3));
		}
		w_transport(&w, proto, true);
		end = w.len - l3 - 40;
		buf[l3 + 4] = (uint8_t)(end >> 8);
		buf[l3 + 5] = (uint8_t)end;
	}
	if (any(25) == 0 && w.len > 14)
		w.len = 14 + any((uint32_t)w.len - 13);
	return w.len;
}

/* ---- the tests ---- */

static void passes_and_drops(void **state)
{
	uint8_t tcp[54] = {2,	      0,	  0,	0, 0, 5,  2,  0, 0, 0, 0,    0x11,
			   8,	      0,	  0x45, 0, 0, 40, 0,  1, 0, 0, 64,   6,
			   0,	      0,	  10,	1, 1, 11, 10, 1, 0, 5, 0x9c, 0x40,
			   9000 >> 8, 9000 & 255, 0,	0, 0, 1,  0,  0, 0, 0, 0x50, 2};
	struct bytes f;
	struct gate_verdict v;

	need_kernel();
	f = unit_exact(tcp, sizeof(tcp));
	assert_int_equal(run(f, ward, &v), XDP_REDIRECT);
	assert_int_equal(v.action, GATE_PASS);
	assert_true(v.flags & GATE_VERDICT_FIRST);
	assert_int_equal(run(f, hospital, &v), XDP_DROP);
	assert_int_equal(v.reason, REASON_BINDING_IP_MOVED);
	((uint8_t *)(uintptr_t)f.data)[37]++;
	assert_int_equal(run(f, ward, &v), XDP_DROP);
	assert_int_equal(v.reason, REASON_POLICY_NOT_ALLOWED);
	((uint8_t *)(uintptr_t)f.data)[11] = 0x66;
	assert_int_equal(run(f, ward, &v), XDP_DROP);
	assert_int_equal(v.reason, REASON_BINDING_IP_STOLEN);
	free((void *)(uintptr_t)f.data);
}

static void answers_for_a_neighbour(void **state)
{
	uint8_t arp[42] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,	 0x11, 8, 6,
			   0,	1,   8,	  0,   6,   4,	 0, 1, 2, 0, 0,	 0,    0, 0x11,
			   10,	1,   1,	  11,  0,   0,	 0, 0, 0, 0, 10, 1,    1, 12};
	struct gate_verdict v;

	need_kernel();
	assert_int_equal(run((struct bytes){arp, sizeof(arp)}, ward, &v), XDP_TX);
	assert_true(v.flags & GATE_VERDICT_ANSWERED);
	arp[41] = 11; /* itself: no */
	assert_int_not_equal(run((struct bytes){arp, sizeof(arp)}, ward, &v), XDP_TX);
}

/* Both floors answer for the same neighbours, byte for byte the same. */
static void both_floors_give_the_same_answer(void **state)
{
	static const uint8_t arp[42] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  0x11, 8, 6,
					0,   1,	  8,   0,   6,	 4,   0, 1, 2, 0, 0,  0,    0, 0x11,
					10,  1,	  1,   11,  0,	 0,   0, 0, 0, 0, 10, 1,    1, 12};
	static const uint8_t nd[86] = {0x33, 0x33, 0xff,	0,	     0,	   0x12,
				       2,    0,	   0,		0,	     0,	   0x11,
				       0x86, 0xdd, 0x60,	0,	     0,	   0,
				       0,    32,   58,		255,	     0xfd, [37] = 0x11,
				       0xff, 2,	   [49] = 1,	0xff,	     0,	   0,
				       0x12, 135,  [62] = 0xfd, [77] = 0x12, 1,	   1,
				       2,    0,	   0,		0,	     0,	   0x11};
	const struct bytes asks[] = {{arp, sizeof(arp)}, {nd, sizeof(nd)}};
	const struct gate_port port = {.mac = {2, 0, 0, 0, 0xff, 1}};
	uint8_t mine[HAIRPIN_ANSWER_MAX];
	struct gate_verdict v;
	struct packet p;

	need_kernel();
	for (unsigned i = 0; i < 2; i++) {
		struct bytes f = unit_exact(asks[i].data, asks[i].len);

		assert_int_equal(run(f, ward, &v), XDP_TX);
		assert_true(v.flags & GATE_VERDICT_ANSWERED);
		packet_decode(f, LINK_ETHERNET, 0, (uint32_t)f.len, &p);
		assert_int_equal(hairpin_answer(&p, &port, mine), after_len);
		assert_memory_equal(mine, after, after_len);
		free((void *)(uintptr_t)f.data);
	}
}

static uint64_t total(enum gate_total which)
{
	struct gate_count all[GATE_TOTAL_COUNT];

	assert_int_equal(gate_totals(gate, all), 0);
	return all[which].packets;
}

static void set_heart(uint64_t hold_until_ns)
{
	struct gate_heart h = {.hold_until_ns = hold_until_ns};
	uint32_t queue = 0;

	assert_int_equal(bpf_map_update_elem(gate_fd(gate, GATE_MAP_HEARTS), &queue, &h, BPF_ANY),
			 0);
}

/* A number to the server: inspected. Of device 1 or 2, `len` in all. */
static struct bytes number(uint8_t device, size_t len)
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

/* Between two guards in order: what fails closed waits for the second, what fails open does not. */
static void holds_what_may_not_pass_unseen(void **state)
{
	static const size_t lens[] = {60, 192, 193, 1514, 1537, 2000};
	struct gate_verdict v;
	struct held *held;
	uint64_t before, failed;
	struct bytes f;

	need_kernel();
	held = held_open(gate_fd(gate, GATE_MAP_HELD));
	assert_non_null(held);
	assert_null(held_peek(held));
	set_heart(clock_mono_ns() + NSEC_PER_SEC);
	before = total(GATE_TOTAL_HELD);
	failed = total(GATE_TOTAL_FAILED);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		const struct gate_held *h;

		f = number(2, lens[i]);
		assert_int_equal(run(f, ward, &v), XDP_DROP);
		assert_int_equal(v.action, GATE_INSPECT);
		h = held_peek(held);
		assert_non_null(h);
		assert_int_equal(h->len, lens[i]);
		assert_int_equal(h->verdict.ifindex, ward);
		assert_int_equal(h->verdict.action, GATE_INSPECT);
		assert_memory_equal(h + 1, f.data, f.len);
		held_release(held);
		assert_null(held_peek(held));
		free((void *)(uintptr_t)f.data);
	}
	assert_int_equal(total(GATE_TOTAL_HELD) - before, 6);
	assert_int_equal(total(GATE_TOTAL_FAILED) - failed, 0);

	f = number(1, 100);
	assert_int_equal(run(f, ward, &v), XDP_REDIRECT); /* uninspected */
	assert_null(held_peek(held));
	free((void *)(uintptr_t)f.data);

	/* Nobody came in time, or nobody was announced: as if the guard had been killed. */
	f = number(2, 100);
	for (unsigned i = 0; i < 2; i++) {
		set_heart(i ? clock_mono_ns() - 1 : 0);
		assert_int_equal(run(f, ward, &v), XDP_DROP);
		assert_int_equal(v.reason, REASON_FLOOR_NO_GUARD);
		assert_null(held_peek(held));
	}
	assert_int_equal(total(GATE_TOTAL_FAILED) - failed, 2);
	free((void *)(uintptr_t)f.data);
	held_close(held);
}

/* The ring is bounded, round and whole: what does not fit is shut out, what fits comes out in order. */
static void holds_as_much_as_fits(void **state)
{
	struct gate_verdict v;
	struct held *held;
	unsigned kept = 0, out = 0;
	struct bytes f;

	need_kernel();
	held = held_open(gate_fd(gate, GATE_MAP_HELD));
	assert_non_null(held);
	set_heart(clock_mono_ns() + 60 * NSEC_PER_SEC);
	f = number(2, 1000);
	for (unsigned round = 0; round < 2; round++) {
		const struct gate_held *h;

		kept = out = 0;
		for (unsigned i = 0; i < 4000; i++) {
			memcpy((uint8_t *)(uintptr_t)f.data + 42, &i, sizeof(i));
			run(f, ward, &v);
			if (v.action == GATE_DROP) {
				assert_int_equal(v.reason, REASON_FLOOR_NO_GUARD);
				break;
			}
			kept++;
		}
		assert_in_range(kept, 2000, GATE_HELD_BYTES / 1536);
		for (; (h = held_peek(held)); out++) {
			assert_memory_equal((const uint8_t *)(h + 1) + 42, &out, sizeof(out));
			held_release(held);
		}
		assert_int_equal(out, kept);
	}
	set_heart(0);
	free((void *)(uintptr_t)f.data);
	held_close(held);
}

static struct gate_grant_row door(uint8_t device, uint8_t proto, uint16_t lo, uint16_t hi)
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

/* For the server, which rules let in already here and there, to services that they do not. */
static void open_doors(struct floor *f)
{
	struct gate_grant_row rows[] = {
		door(0x11, 6, 9000, 9000),     door(0x11, 17, 0, 65535),
		door(0x12, 17, 0, 65535),      door(0x12, 6, 0, 65535),
		door(0x13, 6, 0, 65535),       door(0x12, 6, 9000, 9000),
		door(0x11, 6, 23, 23),	       door(0x11, 6, 0x9c41, 0x9c41),
		door(0x12, 6, 0x9c42, 0x9c42), door(0x11, 6, 0x2328, 0x2328)};

	for (unsigned i = 1; i < 5; i++)
		rows[i].grant.flags = GATE_GRANT_ANY_MAC | GATE_GRANT_RECORD;
	for (unsigned i = 2; i < 5; i++)
		rows[i].key.peer.b[15] = 9;
	rows[5].grant.until_ns = clock_boot_ns() - 1;
	rows[7].key.kind = rows[8].key.kind = GATE_DOOR_BACK;
	rows[8].grant.flags = GATE_GRANT_ANY_MAC;
	rows[8].key.peer.b[15] = 9;
	rows[9].key.peer.b[15] = 9;
	rows[9].grant.flags = GATE_GRANT_ANY_MAC | GATE_GRANT_MET;
	rows[9].grant.port_hi = 0x9c41;
	floor_set_grants(f, rows, 10);
	assert_int_equal(gate_set_grants(gate, rows, 10), 0);
}

/* From the server to the pump's port 23. */
static size_t telnet(uint8_t frame[54], uint8_t mac, uint8_t ip, uint8_t flags)
{
	const uint8_t bytes[54] = {2, 0,  0,	0, 0, 0x11, 2,	0, 0, 0,  0,	mac,
				   8, 0,  0x45, 0, 0, 40,   0,	1, 0, 0,  64,	6,
				   0, 0,  10,	1, 0, ip,   10, 1, 1, 11, 0x9c, 0x41,
				   0, 23, 0,	0, 0, 1,    0,	0, 0, 0,  0x50, flags};

	memcpy(frame, bytes, 54);
	return 54;
}

/* To or from such a service, mostly by who may. */
static size_t door_frame(uint8_t buf[54], uint32_t *ret_port)
{
	static const uint8_t flags[] = {2, 16, 18, 24, 17, 4}, last[] = {5, 9, 9, 6};
	uint8_t mac[6], ip[4], dport[2];

	telnet(buf, last[any(4)], last[any(4)], flags[any(6)]);
	buf[37] = any(2) ? 23 : 0x28;
	buf[36] = buf[37] == 23 ? 0 : 0x23;
	buf[35] = (uint8_t)any(4);
	*ret_port = hospital;
	if (any(3))
		return 54;
	*ret_port = ward;
	memcpy(mac, buf, 6);
	memcpy(buf, buf + 6, 6);
	memcpy(buf + 6, mac, 6);
	memcpy(ip, buf + 26, 4);
	memcpy(buf + 26, buf + 30, 4);
	memcpy(buf + 30, ip, 4);
	memcpy(dport, buf + 34, 2);
	memcpy(buf + 34, buf + 36, 2);
	memcpy(buf + 36, dport, 2);
	return 54;
}

static enum reason reason_of(uint8_t mac, uint8_t ip, uint8_t flags, uint32_t *ret_grant)
{
	uint8_t frame[54];
	struct gate_verdict v;

	run((struct bytes){frame, telnet(frame, mac, ip, flags)}, hospital, &v);
	*ret_grant = v.grant;
	return v.reason == REASON_FLOOR_NO_GUARD ? REASON_NONE : v.reason;
}

/* A door for data that somebody has come to is that conversation's alone; where it has ended, or is of
 * another one, the service's own range counts. */
static void a_door_that_was_met_is_of_who_met_it(void **state)
{
	struct gate_grant_row rows[] = {door(0x11, 6, 23, 23), door(0x11, 6, 20, 30)};
	uint32_t grant;

	need_kernel();
	rows[0].grant.flags = GATE_GRANT_MET;
	rows[0].grant.port_hi = 0x9c41; /* where telnet() comes from */
	assert_int_equal(gate_set_grants(gate, rows, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	rows[0].grant.port_hi = 0x9c40;
	assert_int_equal(gate_set_grants(gate, rows, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	rows[1].grant.id = 8;
	assert_int_equal(gate_set_grants(gate, rows, 2), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	rows[0].grant.flags = 0;
	rows[0].grant.port_hi = 23;
	rows[0].grant.until_ns = clock_boot_ns() - 1;
	assert_int_equal(gate_set_grants(gate, rows, 2), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

/* A door opens, for nobody but that workstation, and shuts by itself: in the kernel, with nobody
 * there to shut it. */
static void a_door_opens_and_shuts(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 23, 23), held[GATE_GRANTS];
	uint32_t grant;

	need_kernel();
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(gate_grants(gate, held), 1);
	assert_memory_equal(held, &row, sizeof(row));
	/* The one beside it: another address; the same one from another machine. */
	assert_int_not_equal(reason_of(6, 6, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_not_equal(reason_of(6, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	/* Another machine neither joins nor ends the conversation. */
	assert_int_equal(reason_of(6, 5, 16, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	assert_int_equal(reason_of(6, 5, 2, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	/* Under another grant an old conversation does not go on; a new one begins. */
	row.grant.id = 8;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	/* A new policy leaves it open. */
	policy_free(policy);
	policy = make_policy(3);
	assert_int_equal(apply(policy), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	row.grant.until_ns = clock_boot_ns() + 30 * NSEC_PER_MSEC;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	usleep(40000);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	/* What was refused meanwhile is let in by the next door. */
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	row.grant.id = 9;
	row.grant.until_ns = clock_boot_ns() + NSEC_PER_SEC;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 9);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

/* From the pump's port 20 to that one of the server, or `back`. */
static enum reason data_reason(uint8_t mac, uint16_t port, uint8_t flags, bool back,
			       uint32_t *ret_grant)
{
	struct gate_verdict v;
	uint8_t f[54], other[54];

	telnet(f, mac, 5, flags);
	f[34] = (uint8_t)(port >> 8);
	f[35] = (uint8_t)port;
	f[37] = 20;
	memcpy(other, f, sizeof(f));
	memcpy(other, f + 6, 6);
	memcpy(other + 6, f, 6);
	memcpy(other + 26, f + 30, 4);
	memcpy(other + 30, f + 26, 4);
	memcpy(other + 34, f + 36, 2);
	memcpy(other + 36, f + 34, 2);
	run((struct bytes){back ? f : other, 54}, back ? hospital : ward, &v);
	*ret_grant = v.grant;
	return v.reason == REASON_FLOOR_NO_GUARD ? REASON_NONE : v.reason;
}

/* Data that the workstation asked for: the pump begins, at that port of that machine alone. */
static void a_door_that_the_device_begins(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 40001, 40001);
	uint32_t grant;

	need_kernel();
	row.key.kind = GATE_DOOR_BACK;
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_not_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	/* It is none for the workstation to begin by, */
	assert_int_not_equal(data_reason(5, 40001, 2, true, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	/* nor to another port or to another machine with its address. */
	assert_int_not_equal(data_reason(5, 40002, 2, false, &grant), REASON_NONE);
	assert_int_not_equal(data_reason(6, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 2 | 16, true, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_NONE);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_NONE);
	assert_int_equal(data_reason(6, 40001, 16, true, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	/* An entry that was evicted meanwhile cuts nothing, whoever speaks first. */
	policy_free(policy);
	policy = make_policy(4);
	assert_int_equal(apply(policy), 0);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_NONE);
	/* With its grant it ends, in both directions. */
	row.grant.until_ns = clock_boot_ns() - 1;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_GRANT_ENDED);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

static struct gate_flow_key number_key(uint8_t device, uint16_t sport)
{
	struct gate_ip src = {.b = {[10] = 255, 255, 10, 1, 1, (uint8_t)(10 + device)}},
		       dst = {.b = {[10] = 255, 255, 10, 1, 0, 5}};
	struct gate_flow_key key;

	gate_flow_key_make(&key, 0, 0, 17, &src, sport, &dst, 9001);
	return key;
}

static enum gate_action number_action(uint8_t device, uint16_t sport, enum reason *ret_reason)
{
	struct bytes f = number(device, 100);
	struct gate_verdict v;

	((uint8_t *)(uintptr_t)f.data)[34] = (uint8_t)(sport >> 8);
	((uint8_t *)(uintptr_t)f.data)[35] = (uint8_t)sport;
	run(f, ward, &v);
	free((void *)(uintptr_t)f.data);
	*ret_reason = v.reason;
	return v.reason == REASON_FLOOR_NO_GUARD ? GATE_INSPECT : v.action;
}

static void begin_generation(uint32_t generation)
{
	policy_free(policy);
	policy = make_policy(generation);
	assert_int_equal(apply(policy), 0);
}

/* A guard has read enough: the kernel lets it pass and counts, until the time is over, the guard
 * says so, a new policy comes, or it is blocked. */
static void a_bypassed_conversation_passes_and_is_counted(void **state)
{
	const struct gate_flow_key key = number_key(2, 41000);
	uint64_t later = clock_mono_ns() + 60 * NSEC_PER_SEC;
	struct gate_count passed[2] = {{0}};
	struct gate_flow flow;
	enum reason why;

	need_kernel();
	begin_generation(20);
	set_heart(0);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	assert_int_equal(passed[0].packets + passed[1].packets, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(number_action(2, 41000, &why), GATE_PASS);
	assert_int_equal(gate_flow_ask(gate, &key, &flow, passed), 0);
	assert_true(flow.flags & GATE_FLOW_BYPASSED);
	assert_int_equal(passed[0].packets + passed[1].packets, 5);
	assert_int_equal(passed[0].bytes + passed[1].bytes, 500);
	/* Its neighbour is not. */
	assert_int_equal(number_action(2, 41001, &why), GATE_INSPECT);
	/* The guard wants to see it again. */
	assert_int_equal(gate_flow_bypass(gate, &key, 0, &flow, passed), 0);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	/* Its time is over. */
	assert_int_equal(
		gate_flow_bypass(gate, &key, clock_mono_ns() + 20 * NSEC_PER_MSEC, &flow, passed),
		0);
	assert_int_equal(number_action(2, 41000, &why), GATE_PASS);
	usleep(25000);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_ask(gate, &key, &flow, passed), 0);
	assert_int_equal(passed[0].packets + passed[1].packets, 6);
	/* A new policy judges anew. */
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	begin_generation(21);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_ask(gate, &key, &flow, passed), 0);
	assert_false(flow.flags & GATE_FLOW_BYPASSED);
	/* A block ends it, and what is blocked is not bypassed. */
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	assert_int_equal(gate_flow_block(gate, &key, REASON_FLOOD, clock_mono_ns(), later), 0);
	assert_int_equal(number_action(2, 41000, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
}

/* Under a grant nothing is bypassed; of TCP what begins and ends it goes to a guard in any case. */
static void a_bypass_hides_no_end_and_no_grant(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 23, 23);
	struct gate_ip src = {.b = {[10] = 255, 255, 10, 1, 0, 5}},
		       dst = {.b = {[10] = 255, 255, 10, 1, 1, 11}};
	uint64_t later = clock_mono_ns() + 60 * NSEC_PER_SEC;
	struct gate_count passed[2];
	struct gate_flow flow;
	struct gate_flow_key key;
	struct gate_verdict v;
	uint8_t frame[54];
	uint32_t grant;

	need_kernel();
	begin_generation(22);
	gate_flow_key_make(&key, 0, 0, 6, &src, 0x9c41, &dst, 23);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);

	/* Port 9001: by policy, inspected where the mode is soft; here it passes by rule. */
	gate_flow_key_make(&key, 0, 0, 6, &src, 0x9c41, &dst, 9001);
	telnet(frame, 5, 5, 2);
	frame[36] = 9001 >> 8;
	frame[37] = 9001 & 255;
	run((struct bytes){frame, 54}, hospital, &v);
	assert_int_equal(v.action, GATE_PASS);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
}

/* A blocked conversation outlives a flood of new ones, wherever they come to lie. */
static void a_block_outlives_a_flood(void **state)
{
	const struct gate_flow_key key = number_key(2, 999), known = number_key(2, 1000);
	uint64_t now = clock_mono_ns(), until = now + 600 * NSEC_PER_SEC;
	char why_not[256] = "";
	struct gate_options few = {.flows = 1024};
	struct gate_count passed[2];
	struct gate_flow flow;
	enum reason why;

	need_kernel();
	gate_close(gate, true);
	gate = gate_open(DIR, &few, why_not);
	assert_non_null(gate);
	begin_generation(23);
	set_heart(0);
	assert_int_equal(gate_flow_block(gate, &key, REASON_FLOOD, now, until), 0);
	assert_int_equal(number_action(2, 1000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_block(gate, &known, REASON_FLOOD, now, until), 0);
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(number_action(2, (uint16_t)(2000 + i), &why), GATE_INSPECT);
	assert_int_equal(number_action(2, 999, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	assert_int_equal(number_action(2, 1000, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	/* Taken over by the next one, with its secret: nothing is lost. */
	gate_close(gate, false);
	gate = gate_open(DIR, &few, why_not);
	assert_non_null(gate);
	assert_int_equal(gate_flow_ask(gate, &key, &flow, passed), 0);
	assert_true(flow.flags & GATE_FLOW_BLOCKED);
	assert_int_equal(number_action(2, 999, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	/* With the usual number of them it begins anew. */
	gate_close(gate, false);
	gate = gate_open(DIR, NULL, why_not);
	assert_non_null(gate);
	assert_int_equal(gate_flow_ask(gate, &key, &flow, passed), -ENOENT);
	begin_generation(24);
}

static struct floor *twin; /* remembers what the kernel remembers */

static void compare_compilations(uint32_t generation)
{
	struct floor *f = twin;
	uint8_t buf[256];
	unsigned seen[REASON_COUNT] = {0}, reasons = 0, granted = 0, sealed = 0;

	need_kernel();
	if (!f)
		f = twin = floor_new(policy, 65536);
	assert_non_null(f);
	/* A generation of their own, so that both begin without conversations. */
	policy_free(policy);
	policy = make_policy(generation);
	assert_int_equal(apply(policy), 0);
	assert_int_equal(floor_set_policy(f, policy), 0);
	open_doors(f);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t port = any(2) ? ward : hospital;
		size_t len = any(4) ? random_frame(buf, sizeof(buf)) : door_frame(buf, &port);
		struct bytes frame = unit_exact(buf, len);
		struct gate_verdict k, u = {0};
		struct packet p;

		packet_decode(frame, LINK_ETHERNET, clock_wall_ns(), (uint32_t)frame.len, &p);
		floor_set_boot(f, clock_boot_ns());
		floor_judge(f, &p, port, clock_mono_ns(), &u);
		run(frame, port, &k);
		/* The kernel goes on where nobody inspects; the decision is what is compared. */
		if (k.reason == REASON_FLOOR_NO_GUARD || k.reason == REASON_SEAL_DOWN ||
		    k.flags & GATE_VERDICT_FRAGMENT)
			k.reason = u.reason;
		granted += u.grant != 0;
		sealed += u.would == GATE_SEAL;
		if (k.link != u.link || k.grant != u.grant || k.would != u.would ||
		    k.flags != u.flags || k.device != u.device || k.peer != u.peer ||
		    k.rule != u.rule || k.reason != u.reason) {
			printf("# packet %u on %s: kernel would %u %s flags %x device %u peer %x "
			       "rule %d, "
			       "user space would %u %s flags %x device %u peer %x rule %d\n#",
			       i, port == ward ? "ward" : "hospital", k.would,
			       reason_name(k.reason), k.flags, k.device, k.peer, (int)k.rule,
			       u.would, reason_name(u.reason), u.flags, u.device, u.peer,
			       (int)u.rule);
			for (size_t b = 0; b < frame.len; b++)
				printf(" %02x", frame.data[b]);
			printf("\n");
			fail();
		}
		reasons += !seen[u.reason];
		seen[u.reason]++;
		free((void *)(uintptr_t)frame.data);
	}
	printf("# 20000 packets, %u reasons met, %u through a door, %u sealed\n", reasons, granted,
	       sealed);
	assert_true(behind_peer ? sealed >= 200 : sealed == 0);
	assert_true(reasons >= 10);
	assert_true(granted >= 200);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

static void both_compilations_agree(void **state)
{
	compare_compilations(2);
}

static void both_compilations_agree_on_what_is_sealed(void **state)
{
	behind_peer = true;
	compare_compilations(10);
	behind_peer = false;
	floor_free(twin);
	twin = NULL;
	policy_free(policy);
	policy = make_policy(11);
	assert_int_equal(apply(policy), 0);
}

/* Between two links in order: what is to be sealed waits for the second, of whichever device. */
static void holds_what_is_to_be_sealed(void **state)
{
	struct gate_heart h = {.seal_until_ns = clock_mono_ns() + NSEC_PER_SEC};
	uint64_t before;
	struct gate_verdict v;
	struct held *held;
	struct bytes f;
	uint32_t queue = 0;

	need_kernel();
	behind_peer = true;
	policy_free(policy);
	policy = make_policy(12);
	assert_int_equal(apply(policy), 0);
	held = held_open(gate_fd(gate, GATE_MAP_HELD));
	assert_non_null(held);
	before = total(GATE_TOTAL_HELD);
	for (uint8_t device = 1; device <= 2; device++) {
		f = number(device, 300);
		/* Nobody comes after: the fail mode decides. */
		set_heart(0);
		assert_int_equal(run(f, ward, &v), device == 1 ? XDP_REDIRECT : XDP_DROP);
		assert_null(held_peek(held));
		assert_int_equal(
			bpf_map_update_elem(gate_fd(gate, GATE_MAP_HEARTS), &queue, &h, BPF_ANY),
			0);
		assert_int_equal(run(f, ward, &v), XDP_DROP);
		assert_int_equal(v.action, GATE_SEAL);
		assert_non_null(held_peek(held));
		assert_int_equal(held_peek(held)->verdict.link, 1);
		assert_memory_equal(held_peek(held) + 1, f.data, f.len);
		held_release(held);
		assert_null(held_peek(held));
		free((void *)(uintptr_t)f.data);
	}
	assert_int_equal(total(GATE_TOTAL_HELD) - before, 2);
	set_heart(0);
	held_close(held);
	behind_peer = false;
	policy_free(policy);
	policy = make_policy(13);
	assert_int_equal(apply(policy), 0);
}

static void a_large_policy_applies_within_a_second(void **state)
{
	const uint32_t devices = 10000, rules = 100000;
	struct gate_device *d = calloc(devices, sizeof(*d));
	struct gate_rule *r = calloc(rules, sizeof(*r));
	struct policy_mac_row *m = calloc(devices, sizeof(*m));
	struct policy_ip_row *ip = calloc(devices, sizeof(*ip));
	struct gate_tables t = {.generation = 3,
				.devices = d,
				.rules = r,
				.macs = m,
				.ips = ip,
				.device_count = devices,
				.rule_count = rules,
				.mac_count = devices,
				.ip_count = devices};
	char why[256];
	uint64_t start, ms;

	need_kernel();
	for (uint32_t i = 0; i < devices; i++) {
		d[i].rule_first = i * 10;
		d[i].rule_count = 10;
		memcpy(m[i].key.mac, &i, 4);
		memcpy(ip[i].key.ip.b, &i, 4);
		m[i].bind.peer = ip[i].bind.peer = GATE_PEER_DEVICE | i;
	}
	t.ports = policy_ports(policy, &t.port_count);
	start = clock_mono_ns();
	assert_int_equal(gate_apply(gate, &t, why), 0);
	ms = (clock_mono_ns() - start) / NSEC_PER_MSEC;
	printf("# 10000 devices, 100000 rules: %llu ms\n", (unsigned long long)ms);
	assert_int_equal(gate_generation(gate), 3);
	assert_int_equal(gate_device_counts(gate, (struct gate_device_count[1]){{{0}}}, 1), 1);
	free(d);
	free(r);
	free(m);
	free(ip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_and_drops),
		cmocka_unit_test(answers_for_a_neighbour),
		cmocka_unit_test(both_floors_give_the_same_answer),
		cmocka_unit_test(holds_what_may_not_pass_unseen),
		cmocka_unit_test(holds_as_much_as_fits),
		cmocka_unit_test(both_compilations_agree),
		cmocka_unit_test(both_compilations_agree_on_what_is_sealed),
		cmocka_unit_test(holds_what_is_to_be_sealed),
		cmocka_unit_test(a_door_opens_and_shuts),
		cmocka_unit_test(a_door_that_was_met_is_of_who_met_it),
		cmocka_unit_test(a_door_that_the_device_begins),
		cmocka_unit_test(a_bypassed_conversation_passes_and_is_counted),
		cmocka_unit_test(a_bypass_hides_no_end_and_no_grant),
		cmocka_unit_test(a_block_outlives_a_flood),
		cmocka_unit_test(a_large_policy_applies_within_a_second),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
