#include "people/audit/syslog.h"

#include <arpa/inet.h>
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

#include "base/fips.h"

#define PATIENCE_S 10
#define PRIORITY   (10 * 8 + 5)

struct syslog_trust {
	SSL_CTX *ctx;
};

struct syslog {
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

/* A connected socket, or -1 with errno. */
static int dial_at(int family, const struct sockaddr *at, socklen_t len)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, at, len) == 0)
		return fd;
	err = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	errno = err;
	return -1;
}

/* Without the resolver, which reads files. */
static int dial_number(const struct syslog_to *to)
{
	uint16_t port = htons((uint16_t)strtoul(to->port, NULL, 10));
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

	if (inet_pton(AF_INET, to->host, &v4.sin_addr) == 1)
		return dial_at(AF_INET, (const struct sockaddr *)&v4, sizeof(v4));
	if (inet_pton(AF_INET6, to->host, &v6.sin6_addr) == 1)
		return dial_at(AF_INET6, (const struct sockaddr *)&v6, sizeof(v6));
	errno = EINVAL;
	return -1;
}

static int dial(const struct syslog_to *to, char *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL, *a;
	int fd = -1, err = to->numeric ? 0 : getaddrinfo(to->host, to->port, &hints, &all);

	if (err)
		return fail(error, "%.200s: %s", to->host, gai_strerror(err));
	if (to->numeric)
		fd = dial_number(to);
	for (a = all; a && fd < 0; a = a->ai_next)
		fd = dial_at(a->ai_family, a->ai_addr, a->ai_addrlen);
	err = errno;
	if (all)
		freeaddrinfo(all);
	if (fd < 0)
		return fail(error, "%.200s port %s: %s", to->host, to->port, strerror(err));
	return fd;
}

/* TLS 1.2 at least (IHE ITI-19, BCP 195), and nobody whom the authority does not vouch for. */
static int prepare(SSL_CTX *ctx, const char *ca, const char *cert, const char *key, char *error)
{
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) || fips_context(ctx) < 0)
		return fail(error, "TLS: %s", tls_reason());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY); /* see gone() */
	if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		return fail(error, "%.300s: no certificates of authorities: %s", ca, tls_reason());
	if (cert && (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
		     SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))
		return fail(error, "%.200s, %.200s: no certificate with its key: %s", cert, key,
			    tls_reason());
	return 0;
}

struct syslog_trust *syslog_trust_new(const char *ca, const char *cert, const char *key,
				      char ret_error[SYSLOG_ERROR])
{
	struct syslog_trust *t = calloc(1, sizeof(*t));

	if (!t) {
		fail(ret_error, "out of memory");
		return NULL;
	}
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (prepare(t->ctx, ca, cert, key, ret_error) == 0)
		return t;
	syslog_trust_free(t);
	return NULL;
}

void syslog_trust_free(struct syslog_trust *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

static int shake(struct syslog *s, const struct syslog_to *to, const struct syslog_trust *trust,
		 char *error)
{
	const char *name = to->name ? to->name : to->host;
	X509_VERIFY_PARAM *p;
	long verdict;

	s->ssl = SSL_new(trust->ctx);
	if (!s->ssl || !SSL_set_fd(s->ssl, s->fd))
		return fail(error, "TLS: %s", tls_reason());
	p = SSL_get0_param(s->ssl);
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* An address, or else a name. */
	if (!X509_VERIFY_PARAM_set1_ip_asc(p, name) &&
	    (!SSL_set1_host(s->ssl, name) || !SSL_set_tlsext_host_name(s->ssl, name)))
		return fail(error, "TLS: %s", tls_reason());
	ERR_clear_error();
	if (SSL_connect(s->ssl) == 1)
		return 0;
	verdict = SSL_get_verify_result(s->ssl);
	return fail(error, "%.200s: %s", to->host,
		    verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : tls_reason());
}

struct syslog *syslog_open(const struct syslog_to *to, const struct syslog_trust *trust,
			   char ret_error[SYSLOG_ERROR])
{
	struct syslog *s = calloc(1, sizeof(*s));

	if (!s) {
		fail(ret_error, "out of memory");
		return NULL;
	}
	s->fd = -1;
	s->fd = dial(to, ret_error);
	if (s->fd >= 0 && shake(s, to, trust, ret_error) == 0)
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
