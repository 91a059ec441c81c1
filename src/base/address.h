#ifndef BEDWARDEN_BASE_ADDRESS_H
#define BEDWARDEN_BASE_ADDRESS_H
/*
 * Addresses, ports and protocols as people write them. Each answers whether
 * the whole text is one; outputs are untouched where it is not.
 */
#include <stdbool.h>
#include <stdint.h>

/* Six hex bytes between colons or dashes. */
bool address_mac(const char *text, uint8_t ret_mac[6]);
/* "aa:bb:cc:dd:ee:ff", 18 bytes. */
#define ADDRESS_MAC_LEN 18
const char *address_mac_text(const uint8_t mac[6], char ret_text[ADDRESS_MAC_LEN]);

/*
 * An IPv4 or IPv6 address, or a prefix of either ("10.2.0.0/16", "fd00::/8"),
 * in network byte order; IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so that
 * ret_len counts over the mapped form and is 128 for a single address.
 */
bool address_prefix(const char *text, uint8_t ret_ip[16], unsigned *ret_len);
/* The address with every bit behind the first `len` cleared, or set. */
void address_mask(uint8_t ip[16], unsigned len, bool set);
/* Is the address in the prefix? No where that is none. */
bool address_within(const uint8_t ip[16], const char *prefix);
/* Dotted or colon form, a mapped address as IPv4; 46 bytes. */
#define ADDRESS_IP_LEN 46
const char *address_ip_text(const uint8_t ip[16], char ret_text[ADDRESS_IP_LEN]);
/* The same without its end, at `at`, which has room for ADDRESS_IP_LEN bytes; behind the text. */
char *address_put_ip(char *at, const uint8_t ip[16]);

/* "10.0.0.1:8443" or "[fd00::1]:8443": an address, without brackets, and a port. */
bool address_endpoint(const char *text, char ret_ip[ADDRESS_IP_LEN], uint16_t *ret_port);

/* "80" or "5000-5010". */
bool address_ports(const char *text, uint16_t *ret_lo, uint16_t *ret_hi);
/* "tcp", "udp", "icmp", "icmpv6", "igmp", "any" (0) or an IP protocol number. */
bool address_proto(const char *text, uint8_t *ret_proto);
/* The word for a number that has one, else NULL. */
const char *address_proto_name(uint8_t proto);

#endif
