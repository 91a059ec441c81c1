/*
 * The policy changes amid what is said: what a rule forbids from then on does not arrive whole, and what it
 * allows goes on.
 */
#include "session_kit.h"

#define PORT 2575
#define FREE ""
#define HELD ", app: hl7, allow: ['message_type=ORU^*'], control: no"

/* Policies that a wire had, each in its turn; the first is its own. */
struct change {
	struct wire *w;
	struct config *config[8];
	struct policy *policy[8];
	unsigned count;
	const char *above; /* a device in front of ours; NULL: there is none */
};

static void take_policy(struct change *c, const char *mode, const char *fail, const char *more)
{
	static const char above[] = SITE_ANALYSER, devices[] = "devices:\n";
	const char *at = strstr(above, devices) + sizeof(devices) - 1;
	struct config_error errors[4];
	char text[2048], format[1024], why[256];
	size_t count;
	int len;

	snprintf(format, sizeof(format), "%.*s%s%s", (int)(at - above), above,
		 c->above ? c->above : "", at);
	len = snprintf(text, sizeof(text), format, mode, fail);
	len += snprintf(text + len, sizeof(text) - (size_t)len,
			"      - {service: results, proto: tcp, port: ['2575', '7000-7999'], "
			"peer: lis%s}\n",
			more);
	c->config[c->count] = config_parse(
		"site.yaml", (struct bytes){(uint8_t *)text, (size_t)len}, errors, 4, &count);
	assert_non_null(c->config[c->count]);
	c->policy[c->count] = policy_compile(c->config[c->count], NULL, 0, 2 + c->count, why);
	assert_non_null(c->policy[c->count]);
	assert_int_equal(engine_set_policy(c->w->engine, c->policy[c->count]), 0);
	c->count++;
}

static struct change begin(const char *mode, const char *fail, const char *rule)
{
	struct change c = {.w = wire_new(mode, fail, PORT)};

	take_policy(&c, mode, fail, rule);
	shake_hands(c.w);
	return c;
}

static void end(struct change *c)
{
	wire_free(c->w);
	for (unsigned i = 0; i < c->count; i++) {
		policy_free(c->policy[i]);
		config_free(c->config[i]);
	}
}

/* Of what an end has said so far, the other one says that it has it. */
static void confirm(struct change *c, uint32_t ack)
{
	assert_true(send_flags(c->w, 1, 5000, ack, TCP_ACK, ""));
}

/* Before it nobody cared what was said; or somebody did who only watched. */
static const struct {
	const char *mode, *rule;
} before[] = {{"enforce", FREE}, {"observe", HELD}, {"observe", FREE}, {"simulate", HELD}};
#define BEFORE (sizeof(before) / sizeof(before[0]))

static void a_message_half_across_does_not_arrive(void **state)
{
	for (unsigned i = 0; i < 2 * BEFORE; i++) {
		const char *fail = i & 1 ? "open" : "closed";
		struct change c = begin(before[i / 2].mode, fail, before[i / 2].rule);
		uint32_t at = 1000 + sizeof(ORM) - 1;

		assert_true(send(c.w, 0, 1000, 5000, ORM));
		if (i & 1)
			confirm(&c, at);
		take_policy(&c, "enforce", fail, HELD);
		assert_false(send(c.w, 0, at, 5000, REST));
		assert_true(told(c.w, "policy.message_not_allowed"));
		assert_int_equal(c.w->reset_count, 2);
		end(&c);
	}
}

static void what_is_allowed_goes_on(void **state)
{
	for (unsigned i = 0; i < 2 * BEFORE; i++) {
		const char *fail = i & 1 ? "open" : "closed";
		struct change c = begin(before[i / 2].mode, fail, before[i / 2].rule);
		uint32_t at = 1000 + sizeof(ORU) - 1;

		assert_true(send(c.w, 0, 1000, 5000, ORU));
		take_policy(&c, "enforce", fail, HELD);
		assert_true(send(c.w, 0, at, 5000, REST));
		take_policy(&c, "simulate", fail, HELD);
		assert_true(send(c.w, 0, at += sizeof(REST) - 1, 5000, ORU));
		take_policy(&c, "enforce", fail, HELD);
		confirm(&c, at += sizeof(ORU) - 1);
		assert_true(send(c.w, 0, at, 5000, REST));
		assert_int_equal(c.w->asked + c.w->reset_count, 0);
		assert_false(send(c.w, 0, at + sizeof(REST) - 1, 5000, ORM REST));
		assert_true(told(c.w, "policy.message_not_allowed"));
		end(&c);
	}
}

