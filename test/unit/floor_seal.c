/* What the floor makes of conversations with hosts behind a peer gateway. */
#include "frames.h"
#include "site.h"

#include "guard/policy/floor.h"

#define WARD	 1 /* ifindexes, as policy_compile() gives them without ports */
#define HOSPITAL 2
#define SEC	 1000000000ull

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, unknown_devices: block, binding: block}\n"
	"link: {listen: '10.1.0.200:4789'}\n"
	"peers:\n"
	"  - {name: east, hosts: [far]}\n"
	"  - {name: west, hosts: [farther]}\n"
	"hosts:\n"
	"  - {name: far, ip: [10.1.0.5], role: [central]}\n"
	"  - {name: farther, ip: [10.1.0.6], mac: '02:00:00:00:00:06', role: [central]}\n"
	"  - {name: near, ip: [10.1.0.7], role: [central]}\n"
	"devices:\n"
	"  - name: closed\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:01'\n"
	"    ip: [10.1.1.1]\n"
	"    fail: closed\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n"
	"      - {service: files, proto: tcp, port: [80], peer: central, action: pass}\n"
	"      - {service: sealed, proto: tcp, port: [81], peer: central, action: seal}\n"
	"  - name: open\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:02'\n"
	"    ip: [10.1.1.2]\n"
	"    fail: open\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n"
	"  - name: trial\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:03'\n"
	"    ip: [10.1.1.3]\n"
	"    mode: simulate\n"
	"    fail: closed\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n";

#define DEVICE(n) (0x0a010100u + (n)) /* 1 closed, 2 open, 3 trial */
#define FAR	  0x0a010005u
#define FARTHER	  0x0a010006u
#define NEAR	  0x0a010007u
#define OWN	  0x0a0100c8u
#define EAST	  1
#define WEST	  2
#define IN_CLEAR  0
#define OWN_MAC	  0xfe

struct fixture {
	struct policy *policy;
	struct floor *floor;
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	static const struct policy_port ports[2] = {{"w0", WARD, {2, 0, 0, 0, 0, OWN_MAC - 1}},
						    {"h0", HOSPITAL, {2, 0, 0, 0, 0, OWN_MAC}}};

	x->policy = site_policy(site, ports, 2, 1);
	x->floor = floor_new(x->policy, 256);
	assert_non_null(x->floor);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	floor_free(x->floor);
	policy_free(x->policy);
	free(x);
	return 0;
}

/* Hardware addresses follow from the network's: a device's is 02:00:00:00:01:n, a host's …:00:n. */
static void address(struct bytes f)
{
	uint8_t *b = (uint8_t *)(uintptr_t)f.data;
	const uint8_t *src = b + 26, *dst = b + 30;

	memcpy(b, (const uint8_t[]){2, 0, 0, 0, dst[2], dst[3]}, 6);
	memcpy(b + 6, (const uint8_t[]){2, 0, 0, 0, src[2], src[3]}, 6);
}

static struct gate_verdict judge(struct fixture *x, struct bytes f, uint32_t port, uint8_t link)
{
	struct gate_verdict v;
	struct packet p;

	packet_decode(f, LINK_ETHERNET, SEC, (uint32_t)f.len, &p);
	floor_judge_sealed(x->floor, &p, port, link, SEC, &v);
	free((void *)(uintptr_t)f.data);
	return v;
}

static struct gate_verdict udp(struct fixture *x, uint32_t port, uint8_t link, uint32_t src,
			       uint32_t dst)
{
	bool out = port == WARD;
	struct bytes f = frame_ipv4_udp(src, out ? 4000 : 24105, dst, out ? 24105 : 4000, "x", 1);

	address(f);
	return judge(x, f, port, link);
}

static struct gate_verdict tcp(struct fixture *x, uint16_t port, uint32_t dst)
{
	struct frame_tcp t = {.src = 4001, .dst = port, .flags = TCP_SYN};
	struct bytes f = frame_ipv4_tcp(DEVICE(1), dst, &t, 0);

