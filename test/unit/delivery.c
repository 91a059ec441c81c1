/*
 * However a sender delivers its bytes, a message that must not arrive never arrives whole, and what is
 * allowed all does. A sender that may do anything (segments of any size, in any order, with other
 * content, stale, broken or dying behind the gateway, ends that nobody hears), the engine inline, and
 * a receiver that takes bytes as the kernels of the world do: the first copy, or the last.
 *
 * usage: unit-delivery [SEED [COUNT]]
 */
#include <stdio.h>

#include "base/config.h"
#include "frames.h"
#include "guard/engine.h"
#include "guard/policy/message.h"

#define DEVICE	    0x0a090101 /* 10.9.1.1 */
#define SERVER	    0x0a090005 /* 10.9.0.5 */
#define PORT	    40000
#define WINDOW	    60000u
#define MESSAGES    6
#define STREAM_MAX  8192
#define MILLISECOND 1000000ull

static const char site[] =
	"segments:\n"
	"  - {name: icu, ward: eth1, hospital: eth0, mode: enforce}\n"
	"hosts:\n"
	"  - {name: lis, ip: [10.9.0.5], role: [lis]}\n"
	"devices:\n"
	"  - name: analyser\n"
	"    segment: icu\n"
	"    mac: '02:00:00:00:00:01'\n"
	"    ip: [10.9.1.1]\n"
	"    fail: %s\n"
	"    starts:\n"
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

static unsigned long first_seed = 1, how_many = 150;

/* Numbers that are the same everywhere: xorshift. */
static uint64_t dice;

static uint32_t roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (uint32_t)(dice >> 16) % n;
}

static bool rarely(uint32_t percent)
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
	uint64_t now_ns;
	uint16_t from;	 /* the device's port; 0: PORT */
	unsigned passed; /* of the frames last sent */
	char said[16384];
	bool cut;
};

static void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	((struct wire *)c)->passed++;
}

static void no_drop(struct capture *c, const struct frame *f)
{
}

static int inject(struct capture *c, struct bytes data, uint32_t out);
static const struct capture_ops ops = {.forward = forward, .drop = no_drop, .inject = inject};

static void keep_line(void *arg, const char *line, size_t len)
{
	struct wire *w = arg;
	size_t at = strlen(w->said);

	if (at + len + 2 > sizeof(w->said))
		return;
	memcpy(w->said + at, line, len);
	memcpy(w->said + at + len, "\n", 2);
}

static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	return f->ifindex;
}

