/*
 * Two tools in one for measuring `inspect -r`:
 *
 *   bench-capture make FILE MB [FLOWS]   writes a capture of a busy ward
 *   bench-capture read FILE              reads it with libpcap and nothing else
 *
 * The mix follows what a ward's uplink carries by packets: vital signs over UDP
 * (300 bytes, a few dozen long conversations), TCP transfers with full segments
 * and bare ACKs, short HTTP-, MQTT- and HL7-sized exchanges, DNS, some IPv6,
 * VLAN tags, ARP, and a fragment now and then. Always the same for the same
 * arguments.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define FLOWS_DEFAULT 20000

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * below >> 32);
}

struct conversation {
	uint32_t client, server; /* host numbers */
	uint16_t sport, dport;
	uint32_t seq[2];
	uint32_t sent;	 /* packets so far */
	uint32_t length; /* packets until it ends and another takes its place */
	uint16_t size;	 /* payload of a data packet */
	uint8_t proto;
	uint8_t v6, vlan;
};

static void begin(struct conversation *c)
{
	static const struct {
		uint8_t proto;
		uint16_t port, size;
		uint32_t length, weight;
	} kinds[] = {
		{17, 24105, 272, 100000, 30}, {6, 104, 1400, 3000, 12}, {6, 2575, 700, 14, 12},
		{6, 1883, 90, 40, 12},	      {6, 443, 1200, 60, 14},	{17, 53, 60, 2, 14},
		{6, 80, 500, 20, 6},
	};
	uint32_t pick = draw(100), i = 0;

	while (i < 6 && pick >= kinds[i].weight)
		pick -= kinds[i++].weight;
	*c = (struct conversation){
		.client = draw(4000),
		.server = draw(60),
		.sport = (uint16_t)(1024 + draw(64000)),
		.dport = kinds[i].port,
		.seq = {draw(1u << 31), draw(1u << 31)},
		.length = kinds[i].length,
		.size = kinds[i].size,
		.proto = kinds[i].proto,
		.v6 = draw(10) == 0,
		.vlan = draw(10) == 0,
	};
}

