#include "role/serve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

struct serve {
	int sock;
	gid_t gid;
	const struct serve_calls *calls;
	void *arg;
	size_t waiting; /* bytes of answers */
	struct client clients[SERVE_CLIENTS];
};

struct serve *serve_new(int sock, gid_t gid, const struct serve_calls *calls, void *arg)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sock = sock;
	s->gid = gid;
	s->calls = calls;
	s->arg = arg;
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		s->clients[i].fd = -1;
	return s;
}

static void drop_answer(struct serve *s, struct client *c)
{
	s->waiting -= c->out_cap;
	free(c->out);
	c->out = NULL;
	c->out_cap = c->out_len = c->out_off = 0;
}

static void close_client(struct serve *s, struct client *c)
{
	if (s->calls->gone)
		s->calls->gone(s->arg, c);
	close(c->fd);
	drop_answer(s, c);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			close_client(s, &s->clients[i]);
	free(s);
}

/* Appends a line to the answer; false: more than `limit` bytes would wait, or no memory. */
static bool append(struct serve *s, struct client *c, struct bytes b, size_t limit)
{
	size_t cap = c->out_cap ? c->out_cap : 4096;
	uint8_t *bigger;

	while (cap < c->out_len + b.len + 1)
		cap *= 2;
	if (cap != c->out_cap) {
		if (s->waiting - c->out_cap + cap > limit)
			return false;
		bigger = realloc(c->out, cap);
		if (!bigger)
			return false;
		s->waiting += cap - c->out_cap;
		c->out = bigger;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, b.data, b.len);
	c->out_len += b.len;
	c->out[c->out_len++] = '\n';
	return true;
}

/* The end of an answer: the client may ask again. */
static void settle(struct client *c)
{
	c->busy = c->streams = c->queued = false;
	c->answer_ns = 0;
	c->waiting = 0;
	c->ask = 0;
}

/* Too much for the gateway: the answer ends here, and the reason is its last line. */
static void overflow(struct serve *s, struct client *c)
{
	static const char full[] = "{\"error\":\"control: the answer is too long; narrow it with "
				   "filters or a limit, and ask again\"}";

	if (c->ending)
		return;
	settle(c);
	c->ending = true;
	append(s, c, (struct bytes){(const uint8_t *)full, sizeof(full) - 1}, SIZE_MAX);
}

void serve_row(struct serve *s, struct client *c, struct bytes row)
{
	if (!append(s, c, row, SERVE_BYTES))
		overflow(s, c);
}

void serve_end(struct serve *s, struct client *c)
{
	static const char end[] = "{\"end\":true}";

	if (c->ending)
		return;
	settle(c);
	serve_row(s, c, (struct bytes){(const uint8_t *)end, sizeof(end) - 1});
}

void serve_error(struct serve *s, struct client *c, const char *fmt, ...)
{
	char text[512], buf[4096];
	struct json j = json_new(buf, sizeof(buf));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_open(&j, NULL);
	json_str(&j, "error", text);
	json_close(&j);
	if (c->ending)
		return;
	settle(c);
	serve_row(s, c, (struct bytes){j.out.data, j.out.len});
}

/* Is the peer of the group by one of its further memberships? */
static bool in_group(int fd, gid_t gid)
{
	gid_t groups[64];
	socklen_t len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool may_connect(const struct serve *s, int fd, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid() || peer.gid == s->gid || in_group(fd, s->gid);
}

static struct client *free_client(struct serve *s)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd < 0)
			return &s->clients[i];
	return NULL;
}

static void turn_away(struct serve *s, int fd, const char *why)
{
	/* A socket just made has room; where it has not, the client sees the end. */
	(void)!send(fd, why, strlen(why), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void take_clients(struct serve *s, uint64_t now_ns)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++) {
		int fd = accept4(s->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct client *c = free_client(s);
		uid_t uid = (uid_t)-1;

		if (fd < 0)
			return;
		if (!may_connect(s, fd, &uid)) {
			turn_away(s, fd,
				  "{\"error\":\"control: not allowed; ask as root or as a member "
				  "of the gateway's group\"}\n");
		} else if (!c) {
			turn_away(s, fd,
				  "{\"error\":\"control: too many clients; try again later\"}\n");
		} else {
			c->fd = fd;
			c->uid = uid;
			c->moved_ns = now_ns;
		}
	}
}

/* A whole line is there: takes it out of the buffer and has it answered. */
static void take_request(struct serve *s, struct client *c, size_t len)
{
	char error[REQUEST_ERROR];
	int err;

	c->after = 0;
	c->left = 0;
	err = request_parse((struct bytes){(const uint8_t *)c->in, len}, &c->request, error);
	memmove(c->in, c->in + len + 1, c->in_len - len - 1);
	c->in_len -= len + 1;
	if (err != 0) {
		serve_error(s, c, "%s", error);
		return;
	}
	c->busy = true;
	s->calls->asked(s->arg, c);
}

/* Answers what was asked, one after the other. */
static void take_requests(struct serve *s, struct client *c)
{
	while (!c->busy && !c->ending && c->out_len == 0) {
		char *newline = memchr(c->in, '\n', c->in_len);

		if (newline) {
			take_request(s, c, (size_t)(newline - c->in));
			continue;
		}
		if (c->in_len > REQUEST_MAX) {
			serve_error(s, c, "request: longer than %d bytes", REQUEST_MAX);
			c->ending = true;
		}
		return;
	}
}

static void read_client(struct serve *s, struct client *c, uint64_t now_ns)
{
	size_t room = sizeof(c->in) - c->in_len;
	ssize_t n;

	if (room == 0)
		return;
	n = recv(c->fd, c->in + c->in_len, room, MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_client(s, c);
		return;
	}
	if (n == 0) { /* it may still want its answer, but none that never ends */
		c->shut = true;
		if (c->streams && c->request.follow)
			c->ending = true;
	}
	if (n <= 0)
		return;
	if (!c->busy)
		c->moved_ns = now_ns;
	c->in_len += (size_t)n;
	take_requests(s, c);
}

static void write_client(struct serve *s, struct client *c, uint64_t now_ns)
{
	ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		close_client(s, c);
		return;
	}
	if (n <= 0)
		return;
	c->out_off += (size_t)n;
	c->moved_ns = now_ns;
	if (c->out_off < c->out_len)
		return;
	drop_answer(s, c);
	if (c->ending)
		return;
	if (c->streams)
		s->calls->more(s->arg, c);
	else
		take_requests(s, c);
}

