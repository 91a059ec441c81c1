/* Includes what it tests, so that the kernel's parser can be run beside it over the same tables. */
#include "site.h"

#include "guard/policy/floor.c"

#include "bpf/parse.h"

#define WARD	 1 /* ifindexes, as policy_compile() gives them without ports */
#define HOSPITAL 2
#define SEC	 1000000000ull

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, unknown_devices: block, binding: block}\n"
	"hosts:\n"
	"  - {name: central-1, ip: [10.1.0.5], role: [central]}\n"
	"  - {name: store-1, ip: [10.1.0.6], mac: '02:00:00:00:00:06', role: [store]}\n"
	"  - {name: dhcp-1, ip: [10.1.0.9], role: [dhcp]}\n"
	"  - {name: offices, ip: [10.9.0.0/16], role: [viewer]}\n"
	"devices:\n"
	"  - name: m1\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:01'\n"
	"    ip: [10.1.1.1, 'fd00::1:1']\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n"
	"      - {service: orders, proto: tcp, port: [2575], peer: central}\n"
	"      - {service: files, proto: tcp, port: [80], peer: store, action: pass}\n"
	"      - {service: ping, proto: icmp, port: [8], peer: central}\n"
	"    accepts:\n"
	"      - {service: view, proto: tcp, port: [443], peer: viewer}\n"
	"  - name: m2\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:02'\n"
	"    ip: [10.1.1.2]\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n"
	"  - name: roams\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:03'\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n"
	"  - name: seeker\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:05'\n"
	"    ip: [10.1.1.5]\n"
	"    starts:\n"
	"      - {service: never, proto: udp, port: [1900], peer: central, action: drop}\n"
	"      - {service: search, proto: udp, port: [1900, 5353], peer: multicast}\n"
	"    accepts:\n"
	"      - {service: found, proto: udp, port: [3702], peer: multicast}\n"
	"  - name: trial\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:01:04'\n"
	"    ip: [10.1.1.4]\n"
	"    mode: simulate\n"
	"    starts:\n"
	"      - {service: vitals, proto: udp, port: [24105], peer: central}\n";

struct fixture {
	struct policy *policy;
	struct floor *floor;
};

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->policy = site_policy(site, NULL, 0, 1);
	x->floor = floor_new(x->policy, 64);
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

/* Who: 0x01NN a device, 0x00NN a machine of the hospital, by the last bytes of MAC and IP. */
struct shot {
	uint16_t mac, to_mac; /* 02:00:00:00:HH:LL */
	const uint8_t *src, *dst;
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t tcp_flags, icmp_type;
	uint16_t fragment; /* the field: flags and offset in eights */
	uint16_t ethertype;
	const uint8_t *body; /* behind the link header, instead of IP */
	size_t body_len;
};

#define IP(a, b, c, d) ((const uint8_t[]){a, b, c, d})
#define M1	       IP(10, 1, 1, 1)
#define M2	       IP(10, 1, 1, 2)
#define ROAMS	       IP(10, 1, 1, 77)
#define TRIAL	       IP(10, 1, 1, 4)
#define SEEKER	       IP(10, 1, 1, 5)
#define GROUP	       IP(239, 255, 255, 250)
#define CENTRAL	       IP(10, 1, 0, 5)
#define STORE	       IP(10, 1, 0, 6)
#define OFFICE	       IP(10, 9, 3, 4)
#define STRANGER       IP(192, 0, 2, 1)

static size_t make_l4(const struct shot *s, uint8_t *at)
{
	struct writer w = writer_new(at, 64);

	if (s->proto == PROTO_ICMP) {
		write_u8(&w, s->icmp_type);
		write_bytes(&w, "\0\0\0\0\1\0\0", 7);
		return w.len;
	}
	write_be16(&w, s->sport);
	write_be16(&w, s->dport);
	if (s->proto == PROTO_UDP) {
		write_be16(&w, 16);
		write_bytes(&w, "\0\0abcdefgh", 10);
	} else {
		write_bytes(&w, "\0\0\0\1\0\0\0\0\x50", 9);
		write_u8(&w, s->tcp_flags);
		write_bytes(&w, "\x20\0\0\0\0\0", 6);
	}
	return w.len;
}

static size_t make_ip(const struct shot *s, uint8_t *at)
{
	uint8_t l4[64];
	size_t len = make_l4(s, l4);
	struct writer w = writer_new(at, 128);

	write_be16(&w, 0x4500);
	write_be16(&w, (uint16_t)(20 + len));
	write_be16(&w, 0x77);
	write_be16(&w, s->fragment);
	write_u8(&w, 64);
	write_u8(&w, s->proto);
	write_be16(&w, 0);
	write_bytes(&w, s->src, 4);
	write_bytes(&w, s->dst, 4);
	write_bytes(&w, l4, len);
	return w.len;
}

static void put_mac(struct writer *w, uint16_t who)
{
	write_bytes(w, who == 0xffff ? "\xff\xff\xff\xff" : "\2\0\0\0", 4);
	write_be16(w, who);
}

static struct bytes make(const struct shot *s)
{
	uint8_t out[256], ip[128];
	struct writer w = writer_new(out, sizeof(out));