static void write_ip(struct writer *w, const struct conversation *c, bool back, size_t payload)
{
	uint32_t host[2] = {c->client, c->server};
	size_t l4 = payload + (c->proto == 6 ? 20 : 8);
	uint32_t sum = 0;
	size_t at;

	if (c->v6) {
		write_be32(w, 0x60000000);
		write_be16(w, (uint16_t)l4);
		write_u8(w, c->proto);
		write_u8(w, 64);
		for (int i = 0; i < 2; i++) {
			int end = back ? 1 - i : i;

			write_be32(w, 0xfd000000);
			write_be32(w, (uint32_t)end);
			write_be32(w, 0);
			write_be32(w, host[end]);
		}
		return;
	}
	at = w->len;
	write_be16(w, 0x4500);
	write_be16(w, (uint16_t)(20 + l4));
	write_be32(w, draw(65536) << 16 | 0x4000);
	write_u8(w, 64);
	write_u8(w, c->proto);
	write_be16(w, 0);
	for (int i = 0; i < 2; i++) {
		int end = back ? 1 - i : i;

		write_be32(w, 0x0a000000 | (uint32_t)end << 20 | host[end]);
	}
	for (size_t i = at; i < at + 20; i += 2)
		sum += (uint32_t)(w->data[i] << 8 | w->data[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	w->data[at + 10] = (uint8_t)(sum >> 8);
	w->data[at + 11] = (uint8_t)sum;
}

static void write_frame(struct writer *w, struct conversation *c)
{
	static const uint8_t filler[1460];
	bool tcp = c->proto == 6, back, last = c->sent + 2 >= c->length;
	size_t payload = c->size;
	uint8_t flags = 0x18;

	/* TCP: handshake, then two data packets for every ACK; UDP: nine out, one back. */
	if (tcp) {
		back = c->sent == 1 || (c->sent > 2 && c->sent % 3 == 2);
		if (c->sent < 3)
			flags = c->sent == 0 ? 0x02 : c->sent == 1 ? 0x12 : 0x10;
		else if (last)
			flags = 0x11;
		if (c->sent < 3 || back || last)
			payload = 0;
		if (payload == 0 && flags == 0x18)
			flags = 0x10;
	} else {
		back = c->length == 2 ? c->sent == 1 : c->sent % 10 == 9;
	}
	write_bytes(w, back ? "\x02\0\0\0\0\x01" : "\x02\0\0\0\0\x02", 6);
	write_bytes(w, back ? "\x02\0\0\0\0\x02" : "\x02\0\0\0\0\x01", 6);
	if (c->vlan)
		write_be32(w, 0x81000064);
	write_be16(w, c->v6 ? 0x86dd : 0x0800);
	write_ip(w, c, back, payload);
	write_be16(w, back ? c->dport : c->sport);
	write_be16(w, back ? c->sport : c->dport);
	if (tcp) {
		write_be32(w, c->seq[back]);
		write_be32(w, flags == 0x02 ? 0 : c->seq[!back]);
		write_be16(w, (uint16_t)(0x5000 | flags));
		write_be16(w, 0xffff);
		write_be32(w, 0);
		c->seq[back] += (uint32_t)payload + (flags & 3 ? 1 : 0);
	} else {
		write_be16(w, (uint16_t)(8 + payload));
		write_be16(w, 0);
	}
	write_bytes(w, filler, payload);
	if (++c->sent >= c->length)
		begin(c);
}

static void write_arp(struct writer *w)
{
	write_bytes(w, "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x02\x08\x06\0\x01\x08\0\x06\x04\0\x01",
		    22);
	write_bytes(w, "\x02\0\0\0\0\x02", 6);
	write_be32(w, 0x0a000001);
	write_bytes(w, "\0\0\0\0\0\0", 6);
	write_be32(w, 0x0a100000 | draw(60));
}

static int make(const char *path, uint64_t bytes, uint32_t flows)
{
	struct conversation *c = calloc(flows, sizeof(*c));
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *out = c && p ? pcap_dump_open(p, path) : NULL;
	uint64_t written = 24, packets = 0;

	if (!out) {
		fprintf(stderr, "%s: %s\n", path, p ? pcap_geterr(p) : strerror(errno));
		return 1;
	}
	for (uint32_t i = 0; i < flows; i++)
		begin(&c[i]);
	while (written < bytes) {
		uint8_t frame[1600];
		struct writer w = writer_new(frame, sizeof(frame));
		struct pcap_pkthdr h = {0};

		/* A tenth of the conversations carry most packets, as they do on a wire. */
		if (packets % 2000 == 1999)
			write_arp(&w);
		else
			write_frame(&w, &c[draw(10) ? draw(flows / 10 + 1) % flows : draw(flows)]);
		h.ts.tv_sec = 1700000000 + (time_t)(packets / 20000);
		h.ts.tv_usec = (suseconds_t)(packets % 20000 * 50);
		h.caplen = h.len = (uint32_t)w.len;
		pcap_dump((uint8_t *)out, &h, frame);
		written += 16 + w.len;
		packets++;
	}
	if (pcap_dump_flush(out) != 0) {
		perror(path);
		return 1;
	}
	pcap_dump_close(out);
	pcap_close(p);
	free(c);
	printf("%llu\n", (unsigned long long)packets);
	return 0;
}

static int just_read(const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, error);
	struct pcap_pkthdr *h;
	const uint8_t *data;
	uint64_t packets = 0, sum = 0;

	if (!p) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	while (pcap_next_ex(p, &h, &data) == 1) {
		packets++;
		sum += data[h->caplen - 1];
	}
	pcap_close(p);
	printf("%llu %llu\n", (unsigned long long)packets, (unsigned long long)sum);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return just_read(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], strtoull(argv[3], NULL, 10) << 20,
			    argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : FLOWS_DEFAULT);
	fprintf(stderr, "usage: bench-capture make FILE MB [FLOWS] | read FILE\n");
	return 2;
}
