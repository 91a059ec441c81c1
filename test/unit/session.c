/* The whole way of a message: from packets on the wire to what the receiver gets. */
#include "session_kit.h"

/* An RST the end believes: its own numbers, a right checksum. */
static void assert_resets(const struct wire *w, uint32_t to_server, uint32_t to_device)
{
	static const char *const macs[] = {"\2\0\0\0\0\5\2\0\0\0\0\1", "\2\0\0\0\0\1\2\0\0\0\0\5"};
	struct packet p;

	assert_int_equal(w->reset_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct bytes data = {w->resets[i], w->reset_len[i]};
		uint8_t pseudo[32] = {0};

		assert_true(packet_decode(data, LINK_ETHERNET, 0, (uint32_t)data.len, &p));
		assert_int_equal(p.anomalies, 0);
		assert_true(p.tcp_flags & TCP_RST);
		assert_int_equal(w->reset_out[i], i ? 1 : 2); /* the ward's port, the hospital's */
		assert_int_equal(p.tcp_seq, i ? to_device : to_server);
		assert_memory_equal(data.data, macs[i], 12);
		assert_int_equal(p.dst_port, i ? 40000 : HL7);
		memcpy(pseudo, data.data + 26, 8);
		pseudo[9] = PROTO_TCP;
		pseudo[11] = 20;
		memcpy(pseudo + 12, data.data + 34, 20);
		assert_int_equal(frame_sum(pseudo, 32), 0);
	}
}

static void an_allowed_message_passes(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU));
	assert_true(send(w, 0, 1000 + sizeof(ORU) - 1, 5000, REST));
	assert_true(told(w, "\"event_type\":\"hl7\""));
	assert_true(told(w, "\"device\":\"analyser\",\"peer\":\"lis\",\"verdict\":{\"action\":"
			    "\"pass\"}"));
	assert_true(send(w, 1, 5000, 1000 + sizeof(ORU REST) - 1,
			 "\vMSH|^~\\&|||||||ACK|2\rMSA|AA|1\r\x1c\r"));
	assert_int_equal(w->reset_count, 0);
	wire_free(w);
}

/* Its last packet does not pass, both ends hear the end of it, and nothing more gets through. */
static void a_forbidden_message_never_arrives_whole(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM) - 1;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM));
	assert_true(send_flags(w, 1, 5000, at, TCP_ACK, ""));
	assert_false(send(w, 0, at, 5000, REST));
	assert_true(told(w, "\"reason\":\"policy.message_not_allowed\",\"verdict\":{\"action\":"
			    "\"drop\"},\"hl7\":{\"message_type\":\"ORM^O01\""));
	assert_true(told(w, "\"member\":\"message_type\"}"));
	assert_resets(w, at, 5000);
	assert_false(send(w, 0, at, 5000, REST));
	assert_false(send(w, 1, 5000, at, "x"));
	assert_true(told(w, "policy.flow_blocked"));
	wire_free(w);
}

/* Without a frame it may be whole at any byte, so its header is enough; what is allowed passes. */
static void a_bare_message_never_arrives_whole(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORU) - 2;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU + 1));
	assert_true(send(w, 0, at, 5000, "PID|1\rOBX|1|NM|"));
	assert_true(send(w, 0, at + 15, 5000, "a||1\r"));
	assert_true(told(w, "\"reason\":\"hl7.framing\",\"verdict\":{\"action\":\"pass\"},\"hl7\":{"
			    "\"message_type\":\"ORU^R01\""));
	assert_true(send(w, 1, 5000, at + 20, "MSH|^~\\&|||||||ACK|2\rMSA|"));
	assert_true(send(w, 1, 5000 + 25, at + 20, "AA|1\r"));
	assert_int_equal(w->reset_count, 0);
	assert_true(send(w, 0, at + 20, 5000 + 30, ORM + 1));
	assert_false(send(w, 0, at + 20 + sizeof(ORM) - 2, 5000 + 30, "ORC"));
	assert_true(told(w, "\"reason\":\"policy.message_not_allowed\",\"verdict\":{\"action\":"
			    "\"drop\"},\"hl7\":{\"message_type\":\"ORM^O01\""));
	wire_free(w);

	w = wire_new("simulate", "open", HL7);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM + 1));
	assert_true(send(w, 0, at, 5000, "ORC|"));
	assert_false(told(w, "policy.message_not_allowed"));
	assert_true(send(w, 0, at + 4, 5000, "1\r"));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);
}

/* For a guard that has not heard it: once, and again where packets still come by later on. */
static void what_is_cut_off_is_marked_for_the_kernel(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM) - 1;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM));
	assert_int_equal(w->blocked, 0);
	assert_false(send(w, 0, at, 5000, REST));
	assert_int_equal(w->blocked, 1);
	assert_int_equal(w->blocked_why, REASON_POLICY_MESSAGE);
	assert_int_equal(w->blocked_key.proto, PROTO_TCP);
	assert_int_equal(w->blocked_key.port[0] + w->blocked_key.port[1], 40000 + HL7);
	for (int i = 0; i < 10; i++)
		assert_false(send(w, 0, at, 5000, REST));
	assert_int_equal(w->blocked, 1);
	assert_int_equal(
		w->reset_more,
		1 + 10); /* its receiver may stand in two places; who goes on is told again */
	w->port = FTP;	 /* another one is cut off at once */
	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "DELE x\r\n"));
	assert_int_equal(w->blocked, 2);
	w->port = HL7;
	w->now_ns += 1000000000;
	assert_false(send(w, 0, at, 5000, REST));
	assert_int_equal(w->blocked, 3);
	wire_free(w);

	w = wire_new("simulate", "open", HL7);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM));
	assert_true(send(w, 0, at, 5000, REST));
	assert_int_equal(w->blocked, 0);
	wire_free(w);
}

