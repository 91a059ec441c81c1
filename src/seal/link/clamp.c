#include "seal/link/clamp.h"

#define ETH_IP4	   0x0800
#define ETH_IP6	   0x86dd
#define ETH_VLAN   0x8100
#define ETH_QINQ   0x88a8
#define IP_TCP	   6
#define TCP_SYN	   0x02
#define TCP_MIN	   20
#define OPTION_MSS 2
#define MSS_LEAST  536 /* RFC 9293 §3.7.1: what is assumed without the option */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Skips the extension headers; false where TCP is not next or this is a later fragment. */
static bool skip_ip6(struct reader *r)
{
	uint8_t next;

	read_skip(r, 6);
	next = read_u8(r);
	read_skip(r, 33);
	for (int i = 0; i < 8 && !r->bad; i++) {
		uint8_t type = next;

		if (type == IP_TCP)
			return true;
		if (type != 0 && type != 43 && type != 60) /* hop by hop, routing, destination */
			return false;
		next = read_u8(r);
		read_skip(r, 6u + 8u * read_u8(r));
	}
	return false;
}

static bool skip_ip4(struct reader *r)
{
	struct bytes h = read_bytes(r, 20);
	unsigned words;

	if (r->bad)
		return false;
	words = h.data[0] & 0xf;
	if (h.data[0] >> 4 != 4 || words < 5 || h.data[9] != IP_TCP || be16(h.data + 6) & 0x1fff)
		return false;
	read_skip(r, (words - 5) * 4);
	return !r->bad;
}

/* To where TCP begins; 0: there is none. */
static size_t find_tcp(uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	uint16_t type;

	read_skip(&r, 12);
	type = read_be16(&r);
	for (int i = 0; i < 2 && (type == ETH_VLAN || type == ETH_QINQ); i++) {
		read_skip(&r, 2);
		type = read_be16(&r);
	}
	if (type == ETH_IP4 ? !skip_ip4(&r) : type != ETH_IP6 || !skip_ip6(&r))
		return 0;
	return r.bad ? 0 : r.off;
}

/* The option's value among a SYN's; NULL: it has none. */
static uint8_t *find_mss(uint8_t *tcp, size_t len)
{
	size_t at = TCP_MIN;

	while (at + 4 <= len) {
		uint8_t kind = tcp[at];

		if (kind == 0)
			return NULL;
		if (kind == 1) {
			at++;
			continue;
		}
		if (kind == OPTION_MSS)
			return tcp[at + 1] == 4 ? tcp + at + 2 : NULL;
		if (tcp[at + 1] < 2)
			return NULL;
		at += tcp[at + 1];
	}
	return NULL;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). At an odd place the bytes count swapped. */
static void fix_sum(uint8_t *sum, const uint8_t was[2], const uint8_t is[2], bool odd)
{
	uint32_t old = odd ? (uint32_t)(was[1] << 8 | was[0]) : be16(was);
	uint32_t new = odd ? (uint32_t)(is[1] << 8 | is[0]) : be16(is);
	uint32_t x = (uint16_t)~be16(sum);

	x += (uint16_t)~old;
	x += new;
	x = (x & 0xffff) + (x >> 16);
	x = (x & 0xffff) + (x >> 16);
	x = ~x & 0xffff;
	sum[0] = (uint8_t)(x >> 8);
	sum[1] = (uint8_t)x;
}

bool clamp_frame(uint8_t *data, size_t len, size_t frame, bool partial)
{
	size_t off = find_tcp(data, len), head;
	uint8_t *tcp = data + off, *mss, was[2];
	uint32_t most;

	if (!off || len - off < TCP_MIN || !(tcp[13] & TCP_SYN))
		return false;
	head = (size_t)(tcp[12] >> 4) * 4;
	if (head < TCP_MIN || head > len - off)
		return false;
	mss = find_mss(tcp, head);
	if (!mss || frame < off + TCP_MIN + MSS_LEAST)
		return false;
	most = (uint32_t)(frame - off - TCP_MIN);
	if (be16(mss) <= most)
		return false;
	memcpy(was, mss, 2);
	mss[0] = (uint8_t)(most >> 8);
	mss[1] = (uint8_t)most;
	if (!partial)
		fix_sum(tcp + 16, was, mss, (mss - tcp) & 1);
	return true;
}
