/* The whole way of a message: from packets on the wire to what the receiver gets. */
#include "guard/session.h"

#include "base/config.h"
#include "base/event.h"
#include "frames.h"
#include "guard/engine.h"
#include "guard/evidence.h"
#include "guard/policy/message.h"
#include "guard/reset.h"

#define DEVICE 0x0a090101 /* 10.9.1.1 */
#define SERVER 0x0a090005 /* 10.9.0.5 */
#define HL7    2575
#define HTTP   80
#define FTP    21
#define ASTM   3000
#define OTHER  4000
#define SDC    6464

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: eth1, hospital: eth0, mode: %s}\n"
	"hosts:\n"
	"  - {name: lis, ip: [10.9.0.5], role: [lis]}\n"
	"devices:\n"
	"  - name: analyser\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:01'\n"
	"    ip: [10.9.1.1]\n"
	"    fail: %s\n"
	"    starts:\n"
	"      - {service: results, proto: tcp, port: ['2575'], peer: lis,\n"
	"         app: hl7, allow: ['message_type=ORU^*'], control: no}\n"
	"      - {service: readings, proto: tcp, port: ['80'], peer: lis,\n"
	"         app: http, allow: ['url=/results/*', 'hostname=lis']}\n"
	"      - {service: shell, proto: tcp, port: ['2222'], peer: lis, app: ssh}\n"
	"      - {service: files, proto: tcp, port: ['21'], peer: lis,\n"
	"         app: ftp, allow: ['command=USER', 'command=RETR', 'command=ABOR']}\n"
	"      - {service: bench, proto: tcp, port: ['3000'], peer: lis,\n"
	"         app: astm, allow: ['test=^^^GLU*']}\n"
	"      - {service: device, proto: tcp, port: ['6464'], peer: lis, app: sdc, control: no}\n"
	"      - {service: any, proto: tcp, port: ['4000'], peer: lis}\n";

/* A wire with the engine in its middle; end 0 is the device. */
struct wire {
	struct capture capture;
	struct config *config;
	struct policy *policy;
	struct engine *engine;
	struct evidence *evidence;
	uint64_t now_ns;
	uint16_t port, checksum, urgent;
	uint8_t ttl; /* 0: as usual */
	bool passed; /* the frame last sent */
	uint8_t *frame;
	uint8_t resets[2][RESET_MAX];
	size_t reset_len[2];
	uint32_t reset_out[2];
	unsigned reset_count, reset_more;
	uint8_t question[RESET_MAX]; /* the last one */
	size_t question_len;
	unsigned asked;
	unsigned blocked; /* how often the kernel was to be told, and of what */
	enum reason blocked_why;
	struct gate_flow_key blocked_key;
	char said[65536];
};

static void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	((struct wire *)c)->passed = true;
}

static void drop(struct capture *c, const struct frame *f)
{
	((struct wire *)c)->passed = false;
}

static int inject(struct capture *c, struct bytes data, uint32_t out)
{
	struct wire *w = (struct wire *)c;
	struct packet p;

	assert_true(packet_decode(data, LINK_ETHERNET, 0, (uint32_t)data.len, &p));
	if (!(p.tcp_flags & TCP_RST)) {
		assert_int_equal(out, 2);
		memcpy(w->question, data.data, data.len);
		w->question_len = data.len;
		w->asked++;
		return 0;
	}
	if (w->reset_count == 2) { /* each of whom has not heard it is told again */
		w->reset_more++;
		return 0;
	}
	w->reset_out[w->reset_count] = out;
	memcpy(w->resets[w->reset_count], data.data, data.len);
	w->reset_len[w->reset_count++] = data.len;
	return 0;
}

static const struct capture_ops ops = {.forward = forward, .drop = drop, .inject = inject};

static void keep_line(void *arg, const char *line, size_t len)
{
	struct wire *w = arg;
	size_t at = strlen(w->said);

	if (strstr(line, "\"event_type\":\"flow\"") || at + len + 2 > sizeof(w->said))
		return;
	memcpy(w->said + at, line, len);
	memcpy(w->said + at + len, "\n", 2);
}

static void block(void *arg, const struct gate_flow_key *key, enum reason why, uint64_t for_ns)
{
	struct wire *w = arg;

	w->blocked++;
	w->blocked_why = why;
	w->blocked_key = *key;
	assert_true(for_ns > 0);
}

static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	return f->ifindex;
}