/* From then on it cannot be said again as something else. */
static void a_second_copy_does_not_pass(void **state)
{
	for (unsigned i = 0; i < BEFORE; i++) {
		struct change c = begin(before[i].mode, "open", before[i].rule);
		uint32_t at = 1000 + sizeof(ORU REST) - 1;

		assert_true(send(c.w, 0, 1000, 5000, ORU REST));
		confirm(&c, at);
		take_policy(&c, "enforce", "open", HELD);
		assert_true(send(c.w, 0, at, 5000, ORU REST));
		assert_false(send(c.w, 0, at, 5000, ORM REST));
		assert_true(told(c.w, "stream.conflict"));
		assert_true(send(c.w, 0, at, 5000, ORU REST));

		/* nor does it count, with what it brings */
		assert_true(send(c.w, 0, at += sizeof(ORU REST) - 1, 5000, HEAD));
		assert_false(
			send(c.w, 0, at += sizeof(HEAD) - 2, 5000, "x|ORU^R02|1|P|2.5\r" REST));
		assert_false(told(c.w, "ORU^R02"));
		assert_true(send(c.w, 0, at + 1, 5000, "|ORU^R03|1|P|2.5\r" REST));
		assert_true(told(c.w, "\"message_type\":\"ORU^R03\""));
		end(&c);
	}
}

/* Nobody knew what it was, and nobody reads it any more; now somebody does care. */
static void what_was_let_be_is_read(void **state)
{
	char noise[1400 + 1];

	memset(noise, 'x', sizeof(noise) - 1);
	noise[sizeof(noise) - 1] = 0;
	for (unsigned i = 0; i < 2 * BEFORE; i++) {
		const char *fail = i & 1 ? "open" : "closed";
		struct change c = begin(before[i / 2].mode, fail, before[i / 2].rule);
		uint32_t at = 1000;

		for (unsigned n = 0; n < 3; n++, at += 1400)
			assert_true(send(c.w, 0, at, 5000, noise));
		assert_true(send(c.w, 1, 5000, at, noise));
		take_policy(&c, "enforce", fail, HELD);
		assert_false(send(c.w, 0, at, 6400, ORM REST));
		send_flags(c.w, 1, 6400, at, TCP_ACK, ""); /* asked where it stands, or cut off */
		c.w->now_ns += 200000000;
		assert_false(send(c.w, 0, at, 6400, ORM REST));
		assert_true(told(c.w, "policy.message_not_allowed"));
		end(&c);
	}
}

#define POST "POST /a HTTP/1.1\r\nHost: lis\r\nContent-Length: 99999\r\n\r\n"
/* It speaks what its rule does not name any more. */
static void another_protocol_is_refused(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct change c = begin("enforce", i ? "open" : "closed", FREE);

		assert_true(send(c.w, 0, 1000, 5000, POST));
		take_policy(&c, "enforce", i ? "open" : "closed", HELD);
		assert_false(send(c.w, 0, 1000 + sizeof(POST) - 1, 5000, ORM REST));
		assert_true(told(c.w, "policy.wrong_protocol"));
		end(&c);
	}
}

#define GET "GET /mdib HTTP/1.1\r\nHost: pump\r\n\r\n"
#define SOAP                                                                           \
	"<s:Envelope><s:Header><a:Action>urn:x/SetValue</a:Action></s:Header><s:Body>" \
	"<m:SetValue/></s:Body></s:Envelope>"
#define SET                                                                          \
	"POST /set HTTP/1.1\r\nHost: pump\r\nContent-Type: application/soap+xml\r\n" \
	"Content-Length: 111\r\n\r\n" SOAP
_Static_assert(sizeof(SOAP) - 1 == 111, "as it says");

