/*
 * How fast a DICOM association passes: one C-STORE of 512 MB in PDUs of 16 KiB,
 * cut into segments of 1,400 bytes. Once the parser alone, as a conversation
 * drives it; once the whole engine, from frames with their acknowledgements
 * between them, to verdicts. Bits are those of the segments' payloads; time is
 * the processor's. Rows of the table that `./dev bench` prints.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "guard/engine.h"
#include "guard/proto/talk.h"

#define SEGMENT	  1400
#define TOTAL	  (512ull << 20)
#define FRAGMENT  16372 /* of a data set, in a PDU of 16,384 bytes */
#define PDU	  (FRAGMENT + 12)
#define BURST	  32
#define HEADERS	  54
#define FRAME_MAX (HEADERS + SEGMENT)

static const char requester[16] = "CT1             ", acceptor[16] = "ARCHIVE         ";

static void put32(struct writer *w, uint32_t v)
{
	write_be32(w, v);
}

static void le32(struct writer *w, uint32_t v)
{
	uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};

	write_bytes(w, b, 4);
}

static void item(struct writer *w, uint16_t type, const char *text)
{
	write_be16(w, (uint16_t)(type << 8));
	write_be16(w, (uint16_t)strlen(text));
	write_bytes(w, text, strlen(text));
}

/* One presentation context, CT in Explicit VR Little Endian, offered or accepted. */
static struct bytes association(uint8_t buf[256], bool accept)
{
	struct writer w = writer_new(buf, 256);
	static const uint8_t reserved[32];

	write_be16(&w, accept ? 0x0200 : 0x0100);
	put32(&w, 68 + 25 + (accept ? 31 : 60));
	put32(&w, 0x00010000);
	write_bytes(&w, acceptor, 16);
	write_bytes(&w, requester, 16);
	write_bytes(&w, reserved, 32);
	item(&w, 0x10, "1.2.840.10008.3.1.1.1");
	write_be16(&w, accept ? 0x2100 : 0x2000);
	write_be16(&w, accept ? 27 : 56);
	put32(&w, 0x01000000);
	if (!accept)
		item(&w, 0x30, "1.2.840.10008.5.1.4.1.1.2");
	item(&w, 0x40, "1.2.840.10008.1.2.1");
	return (struct bytes){buf, w.len};
}

static void number(struct writer *w, uint32_t element, uint16_t v)
{
	le32(w, element << 16);
	le32(w, 2);
	write_u8(w, (uint8_t)v);
	write_u8(w, (uint8_t)(v >> 8));
}

static struct bytes store_request(uint8_t buf[256])
{
	struct writer w = writer_new(buf, 256);

	write_be16(&w, 0x0400);
	put32(&w, 6 + 34 + 4 * 10);
	put32(&w, 2 + 34 + 4 * 10);
	write_be16(&w, 0x0103);
	le32(&w, 0x00020000);
	le32(&w, 26);
	write_bytes(&w, "1.2.840.10008.5.1.4.1.1.2", 26);
	number(&w, 0x0100, 0x0001);
	number(&w, 0x0110, 1);
	number(&w, 0x0700, 0);
	number(&w, 0x0800, 1);
	return (struct bytes){buf, w.len};
}

/* The data set's PDUs from anywhere in them on: the same one again and again. */
struct source {
	uint8_t pdus[PDU + SEGMENT];
	uint64_t at;
};

static void source_init(struct source *s)
{
	struct writer w = writer_new(s->pdus, sizeof(s->pdus));

	memset(s->pdus, 0xa5, sizeof(s->pdus));
	write_be16(&w, 0x0400);
	put32(&w, PDU - 6);
	put32(&w, FRAGMENT + 2);
	write_be16(&w, 0x0100);
	memcpy(s->pdus + PDU, s->pdus, SEGMENT);
	s->at = 0;
}

