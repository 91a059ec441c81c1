/*
 * What a packet costs in the first rooms of the guard, in nanoseconds: decode,
 * and the flow table with a thousand and with a million flows alive. With a
 * capture file as argument: reading it, and reading, decoding and following it,
 * beside a bare read by libpcap.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "guard/capture/capture.h"
#include "guard/flow/flow.h"

#define BURST	64
#define FRAMES	4096 /* distinct bytes, so that the branch predictor learns no single packet */
#define PACKETS 20000000u

static uint8_t frames[FRAMES][128];

static void put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put32(uint8_t *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b + 2, v & 0xffff);
}

/* An established TCP segment or a UDP datagram of flow `n`, 114 bytes long. */
static void make(uint8_t *b, uint32_t n)
{
	bool tcp = n & 1;
	uint32_t sum = 0;

	memset(b, 0, 128);
	memcpy(b, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	b[14] = 0x45;
	put16(b + 16, 100);
	b[22] = 64;
	b[23] = tcp ? PROTO_TCP : PROTO_UDP;
	put32(b + 26, 0x0a000000 + n / 50000);
	put32(b + 30, 0x0a800001);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(b + 24, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
	put16(b + 34, 1024 + n % 50000);
	put16(b + 36, tcp ? 443 : 24105);
	if (tcp) {
		b[46] = 0x50;
		b[47] = TCP_ACK;
		put16(b + 48, 8192);
	} else {
		put16(b + 38, 80);
	}
}

/* Time on the processor, so that a busy machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static double since(uint64_t start, uint64_t n)
{
	return (double)(cpu_ns() - start) / (double)n;
}

static void bench_decode(void)
{
	uint64_t start, sum = 0;
	struct packet p;

	start = cpu_ns();
	for (uint32_t i = 0; i < PACKETS; i++) {
		packet_decode((struct bytes){frames[i % FRAMES], 114}, LINK_ETHERNET, i, 114, &p);
		sum += p.payload.len + p.anomalies;
	}
	printf("decode                 %6.1f ns/packet (%llu)\n", since(start, PACKETS),
	       (unsigned long long)sum & 1);
}

/* Packets of flows taken at random, as from a table that no cache holds. */
static void bench_flows(uint32_t flows)
{
	struct flow_table *t = flow_table_new(flows, NULL, NULL, NULL);
	uint64_t start = 0, now = 1000000000, total = flows > 100000 ? PACKETS / 2 : PACKETS;
	struct flow_hint hints[BURST];
	struct packet p[BURST];
	uint32_t random = 1;
	uint8_t end;

	if (!t)
		exit(1);
	for (uint64_t n = 0; n < flows + total; n += BURST) {
		if (n < flows + BURST && n >= flows)
			start = cpu_ns();
		for (unsigned i = 0; i < BURST; i++) {
			uint32_t which = n < flows ? (uint32_t)(n + i) % flows : random % flows;
			/* even ones are UDP, odd ones TCP: a flow keeps its protocol */
			uint8_t *b = frames[(2 * (n + i) + which % 2) % FRAMES];

			random = random * 1664525 + 1013904223;
			random ^= random >> 15;
			/* Only what the key is made of changes; the sum is off, and nobody asks. */
			put32(b + 26, 0x0a000000 + which / 50000);
			put16(b + 34, 1024 + which % 50000);
			packet_decode((struct bytes){b, 114}, LINK_ETHERNET, now += 250, 114,
				      &p[i]);
			flow_hint(t, &p[i], 0, &hints[i]);
		}
		for (unsigned i = 0; i < BURST; i++)
			flow_prefetch(t, &hints[i]);
		for (unsigned i = 0; i < BURST; i++)
			flow_find(t, &p[i], &hints[i], &end);
		flow_expire(t, now, BURST);
	}
	printf("decode + flow, %7u %6.1f ns/packet (%u alive)\n", flows, since(start, total),
	       flow_count(t));
	flow_table_free(t);
}

static void bench_libpcap(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, error);
	uint64_t start = cpu_ns(), n = 0;
	struct pcap_pkthdr *h;
	const u_char *data;

	if (!p)
		return;
	while (pcap_next_ex(p, &h, &data) == 1)
		n++;
	printf("libpcap, bare          %6.1f ns/packet (%llu packets)\n", since(start, n),
	       (unsigned long long)n);
	pcap_close(p);
}

static void follow(struct flow_table *t, const struct frame *f, unsigned n)
{
	static struct flow_hint hints[BURST];
	static struct packet p[BURST];
	uint8_t end;

	for (unsigned i = 0; i < n; i++) {
		packet_decode(f[i].data, f[i].link, f[i].time_ns, f[i].wire_len, &p[i]);
		flow_hint(t, &p[i], 0, &hints[i]);
	}
	for (unsigned i = 0; i < n; i++)
		flow_prefetch(t, &hints[i]);
	for (unsigned i = 0; i < n; i++)
		flow_find(t, &p[i], &hints[i], &end);
}

static void bench_file(const char *path, bool all)
{
	struct flow_table *t = flow_table_new(1000000, NULL, NULL, NULL);
	uint64_t start = cpu_ns(), n = 0;
	struct frame f[BURST];
	char error[256];
	struct capture *c = capture_pcap_open(path, false, error);
	int got;

	if (!c || !t) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	while ((got = c->ops->receive(c, f, BURST)) > 0) {
		if (all)
			follow(t, f, (unsigned)got);
		for (int i = 0; i < got; i++)
			c->ops->forward(c, &f[i], 0);
		n += (unsigned)got;
	}
	printf("%s %6.1f ns/packet (%llu packets, %u flows)\n",
	       all ? "read + decode + flow  " : "read                  ", since(start, n),
	       (unsigned long long)n, flow_count(t));
	c->ops->close(c);
	flow_table_free(t);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		for (int i = 0; i < 2; i++) {
			bench_libpcap(argv[1]);
			bench_file(argv[1], false);
			bench_file(argv[1], true);
		}
		return 0;
	}
	for (uint32_t i = 0; i < FRAMES; i++)
		make(frames[i], i);
	bench_decode();
	bench_flows(1000);
	bench_flows(1000000);
	return 0;
}
