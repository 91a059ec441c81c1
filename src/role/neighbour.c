#include "role/neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define KNOWN	1024
#define WAIT_MS 100

struct known {
	uint8_t ip[16]; /* IPv4 mapped */
	uint8_t mac[6];
};

struct neighbours {
	int sock;
	uint32_t seq;
	uint64_t read_ns;
	unsigned count;
	struct known known[KNOWN];
};

struct neighbours *neighbours_new(void)
{
	struct neighbours *n = calloc(1, sizeof(*n));
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (n && s >= 0) {
		n->sock = s;
		return n;
	}
	if (s >= 0)
		close(s);
	free(n);
	return NULL;
}

void neighbours_free(struct neighbours *n)
{
	if (!n)
		return;
	close(n->sock);
	free(n);
}

static void map(int family, const void *address, uint8_t ret_ip[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (family == AF_INET6) {
		memcpy(ret_ip, address, 16);
		return;
	}
	memcpy(ret_ip, prefix, 12);
	memcpy(ret_ip + 12, address, 4);
}

static void take(struct neighbours *n, const struct nlmsghdr *h)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	size_t len = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
	const struct rtattr *a = (const struct rtattr *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
	size_t want = m->ndm_family == AF_INET ? 4 : 16;
	const void *ip = NULL, *mac = NULL;

	if (m->ndm_state & (NUD_INCOMPLETE | NUD_FAILED) || n->count == KNOWN)
		return;
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == NDA_DST && RTA_PAYLOAD(a) == want)
			ip = RTA_DATA(a);
		if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == 6)
			mac = RTA_DATA(a);
	}
	if (!ip || !mac)
		return;
	map(m->ndm_family, ip, n->known[n->count].ip);
	memcpy(n->known[n->count++].mac, mac, 6);
}

/* Reads until the list ends, or nothing more comes. */
static void hear(struct neighbours *n)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	struct pollfd p = {.fd = n->sock, .events = POLLIN};

	while (poll(&p, 1, WAIT_MS) == 1) {
		ssize_t got = recv(n->sock, buf, sizeof(buf), MSG_DONTWAIT);
		size_t len = got > 0 ? (size_t)got : 0;

		if (got <= 0)
			return;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, len);
		     h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != n->seq)
				continue;
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return;
			if (h->nlmsg_type == RTM_NEWNEIGH &&
			    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ndmsg)))
				take(n, h);
		}
	}
}

static void read_all(struct neighbours *n)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
	} ask = {.h = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = RTM_GETNEIGH,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		       .nlmsg_seq = ++n->seq}};

	n->count = 0;
	if (send(n->sock, &ask, sizeof(ask), MSG_DONTWAIT) == (ssize_t)sizeof(ask))
		hear(n);
}

static bool find(const struct neighbours *n, const uint8_t ip[16], uint8_t ret_mac[6])
{
	for (unsigned i = 0; i < n->count; i++) {
		if (memcmp(n->known[i].ip, ip, sizeof(n->known[i].ip)) != 0)
			continue;
		memcpy(ret_mac, n->known[i].mac, 6);
		return true;
	}
	return false;
}

bool neighbour_mac(struct neighbours *n, const struct sockaddr *who, uint64_t now_ns,
		   uint8_t ret_mac[6])
{
	uint8_t ip[16];

	if (who->sa_family == AF_INET)
		map(AF_INET, &((const struct sockaddr_in *)(const void *)who)->sin_addr, ip);
	else if (who->sa_family == AF_INET6)
		map(AF_INET6, &((const struct sockaddr_in6 *)(const void *)who)->sin6_addr, ip);
	else
		return false;
	if (n->read_ns && now_ns - n->read_ns <= NEIGHBOUR_MS * NSEC_PER_MSEC &&
	    find(n, ip, ret_mac))
		return true;
	read_all(n); /* who has just come is in no list that was read before */
	n->read_ns = now_ns;
	return find(n, ip, ret_mac);
}