static struct wire *wire_new(const char *mode, const char *fail, uint16_t port)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct engine_options o = {.max_flows = 64,
				   .max_fragments = 16,
				   .timeouts = flow_default_timeouts,
				   .inline_ = true,
				   .place = place,
				   .sink = keep_line,
				   .sink_arg = w,
				   .block = block,
				   .block_arg = w};
	struct config_error errors[4];
	size_t count;
	char text[2048], why[256];
	int len = snprintf(text, sizeof(text), site, mode, fail);

	static const struct capture_port ports[] = {{"ward0", 1}, {"hospital0", 2}};
	static const struct evidence_options kept = {ports, 2, 65536, 65536};

	config_check_words(message_is_wrong);
	w->capture.ops = &ops;
	w->evidence = o.evidence = evidence_new(&kept);
	assert_non_null(w->evidence);
	w->config = config_parse("site.yaml", (struct bytes){(uint8_t *)text, (size_t)len}, errors,
				 4, &count);
	assert_non_null(w->config);
	w->policy = policy_compile(w->config, NULL, 0, 1, why);
	assert_non_null(w->policy);
	w->engine = engine_new(w->policy, &o);
	assert_non_null(w->engine);
	w->now_ns = 1700000000000000000ull;
	w->port = port;
	return w;
}

static void wire_free(struct wire *w)
{
	engine_finish(w->engine, &w->capture);
	engine_free(w->engine);
	evidence_free(w->evidence);
	policy_free(w->policy);
	config_free(w->config);
	free(w->frame);
	free(w);
}

/* True where it passed. */
static bool send_flags(struct wire *w, unsigned end, uint32_t seq, uint32_t ack, uint8_t flags,
		       const char *data)
{
	uint8_t body[2048] = {0};
	struct writer out = writer_new(body, sizeof(body));
	struct frame_ip ip = {.src = end ? SERVER : DEVICE,
			      .dst = end ? DEVICE : SERVER,
			      .proto = PROTO_TCP,
			      .ttl = w->ttl};
	struct frame f = {.time_ns = w->now_ns += 1000000, .ifindex = end ? 2 : 1};

	write_be16(&out, end ? w->port : 40000);
	write_be16(&out, end ? 40000 : w->port);
	write_be32(&out, seq);
	write_be32(&out, ack);
	write_be16(&out, (uint16_t)(0x5000 | flags));
	write_be16(&out, 60000);
	write_be16(&out, w->checksum);
	write_be16(&out, w->urgent);
	write_bytes(&out, data, strlen(data));
	free(w->frame);
	f.data = frame_ipv4(&ip, body, out.len);
	w->frame = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(w->frame, end ? "\2\0\0\0\0\1\2\0\0\0\0\5" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &w->capture, &f, 1);
	return w->passed;
}

static bool send(struct wire *w, unsigned end, uint32_t seq, uint32_t ack, const char *data)
{
	return send_flags(w, end, seq, ack, TCP_ACK | TCP_PSH, data);
}

static void shake_hands(struct wire *w)
{
	assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
	assert_true(send_flags(w, 1, 4999, 1000, TCP_SYN | TCP_ACK, ""));
	assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
}

#define HEAD "\vMSH|^~\\&|LAB|||||"
#define ORU  HEAD "|ORU^R01|1|P|2.5\r" /* 35 bytes */
#define ORM  HEAD "|ORM^O01|1|P|2.5\r"
#define REST "ORC|1\r\x1c\r" /* 8 bytes */

static bool told(const struct wire *w, const char *what)
{
	return strstr(w->said, what);
}

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
	w->now_ns += 1000000000;
	assert_false(send(w, 0, at, 5000, REST));
	assert_int_equal(w->blocked, 2);
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
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, HEAD "|ACK|1|P|2.5\rMSA|AA|1\rERR|x\rZZZ|1\r\x1c\r"));
	wire_free(w);

	w = wire_new("enforce", "open", HL7);
	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, HEAD "|ACK|1|P|2.5\rMSA|AA|1\r" REST));
	assert_true(told(w, "policy.message_not_allowed"));
	wire_free(w);
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