static const uint8_t *source_next(struct source *s)
{
	const uint8_t *b = s->pdus + s->at % PDU;

	s->at += SEGMENT;
	return b;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void row(const char *what, uint64_t ns, uint64_t messages)
{
	uint64_t segments = TOTAL / SEGMENT;

	if (messages != 3) {
		fprintf(stderr, "bench-dicom: %llu messages, not 3\n",
			(unsigned long long)messages);
		exit(1);
	}
	printf("| DICOM at 1,400-byte segments, %s | %.0f Gbit/s, %.0f ns a segment "
	       "| >= 20 Gbit/s |\n",
	       what, (double)segments * SEGMENT * 8 / (double)ns, (double)ns / (double)segments);
}

/* The parser alone */

static void count(void *arg, const struct talk *t, const struct proto_input *in,
		  const struct msg *m)
{
	*(uint64_t *)arg += m->reason == REASON_NONE;
}

/* What was not taken comes again, with the next segment behind it. */
static void feed(struct talk *t, struct proto_input *in, struct bytes b, uint64_t *messages)
{
	static uint8_t held[4096];
	static size_t len;
	size_t used;

	in->data = b;
	if (len) {
		memcpy(held + len, b.data, b.len);
		in->data = (struct bytes){held, len + b.len};
	}
	talk_read(t, in, count, messages, &used);
	len = in->data.len - used;
	if (len)
		memmove(held, in->data.data + used, len);
}

static void bench_talk(struct source *s)
{
	struct proto_input in = {.port = {40000, 104}};
	struct talk *t = talk_new(proto_find("dicom"));
	uint64_t messages = 0, begun;
	uint8_t buf[256];

	if (!t)
		exit(1);
	feed(t, &in, association(buf, false), &messages);
	in.end = 1;
	feed(t, &in, association(buf, true), &messages);
	in.end = 0;
	feed(t, &in, store_request(buf), &messages);
	begun = cpu_ns();
	for (uint64_t n = 0; n < TOTAL / SEGMENT; n++)
		feed(t, &in, (struct bytes){source_next(s), SEGMENT}, &messages);
	row("parser alone", cpu_ns() - begun, messages);
	free(t);
}

/* The whole engine */

struct wire {
	struct engine *engine;
	struct capture capture;
	uint8_t frames[BURST][FRAME_MAX];
	struct frame list[BURST];
	unsigned count;
	uint32_t next[2]; /* sequence numbers */
	uint64_t now, spent;
};

static void flush(struct wire *w)
{
	uint64_t begun = cpu_ns();

	engine_burst(w->engine, &w->capture, w->list, w->count);
	w->spent += cpu_ns() - begun;
	w->count = 0;
}

static uint32_t sum(const uint8_t *b, size_t len, uint32_t s)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += (uint32_t)(b[i] << 8 | b[i + 1]);
	if (len & 1)
		s += (uint32_t)b[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

static void send_frame(struct wire *w, unsigned end, uint8_t flags, struct bytes b)
{
	uint8_t *f = w->frames[w->count];
	struct writer out = writer_new(f, FRAME_MAX);
	uint32_t s;

	write_bytes(&out, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0\x45\0", 16);
	write_be16(&out, (uint16_t)(40 + b.len));
	put32(&out, 0x00014000);
	put32(&out, 0x40060000);
	put32(&out, end ? 0x0a090005 : 0x0a09010c);
	put32(&out, end ? 0x0a09010c : 0x0a090005);
	write_be16(&out, end ? 104 : 40000);
	write_be16(&out, end ? 40000 : 104);
	put32(&out, w->next[end]);
	put32(&out, w->next[!end]);
	write_be16(&out, 0x5000 | flags);
	put32(&out, 0xfff00000);
	write_be16(&out, 0);
	write_bytes(&out, b.data, b.len);
	s = ~sum(f + 14, 20, 0);
	f[24] = (uint8_t)(s >> 8), f[25] = (uint8_t)s;
	s = ~sum(f + 34, 20 + b.len, sum(f + 26, 8, (uint32_t)(6 + 20 + b.len)));
	f[50] = (uint8_t)(s >> 8), f[51] = (uint8_t)s;
	w->next[end] += (uint32_t)b.len + (flags & TCP_SYN ? 1 : 0);
	w->list[w->count++] = (struct frame){.data = {f, out.len},
					     .time_ns = w->now += 1000,
					     .wire_len = (uint32_t)out.len,
					     .ifindex = 1,
					     .link = LINK_ETHERNET};
	if (w->count == BURST)
		flush(w);
}

static void forward(struct capture *c, const struct frame *f, uint32_t out_ifindex)
{
}

static void drop(struct capture *c, const struct frame *f)
{
}

static const struct capture_ops nowhere = {.forward = forward, .drop = drop};

static void told(void *arg, const char *line, size_t len)
{
	static const char type[] = "\"event_type\":\"dicom\"";

	*(uint64_t *)arg += memmem(line, len, type, sizeof(type) - 1) != NULL;
}

static void bench_engine(struct source *s)
{
	uint64_t messages = 0;
	struct engine_options o = {.max_flows = 1000,
				   .max_fragments = 64,
				   .timeouts = flow_default_timeouts,
				   .inline_ = true,
				   .packet_times = true,
				   .sink = told,
				   .sink_arg = &messages};
	static struct wire w = {.capture = {.ops = &nowhere}, .next = {1000, 2000}};
	static const struct bytes none;
	uint8_t buf[256];

	w.engine = engine_new(NULL, &o);
	w.now = 1700000000ull * NSEC_PER_SEC;
	if (!w.engine)
		exit(1);
	send_frame(&w, 0, TCP_SYN, none);
	send_frame(&w, 1, TCP_SYN | TCP_ACK, none);
	send_frame(&w, 0, TCP_ACK, association(buf, false));
	send_frame(&w, 1, TCP_ACK, association(buf, true));
	send_frame(&w, 0, TCP_ACK, store_request(buf));
	for (uint64_t n = 0; n < TOTAL / SEGMENT; n++) {
		send_frame(&w, 0, TCP_ACK, (struct bytes){source_next(s), SEGMENT});
		if (n % 2)
			send_frame(&w, 1, TCP_ACK, none);
	}
	flush(&w);
	row("whole engine", w.spent, messages);
	engine_free(w.engine);
}

int main(void)
{
	static struct source s;

	source_init(&s);
	bench_talk(&s);
	source_init(&s);
	bench_engine(&s);
	return 0;
}
