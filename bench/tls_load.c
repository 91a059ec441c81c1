/*
 * What a relay is measured with: a clear server, and TLS clients with certificates.
 *   bench-tls-load sink PORT                   an echo; a first byte of 'd' makes it discard
 *                                              of 's' send GiBs until nobody wants any more
 *   bench-tls-load up|down PORT CERT KEY CA CONNECTIONS MIB
 *   bench-tls-load talk    PORT CERT KEY CA CONNECTIONS MESSAGES   1 KiB each, there and back
 *   bench-tls-load shake   PORT CERT KEY CA COUNT                  new connections, one after another
 * Says how many seconds it took; talk, also how many microseconds a message there and back, median and p99.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"

#define CHUNK	262144
#define MESSAGE 1024

static struct sockaddr_in at;
static SSL_CTX *ctx;
static long amount;
static unsigned group;
static uint32_t *took_us; /* of each message of talk */
static atomic_size_t took;

static void die(const char *what)
{
	fprintf(stderr, "bench-tls-load: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* --- the server ----------------------------------------------------------------- */

static void put(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = calloc(1, CHUNK);
	ssize_t n = recv(fd, buf, 1, 0);

	if (n == 1 && *buf == 's') {
		while (send(fd, buf, CHUNK, MSG_NOSIGNAL) > 0)
			;
	} else if (n == 1 && *buf == 'd') {
		long left = 0;

		recv(fd, &left, sizeof(left), MSG_WAITALL);
		while (left > 0 && (n = recv(fd, buf, CHUNK, 0)) > 0)
			left -= n;
		put(fd, "!", 1);
	} else if (n == 1) {
		put(fd, buf, 1);
		while ((n = recv(fd, buf, CHUNK, 0)) > 0)
			put(fd, buf, (size_t)n);
	}
	close(fd);
	free(buf);
	return NULL;
}

static void sink(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&small, 65536);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	for (;;) {
		pthread_t t;
		int got = accept(fd, NULL, NULL);

		if (got < 0)
			continue;
		setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&t, &small, serve, (void *)(intptr_t)got) != 0)
			close(got);
	}
}

/* --- clients ---------------------------------------------------------------------- */

static SSL *reach(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	SSL *ssl = SSL_new(ctx);

	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("handshake");
	return ssl;
}

static void leave(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

static void must(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

static void *up(void *arg)
{
	char *buf = calloc(1, CHUNK);
	SSL *ssl = reach();
	char end;

	long all = (amount + CHUNK - 1) / CHUNK * CHUNK;

	must(SSL_write(ssl, "d", 1) == 1 && SSL_write(ssl, &all, sizeof(all)) > 0, "write");
	for (long left = amount; left > 0; left -= CHUNK)
		must(SSL_write(ssl, buf, CHUNK) == CHUNK, "write");
	must(SSL_read(ssl, &end, 1) == 1 && end == '!', "the end");
	leave(ssl);
	free(buf);
	return NULL;
}

static void *down(void *arg)
{
	char *buf = calloc(1, CHUNK);
	SSL *ssl = reach();

	must(SSL_write(ssl, "s", 1) == 1, "write");
	for (long left = amount; left > 0;) {
		int n = SSL_read(ssl, buf, CHUNK);

		must(n > 0, "read");
		left -= n;
	}
	leave(ssl);
	free(buf);
	return NULL;
}

static void *talk(void *arg)
{
	char message[MESSAGE] = {'t'}, back[MESSAGE];
	SSL **all = calloc(group, sizeof(*all));
	uint64_t *said = calloc(group, sizeof(*said));

	for (unsigned i = 0; i < group; i++)
		all[i] = reach();
	for (long n = 0; n < amount; n++) {
		for (unsigned i = 0; i < group; i++) {
			said[i] = clock_mono_ns();
			must(SSL_write(all[i], message, MESSAGE) == MESSAGE, "write");
		}
		for (unsigned i = 0; i < group; i++) {
			for (int got = 0, r; got < MESSAGE; got += r) {
				r = SSL_read(all[i], back + got, MESSAGE - got);
				must(r > 0, "read");
			}
			took_us[atomic_fetch_add(&took, 1)] =
				(uint32_t)((clock_mono_ns() - said[i]) / 1000);
		}
	}
	for (unsigned i = 0; i < group; i++)
		leave(all[i]);
	free(said);
	free(all);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void *shake(void *arg)
{
	for (long n = 0; n < amount; n++) {
		SSL *ssl = reach();
		char end;

		must(SSL_write(ssl, "t", 1) == 1 && SSL_read(ssl, &end, 1) == 1, "echo");
		leave(ssl);
	}
	return NULL;
}

static void run(void *(*fn)(void *), unsigned threads)
{
	pthread_t t[256];
	uint64_t begun = clock_mono_ns();

	for (unsigned i = 0; i < threads; i++)
		must(pthread_create(&t[i], NULL, fn, NULL) == 0, "thread");
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("%.3f\n", (double)(clock_mono_ns() - begun) / 1e9);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	unsigned connections = argc > 6 ? (unsigned)atoi(argv[6]) : 0;

	signal(SIGPIPE, SIG_IGN);
	at = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 0)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (strcmp(what, "sink") == 0)
		sink();
	if (argc < 7)
		return 2;
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_use_certificate_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, argv[4], SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(ctx, argv[5], NULL) != 1)
		die("certificate");
	amount = argc > 7 ? atol(argv[7]) : 0;
	if (strcmp(what, "up") == 0 || strcmp(what, "down") == 0) {
		amount = amount * 1048576 / connections;
		run(what[0] == 'u' ? up : down, connections);
	} else if (strcmp(what, "talk") == 0) {
		group = connections / 8;
		took_us = calloc(8 * (size_t)group * (size_t)amount + 1, sizeof(*took_us));
		must(took_us != NULL, "memory");
		run(talk, 8);
		qsort(took_us, took, sizeof(*took_us), by_size);
		printf("%u %u\n", took_us[took / 2], took_us[took - took / 100 - 1]);
	} else if (strcmp(what, "shake") == 0) {
		amount = connections;
		run(shake, 1);
	}
	return 0;
}
