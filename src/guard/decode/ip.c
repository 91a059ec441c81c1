#include "base/sum.h"
#include "guard/decode/layer.h"

#define IPV4_MIN       20
#define IPV6_LEN       40
#define IP_MAX	       65535
#define EXTENSIONS_MAX 7 /* as many as the kernel's reader (bpf/parse.h) takes, of the same kinds */
#define TINY_FIRST_TCP 8 /* RFC 1858 §4: a second piece that begins inside the TCP header */

enum ipv4_option { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

enum ipv6_next {
	NEXT_HOP_BY_HOP = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_ESP = 50,
	NEXT_AH = 51,
	NEXT_NONE = 59,
	NEXT_DESTINATION = 60,
};

/* RFC 791 §3.1: a kind, then for all but two of them a length that counts both. */
static void check_ipv4_options(struct packet *p, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i < len && b[i] != OPTION_END) {
		size_t step = 1;

		if (b[i] == OPTION_LSRR || b[i] == OPTION_SSRR)
			anomaly_add(&p->anomalies, ANOMALY_IPV4_SOURCE_ROUTE);
		if (b[i] != OPTION_NOP) {
			if (len - i < 2 || b[i + 1] < 2 || b[i + 1] > len - i) {
				anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_OPTION);
				return;
			}
			step = b[i + 1];
		}
		i += step;
	}
}

/* Least bytes a first fragment must hold so that a transport can be judged by it. */
static size_t transport_min(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return 20;
	case PROTO_SCTP:
		return 12;
	case PROTO_UDP:
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return 8;
	}
	return 0;
}

static void check_fragment(struct packet *p, const struct layer *l)
{
	p->fragment_body = layer_bytes(l);
	if (p->fragment_more && l->wire % 8)
		anomaly_add(&p->anomalies, ANOMALY_FRAGMENT_BAD_LEN);
	if (p->fragment_offset + l->wire > IP_MAX)
		anomaly_add(&p->anomalies, ANOMALY_FRAGMENT_TOO_BIG);
	if (p->proto == PROTO_TCP && p->fragment_offset == TINY_FIRST_TCP)
		anomaly_add(&p->anomalies, ANOMALY_FRAGMENT_TINY);
}

static void check_ipv4_ends(struct packet *p, const uint8_t *src, const uint8_t *dst)
{
	if (src[0] >= 224)
		anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_SOURCE);
	if (!memcmp(src, dst, 4) && src[0] != 127 && src[0] != 0)
		anomaly_add(&p->anomalies, ANOMALY_IPV4_SAME_ENDS);
}

/* Has its sender left it to the card to say how long each piece is? */
static bool is_offloaded(const struct layer *l, size_t len)
{
	return l->offload && len == 0;
}

/* The header's length, 0 where it is none to go on from. */
static size_t ipv4_header(struct packet *p, const struct layer *l)
{
	size_t len = (l->at[0] & 15) * 4u;

	if (len < IPV4_MIN) {
		anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_HEADER_LEN);
		return 0;
	}
	if (!layer_need(p, l, len, ANOMALY_IPV4_TRUNCATED))
		return 0;
	if (sum_fold(sum_add(0, l->at, len)) != 0xffff && !is_offloaded(l, load_be16(l->at + 2)))
		anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_CHECKSUM);
	if (__builtin_expect(len > IPV4_MIN, 0))
		check_ipv4_options(p, l->at + IPV4_MIN, len - IPV4_MIN);
	return len;
}

