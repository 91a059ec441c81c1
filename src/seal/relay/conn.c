#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>

#define RENEW_RECORDS (1u << 22) /* of a key; SSL_key_update() costs nothing beside them */
#define READS_SHAKING 8		 /* of the socket in a turn */

static struct side *secure_of(struct conn *c)
{
	return c->relay->o.tls_in ? &c->in : &c->out;
}

static struct side *plain_of(struct conn *c)
{
	return c->relay->o.tls_in ? &c->out : &c->in;
}

static struct relays *all_of(struct conn *c)
{
	return c->relay->all;
}

static bool writes_header(const struct relay *r)
{
	return r->o.proxy == RELAY_PROXY_OUT || r->o.proxy == RELAY_PROXY_BOTH;
}

static bool reads_header(const struct relay *r)
{
	return r->o.proxy == RELAY_PROXY_IN || r->o.proxy == RELAY_PROXY_BOTH;
}

/* --- what waits for an end ---------------------------------------------------- */

static bool waits(const struct side *s)
{
	return s->len > s->off;
}

static bool wait_for(struct side *s, const uint8_t *data, size_t len)
{
	uint8_t *all;

	if (!len)
		return true;
	if (s->len - s->off + len > RELAY_QUEUE)
		return false;
	all = malloc(s->len - s->off + len);
	if (!all)
		return false;
	if (waits(s))
		memcpy(all, s->queue + s->off, s->len - s->off);
	memcpy(all + s->len - s->off, data, len);
	free(s->queue);
	s->len = s->len - s->off + len;
	s->off = 0;
	s->queue = all;
	return true;
}

