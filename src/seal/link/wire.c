#include "seal/link/link_internal.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO	    104
#endif
#define BATCH	    64	  /* messages in a system call */
#define SEGMENTS    64	  /* datagrams in a message: UDP_MAX_SEGMENTS of older kernels */
#define MESSAGE_MAX 65000 /* bytes of it */

bool where_same(const struct where *a, const struct where *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->sa, *b4 = (const void *)&b->sa;
	const struct sockaddr_in6 *a6 = (const void *)&a->sa, *b6 = (const void *)&b->sa;

	if (a->len == 0 || b->len == 0 || a->sa.ss_family != b->sa.ss_family)
		return false;
	if (a->sa.ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

void wire_fit(const struct wire *w, struct where *at)
{
	const struct sockaddr_in *v4 = (const void *)&at->sa;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (w->family != AF_INET6 || at->sa.ss_family != AF_INET)
		return;
	v6.sin6_port = v4->sin_port;
	v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(v6.sin6_addr.s6_addr + 12, &v4->sin_addr, 4);
	memcpy(&at->sa, &v6, sizeof(v6));
	at->len = sizeof(v6);
}

int wire_open(struct wire *w)
{
	w->fd = -1;
	w->out = malloc(LINK_OUT);
	w->in = malloc((size_t)WIRE_IN * WIRE_SIZE);
	return w->out && w->in ? 0 : -ENOMEM;
}

void wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->out);
	free(w->in);
}

static void forget(struct wire *w)
{
	w->runs = w->sent = 0;
	w->out_len = 0;
	w->blocked = false;
}

/* Beyond net.core.[rw]mem_max where CAP_NET_ADMIN allows it; never less than it has (the kernel
 * says twice what it was asked for). */
static void widen(int fd, int option, int force)
{
	int buf = LINK_SOCKET_ROOM, has = 0;
	socklen_t len = sizeof(has);

	if (getsockopt(fd, SOL_SOCKET, option, &has, &len) == 0 && has / 2 >= buf)
		return;
	if (setsockopt(fd, SOL_SOCKET, force, &buf, sizeof(buf)) < 0 && has / 2 < buf)
		setsockopt(fd, SOL_SOCKET, option, &buf, sizeof(buf));
}

int wire_take(struct wire *w, int fd)
{
	int one = 1, df = IP_PMTUDISC_PROBE, df6 = IPV6_PMTUDISC_PROBE;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (fd >= 0) {
		if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
			return -errno;
		if (sa.ss_family != AF_INET && sa.ss_family != AF_INET6)
			return -EAFNOSUPPORT;
		/* What is not fragmented on the way is what path.c measures. */
		if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &df, sizeof(df)) < 0 &&
		    sa.ss_family == AF_INET)
			return -errno;
		if (sa.ss_family == AF_INET6 &&
		    setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &df6, sizeof(df6)) < 0)
			return -errno;
		setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one));
		widen(fd, SO_RCVBUF, SO_RCVBUFFORCE);
		widen(fd, SO_SNDBUF, SO_SNDBUFFORCE);
		w->family = sa.ss_family;
	}
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	w->segments = true;
	forget(w);
	return 0;
}

/* --- out ------------------------------------------------------------------------- */

uint8_t *wire_room(struct wire *w, size_t len)
{
	if (w->fd < 0 || w->runs == WIRE_RUNS || len > LINK_OUT - w->out_len)
		return NULL;
	return w->out + w->out_len;
}

static bool joins(const struct wire_run *r, const struct where *to, size_t len)
{
	return !r->closed && len <= r->seg && r->count < SEGMENTS && r->len + len <= MESSAGE_MAX &&
	       where_same(&r->to, to);
}

void wire_add(struct wire *w, const struct where *to, size_t len)
{
	struct wire_run *r = w->runs > w->sent ? &w->run[w->runs - 1] : NULL;

	if (!r || !joins(r, to, len)) {
		r = &w->run[w->runs++];
		*r = (struct wire_run){
			.to = *to, .off = w->out_len, .seg = (uint16_t)len, .closed = len > 32768};
	}
	r->len += (uint32_t)len;
	r->count++;
	r->closed = r->closed || len < r->seg;
	w->out_len += (uint32_t)len;
}

struct cut {
	_Alignas(struct cmsghdr) char data[CMSG_SPACE(sizeof(uint16_t))];
};

static void fill(struct wire *w, struct wire_run *r, struct mmsghdr *m, struct iovec *v,
		 struct cut *c)
{
	struct cmsghdr *h;