	put_mac(&w, s->to_mac);
	put_mac(&w, s->mac);
	write_be16(&w, s->ethertype ? s->ethertype : 0x0800);
	if (s->body)
		write_bytes(&w, s->body, s->body_len);
	else
		write_bytes(&w, ip, make_ip(s, ip));
	assert_false(w.bad);
	return unit_exact(out, w.len);
}

static struct gate_verdict judge_bytes(struct floor *f, struct bytes frame, uint32_t port,
				       uint64_t now)
{
	struct gate_verdict v;
	struct packet p;

	packet_decode(frame, LINK_ETHERNET, now, (uint32_t)frame.len, &p);
	floor_judge(f, &p, port, now, &v);
	return v;
}

static struct gate_verdict judge(struct floor *f, uint32_t port, uint64_t now, struct shot s)
{
	struct bytes frame = make(&s);
	struct gate_verdict v = judge_bytes(f, frame, port, now);

	free((void *)frame.data);
	return v;
}

#define assert_drop(v, why)                                                    \
	do {                                                                   \
		struct gate_verdict v_ = (v);                                  \
		assert_string_equal(reason_name(v_.reason), reason_name(why)); \
		assert_int_equal(v_.action, GATE_DROP);                        \
		assert_int_equal(v_.would, GATE_DROP);                         \
	} while (0)
#define assert_action(v, what)                                       \
	do {                                                         \
		struct gate_verdict v_ = (v);                        \
		assert_string_equal(reason_name(v_.reason), "none"); \
		assert_int_equal(v_.action, what);                   \
	} while (0)

#define UDP_VITALS(who, from)                                                             \
	(struct shot)                                                                     \
	{                                                                                 \
		.mac = who, .to_mac = 5, .src = from, .dst = CENTRAL, .proto = PROTO_UDP, \
		.sport = 4000, .dport = 24105                                             \
	}

static void an_allowed_conversation_goes_both_ways(void **state)
{
	struct fixture *x = *state;
	struct shot reply = {.mac = 5,
			     .to_mac = 0x101,
			     .src = CENTRAL,
			     .dst = M1,
			     .proto = PROTO_UDP,
			     .sport = 24105,
			     .dport = 4000};
	struct gate_verdict v;

	assert_drop(judge(x->floor, HOSPITAL, SEC, reply), REASON_POLICY_INBOUND_NOT_ALLOWED);
	v = judge(x->floor, WARD, SEC, UDP_VITALS(0x101, M1));
	assert_action(v, GATE_INSPECT);
	assert_true(v.flags & GATE_VERDICT_FIRST);
	assert_string_equal(policy_device_name(x->policy, v.device), "m1");
	assert_string_equal(policy_peer_name(x->policy, v.peer), "central-1");
	assert_string_equal(policy_rule_service(x->policy, v.rule), "vitals");
	v = judge(x->floor, HOSPITAL, 2 * SEC, reply);
	assert_action(v, GATE_INSPECT);
	assert_true(v.flags & GATE_VERDICT_TO_DEVICE);
	assert_false(v.flags & GATE_VERDICT_FIRST);
	/* Idle for longer than UDP may be, it has to be started anew. */
	assert_drop(judge(x->floor, HOSPITAL, 2 * SEC + FLOOR_IDLE_UDP_NS + 2, reply),
		    REASON_POLICY_INBOUND_NOT_ALLOWED);
}

static void tcp_is_picked_up_midway_in_both_directions(void **state)
{
	struct fixture *x = *state;
	struct shot s = {.mac = 5,
			 .to_mac = 0x101,
			 .src = CENTRAL,
			 .dst = M1,
			 .proto = PROTO_TCP,
			 .sport = 2575,
			 .dport = 4001,
			 .tcp_flags = TCP_ACK};

	assert_action(judge(x->floor, HOSPITAL, SEC, s), GATE_INSPECT);
	s.dport = 4002;
	s.tcp_flags = TCP_SYN;
	assert_drop(judge(x->floor, HOSPITAL, SEC, s), REASON_POLICY_INBOUND_NOT_ALLOWED);
}

static void rules_say_no_for_the_right_reason(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);

	s.dport = 9;
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_POLICY_NOT_ALLOWED);
	s = UDP_VITALS(0x101, M1);
	s.dst = STRANGER;
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_POLICY_PEER_NOT_ALLOWED);
	s = (struct shot){.mac = 7,
			  .to_mac = 0x101,
			  .src = STRANGER,
			  .dst = M1,
			  .proto = PROTO_TCP,
			  .sport = 999,
			  .dport = 23,
			  .tcp_flags = TCP_SYN};
	assert_drop(judge(x->floor, HOSPITAL, SEC, s), REASON_POLICY_INBOUND_NOT_ALLOWED);
	s.dport = 443;
	assert_drop(judge(x->floor, HOSPITAL, SEC, s), REASON_POLICY_PEER_NOT_ALLOWED);
	s.src = OFFICE; /* of a whole network that has the role */
	assert_action(judge(x->floor, HOSPITAL, SEC, s), GATE_INSPECT);
	s.dst = IP(10, 1, 1, 200);
	s.to_mac = 0x1ff;
	assert_drop(judge(x->floor, HOSPITAL, SEC, s), REASON_POLICY_UNKNOWN_DESTINATION);
	s = UDP_VITALS(0x101, M1);
	s.dst = M2;
	s.to_mac = 0x102;
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_POLICY_DEVICE_TO_DEVICE);
}

