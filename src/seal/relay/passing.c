#include "seal/relay/relay_internal.h"

#include <errno.h>

#include <openssl/err.h>

#define RENEW_RECORDS (1u << 22) /* of a key; SSL_key_update() costs nothing beside them */

static enum reason judge(void *arg, unsigned end, const struct proto *p, const struct msg *m)
{
	struct conn *c = arg;
	const struct relay_options *o = &c->relay->o;
	enum reason why = o->judge ? o->judge(o->arg, p, m) : m->reason;
	struct relay_fact f = {
		.what = RELAY_MESSAGE, .reason = why, .proto = p, .msg = m, .end = end};

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

	if (plain->closing && !plain->shut && !side_waits(plain)) {
		shutdown(plain->fd, SHUT_WR);
		plain->shut = true;
	}
	if (secure->closing && !secure->shut && !side_waits(secure)) {
		if (!(SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)) {
			SSL_shutdown(c->ssl);
			ERR_clear_error();
			if (!secure_flush(c)) {
				conn_gone(c, secure);
				return;
			}
		}
		if (!side_waits(secure)) {
			shutdown(secure->fd, SHUT_WR);
			secure->shut = true;
		}
	}
	if (plain->shut && secure->shut) {
		conn_end(c, c->peer.refused, NULL);
		return;
	}
	side_watch(c, plain);
	side_watch(c, secure);
}

/* RFC 8446 §5.5: a key of AES-GCM seals 2^24.5 records at most. Long before, another. */
static void renew_key(struct conn *c, size_t len)
{
	c->records += len / SSL3_RT_MAX_PLAIN_LENGTH + 1;
	if (c->records < RENEW_RECORDS)
		return;
	c->records = 0;
	if (SSL_version(c->ssl) == TLS1_3_VERSION)
		SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
}

/* From the clear end into records. */
static void seal_some(struct conn *c)
{
	struct relays *all = conn_all(c);
	struct side *secure = conn_secure(c), *plain = conn_plain(c);
	enum reason why;
	size_t n, written;
	ssize_t got;

	if (plain->ended || side_waits(secure))
		return;
	got = recv(plain->fd, all->clear, RELAY_IN, MSG_DONTWAIT);
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
	renew_key(c, n);
	if ((n && SSL_write_ex(c->ssl, all->clear, n, &written) != 1) || !secure_flush(c))
		conn_gone(c, secure);
	else if (why != REASON_NONE)
		conn_end(c, why, NULL);
}

/* Reading has ended: in order, cut off, or broken. */
static void secure_ended(struct conn *c, int error)
{
	char text[TLS_ERROR];
	bool cut = error == SSL_ERROR_SSL &&
		   ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;

	if (error == SSL_ERROR_ZERO_RETURN || cut) {
		/* Without its farewell the end may be forged; what came before it is not. */
		if (cut)
			c->peer.refused = REASON_RELAY_CUT;
		ERR_clear_error();
		end_of(c, conn_secure(c), conn_plain(c));
		return;
	}
	if (error == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		conn_gone(c, conn_secure(c));
		return;
	}
	tls_failure(c->ssl, NULL, text);
	conn_end(c, REASON_RELAY_TLS, text);
}

/* Out of records to the clear end. */
static void open_some(struct conn *c)
{
	struct relays *all = conn_all(c);
	struct side *secure = conn_secure(c), *plain = conn_plain(c);
	enum reason why = REASON_NONE;
	size_t len = 0, got;
	int error = SSL_ERROR_NONE;

	if (secure->ended || side_waits(plain))
		return;
	secure_may_read(c, 1);
	while (len < sizeof(all->clear)) {
		if (SSL_read_ex(c->ssl, all->clear + len, sizeof(all->clear) - len, &got) != 1) {
			error = SSL_get_error(c->ssl, 0);
			break;
		}
		len += got;
	}
	if (!secure_keep(c)) { /* more than there is room for: never */
		conn_end(c, REASON_RELAY_FULL, "no memory");
		return;
	}
	if (len)
		len = pass(c, secure, len, &why);
	if (!side_send(plain, all->clear, len)) {
		conn_gone(c, plain);
		return;
	}
	if (!secure_flush(c)) { /* an answer of TLS's own */
		conn_gone(c, secure);
		return;
	}
	if (why != REASON_NONE)
		conn_end(c, why, NULL);
	else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)
		secure_ended(c, error);
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