	address(f);
	return judge(x, f, WARD, IN_CLEAR);
}

#define assert_verdict(v, action_, link_, reason_)                                          \
	do {                                                                                \
		struct gate_verdict v_ = (v);                                               \
		assert_string_equal(reason_name(v_.reason), reason_name(REASON_##reason_)); \
		assert_int_equal(v_.action, GATE_##action_);                                \
		assert_int_equal(v_.link, link_);                                           \
	} while (0)

static void what_is_for_a_host_behind_a_peer_is_sealed(void **state)
{
	struct fixture *x = *state;

	assert_verdict(udp(x, WARD, IN_CLEAR, DEVICE(1), FAR), SEAL, EAST, NONE);
	assert_verdict(udp(x, WARD, IN_CLEAR, DEVICE(1), FAR), SEAL, EAST, NONE); /* known by now */
	assert_verdict(udp(x, WARD, IN_CLEAR, DEVICE(1), FARTHER), SEAL, WEST, NONE);
	assert_verdict(udp(x, WARD, IN_CLEAR, DEVICE(1), NEAR), INSPECT, 0, NONE);
	/* Whatever the rule says; and `seal` where there is no link lets nothing go in the clear. */
	assert_verdict(tcp(x, 80, FAR), SEAL, EAST, NONE);
	assert_verdict(tcp(x, 80, NEAR), PASS, 0, NONE);
	assert_verdict(tcp(x, 81, FAR), SEAL, EAST, NONE);
	assert_verdict(tcp(x, 81, NEAR), DROP, 0, SEAL_NO_PEER);
	assert_verdict(tcp(x, 82, FAR), DROP, EAST, POLICY_NOT_ALLOWED);
}

static void what_comes_back_has_come_by_the_link(void **state)
{
	struct fixture *x = *state;

	udp(x, WARD, IN_CLEAR, DEVICE(1), FAR);
	assert_verdict(udp(x, HOSPITAL, EAST, FAR, DEVICE(1)), INSPECT, EAST, NONE);
	assert_verdict(udp(x, HOSPITAL, IN_CLEAR, FAR, DEVICE(1)), DROP, EAST, SEAL_IN_CLEAR);
	assert_verdict(udp(x, HOSPITAL, WEST, FAR, DEVICE(1)), DROP, EAST, SEAL_WRONG_PEER);
	assert_verdict(udp(x, HOSPITAL, EAST, FAR, DEVICE(1)), INSPECT, EAST, NONE);
}

static void a_peer_speaks_only_for_its_hosts(void **state)
{
	struct fixture *x = *state;

	udp(x, WARD, IN_CLEAR, DEVICE(1), NEAR);
	assert_verdict(udp(x, HOSPITAL, IN_CLEAR, NEAR, DEVICE(1)), INSPECT, 0, NONE);
	assert_verdict(udp(x, HOSPITAL, EAST, NEAR, DEVICE(1)), DROP, 0, SEAL_WRONG_PEER);
	/* And what policy refuses does not get in by a link. */
	assert_verdict(udp(x, HOSPITAL, EAST, FAR, DEVICE(2)), DROP, EAST,
		       POLICY_INBOUND_NOT_ALLOWED);
	assert_verdict(udp(x, HOSPITAL, EAST, DEVICE(2), DEVICE(1)), DROP, 0, BINDING_IP_MOVED);
}

static void a_device_that_fails_open_is_told_of(void **state)
{
	struct fixture *x = *state;
	struct gate_verdict v;

	udp(x, WARD, IN_CLEAR, DEVICE(2), FAR);
	v = udp(x, HOSPITAL, IN_CLEAR, FAR, DEVICE(2));
	assert_verdict(v, INSPECT, EAST, SEAL_IN_CLEAR);
	assert_int_not_equal(v.would, GATE_DROP);
	assert_verdict(udp(x, HOSPITAL, EAST, FAR, DEVICE(2)), INSPECT, EAST, NONE);
}

/* A trial lets through what would be blocked, but nothing leaves in the clear for it. */
static void a_trial_does_not_open_a_closed_device(void **state)
{
	struct fixture *x = *state;
	struct gate_verdict v = udp(x, WARD, IN_CLEAR, DEVICE(3), FAR);

	assert_verdict(v, SEAL, EAST, NONE);
	assert_false(v.flags & GATE_VERDICT_OPEN);
	v = udp(x, HOSPITAL, IN_CLEAR, FAR, DEVICE(3));
	assert_verdict(v, INSPECT, EAST, SEAL_IN_CLEAR);
	assert_int_equal(v.would, GATE_DROP);
}

static struct gate_verdict piece_of(struct fixture *x, unsigned device, uint32_t port, uint8_t link,
				    uint16_t fragment)
{
	bool out = port == WARD;
	struct frame_ip ip = {.src = out ? DEVICE(device) : FAR,
			      .dst = out ? FAR : DEVICE(device),
			      .proto = PROTO_UDP,
			      .id = 9,
			      .fragment = fragment};
	uint8_t body[64] = {15, 160, 94, 41, 0, 128};
	struct bytes f;

	if (!out)
		memcpy(body, (const uint8_t[]){94, 41, 15, 160}, 4);
	f = frame_ipv4(&ip, body, sizeof(body));
	address(f);
	return judge(x, f, port, link);
}

static struct gate_verdict piece(struct fixture *x, uint32_t port, uint8_t link, uint16_t fragment)
{
	return piece_of(x, 1, port, link, fragment);
}

/* Nor does a piece that came ahead of its first, of which nobody knows that it is to be sealed. */
static void a_trials_pieces_are_not_sent_in_the_clear(void **state)
{
	struct fixture *x = *state;
	struct gate_verdict v = piece_of(x, 3, WARD, IN_CLEAR, 8);

	assert_true(v.flags & GATE_VERDICT_FRAGMENT);
	assert_false(v.flags & GATE_VERDICT_OPEN);
	assert_verdict(piece_of(x, 3, WARD, IN_CLEAR, 0x2000), SEAL, EAST, NONE);
	v = piece_of(x, 3, WARD, IN_CLEAR, 8);
	assert_verdict(v, SEAL, EAST, NONE);
	assert_false(v.flags & GATE_VERDICT_OPEN);
}

static void pieces_go_the_way_of_their_first(void **state)
{
	struct fixture *x = *state;

	assert_verdict(piece(x, WARD, IN_CLEAR, 0x2000), SEAL, EAST, NONE);
	assert_verdict(piece(x, WARD, IN_CLEAR, 8), SEAL, EAST, NONE);
	assert_verdict(piece(x, HOSPITAL, EAST, 0x2000), INSPECT, EAST, NONE);
	assert_verdict(piece(x, HOSPITAL, EAST, 8), INSPECT, EAST, NONE);
	assert_verdict(piece(x, HOSPITAL, IN_CLEAR, 8), DROP, EAST, SEAL_IN_CLEAR);
}

static struct gate_verdict arp(struct fixture *x, uint32_t port, uint8_t link, uint16_t op,
			       uint32_t from, uint32_t to)
{
	uint8_t out[42] = {0};
	struct writer w = writer_new(out, sizeof(out));
	bool ask = op == 1;
	const uint8_t from_mac[6] = {2, 0, 0, 0, (uint8_t)(from >> 8), (uint8_t)from};
	const uint8_t to_mac[6] = {2, 0, 0, 0, (uint8_t)(to >> 8), (uint8_t)to};

	write_bytes(&w, ask ? (const uint8_t *)"\xff\xff\xff\xff\xff\xff" : to_mac, 6);
	write_bytes(&w, from_mac, 6);
	write_bytes(&w, "\x08\x06\0\1\x08\0\6\4", 8);
	write_be16(&w, op);
	write_bytes(&w, from_mac, 6);
	write_be32(&w, from);
	write_bytes(&w, ask ? (const uint8_t *)"\0\0\0\0\0" : to_mac, 6);
	write_be32(&w, to);
	assert_int_equal(w.len, 42);
	return judge(x, unit_exact(out, w.len), port, link);
}

static void questions_about_addresses_go_along(void **state)
{
	struct fixture *x = *state;

	assert_verdict(arp(x, WARD, IN_CLEAR, 1, DEVICE(1), FAR), SEAL, EAST, NONE);
	assert_verdict(arp(x, WARD, IN_CLEAR, 1, DEVICE(1), NEAR), INSPECT, 0, NONE);
	assert_verdict(arp(x, HOSPITAL, EAST, 2, FAR, DEVICE(1)), INSPECT, EAST, NONE);
	assert_verdict(arp(x, HOSPITAL, EAST, 1, FAR, DEVICE(1)), INSPECT, EAST, NONE);
	assert_verdict(arp(x, HOSPITAL, IN_CLEAR, 2, FAR, DEVICE(1)), DROP, EAST, SEAL_IN_CLEAR);
	assert_verdict(arp(x, HOSPITAL, IN_CLEAR, 2, FAR, DEVICE(2)), INSPECT, EAST, SEAL_IN_CLEAR);
	assert_verdict(arp(x, HOSPITAL, WEST, 2, FAR, DEVICE(1)), DROP, EAST, SEAL_WRONG_PEER);
	assert_verdict(arp(x, HOSPITAL, EAST, 2, NEAR, DEVICE(1)), DROP, 0, SEAL_WRONG_PEER);
	assert_verdict(arp(x, WARD, IN_CLEAR, 2, DEVICE(1), FAR), SEAL, EAST, NONE);
}

static struct gate_verdict to_link(struct fixture *x, uint32_t port, uint16_t dport, uint8_t mac)
{
	struct bytes f = frame_ipv4_udp(port == WARD ? DEVICE(1) : NEAR, 4789, OWN, dport, "x", 1);

	address(f);
	((uint8_t *)(uintptr_t)f.data)[5] = mac;
	return judge(x, f, port, IN_CLEAR);
}

static void the_links_own_datagrams_are_the_gateways(void **state)
{
	struct fixture *x = *state;
	struct gate_verdict v = to_link(x, HOSPITAL, 4789, OWN_MAC);

	assert_verdict(v, PASS, 0, NONE);
	assert_true(v.flags & GATE_VERDICT_LOCAL);
	assert_verdict(to_link(x, HOSPITAL, 4790, OWN_MAC), DROP, 0, POLICY_UNKNOWN_DESTINATION);
	assert_verdict(to_link(x, HOSPITAL, 4789, 9), DROP, 0, POLICY_UNKNOWN_DESTINATION);
	assert_false(to_link(x, WARD, 4789, OWN_MAC).flags & GATE_VERDICT_LOCAL);
	v = arp(x, HOSPITAL, IN_CLEAR, 1, NEAR, OWN);
	assert_verdict(v, PASS, 0, NONE);
	assert_true(v.flags & GATE_VERDICT_LOCAL);
	assert_false(arp(x, WARD, IN_CLEAR, 1, DEVICE(1), OWN).flags & GATE_VERDICT_LOCAL);
	/* Nor does a device take the address for its own. */
	assert_verdict(arp(x, WARD, IN_CLEAR, 2, OWN, NEAR), DROP, 0, BINDING_ARP_SPOOF);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_for_a_host_behind_a_peer_is_sealed),
		T(what_comes_back_has_come_by_the_link),
		T(a_peer_speaks_only_for_its_hosts),
		T(a_device_that_fails_open_is_told_of),
		T(a_trial_does_not_open_a_closed_device),
		T(a_trials_pieces_are_not_sent_in_the_clear),
		T(pieces_go_the_way_of_their_first),
		T(questions_about_addresses_go_along),
		T(the_links_own_datagrams_are_the_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