static struct wire *wire_new(void)
{
	struct wire *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	config_check_words(message_is_wrong);
	for (unsigned i = 0; i < 2; i++) {
		struct config_error errors[4];
		char text[4096], why[256];
		int len = snprintf(text, sizeof(text), site, i ? "open" : "closed");
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

static void wire_open(struct wire *w, bool open)
{
	const struct engine_options o = {.max_flows = 64,
					 .max_fragments = 64,
					 .timeouts = flow_default_timeouts,
					 .inline_ = true,
					 .place = place,
					 .sink = keep_line,
					 .sink_arg = w};

	w->engine = engine_new(w->policy[open], &o);
	assert_non_null(w->engine);
}

static void wire_close(struct wire *w)
{
	engine_finish(w->engine, &w->capture);
	engine_free(w->engine);
}

static void wire_free(struct wire *w)
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

static void sum_up(uint8_t *tcp, size_t len, bool bad)
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
static bool send(struct wire *w, const struct kind *k, const struct segment *s)
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

static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static void take(struct receiver *r, const struct segment *s)
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

/* A reset of the engine's own. The sender does not care. */
static int inject(struct capture *c, struct bytes data, uint32_t out)
{
	struct wire *w = (struct wire *)c;
	struct packet p;

	assert_true(packet_decode(data, LINK_ETHERNET, 0, (uint32_t)data.len, &p));
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

static void append(struct plan *p, struct bytes real, struct bytes decoy)
{
	memcpy(p->real + p->len, real.data, real.len);
	memcpy(p->decoy + p->len, decoy.data, decoy.len);
	p->len += real.len;
}

static void make_plan(struct plan *p, const struct kind *k, bool honest)
{
	memset(p, 0, sizeof(*p));
	p->kind = k;
	p->honest = honest;
	p->count = 1 + roll(MESSAGES);
	for (unsigned i = 0; i < p->count; i++) {
		p->at[i] = p->len;
		p->bad[i] = !honest && (i + 1 == p->count || rarely(20));
		append(p, p->bad[i] ? k->bad : k->good, k->good);
	}
}

/* Did a forbidden one arrive, whole? */
static bool arrived(const struct plan *p, const struct receiver *r, uint32_t first)
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

static void say(struct sender *t, unsigned end, struct bytes data, uint8_t flags)
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

static void greet(struct sender *t)
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

static void confirm(struct sender *t)
{
	struct segment s = {.end = 1,
			    .seq = t->server,
			    .ack = t->r.next,
			    .flags = TCP_ACK,
			    .stamped = t->stamps,
			    .stamp = 1};

	send(t->w, t->plan->kind, &s);
}

/* One segment, of the sender's choice. */
static void deliver(struct sender *t)
{
	const struct plan *p = t->plan;
	uint32_t done = t->r.next - t->first, left = (uint32_t)p->len - done;
	uint32_t from = done + (rarely(60) ? 0 : roll(left + 1));
	uint32_t back = rarely(20) ? roll(20) : 0;
	uint32_t most = rarely(30) ? 3 : rarely(50) ? 40 : 1400, n;
	uint8_t data[1460];
	struct segment s = {.flags = TCP_ACK, .ack = t->server, .stamped = t->stamps};
	bool lost = rarely(15);

	from -= back < from ? back : from;
	n = 1 + roll(most);
	n = n < p->len - from ? n : (uint32_t)p->len - from;
	memcpy(data, p->real + from, n);
	t->stamp += roll(3);
	s.stamp = t->stamp;
	s.seq = t->first + from;
	s.data = (struct bytes){data, n};
	if (!p->honest) {
		if (rarely(40))
			memcpy(data, p->decoy + from, n);
		if (rarely(3) && n) {
			data[roll(n)] ^= (uint8_t)(1 + roll(255));
			lost = true; /* it would be another message */
		}
		s.bad_sum = rarely(5);
		if (rarely(5))
			s.stamp -= 500 + roll(600);
		if (rarely(3))
			s.stamp += 5000;
		if (rarely(3))
			s.seq += WINDOW + roll(100000);
		if (rarely(3))
			s.flags |= TCP_FIN;
		if (rarely(3))
			s.flags = (uint8_t)roll(64);
		if (rarely(2)) {
			s.flags = TCP_RST | (rarely(50) ? TCP_ACK : 0);
			lost |= s.seq == t->r.next;
		}
		if (rarely(3)) {
			s.flags |= TCP_URG;
			s.urgent = (uint16_t)roll(n + 40);
		}
		if (rarely(3))
			s.data.len = 0;
		if (rarely(3))
			s.ack += roll(3000);
		lost |= (s.flags & TCP_FIN) != 0; /* a receiver that has it takes nothing more */
		if (rarely(1)) {
			t->w->now_ns += 15 * 1000 * MILLISECOND;
			t->jumped = true;
		}
	}
	bool passed = send(t->w, p->kind, &s);
	if (t->r.challenged) {
		t->r.challenged = false;
		confirm(t);
	}
	if (!passed) {
		if (p->honest)
			fail_msg("%s: an honest segment did not pass\n%s", p->kind->name,
				 t->w->said);
		return;
	}
	if (!lost)
		take(&t->r, &s);
	if (rarely(60))
		confirm(t);
}

static void run(struct wire *w, unsigned long seed, bool open)
{
	struct sender t = {.w = w};
	struct plan p;

	dice = seed * 0x9e3779b97f4a7c15ull + 1;
	make_plan(&p, &kinds[roll(KINDS)], rarely(30));
	t.plan = &p;
	w->said[0] = 0;
	w->cut = false;
	wire_open(w, open);
	w->receiver = &t.r;
	greet(&t);
	t.r.last_wins = rarely(50);
	for (unsigned i = 0; i < 400 && t.r.next - t.first < p.len && !t.r.reset; i++)
		deliver(&t);
	assert_false(p.honest && t.r.reset);
	if (p.honest && t.r.next - t.first < p.len) {
		struct segment s = {
			.flags = TCP_ACK, .ack = t.server, .stamped = t.stamps, .stamp = t.stamp};

		for (uint32_t at = t.r.next - t.first; at < p.len; at += 100) {
			s.seq = t.first + at;
			s.data = (struct bytes){p.real + at, p.len - at < 100 ? p.len - at : 100};
			assert_true(send(w, p.kind, &s));
			take(&t.r, &s);
		}
	}
	if (p.honest && t.r.next - t.first < p.len)
		fail_msg("seed %lu, %s: what is allowed did not arrive", seed, p.kind->name);
	if (w->cut && !t.r.reset && !t.jumped)
		fail_msg("seed %lu, %s: the receiver was not reset", seed, p.kind->name);
	if (!p.honest && arrived(&p, &t.r, t.first))
		fail_msg("seed %lu, %s, fail: %s: a forbidden message arrived whole", seed,
			 p.kind->name, open ? "open" : "closed");
	wire_close(w);
}

static void however_it_is_delivered(void **state)
{
	struct wire *w = wire_new();

	for (unsigned long i = 0; i < how_many; i++)
		run(w, first_seed + i, (first_seed + i) & 1);
	wire_free(w);
}

/* An end that nobody hears, or a long silence, in the middle of a message: the rest of it is no
 * conversation that began before us. */
static void a_rest_is_not_read_anew(void **state)
{
	struct wire *w = wire_new();

	for (unsigned i = 0; i < KINDS * 8; i++) {
		const struct kind *k = &kinds[i / 8];
		struct sender t = {.w = w};
		struct plan p = {.kind = k, .count = 1, .bad = {true}};
		uint32_t half = i & 4 ? 0 : (uint32_t)k->bad.len / 2;
		struct segment s = {.flags = TCP_ACK};

		append(&p, k->bad, k->good);
		t.plan = &p;
		dice = i + 1;
		wire_open(w, i & 1);
		w->receiver = &t.r;
		greet(&t);
		s.stamped = t.stamps;
		s.stamp = t.stamp;
		s.seq = t.first;
		s.ack = t.server;
		s.data = (struct bytes){k->bad.data, half};
		if (send(w, k, &s))
			take(&t.r, &s);
		confirm(&t);
		s.seq += half;
		s.data.len = 0;
		s.flags = TCP_ACK | TCP_RST;
		if (!(i & 2))
			send(w, k, &s);
		w->now_ns += (i & 2 ? 3700000 : 15000) * MILLISECOND;
		engine_tick(w->engine, &w->capture, w->now_ns);
		s.flags = TCP_ACK;
		s.data = (struct bytes){k->bad.data + half, k->bad.len - half};
		if (send(w, k, &s))
			take(&t.r, &s);
		if (arrived(&p, &t.r, t.first))
			fail_msg("%s, fail: %s, %s: a forbidden message arrived whole", k->name,
				 i & 1 ? "open" : "closed",
				 i & 2 ? "after an hour" : "after an end");
		wire_close(w);
	}
	wire_free(w);
}

static bool give(struct sender *t, uint32_t seq, uint8_t flags, const uint8_t *data, size_t len,
		 bool dies)
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
	return passed;
}

/* The even cases first and then the odd ones, which are of a device that fails open. */
static unsigned next_case(unsigned n, unsigned count)
{
	return n < count / 2 ? 2 * n : 2 * (n - count / 2) + 1;
}

/* Each by ports of its own, and all of a kind with one engine: to make one takes longest. */
static void turn(struct wire *w, unsigned i)
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
static void attack_all(unsigned each, void (*attack)(struct attack *a))
{
	static struct attack a;
	struct wire *w = wire_new();
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

/* What an end shows of where it begins: a SYN or more of other numbers, that die on their way or not. */
static void a_false_beginning_hides_nothing(void **state)
{
	static const int32_t away[] = {-40000, -4000, 4000, 40000};
	struct wire *w = wire_new();

	for (unsigned n = 0, i = 0; n < KINDS * 4 * 16; i = next_case(++n, KINDS * 4 * 16)) {
		const struct kind *k = &kinds[i / 64];
		uint32_t false_first = 0x70000000u + (uint32_t)away[i / 16 % 4];
		struct plan p = {.kind = k, .count = 1, .bad = {true}};
		struct sender t = {.w = w, .first = 0x70000000u, .server = 5000};

		if (k->greeting.len || k->first.len)
			continue;
		append(&p, k->bad, k->good);
		t.plan = &p;
		turn(w, i);
		w->receiver = &t.r;
		t.r = (struct receiver){.first = t.first, .next = t.first, .said = 5000};
		if (i & 2)
			give(&t, false_first - 1, TCP_SYN, k->good.data, i & 4 ? 1 : 0, true);
		give(&t, t.first - 1, TCP_SYN, NULL, 0, true);
		if (!(i & 2))
			give(&t, false_first - 1, TCP_SYN, k->good.data, i & 4 ? 1 : 0, true);
		send(w, k,
		     &(struct segment){
			     .end = 1, .seq = 4999, .ack = t.first, .flags = TCP_SYN | TCP_ACK});
		if (i & 8)
			give(&t, false_first, TCP_ACK, NULL, 0, true);
		else
			give(&t, t.first, TCP_ACK, NULL, 0, false);
		give(&t, t.first, TCP_ACK, k->bad.data, k->bad.len, false);
		if (arrived(&p, &t.r, t.first))
			fail_msg("%s, case %u: a forbidden message arrived whole", k->name, i);
	}
	wire_close(w);
	wire_free(w);
}

/* What was begun before us, and what is shown of it first: the second half, or what came long ago. */
static void be_picked_up(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2;

	t->first = 0x70000000u;
	t->server = 5000;
	t->r = (struct receiver){.first = t->first, .next = t->first, .said = 5000};
	if (a->i & 2) { /* what came long ago, and does not count */
		give(t, t->first - 500, TCP_ACK, a->k->good.data, 7, false);
		if (a->i & 4)
			confirm(t);
		give(t, t->first, TCP_ACK, a->k->bad.data, a->k->bad.len, false);
	} else {
		give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half,
		     false);
		if (a->i & 4)
			confirm(t);
		give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
		if (a->i & 8)
			give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	}
}

static void a_pick_up_hides_nothing(void **state)
{
	attack_all(16, be_picked_up);
}

/* An end ahead of what went on, and died behind us: to some receivers that is the message's end, too. */
static void end_early(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t most = (uint32_t)a->k->bad.len - 2;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, most, false);
	give(t, t->first + most + (a->i & 2 ? 1 : 0), TCP_ACK, a->k->good.data, 1, true);
	confirm(t);
	if (give(t, t->first + most, TCP_ACK | TCP_FIN, NULL, 0, false))
		fail_msg("%s, case %u: an end amid what went on passed", a->k->name, a->i);
}

static void an_early_end_hides_nothing(void **state)
{
	attack_all(4, end_early);
}

/* Its server has said its last; then an end, and a beginning, that nobody hears. */
static void begin_half_closed(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2, end;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	send(a->w, a->k,
	     &(struct segment){.end = 1,
			       .seq = t->server,
			       .ack = t->r.next,
			       .stamped = t->stamps,
			       .stamp = 1,
			       .flags = TCP_FIN | TCP_ACK});
	t->server = t->r.said = t->server + 1;
	end = t->first + half - (a->i & 2 ? 2 : 0);
	give(t, end, TCP_ACK | TCP_FIN, NULL, 0, true);
	give(t, t->first + half + 70000000, TCP_SYN, NULL, 0, true);
	give(t, t->first + half - 1, TCP_ACK, NULL, 0, false);
	confirm(t);
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_half_closed_one_hides_nothing(void **state)
{
	attack_all(4, begin_half_closed);
}

/* Conversations without number, in the middle of a message: its own is not the one that is forgotten. */
static void flood_away(struct attack *a)
{
	struct sender *t = &a->t;
	uint32_t half = (uint32_t)a->k->bad.len / 2;

	greet(t);
	give(t, t->first, TCP_ACK, a->k->bad.data, half, false);
	confirm(t);
	a->w->now_ns += 1200000 * MILLISECOND;
	for (unsigned f = 0; f < 200; f++) {
		struct segment s = {.seq = f, .flags = TCP_SYN};

		a->w->from = (uint16_t)(1024 + f);
		send(a->w, a->k, &s);
	}
	a->w->from = (uint16_t)(20000 + a->i);
	give(t, t->first + half, TCP_ACK, a->k->bad.data + half, a->k->bad.len - half, false);
}

static void a_flood_hides_nothing(void **state)
{
	attack_all(2, flood_away);
}

/* A silence between messages, and then one behind a byte that came already. */
static void be_silent(struct attack *a)
{
	struct sender *t = &a->t;
	uint8_t data[1460] = {'x'};

	memcpy(data + 1, a->k->bad.data, a->k->bad.len);
	greet(t);
	confirm(t);
	for (unsigned hours = 0; hours < (a->i & 2 ? 20 : 1); hours++) {
		a->w->now_ns += 3700000 * MILLISECOND;
		engine_tick(a->w->engine, &a->w->capture, a->w->now_ns);
	}
	give(t, t->first - 1, TCP_ACK, data, a->k->bad.len + 1, false);
}

static void a_silence_hides_nothing(void **state)
{
	attack_all(4, be_silent);
}

/* What a receiver has of datagrams in two pieces that it did not get whole. */
struct puzzle {
	struct capture capture;
	unsigned count, passed, sent;
	uint8_t *frames[4]; /* good until they are settled */
	struct {
		uint16_t id;
		uint8_t place; /* 0: the first piece, 1: the second */
		uint8_t data[64];
	} piece[8];
};

/* One that dies on its way, or is for another machine, is not for the receiver to see. */
static void collect(struct capture *c, const struct frame *f, uint32_t out)
{
	struct puzzle *z = (struct puzzle *)c;
	struct packet p;

	assert_true(packet_decode(f->data, LINK_ETHERNET, 0, f->wire_len, &p));
	assert_true(p.fragment && !(p.anomalies & 1ull << ANOMALY_IPV4_BAD_CHECKSUM));
	z->passed++;
	if (p.ttl == 1 || p.dst_mac[5] != 5 || p.vlan_count || z->count == 8)
		return;
	z->piece[z->count].id = (uint16_t)p.fragment_id;
	z->piece[z->count].place = p.fragment_offset != 0;
	memcpy(z->piece[z->count++].data, p.fragment_body.data, p.fragment_body.len);
}

static const struct capture_ops puzzle_ops = {
	.forward = collect, .drop = no_drop, .inject = inject};

/* `way`: 0 it arrives, else how it does not. */
static void put_piece(struct wire *w, struct puzzle *z, const uint8_t *datagram, size_t from,
		      size_t len, unsigned way)
{
	struct frame_ip ip = {.src = DEVICE,
			      .dst = SERVER,
			      .proto = PROTO_UDP,
			      .id = 7,
			      .fragment = from ? (uint16_t)(from / 8) : 0x2000,
			      .ttl = way == 1 ? 1 : 64};
	struct frame f = {.time_ns = w->now_ns += MILLISECOND, .ifindex = 1};
	uint8_t *bytes;

	f.data = frame_ipv4(&ip, datagram + from, len);
	bytes = (uint8_t *)(uintptr_t)f.data.data;
	memcpy(bytes, way == 2 ? "\2\0\0\0\0\6\2\0\0\0\0\1" : "\2\0\0\0\0\5\2\0\0\0\0\1", 12);
	f.wire_len = (uint32_t)f.data.len;
	engine_burst(w->engine, &z->capture, &f, 1);
	z->frames[z->sent++] = bytes;
}

/*
 * Two datagrams of one identification, that may both pass: a question, and something for another
 * port. Of either the receiver gets one piece; put together they were an order.
 */
static void pieces_of_two_do_not_mix(void **state)
{
	static const uint8_t ask[48] = "\x9c\x40\0\xa1\0\x30\0\0"
				       "\x30\x26\2\1\0\4\6public\xa0\x19\2\1\1\2\1\0\2\1\0"
				       "\x30\x0e\x30\x0c\6\x08\x2b\6\1\2\1\1\5\0\5\0";
	struct wire *w = wire_new();

	for (unsigned i = 0; i < 6; i++) {
		struct puzzle z = {.capture = {&puzzle_ops}};
		uint8_t other[48];
		unsigned way = i / 2 % 3;

		memcpy(other, ask, sizeof(other));
		other[2] = 4000 >> 8;
		other[3] = 4000 & 0xff;
		other[21] = 0xa3; /* a set-request */
		wire_open(w, i & 1);
		put_piece(w, &z, ask, 0, 16, 0);
		put_piece(w, &z, ask, 16, 32, way);
		if (way == 0)
			z.count = 1; /* the second was lost */
		put_piece(w, &z, other, 0, 16, way);
		put_piece(w, &z, other, 16, 32, 0);
		for (unsigned a = 0; a < z.count; a++)
			for (unsigned b = 0; b < z.count; b++)
				if (z.piece[a].place == 0 && z.piece[b].place == 1 &&
				    z.piece[a].id == z.piece[b].id && z.piece[a].data[3] == 161 &&
				    z.piece[b].data[5] == 0xa3)
					fail_msg("case %u: a forbidden datagram arrived whole", i);
		if (way == 0)
			assert_int_equal(z.passed, 4);
		engine_finish(w->engine, &z.capture);
		engine_free(w->engine);
		while (z.sent)
			free(z.frames[--z.sent]);
	}
	wire_free(w);
}

/* More is under way than is kept of an end, and some of it is lost behind us: it goes on all the same. */
static void a_long_way_stops_nobody(void **state)
{
	const uint32_t window = WINDOW << 7;
	struct bytes m = kinds[0].good;
	struct wire *w = wire_new();

	for (unsigned i = 0; i < 2; i++) {
		const uint32_t total = 20000 * (uint32_t)m.len;
		struct segment s = {.seq = 999, .flags = TCP_SYN, .scaled = true};
		uint32_t next = 0, acked = 0, most = 0;
		uint8_t *all = malloc(total);

		assert_non_null(all);
		for (uint32_t at = 0; at < total; at += (uint32_t)m.len)
			memcpy(all + at, m.data, m.len);
		wire_open(w, i);
		send(w, &kinds[0], &s);
		send(w, &kinds[0],
		     &(struct segment){.end = 1,
				       .seq = 4999,
				       .ack = 1000,
				       .scaled = true,
				       .flags = TCP_SYN | TCP_ACK});
		s = (struct segment){.seq = 1000, .ack = 5000, .flags = TCP_ACK};
		send(w, &kinds[0], &s);
		for (unsigned turn = 0; acked < total; turn++) {
			/* The first of a window is lost, the rest arrives; then that comes once more. */
			for (next = acked; next < total && next - acked < window;
			     next += s.data.len) {
				s.seq = 1000 + next;
				s.data = (struct bytes){all + next,
							total - next < 1400 ? total - next : 1400};
				if (!send(w, &kinds[0], &s) && next > acked)
					break;
			}
			most = next - acked > most ? next - acked : most;
			s.seq = 1000 + acked;
			s.data = (struct bytes){all + acked,
						total - acked < 1400 ? total - acked : 1400};
			if (!send(w, &kinds[0], &s) || turn > 1000)
				fail_msg("fail: %s: no repetition passes after %u bytes\n%s",
					 i ? "open" : "closed", most, w->said);
			acked = next;
			send(w, &kinds[0],
			     &(struct segment){
				     .end = 1, .seq = 5000, .ack = 1000 + acked, .flags = TCP_ACK});
		}
		assert_true(most > 1000000);
		assert_null(strstr(w->said, "hl7.framing"));
		free(all);
		wire_close(w);
	}
	wire_free(w);
}

/* More holes than are kept apart. */
static void many_holes_hide_nothing(void **state)
{
	struct wire *w = wire_new();

	for (unsigned n = 0, i = 0; n < KINDS * 4; i = next_case(++n, KINDS * 4)) {
		const struct kind *k = &kinds[i / 4];
		struct plan p = {.kind = k, .count = 1, .bad = {true}};
		struct sender t = {.w = w};

		append(&p, k->good, k->good);
		append(&p, k->good, k->good);
		p.at[0] = p.len;
		append(&p, k->bad, k->good);
		t.plan = &p;
		dice = i + 1;
		turn(w, i);
		w->receiver = &t.r;
		greet(&t);
		for (uint32_t at = 1; at < p.len; at += 2)
			give(&t, t.first + at, TCP_ACK, p.real + at, 1, false);
		for (uint32_t at = 0; at < p.len; at += 2) {
			give(&t, t.first + at, TCP_ACK, p.real + at, 1, false);
			if (i & 2)
				confirm(&t);
		}
		for (uint32_t at = 0; i & 2 && at < p.len; at++)
			give(&t, t.first + at, TCP_ACK, p.real + at, 1, false);
		if (arrived(&p, &t.r, t.first))
			fail_msg("%s, case %u: a forbidden message arrived whole", k->name, i);
	}
	wire_close(w);
	wire_free(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rest_is_not_read_anew),
		cmocka_unit_test(a_false_beginning_hides_nothing),
		cmocka_unit_test(a_pick_up_hides_nothing),
		cmocka_unit_test(an_early_end_hides_nothing),
		cmocka_unit_test(a_half_closed_one_hides_nothing),
		cmocka_unit_test(a_flood_hides_nothing),
		cmocka_unit_test(a_silence_hides_nothing),
		cmocka_unit_test(pieces_of_two_do_not_mix),
		cmocka_unit_test(a_long_way_stops_nobody),
		cmocka_unit_test(many_holes_hide_nothing),
		cmocka_unit_test(however_it_is_delivered),
	};

	first_seed = argc > 1 ? strtoul(argv[1], NULL, 10) : first_seed;
	how_many = argc > 2 ? strtoul(argv[2], NULL, 10) : how_many;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
