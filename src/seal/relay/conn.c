#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/err.h>

#include "seal/pki/library.h"

#define READS_SHAKING 8 /* of the socket in a turn */

static bool writes_header(const struct relay *r)
{
	return r->o.proxy == RELAY_PROXY_OUT || r->o.proxy == RELAY_PROXY_BOTH;
}

static bool reads_header(const struct relay *r)
{
	return r->o.proxy == RELAY_PROXY_IN || r->o.proxy == RELAY_PROXY_BOTH;
}

/* --- the end ------------------------------------------------------------------- */

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
	struct relays *all = conn_all(c);
	bool cut = c->state == CONN_OPEN && why != REASON_NONE && why != REASON_RELAY_CUT;

	if (c->state == CONN_OVER)
		return;
	if (c->in.batched || c->out.batched)
		batch_send(all->batch);
	tell_end(c, why, text);
	if (c->waits && all->calls.forget && all->calls.forget(all->calls.arg, c)) {
		/* Its job has to come to its end before it may be freed. */
		secure_may_read(c, 0);
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
	secure_forget(c);
	traffic_free(c->seal);
	traffic_free(c->open);
	reading_free(c->reading);
	free(c->early);
	free(c);
}

void conn_gone(struct conn *c, struct side *s)
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

/* --- on the way to open ----------------------------------------------------------- */

static void opened(struct conn *c)
{
	struct relay_fact f = {.what = RELAY_OPENED, .reason = REASON_NONE};
	uint16_t ports[2] = {c->who.from_port, c->who.to_port};

	if (c->relay->o.proto) {
		c->reading = reading_new(c->relay->o.proto, ports);
		if (!c->reading) {
			conn_end(c, REASON_RELAY_FULL, "no memory");
			return;
		}
	}
	relay_shaken(c);
	c->state = CONN_OPEN;
	c->moved_ns = conn_all(c)->now_ns;
	c->told = true;
	relay_tell(c, &f);
	if (c->peer.late != REASON_NONE) {
		f.what = RELAY_LATE;
		f.reason = c->peer.late;
		relay_tell(c, &f);
	}
	/* Something may have come along with the last of the handshake, and after it. */
	c->in.rest = c->out.rest = true;
	conn_move(c, conn_secure(c));
	if (c->state == CONN_OPEN)
		conn_move(c, conn_plain(c));
}

static bool start_tls(struct conn *c, struct side *s)
{
	struct relay *r = c->relay;
	BIO *bio;

	if (!r->ctx) {
		conn_end(c, REASON_RELAY_KEY, "there is no certificate yet");
		return false;
	}
	c->agreeing = calloc(1, sizeof(*c->agreeing));
	c->ssl = c->agreeing ? SSL_new(r->ctx) : NULL;
	bio = c->ssl ? BIO_new(conn_all(c)->bio) : NULL;
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

/* Who serves is in this process, and sees the clear. */
static void serve_here(struct conn *c, struct bytes certificate)
{
	const struct relay_options *o = &c->relay->o;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
		conn_end(c, REASON_RELAY_UNREACHABLE, strerror(errno));
		return;
	}
	c->out.fd = pair[0];
	err = o->serve(o->arg, pair[1], c->who.from, certificate);
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
	c->moved_ns = conn_all(c)->now_ns;
	if (s->fd < 0 ||
	    (connect(s->fd, (const struct sockaddr *)&o->connect, o->connect_len) < 0 &&
	     errno != EINPROGRESS)) {
		conn_end(c, REASON_RELAY_UNREACHABLE, strerror(errno));
		return;
	}
	side_tune(s->fd);
	side_watch(c, &c->in);
	side_watch(c, s);
}

static bool is_shaking(const struct conn *c)
{
	return c->state == CONN_SHAKE_IN || c->state == CONN_SHAKE_OUT;
}

/* The handshake is over, and OpenSSL with it. */
static void shaken(struct conn *c)
{
	X509 *x = c->relay->o.serve ? SSL_get0_peer_certificate(c->ssl) : NULL;
	uint8_t *der = NULL;
	int len = x ? i2d_X509(x, &der) : 0, err = secure_agree(c);

	secure_forget(c);
	if (err < 0)
		conn_end(c, REASON_RELAY_TLS, "the keys that were agreed on cannot be used");
	else if (c->state != CONN_SHAKE_IN)
		opened(c);
	else if (c->relay->o.serve)
		serve_here(c, (struct bytes){der, len > 0 ? (size_t)len : 0});
	else
		connect_out(c);
	OPENSSL_free(der);
}

