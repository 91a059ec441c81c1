#ifndef BEDWARDEN_TEST_DELIVERY_KIT_H
#define BEDWARDEN_TEST_DELIVERY_KIT_H
/*
 * The engine inline on a wire, between a sender that may do anything and a receiver that takes bytes as
 * the kernels of the world do, the first copy or the last; ten protocols, each with a message that
 * its rule allows and one that it forbids; and who tries an attack in all of them.
 */
#include <stdio.h>

#include "analyser.h"
#include "base/config.h"
#include "frames.h"
#include "guard/engine.h"
#include "guard/policy/message.h"

#define PORT	    40000
#define WINDOW	    60000u
#define MESSAGES    6
#define STREAM_MAX  8192
#define MILLISECOND 1000000ull

static const char site[] = SITE_ANALYSER
	"      - {service: a, proto: tcp, port: [2575], peer: lis, app: hl7, control: no,\n"
	"         allow: ['message_type=ORU^*']}\n"
	"      - {service: b, proto: tcp, port: [1883], peer: lis, app: mqtt, control: no,\n"
	"         allow: ['publish.topic=ward/a']}\n"
	"      - {service: c, proto: tcp, port: [502], peer: lis, app: modbus, control: no}\n"
	"      - {service: d, proto: tcp, port: [80], peer: lis, app: http,\n"
	"         allow: ['url=/results/*']}\n"
	"      - {service: e, proto: tcp, port: [104], peer: lis, app: dicom,\n"
	"         allow: ['command=C-ECHO-*']}\n"
	"      - {service: f, proto: tcp, port: [4001], peer: lis, app: poct1a, control: no}\n"
	"      - {service: g, proto: tcp, port: [21], peer: lis, app: ftp,\n"
	"         allow: ['command=USER', 'command=RETR']}\n"
	"      - {service: h, proto: tcp, port: [5060], peer: lis, app: sip,\n"
	"         allow: ['method=OPTIONS']}\n"
	"      - {service: i, proto: tcp, port: [53], peer: lis, app: dns,\n"
	"         allow: ['rrname=a.ward']}\n"
	"      - {service: j, proto: tcp, port: [601], peer: lis, app: syslog,\n"
	"         allow: ['hostname=pump1']}\n"
	"      - {service: k, proto: udp, port: [161], peer: lis, app: snmp, control: no}\n"
	"      - {service: l, proto: udp, port: [4000], peer: lis}\n";

#define TEXT(t)                                     \
	{                                           \
		(const uint8_t *)(t), sizeof(t) - 1 \
	}
#define NONE            \
	{               \
		NULL, 0 \
	}

#define HL7(type)              \
	"\vMSH|^~\\&|LAB|||||" \
	"|" type "^R01|1|P|2.5\rOBX|1|NM|147842||61\r\x1c\r"
#define PUBLISH(t) "\x30\x14\0\6ward/" t "some payload"
#define HTTP(p)	   "POST /" p "/1 HTTP/1.1\r\nHost: lis\r\nContent-Length: 5\r\n\r\nhello"
#define TITLES	   "ARCHIVE         CT2             "
#define ZEROS32	   "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define CONTEXT        \
	"\x10\0\0\x15" \
	"1.2.840.10008.3.1.1.1"
#define ABSTRACT       \
	"\x30\0\0\x11" \
	"1.2.840.10008.1.1"
#define SYNTAX         \
	"\x40\0\0\x11" \
	"1.2.840.10008.1.2"
#define USER "\x50\0\0\x08\x51\0\0\4\0\0\x40\0"
#define ECHO(c)                        \
	"\4\0\0\0\0\x4a\0\0\0\x46\1\3" \
	"\0\0\0\0\4\0\0\0\x38\0\0\0"   \
	"\0\0\2\0\x12\0\0\0"           \
	"1.2.840.10008.1.1\0"          \
	"\0\0\0\1\2\0\0\0" c "\0"      \
	"\0\0\x10\1\2\0\0\0\1\0"       \
	"\0\0\0\x08\2\0\0\0\1\1"