/* Sends at once what is taken at once; the rest waits. False: the end is gone. */
static bool send_on(struct side *s, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	if (!waits(s) && len) {
		n = send(s->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		n = n < 0 ? 0 : n;
	}
	return wait_for(s, data + n, len - (size_t)n);
}

static bool send_waiting(struct side *s)
{
	while (waits(s)) {
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

/* --- the socket under TLS ----------------------------------------------------- */

/*
 * The socket is read as often as the turn allows, which is once, in one piece, and
 * OpenSSL takes record by record out of that: a call to the kernel serves many. What
 * it leaves, a handshake being over or standing still, is kept with the connection.
 * Records on their way out are gathered and leave together (secure_flush()).
 */
static size_t take_early(struct conn *c, char *ret_data, size_t len)
{
	size_t n = c->early_len - c->early_off < len ? c->early_len - c->early_off : len;

	if (!n)
		return 0;
	memcpy(ret_data, c->early + c->early_off, n);
	c->early_off += n;
	if (c->early_off == c->early_len) {
		free(c->early);
		c->early = NULL;
		c->early_off = c->early_len = 0;
	}
	return n;
}

static ssize_t fill(struct relays *all, const struct side *s)
{
	ssize_t n = recv(s->fd, all->in, sizeof(all->in), MSG_DONTWAIT);

	all->budget--;
	all->in_off = all->in_len = 0;
	if (n > 0)
		all->in_len = (size_t)n;
	if (n < (ssize_t)sizeof(all->in))
		all->budget = 0;
	return n;
}

static int bio_read(BIO *bio, char *ret_data, int len)
{
	struct side *s = BIO_get_data(bio);
	struct relays *all = all_of(s->conn);
	size_t n = take_early(s->conn, ret_data, (size_t)len);
	ssize_t got = 1;

	BIO_clear_retry_flags(bio);
	if (n)
		return (int)n;
	if (all->in_off == all->in_len && all->budget)
		got = fill(all, s);
	if (got == 0) {
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
		return 0;
	}
	n = all->in_len - all->in_off;
	if (!n) {
		if (got > 0 || errno == EAGAIN || errno == EINTR)
			BIO_set_retry_read(bio);
		return -1;
	}
	n = n < (size_t)len ? n : (size_t)len;
	memcpy(ret_data, all->in + all->in_off, n);
	all->in_off += n;
	return (int)n;
}

/* Before OpenSSL is asked to read: what the socket holds may be taken so often. */
static void may_read(struct conn *c, unsigned times)
{
	struct relays *all = all_of(c);

	all->budget = times;
	all->in_off = all->in_len = 0;
}

/* After it: nothing of what was taken gets lost. */
static bool keep_rest(struct conn *c)
{
	struct relays *all = all_of(c);
	size_t early = c->early_len - c->early_off, rest = all->in_len - all->in_off;
	uint8_t *both;

	if (!rest)
		return true;
	both = malloc(early + rest);
	if (!both)
		return false;
	if (early)
		memcpy(both, c->early + c->early_off, early);
	memcpy(both + early, all->in + all->in_off, rest);
	free(c->early);
	c->early = both;
	c->early_off = 0;
	c->early_len = early + rest;
	all->in_off = all->in_len = 0;
	return true;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct side *s = BIO_get_data(bio);
	struct relays *all = all_of(s->conn);

	BIO_clear_retry_flags(bio);
	if ((size_t)len > sizeof(all->sealed) - all->sealed_len) {
		all->flooded = true;
		return -1;
	}
	memcpy(all->sealed + all->sealed_len, data, (size_t)len);
	all->sealed_len += (size_t)len;
	return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	if (cmd == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *conn_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bedwarden");

	if (!m || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

/* False: the encrypted end is gone, or takes nothing. */
static bool secure_flush(struct conn *c)
{
	struct relays *all = all_of(c);
	size_t len = all->sealed_len;

	all->sealed_len = 0;
	if (all->flooded) {
		all->flooded = false;
		return false;
	}
	return send_on(secure_of(c), all->sealed, len);
}

/* --- what epoll is to report --------------------------------------------------- */

static uint32_t wanted(struct conn *c, struct side *s)
{
	struct side *secure = secure_of(c), *other = s == &c->in ? &c->out : &c->in;
	uint32_t events = waits(s) ? EPOLLOUT : 0;

	switch (c->state) {
	case CONN_HEADER:
		return s == &c->in ? EPOLLIN : 0;
	case CONN_CONNECT:
		return s == &c->out ? EPOLLOUT : 0;
	case CONN_SHAKE_IN:
	case CONN_SHAKE_OUT:
		return s == secure && !c->waits ? events | EPOLLIN : events;
	case CONN_OPEN:
		return !s->ended && !waits(other) ? events | EPOLLIN : events;
	case CONN_OVER:
		break;
	}
	return 0;
}

/* A side that hangs up while it is not read would be reported for ever. */
static bool is_silent(struct conn *c, struct side *s)
{
	return s->fd < 0 || (s->ended && s->shut);
}

static void watch(struct conn *c, struct side *s)
{
	struct relays *all = all_of(c);
	struct epoll_event e = {.events = wanted(c, s), .data.ptr = s};

	if (is_silent(c, s)) {
		if (s->polled)
			epoll_ctl(all->epoll, EPOLL_CTL_DEL, s->fd, NULL);
		s->polled = false;
		return;
	}
	if (s->polled && s->watched == e.events)
		return;
	if (epoll_ctl(all->epoll, s->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s->fd, &e) == 0) {
		s->polled = true;
		s->watched = e.events;
	}
}

/* --- the end ------------------------------------------------------------------- */

static void side_close(struct relays *all, struct side *s, bool cut)
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

static void tell_end(struct conn *c, enum reason why, const char *text)
{
	struct relay_fact f = {.what = RELAY_CLOSED, .reason = why, .text = text};

	if (c->told)
		relay_tell(c, &f);
	else if (why != REASON_NONE)
		relay_refuse(c->relay, &c->who, why, text, c);
}

void conn_end(struct conn *c, enum reason why, const char *text)
{
	struct relays *all = all_of(c);
	bool cut = c->state == CONN_OPEN && why != REASON_NONE && why != REASON_RELAY_CUT;

	if (c->state == CONN_OVER)
		return;
	tell_end(c, why, text);
	if (c->waits && all->calls.forget && all->calls.forget(all->calls.arg, c)) {
		/* Its job has to come to its end before it may be freed. */
		may_read(c, 0);
		SSL_do_handshake(c->ssl);
		ERR_clear_error();
		all->sealed_len = 0;
	}
	relay_shaken(c);
	c->state = CONN_OVER;
	side_close(all, &c->in, cut);
	side_close(all, &c->out, cut);
	relay_forget(c);
}

void conn_free(struct conn *c)
{
	if (c->ssl)
		tls_peer_attach(c->ssl, NULL);
	SSL_free(c->ssl);
	reading_free(c->reading);
	free(c->early);
	free(c);
}

static void gone(struct conn *c, struct side *s)
{
	char text[128];
	socklen_t len = sizeof(int);
	int err = 0;

	if (s->fd >= 0)
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	snprintf(text, sizeof(text), "%s hung up%s%s",
		 s == &c->in ? "who connected" : "the far side", err ? ": " : "",
		 err ? strerror(err) : "");
	conn_end(c, c->told ? REASON_NONE : REASON_RELAY_UNFINISHED, text);
}

/* --- open: bytes both ways ------------------------------------------------------ */

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
	struct bytes data = {all_of(c)->clear, len};
	size_t n = len;

	*ret_why = REASON_NONE;
	if (c->reading)
		n = reading_take(c->reading, end, data, clock_wall_ns(), judge, c, ret_why);
	c->bytes[end] += n;
	c->relay->counts.bytes += n;
	c->moved_ns = all_of(c)->now_ns;
	return n;
}

/* What can be told of an end's end is told; both ends ended: it is over. */
static void conclude(struct conn *c)
{
	struct side *secure = secure_of(c), *plain = plain_of(c);

	if (plain->closing && !plain->shut && !waits(plain)) {
		shutdown(plain->fd, SHUT_WR);
		plain->shut = true;
	}
	if (secure->closing && !secure->shut && !waits(secure)) {
		if (!(SSL_get_shutdown(c->ssl) & SSL_SENT_SHUTDOWN)) {
			SSL_shutdown(c->ssl);
			ERR_clear_error();
			if (!secure_flush(c)) {
				gone(c, secure);
				return;
			}
		}
		if (!waits(secure)) {
			shutdown(secure->fd, SHUT_WR);
			secure->shut = true;
		}
	}
	if (plain->shut && secure->shut) {
		conn_end(c, c->peer.refused, NULL);
		return;
	}
	watch(c, plain);
	watch(c, secure);
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
	struct relays *all = all_of(c);
	struct side *secure = secure_of(c), *plain = plain_of(c);
	enum reason why;
	size_t n, written;
	ssize_t got;

	if (plain->ended || waits(secure))
		return;
	got = recv(plain->fd, all->clear, RELAY_IN, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		gone(c, plain);
		return;
	}
	if (got == 0) {
		plain->ended = true;
		secure->closing = true;
		return;
	}
	n = pass(c, plain, (size_t)got, &why);
	renew_key(c, n);
	if ((n && SSL_write_ex(c->ssl, all->clear, n, &written) != 1) || !secure_flush(c))
		gone(c, secure);
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
		secure_of(c)->ended = true;
		plain_of(c)->closing = true;
		return;
	}
	if (error == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		gone(c, secure_of(c));
		return;
	}
	tls_failure(c->ssl, NULL, text);
	conn_end(c, REASON_RELAY_TLS, text);
}

/* Out of records to the clear end. */
static void open_some(struct conn *c)
{
	struct relays *all = all_of(c);
	struct side *secure = secure_of(c), *plain = plain_of(c);
	enum reason why = REASON_NONE;
	size_t len = 0, got;
	int error = SSL_ERROR_NONE;

	if (secure->ended || waits(plain))
		return;
	may_read(c, 1);
	while (len < sizeof(all->clear)) {
		if (SSL_read_ex(c->ssl, all->clear + len, sizeof(all->clear) - len, &got) != 1) {
			error = SSL_get_error(c->ssl, 0);
			break;
		}
		len += got;
	}
	if (!keep_rest(c)) { /* more than there is room for: never */
		conn_end(c, REASON_RELAY_FULL, "no memory");
		return;
	}
	if (len)
		len = pass(c, secure, len, &why);
	if (!send_on(plain, all->clear, len)) {
		gone(c, plain);
		return;
	}
	if (!secure_flush(c)) { /* an answer of TLS's own */
		gone(c, secure);
		return;
	}
	if (why != REASON_NONE)
		conn_end(c, why, NULL);
	else if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)
		secure_ended(c, error);
}

static void move(struct conn *c, struct side *s)
{
	if (s == secure_of(c))
		open_some(c);
	else
		seal_some(c);
	if (c->state == CONN_OPEN)
		conclude(c);
}

/* --- on the way to open ----------------------------------------------------------- */

static void opened(struct conn *c)
{
	struct relay_fact f = {.what = RELAY_OPENED, .reason = REASON_NONE};
	uint16_t ports[2] = {c->who.from_port, c->who.to_port};

	SSL_clear_mode(c->ssl, SSL_MODE_ASYNC);
	if (c->relay->o.proto) {
		c->reading = reading_new(c->relay->o.proto, ports);
		if (!c->reading) {
			conn_end(c, REASON_RELAY_FULL, "no memory");
			return;
		}
	}
	relay_shaken(c);
	c->state = CONN_OPEN;
	c->moved_ns = all_of(c)->now_ns;
	c->told = true;
	relay_tell(c, &f);
	if (c->peer.late != REASON_NONE) {
		f.what = RELAY_LATE;
		f.reason = c->peer.late;
		relay_tell(c, &f);
	}
	/* What came along with the last of the handshake is in OpenSSL already. */
	move(c, secure_of(c));
	if (c->state == CONN_OPEN)
		move(c, plain_of(c));
}

void conn_tune(int fd)
{
	int one = 1, idle = 120, every = 30, tries = 4;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof(tries));
}

static bool start_tls(struct conn *c, struct side *s)
{
	struct relay *r = c->relay;
	BIO *bio;

	if (!r->ctx) {
		conn_end(c, REASON_RELAY_KEY, "there is no certificate yet");
		return false;
	}
	c->ssl = SSL_new(r->ctx);
	bio = c->ssl ? BIO_new(all_of(c)->bio) : NULL;
	if (!bio) {
		conn_end(c, REASON_RELAY_FULL, "no memory");
		return false;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	tls_peer_attach(c->ssl, &c->peer);
	SSL_set_mode(c->ssl, SSL_MODE_ASYNC);
	if (r->o.tls_in)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	if (!r->o.tls_in && *r->server_name)
		SSL_set_tlsext_host_name(c->ssl, r->server_name);
	return true;
}

static void opened(struct conn *c);

/* Who serves is in this process, and sees the clear. */
static void serve_here(struct conn *c)
{
	const struct relay_options *o = &c->relay->o;
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	uint8_t *der = NULL;
	int pair[2], len = x ? i2d_X509(x, &der) : 0, err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		OPENSSL_free(der);
		conn_end(c, REASON_RELAY_UNREACHABLE, strerror(errno));
		return;
	}
	c->out.fd = pair[0];
	err = o->serve(o->arg, pair[1], c->who.from,
		       (struct bytes){der, len > 0 ? (size_t)len : 0});
	OPENSSL_free(der);
	if (err < 0) {
		close(pair[1]);
		conn_end(c, REASON_RELAY_FULL, strerror(-err));
		return;
	}
	opened(c);
}

static void connect_out(struct conn *c)
{
	const struct relay_options *o = &c->relay->o;
	struct side *s = &c->out;

	s->fd = socket(o->connect.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->state = CONN_CONNECT;
	c->moved_ns = all_of(c)->now_ns;
	if (s->fd < 0 ||
	    (connect(s->fd, (const struct sockaddr *)&o->connect, o->connect_len) < 0 &&
	     errno != EINPROGRESS)) {
		conn_end(c, REASON_RELAY_UNREACHABLE, strerror(errno));
		return;
	}
	conn_tune(s->fd);
	watch(c, &c->in);
	watch(c, s);
}

static bool is_shaking(const struct conn *c)
{
	return c->state == CONN_SHAKE_IN || c->state == CONN_SHAKE_OUT;
}

static void shake(struct conn *c)
{
	struct relays *all = all_of(c);
	char text[TLS_ERROR];
	enum reason why;
	int r, error;

	may_read(c, READS_SHAKING);
	if (all->calls.driving)
		all->calls.driving(all->calls.arg, c);
	r = SSL_do_handshake(c->ssl);
	if (all->calls.driving)
		all->calls.driving(all->calls.arg, NULL);
	error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, r);
	c->waits = error == SSL_ERROR_WANT_ASYNC;
	if (!keep_rest(c)) {
		conn_end(c, REASON_RELAY_FULL, "no memory");
		return;
	}
	if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && !c->waits) {
		secure_flush(c); /* the alert */
		why = tls_failure(c->ssl, &c->peer, text);
		conn_end(c, why, text);
		return;
	}
	if (!secure_flush(c)) {
		gone(c, secure_of(c));
		return;
	}
	if (r == 1 && c->state == CONN_SHAKE_IN && c->relay->o.serve)
		serve_here(c);
	else if (r == 1 && c->state == CONN_SHAKE_IN)
		connect_out(c);
	else if (r == 1)
		opened(c);
	else
		watch(c, secure_of(c));
}

/* Connected: the header, and then who is to speak first. */
static void connected(struct conn *c)
{
	uint8_t header[PROXY_OURS];
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(c->out.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		conn_end(c, REASON_RELAY_UNREACHABLE, strerror(err));
		return;
	}
	if (writes_header(c->relay) && !send_on(&c->out, header, proxy_write(&c->who, header))) {
		gone(c, &c->out);
		return;
	}
	if (c->relay->o.tls_in) {
		opened(c);
		return;
	}
	c->state = CONN_SHAKE_OUT;
	if (start_tls(c, &c->out)) {
		watch(c, &c->in);
		shake(c);
	}
}

static void begin(struct conn *c)
{
	if (!c->relay->o.tls_in) {
		connect_out(c);
		return;
	}
	c->state = CONN_SHAKE_IN;
	if (start_tls(c, &c->in))
		shake(c);
}

/* Looked at without taking it, until it is whole: what follows is TLS's. */
static void read_header(struct conn *c)
{
	uint8_t data[PROXY_MAX];
	struct proxy_header h;
	size_t used;
	ssize_t n = recv(c->in.fd, data, sizeof(data), MSG_PEEK | MSG_DONTWAIT);
	enum parse got;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gone(c, &c->in);
		return;
	}
	got = proxy_read((struct bytes){data, (size_t)n}, &h, &used);
	/* No more came than was seen before: who sends a header in crumbs is no proxy. */
	if (got == PARSE_BAD || (got == PARSE_MORE && c->header_len >= 8)) {
		conn_end(c, REASON_RELAY_PROXY, "no PROXY header of version 2");
		return;
	}
	if (got == PARSE_MORE) {
		c->header_len++;
		return;
	}
	if (recv(c->in.fd, data, used, MSG_DONTWAIT) != (ssize_t)used) {
		gone(c, &c->in);
		return;
	}
	if (h.known)
		c->who = h;
	begin(c);
}

