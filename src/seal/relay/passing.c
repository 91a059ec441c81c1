#include "seal/relay/relay_internal.h"

#include <errno.h>

static const uint8_t close_notify[] = {SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY};

static enum reason judge(void *arg, unsigned end, const struct proto *p, const struct msg *m)
{
	struct conn *c = arg;
	const struct relay_options *o = &c->relay->o;
	enum reason why = o->judge ? o->judge(o->arg, p, m) : m->readable ? REASON_NONE : m->reason;
	struct relay_fact f = {
		.what = RELAY_MESSAGE, .reason = why, .proto = p, .msg = m, .end = end};

	if (m->part)
		return REASON_NONE;
	if (m->ahead && why == REASON_NONE)
		return why;
	c->relay->counts.messages++;
	relay_tell(c, &f);
	return why;
}

/* How many of the bytes may go on; fewer: the conversation ends behind them. */
static size_t pass(struct conn *c, const struct side *from, size_t len, enum reason *ret_why)
{
	unsigned end = from == &c->out;
	struct bytes data = {conn_all(c)->clear, len};
	size_t n = len;

	*ret_why = REASON_NONE;
	if (c->reading)
		n = reading_take(c->reading, end, data, clock_wall_ns(), judge, c, ret_why);
	c->bytes[end] += n;
	c->relay->counts.bytes += n;
	c->moved_ns = conn_all(c)->now_ns;
	return n;
}

/* One end has said its last, which the other is told once what waits for it is gone. */
static void end_of(struct conn *c, struct side *from, struct side *to)
{
	enum reason why = REASON_NONE;

	from->ended = true;
	to->closing = true;
	if (c->reading)
		why = reading_close(c->reading, from == &c->out, clock_wall_ns(), judge, c);
	if (why != REASON_NONE)
		conn_end(c, why, NULL);
}

void conn_conclude(struct conn *c)
{
	struct side *secure = conn_secure(c), *plain = conn_plain(c);

	if (secure->closing && !c->farewell && !side_waits(secure)) {
		c->farewell = true;
		if (!secure_put(c, SSL3_RT_ALERT, close_notify, sizeof(close_notify)) ||
		    !secure_flush(c)) {
			conn_gone(c, secure);
			return;
		}
	}
	/* What was said last, the farewell too, leaves before its end is shut. */
	if ((plain->closing && plain->batched) || (secure->closing && secure->batched))
		batch_send(conn_all(c)->batch);
	if (plain->closing && !plain->shut && !side_waits(plain)) {
		shutdown(plain->fd, SHUT_WR);
		plain->shut = true;
	}
	if (secure->closing && !secure->shut && !side_waits(secure)) {
		shutdown(secure->fd, SHUT_WR);
		secure->shut = true;
	}
	if (plain->shut && secure->shut) {
		conn_end(c, c->peer.refused, NULL);
		return;
	}
	side_watch(c, plain);
	side_watch(c, secure);
}

/* From the clear end into records. */
static void seal_some(struct conn *c)
{
	struct relays *all = conn_all(c);
	struct side *secure = conn_secure(c), *plain = conn_plain(c);
	enum reason why;
	ssize_t got;
	size_t n;

	if (plain->ended || side_waits(secure))
		return;
	got = side_recv(plain, all->clear, RELAY_IN);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		conn_gone(c, plain);
		return;
	}
	if (got == 0) {
		end_of(c, plain, secure);
		return;
	}
	n = pass(c, plain, (size_t)got, &why);
	if ((n && !secure_put(c, SSL3_RT_APPLICATION_DATA, all->clear, n)) || !post_renew(c) ||
	    !secure_flush(c))
		conn_gone(c, secure);
	else if (why != REASON_NONE)
		conn_end(c, why, NULL);
}

/* What came of the records of a turn. */
struct opening {
	size_t clear; /* bytes that they held */
	size_t used;  /* … and were themselves */
	enum post_said said;
	const char *text; /* BAD: why */
};