/* Its packets before and after, with what became of them. */
static void a_forbidden_message_leaves_evidence(void **state)
{
	static const struct {
		const char *port;
		enum reason reason;
	} expected[] = {
		{"ward0", REASON_NONE},		  {"hospital0", REASON_NONE},
		{"ward0", REASON_NONE},		  {"ward0", REASON_NONE},
		{"ward0", REASON_POLICY_MESSAGE}, {"hospital0", REASON_POLICY_FLOW_BLOCKED},
	};
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM) - 1;
	struct evidence_record r;
	struct bytes all, frame = {NULL, 0};
	uint64_t id = 0;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM));
	assert_int_equal(evidence_waiting(w->evidence, 32768).len, 0);
	assert_false(send(w, 0, at, 5000, REST));
	assert_false(send(w, 1, 5000, at, "x"));
	all = evidence_waiting(w->evidence, 32768);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(evidence_next(&all, &r, &frame));
		assert_string_equal(r.port, expected[i].port);
		assert_int_equal(r.reason, expected[i].reason);
		assert_int_equal(r.fate, r.reason ? EVIDENCE_DROPPED : EVIDENCE_PASSED);
		assert_true(id == 0 || r.id == id);
		id = r.id;
	}
	assert_non_null(memmem(frame.data, frame.len, "x", 1));
	assert_int_equal(all.len, 0);
	wire_free(w);
}

/* Told once a conversation, and kept as often. */
static void what_is_odd_and_passes_leaves_evidence(void **state)
{
	static const uint8_t shorter[4] = {8, 1}; /* than an option is */
	struct wire *w = wire_new("observe", "open", HL7);
	struct evidence_record r;
	struct bytes all, frame;

	shake_hands(w);
	w->options = (struct bytes){shorter, sizeof(shorter)};
	assert_true(send(w, 0, 1000, 5000, ORM));
	assert_non_null(strstr(w->said, "tcp.option_invalid"));
	all = evidence_waiting(w->evidence, 32768);
	for (unsigned i = 0; i < 4; i++)
		assert_true(evidence_next(&all, &r, &frame));
	assert_int_equal(r.reason, REASON_DECODE_ANOMALY);
	assert_int_equal(r.fate, EVIDENCE_PASSED);
	assert_int_equal(all.len, 0);
	wire_free(w);
}

static void pieces_in_any_order_make_no_difference(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	/* The end arrives first: it may pass, the beginning that completes it may not. */
	assert_true(send(w, 0, 1000 + sizeof(ORM) - 1, 5000, REST));
	assert_false(send(w, 0, 1000, 5000, ORM));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

static void tiny_segments_make_no_difference(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	const char *all = ORM REST;
	bool passed = true;

	shake_hands(w);
	for (uint32_t i = 0; all[i] && passed; i++) {
		const char one[2] = {all[i], 0};

		passed = send(w, 0, 1000 + i, 5000, one);
		assert_int_equal(passed, all[i] != '\x1c');
	}
	assert_false(passed);
	wire_free(w);
}

/* An answer that brings more than one is asked like any other message. */
static void an_acknowledgement_brings_nothing_else(void **state)
{
	static const struct {
		bool passes;
		const char *said;
	} rows[] = {
		{true, HEAD "|ACK|1|P|2.5\rMSA|AA|1\rERR|x\rZZZ|1\r\x1c\r"},
		{true, HEAD "|ORA^R41^ORA_R41|1|P|2.6\rMSA|AA|1\r\x1c\r"},
		{false, HEAD "|ACK|1|P|2.5\rMSA|AA|1\r" REST},
		{false, HEAD "|ORA^R41|1|P|2.6\rMSA|AA|1\r" REST},
		{false, HEAD "|ORA^R41|1|P|2.6\r\x1c\r"},
		{false, HEAD "|ORR^O02|1|P|2.5\rMSA|AA|1\r\x1c\r"},
		{false, HEAD "|ACKX|1|P|2.5\rMSA|AA|1\r\x1c\r"},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire *w = wire_new("enforce", "open", HL7);

		shake_hands(w);
		assert_int_equal(send(w, 0, 1000, 5000, rows[i].said), rows[i].passes);
		assert_int_equal(told(w, "policy.message_not_allowed"), !rows[i].passes);
		wire_free(w);
	}
}

/* Who confirms what the other never said makes nobody blind, though the other's answers are read. */
static void a_false_confirmation_hides_nothing(void **state)
{
	const char *ask = "GET /results/1 HTTP/1.1\r\nHost: lis\r\n\r\n";
	uint32_t at = 1000 + (uint32_t)strlen(ask);
	struct wire *w = wire_new("enforce", "closed", HTTP);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask));
	assert_true(send(w, 1, 5000, at, "HTTP/1.1 204 No\r\n\r\n"));
	send(w, 0, at, 6000, "");
	assert_false(send(w, 0, at, 5019, "GET /admin HTTP/1.1\r\nHost: lis\r\n\r\n"));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);

	w = wire_new("enforce", "closed",
		     HTTP); /* what was truly missed, where it cannot be read on */
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask));
	assert_true(send(w, 1, 5100, at, "rest of an answer"));
	assert_false(send(w, 0, at, 5117, ask));
	assert_true(told(w, "stream.unverified"));
	wire_free(w);
}

