#include "role/talks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SILENT_NS (60 * NSEC_PER_SEC)
#define PIECE	  65536 /* of a file, read and sent at a time */
#define TURNS	  16	/* of those before others are looked after */

struct talk {
	int fd; /* -1: free */
	char device[64];
	uint8_t in[TALK_MAX + 4], out[TALK_MAX + 4];
	size_t in_len, out_len, out_at;
	int file; /* -1 none; what of it is still to be sent after `out` */
	uint64_t from, left;
	uint64_t moved_ns;
	bool last; /* nothing more is heard after what is to be said */
};

struct talks {
	talks_answer_fn answer;
	void *arg;
	struct talk *list[TALKS_MAX];
};

struct talks *talks_new(talks_answer_fn answer, void *arg)
{
	struct talks *t = calloc(1, sizeof(*t));

	if (t) {
		t->answer = answer;
		t->arg = arg;
	}
	return t;
}

static void leave(struct talks *t, unsigned i)
{
	struct talk *c = t->list[i];

	close(c->fd);
	if (c->file >= 0)
		close(c->file);
	free(c);
	t->list[i] = NULL;
}

void talks_free(struct talks *t)
{
	for (unsigned i = 0; t && i < TALKS_MAX; i++)
		if (t->list[i])
			leave(t, i);
	free(t);
}

/* A free place, or that of whoever was silent longest. */
static unsigned place(struct talks *t)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < TALKS_MAX; i++) {
		if (!t->list[i])
			return i;
		if (t->list[i]->moved_ns < t->list[oldest]->moved_ns)
			oldest = i;
	}
	leave(t, oldest);
	return oldest;
}

void talks_begin(struct talks *t, const char *device, int fd, uint64_t now_ns)
{
	struct talk *c = strlen(device) < sizeof(c->device) ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(fd);
		return;
	}
	snprintf(c->device, sizeof(c->device), "%s", device);
	c->fd = fd;
	c->file = -1;
	c->moved_ns = now_ns;
	t->list[place(t)] = c;
}

static bool has_to_say(const struct talk *c)
{
	return c->out_at < c->out_len || c->left;
}

unsigned talks_poll(const struct talks *t, struct pollfd *ret_fds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TALKS_MAX; i++)
		if (t->list[i])
			ret_fds[n++] = (struct pollfd){.fd = t->list[i]->fd,
						       .events = has_to_say(t->list[i]) ? POLLOUT
											: POLLIN};
	return n;
}

/* False: it is over. */
static bool answer(struct talks *t, struct talk *c, const struct talk_report *said)
{
	struct talk_order o;
	int fd = -1, err = t->answer(t->arg, c->device, said, &o, &fd);

	if (err < 0) {
		log_debug("agent %s: %s", c->device, strerror(-err));
		return false;
	}
	c->out_len = talk_write_order(&o, c->out);
	c->out_at = 0;
	c->last = o.what == TALK_WAIT;
	c->file = fd;
	c->from = said->from;
	c->left = fd >= 0 ? o.length : 0;
	return c->out_len > 0;
}

/* What lies there whole; one report is answered before the next is read. */
static bool read_report(struct talks *t, struct talk *c)
{
	struct talk_report said;
	size_t used;
	enum parse got = talk_read_report((struct bytes){c->in, c->in_len}, &said, &used);

	if (got == PARSE_MORE)
		return true;
	if (got == PARSE_BAD) {
		log_warn("agent %s says what is no message; its conversation is over", c->device);
		return false;
	}
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	return answer(t, c, &said);
}

static bool hear(struct talks *t, struct talk *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	c->in_len += (size_t)n;
	return read_report(t, c);
}

static ssize_t put(const struct talk *c, const void *data, size_t len)
{
	ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

/* The order, then the piece of the file that goes with it. */
static ssize_t say(struct talk *c)
{
	static uint8_t buf[PIECE];
	ssize_t n;

	if (c->out_at < c->out_len) {
		n = put(c, c->out + c->out_at, c->out_len - c->out_at);
		c->out_at += n > 0 ? (size_t)n : 0;
		return n;
	}
	n = pread(c->file, buf, c->left < PIECE ? (size_t)c->left : PIECE, (off_t)c->from);
	if (n <= 0)
		return -1; /* it was longer when it was verified */
	n = put(c, buf, (size_t)n);
	if (n > 0) {
		c->from += (uint64_t)n;
		c->left -= (uint64_t)n;
	}
	return n;
}

static bool speak(struct talks *t, struct talk *c)
{
	ssize_t n = 1;

	for (unsigned i = 0; i < TURNS && n > 0 && has_to_say(c); i++)
		n = say(c);
	if (n < 0)
		return false;
	if (has_to_say(c))
		return true;
	if (c->file >= 0)
		close(c->file);
	c->file = -1;
	return !c->last && read_report(t, c); /* what came along */
}

void talks_turn(struct talks *t, const struct pollfd *fds, unsigned count, uint64_t now_ns)
{
	for (unsigned i = 0, at = 0; i < TALKS_MAX && at < count; i++) {
		struct talk *c = t->list[i];
		bool on;

		if (!c || c->fd != fds[at].fd)
			continue;
		if (!fds[at++].revents) {
			if (now_ns - c->moved_ns > SILENT_NS)
				leave(t, i);
			continue;
		}
		c->moved_ns = now_ns;
		on = has_to_say(c) ? speak(t, c) : hear(t, c);
		if (!on)
			leave(t, i);
	}
}
