#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * A connection is one text: a message with its length, both sockets and the text's beginning, and as
 * many messages with more as it takes. The text is read by who has the same BEDWARDEN_VERSION or
 * another: what is of one version alone (a parser's state) stands at its end.
 */
#define FORMAT	 1
#define PIECE	 (32u << 10)
#define BEGINS	 0x42774331 /* in front of a message: begins one of format 1 … */
#define GOES_ON	 0x42774363 /* … or goes on with it */
#define HEAD	 8
#define TEXT_MAX (8u << 20)
#define FIXED	 1024 /* what does not grow, of a text */

/* --- writing -------------------------------------------------------------------- */

static void put64(struct writer *w, uint64_t v)
{
	write_be32(w, (uint32_t)(v >> 32));
	write_be32(w, (uint32_t)v);
}

static void put_text(struct writer *w, const char *text)
{
	size_t len = strlen(text) < 255 ? strlen(text) : 255;

	write_u8(w, (uint8_t)len);
	write_bytes(w, text, len);
}

/* What is left of `data` from `off` on; NULL where nothing ever was. */
static void put_rest(struct writer *w, const uint8_t *data, size_t off, size_t len)
{
	write_be32(w, (uint32_t)(len - off));
	if (len > off)
		write_bytes(w, data + off, len - off);
}

static void put_keys(struct writer *w, const struct traffic *t)
{
	struct traffic_secret s;

	traffic_state(t, &s);
	write_be16(w, s.version);
	write_be16(w, s.suite);
	write_u8(w, s.len);
	write_bytes(w, s.secret, s.len);
	put64(w, s.seq);
	put64(w, s.nonce);
	OPENSSL_cleanse(&s, sizeof(s));
}

static void put_side(struct writer *w, const struct side *s)
{
	write_u8(w, (uint8_t)(s->ended | s->closing << 1 | s->shut << 2));
	put_rest(w, s->queue, s->off, s->len);
}

static void put_who(struct writer *w, const struct proxy_header *h)
{
	write_u8(w, (uint8_t)(h->known | h->local << 1));
	write_bytes(w, h->from, 16);
	write_bytes(w, h->to, 16);
	write_be16(w, h->from_port);
	write_be16(w, h->to_port);
}

static void put_post(struct writer *w, const struct conn *c)
{
	write_bytes(w, c->post.head, sizeof(c->post.head));
	write_u8(w, c->post.have);
	write_be32(w, c->post.left);
	write_u8(w, (uint8_t)c->post.without);
	write_u8(w, c->farewell);
	write_be32(w, c->records);
}

static void put_conn(struct writer *w, const struct conn *c)
{
	const struct relays *all = c->relay->all;

	write_u8(w, FORMAT);
	put_text(w, c->relay->name);
	write_u8(w, c->relay->o.tls_in);
	put64(w, c->id);
	put64(w, (all->now_ns - c->begun_ns) / NSEC_PER_MSEC);
	put64(w, (all->now_ns - c->moved_ns) / NSEC_PER_MSEC);
	put_who(w, &c->who);
	put64(w, c->bytes[0]);
	put64(w, c->bytes[1]);
	put_text(w, c->peer.subject);
	put64(w, c->peer.not_after_s);
	write_u8(w, c->peer.refused == REASON_RELAY_CUT);
	put_keys(w, c->seal);
	put_keys(w, c->open);
	put_post(w, c);
	put_side(w, &c->in);
	put_side(w, &c->out);
	put_rest(w, c->early, c->early_off, c->early_len);
	put_text(w, c->reading ? c->relay->o.proto->name : "");
	if (!c->reading)
		return;
	put_text(w, BEDWARDEN_VERSION);
	reading_save(c->reading, w);
}

/* --- sending -------------------------------------------------------------------- */

union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(8 * sizeof(int))]; /* that more than two are seen and closed */
};

