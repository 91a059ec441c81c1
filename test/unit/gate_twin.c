/*
 * The same thousands of random packets through both compilations of the decision: for the kernel,
 * and for user space.
 */
#include "gate_kit.h"

#include "guard/decode/packet.h"
#include "guard/policy/floor.h"

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

#define PERSONS 6
#define DOORS	10

/* For the server, which rules let in already here and there, to services that they do not; of the
 * doors, persons' and for data under rules, `count`. */
static void open_doors(struct floor *f, uint32_t count)
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
	rows[9].grant.port_hi = rows[9].key.other = 0x9c41;
	for (unsigned i = PERSONS; i < DOORS; i++)
		rows[i].grant.id = GATE_GRANT_RULE | i;
	floor_set_grants(f, rows, count);
	assert_int_equal(gate_set_grants(gate, rows, count), 0);
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

static struct floor *twin; /* remembers what the kernel remembers */

static void compare_compilations(uint32_t generation)
{
	struct floor *f = twin;
	uint8_t buf[256];
	unsigned seen[REASON_COUNT] = {0}, reasons = 0, granted = 0, sealed = 0, ruled = 0;

	need_kernel();
	if (!f)
		f = twin = floor_new(policy, 65536);
	assert_non_null(f);
	renew(generation); /* of their own, so that both begin without conversations */
	assert_int_equal(floor_set_policy(f, policy), 0);
	open_doors(f, DOORS);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t port = any(2) ? ward : hospital;
		size_t len = any(4) ? random_frame(buf, sizeof(buf)) : door_frame(buf, &port);
		struct bytes frame = unit_exact(buf, len);
		struct gate_verdict k, u = {0};
		struct packet p;

		if (i % 4000 == 2000)
			open_doors(f, i % 8000 == 2000 ? PERSONS : DOORS);
		packet_decode(frame, LINK_ETHERNET, clock_wall_ns(), (uint32_t)frame.len, &p);
		floor_set_boot(f, clock_boot_ns());
		floor_judge(f, &p, port, clock_mono_ns(), &u);
		run(frame, port, &k);
		/* The kernel goes on where nobody inspects; the decision is what is compared. */
		if (k.reason == REASON_FLOOR_NO_GUARD || k.reason == REASON_SEAL_DOWN ||
		    k.flags & GATE_VERDICT_FRAGMENT)
			k.reason = u.reason;
		granted += u.grant != 0;
		ruled += (u.grant & GATE_GRANT_RULE) != 0;
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
	assert_true(granted >= 200 && ruled >= 100);
	assert_true(seen[REASON_POLICY_DATA_ENDED] > 0);
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
	renew(11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_compilations_agree),
		cmocka_unit_test(both_compilations_agree_on_what_is_sealed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
