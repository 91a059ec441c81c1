#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* --- what waits for it --------------------------------------------------------- */

bool side_keep(struct side *s, const uint8_t *data, size_t len)
{
	uint8_t *all;

	if (!len)
		return true;
	if (s->len - s->off + len > RELAY_QUEUE)
		return false;
	all = malloc(s->len - s->off + len);
	if (!all)
		return false;
	if (side_waits(s))
		memcpy(all, s->queue + s->off, s->len - s->off);
	memcpy(all + s->len - s->off, data, len);
	free(s->queue);
	s->len = s->len - s->off + len;
	s->off = 0;
	s->queue = all;
	return true;
}

bool side_send(struct side *s, const uint8_t *data, size_t len)
{
	struct relays *all = conn_all(s->conn);
	ssize_t n = 0;

	if (s->batched || (all->batching && len > BATCH_PIECE))
		batch_send(all->batch); /* in order; and who says little waits for no one's much */
	if (all->batching && !side_waits(s) && len && batch_put(all->batch, s, data, len))
		return true;
	if (!side_waits(s) && len) {
		n = send(s->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		n = n < 0 ? 0 : n;
	}
	return side_keep(s, data + n, len - (size_t)n);
}

bool side_flush(struct side *s)
{
	while (side_waits(s)) {
		ssize_t n = send(s->fd, s->queue + s->off, s->len - s->off,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		s->off += (size_t)n;
	}
	free(s->queue);
	s->queue = NULL;
	s->off = s->len = 0;
	return true;
}

/* --- what epoll is to report --------------------------------------------------- */

static uint32_t wanted(struct conn *c, struct side *s)
{
	struct side *secure = conn_secure(c), *other = s == &c->in ? &c->out : &c->in;
	uint32_t events = side_waits(s) ? EPOLLOUT : 0;

	switch (c->state) {
	case CONN_HEADER:
		return s == &c->in ? EPOLLIN : 0;
	case CONN_CONNECT:
		return s == &c->out ? EPOLLOUT : 0;
	case CONN_SHAKE_IN:
	case CONN_SHAKE_OUT:
		return s == secure && !c->waits ? events | EPOLLIN : events;
	case CONN_OPEN:
		return !s->ended && !side_waits(other) ? events | EPOLLIN : events;
	case CONN_OVER:
		break;
	}
	return 0;
}

/*
 * Reported when it comes, not for as long as it is there, for to ask again after each message costs as
 * much as to read it. Who leaves something unread says so (`rest`), and is told of it once
 * more. A PROXY header is only looked at: it is reported until it was taken.
 */
static uint32_t reported(struct conn *c, struct side *s)
{
	uint32_t events = wanted(c, s);

	if (c->state == CONN_HEADER)
		return events;
	return events & EPOLLIN ? events | SIDE_REST | EPOLLET : events | EPOLLET;
}

/* A side that hangs up while it is not read would be reported for ever. */
static bool is_silent(struct conn *c, struct side *s)
{
	return s->fd < 0 || (s->ended && s->shut);
}

void side_watch(struct conn *c, struct side *s)
{
	struct relays *all = conn_all(c);
	struct epoll_event e = {.events = reported(c, s), .data.ptr = s};

	if (is_silent(c, s)) {
		if (s->polled)
			epoll_ctl(all->epoll, EPOLL_CTL_DEL, s->fd, NULL);
		s->polled = false;
		return;
	}
	if (s->polled && s->watched == e.events && !s->rest)
		return;
	if (epoll_ctl(all->epoll, s->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &e) == 0) {
		s->polled = true;
		s->rest = false;
		s->watched = e.events;
	}
}

ssize_t side_recv(struct side *s, uint8_t *ret_data, size_t room)
{
	ssize_t n = recv(s->fd, ret_data, room, MSG_DONTWAIT);

	if (n == (ssize_t)room || (n < 0 && errno == EINTR))
		s->rest = true;
	else if (n < 0 && errno == EAGAIN)
		s->rest = false;
	return n;
}

void side_close(struct relays *all, struct side *s, bool cut)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (s->fd >= 0) {
		if (cut)
			setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(s->fd); /* which epoll notices */
	}
	s->fd = -1;
	s->polled = false;
	free(s->queue);
	s->queue = NULL;
	s->off = s->len = 0;
}

void side_tune(int fd)
{
	int one = 1, idle = 120, every = 30, tries = 4;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}