/* The receiver cannot be told something else than what was read. */
static void the_second_copy_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU));
	assert_false(send(w, 0, 1000, 5000, ORM));
	assert_true(told(w, "stream.conflict"));
	assert_true(send(w, 0, 1000, 5000, ORU)); /* an honest repetition */
	assert_true(send(w, 0, 1000 + sizeof(ORU) - 1, 5000, REST));
	assert_int_equal(w->reset_count, 0);
	wire_free(w);
}

/* The device's own last packet of a message that may not arrive, whatever came before it. */
static void assert_still_read(struct wire *w, uint32_t at)
{
	w->ttl = 0;
	send(w, 0, at, 5000, ORM);
	assert_false(send(w, 0, at + sizeof(ORM) - 1, 5000, REST));
	wire_free(w);
}

/*
 * A packet that reaches the gateway and dies before the receiver: what it says is not
 * what the receiver hears next, and what it ends has not ended there.
 */
static void what_dies_on_its_way_hides_nothing(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w); /* other words first, for the gateway alone */
	w->ttl = 1;
	assert_true(send(w, 0, 1000, 5000, ORU));
	w->ttl = 64;
	assert_false(send(w, 0, 1000, 5000, ORM));
	assert_false(send(w, 0, 1000, 5000, ORM REST));
	assert_true(told(w, "stream.conflict"));
	assert_true(send(w, 0, 1000, 5000, ORU)); /* the same words again harm nobody */
	assert_true(send(w, 0, 1000 + sizeof(ORU) - 1, 5000, REST));
	wire_free(w);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w); /* an end that nobody hears */
	w->ttl = 1;
	send_flags(w, 0, 1000, 5000, TCP_RST, "");
	assert_still_read(w, 1000);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, "\r"));
	w->ttl = 1;
	send_flags(w, 0, 1001, 5000, TCP_RST | TCP_ACK, "");
	assert_still_read(w, 1001);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	w->ttl = 1;
	send_flags(w, 0, 1000, 5000, TCP_FIN | TCP_ACK, "");
	assert_still_read(w, 1000);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w); /* a beginning that nobody hears, with numbers of its own */
	w->ttl = 1;
	send_flags(w, 0, 7000, 0, TCP_SYN, "");
	assert_still_read(w, 1000);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w); /* ended and begun anew, for the gateway alone */
	w->ttl = 1;
	send_flags(w, 0, 1000, 5000, TCP_RST, "");
	send_flags(w, 0, 900000, 0, TCP_SYN, "");
	assert_still_read(w, 1000);
}

static void what_is_outside_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU));
	assert_false(send(w, 0, 1000 + 200000, 5000, "later"));
	assert_true(told(w, "stream.out_of_window"));
	wire_free(w);
}

/* Nor does one that lacks its end, where the connection's may stand for it. */
static void the_end_of_all_ends_no_message(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM "ORC|1\r") - 1;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM "ORC|1\r"));
	assert_false(send_flags(w, 0, at, 5000, TCP_FIN | TCP_ACK, ""));
	assert_true(told(w, "\"message_type\":\"ORM^O01\""));
	assert_true(told(w, "\"reason\":\"hl7.framing\",\"verdict\":{\"action\":\"drop\"}"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	assert_false(send_flags(w, 0, 1000, 5000, TCP_FIN | TCP_ACK, ORM "ORC|1"));
	assert_true(told(w, "\"reason\":\"hl7.framing\",\"verdict\":{\"action\":\"drop\"}"));
	wire_free(w);

	for (unsigned allowed = 0; allowed < 2; allowed++) { /* in no frame it lacks nothing */
		w = wire_new("enforce", "open", HL7);
		shake_hands(w);
		assert_int_equal(send_flags(w, 0, 1000, 5000, TCP_FIN | TCP_ACK,
					    allowed ? "MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5"
						    : "MSH|^~\\&|LAB||||||ORM^O01|1|P|2.5"),
				 allowed);
		assert_int_equal(told(w, "policy.message_not_allowed"), !allowed);
		wire_free(w);
	}

	w = wire_new("enforce", "open",
		     HL7); /* of what is allowed it is told only where it was cut */
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU REST));
	assert_true(send_flags(w, 0, 1000 + sizeof(ORU REST) - 1, 5000, TCP_FIN | TCP_ACK, ""));
	assert_false(told(w, "hl7.framing"));
	wire_free(w);
}

/* Its receiver ignores it, so it is neither read nor let through. */
static void a_wrong_checksum_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	w->checksum = 0xbad; /* the handshake had none, which counts as right */
	assert_false(send(w, 0, 1000, 5000, ORU));
	assert_true(told(w, "stream.checksum"));
	w->checksum = 0;
	assert_true(send(w, 0, 1000, 5000, HEAD));
	assert_true(send(w, 0, 1000 + sizeof(HEAD) - 1, 5000, "|ORU^R02|2|P|2.5\r" REST));
	assert_true(told(w, "\"message_type\":\"ORU^R02\""));
	assert_false(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);
}