static struct opening bad(struct conn *c, struct opening o, uint8_t alert, const char *text)
{
	post_alert(c, alert);
	o.said = POST_BAD;
	o.text = text;
	return o;
}

/* A record's length, with its head; 0: it is not there whole. */
static size_t whole(struct bytes in)
{
	size_t len;

	if (in.len < TRAFFIC_HEAD)
		return 0;
	len = TRAFFIC_HEAD + (size_t)(in.data[3] << 8 | in.data[4]);
	return len > TRAFFIC_RECORD || len <= in.len ? len : 0;
}

/* Record by record, until one is not there whole or ends it. */
static struct opening open_records(struct conn *c, struct bytes in)
{
	struct relays *all = conn_all(c);
	struct opening o = {.said = POST_NOTHING};
	size_t len, content;
	uint8_t type;

	while (o.said == POST_NOTHING &&
	       (len = whole((struct bytes){in.data + o.used, in.len - o.used}))) {
		uint8_t *at = all->clear + o.clear;
		int err = traffic_open(c->open, in.data + o.used, len, at, &type, &content);

		if (err == -EMSGSIZE)
			return bad(c, o, SSL_AD_RECORD_OVERFLOW, "a record is too long");
		if (err == -EPROTO)
			return bad(c, o, SSL_AD_UNEXPECTED_MESSAGE, "a record is of no kind");
		if (err < 0)
			return bad(
				c, o, SSL_AD_BAD_RECORD_MAC,
				"a record was changed on its way, or is not of this conversation");
		o.used += len;
		if (type == SSL3_RT_APPLICATION_DATA && content && !c->post.have) {
			c->post.without = 0;
			o.clear += content;
			continue;
		}
		o.said = post_take(c, type, (struct bytes){at, content}, &o.text);
	}
	return o;
}

/* No more will come; without its farewell the end may be forged, what came before it is not. */
static void secure_ended(struct conn *c, bool cut)
{
	if (cut)
		c->peer.refused = REASON_RELAY_CUT;
	end_of(c, conn_secure(c), conn_plain(c));
}

/* Out of records to the clear end. */
static void open_some(struct conn *c)
{
	struct relays *all = conn_all(c);
	struct side *secure = conn_secure(c), *plain = conn_plain(c);
	enum reason why = REASON_NONE;
	struct opening o;
	ssize_t got;

	if (secure->ended || side_waits(plain))
		return;
	all->in_off = 0;
	all->in_len = secure_early(c, all->in);
	/* Of a handshake as much is left as was taken at once, at most: there is always room. */
	got = side_recv(secure, all->in + all->in_len, sizeof(all->in) - all->in_len);
	if (got < 0 && errno != EAGAIN && errno != EINTR) {
		conn_gone(c, secure);
		return;
	}
	all->in_len += got > 0 ? (size_t)got : 0;
	o = open_records(c, (struct bytes){all->in, all->in_len});
	all->in_off = o.said == POST_NOTHING ? o.used : all->in_len;
	if (!secure_keep(c)) {
		conn_end(c, REASON_RELAY_FULL, "no memory");
		return;
	}
	if (o.clear)
		o.clear = pass(c, secure, o.clear, &why);
	if (!side_send(plain, all->clear, o.clear)) {
		conn_gone(c, plain);
		return;
	}
	if (!secure_flush(c)) { /* an answer of TLS's own */
		conn_gone(c, secure);
		return;
	}
	if (why != REASON_NONE || o.said == POST_BAD)
		conn_end(c, why != REASON_NONE ? why : REASON_RELAY_TLS,
			 why != REASON_NONE ? NULL : o.text);
	else if (o.said == POST_END || got == 0)
		secure_ended(c, o.said != POST_END);
}

void conn_move(struct conn *c, struct side *s)
{
	if (s == conn_secure(c))
		open_some(c);
	else
		seal_some(c);
	if (c->state == CONN_OPEN)
		conn_conclude(c);
}