/* What it speaks may carry what its rule names now, which is looked for from there on, amid a message too. */
static void what_it_carries_is_looked_for(void **state)
{
	static const char answer[] = "HTTP/1.1 200 Ok\r\nContent-Length: 0\r\n\r\n";
	static const char half[] = "POST /a HTTP/1.1\r\nHost: lis\r\nContent-Length: 8\r\n\r\n{'a'";
	uint32_t at = 1000 + sizeof(GET) - 1, back = 5000 + sizeof(answer) - 1;
	struct change c = begin("enforce", "closed", FREE);

	assert_true(send(c.w, 0, 1000, 5000, GET));
	assert_true(send(c.w, 1, 5000, at, answer));
	take_policy(&c, "enforce", "closed", ", app: sdc, control: no");
	assert_true(send(c.w, 0, at, back, GET));
	assert_true(told(c.w, "\"event_type\":\"sdc\""));
	assert_false(send(c.w, 0, at + sizeof(GET) - 1, back, SET));
	assert_true(told(c.w, "policy.control"));
	end(&c);

	c = begin("enforce", "closed", FREE);
	at = 1000 + sizeof(half) - 1;
	assert_true(send(c.w, 0, 1000, 5000, half));
	take_policy(&c, "enforce", "closed", ", app: sdc, control: no");
	assert_true(send(c.w, 0, at, 5000, ": 1}"));
	assert_true(send(c.w, 1, 5000, at + 4, answer));
	assert_false(send(c.w, 0, at + 4, back, SET));
	assert_true(told(c.w, "policy.control"));
	end(&c);
}

#define HELLO                              \
	"\x16\3\1\0\x41\1\0\0\x3d\3\3"     \
	"0123456789abcdef0123456789abcdef" \
	"\0\0\2\xc0\x2f\1\0\0\x12\0\0\0\xe\0\xc\0\0\x9mail.ward"
#define MORE "\x17\3\3\0\5hello"
/* What goes on in TLS suits the rule of what it began as, and no other. */
static void what_is_sealed_is_what_it_began_as(void **state)
{
	static const struct {
		const char *rule;
		bool passes;
	} rules[] = {
		{", app: smtp", true}, {", app: tls", true}, {HELD, false}, {", app: pop3", false}};

	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct change c = begin("enforce", "closed", FREE);

		assert_true(send(c.w, 1, 5000, 1000, "220 mail.ward ESMTP\r\n"));
		assert_true(send(c.w, 0, 1000, 5021, "STARTTLS\r\n"));
		assert_true(send(c.w, 1, 5021, 1010, "220 go\r\n"));
		assert_true(send_bytes(c.w, 0, 1010, 5029, TCP_ACK, HELLO, sizeof(HELLO) - 1));
		assert_true(told(c.w, "\"sni\":\"mail.ward\""));
		take_policy(&c, "enforce", "closed", rules[i].rule);
		assert_int_equal(send_bytes(c.w, 0, 1010 + sizeof(HELLO) - 1, 5029, TCP_ACK, MORE,
					    sizeof(MORE) - 1),
				 rules[i].passes);
		assert_int_equal(told(c.w, "policy.wrong_protocol"), !rules[i].passes);
		end(&c);
	}
}

/* The kernel has another policy than we: packets that it judged before it was changed, or since, amid a
 * conversation or from its first one on. */
static void whoever_judged_it(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct change c = {.w = wire_new("enforce", "open", PORT)};
		struct gate_verdict v = {.abi = GATE_ABI,
					 .ifindex = 1,
					 .rule = 0,
					 .generation = i & 1 ? 1 : 3,
					 .action = GATE_INSPECT,
					 .would = GATE_INSPECT};

		take_policy(&c, "enforce", "open", HELD);
		if (i & 2)
			c.w->kernels = &v;
		shake_hands(c.w);
		c.w->kernels = &v;
		assert_true(send(c.w, 0, 1000, 5000, ORU REST));
		assert_false(send(c.w, 0, 1000 + sizeof(ORU REST) - 1, 5000, ORM REST));
		assert_true(told(c.w, "policy.message_not_allowed"));
		c.w->kernels = NULL;
		end(&c);
	}
}

/* By what the kernel's policy says it may go on, by ours it may not: who has seen no beginning lets the
 * conversation be, but nothing that is said in it passes unread. What the kernel refuses stays refused. */
