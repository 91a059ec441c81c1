/*
 * The TLS relay on its own, for measurements: the library as it is, its key read from a file.
 *   bench-relay serve IN OUT CERT KEY CA [clear]   listens on 127.0.0.1:IN, goes on to OUT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/clock.h"
#include "base/file.h"
#include "seal/pki/tls.h"
#include "seal/relay/relay.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-relay: %s: %s\n", what, why);
	exit(1);
}

static void tell(void *arg, const struct relay_fact *f)
{
	if (f->reason != REASON_NONE)
		fprintf(stderr, "%s: %s %s\n", f->relay, reason_name(f->reason),
			f->text ? f->text : "");
}

static SSL_CTX *context(char **argv, bool server)
{
	struct tls_options o = {.server = server, .mutual = true, .trust = trust_new()};
	char error[TLS_ERROR];
	struct bytes ca;
	SSL_CTX *ctx;
	FILE *f;

	f = fopen(argv[4], "r");
	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL);
	f = fopen(argv[5], "r");
	o.key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	if (!o.key || file_read(argv[6], 1 << 20, &ca) < 0 ||
	    trust_add((struct trust *)o.trust, ca) < 1)
		die("certificate, key or issuers", "cannot be read");
	ctx = tls_context_new(&o, error);
	if (!ctx)
		die("TLS", error);
	return ctx;
}

static int listen_at(unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		die("listen", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct relay_calls calls = {.tell = tell};
	struct relay_options o = {.name = "bench", .connections = 65536};
	struct sockaddr_in *to = (struct sockaddr_in *)&o.connect;
	struct relays *rs;
	struct relay *r;

	if (argc < 7) {
		fputs("usage: bench-relay serve IN OUT CERT KEY CA [clear]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	o.tls_in = argc < 8;
	to->sin_family = AF_INET;
	to->sin_port = htons((uint16_t)atoi(argv[3]));
	to->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o.connect_len = sizeof(*to);
	rs = relays_new(&calls);
	r = relay_add(rs, &o);
	relay_context(r, context(argv, o.tls_in));
	relay_listen(r, listen_at((unsigned)atoi(argv[2])));
	for (uint64_t tick = 0;;) {
		relays_turn(rs, 1000);
		if (clock_mono_ns() - tick > NSEC_PER_SEC) {
			tick = clock_mono_ns();
			relays_tick(rs);
		}
	}
}