void conn_new(struct relay *r, int fd, const struct proxy_header *who)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct relays *all = r->all;

	if (!c) {
		close(fd);
		return;
	}
	*c = (struct conn){.relay = r,
			   .in = {.conn = c, .fd = fd},
			   .out = {.conn = c, .fd = -1},
			   .id = ++all->ids,
			   .begun_ns = all->now_ns,
			   .moved_ns = all->now_ns,
			   .who = *who};
	c->next = r->conns;
	if (c->next)
		c->next->prev = c;
	r->conns = c;
	c->shake_prev = all->shaking_last;
	*(c->shake_prev ? &c->shake_prev->shake_next : &all->shaking) = c;
	all->shaking_last = c;
	all->shaking_count++;
	r->counts.open++;
	if (reads_header(r))
		watch(c, &c->in);
	else
		begin(c);
}

/* --- events ------------------------------------------------------------------------ */

static void flush(struct conn *c, struct side *s)
{
	if (!send_waiting(s)) {
		gone(c, s);
		return;
	}
	c->moved_ns = all_of(c)->now_ns;
	if (c->state == CONN_OPEN && !waits(s))
		conclude(c);
	else
		watch(c, s);
}

void conn_event(struct side *s, uint32_t events)
{
	struct conn *c = s->conn;

	if (c->state == CONN_CONNECT && s == &c->out) {
		connected(c);
		return;
	}
	if (events & EPOLLOUT && c->state != CONN_OVER && waits(s))
		flush(c, s);
	if (c->state == CONN_OVER || s->fd < 0)
		return;
	/* What came before the end is read before it. */
	if (events & (EPOLLERR | EPOLLHUP) && !(s->watched & EPOLLIN)) {
		gone(c, s);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	if (c->state == CONN_HEADER)
		read_header(c);
	else if (c->state == CONN_OPEN)
		move(c, s);
	else if (s == secure_of(c) && !c->waits && is_shaking(c))
		shake(c);
}

void conn_resume(struct conn *c)
{
	if (is_shaking(c))
		shake(c);
}

void conn_tick(struct conn *c)
{
	const struct relay_options *o = &c->relay->o;
	uint64_t now = all_of(c)->now_ns, quiet = now - c->moved_ns;

	if (c->state == CONN_CONNECT && now - c->moved_ns > SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNREACHABLE, "no answer in time");
	} else if (c->state < CONN_OPEN && now - c->begun_ns > 2 * SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNFINISHED, NULL);
	} else if (c->state < CONN_CONNECT && now - c->begun_ns > SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNFINISHED, NULL);
	} else if (c->state == CONN_OPEN) {
		bool half = c->in.ended || c->out.ended;
		bool stuck = waits(&c->in) || waits(&c->out);

		if ((half && quiet > HALF_NS) || (stuck && quiet > STUCK_NS) ||
		    (o->idle_s && quiet > o->idle_s * NSEC_PER_SEC))
			conn_end(c, REASON_NONE, "quiet for too long");
	}
}
