#ifndef BEDWARDEN_DEMO_FRAME_H
#define BEDWARDEN_DEMO_FRAME_H
/*
 * Frames by hand, as an attacker makes them: ARP, IPv4 and UDP with their
 * checksums, over a packet socket.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An IPv4 packet in a frame; pointers into the frame. Addresses in network byte order. */
struct frame_ip {
	uint8_t *dst, *src; /* hardware addresses */
	uint32_t ip_src, ip_dst;
	uint8_t *header;
	uint8_t proto;
	uint8_t *payload; /* what follows the IPv4 header */
	size_t len;
};

/* Bound to the interface, everything that it receives. -errno. */
int frame_socket(const char *ifname);
/* The next frame that came in (not one that we sent); 0 after timeout_ms; -errno. */
ssize_t frame_receive(int sock, void *buf, size_t cap, int timeout_ms);
void frame_send(int sock, const void *frame, size_t len);

bool frame_parse(uint8_t *frame, size_t len, struct frame_ip *ret_f);
/* Sums up anew what was changed in an IPv4/UDP packet. */
void frame_fix(const struct frame_ip *f);

#define FRAME_ARP_LEN 42
enum { FRAME_ARP_REQUEST = 1, FRAME_ARP_REPLY = 2 };
void frame_arp(uint8_t ret_frame[FRAME_ARP_LEN], int op, const uint8_t dst[6],
	       const uint8_t sender_mac[6], uint32_t sender_ip, const uint8_t target_mac[6],
	       uint32_t target_ip);
/* Ethernet, IPv4 and UDP in front of len bytes; the frame's length, 0 where it does not fit. */
size_t frame_udp(uint8_t *frame, size_t cap, const uint8_t dst[6], const uint8_t src[6],
		 uint32_t ip_src, uint32_t ip_dst, uint16_t port_src, uint16_t port_dst,
		 const void *data, size_t len);

uint32_t frame_ip_of(const char *text);

#endif
