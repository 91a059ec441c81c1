#include "base/sum.h"
#include "guard/decode/layer.h"

#define TCP_MIN	 20
#define UDP_LEN	 8
#define ICMP_MIN 8
#define SCTP_MIN 12
#define GRE_MIN	 4
#define IGMP_MIN 8

enum tcp_option {
	TCPOPT_END = 0,
	TCPOPT_NOP = 1,
	TCPOPT_MSS = 2,
	TCPOPT_WINDOW = 3,
	TCPOPT_SACK_OK = 4,
	TCPOPT_SACK = 5,
	TCPOPT_TIME = 8,
};

static void set_payload(struct packet *p, const struct layer *l)
{
	p->payload = layer_bytes(l);
	p->payload_wire = (uint32_t)l->wire;
}

/* The same as layer_need(), but a first fragment may lack anything. */
static bool need(struct packet *p, const struct layer *l, size_t n, enum anomaly a)
{
	if (__builtin_expect(l->have >= n, 1))
		return true;
	if (l->wire < n && !p->fragment)
		anomaly_add(&p->anomalies, a);
	return false;
}

static void read_ports(struct packet *p, const struct layer *l)
{
	if (l->have < 4)
		return;
	p->has_ports = true;
	p->src_port = load_be16(l->at);
	p->dst_port = load_be16(l->at + 2);
}

static bool tcp_option_fits(uint8_t kind, uint8_t len)
{
	switch (kind) {
	case TCPOPT_MSS:
		return len == 4;
	case TCPOPT_WINDOW:
		return len == 3;
	case TCPOPT_SACK_OK:
		return len == 2;
	case TCPOPT_SACK:
		return len >= 10 && (len - 2) % 8 == 0;
	case TCPOPT_TIME:
		return len == 10;
	}
	return true;
}

