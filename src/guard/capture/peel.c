#include "guard/capture/peel.h"

/* Numbers of tcpdump.org's registry of link types. */
enum link_type {
	TYPE_NULL = 0,
	TYPE_ETHERNET = 1,
	TYPE_PPP = 9,
	TYPE_RAW_BSD = 12,
	TYPE_RAW_OPENBSD = 14,
	TYPE_PPP_HDLC = 50,
	TYPE_PPP_ETHER = 51,
	TYPE_RAW = 101,
	TYPE_WIFI = 105,
	TYPE_LOOP = 108,
	TYPE_ENC = 109,
	TYPE_SLL = 113,
	TYPE_PFLOG = 117,
	TYPE_PRISM = 119,
	TYPE_RADIOTAP = 127,
	TYPE_PKTAP_USER = 149,
	TYPE_AVS = 163,
	TYPE_PPP_PPPD = 166,
	TYPE_PPI = 192,
	TYPE_PPP_DIRECTED = 204,
	TYPE_IPV4 = 228,
	TYPE_IPV6 = 229,
	TYPE_NFLOG = 239,
	TYPE_NETANALYZER = 240,
	TYPE_NETANALYZER_PREAMBLE = 241,
	TYPE_PKTAP = 258,
	TYPE_MPACKET = 274,
	TYPE_SLL2 = 276,
};

static const struct peel types[] = {
	{TYPE_ETHERNET, 0, 0, false, LINK_ETHERNET},
	{TYPE_SLL, 0, 0, false, LINK_SLL},
	{TYPE_SLL2, 0, 0, false, LINK_SLL2},
	{TYPE_NULL, 4, 0, false, LINK_RAW},
	{TYPE_LOOP, 4, 0, false, LINK_RAW},
	{TYPE_RAW, 0, 0, false, LINK_RAW},
	{TYPE_RAW_BSD, 0, 0, false, LINK_RAW},
	{TYPE_RAW_OPENBSD, 0, 0, false, LINK_RAW},
	{TYPE_IPV4, 0, 0, false, LINK_RAW},
	{TYPE_IPV6, 0, 0, false, LINK_RAW},
	{TYPE_ENC, 12, 0, false, LINK_RAW},
	{TYPE_PPP, 0, 0, false, LINK_PPP},
	{TYPE_PPP_HDLC, 0, 0, false, LINK_PPP},
	{TYPE_PPP_PPPD, 2, 0, false, LINK_PPP}, /* a direction in the address's place */
	{TYPE_PPP_DIRECTED, 1, 0, false, LINK_PPP},
	{TYPE_PPP_ETHER, 6, 0, false, LINK_PPP},
	{TYPE_NETANALYZER, 4, 4, false, LINK_ETHERNET},
	{TYPE_NETANALYZER_PREAMBLE, 12, 4, false, LINK_ETHERNET},
	{TYPE_MPACKET, 8, 4, false, LINK_ETHERNET},
	{TYPE_WIFI, 0, 0, false, LINK_WIFI},
	{TYPE_RADIOTAP, 8, 0, true, LINK_WIFI},
	{TYPE_PRISM, 8, 0, true, LINK_WIFI},
	{TYPE_AVS, 8, 0, true, LINK_WIFI},
	{TYPE_PPI, 8, 0, true, LINK_WIFI},
	{TYPE_PFLOG, 4, 0, true, LINK_RAW},
	{TYPE_NFLOG, 4, 0, true, LINK_RAW},
	{TYPE_PKTAP, 12, 0, true, LINK_RAW},
	{TYPE_PKTAP_USER, 12, 0, true, LINK_RAW},
};

const struct peel *peel_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return &types[i];
	return NULL;
}

static uint32_t load_le(const uint8_t *b, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | b[n];
	return v;
}

enum radiotap {
	RADIOTAP_TSFT = 1u << 0,
	RADIOTAP_FLAGS = 1u << 1,
	RADIOTAP_MORE = 1u << 31,
	RADIOTAP_FCS = 0x10,
	RADIOTAP_BAD_FCS = 0x40,
};

/* radiotap.org: words that say which fields there are, the fields in that order, each aligned. */
static bool peel_radiotap(struct bytes f, struct peeled *p)
{
	uint32_t len = load_le(f.data + 2, 2), present = load_le(f.data + 4, 4);
	size_t at = 4;

	p->ahead = len;
	if (len < 8 || len > f.len)
		return false;
	do {
		at += 4;
	} while (at + 4 <= len && load_le(f.data + at - 4, 4) & RADIOTAP_MORE);
	if (present & RADIOTAP_TSFT)
		at = (at + 7) / 8 * 8 + 8;
	if (!(present & RADIOTAP_FLAGS) || at >= len)
		return true;
	p->behind = f.data[at] & RADIOTAP_FCS ? 4 : 0;
	return !(f.data[at] & RADIOTAP_BAD_FCS);
}

/* The header of wlan-ng; in its place may be that of AVS, which begins with a number of its own. */
static bool peel_prism(struct bytes f, struct peeled *p)
{
	bool avs = !memcmp(f.data, "\x80\x21\x10", 3);

	p->ahead = avs ? __builtin_bswap32(load_le(f.data + 4, 4)) : load_le(f.data + 4, 4);
	return true;
}

/* Notes of a length, a type and a value each; one of them is the packet. */
static bool peel_nflog(struct bytes f, bool swap, struct peeled *p)
{
	size_t at = 4;

	while (f.len - at >= 4) {
		size_t len = load_le(f.data + at, 2), type = load_le(f.data + at + 2, 2);

		if (swap) {
			len = __builtin_bswap16((uint16_t)len);
			type = __builtin_bswap16((uint16_t)type);
		}
		if (type == 9) {
			p->ahead = (uint32_t)at + 4;
			return true;
		}
		if (len < 4 || (len + 3) / 4 * 4 > f.len - at)
			return false;
		at += (len + 3) / 4 * 4;
	}
	return false;
}

/* Behind `ahead` bytes there is a packet of a link type of its own. */
static bool peel_inner(uint32_t type, uint32_t ahead, struct bytes f, struct peeled *p)
{
	const struct peel *how = type > UINT16_MAX ? NULL : peel_find((uint16_t)type);

	if (!how || how->varies || ahead > f.len)
		return false;
	*p = (struct peeled){ahead + how->ahead, how->behind, how->link};
	return true;
}

static bool peel_varying(uint16_t type, struct bytes f, bool swap, struct peeled *p)
{
	switch (type) {
	case TYPE_RADIOTAP:
		return peel_radiotap(f, p);
	case TYPE_PRISM:
	case TYPE_AVS:
		return peel_prism(f, p);
	case TYPE_PPI:
		return peel_inner(load_le(f.data + 4, 4), load_le(f.data + 2, 2), f, p);
	case TYPE_PFLOG:
		p->ahead = (f.data[0] + 3u) / 4 * 4;
		return true;
	case TYPE_NFLOG:
		return peel_nflog(f, swap, p);
	case TYPE_PKTAP:
	case TYPE_PKTAP_USER:
		return peel_inner(load_le(f.data + 8, 4), load_le(f.data, 4), f, p);
	}
	return false;
}

bool peel(const struct peel *how, struct bytes packet, bool swap, struct peeled *ret)
{
	*ret = (struct peeled){how->ahead, how->behind, how->link};
	if (packet.len < how->ahead)
		return false;
	if (how->varies && !peel_varying(how->type, packet, swap, ret))
		return false;
	return ret->ahead <= packet.len;
}