/* Nobody takes what comes with a reset, or with a SYN amid the conversation. */
static void what_no_receiver_takes_is_not_read(void **state)
{
	static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK | TCP_FIN, TCP_SYN,
					TCP_SYN | TCP_ACK | TCP_FIN};

	for (size_t i = 0; i < sizeof(flags); i++) {
		struct wire *w = wire_new("enforce", "open", HL7);
		bool reset = flags[i] & TCP_RST;
		uint32_t at = 1000 + sizeof(HEAD) - 1;

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, HEAD));
		assert_true(send_flags(w, 0, at, 5000, flags[i], "|ORU^R01|1|P|2.5\r" REST) ==
			    reset);
		assert_false(told(w, "\"message_type\""));
		assert_int_equal(told(w, "stream.out_of_window"), !reset);
		if (!reset) {
			assert_false(send(w, 0, at, 5000, "|ORM^O01|1|P|2.5\r" REST));
			assert_true(told(w, "\"message_type\":\"ORM^O01\""));
		}
		wire_free(w);
	}
}

/* The byte it points to is not in what the receiver reads: also ahead, and before anybody knows what
 * is spoken. */
static void urgent_data_hides_nothing(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, "\vMSH"));
	assert_false(send_flags(w, 0, 1004, 5000, TCP_ACK | TCP_URG, "|^~\\&|"));
	assert_true(told(w, "stream.urgent"));
	wire_free(w);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	assert_false(send_flags(w, 0, 1000, 5000, TCP_ACK | TCP_URG, ORU REST));
	assert_true(told(w, "stream.urgent"));
	wire_free(w);

	for (unsigned ruled = 0; ruled < 2; ruled++) { /* nor by what interrupts where it may */
		w = wire_new("enforce", "open", ruled ? HL7 : OTHER);
		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, ORU));
		w->urgent = 1;
		assert_false(send_flags(w, 0, 1000 + sizeof(ORU) - 1, 5000, TCP_ACK | TCP_URG,
					"\xff" REST));
		assert_true(told(w, "stream.urgent"));
		wire_free(w);
	}

	w = wire_new("enforce", "open", HL7);
	assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
	assert_true(send_flags(w, 1, 4999, 1000, TCP_SYN | TCP_ACK, ""));
	w->urgent = 20;
	assert_false(send_flags(w, 0, 1000, 5000, TCP_ACK | TCP_URG, ""));
	w->urgent = 0;
	assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
	wire_free(w);
}

/* FTP interrupts with it, and may do nothing else with it (RFC 959 §4.1.3). */
static void urgent_data_interrupts(void **state)
{
	struct wire *w = wire_new("enforce", "open", FTP);

	shake_hands(w);
	assert_true(send(w, 1, 5000, 1000, "220 ftp\r\n"));
	assert_true(send(w, 0, 1000, 5009, "USER x\r\n"));
	w->urgent = 3;
	assert_true(send_flags(w, 0, 1008, 5009, TCP_ACK | TCP_URG, "\xff\xf4\xff"));
	w->urgent = 0;
	assert_true(send(w, 0, 1011, 5009,
			 "\xf2"
			 "ABOR\r\n"));
	w->urgent = 1;
	assert_false(send_flags(w, 0, 1018, 5009, TCP_ACK | TCP_URG, "RETR STOR x\r\n"));
	w->urgent = 20;
	assert_false(send_flags(w, 0, 1018, 5009, TCP_ACK | TCP_URG, ""));
	wire_free(w);
}

/* A packet that is refused for a repetition in it may bring the rest of a forbidden message: it arrives
 * with neither, nor otherwise. */
static void a_conflict_hides_nothing(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM) - 1;

	shake_hands(w);
	assert_true(send(w, 0, at, 5000, REST));
	assert_false(send(w, 0, 1000, 5000, ORM "ORC|2\r\x1c\r"));
	assert_true(told(w, "stream.conflict"));
	assert_false(told(w, "policy.message_not_allowed"));
	assert_false(send(w, 0, 1000, 5000, ORM));
	assert_true(told(w, "policy.message_not_allowed"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

static unsigned times_told(const struct wire *w, const char *what)
{
	unsigned n = 0;

	for (const char *at = w->said; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* What came with a packet that was refused never arrived: it is neither read nor compared with what comes
 * instead, which is read once. */
static void what_is_refused_is_not_read(void **state)
{
	static const struct {
		const char *data;
		uint8_t flags;
		uint32_t back;
	} lies[] = {
		{"X" REST, TCP_ACK, 1},	    {"X" REST, TCP_ACK | TCP_FIN, 1},
		{"X|ORM", TCP_ACK, 1},	    {REST, TCP_ACK | TCP_URG, 0},
		{"", TCP_ACK | TCP_FIN, 1}, {"", TCP_ACK | TCP_FIN | TCP_URG, 0},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct wire *w = wire_new("enforce", i & 1 ? "open" : "closed", HL7);
		uint32_t at = 1000 + sizeof(HEAD "|ORU") - 1;

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, HEAD "|ORU"));
		w->urgent = 1;
		assert_false(
			send_flags(w, 0, at - lies[i].back, 5000, lies[i].flags, lies[i].data));
		w->urgent = 0;
		assert_false(told(w, "\"message_type\""));
		assert_true(send(w, 0, at, 5000, "^R01|1|P|2.5\r" REST));
		assert_int_equal(times_told(w, "\"message_type\":\"ORU^R01\""), 1);
		wire_free(w);
	}
}

/* Its end and its beginning were for the gateway alone, and the rest of a message is made to look like
 * one that is allowed. */
static void a_rest_is_no_beginning(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000 + sizeof(ORM "NTE|") - 1;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM "NTE|"));
	w->ttl = 1;
	send_flags(w, 0, at, 5000, TCP_RST, "");
	send_flags(w, 0, at - 1, 0, TCP_SYN, "");
	w->ttl = 0;
	assert_false(send(w, 0, at, 5000, ORU REST));
	wire_free(w);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM "NTE|"));
	w->ttl = 1;
	send_flags(w, 0, at, 5000, TCP_RST, "");
	w->ttl = 0;
	for (unsigned i = 0; i < 50; i++)
		engine_tick(w->engine, &w->capture, w->now_ns += 5000000000);
	assert_false(send(w, 0, at, 5000, ORU REST));
	wire_free(w);
}

