#include "guard/decode/tunnel.h"

#include "guard/decode/layer.h"

enum tunnel_port {
	PORT_GTP = 2152,
	PORT_VXLAN = 4789,
	PORT_VXLAN_OLD = 8472, /* of Linux, before there was a number for it */
	PORT_GENEVE = 6081,
	PORT_TZSP = 37008,
};

enum carried {
	CARRIED_IPV4 = 0x0800,
	CARRIED_IPV6 = 0x86dd,
	CARRIED_ETHERNET = 0x6558,
	CARRIED_PPP = 0x880b,
	CARRIED_ERSPAN = 0x88be,
	CARRIED_ERSPAN_3 = 0x22eb,
};

#define GRE_CHECKSUM 0x80
#define GRE_KEY	     0x20
#define GRE_SEQUENCE 0x10
#define GRE_ACK	     0x80 /* in the second byte: PPTP's (RFC 2637 §4.1) */

static bool skip(struct layer *l, size_t n)
{
	if (l->have < n)
		return false;
	layer_skip(l, n);
	return true;
}

static bool give(const struct layer *l, enum link link, struct tunnel_inner *ret)
{
	if (!l->have)
		return false;
	*ret = (struct tunnel_inner){layer_bytes(l), (uint32_t)l->wire, link};
	return true;
}

static bool give_type(const struct layer *l, uint16_t type, struct tunnel_inner *ret)
{
	if (type == CARRIED_IPV4 || type == CARRIED_IPV6)
		return give(l, LINK_RAW, ret);
	if (type == CARRIED_PPP)
		return give(l, LINK_PPP, ret);
	return type == CARRIED_ETHERNET && give(l, LINK_ETHERNET, ret);
}

/* draft-foschiano-erspan: types I and II differ by GRE's sequence number; III may have a subheader. */
static bool read_erspan(struct layer *l, bool third, bool numbered, struct tunnel_inner *ret)
{
	size_t head = third ? 12 : numbered ? 8 : 0;

	if (l->have < head)
		return false;
	if (third && l->at[11] & 1)
		head += 8;
	return skip(l, head) && give(l, LINK_ETHERNET, ret);
}

/* RFC 2784, RFC 2890, RFC 7637 */
static bool read_gre(struct layer *l, struct tunnel_inner *ret)
{
	uint8_t flags = l->at[0], version = l->at[1] & 7;
	uint16_t type = load_be16(l->at + 2);
	size_t head = 4;

	head += flags & GRE_CHECKSUM ? 4 : 0;
	head += flags & GRE_KEY ? 4 : 0;
	head += flags & GRE_SEQUENCE ? 4 : 0;
	head += version == 1 && l->at[1] & GRE_ACK ? 4 : 0;
	if (version > 1 || !skip(l, head))
		return false;
	if (type == CARRIED_ERSPAN || type == CARRIED_ERSPAN_3)
		return read_erspan(l, type == CARRIED_ERSPAN_3, flags & GRE_SEQUENCE, ret);
	return give_type(l, type, ret);
}

/* RFC 7348 §5: nothing but the bit that says there is a number, and the number. */
static bool read_vxlan(struct layer *l, struct tunnel_inner *ret)
{
	if (l->have < 8 || !(l->at[0] & 0x08) || l->at[7])
		return false;
	return skip(l, 8) && give(l, LINK_ETHERNET, ret);
}

/* RFC 8926 §3.4 */
static bool read_geneve(struct layer *l, struct tunnel_inner *ret)
{
	uint16_t type;
	size_t head;

	if (l->have < 8 || l->at[0] & 0xc0)
		return false;
	type = load_be16(l->at + 2);
	head = 8 + (l->at[0] & 0x3fu) * 4;
	return skip(l, head) && give_type(l, type, ret);
}

/* 3GPP TS 29.281 §5: a packet of a user, behind extensions that each say which one is next. */
static bool read_gtp(struct layer *l, struct tunnel_inner *ret)
{
	uint8_t flags, next = 0;

	if (l->have < 8 || (l->at[0] & 0xf0) != 0x30 || l->at[1] != 255)
		return false;
	flags = l->at[0] & 7;
	layer_skip(l, 8);
	if (flags) {
		if (l->have < 4)
			return false;
		next = flags & 4 ? l->at[3] : 0;
		layer_skip(l, 4);
	}
	while (next) {
		size_t len = l->have ? l->at[0] * 4u : 0;

		if (!len || l->have < len)
			return false;
		next = l->at[len - 1];
		layer_skip(l, len);
	}
	return l->have && (l->at[0] >> 4 == 4 || l->at[0] >> 4 == 6) && give(l, LINK_RAW, ret);
}

/* TaZmen's Sniffer Protocol: notes of a kind, a length and a value each, to the one that ends them. */
static bool read_tzsp(struct layer *l, struct tunnel_inner *ret)
{
	enum { PADDING = 0, END = 1 };
	uint16_t carries;

	if (l->have < 5 || l->at[0] != 1 || l->at[1] > 1)
		return false;
	carries = load_be16(l->at + 2);
	layer_skip(l, 4);
	while (l->have && l->at[0] != END) {
		size_t len = l->at[0] == PADDING ? 1 : l->have > 1 ? l->at[1] + 2u : 2;

		if (!skip(l, len))
			return false;
	}
	if (!skip(l, 1))
		return false;
	if (carries == 18)
		return give(l, LINK_WIFI, ret);
	return carries == 1 && give(l, LINK_ETHERNET, ret);
}

static bool read_udp(const struct packet *p, struct layer *l, struct tunnel_inner *ret)
{
	switch (p->dst_port) {
	case PORT_VXLAN:
	case PORT_VXLAN_OLD:
		return read_vxlan(l, ret);
	case PORT_GENEVE:
		return read_geneve(l, ret);
	case PORT_GTP:
		return read_gtp(l, ret);
	case PORT_TZSP:
		return read_tzsp(l, ret);
	}
	return false;
}

bool tunnel_inner(const struct packet *p, struct tunnel_inner *ret)
{
	struct layer l = {.at = p->payload.data, .have = p->payload.len, .wire = p->payload_wire};

	if (p->fragment || !p->payload.len)
		return false;
	switch (p->proto) {
	case PROTO_UDP:
		return read_udp(p, &l, ret);
	case PROTO_IPV4:
	case PROTO_IPV6:
		return give(&l, LINK_RAW, ret);
	case PROTO_GRE: /* whose payload begins behind its header, which was read in full */
		l.wire += (size_t)(l.at - p->l4.data);
		l.have += (size_t)(l.at - p->l4.data);
		l.at = p->l4.data;
		return read_gre(&l, ret);
	}
	return false;
}
