/*
 * Reads in chunks that stay where they are while a frame of theirs is in use:
 * frames are handed out without a copy, and a file that is cut short while it
 * is read ends in an error, not in a SIGBUS as a mapped one would. Only the
 * fragments that an engine holds keep more than one or two chunks alive.
 */
#include "guard/capture/capture.h"
#include "guard/capture/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536u /* stays in the second-level cache between read() and the parser */
#define SPARES	    4	   /* more than a burst of frames spans */

/* A chunk's bytes follow it. Freed with its last frame, once it is not the current one. */
struct chunk {
	struct chunk *next; /* of the spare ones */
	size_t cap, len, off;
	uint32_t frames;
};

struct capture_pcap {
	struct capture base;
	struct dump *dump;
	struct chunk *chunk; /* where reading goes on */
	struct chunk *spare; /* of CHUNK_BYTES each, the last used first */
	unsigned spares;
	int fd;
	uint8_t links; /* LINK_*: how its frames may begin besides */
	bool stream;   /* no regular file: may have to wait */
	bool again;    /* what was read can be read once more */
	bool ended;
	int failed;	 /* -errno, told once all frames before it are delivered */
	uint64_t offset; /* of the chunk's unread part in the file */
	uint64_t packets;
	struct capture_counts counts;
	char name[128];
	char error[384];
};

static uint8_t *chunk_data(struct chunk *k)
{
	return (uint8_t *)(k + 1);
}

static struct chunk *chunk_new(struct capture_pcap *c, size_t cap)
{
	struct chunk *k = c->spare;

	if (k && k->cap >= cap) {
		c->spare = k->next;
		c->spares--;
	} else {
		cap = cap < CHUNK_BYTES ? CHUNK_BYTES : cap;
		k = malloc(sizeof(*k) + cap);
		if (!k)
			return NULL;
		k->cap = cap;
	}
	k->len = k->off = 0;
	k->frames = 0;
	return k;
}

static void chunk_release(struct capture_pcap *c, struct chunk *k)
{
	if (k->frames || k == c->chunk)
		return;
	if (c->spares == SPARES || k->cap > CHUNK_BYTES) {
		free(k);
		return;
	}
	k->next = c->spare;
	c->spare = k;
	c->spares++;
}

static void settle(struct capture_pcap *c, const struct frame *f)
{
	struct chunk *k = (struct chunk *)(uintptr_t)f->handle;

	if (--k->frames == 0 && k != c->chunk)
		chunk_release(c, k);
}

static void pcap_forward(struct capture *base, const struct frame *f, uint32_t out_ifindex)
{
	struct capture_pcap *c = (struct capture_pcap *)base;

	c->counts.forwarded++;
	settle(c, f);
}

static void pcap_drop(struct capture *base, const struct frame *f)
{
	struct capture_pcap *c = (struct capture_pcap *)base;

	c->counts.dropped++;
	settle(c, f);
}

/* There is nobody to send to. */
static int pcap_inject(struct capture *base, struct bytes data, uint32_t out_ifindex)
{
	return 0;
}

static void pcap_flush(struct capture *base)
{
}

/* Room for `need` bytes in one piece behind what is unread, in a new chunk if need be. */
static int make_room(struct capture_pcap *c, size_t need)
{
	struct chunk *old = c->chunk, *k;
	size_t left = old ? old->len - old->off : 0;

	if (old && old->len < old->cap && old->off + need <= old->cap)
		return 0;
	/* Nobody looks at it any more: the rest of it moves to its begin. */
	if (old && !old->frames && old->cap >= need) {
		memmove(chunk_data(old), chunk_data(old) + old->off, left);
		old->off = 0;
		old->len = left;
		return 0;
	}
	k = chunk_new(c, need);
	if (!k)
		return -ENOMEM;
	if (left)
		memcpy(chunk_data(k), chunk_data(old) + old->off, left);
	k->len = left;
	c->chunk = k;
	if (old)
		chunk_release(c, old);
	return 0;
}

/* One read(), so that a pipe with something in it does not block. 1, 0 nothing there, -errno. */
static int fill(struct capture_pcap *c, size_t need, int timeout_ms)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	ssize_t n;
	int r;

	if (c->ended)
		return -ENODATA;
	if (c->stream && poll(&pfd, 1, timeout_ms) <= 0)
		return 0;
	r = make_room(c, need);
	if (r < 0)
		return r;
	n = read(c->fd, chunk_data(c->chunk) + c->chunk->len, c->chunk->cap - c->chunk->len);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	c->ended = n == 0;
	c->chunk->len += (size_t)n;
	return c->ended ? -ENODATA : 1;
}

static struct bytes unread(struct capture_pcap *c)
{
	struct chunk *k = c->chunk;

	if (!k)
		return (struct bytes){NULL, 0};
	return (struct bytes){chunk_data(k) + k->off, k->len - k->off};
}

/* Ends the reading: nothing that follows a broken place can be trusted. */
static void fail(struct capture_pcap *c, int error, const char *what)
{
	c->failed = error;
	snprintf(c->error, sizeof(c->error), "%s: packet %llu at byte %llu: %s", c->name,
		 (unsigned long long)c->packets + 1, (unsigned long long)c->offset, what);
}

static void finish(struct capture_pcap *c, int why)
{
	const char *name;
	uint64_t skipped = dump_unread(c->dump, &name);

	if (why != -ENODATA) {
		fail(c, why, strerror(-why));
	} else if (unread(c).len || !c->offset) {
		fail(c, -EBADMSG, "the file ends in the middle of it");
	} else {
		c->failed = -ENODATA;
		if (skipped)
			snprintf(c->error, sizeof(c->error),
				 "%s: %llu packets of a link type that is not read (%s) were "
				 "skipped",
				 c->name, (unsigned long long)skipped, name ? name : "unknown");
	}
}