static void nothing_is_held_back_in(const char *mode)
{
	struct wire *w = wire_new(mode, "closed", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORM REST));
	assert_true(told(w, "\"verdict\":{\"action\":\"pass\",\"would\":\"drop\"},\"hl7\""));
	assert_true(send(w, 0, 1000, 5000, ORU REST));
	assert_true(send(w, 0, 1000 + 200000, 5000, "later"));
	assert_true(send(w, 0, 1000 + sizeof(ORM REST) - 1, 5000, ORU REST));
	assert_int_equal(w->reset_count, 0);
	wire_free(w);
}

/* What is refused elsewhere has arrived here: with other words at its front, behind what got lost ahead of
 * the gateway, with a SYN. */
static void what_arrives_is_read_in(const char *mode)
{
	struct wire *w = wire_new(mode, "closed", HL7);
	uint32_t at = 1000 + sizeof(HEAD) - 1;

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, HEAD));
	assert_true(send(w, 0, at - 1, 5000, "x|ORU^R01|1|P|2.5\r" REST));
	assert_true(told(w, "stream.conflict"));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);

	w = wire_new(mode, "closed", HL7);
	shake_hands(w);
	at = 1100 + sizeof(ORU REST) - 1;
	assert_true(send(w, 0, 1000, 5000, "\r"));
	assert_true(send(w, 0, 1100, 5000, ORU REST));
	assert_false(told(w, "\"message_type\""));
	assert_true(send_flags(w, 1, 5000, at, TCP_ACK, ""));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);

	w = wire_new(mode, "closed", HL7);
	assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ORU REST));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);
}

static void nothing_is_held_back_but_in_enforce(void **state)
{
	nothing_is_held_back_in("simulate");
	nothing_is_held_back_in("observe");
	what_arrives_is_read_in("simulate");
	what_arrives_is_read_in("observe");
}

static void one_direction_is_enough(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);
	uint32_t at = 1000;

	assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
	assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
	for (unsigned i = 0; i < 3000; i++, at += sizeof(ORU REST) - 1)
		assert_true(send(w, 0, at, 5000, ORU REST));
	assert_false(send(w, 0, at, 5000, ORM REST));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);
}

/* What has to be answered, whatever its receiver has: empty, and a byte early. */
static void assert_question(const struct wire *w, uint32_t seq, uint32_t ack)
{
	struct bytes data = {w->question, w->question_len};
	uint8_t pseudo[32] = {0};
	struct packet p;

	assert_true(packet_decode(data, LINK_ETHERNET, 0, (uint32_t)data.len, &p));
	assert_int_equal(p.anomalies, 0);
	assert_int_equal(p.tcp_flags, TCP_ACK);
	assert_int_equal(p.tcp_seq, seq);
	assert_int_equal(p.tcp_ack, ack);
	assert_int_equal(p.tcp_window, 60000);
	assert_int_equal(p.payload.len, 0);
	assert_memory_equal(data.data, "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	memcpy(pseudo, data.data + 26, 8);
	pseudo[9] = PROTO_TCP;
	pseudo[11] = 20;
	memcpy(pseudo + 12, data.data + 34, 20);
	assert_int_equal(frame_sum(pseudo, 32), 0);
}

/* Nobody answers: it is begun with once its receiver has been asked for long enough. */
static void pick_up(struct wire *w, const char *data)
{
	assert_false(send(w, 0, 7000, 5000, data));
	assert_question(w, 6999, 5000);
	w->now_ns += 1900000000;
	assert_false(send(w, 0, 7000, 5000, data));
	w->now_ns += 100000000;
	assert_true(send(w, 0, 7000, 5000, data));
	assert_int_equal(w->asked, 2);
}

/* Its server has all of it, or had it by another way: nobody here knows what it reads behind a hole. */
static void a_hole_is_not_leapt(void **state)
{
	const uint32_t len = sizeof(ORU REST) - 1, hole = 1000 + 16 * len;
	struct wire *w;

	for (unsigned filled = 0; filled < 2; filled++) {
		uint32_t at;

		w = wire_new("enforce", filled ? "open" : "closed", HL7);
		assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
		assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
		for (at = 1000; at < hole; at += len)
			assert_true(send(w, 0, at, 5000, ORU REST));
		for (unsigned i = 0; i < 400; i++)
			assert_false(send(w, 0, hole + len + i * len, 5000, ORU REST));
		if (filled) {
			assert_true(send(w, 0, hole, 5000, ORU REST));
			assert_true(send(w, 0, hole + len, 5000, ORU REST));
			assert_int_equal(w->reset_count, 0);
		}
		for (unsigned i = 0; !filled && i < 4; i++) {
			assert_int_equal(w->reset_count, 0);
			assert_false(send(w, 0, hole + len, 5000, ORU REST));
		}
		if (!filled)
			assert_int_equal(w->reset_count, 2);
		wire_free(w);
	}
}

/* Picked up behind its handshake, as after a restart: read from the next message on. */
static void midstream_is_read_and_not_refused(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HL7);

	assert_false(send(w, 0, 7000, 5000, "of an earlier message\r\x1c\r"));
	assert_question(w, 6999, 5000);
	assert_true(send_flags(w, 1, 5000, 7000, TCP_ACK, ""));
	w->now_ns += 200000000; /* before it is sent again */
	assert_true(send(w, 0, 7000, 5000, "of an earlier message\r\x1c\r"));
	assert_int_equal(w->asked, 1);
	assert_true(send(w, 1, 5000, 7024, "\vMSH|^~\\&|||||||ACK|2\rMSA|AA|1\r\x1c\r"));
	assert_true(send(w, 0, 7024, 5000, ORU REST));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	wire_free(w);
}