static void shake(struct conn *c)
{
	struct relays *all = conn_all(c);
	char text[TLS_ERROR];
	enum reason why;
	int r, error;

	batch_send(all->batch); /* a handshake takes as long as a hundred messages */
	secure_may_read(c, READS_SHAKING);
	if (all->calls.driving)
		all->calls.driving(all->calls.arg, c);
	library_watch(secure_secret, c);
	r = SSL_do_handshake(c->ssl);
	library_watch(NULL, NULL);
	if (all->calls.driving)
		all->calls.driving(all->calls.arg, NULL);
	error = r == 1 ? SSL_ERROR_NONE : SSL_get_error(c->ssl, r);
	c->waits = error == SSL_ERROR_WANT_ASYNC;
	if (!secure_keep(c)) {
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
		conn_gone(c, conn_secure(c));
		return;
	}
	if (r == 1)
		shaken(c);
	else
		side_watch(c, conn_secure(c));
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
	if (writes_header(c->relay) && !side_send(&c->out, header, proxy_write(&c->who, header))) {
		conn_gone(c, &c->out);
		return;
	}
	if (c->relay->o.tls_in) {
		opened(c);
		return;
	}
	c->state = CONN_SHAKE_OUT;
	if (start_tls(c, &c->out)) {
		side_watch(c, &c->in);
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
		conn_gone(c, &c->in);
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
		conn_gone(c, &c->in);
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
		side_watch(c, &c->in);
	else
		begin(c);
}

struct conn *conn_adopt(struct relay *r)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct conn){.relay = r,
			   .in = {.conn = c, .fd = -1},
			   .out = {.conn = c, .fd = -1},
			   .state = CONN_OPEN,
			   .told = true};
	c->next = r->conns;
	if (c->next)
		c->next->prev = c;
	r->conns = c;
	r->counts.open++;
	return c;
}

void conn_release(struct conn *c)
{
	struct relays *all = conn_all(c);

	c->state = CONN_OVER;
	side_close(all, &c->in, false);
	side_close(all, &c->out, false);
	relay_forget(c);
}

/* --- events ------------------------------------------------------------------------ */

static void flush(struct conn *c, struct side *s)
{
	if (!side_flush(s)) {
		conn_gone(c, s);
		return;
	}
	c->moved_ns = conn_all(c)->now_ns;
	if (c->state == CONN_OPEN && !side_waits(s))
		conn_conclude(c);
	else
		side_watch(c, s);
}

void conn_event(struct side *s, uint32_t events)
{
	struct conn *c = s->conn;

	if (c->state == CONN_CONNECT && s == &c->out) {
		connected(c);
		return;
	}
	if (events & EPOLLOUT && c->state != CONN_OVER && side_waits(s))
		flush(c, s);
	if (c->state == CONN_OVER || s->fd < 0)
		return;
	/* What came before the end is read before it. */
	if (events & (EPOLLERR | EPOLLHUP) && !(s->watched & EPOLLIN)) {
		conn_gone(c, s);
		return;
	}
	if (!(events & (EPOLLIN | SIDE_REST | EPOLLHUP | EPOLLERR)))
		return;
	s->rest = s->rest || events & (SIDE_REST | EPOLLHUP | EPOLLERR);
	if (c->state == CONN_HEADER)
		read_header(c);
	else if (c->state == CONN_OPEN)
		conn_move(c, s);
	else if (s == conn_secure(c) && !c->waits && is_shaking(c))
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
	uint64_t now = conn_all(c)->now_ns, quiet = now - c->moved_ns;

	if (c->state == CONN_CONNECT && now - c->moved_ns > SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNREACHABLE, "no answer in time");
	} else if (c->state < CONN_OPEN && now - c->begun_ns > 2 * SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNFINISHED, NULL);
	} else if (c->state < CONN_CONNECT && now - c->begun_ns > SHAKE_NS) {
		conn_end(c, REASON_RELAY_UNFINISHED, NULL);
	} else if (c->state == CONN_OPEN) {
		bool half = c->in.ended || c->out.ended;
		bool stuck = side_waits(&c->in) || side_waits(&c->out);

		if ((half && quiet > HALF_NS) || (stuck && quiet > STUCK_NS) ||
		    (o->idle_s && quiet > o->idle_s * NSEC_PER_SEC))
			conn_end(c, REASON_NONE, "quiet for too long");
	}
}
