/*
 * A stranger that searches loses, for a while, what strangers may do; whom the policy knows loses nothing,
 * whatever it does, nor does anybody where the segment only watches.
 */
#include "session_kit.h"

#include "guard/behaviour.h"

#define STRANGER 0x0a090142 /* 10.9.1.66 */
#define NOWHERE	 0x0a090200 /* 10.9.2.0 */
#define WATCHED	 ", unknown_devices: observe"

/* Who sends, by the last bytes of its hardware address. */
struct sender {
	unsigned end; /* 0: on the ward's side */
	uint32_t ip;
	uint8_t mac;
};

static const struct sender stranger = {0, STRANGER, 0x66}, device = {0, DEVICE, 1},
			   server = {1, SERVER, 5};

/* True where it passed. */
static bool put(struct wire *w, const struct sender *m, uint32_t to, uint8_t proto,
		const struct writer *body)
{
	struct frame_ip ip = {.src = m->ip, .dst = to, .proto = proto};
	struct frame f = {.time_ns = w->now_ns += 1000000, .ifindex = m->end + 1};

	free(w->frame);
	f.data = frame_ipv4(&ip, body->data, body->len);
	w->frame = (uint8_t *)(uintptr_t)f.data.data;
	w->frame[11] = m->mac;
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &w->capture, &f, 1);
	return w->passed;
}

static bool ask(struct wire *w, const struct sender *m, uint32_t to, uint16_t from, uint16_t port,
		struct bytes said)
{
	uint8_t body[512];
	struct writer out = writer_new(body, sizeof(body));

	write_be16(&out, from);
	write_be16(&out, port);
	write_be16(&out, (uint16_t)(8 + said.len));
	write_be16(&out, 0);
	write_bytes(&out, said.data, said.len);
	assert_false(out.bad);
	return put(w, m, to, PROTO_UDP, &out);
}

/* The same port of machines that do not answer, one after the other. */
static void search(struct wire *w, const struct sender *m, uint32_t where)
{
	for (uint32_t i = 1; i <= 2 * BEHAVIOUR_HOSTS; i++) {
		uint8_t body[20];
		struct writer out = writer_new(body, sizeof(body));

		write_be16(&out, 50000);
		write_be16(&out, 445);
		write_be32(&out, i);
		write_be32(&out, 0);
		write_be16(&out, 0x5000 + TCP_SYN);
		write_be16(&out, 60000);
		write_be32(&out, 0);
		assert_false(out.bad);
		(void)put(w, m, where + i, PROTO_TCP, &out);
	}
	assert_true(told(w, "scan.hosts"));
}

/* A request for the address it has (RFC 2131 §4.3.2). */
static bool renew(struct wire *w, const struct sender *m)
{
	uint8_t said[244] = {1, 1, 6, [28] = 2, [33] = 1};

	memcpy(said + 236, "\x63\x82\x53\x63\x35\x01\x03\xff", 8);
	return ask(w, m, 0xffffffff, 68, 67, (struct bytes){said, sizeof(said)});
}

static void only_a_stranger_that_searches_is_held(void **state)
{
	static const struct {
		const char *mode;
		const struct sender *who;
		uint32_t searched, then;
		bool held;
	} cases[] = {
		{"enforce" WATCHED, &stranger, NOWHERE, SERVER, true},
		{"observe" WATCHED, &stranger, NOWHERE, SERVER, false},
		{"enforce" WATCHED, &server, STRANGER, STRANGER, false},
	};
	static const struct bytes hello = {(const uint8_t *)"?", 1};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new(cases[i].mode, "closed", HL7);

		assert_true(ask(w, cases[i].who, cases[i].then, 40000, 9999, hello));
		search(w, cases[i].who, cases[i].searched);
		assert_int_equal(ask(w, cases[i].who, cases[i].then, 40001, 9999, hello),
				 !cases[i].held);
		wire_free(w);
	}
}

/* What it tries in vain is refused; what every machine must do, and what its rules allow, is not. */
static void a_device_keeps_what_it_may_do(void **state)
{
	struct wire *w = wire_new("enforce" WATCHED, "closed", HL7);

	search(w, &device, NOWHERE);
	assert_true(renew(w, &device));
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU REST));
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_stranger_that_searches_is_held),
		cmocka_unit_test(a_device_keeps_what_it_may_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
