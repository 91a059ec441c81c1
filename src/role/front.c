#include "role/front.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

#define BACKLOG 128
#ifndef IPV6_2292PKTOPTIONS
#define IPV6_2292PKTOPTIONS 6
#endif

union place {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t place_of(const char *text, union place *ret_place)
{
	char host[ADDRESS_IP_LEN];
	union place p = {0};
	uint16_t port;

	if (!address_endpoint(text, host, &port))
		return 0;
	if (*text != '[') {
		p.v4.sin_family = AF_INET;
		p.v4.sin_port = htons(port);
		inet_pton(AF_INET, host, &p.v4.sin_addr);
	} else {
		p.v6.sin6_family = AF_INET6;
		p.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, host, &p.v6.sin6_addr);
	}
	*ret_place = p;
	return *text == '[' ? sizeof(p.v6) : sizeof(p.v4);
}

/* The address need not be there yet: a port may come up later. */
static int listen_at(const char *text)
{
	union place p;
	socklen_t len = place_of(text, &p);
	int on = 1, s, err;

	if (len == 0)
		return -EINVAL;
	s = socket(p.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return -errno;
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	/* For front_interface(): whoever is accepted inherits it. */
	if (p.any.sa_family == AF_INET) {
		setsockopt(s, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	} else {
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	}
	if (bind(s, &p.any, len) == 0 && listen(s, BACKLOG) == 0)
		return s;
	err = -errno;
	close(s);
	return err;
}

/* Takes the socket that listens there out of `f`; -1 none does. */
static int take_over(struct front *f, const char *at)
{
	for (unsigned i = 0; i < f->count; i++) {
		int s = f->sock[i];

		if (s < 0 || strcmp(f->at[i], at) != 0)
			continue;
		f->sock[i] = -1;
		return s;
	}
	return -1;
}

int front_open(struct front *f, const struct config_console *c, char ret_error[FRONT_ERROR])
{
	static const char *const here[] = {"127.0.0.1:8443", "[::1]:8443"};
	const char *const *list = c->listen_count ? (const char *const *)c->listen : here;
	unsigned count = !c->on ? 0 : c->listen_count ? c->listen_count : 2;
	struct front next = {.count = 0};
	int err = 0;

	for (unsigned i = 0; i < count && next.count < FRONT_MAX; i++) {
		int s = take_over(f, list[i]);

		if (s < 0)
			s = listen_at(list[i]);
		if (s < 0) {
			snprintf(ret_error, FRONT_ERROR,
				 "nobody can be listened to at %.60s: %s; set console.listen to an "
				 "address and port of this machine's that are free",
				 list[i], strerror(-s));
			err = s;
			continue;
		}
		snprintf(next.at[next.count], FRONT_TEXT, "%s", list[i]);
		next.sock[next.count++] = s;
	}
	front_close(f);
	*f = next;
	return err;
}

/* ip(7), IP_PKTOPTIONS: for TCP the kernel keeps where the first packet came in. */
uint32_t front_interface(int sock)
{
	_Alignas(struct cmsghdr) char buf[256];
	struct msghdr m = {.msg_control = buf, .msg_controllen = sizeof(buf)};
	socklen_t len = sizeof(buf);

	if (getsockopt(sock, IPPROTO_IP, IP_PKTOPTIONS, buf, &len) < 0) {
		len = sizeof(buf);
		if (getsockopt(sock, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, buf, &len) < 0)
			return 0;
	}
	m.msg_controllen = len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			return (uint32_t)v4.ipi_ifindex;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			return v6.ipi6_ifindex;
		}
	}
	return 0;
}

void front_close(struct front *f)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->sock[i] >= 0)
			close(f->sock[i]);
	f->count = 0;
}
