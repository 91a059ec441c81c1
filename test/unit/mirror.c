#include "frames.h"

#include "guard/mirror.h"

#define AT 1700000000000000000ull

struct seen {
	uint64_t at_ns;
	uint16_t id;
	uint8_t proto, sender;
	const char *said;
};

/* A datagram, or a segment, whose header is all zeros. */
static bool is_copy(struct mirror *m, const struct seen *s)
{
	uint8_t body[64] = {0, 1, 0, 2};
	struct frame_ip ip = {.src = 0x0a000001, .dst = 0x0a000002, .proto = s->proto};
	size_t head = s->proto == PROTO_TCP ? 20 : 8, len = head + strlen(s->said);
	struct packet p;
	struct bytes f;
	bool copy;

	ip.id = s->id;
	if (s->proto == PROTO_TCP)
		body[12] = 0x50;
	else
		body[5] = (uint8_t)len;
	memcpy(body + head, s->said, strlen(s->said));
	f = frame_ipv4(&ip, body, len);
	((uint8_t *)(uintptr_t)f.data)[11] = s->sender;
	assert_true(packet_decode(f, LINK_ETHERNET, s->at_ns, (uint32_t)f.len, &p));
	assert_true(p.has_ports);
	copy = mirror_is_copy(m, &p);
	free((void *)(uintptr_t)f.data);
	return copy;
}

static void a_mirrors_copy_is_known(void **state)
{
	const struct seen first = {AT, 7, PROTO_UDP, 1, "reading"};
	struct seen again = first;
	struct mirror *m = mirror_new();

	assert_non_null(m);
	again.at_ns += 3000;
	assert_false(is_copy(m, &first));
	assert_true(is_copy(m, &again));
	/* There are two mirrors: what comes on and on was sent so. */
	for (unsigned i = 0; i < 100; i++) {
		again.at_ns += MIRROR_NS / 2;
		assert_false(is_copy(m, &again));
	}
	again.at_ns += MIRROR_NS + 1;
	assert_false(is_copy(m, &again));
	assert_true(is_copy(m, &again));
	mirror_free(m);
}

static void who_says_it_again_is_heard(void **state)
{
	const struct seen first = {AT, 7, PROTO_UDP, 1, "reading"};
	struct seen late = first, sent = first, other = first, between = first;
	struct mirror *m = mirror_new();

	assert_non_null(m);
	late.at_ns += MIRROR_NS + 1;
	sent.id++;
	other.said = "READING";
	between.sender = 9;
	assert_false(is_copy(m, &first));
	assert_false(is_copy(m, &other));
	assert_false(is_copy(m, &between));
	assert_false(is_copy(m, &sent));
	assert_false(is_copy(m, &late));
	mirror_free(m);
}

/* The same datagram at one side of a machine and at the other, a hop on. */
static bool is_known_behind(const uint8_t came_to, const uint8_t went_from, unsigned ttl,
			    uint16_t vlan)
{
	static const uint8_t body[12] = {0, 1, 0, 2, 0, 12};
	struct frame_ip ip = {.src = 0x0a000001, .dst = 0x0a000102, .proto = PROTO_UDP};
	struct bytes before = frame_ipv4(&ip, body, sizeof(body)), after;
	struct mirror *m = mirror_new();
	struct packet p, q;
	bool copy;

	assert_non_null(m);
	ip.ttl = (uint8_t)ttl;
	after = frame_ipv4(&ip, body, sizeof(body));
	((uint8_t *)(uintptr_t)before.data)[5] = came_to;
	((uint8_t *)(uintptr_t)after.data)[11] = went_from;
	packet_decode(before, LINK_ETHERNET, AT, (uint32_t)before.len, &p);
	packet_decode(after, LINK_ETHERNET, AT + 1000, (uint32_t)after.len, &q);
	q.vlan_count = vlan != 0;
	q.vlan[0] = vlan;
	assert_false(mirror_is_copy(m, &p));
	copy = mirror_is_copy(m, &q);
	/* Whichever port is the later one. */
	mirror_free(m);
	m = mirror_new();
	assert_non_null(m);
	assert_false(mirror_is_copy(m, &q));
	assert_int_equal(mirror_is_copy(m, &p), copy);
	mirror_free(m);
	free((void *)(uintptr_t)before.data);
	free((void *)(uintptr_t)after.data);
	return copy;
}

static void a_router_is_known_and_who_stands_in_the_path_is_not(void **state)
{
	assert_true(is_known_behind(7, 8, 63, 0));
	assert_true(is_known_behind(7, 7, 63, 20)); /* by one card, into another network */
	assert_false(is_known_behind(7, 7, 63, 0));
	assert_false(is_known_behind(7, 8, 64, 0));
	assert_false(is_known_behind(7, 8, 62, 0));
	assert_false(is_known_behind(2, 8, 63, 0)); /* it goes to whom it went */
}

/* What another segment says in the same place is for the stream to see. */
static void a_stream_knows_by_itself(void **state)
{
	const struct seen s = {AT, 7, PROTO_TCP, 1, "reading"};
	struct mirror *m = mirror_new();

	assert_non_null(m);
	assert_false(is_copy(m, &s));
	assert_false(is_copy(m, &s));
	mirror_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mirrors_copy_is_known),
		cmocka_unit_test(who_says_it_again_is_heard),
		cmocka_unit_test(a_router_is_known_and_who_stands_in_the_path_is_not),
		cmocka_unit_test(a_stream_knows_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