/* Whatever was left half across by then has ended. */
static void pass_a_while(struct wire *w)
{
	for (unsigned i = 0; i < 14; i++)
		engine_tick(w->engine, &w->capture, w->now_ns += 5000000000);
}

/* Nobody who went in order left it: the fail mode says whether the rest of a message may pass. */
static void a_rest_is_the_fail_modes(void **state)
{
	for (unsigned i = 0; i < 16; i++) {
		bool open = i & 1, ruled = i & 2, rest = i & 4;
		struct wire *w = wire_new("enforce", open ? "open" : "closed", ruled ? HL7 : 2222);
		const char *data = rest ? "of an order\r\x1c\r" : ORU REST;

		if (i & 8)
			engine_begin_alone(w->engine);
		else
			pass_a_while(w);
		assert_false(send(w, 0, 7000, 5000, data));
		assert_true(send_flags(w, 1, 5000, 7000, TCP_ACK, ""));
		w->now_ns += 200000000;
		assert_int_equal(send(w, 0, 7000, 5000, data), open || !ruled || !rest);
		assert_int_equal(w->reset_count, !open && ruled && rest ? 2 : 0);
		assert_int_equal(told(w, "stream.unverified"), ruled && rest);
		if (open && ruled) {
			uint32_t at = 7000 + (uint32_t)strlen(data);

			w->said[0] = 0;
			assert_true(send(w, 0, at, 5000, ORU REST));
			assert_false(told(w, "stream.unverified"));
			assert_false(send(w, 0, at + sizeof(ORU REST) - 1, 5000, ORM REST));
		}
		wire_free(w);
	}
}

/* What its receiver confirmed before a restart, and was on its way meanwhile, is not where it stands: what
 * it has already would be read anew, as something else. */
static void an_old_confirmation_places_nothing(void **state)
{
	const uint32_t had = 7000 + sizeof(ORM) - 1;

	for (unsigned answered = 0; answered < 2; answered++) {
		struct wire *w = wire_new("enforce", answered ? "open" : "closed", HL7);

		if (answered)
			assert_false(send(w, 0, had, 5000, REST));
		assert_true(send_flags(w, 1, 5000, 7000, TCP_ACK, ""));
		assert_false(send(w, 0, 7000, 5000, ORU));
		assert_false(send(w, 0, had, 5000, REST));
		assert_true(send_flags(w, 1, 5000, had, TCP_ACK, ""));
		assert_false(told(w, "\"message_type\""));
		w->now_ns += 200000000;
		assert_true(send(w, 0, 7000, 5000, ORU)); /* which it has */
		assert_true(send(w, 0, had, 5000, REST));
		assert_false(told(w, "\"message_type\""));
		assert_true(send(w, 0, had + sizeof(REST) - 1, 5000, ORU REST));
		assert_int_equal(times_told(w, "\"message_type\":\"ORU^R01\""), 1);
		wire_free(w);
	}
}

/* Nobody answers, so what the device says must do to know it again. */
static void a_forbidden_message_does_not_pass_midstream(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HL7);

	pick_up(w, "of an earlier message\r");
	assert_true(send(w, 0, 7022, 5000, "and more of it\r\x1c\r"));
	assert_true(send(w, 0, 7039, 5000, ORU REST));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	assert_false(send(w, 0, 7039 + sizeof(ORU REST) - 1, 5000, ORM REST));
	wire_free(w);

	/* which another protocol's beginning might be */
	w = wire_new("enforce", "closed", HL7);
	pick_up(w, "O");
	assert_false(send(w, 0, 7001, 5000, ORM REST));
	wire_free(w);

	w = wire_new("enforce", "closed", HL7);
	pick_up(w, "of an earlier message\r\x1c\r");
	assert_false(send(w, 0, 7024, 5000, ORM REST));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);
}

