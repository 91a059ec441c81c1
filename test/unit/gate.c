/* The floor in the kernel: what passes, what is answered, and what waits between two processes. */
#include "gate_kit.h"

#include "guard/capture/held.h"
#include "guard/decode/packet.h"
#include "guard/hairpin.h"

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
	renew(12);
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
	renew(13);
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
		cmocka_unit_test(holds_what_is_to_be_sealed),
		cmocka_unit_test(a_large_policy_applies_within_a_second),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