#define POCT(t)	  "<" t "><HDR><HDR.control_id V=\"1\"/><HDR.version_id V=\"POCT1\"/></HDR></" t ">"
#define SIP(m)	  m " sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nContent-Length: 2\r\n\r\nhi"
#define DNS(n)	  "\0\x18\0\7\1\0\0\1\0\0\0\0\0\0\1" n "\4ward\0\0\1\0\1"
#define SYSLOG(h) "54 <34>1 2026-01-01T00:00:00Z " h " app 1 - - hi there it"

/* One protocol: what both ends say first, then an allowed and a forbidden message of one length. */
static const struct kind {
	const char *name;
	uint16_t port;
	struct bytes greeting, first, answer;
	struct bytes good, bad;
} kinds[] = {
	{"hl7", 2575, NONE, NONE, NONE, TEXT(HL7("ORU")), TEXT(HL7("ORM"))},
	{"mqtt", 1883, NONE, TEXT("\x10\x10\0\4MQTT\4\2\0\x3c\0\4dev1"), TEXT("\x20\2\0\0"),
	 TEXT(PUBLISH("a")), TEXT(PUBLISH("b"))},
	{"modbus", 502, NONE, NONE, NONE, TEXT("\0\1\0\0\0\6\1\3\0\0\0\1"),
	 TEXT("\0\1\0\0\0\6\1\6\0\0\0\1")},
	{"http", 80, NONE, NONE, NONE, TEXT(HTTP("results")), TEXT(HTTP("resultz"))},
	{"dicom", 104, NONE,
	 TEXT("\1\0\0\0\0\x9b\0\1\0\0" TITLES ZEROS32 CONTEXT
	      "\x20\0\0\x2e\1\0\0\0" ABSTRACT SYNTAX USER),
	 TEXT("\2\0\0\0\0\x86\0\1\0\0" TITLES ZEROS32 CONTEXT "\x21\0\0\x19\1\0\0\0" SYNTAX USER),
	 TEXT(ECHO("\x30")), TEXT(ECHO("\x20"))},
	{"poct1a", 4001, NONE, NONE, NONE, TEXT(POCT("OBS.R01")), TEXT(POCT("DTV.R01"))},
	{"ftp", 21, TEXT("220 hello\r\n"), TEXT("USER x\r\n"), TEXT("230 in\r\n"),
	 TEXT("RETR a.txt\r\n"), TEXT("STOR a.txt\r\n")},
	{"sip", 5060, NONE, NONE, NONE, TEXT(SIP("OPTIONS")), TEXT(SIP("MESSAGE"))},
	{"dns", 53, NONE, NONE, NONE, TEXT(DNS("a")), TEXT(DNS("b"))},
	{"syslog", 601, NONE, NONE, NONE, TEXT(SYSLOG("pump1")), TEXT(SYSLOG("pump2"))},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Numbers that are the same everywhere: xorshift. */
static uint64_t dice;

static inline uint32_t roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 16) % n;
}

static inline bool rarely(uint32_t percent)
{
	return roll(100) < percent;
}

struct receiver;
struct wire {
	struct capture capture;
	struct receiver *receiver; /* of what the engine says itself */
	struct config *config[2];
	struct policy *policy[2];
	struct engine *engine;
	struct evidence *evidence; /* NULL: none is kept */
	uint64_t now_ns;
	uint16_t from;	 /* the device's port; 0: PORT */
	unsigned passed; /* of the frames last sent */
	char said[16384];
	bool cut, asked; /* what the engine said itself: a reset; where the receiver stands */
};

static inline void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	((struct wire *)c)->passed++;
}

static inline void no_drop(struct capture *c, const struct frame *f)
{
}

static inline int inject(struct capture *c, struct bytes data, uint32_t out);
static const struct capture_ops ops = {.forward = forward, .drop = no_drop, .inject = inject};

static inline void keep_line(void *arg, const char *line, size_t len)
{
	struct wire *w = arg;
	size_t at = strlen(w->said);

	if (at + len + 2 > sizeof(w->said))
		return;
	memcpy(w->said + at, line, len);
	memcpy(w->said + at + len, "\n", 2);
}

static inline uint32_t place(void *arg, const struct frame *f, const struct packet *p,
			     const struct roster *r)
{
	return f->ifindex;
}