/* Where the port says nothing, the rule says what is spoken, and which end serves. */
static void a_rule_is_enough_midstream(void **state)
{
	struct wire *w = wire_new("enforce", "closed", FILES);

	pick_up(w, "RETR a\r\n");
	assert_true(told(w, "\"command\":\"RETR\""));
	assert_false(send(w, 0, 7008, 5000, "STOR a\r\n"));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);

	/* its server is heard first */
	w = wire_new("enforce", "closed", FILES);
	assert_true(send_flags(w, 1, 5000, 7000, TCP_ACK, ""));
	assert_false(send(w, 0, 7000, 5000, "RETR a\r\n"));
	w->now_ns += 1900000000;
	assert_true(send(w, 0, 7000, 5000, "RETR a\r\n"));
	assert_true(told(w, "\"command\":\"RETR\""));
	assert_false(send(w, 0, 7008, 5000, "STOR a\r\n"));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);
}

/* The server was switched off and on; the device, by the same ports, begins anew. */
static void what_both_ends_lost_is_read_anew(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ORU REST));
	assert_true(send_flags(w, 0, 70000000, 0, TCP_SYN, ""));
	assert_true(send_flags(w, 1, 90000000, 70000001, TCP_SYN | TCP_ACK, ""));
	assert_true(send_flags(w, 0, 70000001, 90000001, TCP_ACK, ""));
	w->said[0] = 0;
	assert_true(send(w, 0, 70000001, 90000001, ORU REST));
	assert_true(told(w, "\"message_type\":\"ORU^R01\""));
	assert_false(send(w, 0, 70000001 + sizeof(ORU REST) - 1, 90000001, ORM REST));
	wire_free(w);
}

/* A hundred thousand unfinished conversations do not take more than they may. */
static void memory_is_bounded(void **state)
{
	struct session_counts counts;
	struct wire *w = wire_new("enforce", "open", OTHER);
	struct engine_stats s;

	shake_hands(w);
	for (uint32_t i = 0; i < 70; i++)
		send(w, 0, 1000 + 900 * i + 100, 5000, "ahead of a hole that nobody fills");
	engine_stats(w->engine, &s);
	counts = s.sessions;
	assert_true(counts.held_bytes <= 65536 * 2);
	assert_true(counts.refused > 0); /* no more than STREAM_AHEAD pieces apart */
	wire_free(w);
}

/* What went on was not kept, and is lost behind us: nobody can tell whether it is said again as it was. */
static void without_memory_nothing_waits_for_good(void **state)
{
	stream_bytes = 1;
	for (unsigned open = 0; open < 2; open++) {
		struct wire *w = wire_new("enforce", open ? "open" : "closed", HL7);
		unsigned again = 0;

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, ORU REST));
		for (; again < 20 && !w->reset_count; again++)
			assert_int_equal(send(w, 0, 1000, 5000, ORU REST), open);
		assert_int_equal(w->reset_count, open ? 0 : 2);
		assert_true(open || again > 4);
		wire_free(w);
	}
	stream_bytes = 0;
}

/* There is no device whose mode or fail mode could be asked for: all of it passes, and is told. */
static void without_a_policy_everything_passes(void **state)
{
	without_policy = true;
	for (unsigned i = 0; i < 2; i++) {
		struct wire *w;

		stream_bytes = i; /* as usual, or hardly any */
		w = wire_new("enforce", "closed", HL7);
		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, ORM));
		assert_true(send(w, 0, 1000, 5000, ORU REST));
		assert_true(send(w, 0, 1000 + sizeof(ORM) - 1, 5000, REST HEAD));
		assert_true(send(w, 0, 1000 + 200000, 5000, "later"));
		assert_int_equal(told(w, "stream.conflict"), i == 0);
		assert_true(told(w, i ? "stream.memory" : "\"message_type\":\"ORM^O01\""));
		assert_int_equal(w->reset_count + w->blocked, 0);
		wire_free(w);
	}
	without_policy = false;
	stream_bytes = 0;
}

static bool send_other(struct wire *w, unsigned end, uint8_t proto, const void *body, size_t len)
{
	struct frame_ip ip = {
		.src = end ? SERVER : DEVICE, .dst = end ? DEVICE : SERVER, .proto = proto};
	struct frame f = {.time_ns = w->now_ns += 1000000, .ifindex = end ? 2 : 1};

	free(w->frame);
	f.data = frame_ipv4(&ip, body, len);
	w->frame = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(w->frame, end ? "\2\0\0\0\0\1\2\0\0\0\0\5" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	w->passed = false;
	engine_burst(w->engine, &w->capture, &f, 1);
	return w->passed;
}

/* What nobody reads is not what a rule with messages lets pass; word of an error is nobody's message. */
static void a_tunnel_hides_nothing(void **state)
{
	static const char *const modes[] = {"enforce", "observe"};

	for (unsigned i = 0; i < 4; i++) {
		struct wire *w = wire_new(modes[i / 2], i & 1 ? "open" : "closed", HL7);
		uint8_t gre[4 + 60] = {0, 0, 8, 0, 0x45}, error[8 + 28] = {3, 4};

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, HEAD));
		memcpy(error + 8, w->frame + 14, sizeof(error) - 8);
		assert_true(send_other(w, 1, PROTO_ICMP, error, sizeof(error)));
		assert_int_equal(send_other(w, 0, PROTO_GRE, gre, sizeof(gre)), i >= 2);
		assert_true(told(w, "policy.wrong_protocol"));
		assert_true(send_other(w, 0, PROTO_IPV4, gre + 4, sizeof(gre) - 4));
		assert_true(send(w, 0, 1000 + sizeof(HEAD) - 1, 5000, "|ORU^R01|1|P|2.5\r" REST));
		wire_free(w);
	}
}

