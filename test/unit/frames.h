#ifndef BEDWARDEN_TEST_FRAMES_H
#define BEDWARDEN_TEST_FRAMES_H
/* Frames made by hand: from hex text, or field by field with right lengths and checksums. */
#include <stdio.h>

#include "guard/decode/packet.h"
#include "unit.h"

/* Hex digits, everything else is for the eye. The caller frees data. */
static inline struct bytes frame_hex(const char *text)
{
	uint8_t out[4096];
	size_t n = 0;
	int high = -1;

	for (; *text; text++) {
		int d = *text >= '0' && *text <= '9'   ? *text - '0'
			: *text >= 'a' && *text <= 'f' ? *text - 'a' + 10
						       : -1;
		if (d < 0)
			continue;
		if (high < 0) {
			high = d;
		} else {
			assert_true(n < sizeof(out));
			out[n++] = (uint8_t)(high << 4 | d);
			high = -1;
		}
	}
	assert_int_equal(high, -1);
	return unit_exact(out, n);
}

#define FRAME_ETHERNET "020000000002 020000000001"

static inline uint16_t frame_sum(const uint8_t *b, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

struct frame_ip {
	uint32_t src, dst; /* IPv4, host order */
	uint8_t proto;
	uint16_t id, fragment; /* the field: flags and offset in eights */
	uint8_t ttl;	       /* 0: 64 */
};

/* Ethernet and IPv4 around a body. The caller frees data. */
static inline struct bytes frame_ipv4(const struct frame_ip *ip, const void *body, size_t len)
{
	uint8_t out[70000];
	struct writer w = writer_new(out, sizeof(out));
	uint16_t sum;

	write_bytes(&w, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	write_be16(&w, 0x4500);
	write_be16(&w, (uint16_t)(20 + len));
	write_be16(&w, ip->id);
	write_be16(&w, ip->fragment);
	write_u8(&w, ip->ttl ? ip->ttl : 64);
	write_u8(&w, ip->proto);
	write_be16(&w, 0);
	write_be32(&w, ip->src);
	write_be32(&w, ip->dst);
	sum = frame_sum(out + 14, 20);
	out[24] = (uint8_t)(sum >> 8);
	out[25] = (uint8_t)sum;
	write_bytes(&w, body, len);
	assert_false(w.bad);
	return unit_exact(out, w.len);
}

struct frame_tcp {
	uint16_t src, dst;
	uint32_t seq, ack;
	uint8_t flags;
};

static inline struct bytes frame_ipv4_tcp(uint32_t src, uint32_t dst, const struct frame_tcp *t,
					  size_t payload)
{
	uint8_t out[2048] = {0};
	struct writer w = writer_new(out, sizeof(out));
	struct frame_ip ip = {.src = src, .dst = dst, .proto = PROTO_TCP};

	write_be16(&w, t->src);
	write_be16(&w, t->dst);
	write_be32(&w, t->seq);
	write_be32(&w, t->ack);
	write_be16(&w, (uint16_t)(0x5000 | t->flags));
	write_be16(&w, 8192);
	write_be32(&w, 0);
	assert_true(w.len + payload <= sizeof(out));
	return frame_ipv4(&ip, out, w.len + payload);
}

static inline struct bytes frame_ipv4_udp(uint32_t src, uint16_t sport, uint32_t dst,
					  uint16_t dport, const void *payload, size_t len)
{
	uint8_t out[2048];
	struct writer w = writer_new(out, sizeof(out));
	struct frame_ip ip = {.src = src, .dst = dst, .proto = PROTO_UDP};

	write_be16(&w, sport);
	write_be16(&w, dport);
	write_be16(&w, (uint16_t)(8 + len));
	write_be16(&w, 0);
	write_bytes(&w, payload, len);
	assert_false(w.bad);
	return frame_ipv4(&ip, out, w.len);
}

#endif
