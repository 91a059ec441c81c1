#include "agent/agent.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "seal/pki/certificate.h"
#include "seal/pki/tls.h"

#define PATIENCE_S 30
#define PEM_MAX	   (1u << 20)

struct session {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	struct tls_peer peer;
	uint8_t in[TALK_MAX + 4];
	size_t len;
};

static int dial(const struct settings *s, char error[AGENT_ERROR])
{
	struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int err = getaddrinfo(s->server, s->port, &want, &list), fd = -1;

	if (err) {
		snprintf(error, AGENT_ERROR, "%s: %s", s->server, gai_strerror(err));
		return -1;
	}
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			break;
		snprintf(error, AGENT_ERROR, "%s port %s: %s", s->server, s->port, strerror(errno));
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

	if (f)
		fclose(f);
	return key;
}

static struct trust *read_trust(const char *path)
{
	struct trust *t = trust_new();
	struct bytes text;

	if (!t || file_read(path, PEM_MAX, &text) < 0) {
		trust_free(t);
		return NULL;
	}
	if (trust_add(t, text) <= 0) {
		trust_free(t);
		t = NULL;
	}
	free((void *)text.data);
	return t;
}

static STACK_OF(X509) * read_chain(const char *path)
{
	struct bytes text;
	STACK_OF(X509) * chain;

	if (file_read(path, PEM_MAX, &text) < 0)
		return NULL;
	chain = cert_chain(text);
	free((void *)text.data);
	return chain;
}

static SSL_CTX *context(const struct settings *s, char error[AGENT_ERROR])
{
	struct trust *trust = read_trust(s->ca);
	EVP_PKEY *key = read_key(s->key);
	STACK_OF(X509) *chain = read_chain(s->certificate);
	const char *names[] = {s->name};
	struct tls_options o = {
		.key = key, .chain = chain, .trust = trust, .names = names, .name_count = 1};
	SSL_CTX *ctx = NULL;

	if (!trust || !key || !chain)
		snprintf(error, AGENT_ERROR, "%s: nothing that can be read as PEM",
			 !trust ? s->ca
			 : !key ? s->key
				: s->certificate);
	else
		ctx = tls_context_new(&o, error);
	trust_free(trust);
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return ctx;
}

struct session *session_open(const struct settings *s, char ret_error[AGENT_ERROR])
{
	struct session *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->fd = -1;
	t->ctx = context(s, ret_error);
	if (t->ctx)
		t->fd = dial(s, ret_error);
	t->ssl = t->fd >= 0 ? SSL_new(t->ctx) : NULL;
	if (!t->ssl)
		goto fail;
	tls_peer_attach(t->ssl, &t->peer);
	SSL_set_fd(t->ssl, t->fd);
	SSL_set_tlsext_host_name(t->ssl, s->name);
	if (SSL_connect(t->ssl) == 1)
		return t;
	tls_failure(t->ssl, &t->peer, ret_error);
fail:
	session_close(t);
	return NULL;
}

void session_close(struct session *t)
{
	if (!t)
		return;
	if (t->ssl) {
		SSL_shutdown(t->ssl);
		tls_peer_attach(t->ssl, NULL);
		SSL_free(t->ssl);
	}
	ERR_clear_error();
	SSL_CTX_free(t->ctx);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static int receive(struct session *t, void *ret_data, size_t max, size_t *ret_len)
{
	if (SSL_read_ex(t->ssl, ret_data, max, ret_len) == 1)
		return 0;
	ERR_clear_error();
	return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
}

int session_ask(struct session *t, const struct talk_report *r, struct talk_order *ret_order)
{
	uint8_t out[TALK_MAX + 4];
	size_t len = talk_write_report(r, out), n, used;
	enum parse got = PARSE_MORE;
	int err = 0;

	if (!len || SSL_write_ex(t->ssl, out, len, &n) != 1) {
		ERR_clear_error();
		return -EPIPE;
	}
	while (err == 0) {
		got = talk_read_order((struct bytes){t->in, t->len}, ret_order, &used);
		if (got != PARSE_MORE)
			break;
		err = receive(t, t->in + t->len, sizeof(t->in) - t->len, &n);
		if (err == 0)
			t->len += n;
	}
	if (got == PARSE_BAD)
		return -EBADMSG;
	if (err == 0) { /* a file's bytes may have come along */
		memmove(t->in, t->in + used, t->len - used);
		t->len -= used;
	}
	return err;
}

int session_take(struct session *t, uint64_t len, int fd)
{
	size_t n = t->len < len ? t->len : (size_t)len;
	uint8_t buf[16384];
	int err = file_write(fd, (struct bytes){t->in, n});

	memmove(t->in, t->in + n, t->len - n);
	t->len -= n;
	len -= n;
	while (err == 0 && len) {
		err = receive(t, buf, len < sizeof(buf) ? (size_t)len : sizeof(buf), &n);
		if (err == 0)
			err = file_write(fd, (struct bytes){buf, n});
		len -= err == 0 ? n : 0;
	}
	return err;
}