static void hand_out(struct capture_pcap *c, const struct dump_record *r, struct frame *ret_f)
{
	*ret_f = (struct frame){.data = r->data,
				.time_ns = r->time_ns,
				.wire_len = r->wire_len,
				.ifindex = r->interface,
				.link = r->link | c->links,
				.handle = (uintptr_t)c->chunk};
	if (c->again)
		ret_f->place = c->offset + (uint64_t)(r->data.data - unread(c).data);
	c->chunk->frames++;
	c->packets++;
}

static int pcap_receive(struct capture *base, struct frame *ret_frames, unsigned max)
{
	struct capture_pcap *c = (struct capture_pcap *)base;
	unsigned n = 0;

	while (n < max && !c->failed) {
		struct dump_record r;
		enum dump_step step = dump_next(c->dump, unread(c), &r);
		int filled;

		if (step == DUMP_MORE) {
			filled = fill(c, r.used, 0);
			if (filled == 0)
				break;
			if (filled < 0)
				finish(c, filled);
			continue;
		}
		if (step == DUMP_BAD) {
			fail(c, -EBADMSG, dump_error(c->dump));
			break;
		}
		if (step == DUMP_FRAME)
			hand_out(c, &r, &ret_frames[n++]);
		c->chunk->off += r.used;
		c->offset += r.used;
	}
	c->counts.received += n;
	return n ? (int)n : c->failed;
}

static int pcap_wait(struct capture *base, int timeout_ms)
{
	struct capture_pcap *c = (struct capture_pcap *)base;
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

	if (c->failed)
		return c->failed;
	if (!c->stream || unread(c).len)
		return 1;
	return poll(&pfd, 1, timeout_ms) > 0;
}

static unsigned pcap_fds(struct capture *base, int *ret_fds, unsigned max)
{
	struct capture_pcap *c = (struct capture_pcap *)base;

	if (!c->stream || max == 0)
		return 0;
	ret_fds[0] = c->fd;
	return 1;
}

static void pcap_counts(const struct capture *base, struct capture_counts *ret_counts)
{
	*ret_counts = ((const struct capture_pcap *)base)->counts;
}

static void pcap_close(struct capture *base)
{
	struct capture_pcap *c = (struct capture_pcap *)base;
	struct chunk *k;

	free(c->chunk);
	while ((k = c->spare)) {
		c->spare = k->next;
		free(k);
	}
	dump_free(c->dump);
	if (c->fd > 0)
		close(c->fd);
	free(c);
}

static const struct capture_ops ops = {
	.name = "pcap",
	.wait = pcap_wait,
	.receive = pcap_receive,
	.forward = pcap_forward,
	.drop = pcap_drop,
	.inject = pcap_inject,
	.flush = pcap_flush,
	.fds = pcap_fds,
	.counts = pcap_counts,
	.close = pcap_close,
};

/* Reads as far as the first packet, so that a wrong file is refused before work begins. */
static int read_header(struct capture_pcap *c)
{
	struct dump_record r;
	enum dump_step step;
	int filled = 1;

	while ((step = dump_next(c->dump, unread(c), &r)) == DUMP_MORE && filled >= 0) {
		if (c->offset)
			return 0; /* the header is read */
		filled = fill(c, r.used, -1);
	}
	if (step == DUMP_MORE && filled != -ENODATA)
		return filled;
	if (step == DUMP_MORE) {
		snprintf(c->error, sizeof(c->error), "%s",
			 unread(c).len ? "the file ends in its header" : "the file is empty");
		return -EBADMSG;
	}
	if (step == DUMP_BAD) {
		snprintf(c->error, sizeof(c->error), "%s", dump_error(c->dump));
		return -EBADMSG;
	}
	c->chunk->off += r.used;
	c->offset += r.used;
	return 0;
}

static int open_file(struct capture_pcap *c, const char *path)
{
	struct stat st;

	c->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (c->fd < 0 || fstat(c->fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	c->stream = !S_ISREG(st.st_mode);
	c->again = !c->stream && c->fd != STDIN_FILENO; /* which may stand anywhere */
	if (!c->stream)
		(void)posix_fadvise(c->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

struct capture *capture_pcap_open(const char *path, bool wrapped, char ret_error[256])
{
	struct capture_pcap *c = calloc(1, sizeof(*c));
	int r = -ENOMEM;

	if (!c)
		goto fail;
	c->base.ops = &ops;
	c->links = LINK_OFFLOAD | (wrapped ? LINK_WRAPPED : 0);
	snprintf(c->name, sizeof(c->name), "%s", strcmp(path, "-") ? path : "standard input");
	c->dump = dump_new();
	r = c->dump ? open_file(c, path) : -ENOMEM;
	if (r == 0)
		r = read_header(c);
	if (r == 0)
		return &c->base;
fail:
	snprintf(ret_error, 256, "%.100s: %.150s", path,
		 c && c->error[0] ? c->error : strerror(-r));
	if (c)
		pcap_close(&c->base);
	errno = -r;
	return NULL;
}

int capture_pcap_reread(const struct capture *c, uint64_t place, uint8_t *buf, size_t len)
{
	ssize_t n = pread(((const struct capture_pcap *)c)->fd, buf, len, (off_t)place);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENODATA;
}

const char *capture_pcap_interface(const struct capture *c, uint32_t interface)
{
	return dump_interface(((const struct capture_pcap *)c)->dump, interface);
}

const char *capture_pcap_error(const struct capture *c)
{
	return ((const struct capture_pcap *)c)->error;
}
