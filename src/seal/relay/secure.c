#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <stdlib.h>

/*
 * OpenSSL's handshake. The socket is read as often as the turn allows, which is once, in one piece, and
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

static ssize_t fill(struct relays *all, struct side *s)
{
	ssize_t n = side_recv(s, all->in, RELAY_IN);

	all->budget--;
	all->in_off = all->in_len = 0;
	if (n > 0)
		all->in_len = (size_t)n;
	if (n < (ssize_t)RELAY_IN)
		all->budget = 0;
	return n;
}

static int bio_read(BIO *bio, char *ret_data, int len)
{
	struct side *s = BIO_get_data(bio);
	struct relays *all = conn_all(s->conn);
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

void secure_may_read(struct conn *c, unsigned times)
{
	struct relays *all = conn_all(c);

	all->budget = times;
	all->in_off = all->in_len = 0;
}

bool secure_keep(struct conn *c)
{
	struct relays *all = conn_all(c);
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
	struct relays *all = conn_all(s->conn);

	BIO_clear_retry_flags(bio);
	if ((size_t)len > sizeof(all->sealed) - all->sealed_len) {
		all->flooded = true;
		return -1;
	}
	memcpy(all->sealed + all->sealed_len, data, (size_t)len);
	all->sealed_len += (size_t)len;
	traffic_watch(&s->conn->agreeing->watch,
		      (struct bytes){(const uint8_t *)data, (size_t)len});
	return len;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	if (cmd == BIO_CTRL_EOF)
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *secure_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bedwarden");

	if (!m || !BIO_meth_set_read(m, bio_read) || !BIO_meth_set_write(m, bio_write) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

/* --- from the handshake to keys ---------------------------------------------------- */

void secure_secret(void *conn, bool client, struct bytes secret)
{
	struct agreeing *a = ((struct conn *)conn)->agreeing;
	struct traffic_secret *s = client ? &a->client : &a->server;

	if (secret.len > TRAFFIC_SECRET)
		return;
	memcpy(s->secret, secret.data, secret.len);
	s->len = (uint8_t)secret.len;
}

/* A line is "LABEL RANDOM SECRET", in hexadecimal: the one public way where the library is not ours. */
static void read_secret(const char *line, const char *label, struct traffic_secret *ret_s)
{
	size_t len = strlen(label), n = 0;
	const char *hex;

	if (strncmp(line, label, len) != 0)
		return;
	hex = strrchr(line + len, ' ');
	for (; hex && OPENSSL_hexchar2int((unsigned char)hex[1 + 2 * n]) >= 0; n++) {
		int high = OPENSSL_hexchar2int((unsigned char)hex[1 + 2 * n]),
		    low = OPENSSL_hexchar2int((unsigned char)hex[2 + 2 * n]);

		if (low < 0 || n == TRAFFIC_SECRET)
			return;
		ret_s->secret[n] = (uint8_t)(high << 4 | low);
	}
	ret_s->len = (uint8_t)n;
}

void secure_keylog(const SSL *ssl, const char *line)
{
	BIO *bio = SSL_get_rbio(ssl);
	struct side *s = bio ? BIO_get_data(bio) : NULL;

	if (!s || !s->conn->agreeing)
		return;
	read_secret(line, "CLIENT_TRAFFIC_SECRET_0 ", &s->conn->agreeing->client);
	read_secret(line, "SERVER_TRAFFIC_SECRET_0 ", &s->conn->agreeing->server);
}

int secure_agree(struct conn *c)
{
	struct agreeing *a = c->agreeing;
	struct traffic_secret *seal = SSL_is_server(c->ssl) ? &a->server : &a->client;
	struct traffic_secret *open = SSL_is_server(c->ssl) ? &a->client : &a->server;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(c->ssl);
	int err = 0;

	/* OpenSSL takes record by record; what it had taken further would be lost with it. */
	if (!cipher || SSL_has_pending(c->ssl))
		return -EPROTO;
	if (SSL_version(c->ssl) == TLS1_3_VERSION) {
		seal->version = open->version = TLS1_3_VERSION;
		seal->suite = open->suite = SSL_CIPHER_get_protocol_id(cipher);
	} else {
		err = traffic_agreed(c->ssl, &a->watch, seal, open);
	}
	if (err < 0)
		return err;
	c->is13 = SSL_version(c->ssl) == TLS1_3_VERSION;
	c->seal = traffic_new(seal, true);
	c->open = traffic_new(open, false);
	return c->seal && c->open ? 0 : -EIO;
}

void secure_forget(struct conn *c)
{
	if (c->ssl)
		tls_peer_attach(c->ssl, NULL);
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->agreeing)
		OPENSSL_cleanse(c->agreeing, sizeof(*c->agreeing));
	free(c->agreeing);
	c->agreeing = NULL;
}

/* --- from then on ------------------------------------------------------------------- */

size_t secure_early(struct conn *c, uint8_t *ret_data)
{
	size_t len = c->early_len - c->early_off;

	if (!c->early)
		return 0;
	memcpy(ret_data, c->early + c->early_off, len);
	free(c->early);
	c->early = NULL;
	c->early_off = c->early_len = 0;
	return len;
}

bool secure_put(struct conn *c, uint8_t type, const void *data, size_t len)
{
	struct relays *all = conn_all(c);
	const uint8_t *at = data;

	do { /* an empty record is a record */
		size_t piece = len < TRAFFIC_CONTENT ? len : TRAFFIC_CONTENT, n;

		if (sizeof(all->sealed) - all->sealed_len < piece + TRAFFIC_OVER)
			return false;
		n = traffic_seal(c->seal, type, at, piece, all->sealed + all->sealed_len);
		if (!n)
			return false;
		all->sealed_len += n;
		c->records++;
		at += piece;
		len -= piece;
	} while (len);
	return true;
}

bool secure_flush(struct conn *c)
{
	struct relays *all = conn_all(c);
	size_t len = all->sealed_len;

	all->sealed_len = 0;
	if (all->flooded) {
		all->flooded = false;
		return false;
	}
	return side_send(conn_secure(c), all->sealed, len);
}
