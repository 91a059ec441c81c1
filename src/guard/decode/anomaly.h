#ifndef BEDWARDEN_GUARD_DECODE_ANOMALY_H
#define BEDWARDEN_GUARD_DECODE_ANOMALY_H
/*
 * What can be wrong with a packet, each by a stable name (EVE `anomaly.event`).
 * Append only.
 */
#include <stdint.h>

#define ANOMALIES(X)                                                   \
	X(ETHERNET_TRUNCATED, "ethernet.truncated")                    \
	X(LINK_UNKNOWN, "link.unknown")                                \
	X(VLAN_TRUNCATED, "vlan.truncated")                            \
	X(VLAN_TOO_MANY, "vlan.too_many_tags")                         \
	X(ARP_TRUNCATED, "arp.truncated")                              \
	X(ARP_BAD_FORMAT, "arp.bad_format")                            \
	X(IPV4_TRUNCATED, "ipv4.truncated")                            \
	X(IPV4_BAD_VERSION, "ipv4.wrong_version")                      \
	X(IPV4_BAD_HEADER_LEN, "ipv4.header_length")                   \
	X(IPV4_BAD_TOTAL_LEN, "ipv4.total_length")                     \
	X(IPV4_BAD_OPTION, "ipv4.option_invalid")                      \
	X(IPV4_SOURCE_ROUTE, "ipv4.source_route")                      \
	X(IPV4_BAD_CHECKSUM, "ipv4.checksum")                          \
	X(IPV4_SAME_ENDS, "ipv4.land")                                 \
	X(IPV4_BAD_SOURCE, "ipv4.source_not_unicast")                  \
	X(IPV6_TRUNCATED, "ipv6.truncated")                            \
	X(IPV6_BAD_VERSION, "ipv6.wrong_version")                      \
	X(IPV6_BAD_PAYLOAD_LEN, "ipv6.payload_length")                 \
	X(IPV6_EXT_TRUNCATED, "ipv6.extension_truncated")              \
	X(IPV6_EXT_TOO_MANY, "ipv6.extension_too_many")                \
	X(IPV6_EXT_ORDER, "ipv6.hop_by_hop_not_first")                 \
	X(IPV6_ROUTING_0, "ipv6.routing_type_0")                       \
	X(IPV6_BAD_SOURCE, "ipv6.source_not_unicast")                  \
	X(FRAGMENT_TOO_BIG, "fragment.too_big")                        \
	X(FRAGMENT_OVERLAP, "fragment.overlap")                        \
	X(FRAGMENT_TINY, "fragment.tiny_first")                        \
	X(FRAGMENT_BAD_LEN, "fragment.length_not_multiple_of_8")       \
	X(FRAGMENT_TIMEOUT, "fragment.never_completed")                \
	X(FRAGMENT_TOO_MANY, "fragment.too_many")                      \
	X(TCP_TRUNCATED, "tcp.truncated")                              \
	X(TCP_BAD_HEADER_LEN, "tcp.header_length")                     \
	X(TCP_BAD_OPTION, "tcp.option_invalid")                        \
	X(TCP_BAD_FLAGS, "tcp.flags_invalid")                          \
	X(TCP_PORT_ZERO, "tcp.port_zero")                              \
	X(UDP_TRUNCATED, "udp.truncated")                              \
	X(UDP_BAD_LEN, "udp.length")                                   \
	X(UDP_PORT_ZERO, "udp.port_zero")                              \
	X(ICMP_TRUNCATED, "icmp.truncated")                            \
	X(ICMP_UNKNOWN_TYPE, "icmp.unknown_type")                      \
	X(ICMP_EMBEDDED, "icmp.embedded_truncated")                    \
	X(ICMPV6_TRUNCATED, "icmpv6.truncated")                        \
	X(ICMPV6_UNKNOWN_TYPE, "icmpv6.unknown_type")                  \
	X(ICMPV6_EMBEDDED, "icmpv6.embedded_truncated")                \
	X(SCTP_TRUNCATED, "sctp.truncated")                            \
	X(GRE_TRUNCATED, "gre.truncated")                              \
	X(GRE_BAD_VERSION, "gre.wrong_version")                        \
	X(ETHERNET_BAD_SOURCE, "ethernet.source_not_unicast")          \
	X(LLC_TRUNCATED, "llc.truncated")                              \
	X(ARP_SENDER_MISMATCH, "arp.sender_not_frame_source")          \
	X(IPV6_SAME_ENDS, "ipv6.land")                                 \
	X(IPV6_BAD_OPTION, "ipv6.option_invalid")                      \
	X(IPV6_FRAGMENT_NESTED, "ipv6.fragment_nested")                \
	X(ICMPV6_ND_HOP_LIMIT, "icmpv6.neighbour_discovery_hop_limit") \
	X(IGMP_TRUNCATED, "igmp.truncated")                            \
	X(TCP_BLIND_RESET, "tcp.reset_out_of_window")                  \
	X(STREAM_CONFLICT, "stream.conflict")                          \
	X(STREAM_GAP, "stream.gap")                                    \
	X(STREAM_OUTSIDE, "stream.out_of_window")                      \
	X(STREAM_MEMORY, "stream.memory")                              \
	X(STREAM_URGENT, "stream.urgent")                              \
	X(TCP_CHECKSUM, "tcp.checksum")                                \
	X(UDP_CHECKSUM, "udp.checksum")

#define ANOMALY_ENUM(name, dotted) ANOMALY_##name,
enum anomaly { ANOMALIES(ANOMALY_ENUM) ANOMALY_COUNT };
#undef ANOMALY_ENUM

typedef uint64_t anomaly_set; /* a bit each */
_Static_assert(ANOMALY_COUNT <= 64, "anomaly_set has 64 bits");

/* A call, so that what leads to it is laid out of the way of every packet. */
void anomaly_add(anomaly_set *set, enum anomaly a) __attribute__((cold));
const char *anomaly_name(enum anomaly a);

#endif