static int send_piece(int sock, uint32_t kind, uint32_t total, struct bytes piece, const int fds[2])
{
	uint8_t head[HEAD];
	struct writer w = writer_new(head, sizeof(head));
	struct iovec iov[] = {{head, sizeof(head)}, {(void *)(uintptr_t)piece.data, piece.len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	union control control = {0};
	struct cmsghdr *c;
	ssize_t n;

	write_be32(&w, kind);
	write_be32(&w, total);
	if (fds) {
		msg.msg_control = control.data;
		msg.msg_controllen = CMSG_SPACE(2 * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* All of it or what the other end passes over. */
static bool send_text(int sock, struct bytes text, const int fds[2])
{
	size_t at = 0;

	do {
		size_t n = text.len - at < PIECE ? text.len - at : PIECE;

		if (send_piece(sock, at ? GOES_ON : BEGINS, (uint32_t)text.len,
			       (struct bytes){text.data + at, n}, at ? NULL : fds) < 0)
			return false;
		at += n;
	} while (at < text.len);
	return true;
}

static bool hand_over(struct conn *c, int sock)
{
	size_t room = FIXED + (c->in.len - c->in.off) + (c->out.len - c->out.off) +
		      (c->early_len - c->early_off) + (c->reading ? reading_size(c->reading) : 0);
	struct writer w = writer_new(malloc(room), room);
	int fds[2] = {c->in.fd, c->out.fd};
	bool sent;

	if (!w.data)
		return false;
	put_conn(&w, c);
	sent = !w.bad && w.len <= TEXT_MAX && send_text(sock, (struct bytes){w.data, w.len}, fds);
	OPENSSL_cleanse(w.data, w.len);
	free(w.data);
	return sent;
}

unsigned relays_hand_over(struct relays *rs, int sock)
{
	unsigned count = 0;

	rs->now_ns = clock_mono_ns();
	for (struct relay *r = rs->list; r; r = r->next) {
		struct conn *next;

		for (struct conn *c = r->conns; c; c = next) {
			next = c->next;
			if (c->state != CONN_OPEN || r->o.serve || c->in.fd < 0 || c->out.fd < 0)
				continue;
			if (!hand_over(c, sock))
				return count; /* full: the others would not fit either */
			conn_release(c);
			count++;
		}
	}
	return count;
}

/* --- reading -------------------------------------------------------------------- */

static uint64_t take64(struct reader *r)
{
	uint64_t high = read_be32(r);

	return high << 32 | read_be32(r);
}

static void take_text(struct reader *r, char *ret_text, size_t size)
{
	struct bytes b = read_bytes(r, read_u8(r));

	if (b.len >= size) {
		r->bad = true;
		b.len = 0;
	}
	if (b.len)
		memcpy(ret_text, b.data, b.len);
	ret_text[b.len] = 0;
}

/* A copy of its own; empty: NULL. */
static void take_block(struct reader *r, size_t most, uint8_t **ret_data, size_t *ret_len)
{
	struct bytes b = read_bytes(r, read_be32(r));

	if (!b.len)
		return;
	*ret_data = b.len <= most ? malloc(b.len) : NULL;
	if (!*ret_data) {
		r->bad = true;
		return;
	}
	memcpy(*ret_data, b.data, b.len);
	*ret_len = b.len;
}

static struct traffic *take_keys(struct reader *r, bool seal)
{
	struct traffic_secret s = {.version = read_be16(r), .suite = read_be16(r)};
	struct bytes secret = read_bytes(r, read_u8(r));
	struct traffic *t = NULL;

	s.seq = take64(r);
	s.nonce = take64(r);
	if (!r->bad && secret.len <= sizeof(s.secret)) {
		s.len = (uint8_t)secret.len;
		memcpy(s.secret, secret.data, secret.len);
		t = traffic_new(&s, seal);
	}
	OPENSSL_cleanse(&s, sizeof(s));
	return t;
}

static void take_side(struct reader *r, struct side *s)
{
	uint8_t flags = read_u8(r);

	s->ended = flags & 1;
	s->closing = flags & 2;
	s->shut = flags & 4;
	take_block(r, RELAY_QUEUE, &s->queue, &s->len);
}

static void take_who(struct reader *r, struct proxy_header *h)
{
	uint8_t flags = read_u8(r);
	struct bytes from = read_bytes(r, 16), to = read_bytes(r, 16);

	if (r->bad)
		return;
	h->known = flags & 1;
	h->local = flags & 2;
	memcpy(h->from, from.data, 16);
	memcpy(h->to, to.data, 16);
	h->from_port = read_be16(r);
	h->to_port = read_be16(r);
}

static void take_post(struct reader *r, struct conn *c)
{
	struct bytes head = read_bytes(r, sizeof(c->post.head));

	if (head.len)
		memcpy(c->post.head, head.data, head.len);
	c->post.have = read_u8(r);
	c->post.left = read_be32(r);
	c->post.without = read_u8(r);
	c->farewell = read_u8(r);
	c->records = read_be32(r);
	r->bad |= c->post.have > sizeof(c->post.head);
}

/* A parser's state is of one version; who is at a message's beginning could begin anew, but who says
 * that it is? */
static void take_reading(struct reader *r, struct conn *c)
{
	const struct proto *p = c->relay->o.proto;
	uint16_t ports[2] = {c->who.from_port, c->who.to_port};
	char name[256], version[256];

	take_text(r, name, sizeof(name));
	if (r->bad || strcmp(name, p ? p->name : "") != 0) {
		r->bad = true;
		return;
	}
	if (!p)
		return;
	take_text(r, version, sizeof(version));
	if (strcmp(version, BEDWARDEN_VERSION) == 0)
		c->reading = reading_load(p, ports, r);
	r->bad |= !c->reading;
}

/* The same relay as it is now; one that was made anew beside the old has its name. */
static struct relay *find(struct relays *rs, const char *name, bool tls_in)
{
	for (struct relay *r = rs->list; r; r = r->next)
		if (!r->retired && strcmp(r->name, name) == 0 && r->o.tls_in == tls_in)
			return r;
	return NULL;
}

static void take_conn(struct reader *r, struct conn *c)
{
	struct relays *all = conn_all(c);

	c->id = take64(r);
	c->begun_ns = all->now_ns - take64(r) * NSEC_PER_MSEC;
	c->moved_ns = all->now_ns - take64(r) * NSEC_PER_MSEC;
	take_who(r, &c->who);
	c->bytes[0] = take64(r);
	c->bytes[1] = take64(r);
	take_text(r, c->peer.subject, sizeof(c->peer.subject));
	c->peer.not_after_s = take64(r);
	c->peer.refused = read_u8(r) ? REASON_RELAY_CUT : REASON_NONE;
	c->seal = take_keys(r, true);
	c->open = take_keys(r, false);
	take_post(r, c);
	take_side(r, &c->in);
	take_side(r, &c->out);
	take_block(r, sizeof(all->in) - TRAFFIC_RECORD, &c->early, &c->early_len);
	if (!c->seal || !c->open)
		r->bad = true;
	else
		c->is13 = strcmp(traffic_version(c->seal), "TLSv1.3") == 0;
	if (!r->bad)
		take_reading(r, c);
}

/* Takes both descriptors. */
static bool adopt(struct relays *rs, struct bytes text, const int fds[2])
{
	struct reader r = reader_new(text.data, text.len);
	char name[256];
	uint8_t format = read_u8(&r);
	struct relay *relay;
	struct conn *c;

	take_text(&r, name, sizeof(name));
	relay = r.bad || format != FORMAT ? NULL : find(rs, name, read_u8(&r));
	c = relay ? conn_adopt(relay) : NULL;
	if (!c) {
		close(fds[0]);
		close(fds[1]);
		return false;
	}
	c->in.fd = fds[0];
	c->out.fd = fds[1];
	take_conn(&r, c);
	if (r.bad) {
		conn_release(c);
		return false;
	}
	if (c->id > rs->ids)
		rs->ids = c->id;
	conn_conclude(c); /* what epoll is to report of it */
	return true;
}

/* --- receiving ------------------------------------------------------------------ */

/* What has come of a connection. */
struct coming {
	uint8_t *text; /* NULL: none has begun */
	size_t len, total;
	int fds[2];
};

static void drop(struct coming *x)
{
	if (!x->text)
		return;
	OPENSSL_cleanse(x->text, x->len);
	free(x->text);
	close(x->fds[0]);
	close(x->fds[1]);
	x->text = NULL;
}

/* Two descriptors, or none: whatever else came is closed. */
static bool take_fds(struct msghdr *msg, int ret_fds[2])
{
	unsigned count = 0;
	int all[8];

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		for (size_t off = CMSG_LEN(0);
		     c->cmsg_type == SCM_RIGHTS && off + sizeof(int) <= c->cmsg_len && count < 8;
		     off += sizeof(int))
			memcpy(&all[count++], (char *)c + off, sizeof(int));
	if (count == 2) {
		memcpy(ret_fds, all, sizeof(int) * 2);
		return true;
	}
	while (count)
		close(all[--count]);
	return false;
}

static void begin(struct coming *x, size_t total, const int fds[2])
{
	x->text = total && total <= TEXT_MAX ? malloc(total) : NULL;
	memcpy(x->fds, fds, sizeof(x->fds));
	x->total = total;
	x->len = 0;
	if (x->text)
		return;
	close(fds[0]);
	close(fds[1]);
}

/* A message: true, `x` has more than before, or is whole. */
static ssize_t receive(int sock, uint8_t *buf, size_t size, struct coming *x, unsigned *ret_lost)
{
	struct iovec iov = {buf, size};
	union control control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.data,
			     .msg_controllen = sizeof(control.data)};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct reader r = reader_new(buf, n > 0 ? (size_t)n : 0);
	uint32_t kind = read_be32(&r), total = read_be32(&r);
	size_t more = reader_left(&r);
	int fds[2];

	if (n <= 0)
		return n;
	if (take_fds(&msg, fds)) {
		*ret_lost += x->text != NULL; /* who wrote it was killed before its end */
		drop(x);
		begin(x, kind == BEGINS ? total : 0, fds);
		*ret_lost += x->text == NULL;
	}
	if (x->text && !r.bad && total == x->total && more <= x->total - x->len) {
		memcpy(x->text + x->len, buf + HEAD, more);
		x->len += more;
	}
	return n;
}

unsigned relays_take_over(struct relays *rs, int sock, unsigned *ret_lost)
{
	size_t size = HEAD + PIECE;
	uint8_t *buf = malloc(size);
	struct coming x = {0};
	unsigned count = 0;

	*ret_lost = 0;
	rs->now_ns = clock_mono_ns();
	while (buf && receive(sock, buf, size, &x, ret_lost) > 0) {
		if (!x.text || x.len < x.total)
			continue;
		if (adopt(rs, (struct bytes){x.text, x.len}, x.fds))
			count++;
		else
			(*ret_lost)++;
		OPENSSL_cleanse(x.text, x.len);
		free(x.text);
		x.text = NULL;
	}
	*ret_lost += x.text != NULL;
	drop(&x);
	if (buf)
		OPENSSL_cleanse(buf, size);
	free(buf);
	return count;
}