/* RFC 791 §3.1 */
void layer_ipv4(struct packet *p, struct layer *l)
{
	const uint8_t *b = l->at;
	size_t header, total;
	uint16_t fragment;

	if (!layer_need(p, l, IPV4_MIN, ANOMALY_IPV4_TRUNCATED))
		return;
	if (b[0] >> 4 != 4) {
		anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_VERSION);
		return;
	}
	p->ip_version = 4;
	p->ttl = b[8];
	p->proto = b[9];
	packet_ip_map(b + 12, &p->src_ip);
	packet_ip_map(b + 16, &p->dst_ip);
	check_ipv4_ends(p, b + 12, b + 16);
	header = ipv4_header(p, l);
	if (!header)
		return;
	total = load_be16(b + 2);
	if (__builtin_expect(total < header, 0)) {
		if (!is_offloaded(l, total)) {
			anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_TOTAL_LEN);
			return;
		}
		p->offloaded = true;
		total = l->wire; /* holds the header, which was there */
	}
	if (total > l->wire)
		anomaly_add(&p->anomalies, ANOMALY_IPV4_BAD_TOTAL_LEN);
	layer_trim(l, total);
	layer_skip(l, header);
	p->l4 = layer_bytes(l);

	fragment = load_be16(b + 6);
	if (__builtin_expect(fragment & 0x3fff, 0)) {
		p->fragment = true;
		p->fragment_more = fragment & 0x2000;
		p->fragment_offset = (fragment & 0x1fffu) * 8;
		p->fragment_id = load_be16(b + 4);
		check_fragment(p, l);
		if (p->fragment_offset)
			return;
		if (l->wire < transport_min(p->proto))
			anomaly_add(&p->anomalies, ANOMALY_FRAGMENT_TINY);
	}
	layer_transport(p, l);
}

/* RFC 8200 §4.2: Pad1 is a lone zero, every other option has a length. */
static void check_ipv6_options(struct packet *p, const uint8_t *b, size_t len)
{
	size_t i = 2;

	while (i < len) {
		size_t step = 1;

		if (b[i]) {
			if (len - i < 2 || b[i + 1] > len - i - 2) {
				anomaly_add(&p->anomalies, ANOMALY_IPV6_BAD_OPTION);
				return;
			}
			step = b[i + 1] + 2u;
		}
		i += step;
	}
}

static bool is_extension(uint8_t next)
{
	switch (next) {
	case NEXT_HOP_BY_HOP:
	case NEXT_ROUTING:
	case NEXT_FRAGMENT:
	case NEXT_AH:
	case NEXT_DESTINATION:
		return true;
	}
	return false;
}

/* RFC 8200 §4.5. An atomic fragment is whole (RFC 6946). False where the chain ends here. */
static bool read_fragment(struct packet *p, struct layer *l, const uint8_t *next_at)
{
	const uint8_t *b = l->at;
	uint16_t field = load_be16(b + 2);

	if (p->fragment_header) {
		anomaly_add(&p->anomalies, ANOMALY_IPV6_FRAGMENT_NESTED);
		return false;
	}
	p->fragment_header = (uint16_t)(b - p->frame.data);
	p->fragment_next = (uint16_t)(next_at - p->frame.data);
	p->fragment_more = field & 1;
	p->fragment_offset = field & 0xfff8u;
	p->fragment_id = load_be32(b + 4);
	p->fragment = p->fragment_more || p->fragment_offset;
	p->proto = b[0];
	layer_skip(l, 8);
	if (p->fragment)
		check_fragment(p, l);
	return p->fragment_offset == 0;
}

static size_t extension_len(uint8_t next, const uint8_t *b)
{
	if (next == NEXT_FRAGMENT)
		return 8;
	if (next == NEXT_AH) /* RFC 4302 §2.2: in words of four, less two */
		return (b[1] + 2u) * 4;
	return (b[1] + 1u) * 8;
}

/* One extension header; false where the transport can't be reached through it. */
static bool read_extension(struct packet *p, struct layer *l, const uint8_t **next_at)
{
	const uint8_t *b = l->at;
	uint8_t next = p->proto;
	size_t len;

	if (!layer_need(p, l, 8, ANOMALY_IPV6_EXT_TRUNCATED))
		return false;
	len = extension_len(next, b);
	if (!layer_need(p, l, len, ANOMALY_IPV6_EXT_TRUNCATED))
		return false;
	if (next == NEXT_FRAGMENT) {
		bool on = read_fragment(p, l, *next_at);

		*next_at = b;
		return on;
	}
	if (next == NEXT_HOP_BY_HOP || next == NEXT_DESTINATION)
		check_ipv6_options(p, b, len);
	else if (next == NEXT_ROUTING && b[2] == 0) /* RFC 5095 */
		anomaly_add(&p->anomalies, ANOMALY_IPV6_ROUTING_0);
	p->proto = b[0];
	*next_at = b;
	layer_skip(l, len);
	return true;
}