static void the_rule_says_pass(void **state)
{
	struct fixture *x = *state;
	struct shot s = {.mac = 0x101,
			 .to_mac = 6,
			 .src = M1,
			 .dst = STORE,
			 .proto = PROTO_TCP,
			 .sport = 4003,
			 .dport = 80,
			 .tcp_flags = TCP_SYN};

	assert_action(judge(x->floor, WARD, SEC, s), GATE_PASS);
}

static void senders_are_who_they_say(void **state)
{
	struct fixture *x = *state;
	struct shot in = {.mac = 5, .to_mac = 0x101, .src = CENTRAL, .dst = M1, .proto = PROTO_UDP};

	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(0x177, IP(10, 1, 1, 50))),
		    REASON_BINDING_UNKNOWN_DEVICE);
	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(0x101, M2)), REASON_BINDING_IP_STOLEN);
	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(0x101, STORE)), REASON_BINDING_IP_STOLEN);
	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(0x101, IP(10, 1, 1, 99))),
		    REASON_BINDING_IP_UNLISTED);
	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(6, STORE)), REASON_BINDING_IP_STOLEN);
	assert_drop(judge(x->floor, WARD, SEC, UDP_VITALS(6, IP(10, 1, 1, 98))),
		    REASON_BINDING_MAC_MOVED);
	in.mac = 0x102; /* a device's hardware address, from the hospital */
	assert_drop(judge(x->floor, HOSPITAL, SEC, in), REASON_BINDING_MAC_MOVED);
	in.mac = 5;
	in.src = M2;
	assert_drop(judge(x->floor, HOSPITAL, SEC, in), REASON_BINDING_IP_MOVED);
	in.src = STORE; /* bound to another hardware address */
	assert_drop(judge(x->floor, HOSPITAL, SEC, in), REASON_BINDING_IP_STOLEN);
}

static void an_address_in_use_is_nobody_elses(void **state)
{
	struct fixture *x = *state;
	struct shot other = {
		.mac = 9, .to_mac = 0x101, .src = ROAMS, .dst = M1, .proto = PROTO_UDP};

	assert_action(judge(x->floor, WARD, SEC, UDP_VITALS(0x103, ROAMS)), GATE_INSPECT);
	assert_drop(judge(x->floor, HOSPITAL, 2 * SEC, other), REASON_BINDING_IP_CONFLICT);
	/* Unused for long enough, it is free again. */
	assert_int_not_equal(
		judge(x->floor, HOSPITAL, 2 * SEC + FLOOR_LEARNED_NS + SEC, other).reason,
		REASON_BINDING_IP_CONFLICT);
}

static void simulation_lets_through_what_it_would_block(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x104, TRIAL);
	struct gate_verdict v;

	s.dport = 9;
	v = judge(x->floor, WARD, SEC, s);
	assert_int_equal(v.action, GATE_INSPECT);
	assert_int_equal(v.would, GATE_DROP);
	assert_int_equal(v.reason, REASON_POLICY_NOT_ALLOWED);
}

static struct gate_verdict judge_arp(struct fixture *x, uint32_t port, uint16_t mac,
				     uint16_t said_mac, const uint8_t *ip)
{
	uint8_t body[28] = {0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0};

	body[12] = (uint8_t)(said_mac >> 8);
	body[13] = (uint8_t)said_mac;
	memcpy(body + 14, ip, 4);
	memcpy(body + 24, CENTRAL, 4);
	return judge(x->floor, port, SEC,
		     (struct shot){.mac = mac,
				   .to_mac = 5,
				   .ethertype = 0x0806,
				   .body = body,
				   .body_len = sizeof(body)});
}

static void arp_speaks_only_for_its_sender(void **state)
{
	struct fixture *x = *state;

	assert_action(judge_arp(x, WARD, 0x101, 0x101, M1), GATE_INSPECT);
	assert_drop(judge_arp(x, WARD, 0x101, 0x101, STORE), REASON_BINDING_ARP_SPOOF);
	assert_drop(judge_arp(x, WARD, 0x101, 0x102, M1), REASON_BINDING_ARP_SPOOF);
	assert_drop(judge_arp(x, HOSPITAL, 5, 5, M1), REASON_BINDING_ARP_SPOOF);
	assert_action(judge_arp(x, HOSPITAL, 5, 5, CENTRAL), GATE_PASS);
	assert_drop(judge(x->floor, WARD, SEC,
			  (struct shot){.mac = 0x101,
					.to_mac = 0xffff,
					.ethertype = 0x0806,
					.body = M1,
					.body_len = 4}),
		    REASON_BINDING_ARP_MALFORMED);
}

/* Neighbour discovery from m1: an advertisement of fd00::1:LAST with a link-layer option. */
static struct gate_verdict judge_nd(struct fixture *x, uint8_t type, uint8_t target, uint16_t mac)
{
	uint8_t len = type == 137 ? 40 : 32; /* a redirect, without options */
	uint8_t b[40 + 40] = {0x60, 0, 0, 0, 0, len, 58, 255};

