#ifndef BEDWARDEN_TEST_SESSION_KIT_H
#define BEDWARDEN_TEST_SESSION_KIT_H
/*
 * The whole way of a message: a wire with the engine in its middle, and what both ends say and hear
 * on it.
 */
#include "guard/session.h"

#include "analyser.h"
#include "base/config.h"
#include "base/event.h"
#include "frames.h"
#include "guard/engine.h"
#include "guard/evidence.h"
#include "guard/policy/message.h"
#include "guard/reset.h"

#define HL7    2575
#define HTTP   80
#define POSTS  8080
#define FTP    21
#define ASTM   3000
#define OTHER  4000
#define FILES  2121 /* FTP's, where only the rule says so */
#define SDC    6464
#define MAIL   25
#define SEALED 587

static const char site[] = SITE_ANALYSER
	"      - {service: results, proto: tcp, port: ['2575'], peer: lis,\n"
	"         app: hl7, allow: ['message_type=ORU^*'], control: no}\n"
	"      - {service: readings, proto: tcp, port: ['80'], peer: lis,\n"
	"         app: http, allow: ['url=/results/*', 'hostname=lis']}\n"
	"      - {service: posts, proto: tcp, port: ['8080'], peer: lis, app: http,\n"
	"         allow: ['hl7.message_type=ORU^R01', 'http_content_type=application/hl7-v2']}\n"
	"      - {service: shell, proto: tcp, port: ['2222'], peer: lis, app: ssh}\n"
	"      - {service: files, proto: tcp, port: ['21'], peer: lis,\n"
	"         app: ftp, allow: ['command=USER', 'command=RETR', 'command=ABOR']}\n"
	"      - {service: more files, proto: tcp, port: ['2121'], peer: lis,\n"
	"         app: ftp, allow: ['command=RETR']}\n"
	"      - {service: bench, proto: tcp, port: ['3000'], peer: lis,\n"
	"         app: astm, allow: ['test=^^^GLU*']}\n"
	"      - {service: device, proto: tcp, port: ['6464'], peer: lis, app: sdc, control: no}\n"
	"      - {service: mail, proto: tcp, port: ['25'], peer: lis, app: smtp}\n"
	"      - {service: sealed mail, proto: tcp, port: ['587'], peer: lis,\n"
	"         app: tls, control: no, allow: ['sni=mail.ward', 'version=TLS 1.2']}\n"
	"      - {service: any, proto: tcp, port: ['4000'], peer: lis}\n"
	"      - {service: tunnel, proto: '47', peer: lis, app: hl7}\n"
	"      - {service: other tunnel, proto: '4', peer: lis}\n"
	"    accepts:\n"
	"      - {service: names, proto: udp, port: ['53'], peer: lis, app: dns, allow: "
	"['rrname=a']}\n";

/* A wire with the engine in its middle; end 0 is the device. */
struct wire {
	struct capture capture;
	struct config *config;
	struct policy *policy;
	struct engine *engine;
	struct evidence *evidence;
	uint64_t now_ns;
	uint16_t port, checksum, urgent;
	uint8_t ttl;			    /* 0: as usual */
	uint8_t mac;			    /* the sender's last byte; 0: its own */
	uint32_t ip;			    /* of end 0; 0: the device's */
	struct bytes options;		    /* whole words */
	const struct gate_verdict *kernels; /* NULL: the engine judges */
	bool passed;			    /* the frame last sent */
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

static inline void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	((struct wire *)c)->passed = true;
}

static inline void drop(struct capture *c, const struct frame *f)
{
	((struct wire *)c)->passed = false;
}

static inline int inject(struct capture *c, struct bytes data, uint32_t out)
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

static inline void keep_line(void *arg, const char *line, size_t len)
{
	struct wire *w = arg;
	size_t at = strlen(w->said);

	if (strstr(line, "\"event_type\":\"flow\"") || at + len + 2 > sizeof(w->said))
		return;
	memcpy(w->said + at, line, len);
	memcpy(w->said + at + len, "\n", 2);
}

static inline void block(void *arg, const struct gate_flow_key *key, enum reason why,
			 uint64_t for_ns)
{
	struct wire *w = arg;

	w->blocked++;
	w->blocked_why = why;
	w->blocked_key = *key;
	assert_true(for_ns > 0);
}

static inline uint32_t place(void *arg, const struct frame *f, const struct packet *p,
			     const struct roster *r)
{
	return f->ifindex;
}

static size_t stream_bytes; /* of engines made from here on; 0: as usual */
static bool without_policy; /* the same */

static inline struct wire *wire_new(const char *mode, const char *fail, uint16_t port)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct engine_options o = {.max_flows = 64,
				   .max_fragments = 16,
				   .timeouts = flow_default_timeouts,
				   .inline_ = true,
				   .stream_bytes = stream_bytes,
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
	w->engine = engine_new(without_policy ? NULL : w->policy, &o);
	assert_non_null(w->engine);
	w->now_ns = 1700000000000000000ull;
	w->port = port;
	return w;
}

static inline void wire_free(struct wire *w)
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
static inline bool send_bytes(struct wire *w, unsigned end, uint32_t seq, uint32_t ack,
			      uint8_t flags, const void *data, size_t len)
{
	uint8_t body[2048] = {0};
	struct writer out = writer_new(body, sizeof(body));
	uint32_t device = w->ip ? w->ip : DEVICE;
	struct frame_ip ip = {.src = end ? SERVER : device,
			      .dst = end ? device : SERVER,
			      .proto = PROTO_TCP,
			      .ttl = w->ttl};
	struct frame f = {
		.time_ns = w->now_ns += 1000000, .ifindex = end ? 2 : 1, .verdict = w->kernels};

	write_be16(&out, end ? w->port : 40000);
	write_be16(&out, end ? 40000 : w->port);
	write_be32(&out, seq);
	write_be32(&out, ack);
	write_be16(&out, (uint16_t)(0x5000 + (w->options.len << 10) + flags));
	write_be16(&out, 60000);
	write_be16(&out, w->checksum);
	write_be16(&out, w->urgent);
	write_bytes(&out, w->options.data, w->options.len);
	write_bytes(&out, data, len);
	free(w->frame);
	f.data = frame_ipv4(&ip, body, out.len);
	w->frame = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(w->frame, end ? "\2\0\0\0\0\1\2\0\0\0\0\5" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	if (w->mac)
		w->frame[11] = w->mac;
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &w->capture, &f, 1);
	return w->passed;
}

static inline bool send_flags(struct wire *w, unsigned end, uint32_t seq, uint32_t ack,
			      uint8_t flags, const char *data)
{
	return send_bytes(w, end, seq, ack, flags, data, strlen(data));
}

static inline bool send(struct wire *w, unsigned end, uint32_t seq, uint32_t ack, const char *data)
{
	return send_flags(w, end, seq, ack, TCP_ACK | TCP_PSH, data);
}

static inline void shake_hands(struct wire *w)
{
	assert_true(send_flags(w, 0, 999, 0, TCP_SYN, ""));
	assert_true(send_flags(w, 1, 4999, 1000, TCP_SYN | TCP_ACK, ""));
	assert_true(send_flags(w, 0, 1000, 5000, TCP_ACK, ""));
}

#define HEAD "\vMSH|^~\\&|LAB|||||"
#define ORU  HEAD "|ORU^R01|1|P|2.5\r" /* 35 bytes */
#define ORM  HEAD "|ORM^O01|1|P|2.5\r"
#define REST "ORC|1\r\x1c\r" /* 8 bytes */

static inline bool told(const struct wire *w, const char *what)
{
	return strstr(w->said, what);
}

#endif