/* Walks the chain; true with the layer at a transport's header. */
static bool read_extensions(struct packet *p, struct layer *l, const uint8_t *next_at)
{
	for (unsigned n = 0; is_extension(p->proto); n++) {
		if (n == EXTENSIONS_MAX) {
			anomaly_add(&p->anomalies, ANOMALY_IPV6_EXT_TOO_MANY);
			return false;
		}
		if (p->proto == NEXT_HOP_BY_HOP && n > 0)
			anomaly_add(&p->anomalies, ANOMALY_IPV6_EXT_ORDER);
		if (!read_extension(p, l, &next_at)) {
			p->l4 = layer_bytes(l);
			return false;
		}
	}
	p->l4 = layer_bytes(l);
	return true;
}

static void check_ipv6_ends(struct packet *p)
{
	static const struct gate_ip loopback = {.b[15] = 1};

	if (p->src_ip.b[0] == 0xff)
		anomaly_add(&p->anomalies, ANOMALY_IPV6_BAD_SOURCE);
	if (!memcmp(&p->src_ip, &p->dst_ip, sizeof(p->src_ip)) &&
	    memcmp(&p->src_ip, &loopback, sizeof(loopback)))
		anomaly_add(&p->anomalies, ANOMALY_IPV6_SAME_ENDS);
}

/*
 * How long is what follows the header, where that says nothing? A sender that leaves more than 64 KiB to
 * its card (Linux' BIG TCP) says it as a jumbogram does (RFC 2675 §2).
 */
static __attribute__((cold)) size_t offloaded_len(struct packet *p, const struct layer *l)
{
	static const uint8_t jumbo[3] = {0, 0xc2, 4}; /* the one option of a header of 8 bytes */

	p->offloaded = p->proto == PROTO_TCP;
	if (p->offloaded)
		return l->wire;
	if (p->proto != NEXT_HOP_BY_HOP || l->have < 8 || memcmp(l->at + 1, jumbo, sizeof(jumbo)))
		return 0;
	p->offloaded = l->at[0] == PROTO_TCP;
	return load_be32(l->at + 4);
}

/* RFC 8200 §3 */
void layer_ipv6(struct packet *p, struct layer *l)
{
	const uint8_t *b = l->at;
	size_t payload;

	if (!layer_need(p, l, IPV6_LEN, ANOMALY_IPV6_TRUNCATED))
		return;
	if (b[0] >> 4 != 6) {
		anomaly_add(&p->anomalies, ANOMALY_IPV6_BAD_VERSION);
		return;
	}
	p->ip_version = 6;
	p->proto = b[6];
	p->ttl = b[7];
	memcpy(p->src_ip.b, b + 8, 16);
	memcpy(p->dst_ip.b, b + 24, 16);
	check_ipv6_ends(p);
	payload = load_be16(b + 4);
	layer_skip(l, IPV6_LEN);
	if (__builtin_expect(is_offloaded(l, payload), 0))
		payload = offloaded_len(p, l);
	/* Zero with a hop-by-hop header would be a jumbogram: no ward's link has them. */
	if (payload > l->wire || (!payload && p->proto == NEXT_HOP_BY_HOP))
		anomaly_add(&p->anomalies, ANOMALY_IPV6_BAD_PAYLOAD_LEN);
	layer_trim(l, payload);
	if (!read_extensions(p, l, b + 6))
		return;
	if (p->fragment && l->wire < transport_min(p->proto))
		anomaly_add(&p->anomalies, ANOMALY_FRAGMENT_TINY);
	layer_transport(p, l);
}
