#include "people/audit/syslog.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define PATIENCE_S 10
#define PRIORITY   (10 * 8 + 5)

struct syslog {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static int fail(char *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(char *error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, SYSLOG_ERROR, fmt, ap);
	va_end(ap);
	return -EPIPE;
}

static const char *tls_reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *s = e ? ERR_reason_error_string(e) : NULL;

	return s ? s : "connection closed";
}

/* RFC 5424 §6.2.4: printable ASCII, no blank; "-" where nothing is left. */
static void word(const char *text, char *ret_word, size_t cap)
{
	size_t n = 0;

	for (; *text && n + 1 < cap; text++)
		if (*text > 32 && *text < 127)
			ret_word[n++] = *text;
	if (n == 0)
		ret_word[n++] = '-';
	ret_word[n] = 0;
}

size_t syslog_frame(const char *host, const char *app, const char *time, struct bytes message,
		    uint8_t *ret_frame, size_t cap)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
	char head[SYSLOG_HEAD_MAX], count[24], h[256], a[49], iso[64];
	struct writer w = writer_new(ret_frame, cap);
	size_t len = strlen(time);
	int n;

	word(host, h, sizeof(h));
	word(app, a, sizeof(a));
	if (len >= 25 && len < sizeof(iso) - 2 && (time[len - 5] == '+' || time[len - 5] == '-'))
		snprintf(iso, sizeof(iso), "%.*s:%s", (int)len - 2, time, time + len - 2);
	else
		snprintf(iso, sizeof(iso), "-");
	n = snprintf(head, sizeof(head), "<%d>1 %s %s %s %d DICOM+RFC3881 - ", PRIORITY, iso, h, a,
		     (int)getpid());
	if (n < 0 || n >= (int)sizeof(head))
		return 0;
	snprintf(count, sizeof(count), "%zu ", (size_t)n + sizeof(mark) + message.len);
	write_bytes(&w, count, strlen(count));
	write_bytes(&w, head, (size_t)n);
	write_bytes(&w, mark, sizeof(mark));
	write_bytes(&w, message.data, message.len);
	return w.bad ? 0 : w.len;
}

static int dial(const struct syslog_to *to, char *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all, *a;
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = -1, err = getaddrinfo(to->host, to->port, &hints, &all);

	if (err)
		return fail(error, "%.200s: %s", to->host, gai_strerror(err));
	for (a = all; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			err = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	if (fd < 0)
		return fail(error, "%.200s port %s: %s", to->host, to->port,
			    strerror(err == EINPROGRESS ? ETIMEDOUT : err));
	return fd;
}

/* TLS 1.2 at least (IHE ITI-19, BCP 195), and nobody whom the authority does not vouch for. */
static int prepare(struct syslog *s, const struct syslog_to *to, char *error)
{
	s->ctx = SSL_CTX_new(TLS_client_method());
	if (!s->ctx || !SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION))
		return fail(error, "TLS: %s", tls_reason());
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_clear_mode(s->ctx, SSL_MODE_AUTO_RETRY); /* see gone() */
	if (SSL_CTX_load_verify_locations(s->ctx, to->ca, NULL) != 1)
		return fail(error, "%.300s: no certificates of authorities: %s", to->ca,
			    tls_reason());
	if (to->cert && (SSL_CTX_use_certificate_chain_file(s->ctx, to->cert) != 1 ||
			 SSL_CTX_use_PrivateKey_file(s->ctx, to->key, SSL_FILETYPE_PEM) != 1))
		return fail(error, "%.200s, %.200s: no certificate with its key: %s", to->cert,
			    to->key, tls_reason());
	return 0;
}

static int shake(struct syslog *s, const struct syslog_to *to, char *error)
{
	X509_VERIFY_PARAM *p;
	long verdict;

	s->ssl = SSL_new(s->ctx);
	if (!s->ssl || !SSL_set_fd(s->ssl, s->fd))
		return fail(error, "TLS: %s", tls_reason());
	p = SSL_get0_param(s->ssl);
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* An address, or else a name. */
	if (!X509_VERIFY_PARAM_set1_ip_asc(p, to->host) &&
	    (!SSL_set1_host(s->ssl, to->host) || !SSL_set_tlsext_host_name(s->ssl, to->host)))
		return fail(error, "TLS: %s", tls_reason());
	ERR_clear_error();
	if (SSL_connect(s->ssl) == 1)
		return 0;
	verdict = SSL_get_verify_result(s->ssl);
	return fail(error, "%.200s: %s", to->host,
		    verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_reason());
}

struct syslog *syslog_open(const struct syslog_to *to, char ret_error[SYSLOG_ERROR])
{
	struct syslog *s = calloc(1, sizeof(*s));

	if (!s) {
		fail(ret_error, "out of memory");
		return NULL;
	}
	s->fd = -1;
	if (prepare(s, to, ret_error) == 0 && (s->fd = dial(to, ret_error)) >= 0 &&
	    shake(s, to, ret_error) == 0)
		return s;
	syslog_close(s);
	return NULL;
}

void syslog_close(struct syslog *s)
{
	if (!s)
		return;
	if (s->ssl)
		SSL_shutdown(s->ssl);
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

int syslog_send(struct syslog *s, struct bytes frame, char ret_error[SYSLOG_ERROR])
{
	ERR_clear_error();
	if (SSL_write(s->ssl, frame.data, (int)frame.len) == (int)frame.len)
		return 0;
	return fail(ret_error, "the collector does not take messages: %s", tls_reason());
}

/* Has the other end said goodbye, or gone? It has nothing else to say. */
static bool gone(struct syslog *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	char byte;
	int r;

	if (poll(&p, 1, 0) <= 0)
		return false;
	if (recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return true;
	/* What is there is a session's ticket (TLS 1.3), or an alert: we were turned away. */
	ERR_clear_error();
	r = SSL_read(s->ssl, &byte, 1);
	return r <= 0 && SSL_get_error(s->ssl, r) != SSL_ERROR_WANT_READ;
}

bool syslog_settled(struct syslog *s, unsigned ms)
{
	struct timespec nap = {.tv_nsec = 5000000};
	int waiting = 0;

	for (unsigned waited = 0; waited <= ms; waited += 5) {
		if (ioctl(s->fd, SIOCOUTQ, &waiting) < 0)
			return false;
		if (waiting == 0)
			return !gone(s);
		nanosleep(&nap, NULL);
	}
	return false;
}