static inline struct wire *wire_new(const char *mode)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	config_check_words(message_is_wrong);
	for (unsigned i = 0; i < 2; i++) {
		struct config_error errors[4];
		char text[4096], why[256];
		int len = snprintf(text, sizeof(text), site, mode, i ? "open" : "closed");
		size_t count;

		w->config[i] =
			config_parse("site.yaml", (struct bytes){(uint8_t *)text, (size_t)len},
				     errors, 4, &count);
		assert_non_null(w->config[i]);
		w->policy[i] = policy_compile(w->config[i], NULL, 0, 1, why);
		assert_non_null(w->policy[i]);
	}
	w->capture.ops = &ops;
	w->now_ns = 1700000000000000000ull;
	return w;
}

static inline void wire_open(struct wire *w, bool open)
{
	const struct engine_options o = {.max_flows = 64,
					 .max_fragments = 64,
					 .timeouts = flow_default_timeouts,
					 .inline_ = true,
					 .evidence = w->evidence,
					 .place = place,
					 .sink = keep_line,
					 .sink_arg = w};

	w->engine = engine_new(w->policy[open], &o);
	assert_non_null(w->engine);
}

static inline void wire_close(struct wire *w)
{
	engine_finish(w->engine, &w->capture);
	engine_free(w->engine);
}

static inline void wire_free(struct wire *w)
{
	for (unsigned i = 0; i < 2; i++) {
		policy_free(w->policy[i]);
		config_free(w->config[i]);
	}
	free(w);
}

/* A segment, as an attacker may make it. */
struct segment {
	unsigned end;
	uint32_t seq, ack;
	uint8_t flags;
	struct bytes data;
	bool stamped, bad_sum;
	bool scaled; /* a SYN: windows count 128-fold */
	uint32_t stamp;
	uint16_t urgent;
};

static inline void sum_up(uint8_t *tcp, size_t len, bool bad)
{
	uint8_t all[12 + 60 + 2048 + 1] = {10, 9, 1, 1, 10, 9, 0, 5, 0, PROTO_TCP};
	uint16_t sum;

	all[10] = (uint8_t)(len >> 8);
	all[11] = (uint8_t)len;
	memcpy(all + 12, tcp, len);
	sum = frame_sum(all, 12 + len + (len & 1));
	sum = bad ? (uint16_t)(sum + 1) : sum;
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
}