/* Nothing is left to be said to it. */
static bool is_done(const struct client *c)
{
	return c->out_len == 0 && (c->ending || (c->shut && !c->busy));
}

/* Whether the client is the one who has to move. */
static bool must_move(const struct client *c)
{
	return c->out_len > 0 || !c->busy;
}

static void check_time(struct serve *s, struct client *c, uint64_t now_ns)
{
	if (c->answer_ns && now_ns >= c->answer_ns) {
		c->answer_ns = 0;
		s->calls->late(s->arg, c);
		c->moved_ns = now_ns;
	}
	if (is_done(c) || (must_move(c) && now_ns - c->moved_ns > SERVE_SILENT_MS * NSEC_PER_MSEC))
		close_client(s, c);
}

unsigned serve_poll(struct serve *s, struct pollfd *ret_fds)
{
	unsigned count = 0;

	ret_fds[count++] = (struct pollfd){.fd = s->sock, .events = POLLIN};
	for (unsigned i = 0; i < SERVE_CLIENTS; i++) {
		const struct client *c = &s->clients[i];
		short events = 0;

		if (c->fd < 0)
			continue;
		if (c->in_len < sizeof(c->in) && !c->ending && !c->shut)
			events |= POLLIN;
		if (c->out_len > 0)
			events |= POLLOUT;
		ret_fds[count++] = (struct pollfd){.fd = c->fd, .events = events};
	}
	return count;
}

static struct client *by_fd(struct serve *s, int fd)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd == fd)
			return &s->clients[i];
	return NULL;
}

static void turn_client(struct serve *s, struct client *c, short events, uint64_t now_ns)
{
	int fd = c->fd;

	if (events & (POLLERR | POLLHUP)) {
		close_client(s, c);
		return;
	}
	if (events & POLLIN)
		read_client(s, c, now_ns);
	if (c->fd == fd && c->out_len > 0)
		write_client(s, c, now_ns);
}

void serve_turn(struct serve *s, const struct pollfd *fds, unsigned count, uint64_t now_ns)
{
	for (unsigned i = 1; i < count; i++) {
		struct client *c = by_fd(s, fds[i].fd);

		if (c && fds[i].revents)
			turn_client(s, c, fds[i].revents, now_ns);
	}
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			check_time(s, &s->clients[i], now_ns);
	/* Last, so that no new client gets a descriptor that is still in `fds`. */
	if (count > 0 && fds[0].revents)
		take_clients(s, now_ns);
}

void serve_wake(struct serve *s)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (c->fd >= 0 && c->streams && c->out_len == 0)
			s->calls->more(s->arg, c);
	}
}

uint64_t serve_deadline(const struct serve *s)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < SERVE_CLIENTS; i++) {
		const struct client *c = &s->clients[i];
		uint64_t at = c->moved_ns + SERVE_SILENT_MS * NSEC_PER_MSEC + 1;

		if (c->fd < 0)
			continue;
		if (must_move(c) && at < first)
			first = at;
		if (c->answer_ns && c->answer_ns < first)
			first = c->answer_ns;
	}
	return first;
}

struct client *serve_asker(struct serve *s, uint32_t ask)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd >= 0 && ask && s->clients[i].ask == ask)
			return &s->clients[i];
	return NULL;
}

struct client *serve_waiting(struct serve *s, unsigned guard)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd >= 0 && s->clients[i].waiting & 1ull << guard)
			return &s->clients[i];
	return NULL;
}

struct client *serve_queued(struct serve *s)
{
	for (unsigned i = 0; i < SERVE_CLIENTS; i++)
		if (s->clients[i].fd >= 0 && s->clients[i].queued)
			return &s->clients[i];
	return NULL;
}
