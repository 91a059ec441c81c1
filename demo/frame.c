#include "demo/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

int frame_socket(const char *ifname)
{
	struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err, room = 4 << 20;

	if (sock < 0)
		return -errno;
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	here.sll_ifindex = (int)if_nametoindex(ifname);
	if (here.sll_ifindex && !bind(sock, (struct sockaddr *)&here, sizeof(here)))
		return sock;
	err = errno;
	close(sock);
	return -err;
}

ssize_t frame_receive(int sock, void *buf, size_t cap, int timeout_ms)
{
	struct pollfd pfd = {.fd = sock, .events = POLLIN};
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return 0;
	n = recvfrom(sock, buf, cap, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return from.sll_pkttype == PACKET_OUTGOING ? 0 : n;
}

void frame_send(int sock, const void *frame, size_t len)
{
	(void)!send(sock, frame, len, 0);
}

bool frame_parse(uint8_t *frame, size_t len, struct frame_ip *ret_f)
{
	size_t header, total;

	if (len < 34 || frame[12] != 0x08 || frame[13] != 0x00 || frame[14] >> 4 != 4)
		return false;
	header = (size_t)(frame[14] & 15) * 4;
	total = (size_t)(frame[16] << 8 | frame[17]);
	if (header < 20 || total < header || 14 + total > len)
		return false;
	ret_f->dst = frame;
	ret_f->src = frame + 6;
	ret_f->header = frame + 14;
	memcpy(&ret_f->ip_src, frame + 26, 4);
	memcpy(&ret_f->ip_dst, frame + 30, 4);
	ret_f->proto = frame[23];
	ret_f->payload = frame + 14 + header;
	ret_f->len = total - header;
	return true;
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += (uint32_t)(p[0] << 8 | p[1]);
	return len ? sum + (uint32_t)(p[0] << 8) : sum;
}

static void store(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

void frame_fix(const struct frame_ip *f)
{
	size_t header = (size_t)(f->payload - f->header);
	uint32_t sum;

	f->header[10] = f->header[11] = 0;
	store(f->header + 10, add(0, f->header, header));
	if (f->proto != 17 || f->len < 8)
		return;
	f->payload[6] = f->payload[7] = 0;
	sum = add(17 + (uint32_t)f->len, f->header + 12, 8);
	store(f->payload + 6, add(sum, f->payload, f->len));
}

void frame_arp(uint8_t ret_frame[FRAME_ARP_LEN], int op, const uint8_t dst[6],
	       const uint8_t sender_mac[6], uint32_t sender_ip, const uint8_t target_mac[6],
	       uint32_t target_ip)
{
	struct writer w = writer_new(ret_frame, FRAME_ARP_LEN);

	write_bytes(&w, dst, 6);
	write_bytes(&w, sender_mac, 6);
	write_be16(&w, ETH_P_ARP);
	write_be16(&w, 1); /* Ethernet */
	write_be16(&w, ETH_P_IP);
	write_u8(&w, 6);
	write_u8(&w, 4);
	write_be16(&w, (uint16_t)op);
	write_bytes(&w, sender_mac, 6);
	write_bytes(&w, &sender_ip, 4);
	write_bytes(&w, target_mac, 6);
	write_bytes(&w, &target_ip, 4);
}

size_t frame_udp(uint8_t *frame, size_t cap, const uint8_t dst[6], const uint8_t src[6],
		 uint32_t ip_src, uint32_t ip_dst, uint16_t port_src, uint16_t port_dst,
		 const void *data, size_t len)
{
	struct writer w = writer_new(frame, cap);
	struct frame_ip f;

	write_bytes(&w, dst, 6);
	write_bytes(&w, src, 6);
	write_be16(&w, ETH_P_IP);
	write_be16(&w, 0x4500);
	write_be16(&w, (uint16_t)(28 + len));
	write_be32(&w, 0);
	write_be16(&w, 64 << 8 | 17);
	write_be16(&w, 0);
	write_bytes(&w, &ip_src, 4);
	write_bytes(&w, &ip_dst, 4);
	write_be16(&w, port_src);
	write_be16(&w, port_dst);
	write_be16(&w, (uint16_t)(8 + len));
	write_be16(&w, 0);
	write_bytes(&w, data, len);
	if (w.bad || !frame_parse(frame, w.len, &f))
		return 0;
	frame_fix(&f);
	return w.len;
}

uint32_t frame_ip_of(const char *text)
{
	uint32_t ip = 0;

	(void)inet_pton(AF_INET, text, &ip);
	return ip;
}