/* Whether it got through. */
static inline bool send(struct wire *w, const struct kind *k, const struct segment *s)
{
	uint8_t body[2048] = {0};
	struct writer out = writer_new(body, sizeof(body));
	struct frame_ip ip = {.src = s->end ? SERVER : DEVICE,
			      .dst = s->end ? DEVICE : SERVER,
			      .proto = PROTO_TCP};
	struct frame f = {.time_ns = w->now_ns += MILLISECOND, .ifindex = s->end ? 2 : 1};
	uint16_t port = w->from ? w->from : PORT;
	uint8_t *bytes;

	write_be16(&out, s->end ? k->port : port);
	write_be16(&out, s->end ? port : k->port);
	write_be32(&out, s->seq);
	write_be32(&out, s->ack);
	write_be16(&out, (uint16_t)((s->stamped	 ? 0x8000
				     : s->scaled ? 0x6000
						 : 0x5000) |
				    s->flags));
	write_be16(&out, (uint16_t)WINDOW);
	write_be16(&out, 0);
	write_be16(&out, s->urgent);
	if (s->stamped) {
		write_be32(&out, 0x0101080a);
		write_be32(&out, s->stamp);
		write_be32(&out, 1);
	}
	if (s->scaled)
		write_be32(&out, 0x01030307);
	write_bytes(&out, s->data.data, s->data.len);
	assert_false(out.bad);
	sum_up(body, out.len, s->bad_sum);
	f.data = frame_ipv4(&ip, body, out.len);
	bytes = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(bytes, s->end ? "\2\0\0\0\0\1\2\0\0\0\0\5" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	w->passed = 0;
	engine_burst(w->engine, &w->capture, &f, 1);
	free(bytes);
	return w->passed == 1;
}

/* Who gets it: takes the first copy of a byte or, of those not read yet, the last. */
struct receiver {
	uint32_t first, next, stamp, said;
	uint8_t data[STREAM_MAX];
	bool have[STREAM_MAX], urgent[STREAM_MAX];
	bool last_wins, stamped, reset, challenged;
};

static inline int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline void take(struct receiver *r, const struct segment *s)
{
	uint32_t to = s->seq + (uint32_t)s->data.len;

	if (s->bad_sum || r->reset)
		return;
	if (s->flags & TCP_ACK && ahead(s->ack, r->said) > 0)
		return; /* RFC 9293 §3.10.7.4: of what it never said */
	if (s->stamped && r->stamped && ahead(s->stamp, r->stamp) < 0 && !(s->flags & TCP_RST))
		return;
	if (ahead(s->seq, r->next + WINDOW) > 0 || ahead(to, r->next) < 0)
		return;
	if (s->flags & TCP_RST) { /* RFC 5961 §3.2 */
		r->reset = s->seq == r->next;
		r->challenged = !r->reset;
		return;
	}
	if (s->flags & TCP_SYN || !(s->flags & TCP_ACK))
		return;
	if (s->stamped && ahead(s->seq, r->next) <= 0) {
		r->stamp = s->stamp;
		r->stamped = true;
	}
	if (s->flags & TCP_URG && s->urgent) { /* RFC 6093 §2.2; the way of the many */
		uint32_t at = s->seq + s->urgent - 1;

		if (ahead(at, r->next) >= 0 && at - r->first < STREAM_MAX)
			r->urgent[at - r->first] = true;
	}
	for (uint32_t n = s->seq; n != to; n++) {
		uint32_t at = n - r->first;

		if (ahead(n, r->next) < 0 || at >= STREAM_MAX || (r->have[at] && !r->last_wins))
			continue;
		r->data[at] = s->data.data[n - s->seq];
		r->have[at] = true;
	}
	while (r->next - r->first < STREAM_MAX && r->have[r->next - r->first])
		r->next++;
}

/* The engine's own: a reset, about which the sender does not care, or a question. */
static inline int inject(struct capture *c, struct bytes data, uint32_t out)
{
	struct wire *w = (struct wire *)c;
	struct packet p;

	assert_true(packet_decode(data, LINK_ETHERNET, 0, (uint32_t)data.len, &p));
	if (!(p.tcp_flags & TCP_RST)) {
		w->asked = true;
		return 0;
	}
	w->cut = true;
	if (out == 2)
		take(w->receiver, &(struct segment){.seq = p.tcp_seq, .flags = TCP_RST});
	return 0;
}

/* What is delivered, or is meant to be: messages one behind the other, the real ones and decoys. */
struct plan {
	const struct kind *kind;
	uint8_t real[STREAM_MAX], decoy[STREAM_MAX];
	size_t len, at[MESSAGES];
	bool bad[MESSAGES];
	unsigned count;
	bool honest; /* nothing forbidden, nothing but what networks do */
};

static inline void append(struct plan *p, struct bytes real, struct bytes decoy)
{
	memcpy(p->real + p->len, real.data, real.len);
	memcpy(p->decoy + p->len, decoy.data, decoy.len);
	p->len += real.len;
}

/* Did a forbidden one arrive, whole? */
static inline bool arrived(const struct plan *p, const struct receiver *r, uint32_t first)
{
	size_t got = r->next - first, len = p->kind->bad.len;
	uint8_t read[STREAM_MAX];
	size_t n = 0;

	for (size_t i = 0; i < got && i < STREAM_MAX; i++)
		if (!r->urgent[i + (first - r->first)])
			read[n++] = r->data[i + (first - r->first)];
	for (unsigned i = 0; i < p->count; i++)
		if (p->at[i] + len <= n && !memcmp(read + p->at[i], p->kind->bad.data, len))
			return true;
	return false;
}

struct sender {
	struct wire *w;
	const struct plan *plan;
	struct receiver r;
	uint32_t first, server; /* numbers of the messages' first byte, and the server's next */
	uint32_t stamp;
	bool stamps, jumped;
};

static inline void say(struct sender *t, unsigned end, struct bytes data, uint8_t flags)
{
	struct segment s = {.end = end,
			    .seq = end ? t->server : t->first,
			    .ack = end ? t->first : t->server,
			    .flags = flags,
			    .data = data,
			    .stamped = t->stamps,
			    .stamp = t->stamp};

	if (!send(t->w, t->plan->kind, &s))
		fail_msg("%s: what both ends say first did not pass", t->plan->kind->name);
	*(end ? &t->server : &t->first) += (uint32_t)data.len;
}

static inline void greet(struct sender *t)
{
	const struct kind *k = t->plan->kind;
	struct bytes none = {NULL, 0};

	t->first = rarely(20) ? 0xffffff00u + roll(256) : (uint32_t)roll(1u << 31);
	t->server = (uint32_t)roll(1u << 31);
	t->stamps = rarely(50);
	t->stamp = 1000;
	say(t, 0, none, TCP_SYN);
	t->first++;
	say(t, 1, none, TCP_SYN | TCP_ACK);
	t->server++;
	say(t, 0, none, TCP_ACK);
	if (k->greeting.len)
		say(t, 1, k->greeting, TCP_ACK | TCP_PSH);
	if (k->first.len)
		say(t, 0, k->first, TCP_ACK | TCP_PSH);
	if (k->answer.len)
		say(t, 1, k->answer, TCP_ACK | TCP_PSH);
	t->r.first = t->r.next = t->first;
	t->r.stamp = t->stamp;
	t->r.said = t->server;
	t->r.stamped = t->stamps;
}

static inline void confirm(struct sender *t)
{
	struct segment s = {.end = 1,
			    .seq = t->server,
			    .ack = t->r.next,
			    .flags = TCP_ACK,
			    .stamped = t->stamps,
			    .stamp = 1};

	send(t->w, t->plan->kind, &s);
}

static inline bool give(struct sender *t, uint32_t seq, uint8_t flags, const uint8_t *data,
			size_t len, bool dies)
{
	struct segment s = {.seq = seq,
			    .ack = t->server,
			    .flags = flags,
			    .data = {data, len},
			    .stamped = t->stamps,
			    .stamp = t->stamp};
	bool passed = send(t->w, t->plan->kind, &s);

	if (passed && !dies)
		take(&t->r, &s);
	if (t->w->asked)
		confirm(t);
	t->w->asked = false;
	return passed;
}

/* The even cases first and then the odd ones, which are of a device that fails open. */
static inline unsigned next_case(unsigned n, unsigned count)
{
	return n < count / 2 ? 2 * n : 2 * (n - count / 2) + 1;
}

/* Each by ports of its own, and all of a kind with one engine: to make one takes longest. */
static inline void turn(struct wire *w, unsigned i)
{
	w->from = (uint16_t)(20000 + i);
	w->said[0] = 0;
	if (i < 2 && w->engine)
		wire_close(w);
	if (i < 2)
		wire_open(w, i);
}

/* One case of an attack: whose order must not arrive, by what conversation. */
struct attack {
	unsigned i; /* the case; odd ones are of a device that fails open */
	const struct kind *k;
	struct wire *w;
	struct plan p;
	struct sender t;
};

/* `each` cases of every protocol. What the receiver has in the end is no forbidden message. */
static inline void attack_all(unsigned each, void (*attack)(struct attack *a))
{
	static struct attack a;
	struct wire *w = wire_new("enforce");
	unsigned count = KINDS * each;

	for (unsigned n = 0, i = 0; n < count; i = next_case(++n, count)) {
		a = (struct attack){.i = i, .k = &kinds[i / each], .w = w, .t = {.w = w}};
		a.p = (struct plan){.kind = a.k, .count = 1, .bad = {true}};
		append(&a.p, a.k->bad, a.k->good);
		a.t.plan = &a.p;
		dice = i + 1;
		turn(w, i);
		w->receiver = &a.t.r;
		attack(&a);
		if (arrived(&a.p, &a.t.r, a.t.first))
			fail_msg("%s, case %u: a forbidden message arrived whole", a.k->name, i);
	}
	wire_close(w);
	wire_free(w);
}

#endif
