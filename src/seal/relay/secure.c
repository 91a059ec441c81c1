#include "seal/relay/relay_internal.h"

#include <errno.h>
#include <stdlib.h>

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