	*v = (struct iovec){w->out + r->off, r->len};
	*m = (struct mmsghdr){.msg_hdr = {.msg_name = &r->to.sa,
					  .msg_namelen = r->to.len,
					  .msg_iov = v,
					  .msg_iovlen = 1}};
	if (r->count < 2)
		return;
	m->msg_hdr.msg_control = c->data;
	m->msg_hdr.msg_controllen = sizeof(c->data);
	h = CMSG_FIRSTHDR(&m->msg_hdr);
	*h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(uint16_t)),
			      .cmsg_level = IPPROTO_UDP,
			      .cmsg_type = UDP_SEGMENT};
	memcpy(CMSG_DATA(h), &r->seg, sizeof(r->seg));
}

/* A message that the kernel does not cut: datagram by datagram. False: the socket is full. */
static bool send_single(struct wire *w, struct wire_run *r)
{
	while (r->len) {
		uint32_t len = r->len < r->seg ? r->len : r->seg;

		if (sendto(w->fd, w->out + r->off, len, MSG_DONTWAIT, (struct sockaddr *)&r->to.sa,
			   r->to.len) < 0 &&
		    (errno == EAGAIN || errno == EINTR))
			return false;
		r->off += len;
		r->len -= len;
		r->count--;
	}
	return true;
}

/* How many of the first `n` runs are settled, whether sent or lost; 0: the socket is full. */
static unsigned send_some(struct wire *w, unsigned n)
{
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	struct cut c[BATCH];
	struct wire_run *first = &w->run[w->sent];
	int got;

	if (!w->segments && first->count > 1)
		return send_single(w, first);
	for (unsigned i = 0; i < n; i++) {
		if (!w->segments && first[i].count > 1) {
			n = i;
			break;
		}
		fill(w, &first[i], &m[i], &v[i], &c[i]);
	}
	do
		got = sendmmsg(w->fd, m, n, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return (unsigned)got;
	if (errno == EAGAIN)
		return 0;
	/* No checksums in hardware (EIO), or they are larger than the port passes (EINVAL). */
	if (first->count > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
		w->segments = w->segments && errno != EIO;
		return send_single(w, first);
	}
	return 1;
}

void wire_flush(struct links *ls)
{
	struct wire *w = &ls->wire;

	while (w->sent < w->runs) {
		unsigned n = w->runs - w->sent < BATCH ? w->runs - w->sent : BATCH;
		unsigned done = send_some(w, n);

		if (!done) {
			w->blocked = true;
			return;
		}
		w->sent += done;
	}
	forget(w);
}

/* --- in -------------------------------------------------------------------------- */

static uint16_t cut_of(struct msghdr *m)
{
	int size = 0;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == IPPROTO_UDP && h->cmsg_type == UDP_GRO)
			memcpy(&size, CMSG_DATA(h), sizeof(size));
	return size > 0 && size < WIRE_SIZE ? (uint16_t)size : 0;
}

static void take_message(struct links *ls, struct msghdr *m, const uint8_t *data, size_t len)
{
	struct where from = {.len = m->msg_namelen};
	size_t cut = cut_of(m);

	memcpy(&from.sa, m->msg_name, m->msg_namelen);
	if (!cut)
		cut = len;
	for (size_t at = 0; at < len; at += cut)
		receive_datagram(ls, &from,
				 (struct bytes){data + at, len - at < cut ? len - at : cut});
}

bool wire_read(struct links *ls)
{
	struct wire *w = &ls->wire;
	struct mmsghdr m[WIRE_IN];
	struct iovec v[WIRE_IN];
	struct sockaddr_storage from[WIRE_IN];
	_Alignas(struct cmsghdr) char control[WIRE_IN][CMSG_SPACE(sizeof(int))];
	int n;

	if (w->fd < 0)
		return false;
	for (unsigned i = 0; i < WIRE_IN; i++) {
		v[i] = (struct iovec){w->in + (size_t)i * WIRE_SIZE, WIRE_SIZE};
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
						    .msg_namelen = sizeof(from[i]),
						    .msg_iov = &v[i],
						    .msg_iovlen = 1,
						    .msg_control = control[i],
						    .msg_controllen = sizeof(control[i])}};
	}
	n = recvmmsg(w->fd, m, WIRE_IN, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		if (!(m[i].msg_hdr.msg_flags & MSG_TRUNC))
			take_message(ls, &m[i].msg_hdr, v[i].iov_base, m[i].msg_len);
	return n == WIRE_IN;
}
