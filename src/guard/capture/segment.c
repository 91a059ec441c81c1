#include "guard/capture/segment.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/sum.h"

#define ETH 14
enum { HOP_BY_HOP = 0, TCP = 6, DESTINATION = 60 };
enum { FIN = 1, PSH = 8, CWR = 128 };

static uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void store16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool find_tcp4(struct segment *s, const uint8_t *f, size_t len)
{
	size_t head;

	if (len - s->ip < 20)
		return false;
	head = (size_t)(f[s->ip] & 15) * 4;
	if (f[s->ip] >> 4 != 4 || head < 20 || f[s->ip + 9] != TCP ||
	    (load16(f + s->ip + 6) & 0x3fff))
		return false;
	s->tcp = s->ip + head;
	return true;
}

static bool find_tcp6(struct segment *s, const uint8_t *f, size_t len)
{
	uint8_t next;

	if (len - s->ip < 40 || f[s->ip] >> 4 != 6)
		return false;
	next = f[s->ip + 6];
	s->tcp = s->ip + 40;
	while (next == HOP_BY_HOP || next == DESTINATION) {
		if (s->tcp + 8 > len)
			return false;
		next = f[s->tcp];
		s->tcp += (size_t)(f[s->tcp + 1] + 1) * 8;
	}
	return next == TCP;
}

bool segment_begin(struct segment *s, struct bytes frame, uint16_t mss)
{
	const uint8_t *f = frame.data;
	size_t len = frame.len;
	uint16_t type;

	*s = (struct segment){.frame = frame, .ip = ETH, .mss = mss};
	if (len < ETH || mss == 0)
		return false;
	type = load16(f + 12);
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		if (len - s->ip < 4)
			return false;
		type = load16(f + s->ip + 2);
		s->ip += 4;
	}
	s->v6 = type == 0x86dd;
	if (s->v6 ? !find_tcp6(s, f, len) : type != 0x0800 || !find_tcp4(s, f, len))
		return false;
	if (s->tcp + 20 > len)
		return false;
	s->payload = s->tcp + (size_t)(f[s->tcp + 12] >> 4) * 4;
	return s->payload >= s->tcp + 20 && s->payload < len && s->payload <= SEGMENT_HEAD_MAX;
}

static void fix_ip(const struct segment *s, uint8_t *out, size_t len)
{
	uint8_t *ip = out + s->ip;
	uint16_t sum;

	if (s->v6) {
		store16(ip + 4, len - s->ip - 40);
		return;
	}
	store16(ip + 2, len - s->ip);
	store16(ip + 4, load16(ip + 4) + s->number);
	store16(ip + 10, 0);
	sum = (uint16_t)~sum_fold(sum_add(0, ip, s->tcp - s->ip));
	memcpy(ip + 10, &sum, 2);
}

static void fix_tcp(const struct segment *s, uint8_t *out, size_t len, bool last)
{
	uint8_t *tcp = out + s->tcp;
	const uint8_t *addresses = out + s->ip + (s->v6 ? 8 : 12);
	uint32_t seq;
	uint64_t sum;
	uint16_t folded;

	memcpy(&seq, tcp + 4, 4);
	seq = htonl(ntohl(seq) + (uint32_t)s->next);
	memcpy(tcp + 4, &seq, 4);
	if (!last)
		tcp[13] &= (uint8_t) ~(FIN | PSH);
	if (s->next)
		tcp[13] &= (uint8_t)~CWR; /* RFC 3168 §6.1.2: once */
	store16(tcp + 16, 0);
	sum = sum_add(0, addresses, s->v6 ? 32 : 8) + htons(TCP) + htons((uint16_t)(len - s->tcp));
	folded = (uint16_t)~sum_fold(sum_add(sum, tcp, len - s->tcp));
	memcpy(tcp + 16, &folded, 2);
}

int segment_next(struct segment *s, uint8_t *out, size_t cap)
{
	size_t left = s->frame.len - s->payload - s->next;
	size_t part = left < s->mss ? left : s->mss, len = s->payload + part;

	if (left == 0)
		return 0;
	if (len > cap)
		return -EMSGSIZE;
	memcpy(out, s->frame.data, s->payload);
	memcpy(out + s->payload, s->frame.data + s->payload + s->next, part);
	fix_ip(s, out, len);
	fix_tcp(s, out, len, part == left);
	s->next += part;
	s->number++;
	return (int)len;
}