	memcpy(b + 8, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1", 16);
	memcpy(b + 24, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	b[40] = type;
	memcpy(b + 48, b + 8, 16);
	b[63] = target;
	b[64] = 2;
	b[65] = 1;
	b[66] = 2;
	b[70] = (uint8_t)(mac >> 8);
	b[71] = (uint8_t)mac;
	if (type == 134) /* has no target: its options begin where that ends */
		memcpy(b + 56, b + 64, 8);
	return judge(x->floor, WARD, SEC,
		     (struct shot){.mac = 0x101,
				   .to_mac = 0xffff,
				   .ethertype = 0x86dd,
				   .body = b,
				   .body_len = 40u + len});
}

static void nd_speaks_only_for_its_sender(void **state)
{
	struct fixture *x = *state;

	assert_action(judge_nd(x, 136, 1, 0x101), GATE_INSPECT);
	assert_drop(judge_nd(x, 136, 1, 0x102), REASON_BINDING_ND_SPOOF);
	assert_drop(judge_nd(x, 136, 2, 0x101), REASON_BINDING_IP_UNLISTED);
	assert_drop(judge_nd(x, 134, 1, 0x101), REASON_BINDING_ROGUE_RA);
}

static void a_device_sends_nobody_elsewhere(void **state)
{
	struct fixture *x = *state;
	struct shot s = {.mac = 0x101, .to_mac = 5, .src = M1, .dst = CENTRAL, .proto = PROTO_ICMP};

	assert_drop(judge_nd(x, 137, 1, 0x101), REASON_BINDING_ROGUE_RA);
	s.icmp_type = 5; /* a redirect */
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_BINDING_ROGUE_RA);
	s.icmp_type = 9; /* a router's advertisement (RFC 1256) */
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_BINDING_ROGUE_RA);
	s.icmp_type = 8;
	assert_action(judge(x->floor, WARD, SEC, s), GATE_INSPECT);
	/* A router's, which is the hospital's. */
	s = (struct shot){.mac = 7,
			  .to_mac = 0x101,
			  .src = STRANGER,
			  .dst = M1,
			  .proto = PROTO_ICMP,
			  .icmp_type = 5};
	assert_drop(judge(x->floor, HOSPITAL, SEC, s), REASON_POLICY_INBOUND_NOT_ALLOWED);
}

/* The seeker asks the group at `port` by its own port `by`. */
static struct gate_verdict seek(struct fixture *x, uint16_t by, uint16_t port, uint64_t now)
{
	return judge(x->floor, WARD, now,
		     (struct shot){.mac = 0x105,
				   .to_mac = 5,
				   .src = SEEKER,
				   .dst = GROUP,
				   .proto = PROTO_UDP,
				   .sport = by,
				   .dport = port});
}

/* Somebody answers to the seeker's port `by`. */
static struct gate_verdict found(struct fixture *x, const uint8_t *who, uint16_t from, uint16_t by,
				 uint64_t now)
{
	return judge(x->floor, HOSPITAL, now,
		     (struct shot){.mac = 7,
				   .to_mac = 0x105,
				   .src = who,
				   .dst = SEEKER,
				   .proto = PROTO_UDP,
				   .sport = from,
				   .dport = by});
}

