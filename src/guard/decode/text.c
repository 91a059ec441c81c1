#include "guard/decode/packet.h"

#include <stdio.h>

#include "base/address.h"

static const char *const anomaly_names[] = {
#define ANOMALY_NAME(name, dotted) [ANOMALY_##name] = dotted,
	ANOMALIES(ANOMALY_NAME)
#undef ANOMALY_NAME
};

const char *anomaly_name(enum anomaly a)
{
	return (unsigned)a < ANOMALY_COUNT ? anomaly_names[a] : "unknown";
}

void anomaly_add(anomaly_set *set, enum anomaly a)
{
	*set |= 1ull << a;
}

const char *packet_proto_name(uint8_t proto, char ret_number[8])
{
	switch (proto) {
	case PROTO_ICMP:
		return "ICMP";
	case PROTO_IGMP:
		return "IGMP";
	case PROTO_IPV4:
		return "IPv4";
	case PROTO_TCP:
		return "TCP";
	case PROTO_UDP:
		return "UDP";
	case PROTO_IPV6:
		return "IPv6";
	case PROTO_GRE:
		return "GRE";
	case PROTO_ESP:
		return "ESP";
	case PROTO_AH:
		return "AH";
	case PROTO_ICMPV6:
		return "IPv6-ICMP";
	case PROTO_SCTP:
		return "SCTP";
	}
	snprintf(ret_number, 8, "%u", proto);
	return ret_number;
}

const char *packet_ip_text(const struct gate_ip *ip, char ret_text[PACKET_IP_LEN])
{
	return address_ip_text(ip->b, ret_text);
}

const char *packet_mac_text(const uint8_t mac[6], char ret_text[PACKET_MAC_LEN])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < 6; i++) {
		ret_text[3 * i] = digit[mac[i] >> 4];
		ret_text[3 * i + 1] = digit[mac[i] & 15];
		ret_text[3 * i + 2] = ':';
	}
	ret_text[17] = 0;
	return ret_text;
}

bool packet_ip_is_zero(const struct gate_ip *ip)
{
	static const struct gate_ip none;

	if (packet_ip_is_v4(ip))
		return !memcmp(ip->b + 12, none.b, 4);
	return !memcmp(ip->b, none.b, 16);
}

bool packet_ip_is_group(const struct gate_ip *ip)
{
	static const uint8_t all[4] = {255, 255, 255, 255};

	if (packet_ip_is_v4(ip))
		return (ip->b[12] & 0xf0) == 0xe0 || !memcmp(ip->b + 12, all, 4);
	return ip->b[0] == 0xff;
}
