/*
 * The sealed link on its own, for measurements: frames of one port go to a peer and back, by
 * the library as it is, the key read from a file.
 *   bench-link PORT LISTEN PEER NAME PEERNAME CERT KEY CA COALESCE
 *     LISTEN, PEER: IPv4 address:port; PEER `-`: the other end calls
 *     COALESCE: us, as link.coalesce_us
 * SIGTERM ends it and prints its counters.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/clock.h"
#include "base/coalesce.h"
#include "base/file.h"
#include "seal/link/link.h"
#include "seal/pki/tls.h"

#define BATCH 64
#define POOL  1024
#define ROOM  (LINK_FRAME_MAX + 64)

struct port {
	int fd;
	struct links *links;
	struct link_peer *peer;
	uint8_t *in[BATCH];
	unsigned have, at; /* frames that came in and are not sealed yet: [at .. have) */
	struct link_frame frames[BATCH];
	struct coalesce coalesce;
	uint8_t *pool[POOL]; /* free memory for what comes out */
	unsigned free;
	struct mmsghdr out[BATCH];
	struct iovec iov[BATCH];
	unsigned queued;
	uint64_t lost;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-link: %s: %s\n", what, why);
	exit(1);
}

static void tell(void *arg, const struct link_fact *f)
{
	static const char *const names[] = {"up", "down", "renewed", "moved", "mtu", "refused"};

	fprintf(stderr, "bench-link: %s %s %s\n", names[f->what], reason_name(f->reason),
		f->text ? f->text : "");
}

/* --- the port ------------------------------------------------------------------- */

static int open_port(const char *name)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int one = 1, buf = 32 << 20;

	a.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !a.sll_ifindex || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0)
		die(name, strerror(errno));
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof(buf));
	return fd;
}

static uint8_t *take(void *arg, uint32_t len)
{
	struct port *p = arg;

	return p->free ? p->pool[--p->free] : NULL;
}

static void give(void *arg, uint8_t *data)
{
	struct port *p = arg;

	p->pool[p->free++] = data;
}

static void put_out(struct port *p)
{
	unsigned done = 0;

	while (done < p->queued) {
		int n = sendmmsg(p->fd, p->out + done, p->queued - done, MSG_DONTWAIT);

		if (n <= 0) {
			p->lost++;
			n = 1;
		}
		done += (unsigned)n;
	}
	for (unsigned i = 0; i < p->queued; i++)
		give(p, p->iov[i].iov_base);
	p->queued = 0;
}

static void deliver(void *arg, struct link_peer *peer, const struct link_frame *f)
{
	struct port *p = arg;

	p->iov[p->queued] = (struct iovec){f->data, f->len};
	p->out[p->queued] =
		(struct mmsghdr){.msg_hdr = {.msg_iov = &p->iov[p->queued], .msg_iovlen = 1}};
	if (++p->queued == BATCH)
		put_out(p);
}

static void take_in(struct port *p)
{
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){p->in[i], ROOM};
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	}
	n = recvmmsg(p->fd, m, BATCH, MSG_DONTWAIT, NULL);
	p->have = n > 0 ? (unsigned)n : 0;
	p->at = 0;
	for (unsigned i = 0; i < p->have; i++)
		p->frames[i] = (struct link_frame){
			.data = p->in[i], .len = m[i].msg_len, .form = LINK_FORM_VNET};
}

static void seal(struct port *p)
{
	int n = link_send(p->peer, p->frames + p->at, p->have - p->at);

	if (n < 0)
		p->at = p->have; /* the peer is down */
	else
		p->at += (unsigned)n;
	links_flush(p->links);
}

/* As a guard does where much is sealed. True: something may have come meanwhile. */
static bool gather(struct port *p, uint64_t now)
{
	uint64_t wait = coalesce_came(&p->coalesce, p->have, now);
	struct timespec nap = {.tv_nsec = (long)wait};

	if (wait)
		nanosleep(&nap, NULL);
	p->have = p->at = 0;
	return wait;
}