static void another_protocol_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "\1\2\3 nothing that anybody reads"));
	assert_true(told(w, "policy.wrong_protocol"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* A banner is not told yet when its protocol is known: it does not pass either. */
static void the_first_words_of_another_do_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "SSH-2.0-x\r\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* RFC 4253 §4.2: lines before a server's banner, in any pieces, at a port that only the rule knows. */
static void a_greeting_is_waited_for(void **state)
{
	static const char *const said[] = {"Wel", "come\r\n", "Staff only\r\nS", "SH-2.0-x\r\n"};
	struct wire *w = wire_new("enforce", "open", 2222);
	uint32_t at = 5000;

	shake_hands(w);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(send(w, 1, at, 1000, said[i]));
		at += (uint32_t)strlen(said[i]);
	}
	assert_true(send(w, 0, 1000, at, "SSH-2.0-y\r\n"));
	assert_false(told(w, "wrong_protocol"));
	wire_free(w);
	/* Not without end, and not for what is no text. */
	w = wire_new("enforce", "open", 2222);
	shake_hands(w);
	assert_false(send(w, 1, 5000, 1000, "\xff\xfd\1\1\r\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
	w = wire_new("enforce", "open", 2222);
	shake_hands(w);
	at = 5000;
	for (unsigned i = 0; i < 40; i++, at += 32)
		assert_true(send(w, 1, at, 1000, "a line of thirty-two characters\n"));
	assert_false(send(w, 1, at, 1000, "a line of thirty-two characters\n"));
	assert_true(told(w, "policy.wrong_protocol"));
	wire_free(w);
}

static void a_broken_message_does_not_pass(void **state)
{
	struct wire *w = wire_new("enforce", "open", HL7);

	shake_hands(w);
	assert_false(send(w, 0, 1000, 5000, "\vMSH||||\r"));
	assert_true(told(w, "hl7.delimiters"));
	assert_int_equal(w->reset_count, 2);
	wire_free(w);
}

/* Where no rule says what is spoken, breaking a protocol is only reported. */
static void without_a_named_protocol_nothing_is_blocked(void **state)
{
	struct wire *w = wire_new("enforce", "open", OTHER);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, "\vMSH||||\r"));
	assert_true(told(w, "\"reason\":\"hl7.delimiters\",\"verdict\":{\"action\":\"pass\"}"));
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

static void nothing_is_held_back_but_in_enforce(void **state)
{
	nothing_is_held_back_in("simulate");
	nothing_is_held_back_in("observe");
}

static bool matches(const char *pattern, const char *text)
{
	return message_match(pattern, strlen(pattern),
			     (struct bytes){(const uint8_t *)text, strlen(text)}, false);
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

/* Behind it requests are said in another way. */
static void http_2_is_not_let_in(void **state)
{
	struct wire *w = wire_new("enforce", "closed", HTTP);
	const char *ask = "GET /results/1 HTTP/1.1\r\nHost: lis\r\nUpgrade: h2c\r\n\r\n";
	uint32_t at = 1000 + (uint32_t)strlen(ask);

	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask)); /* most servers pass over it */
	assert_false(send(w, 1, 5000, at, "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"));
	assert_true(told(w, "http.smuggling"));
	wire_free(w);

	w = wire_new("enforce", "closed", HTTP);
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, ask));
	assert_true(send(w, 1, 5000, at, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
	assert_false(send(w, 0, at, 5038, "GET /admin HTTP/1.1\r\nHost: lis\r\n\r\n"));
	wire_free(w);
}

#define SOAP(action, body)                                                                    \
	"<s:Envelope><s:Header><a:Action>urn:x/" action "</a:Action></s:Header><s:Body>" body \
	"</s:Body></s:Envelope>"
#define WSDL	  "GET /results/w HTTP/1.1\r\nHost: lis\r\n\r\n"
#define ANSWER	  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwsdl"
#define SOAP_HEAD "POST /results/s HTTP/1.1\r\nHost: lis\r\nContent-Type: application/soap+xml\r\n"

/* A description is fetched first, by HTTP; then SOAP follows on the same connection, and both ends are read on. */
static bool set_behind(uint16_t port, const char *answer, const char *head, const char *body,
		       struct wire **ret_w)
{
	struct wire *w = wire_new("enforce", "closed", port);
	uint32_t at = 1000 + sizeof(WSDL) - 1, back = 5000 + (uint32_t)strlen(answer);
	char post[1024];

	*ret_w = w;
	shake_hands(w);
	assert_true(send(w, 0, 1000, 5000, WSDL));
	assert_true(send(w, 1, 5000, at, answer));
	snprintf(post, sizeof(post), "%sContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
	return send(w, 0, at, back, post);
}

static void soap_is_known_when_it_comes(void **state)
{
	struct wire *w;

	assert_true(set_behind(OTHER, ANSWER, SOAP_HEAD, SOAP("SetValue", "<m:SetValue/>"), &w));
	assert_true(told(w, "\"http\":{\"hostname\":\"lis\",\"url\":\"/results/w\","));
	assert_true(told(w, "\"sdc\":{\"action\":\"SetValue\""));
	assert_true(send(w, 1, 5000 + sizeof(ANSWER) - 1, 2000, "HTTP/1.1 202 Ok\r\n\r\n"));
	wire_free(w);

	/* What a rule says of SDC holds for it. */
	assert_false(set_behind(SDC, ANSWER, SOAP_HEAD, SOAP("SetValue", "<m:SetValue/>"), &w));
	assert_true(told(w, "\"sdc\":{\"method\":\"GET\"}"));
	assert_true(told(w, "policy.control"));
	wire_free(w);
	assert_true(set_behind(SDC, ANSWER, SOAP_HEAD, SOAP("GetMdib", "<m:GetMdib/>"), &w));
	assert_false(told(w, "\"reason\":\"policy"));
	wire_free(w);

	/* Under one of HTTP it is another protocol, as if it had come first. */
	assert_false(set_behind(HTTP, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", SOAP_HEAD,
				SOAP("GetMdib", "<m:GetMdib/>"), &w));
	wire_free(w);
}

/* Of an answer a part is still to come, which nobody looks at: it is passed over all the same. */
static void what_is_passed_over_stays_so(void **state)
{
	static const char begun[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n"
		"0123456789012345678901234567890123456789012345678901234567890123"
		"0123456789012345678901234567890123456789012345678901234567890123"
		"01234567";
	static const char zeros[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	uint32_t back = 5000 + sizeof(begun) - 1;
	struct wire *w;

	assert_true(set_behind(OTHER, begun, SOAP_HEAD, SOAP("GetMdib", "<m:GetMdib/>"), &w));
	for (unsigned left = 400 - 136; left; back += 64, left -= left < 64 ? left : 64)
		assert_true(send(w, 1, back, 2000, zeros + (left < 64 ? 64 - left : 0)));
	assert_true(told(w, "\"sdc\":{\"action\":\"GetMdib\""));
	assert_false(told(w, "malformed"));
	wire_free(w);
}

/* Nor is any other protocol that nobody asked for; what was asked for may be anything. */
static void a_server_does_not_change_the_protocol_alone(void **state)
{
	static const struct {
		const char *ask;
		bool passes;
	} cases[] = {
		{"GET /results/1 HTTP/1.1\r\nHost: lis\r\n\r\n", false},
		{"GET /results/1 HTTP/1.1\r\nHost: lis\r\nUpgrade: websocket\r\n\r\n", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);
		uint32_t at = 1000 + (uint32_t)strlen(cases[i].ask);

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, cases[i].ask));
		assert_int_equal(cases[i].passes, send(w, 1, 5000, at,
						       "HTTP/1.1 101 Switching\r\n"
						       "Upgrade: websocket\r\n\r\n"));
		assert_int_equal(!cases[i].passes, told(w, "http.smuggling"));
		wire_free(w);
	}
}

#define ASTM_HEAD                 \
	"\5\0021H|\\^&|||X\r\003" \
	"B1\r\n"

/* A line's noise garbles a frame: the receiver says NAK, and it comes again. What it must not say it says not even so. */
static void a_garbled_frame_ends_nothing(void **state)
{
	static const struct {
		const char *garbled;
		bool passes;
		const char *why;
	} cases[] = {
		{"\0022R|1|^^^GLU|5\r\003"
		 "00\r\n",
		 true, "astm.checksum"},
		{"\0022R|1|^^^POT|5\r\003"
		 "00\r\n",
		 false, "policy.message"},
		{"\0022X|1|^^^GLU|5\r\003"
		 "00\r\n",
		 false, "astm.checksum"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", ASTM);
		uint32_t at = 1000;

		shake_hands(w);
		assert_true(send(w, 0, at, 5000, ASTM_HEAD));
		at += sizeof(ASTM_HEAD) - 1;
		assert_true(send(w, 1, 5000, at, "\6\6"));
		assert_int_equal(cases[i].passes, send(w, 0, at, 5002, cases[i].garbled));
		assert_true(told(w, cases[i].why));
		at += (uint32_t)strlen(cases[i].garbled);
		if (cases[i].passes) {
			assert_true(send(w, 1, 5002, at, "\x15"));
			assert_true(send(w, 0, at, 5003,
					 "\0022R|1|^^^GLU|5\r\003"
					 "70\r\n"));
		}
		wire_free(w);
	}
}

#define GET(url) "GET " url " HTTP/1.1\r\nHost: lis\r\n\r\n"

/* What a rule names is what the server takes it for, however it is written. */
static void paths_that_lead_elsewhere_do_not_pass(void **state)
{
	static const char *const good[] = {GET("/results/1"),
					   GET("/results/J%C3%BCrgen%20D"),
					   GET("/results//1"),
					   GET("/results/.well-known/x;v=1"),
					   GET("/results/%e2%82%ac%u20ac%c3%a4%c0"),
					   GET("/results/a/../b"),
					   GET("http://lis/results/1"),
					   GET("HTTP://lis:80/results/%20"),
					   "GET /results/ HTTP/1.1\r\nHost: LIS\r\n\r\n"};
	static const char *const bad[] = {
		GET("/results/../admin"),
		GET("/results/%2e%2E/admin"),
		GET("/results/..%2fadmin"),
		GET("/results/..\\admin"),
		GET("/results/..%5cadmin"),
		GET("/results/%252e%252e/admin"),
		GET("/results/%u002e%u002e/admin"),
		GET("/results/%c0%ae%c0%ae%c0%afadmin"),
		GET("/results/%e0%80%ae%E0%80%AE/admin"),
		GET("/results/;/../..;x/admin"),
		GET("/results/a/../../admin?x"),
		GET("/admin"),
		GET("http://lis/admin"),
		GET("http://lis/results/../admin"),
		GET("http://lis"),
		GET("http://lis\\admin/results/1"),
		GET("http://lis#/results/1"),
		GET("admin/http://lis/results/1"),
		GET("/results/..%00/admin"),
		GET("/results/1%00.png"),
		GET("/results/1%2500"),
		GET("/results/..%20/admin"),
		GET("/results/../admin/..;/results/1"),
		GET("/results/../admin//../results/1"),
		GET("/results/../admin\\..\\results/1"),
		GET("/results/../admin/%252e%252e/results/1"),
		GET("/results/../admin#/../results/1"),
		"GET /results/ HTTP/1.1\r\nHost: other\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);

		shake_hands(w);
		assert_true(send(w, 0, 1000, 5000, good[i]));
		wire_free(w);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire *w = wire_new("enforce", "closed", HTTP);

		shake_hands(w);
		assert_false(send(w, 0, 1000, 5000, bad[i]));
		assert_true(told(w, "policy.message_not_allowed"));
		wire_free(w);
	}
}

static void patterns_match(void **state)
{
	assert_true(matches("ORU^*", "ORU^R01"));
	assert_true(matches("*", ""));
	assert_true(matches("a?c", "abc"));
	assert_true(matches("*a*b*", "xxaxxbxx"));
	assert_true(matches("*ab", "aab"));
	assert_false(matches("ORU^*", "ORM^O01"));
	assert_false(matches("a?c", "ac"));
	assert_false(matches("", "x"));
	assert_false(matches("abc", "abcd"));
	assert_false(matches("abc", "aBc"));
	assert_true(message_match("*.Clinic@", 9,
				  (struct bytes){(const uint8_t *)"pAcs.cliniC@", 12},
				  FIELD_CASELESS));
	assert_false(
		message_match("a@", 2, (struct bytes){(const uint8_t *)"A`", 2}, FIELD_CASELESS));
}

static void wrong_words_are_named(void **state)
{
	char *bad_member[] = {(char *)"message_type=ACK", (char *)"colour=red"};
	char *no_pattern[] = {(char *)"message_type"}, *not_to_narrow[] = {(char *)"control_id=1"};
	char *two_lines[] = {(char *)"message_type=A\ncontrol=no"},
	     *good[] = {(char *)"message_type=ORU^*"};
	char why[160];
	int line = 7;

	assert_true(message_is_wrong("gopher", good, 1, &line, why));
	assert_int_equal(line, -1);
	assert_non_null(strstr(why, "hl7"));
	assert_true(message_is_wrong("hl7", bad_member, 2, &line, why));
	assert_int_equal(line, 1);
	assert_true(message_is_wrong("hl7", no_pattern, 1, &line, why));
	assert_int_equal(line, 0);
	assert_true(message_is_wrong("hl7", not_to_narrow, 1, &line, why));
	assert_true(message_is_wrong("hl7", two_lines, 1, &line, why));
	assert_false(message_is_wrong("hl7", good, 1, &line, why));
}

/* Where the words stand that are wrong: at a device, and in a profile's own file. */
static void wrong_words_have_a_place(void **state)
{
	static const char lines[] =
		"segments: [{name: icu, ward: w, hospital: h}]\n"
		"devices:\n"
		"  - {name: d, segment: icu, mac: '02:00:00:00:00:01', starts: [\n"
		"      {service: s, proto: tcp, peer: any, app: gopher},\n"
		"      {service: s, proto: tcp, peer: any, app: hl7,\n"
		"       allow: ['version=2.5',\n"
		"         'colour=red']},\n"
		"      {service: s, proto: tcp, peer: any, control: no}]}\n";
	static const char profile[] = "title: T\nkind: other\nfail: open\nsource: [s]\n"
				      "accepts:\n"
				      "  - {service: s, proto: tcp, peer: any,\n"
				      "     app: hl7, allow: ['colour=red']}\n";
	struct config_error errors[4];
	size_t count = 0;

	assert_null(config_parse("site.yaml", (struct bytes){(const uint8_t *)lines, strlen(lines)},
				 errors, 4, &count));
	assert_int_equal(count, 3);
	assert_int_equal(errors[0].line, 4);
	assert_int_equal(errors[0].column, 48);
	assert_non_null(strstr(errors[0].text, "gopher"));
	assert_int_equal(errors[1].line, 7);
	assert_int_equal(errors[1].column, 10);
	assert_non_null(strstr(errors[1].text, "colour"));
	assert_int_equal(errors[2].line, 8);
	assert_null(config_profile_parse("dir/p.yaml",
					 (struct bytes){(const uint8_t *)profile, strlen(profile)},
					 errors, 4, &count));
	assert_int_equal(count, 1);
	assert_string_equal(errors[0].file, "dir/p.yaml");
	assert_int_equal(errors[0].line, 7);
	assert_int_equal(errors[0].column, 24);
	assert_non_null(strstr(errors[0].text, "no member 'colour'"));
}

/* A hundred thousand unfinished conversations do not take more than they may. */
static void memory_is_bounded(void **state)
{
	struct session_counts counts;
	struct wire *w = wire_new("enforce", "open", OTHER);
	struct engine_stats s;

	shake_hands(w);
	for (uint32_t i = 0; i < 30; i++)
		send(w, 0, 1000 + 2000 * i + 100, 5000, "ahead of a hole that nobody fills");
	engine_stats(w->engine, &s);
	counts = s.sessions;
	assert_true(counts.held_bytes <= 65536 * 2);
	assert_true(counts.refused > 0); /* no more than STREAM_AHEAD pieces apart */
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_message_passes),
		cmocka_unit_test(a_forbidden_message_never_arrives_whole),
		cmocka_unit_test(a_bare_message_never_arrives_whole),
		cmocka_unit_test(what_is_cut_off_is_marked_for_the_kernel),
		cmocka_unit_test(a_forbidden_message_leaves_evidence),
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
		cmocka_unit_test(another_protocol_does_not_pass),
		cmocka_unit_test(the_first_words_of_another_do_not_pass),
		cmocka_unit_test(a_greeting_is_waited_for),
		cmocka_unit_test(a_broken_message_does_not_pass),
		cmocka_unit_test(without_a_named_protocol_nothing_is_blocked),
		cmocka_unit_test(nothing_is_held_back_but_in_enforce),
		cmocka_unit_test(one_direction_is_enough),
		cmocka_unit_test(a_hole_is_not_leapt),
		cmocka_unit_test(midstream_is_read_and_not_refused),
		cmocka_unit_test(an_old_confirmation_places_nothing),
		cmocka_unit_test(a_forbidden_message_does_not_pass_midstream),
		cmocka_unit_test(what_both_ends_lost_is_read_anew),
		cmocka_unit_test(http_2_is_not_let_in),
		cmocka_unit_test(soap_is_known_when_it_comes),
		cmocka_unit_test(what_is_passed_over_stays_so),
		cmocka_unit_test(a_server_does_not_change_the_protocol_alone),
		cmocka_unit_test(a_garbled_frame_ends_nothing),
		cmocka_unit_test(paths_that_lead_elsewhere_do_not_pass),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(wrong_words_have_a_place),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