static void who_searches_is_answered(void **state)
{
	struct fixture *x = *state;
	uint64_t now = SEC;
	struct gate_verdict v;

	assert_drop(found(x, STRANGER, 1900, 5000, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	assert_action(seek(x, 5000, 1900, now), GATE_INSPECT);
	v = found(x, STRANGER, 1900, 5000, now);
	assert_action(v, GATE_INSPECT);
	assert_true(v.flags & GATE_VERDICT_TO_DEVICE);
	assert_string_equal(policy_rule_service(x->policy, v.rule), "search");
	/* From any port of anybody, to that one port alone, as long as a search lasts. */
	assert_action(found(x, OFFICE, 40000, 5000, now + FLOOR_SEARCH_NS), GATE_INSPECT);
	assert_drop(found(x, STRANGER, 1900, 5001, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	now += FLOOR_SEARCH_NS + 1;
	assert_drop(found(x, STRANGER, 1900, 5000, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	assert_drop(found(x, OFFICE, 40000, 5000, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	/* Asked again from there, in the same conversation. */
	assert_action(seek(x, 5000, 1900, now), GATE_INSPECT);
	assert_action(found(x, STRANGER, 1900, 5000, now), GATE_INSPECT);
}

static void a_search_opens_no_more_than_it_says(void **state)
{
	struct fixture *x = *state;
	uint64_t now = SEC;

	/* What its own line denies it stays denied. */
	assert_action(seek(x, 5000, 1900, now), GATE_INSPECT);
	assert_drop(found(x, CENTRAL, 4000, 5000, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	/* The port of a service would be open all the time. */
	assert_action(seek(x, 5353, 5353, now), GATE_INSPECT);
	assert_drop(found(x, STRANGER, 5353, 5353, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	/* What is not allowed is not answered. */
	assert_drop(seek(x, 6000, 3702, now), REASON_POLICY_NOT_ALLOWED);
	assert_drop(found(x, STRANGER, 3702, 6000, now), REASON_POLICY_INBOUND_NOT_ALLOWED);
	/* A neighbour answers by no such line, nor one who takes another's address. */
	assert_drop(judge(x->floor, WARD, now,
			  (struct shot){.mac = 0x101,
					.to_mac = 0x105,
					.src = M1,
					.dst = SEEKER,
					.proto = PROTO_UDP,
					.sport = 1900,
					.dport = 5000}),
		    REASON_POLICY_DEVICE_TO_DEVICE);
	assert_drop(found(x, M1, 1900, 5000, now), REASON_BINDING_IP_MOVED);
}

static void who_is_searched_may_answer(void **state)
{
	struct fixture *x = *state;
	struct shot ask = {.mac = 7,
			   .to_mac = 0xffff,
			   .src = OFFICE,
			   .dst = GROUP,
			   .proto = PROTO_UDP,
			   .sport = 6000,
			   .dport = 3702};
	struct shot answer = {.mac = 0x105,
			      .to_mac = 7,
			      .src = SEEKER,
			      .dst = OFFICE,
			      .proto = PROTO_UDP,
			      .sport = 42000,
			      .dport = 6000};

	assert_drop(judge(x->floor, WARD, SEC, answer), REASON_POLICY_NOT_ALLOWED);
	ask.to_mac = 0x1ff; /* its group's, by the address alone */
	assert_action(judge(x->floor, HOSPITAL, SEC, ask), GATE_INSPECT);
	assert_action(judge(x->floor, WARD, SEC, answer), GATE_INSPECT);
	assert_drop(judge(x->floor, WARD, SEC + FLOOR_SEARCH_NS + 1, answer),
		    REASON_POLICY_NOT_ALLOWED);
	/* Another device does not accept such searches. */
	answer.mac = 0x101;
	answer.src = M1;
	assert_drop(judge(x->floor, WARD, SEC, answer), REASON_POLICY_NOT_ALLOWED);
}

/* From `mac` at `src`: central-1's datagram to m1's port 4000 found nobody there. */
static struct gate_verdict unreachable(struct fixture *x, uint16_t mac, const uint8_t *src)
{
	uint8_t b[20 + 8 + 28] = {0x45, 0, 0, 56, 0, 1, 0, 0, 64, 1};

	memcpy(b + 12, src, 4);
	memcpy(b + 16, CENTRAL, 4);
	b[20] = 3;
	b[21] = 3;
	memcpy(b + 28, "\x45\0\0\x1c\0\1\0\0\x40\x11\0\0", 12);
	memcpy(b + 40, CENTRAL, 4);
	memcpy(b + 44, M1, 4);
	memcpy(b + 48, "\x5e\x29\x0f\xa0\0\x08\0\0", 8);
	return judge(x->floor, WARD, SEC,
		     (struct shot){.mac = mac, .to_mac = 5, .body = b, .body_len = sizeof(b)});
}

/* A neighbour who tells the station that a monitor is gone would part the two. */
static void an_error_is_said_by_whom_it_concerns(void **state)
{
	struct fixture *x = *state;

	assert_action(judge(x->floor, WARD, SEC, UDP_VITALS(0x101, M1)), GATE_INSPECT);
	assert_action(unreachable(x, 0x101, M1), GATE_INSPECT);
	assert_drop(unreachable(x, 0x102, M2), REASON_POLICY_NOT_ALLOWED);
}

static void dhcp_comes_from_its_server(void **state)
{
	struct fixture *x = *state;
	struct shot ask = {.mac = 0x103,
			   .to_mac = 0xffff,
			   .src = IP(0, 0, 0, 0),
			   .dst = IP(255, 255, 255, 255),
			   .proto = PROTO_UDP,
			   .sport = 68,
			   .dport = 67};
	struct shot offer = {.mac = 9,
			     .to_mac = 0x103,
			     .src = IP(10, 1, 0, 9),
			     .dst = ROAMS,
			     .proto = PROTO_UDP,
			     .sport = 67,
			     .dport = 68};

	assert_action(judge(x->floor, WARD, SEC, ask), GATE_INSPECT);
	assert_action(judge(x->floor, HOSPITAL, SEC, offer), GATE_INSPECT);
	offer.src = STRANGER;
	assert_drop(judge(x->floor, HOSPITAL, SEC, offer), REASON_DHCP_ROGUE_SERVER);
	offer.mac = 0x101;
	offer.src = M1;
	assert_drop(judge(x->floor, WARD, SEC, offer), REASON_DHCP_ROGUE_SERVER);
}

static void fragments_follow_their_first(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);
	struct gate_verdict v;

	s.fragment = 0x0010; /* unheard of: somebody has to reassemble */
	v = judge(x->floor, WARD, SEC, s);
	assert_action(v, GATE_INSPECT);
	assert_true(v.flags & GATE_VERDICT_FRAGMENT);
	s.fragment = 0x2000;
	assert_action(judge(x->floor, WARD, SEC, s), GATE_INSPECT);
	s.fragment = 0x0010;
	v = judge(x->floor, WARD, SEC, s);
	assert_action(v, GATE_INSPECT);
	assert_false(v.flags & GATE_VERDICT_FRAGMENT);
	s.proto = PROTO_TCP;
	s.fragment = 1; /* lies over the header that was judged */
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_FLOOR_FRAGMENT);
}

static void broken_packets_go_nowhere(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);
	struct bytes frame = make(&s);
	uint8_t *ip = (uint8_t *)frame.data + 14;

	ip[3] = 200; /* longer than it is */
	assert_drop(judge_bytes(x->floor, frame, WARD, SEC), REASON_FLOOR_MALFORMED);
	free((void *)frame.data);
	s.src = CENTRAL; /* from and to the same */
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_FLOOR_MALFORMED);
	s.src = IP(224, 0, 0, 5);
	assert_drop(judge(x->floor, WARD, SEC, s), REASON_FLOOR_MALFORMED);
}

/* The shot's verdict with eight bytes of IPv4 options. */
static struct gate_verdict with_options(struct fixture *x, struct shot s, const char options[8])
{
	struct bytes plain = make(&s);
	uint8_t *f = malloc(plain.len + 8);
	struct gate_verdict v;

	memcpy(f, plain.data, 34);
	memcpy(f + 34, options, 8);
	memcpy(f + 42, plain.data + 34, plain.len - 34);
	f[14] = 0x47;
	f[17] += 8;
	v = judge_bytes(x->floor, (struct bytes){f, plain.len + 8}, WARD, SEC);
	free((void *)plain.data);
	free(f);
	return v;
}

static void detours_go_nowhere(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);

	assert_drop(with_options(x, s, "\1\x83\7\4\12\1\1\1"), REASON_FLOOR_MALFORMED);
	assert_drop(with_options(x, s, "\x89\7\4\12\1\1\1\0"), REASON_FLOOR_MALFORMED);
	assert_drop(with_options(x, s, "\x94\4\0\0\1\1\x83\3"), REASON_FLOOR_MALFORMED);
	assert_action(with_options(x, s, "\7\7\4\x83\x83\x83\x83\0"), GATE_INSPECT); /* record */
	assert_action(with_options(x, s, "\0\x83\7\4\12\1\1\1"), GATE_INSPECT); /* behind the end */
	assert_action(with_options(x, s, "\x94\0\x83\7\4\12\1\1"), GATE_INSPECT); /* unreadable */
	s.fragment = 0x0010; /* which carries it too */
	assert_drop(with_options(x, s, "\1\x83\7\4\12\1\1\1"), REASON_FLOOR_MALFORMED);
}

static void other_protocols_have_no_business(void **state)
{
	struct fixture *x = *state;
	struct shot s = {.mac = 0x101, .to_mac = 5, .ethertype = 0x8137, .body = M1, .body_len = 4};

	assert_drop(judge(x->floor, WARD, SEC, s), REASON_POLICY_PROTOCOL);
	s.ethertype = 0x88cc; /* LLDP */
	assert_action(judge(x->floor, WARD, SEC, s), GATE_INSPECT);
}

static struct gate_flow_key key_of(struct shot s)
{
	struct gate_flow_key key = {0};
	struct bytes frame = make(&s);
	struct packet p;

	packet_decode(frame, LINK_ETHERNET, 0, (uint32_t)frame.len, &p);
	gate_flow_key_make(&key, 0, 0, p.proto, &p.src_ip, p.src_port, &p.dst_ip, p.dst_port);
	free((void *)frame.data);
	return key;
}

/*
 * A conversation that a guard has marked, as the kernel's gate_say does it. Generation 0: the next
 * packet is judged by policy before the mark counts.
 */
static void mark(struct floor *f, const struct gate_flow_key *key, uint8_t flags, uint64_t now_ns,
		 uint64_t for_ns)
{
	struct gate_flow fresh = {.device = key->segment,
				  .peer = GATE_PEER_NONE,
				  .rule = ~0u,
				  .action = GATE_INSPECT};
	struct gate_flow *flow = floor_flow(&f->tables, key);

	if (!flow)
		flow = cache_add(&f->flows, flow_hash(&f->flows, key), key, sizeof(*key), &fresh,
				 sizeof(fresh));
	flow->flags |= flags;
	flow->until_ns = now_ns + for_ns;
	/* A block counts as seen until it ends, so that newer conversations do not push it out. */
	flow->seen_ns = flags & GATE_FLOW_BLOCKED ? now_ns + for_ns : now_ns;
}

static void a_guards_word_counts_for_its_time(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);
	struct gate_flow_key key = key_of(s);

	assert_action(judge(x->floor, WARD, SEC, s), GATE_INSPECT);
	mark(x->floor, &key, GATE_FLOW_BYPASSED, SEC, 5 * SEC);
	assert_action(judge(x->floor, WARD, 2 * SEC, s), GATE_PASS);
	assert_action(judge(x->floor, WARD, 7 * SEC, s), GATE_INSPECT);
	mark(x->floor, &key, GATE_FLOW_BLOCKED, 7 * SEC, 10 * SEC);
	assert_drop(judge(x->floor, WARD, 8 * SEC, s), REASON_POLICY_FLOW_BLOCKED);
	/* A crowd of new conversations does not push the mark out. */
	for (unsigned i = 0; i < 1000; i++) {
		struct shot other = UDP_VITALS(0x102, M2);

		other.sport = (uint16_t)(5000 + i);
		assert_action(judge(x->floor, WARD, 9 * SEC, other), GATE_INSPECT);
	}
	assert_drop(judge(x->floor, WARD, 10 * SEC, s), REASON_POLICY_FLOW_BLOCKED);
	assert_action(judge(x->floor, WARD, 18 * SEC, s), GATE_INSPECT);
}

/* Of one that needs no more inspection the guard still sees how it ends, or begins anew. */
static void a_bypass_does_not_hide_the_end(void **state)
{
	static const uint8_t seen[] = {TCP_FIN | TCP_ACK, TCP_RST, TCP_SYN | TCP_ACK};
	struct fixture *x = *state;
	struct shot s = {.mac = 5,
			 .to_mac = 0x101,
			 .src = CENTRAL,
			 .dst = M1,
			 .proto = PROTO_TCP,
			 .sport = 2575,
			 .dport = 4001,
			 .tcp_flags = TCP_ACK};
	struct gate_flow_key key = key_of(s);

	assert_action(judge(x->floor, HOSPITAL, SEC, s), GATE_INSPECT);
	mark(x->floor, &key, GATE_FLOW_BYPASSED, SEC, 60 * SEC);
	assert_action(judge(x->floor, HOSPITAL, 2 * SEC, s), GATE_PASS);
	for (unsigned i = 0; i < sizeof(seen); i++) {
		s.tcp_flags = seen[i];
		assert_action(judge(x->floor, HOSPITAL, 2 * SEC, s), GATE_INSPECT);
	}
}

/* What a blocked conversation's ends were told ended it; a new one begins with a SYN. */
static void a_blocked_conversation_may_begin_anew(void **state)
{
	struct fixture *x = *state;
	struct shot s = {.mac = 5,
			 .to_mac = 0x101,
			 .src = CENTRAL,
			 .dst = M1,
			 .proto = PROTO_TCP,
			 .sport = 2575,
			 .dport = 4001,
			 .tcp_flags = TCP_ACK};
	struct gate_flow_key key = key_of(s);

	assert_action(judge(x->floor, HOSPITAL, SEC, s), GATE_INSPECT);
	mark(x->floor, &key, GATE_FLOW_BLOCKED, SEC, 60 * SEC);
	assert_drop(judge(x->floor, HOSPITAL, 2 * SEC, s), REASON_POLICY_FLOW_BLOCKED);
	s.tcp_flags = TCP_SYN | TCP_ACK;
	assert_drop(judge(x->floor, HOSPITAL, 2 * SEC, s), REASON_POLICY_FLOW_BLOCKED);
	s.tcp_flags = TCP_SYN | TCP_RST;
	assert_drop(judge(x->floor, HOSPITAL, 2 * SEC, s), REASON_POLICY_FLOW_BLOCKED);
	s.tcp_flags = TCP_SYN; /* it is judged by the policy, which does not let the server begin */
	assert_drop(judge(x->floor, HOSPITAL, 3 * SEC, s), REASON_POLICY_INBOUND_NOT_ALLOWED);
	s = (struct shot){.mac = 0x101,
			  .to_mac = 5,
			  .src = M1,
			  .dst = CENTRAL,
			  .proto = PROTO_TCP,
			  .sport = 4001,
			  .dport = 2575,
			  .tcp_flags = TCP_SYN};
	mark(x->floor, &key, GATE_FLOW_BLOCKED, 3 * SEC, 60 * SEC);
	assert_action(judge(x->floor, WARD, 4 * SEC, s), GATE_INSPECT);
}

static void the_table_stays_within_its_bound(void **state)
{
	struct fixture *x = *state;
	uint32_t places = x->floor->flows.buckets * CACHE_WAYS;

	for (unsigned i = 0; i < 60000; i++) {
		struct shot s = UDP_VITALS(0x101, M1);

		s.sport = (uint16_t)(1024 + i);
		assert_action(judge(x->floor, WARD, SEC + i, s), GATE_INSPECT);
	}
	assert_true(x->floor->flows.count <= places);
	assert_true(x->floor->flows.evicted >= 60000 - places);
}

static void a_new_policy_judges_anew(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);
	struct policy *p = site_policy(
		"segments:\n  - {name: icu, ward: w0, hospital: h0}\n"
		"hosts:\n  - {name: central-1, ip: [10.1.0.5], role: [central]}\n"
		"devices:\n  - name: m1\n    segment: icu\n    mac: '02:00:00:00:01:01'\n"
		"    ip: [10.1.1.1]\n    starts:\n"
		"      - {service: other, proto: tcp, port: [1], peer: central}\n",
		NULL, 0, 2);
	struct gate_verdict v;

	assert_action(judge(x->floor, WARD, SEC, s), GATE_INSPECT);
	assert_int_equal(floor_set_policy(x->floor, p), 0);
	v = judge(x->floor, WARD, SEC, s);
	assert_drop(v, REASON_POLICY_NOT_ALLOWED);
	assert_int_equal(v.generation, 2);
	policy_free(x->policy);
	x->policy = p;
}

static void an_unknown_port_is_nobodys(void **state)
{
	struct fixture *x = *state;
	struct gate_verdict v = judge(x->floor, 77, SEC, UDP_VITALS(0x101, M1));

	assert_int_equal(v.action, GATE_DROP);
	assert_int_equal(v.reason, REASON_NONE);
}

/* A raw IP capture has no hardware addresses; who is known by IP is believed. */
static void a_file_without_macs_is_judged_by_address(void **state)
{
	struct fixture *x = *state;
	struct shot s = UDP_VITALS(0x101, M1);
	struct bytes frame = make(&s);
	struct bytes ip = unit_exact(frame.data + 14, frame.len - 14);
	struct gate_verdict v;
	struct packet p;

	packet_decode(ip, LINK_RAW, SEC, (uint32_t)ip.len, &p);
	floor_judge(x->floor, &p, WARD, SEC, &v);
	assert_action(v, GATE_INSPECT);
	free((void *)frame.data);
	free((void *)ip.data);
}

/* What the kernel would make of the same bytes: its own parser before the same decision. */
static struct gate_verdict judge_as_kernel(struct floor *f, struct bytes frame, uint32_t port,
					   uint64_t now)
{
	const struct policy_port_row *row = index_find(&f->tables.ports, &f->tables.secret, &port);
	struct floor_work w = {.ifindex = port,
			       .generation = f->tables.generation,
			       .now_ns = now,
			       .port = row->port};
	__u16 l3, l4;

	parse_frame(NULL, &w.packet, frame.data, frame.data + frame.len, &l3, &l4);
	floor_decide(&f->tables, &w);
	return w.verdict;
}

/*
 * Two parsers, one verdict: a few honest frames, then bytes changed at random.
 * Not compared: what the guard's decoder reads beyond the kernel's (802.2 SNAP,
 * 0x9100 tags), which the kernel refuses as no IP.
 */
static void kernel_and_guard_agree(void **state)
{
	struct policy *p = site_policy(site, NULL, 0, 1);
	/* Large enough that neither has to forget. */
	struct floor *guard = floor_new(p, 200000), *twin = floor_new(p, 200000);
	struct shot seeds[] = {
		UDP_VITALS(0x101, M1),
		UDP_VITALS(0x104, TRIAL),
		{.mac = 0x101,
		 .to_mac = 5,
		 .src = M1,
		 .dst = CENTRAL,
		 .proto = PROTO_TCP,
		 .sport = 1,
		 .dport = 2575,
		 .tcp_flags = TCP_SYN},
		{.mac = 0x101,
		 .to_mac = 5,
		 .src = M1,
		 .dst = CENTRAL,
		 .proto = PROTO_ICMP,
		 .icmp_type = 8},
		{.mac = 5,
		 .to_mac = 0x101,
		 .src = OFFICE,
		 .dst = M1,
		 .proto = PROTO_TCP,
		 .sport = 7,
		 .dport = 443,
		 .tcp_flags = TCP_SYN},
	};
	uint32_t seed = 1;
	unsigned compared = 0;

	for (unsigned n = 0; n < 100000; n++) {
		struct bytes frame = make(&seeds[n % 5]);
		uint8_t *b = (uint8_t *)frame.data;
		uint32_t port = n % 5 == 4 ? HOSPITAL : WARD;
		struct gate_verdict a, k;
		unsigned changes = n < 5 ? 0 : 1 + n % 3;
		uint16_t type;

		while (changes--) {
			seed = seed * 1664525 + 1013904223;
			b[(seed >> 8) % frame.len] = (uint8_t)(seed >> 24);
		}
		type = (uint16_t)(b[12] << 8 | b[13]);
		if (type >= 0x600 && type != 0x9100) {
			a = judge_bytes(guard, frame, port, SEC + n);
			k = judge_as_kernel(twin, frame, port, SEC + n);
			if (a.action != k.action || a.reason != k.reason || a.flags != k.flags ||
			    a.device != k.device || a.peer != k.peer || a.rule != k.rule) {
				for (size_t i = 0; i < frame.len; i++)
					print_message("%02x%s", b[i],
						      i == 13 || i == 33 ? " " : "");
				print_message("\nguard %u %s %x, kernel %u %s %x\n", a.action,
					      reason_name(a.reason), a.flags, k.action,
					      reason_name(k.reason), k.flags);
				fail();
			}
			compared++;
		}
		free(b);
	}
	assert_true(compared > 75000);
	floor_free(guard);
	floor_free(twin);
	policy_free(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_allowed_conversation_goes_both_ways),
		T(tcp_is_picked_up_midway_in_both_directions),
		T(rules_say_no_for_the_right_reason),
		T(the_rule_says_pass),
		T(senders_are_who_they_say),
		T(an_address_in_use_is_nobody_elses),
		T(simulation_lets_through_what_it_would_block),
		T(arp_speaks_only_for_its_sender),
		T(nd_speaks_only_for_its_sender),
		T(a_device_sends_nobody_elsewhere),
		T(who_searches_is_answered),
		T(a_search_opens_no_more_than_it_says),
		T(who_is_searched_may_answer),
		T(an_error_is_said_by_whom_it_concerns),
		T(dhcp_comes_from_its_server),
		T(fragments_follow_their_first),
		T(broken_packets_go_nowhere),
		T(detours_go_nowhere),
		T(other_protocols_have_no_business),
		T(a_guards_word_counts_for_its_time),
		T(a_bypass_does_not_hide_the_end),
		T(a_blocked_conversation_may_begin_anew),
		T(the_table_stays_within_its_bound),
		T(a_new_policy_judges_anew),
		T(an_unknown_port_is_nobodys),
		T(a_file_without_macs_is_judged_by_address),
		T(kernel_and_guard_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