static void turn(struct port *p, int sock)
{
	struct pollfd f[2] = {{.fd = sock, .events = POLLIN}, {.fd = p->fd, .events = POLLIN}};
	uint64_t now = clock_mono_ns(), next = links_turn(p->links, now);
	bool full = p->at < p->have;

	if (links_wants_write(p->links))
		f[0].events |= POLLOUT;
	if (full)
		f[1].events = 0;
	else if (gather(p, now))
		next = now;
	if (poll(f, 2, next > now ? (int)((next - now) / NSEC_PER_MSEC) + 1 : 0) < 0)
		return;
	if (f[0].revents & POLLOUT)
		links_write(p->links);
	if (f[0].revents & POLLIN) {
		links_read(p->links);
		put_out(p);
	}
	if (!full && f[1].revents & POLLIN)
		take_in(p);
	if (p->at < p->have)
		seal(p);
}

/* --- set up ---------------------------------------------------------------------- */

static SSL_CTX *context(char **argv, bool server)
{
	struct tls_options o = {
		.server = server, .datagram = true, .mutual = true, .trust = trust_new()};
	char error[TLS_ERROR];
	struct bytes ca;
	SSL_CTX *ctx;
	FILE *f;

	f = fopen(argv[6], "r");
	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL);
	f = fopen(argv[7], "r");
	o.key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
	if (!o.key || file_read(argv[8], 1 << 20, &ca) < 0 ||
	    trust_add((struct trust *)(uintptr_t)o.trust, ca) < 1)
		die("certificate, key or issuers", "cannot be read");
	ctx = tls_context_new(&o, error);
	if (!ctx)
		die("DTLS", error);
	return ctx;
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[64];
	const char *colon = strchr(text, ':');

	if (!colon)
		die(text, "no address:port");
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die(text, "no address");
	return a;
}

static void say(struct port *p)
{
	struct link_counts c;
	struct link_status s;

	link_counts(p->peer, &c);
	link_status(p->peer, &s);
	printf("{\"frames_out\":%llu,\"frames_in\":%llu,\"records_out\":%llu,\"records_in\":%llu,"
	       "\"missing\":%llu,\"split\":%llu,\"no_memory\":%llu,\"lost\":%llu,\"mtu\":%u,"
	       "\"cipher\":\"%s\"}\n",
	       (unsigned long long)c.frames_out, (unsigned long long)c.frames_in,
	       (unsigned long long)c.records_out, (unsigned long long)c.records_in,
	       (unsigned long long)c.missing, (unsigned long long)c.split,
	       (unsigned long long)c.no_memory, (unsigned long long)p->lost, s.mtu,
	       s.cipher ? s.cipher : "");
}

int main(int argc, char **argv)
{
	static struct port p;
	struct links_calls calls = {
		.take = take, .give = give, .deliver = deliver, .tell = tell, .arg = &p};
	struct links_options o = {0};
	struct link_options peer = {0};
	struct sockaddr_in at;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (argc < 10) {
		fputs("usage: bench-link PORT LISTEN PEER NAME PEERNAME CERT KEY CA COALESCE\n",
		      stderr);
		return 2;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	at = address(argv[2]);
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(argv[2], strerror(errno));
	o.name = argv[4];
	peer.name = argv[5];
	if (strcmp(argv[3], "-") != 0) {
		at = address(argv[3]);
		memcpy(&peer.address, &at, sizeof(at));
		peer.address_len = sizeof(at);
	}
	coalesce_init(&p.coalesce, (uint32_t)atoi(argv[9]));
	prctl(PR_SET_TIMERSLACK, 1000ul);
	p.fd = open_port(argv[1]);
	for (unsigned i = 0; i < BATCH; i++)
		p.in[i] = malloc(ROOM);
	while (p.free < POOL)
		p.pool[p.free++] = malloc(ROOM);
	p.links = links_new(&o, &calls);
	if (!p.links || links_socket(p.links, sock) < 0)
		die("link", strerror(errno));
	links_context(p.links, context(argv, false), context(argv, true), false);
	p.peer = link_add(p.links, &peer);
	while (!stop)
		turn(&p, sock);
	say(&p);
	links_free(p.links);
	return 0;
}