/* A conversation by several paths is none that is read: a SYN offers none, where what is said matters. */
static void there_is_one_path(void **state)
{
	static const uint8_t offer[] = {2, 4, 5, 180, 1, 30, 4, 0x01, 0x81, 1, 1, 0, 30, 4, 1, 1};
	static const uint8_t none[] = {2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 0, 30, 4, 1, 1};
	static const struct {
		const char *mode;
		uint16_t port;
		bool passes;
	} cases[] = {{"enforce", HL7, false}, {"enforce", OTHER, true}, {"observe", HL7, true}};

	for (size_t i = 0; i < 3; i++)
		for (unsigned end = 0; end < 2; end++) {
			struct wire *w = wire_new(cases[i].mode, "open", cases[i].port);

			if (end)
				assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
			w->options = (struct bytes){offer, sizeof(offer)};
			if (end)
				assert_true(send_flags(w, 1, 4999, 1000, TCP_SYN | TCP_ACK, ""));
			else
				assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
			assert_memory_equal(w->frame + 14 + 20 + 20, cases[i].passes ? offer : none,
					    sizeof(offer));
			wire_free(w);
		}
}

/* A window is made no larger than what is kept, but for who signs his segments. */
static void a_signed_window_stays(void **state)
{
	static const uint8_t scale[] = {1, 3, 3, 7}, md5[20] = {1, 1, 19, 18}, ao[16] = {29, 16},
			     stamps[12] = {1, 1, 8, 10};
	const struct {
		struct bytes options;
		bool stays;
	} cases[] = {{{NULL, 0}, false},
		     {{stamps, sizeof(stamps)}, false},
		     {{md5, sizeof(md5)}, true},
		     {{ao, sizeof(ao)}, true}};

	for (size_t i = 0; i < 4; i++) {
		struct wire *w = wire_new("enforce", "open", HL7);

		w->options = (struct bytes){scale, sizeof(scale)};
		assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
		assert_true(send_flags(w, 1, 4999, 1000, TCP_SYN | TCP_ACK, ""));
		w->options = cases[i].options;
		assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
		assert_true(send(w, 0, 1000, 5000, ORU REST));
		assert_true(send_flags(w, 1, 5000, 1000 + sizeof(ORU REST) - 1, TCP_ACK, ""));
		assert_int_equal((w->frame[48] << 8 | w->frame[49]) == 60000, cases[i].stays);
		wire_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_message_passes),
		cmocka_unit_test(a_forbidden_message_never_arrives_whole),
		cmocka_unit_test(a_bare_message_never_arrives_whole),
		cmocka_unit_test(what_is_cut_off_is_marked_for_the_kernel),
		cmocka_unit_test(a_forbidden_message_leaves_evidence),
		cmocka_unit_test(what_is_odd_and_passes_leaves_evidence),
		cmocka_unit_test(pieces_in_any_order_make_no_difference),
		cmocka_unit_test(tiny_segments_make_no_difference),
		cmocka_unit_test(the_second_copy_does_not_pass),
		cmocka_unit_test(what_dies_on_its_way_hides_nothing),
		cmocka_unit_test(what_is_outside_does_not_pass),
		cmocka_unit_test(the_end_of_all_ends_no_message),
		cmocka_unit_test(a_wrong_checksum_does_not_pass),
		cmocka_unit_test(what_no_receiver_takes_is_not_read),
		cmocka_unit_test(an_acknowledgement_brings_nothing_else),
		cmocka_unit_test(a_false_confirmation_hides_nothing),
		cmocka_unit_test(urgent_data_hides_nothing),
		cmocka_unit_test(urgent_data_interrupts),
		cmocka_unit_test(a_conflict_hides_nothing),
		cmocka_unit_test(what_is_refused_is_not_read),
		cmocka_unit_test(a_rest_is_no_beginning),
		cmocka_unit_test(nothing_is_held_back_but_in_enforce),
		cmocka_unit_test(one_direction_is_enough),
		cmocka_unit_test(a_hole_is_not_leapt),
		cmocka_unit_test(midstream_is_read_and_not_refused),
		cmocka_unit_test(a_rest_is_the_fail_modes),
		cmocka_unit_test(an_old_confirmation_places_nothing),
		cmocka_unit_test(a_forbidden_message_does_not_pass_midstream),
		cmocka_unit_test(a_rule_is_enough_midstream),
		cmocka_unit_test(what_both_ends_lost_is_read_anew),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(without_memory_nothing_waits_for_good),
		cmocka_unit_test(without_a_policy_everything_passes),
		cmocka_unit_test(there_is_one_path),
		cmocka_unit_test(a_signed_window_stays),
		cmocka_unit_test(a_tunnel_hides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