static void what_only_the_kernels_allows_says_nothing(void **state)
{
	struct change c = begin("enforce", "open", HELD);
	struct gate_verdict v = {.abi = GATE_ABI,
				 .ifindex = 1,
				 .rule = 0,
				 .generation = 1,
				 .action = GATE_INSPECT,
				 .would = GATE_INSPECT};

	c.w->kernels = &v;
	c.w->port = 9999;
	assert_true(send_flags(c.w, 0, 1000, 5000, TCP_ACK, ""));
	assert_false(send(c.w, 0, 1000, 5000, ORU REST));
	assert_false(told(c.w, "\"message_type\""));
	v.action = v.would = GATE_DROP;
	assert_false(send_flags(c.w, 0, 1000, 5000, TCP_ACK, ""));
	c.w->port = PORT;
	assert_false(send(c.w, 0, 1000, 5000, ORU REST));
	c.w->kernels = NULL;
	end(&c);
}

/* What it was amid is not forgotten for others, nor for its silence, before anybody knows what the new
 * policy makes of it. */
static void what_it_was_amid_is_not_forgotten(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct change c = begin("enforce", "closed", HELD);
		unsigned says = i / 2; /* it or its server */
		uint32_t at = (says ? 5000 : 1000) + sizeof(ORM) - 1, other = says ? 1000 : 5000;

		assert_true(send(c.w, says, at - (sizeof(ORM) - 1), other, ORM));
		assert_true(send_flags(c.w, !says, other, at, TCP_ACK, ""));
		take_policy(&c, "enforce", "closed", HELD);
		c.w->now_ns += (i & 1 ? 4000 : 50) * 1000000000ull;
		for (uint16_t n = 0; n < 200; n++) {
			c.w->port = (uint16_t)(7000 + n);
			assert_true(send_flags(c.w, 0, 1, 0, TCP_SYN, ""));
		}
		c.w->port = PORT;
		assert_false(send(c.w, says, at, other, REST));
		send_flags(c.w, !says, other, at, TCP_ACK, "");
		c.w->now_ns += 200000000;
		assert_false(send(c.w, says, at, other, REST));
		assert_true(told(c.w, "policy.message_not_allowed"));
		end(&c);
	}
}

/* Its door shuts before anything more is said: it is still its own device's, whose number is another now. */
static void a_door_is_its_devices(void **state)
{
	struct change c = begin("enforce", "closed", HELD);
	const struct gate_grant_row row = {.key = {.peer.b = {[10] = 255, 255, 10, 9, 0, 5},
						   .device_mac = {2, 0, 0, 0, 0, 1},
						   .port = 40000,
						   .proto = PROTO_TCP},
					   .grant = {.until_ns = UINT64_MAX,
						     .id = 7,
						     .port_lo = 40000,
						     .port_hi = 40000,
						     .flags = GATE_GRANT_ANY_MAC}};

	engine_set_grants(c.w->engine, &c.w->capture, &row, 1, 1);
	c.w->port = 1023;
	assert_true(send_flags(c.w, 1, 4999, 0, TCP_SYN, ""));
	assert_true(send_flags(c.w, 0, 999, 5000, TCP_SYN | TCP_ACK, ""));
	assert_true(send(c.w, 1, 5000, 1000, "hello"));
	c.above = "  - {name: other, segment: icu, mac: '02:00:00:00:00:09', ip: [10.9.1.9]}\n";
	take_policy(&c, "enforce", "closed", HELD);
	engine_set_grants(c.w->engine, &c.w->capture, NULL, 0, 2);
	assert_true(told(c.w, "grant.ended"));
	assert_true(told(c.w, "\"device\":\"analyser\""));
	assert_false(told(c.w, "\"device\":\"other\""));
	assert_int_equal(c.w->reset_count, 2);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_half_across_does_not_arrive),
		cmocka_unit_test(what_is_allowed_goes_on),
		cmocka_unit_test(a_second_copy_does_not_pass),
		cmocka_unit_test(what_was_let_be_is_read),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(what_it_carries_is_looked_for),
		cmocka_unit_test(what_is_sealed_is_what_it_began_as),
		cmocka_unit_test(whoever_judged_it),
		cmocka_unit_test(what_only_the_kernels_allows_says_nothing),
		cmocka_unit_test(what_it_was_amid_is_not_forgotten),
		cmocka_unit_test(a_door_is_its_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