/* RFC 9293 §3.1, RFC 7323, RFC 2018 */
static void check_tcp_options(struct packet *p, const uint8_t *b, size_t len)
{
	static const uint8_t usual[4] = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIME, 10};
	size_t i = 0;

	if (len == 12 && !memcmp(b, usual, sizeof(usual)))
		return;
	while (i < len && b[i] != TCPOPT_END) {
		if (b[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (len - i < 2 || b[i + 1] < 2 || b[i + 1] > len - i ||
		    !tcp_option_fits(b[i], b[i + 1])) {
			anomaly_add(&p->anomalies, ANOMALY_TCP_BAD_OPTION);
			return;
		}
		i += b[i + 1];
	}
}

/* No stack sends these: they are how scanners tell stacks apart and slip past filters. */
static bool tcp_flags_hold(uint8_t f)
{
	if (f & TCP_SYN)
		return !(f & (TCP_FIN | TCP_RST));
	return f & (TCP_ACK | TCP_RST);
}

/* RFC 9293 §3.1 */
static void decode_tcp(struct packet *p, struct layer *l)
{
	const uint8_t *b = l->at;
	size_t header;

	read_ports(p, l);
	if (l->have >= 8)
		p->tcp_seq = load_be32(b + 4);
	if (!need(p, l, TCP_MIN, ANOMALY_TCP_TRUNCATED))
		return;
	p->tcp_ack = load_be32(b + 8);
	p->tcp_flags = b[13] & 0x3f;
	p->tcp_window = load_be16(b + 14);
	if (__builtin_expect(!tcp_flags_hold(p->tcp_flags), 0))
		anomaly_add(&p->anomalies, ANOMALY_TCP_BAD_FLAGS);
	if (!p->src_port || !p->dst_port)
		anomaly_add(&p->anomalies, ANOMALY_TCP_PORT_ZERO);
	header = (b[12] >> 4) * 4u;
	if (header < TCP_MIN) {
		anomaly_add(&p->anomalies, ANOMALY_TCP_BAD_HEADER_LEN);
		return;
	}
	if (!need(p, l, header, ANOMALY_TCP_BAD_HEADER_LEN))
		return;
	p->tcp_options = (struct bytes){b + TCP_MIN, header - TCP_MIN};
	if (header > TCP_MIN)
		check_tcp_options(p, b + TCP_MIN, header - TCP_MIN);
	layer_skip(l, header);
	set_payload(p, l);
}

/* RFC 768. A source port of zero means that no answer is expected. */
static void decode_udp(struct packet *p, struct layer *l)
{
	uint16_t len;

	read_ports(p, l);
	if (!need(p, l, UDP_LEN, ANOMALY_UDP_TRUNCATED))
		return;
	if (!p->dst_port)
		anomaly_add(&p->anomalies, ANOMALY_UDP_PORT_ZERO);
	len = load_be16(l->at + 4);
	if (len < UDP_LEN || (len > l->wire && !p->fragment))
		anomaly_add(&p->anomalies, ANOMALY_UDP_BAD_LEN);
	if (len >= UDP_LEN)
		layer_trim(l, len);
	layer_skip(l, UDP_LEN);
	set_payload(p, l);
}

/* An identifier pairs a question with its answer, as ports do. */
static void read_identifier(struct packet *p, const struct layer *l)
{
	p->has_ports = true;
	p->src_port = p->dst_port = load_be16(l->at + 4);
}

static void read_embedded(struct packet *p, struct layer l, size_t least, enum anomaly a)
{
	layer_skip(&l, ICMP_MIN);
	if (l.wire < least)
		anomaly_add(&p->anomalies, a);
	p->embedded = layer_bytes(&l);
}

/* RFC 792, RFC 950, RFC 1256, RFC 8335 */
static void decode_icmp(struct packet *p, struct layer *l)
{
	if (!need(p, l, ICMP_MIN, ANOMALY_ICMP_TRUNCATED))
		return;
	p->icmp_type = l->at[0];
	p->icmp_code = l->at[1];
	switch (p->icmp_type) {
	case 0:
	case 8:
		read_identifier(p, l);
		break;
	case 3 ... 5:
	case 11:
	case 12:
		read_embedded(p, *l, 28, ANOMALY_ICMP_EMBEDDED);
		break;
	case 9:
	case 10:
	case 13 ... 18:
	case 30: /* traceroute; RFC 6918 leaves it in the registry */
	case 40:
	case 42:
	case 43:
		break;
	default:
		anomaly_add(&p->anomalies, ANOMALY_ICMP_UNKNOWN_TYPE);
	}
	layer_skip(l, ICMP_MIN);
	set_payload(p, l);
}

/* RFC 4861 §6.1, §7.1, §8.1: how long each must be, and never from beyond the link. */
static void check_neighbour_discovery(struct packet *p, const struct layer *l)
{
	static const uint8_t least[] = {8, 16, 24, 24, 40};

	if (l->wire < least[p->icmp_type - 133])
		anomaly_add(&p->anomalies, ANOMALY_ICMPV6_TRUNCATED);
	if (p->ttl != 255)
		anomaly_add(&p->anomalies, ANOMALY_ICMPV6_ND_HOP_LIMIT);
}

/* RFC 4443, and the registry that grew around it */
static void decode_icmpv6(struct packet *p, struct layer *l)
{
	if (!need(p, l, ICMP_MIN, ANOMALY_ICMPV6_TRUNCATED))
		return;
	p->icmp_type = l->at[0];
	p->icmp_code = l->at[1];
	switch (p->icmp_type) {
	case 1 ... 4:
		read_embedded(p, *l, 40, ANOMALY_ICMPV6_EMBEDDED);
		break;
	case 128:
	case 129:
		read_identifier(p, l);
		break;
	case 133 ... 137:
		if (!p->fragment)
			check_neighbour_discovery(p, l);
		break;
	case 100 ... 101:
	case 127:
	case 130 ... 132:
	case 138 ... 161:
	case 200 ... 201:
	case 255:
		break;
	default:
		anomaly_add(&p->anomalies, ANOMALY_ICMPV6_UNKNOWN_TYPE);
	}
	layer_skip(l, ICMP_MIN);
	set_payload(p, l);
}

/* RFC 9260 §3.1 */
static void decode_sctp(struct packet *p, struct layer *l)
{
	read_ports(p, l);
	if (!need(p, l, SCTP_MIN, ANOMALY_SCTP_TRUNCATED))
		return;
	layer_skip(l, SCTP_MIN);
	set_payload(p, l);
}

/* RFC 2784 §2.1, RFC 2890; version 1 is PPTP's (RFC 2637 §4.1) */
static void decode_gre(struct packet *p, struct layer *l)
{
	size_t header = GRE_MIN;

	if (!need(p, l, GRE_MIN, ANOMALY_GRE_TRUNCATED))
		return;
	if ((l->at[1] & 7) > 1) {
		anomaly_add(&p->anomalies, ANOMALY_GRE_BAD_VERSION);
		return;
	}
	header += l->at[0] & 0x80 ? 4 : 0;
	header += l->at[0] & 0x20 ? 4 : 0;
	header += l->at[0] & 0x10 ? 4 : 0;
	header += l->at[1] & 0x80 ? 4 : 0;
	if (!need(p, l, header, ANOMALY_GRE_TRUNCATED))
		return;
	layer_skip(l, header);
	set_payload(p, l);
}

static void decode_igmp(struct packet *p, struct layer *l)
{
	if (!need(p, l, IGMP_MIN, ANOMALY_IGMP_TRUNCATED))
		return;
	set_payload(p, l);
}

void layer_transport(struct packet *p, struct layer *l)
{
	switch (p->proto) {
	case PROTO_TCP:
		decode_tcp(p, l);
		break;
	case PROTO_UDP:
		decode_udp(p, l);
		break;
	case PROTO_ICMP:
		if (p->ip_version == 4)
			decode_icmp(p, l);
		break;
	case PROTO_ICMPV6:
		if (p->ip_version == 6)
			decode_icmpv6(p, l);
		break;
	case PROTO_SCTP:
		decode_sctp(p, l);
		break;
	case PROTO_GRE:
		decode_gre(p, l);
		break;
	case PROTO_IGMP:
		decode_igmp(p, l);
		break;
	default:
		set_payload(p, l);
	}
}

/* Both addresses, the protocol and the length (RFC 9293 §3.1, RFC 8200 §8.1), not yet folded. */
static inline uint64_t pseudo_sum(const struct packet *p)
{
	uint8_t length[4] = {0, p->proto, (uint8_t)(p->l4.len >> 8), (uint8_t)p->l4.len};
	uint32_t word;
	uint64_t sum;

	memcpy(&word, length, 4);
	sum = (uint64_t)word + p->src_ip.w[3] + p->dst_ip.w[3];
	if (p->ip_version == 4)
		return sum;
	return sum_add(sum_add(sum, &p->src_ip, 12), &p->dst_ip, 12);
}

/* `sum`: the pseudo-header's. RFC 768: zero, the sender made none. */
static bool is_left(uint16_t field, uint64_t sum)
{
	return field == 0 || field == sum_fold(sum);
}

static uint16_t sum_field(const struct packet *p)
{
	uint16_t field;

	memcpy(&field, p->l4.data + (p->proto == PROTO_TCP ? 16 : 6), 2);
	return field;
}

bool packet_sum_is_left(const struct packet *p)
{
	return is_left(sum_field(p), pseudo_sum(p));
}

bool packet_sum_holds(const struct packet *p)
{
	size_t at = p->proto == PROTO_TCP ? 16 : 6;
	uint16_t field;
	uint64_t sum;

	if ((p->proto != PROTO_TCP && p->proto != PROTO_UDP) || p->l4.len < at + 2 ||
	    p->payload_wire != p->payload.len || p->fragment)
		return true;
	field = sum_field(p);
	if (field == 0)
		return true;
	sum = pseudo_sum(p);
	return sum_fold(sum_add(sum, p->l4.data, p->l4.len)) == 0xffff || is_left(field, sum) ||
	       p->offloaded;
}
