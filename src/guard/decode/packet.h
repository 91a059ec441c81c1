#ifndef BEDWARDEN_GUARD_DECODE_PACKET_H
#define BEDWARDEN_GUARD_DECODE_PACKET_H
/*
 * One frame, decoded: Ethernet to transport. Everything points into the frame,
 * which the caller keeps for as long as the packet is used. Nothing here
 * allocates. A frame that breaks its own protocol's rules is still decoded as
 * far as it goes; what is wrong stands in `anomalies`.
 */
#include "base/bytes.h"
#include "bpf/shared.h"
#include "guard/decode/anomaly.h"

/*
 * How the frame begins: a pcap link type, reduced to those that are read. A file's has LINK_OFFLOAD
 * set: it may have been captured at its sender, before the card cut it up for the wire and filled in
 * the IP header's length and checksum. A length of zero is then the frame's. With LINK_WRAPPED what taps
 * and carriers put ahead of a packet is read, too: no ward's link has it, and the floor reads none. Only
 * files have the last ones.
 */
enum link {
	LINK_ETHERNET,
	LINK_SLL,
	LINK_SLL2,
	LINK_RAW,
	LINK_OFFLOAD = 4,
	LINK_PPP = 8,
	LINK_WIFI = 9,
	LINK_WRAPPED = 16,
};

enum ip_proto_number {
	PROTO_ICMP = 1,
	PROTO_IGMP = 2,
	PROTO_IPV4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_GRE = 47,
	PROTO_ESP = 50,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_SCTP = 132,
};

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_URG = 32 };

#define PACKET_VLANS 2

struct packet_arp {
	uint16_t op; /* 1 request, 2 reply */
	uint8_t sender_mac[6], target_mac[6];
	struct gate_ip sender_ip, target_ip;
};

struct packet {
	struct bytes frame;
	uint64_t time_ns;  /* wall clock, when captured */
	uint32_t wire_len; /* as it was on the wire; more than frame.len where the capture cut it */

	bool has_mac;
	uint8_t src_mac[6], dst_mac[6];
	bool no_dst_mac;	     /* a cooked capture says the sender's alone */
	uint16_t vlan[PACKET_VLANS]; /* VIDs, outer first */
	uint8_t vlan_count;
	uint16_t ethertype; /* innermost; an 802.3 length frame: 0 */
	struct bytes l3;    /* from behind the link header to the end of the frame */

	bool has_arp;
	struct packet_arp arp;

	uint8_t ip_version; /* 4, 6, or 0: no IP */
	struct gate_ip src_ip, dst_ip;
	uint8_t proto; /* the transport's, behind IPv6 extension headers */
	uint8_t ttl;
	bool fragment; /* not whole: more follow or an offset is set */
	bool fragment_more;
	uint32_t fragment_id;
	uint32_t fragment_offset;   /* bytes */
	struct bytes fragment_body; /* what this piece carries of the datagram */
	uint16_t fragment_header;   /* IPv6: where in the frame the Fragment header begins, */
	uint16_t fragment_next;	    /* and the next-header byte that points to it */
	struct bytes l4; /* transport header and payload, as long as the IP header says */

	bool has_ports;
	uint16_t src_port, dst_port; /* ICMP echo: identifier in both */
	uint8_t tcp_flags;
	bool offloaded; /* its lengths and checksums are the card's to fill in (LINK_OFFLOAD) */
	uint32_t tcp_seq, tcp_ack;
	uint16_t tcp_window;
	struct bytes tcp_options;
	uint8_t icmp_type, icmp_code;
	struct bytes embedded; /* the packet an ICMP error is about */
	struct bytes payload;  /* what the transport carries */
	uint32_t payload_wire; /* its length on the wire; more where the capture cut it */

	anomaly_set anomalies;
	uint64_t
		place; /* of the frame in a file that can be read again, the caller's to set; 0: none */
};

/* Always fills *ret_p; false where not even a link header could be read. */
bool packet_decode(struct bytes frame, enum link link, uint64_t time_ns, uint32_t wire_len,
		   struct packet *ret_p);

/*
 * Is the checksum of a whole TCP or UDP packet right, or left to a network card
 * (zero, or the sum over the pseudo-header alone: what a capture on the sender's
 * machine shows)? A receiver drops one that is neither. True also where there is
 * none to check, or it is offloaded.
 */
bool packet_sum_holds(const struct packet *p);
/* Of a TCP or UDP header that is there: is its checksum left to a card, so that it must stay as it is? */
bool packet_sum_is_left(const struct packet *p);

/* "tcp", "udp", … as EVE's `proto` says it ("TCP"); ret needs 8 bytes for a bare number. */
const char *packet_proto_name(uint8_t proto, char ret_number[8]);

/* Dotted or colon form of the address; 46 bytes. */
#define PACKET_IP_LEN 46
const char *packet_ip_text(const struct gate_ip *ip, char ret_text[PACKET_IP_LEN]);
#define PACKET_MAC_LEN 18
const char *packet_mac_text(const uint8_t mac[6], char ret_text[PACKET_MAC_LEN]);

/* Four bytes of IPv4 in their mapped form (RFC 4291 §2.5.5.2). */
static inline void packet_ip_map(const uint8_t v4[4], struct gate_ip *ret_ip)
{
	memset(ret_ip->b, 0, 10);
	memset(ret_ip->b + 10, 0xff, 2);
	memcpy(ret_ip->b + 12, v4, 4);
}

static inline bool packet_ip_is_v4(const struct gate_ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(ip->b, prefix, sizeof(prefix));
}

bool packet_ip_is_zero(const struct gate_ip *ip);
/* IPv4 224/4 and 255.255.255.255, IPv6 ff00::/8. */
bool packet_ip_is_group(const struct gate_ip *ip);

#endif
