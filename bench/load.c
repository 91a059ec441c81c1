/*
 * Traffic for the benchmark: numbered, time-stamped UDP datagrams out of one
 * network namespace, and their account in another.
 *
 *   load send ADDRESS PORT PPS SECONDS [SIZE]   PPS 0: as fast as it goes
 *   load many FROM ADDRESS PORT PPS SECONDS FLOWS  so many conversations, in random order: of 1,000
 *                                               ports of ours with those from PORT on. SECONDS 0:
 *                                               each once
 *   load recv PORT SECONDS                      until SECONDS after the first datagram; PORT any:
 *                                               whatever port it is for
 *
 * Each prints one JSON object. Latency is from the sender's clock before the
 * system call to the kernel's receive time stamp, so that waking up the
 * receiving process is no part of it. SIGTERM ends either early.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	  32
#define SIZE_MAX_ 1472
#define SAMPLES	  (1u << 20)
#define SEQ_MAX	  (1u << 26) /* one bit each */
#define NSEC	  1000000000ull

struct stamp {
	uint64_t seq, sent_ns;
	uint32_t magic, run; /* `run` tells two senders apart: only the latest counts */
};
#define MAGIC 0x62656477

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t mono_ns)
{
	struct timespec t = {.tv_sec = (time_t)(mono_ns / NSEC), .tv_nsec = (long)(mono_ns % NSEC)};

	while (!stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static int die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	return 1;
}

static int send_all(const char *address, const char *port, uint64_t pps, double seconds,
		    size_t size)
{
	static uint8_t data[BATCH][SIZE_MAX_];
	struct sockaddr_storage to = {0};
	struct sockaddr_in *to4 = (struct sockaddr_in *)&to;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&to;
	struct mmsghdr m[BATCH] = {0};
	struct iovec v[BATCH];
	uint64_t seq = 0, failed = 0, start, end;
	uint32_t run = (uint32_t)now_ns(CLOCK_REALTIME);
	int sock, buffer = 1 << 20;

	to.ss_family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (to.ss_family == AF_INET) {
		to4->sin_port = htons((uint16_t)atoi(port));
		inet_pton(AF_INET, address, &to4->sin_addr);
	} else {
		to6->sin6_port = htons((uint16_t)atoi(port));
		inet_pton(AF_INET6, address, &to6->sin6_addr);
	}
	sock = socket(to.ss_family, SOCK_DGRAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to,
				to.ss_family == AF_INET ? sizeof(*to4) : sizeof(*to6)))
		return die(address);
	setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){data[i], size};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
	}
	start = now_ns(CLOCK_MONOTONIC);
	end = start + (uint64_t)(seconds * (double)NSEC);
	while (!stop && now_ns(CLOCK_MONOTONIC) < end) {
		unsigned n = BATCH;
		uint64_t stamp_ns;

		if (pps) {
			uint64_t due;

			sleep_until(start + seq * NSEC / pps);
			due = (now_ns(CLOCK_MONOTONIC) - start) * pps / NSEC + 1;
			n = due <= seq ? 1 : due - seq > BATCH ? BATCH : (unsigned)(due - seq);
		}
		stamp_ns = now_ns(CLOCK_REALTIME);
		for (unsigned i = 0; i < n; i++) {
			struct stamp s = {seq++, stamp_ns, MAGIC, run};

			memcpy(data[i], &s, sizeof(s));
		}
		for (unsigned done = 0; done < n;) {
			int k = sendmmsg(sock, m + done, n - done, 0);

			if (k > 0) {
				done += (unsigned)k;
			} else if (errno == ECONNREFUSED) {
				continue; /* an ICMP answer to an earlier one */
			} else {
				failed++, done++;
			}
		}
	}
	seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) / NSEC;
	printf("{\"sent\":%llu,\"failed\":%llu,\"pps\":%.0f}\n", (unsigned long long)(seq - failed),
	       (unsigned long long)failed, (double)seq / seconds);
	return 0;
}

/* An IPv4 datagram as it is on the wire; the kernel adds length, identification and checksum. */
struct datagram {
	struct iphdr ip;
	struct udphdr udp; /* without a checksum */
	struct stamp stamp;
	uint8_t rest[40]; /* 64 bytes in all, as `send` has */
} __attribute__((packed));

#define OWN_PORTS  1000u
#define FIRST_PORT 20000u
#define DATA_AT	   (sizeof(struct iphdr) + sizeof(struct udphdr))

static void address_datagram(struct datagram *d, unsigned port, uint32_t flow)
{
	d->udp.source = htons((uint16_t)(FIRST_PORT + flow % OWN_PORTS));
	d->udp.dest = htons((uint16_t)(port + flow / OWN_PORTS));
}

static int send_many(const char *from, const char *address, unsigned port, uint64_t pps,
		     double seconds, uint32_t flows)
{
	static struct datagram d[BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct mmsghdr m[BATCH] = {0};
	struct iovec v[BATCH];
	uint64_t seq = 0, failed = 0, random = 0x9e3779b97f4a7c15ull, start, end;
	uint32_t run = (uint32_t)now_ns(CLOCK_REALTIME);
	int sock = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), buffer = 1 << 20;
	bool once = seconds <= 0;

	inet_pton(AF_INET, address, &to.sin_addr);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)))
		return die(address);
	setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	for (int i = 0; i < BATCH; i++) {
		d[i].ip = (struct iphdr){.version = 4,
					 .ihl = 5,
					 .ttl = 64,
					 .protocol = IPPROTO_UDP,
					 .daddr = to.sin_addr.s_addr};
		inet_pton(AF_INET, from, &d[i].ip.saddr);
		d[i].udp.len = htons(sizeof(d[i]) - sizeof(d[i].ip));
		v[i] = (struct iovec){&d[i], sizeof(d[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
	}
	start = now_ns(CLOCK_MONOTONIC);
	end = start + (uint64_t)(seconds * (double)NSEC);
	while (!stop && (once ? seq < flows : now_ns(CLOCK_MONOTONIC) < end)) {
		uint64_t stamp_ns;
		int n;

		if (pps)
			sleep_until(start + seq * NSEC / pps);
		stamp_ns = now_ns(CLOCK_REALTIME);
		for (unsigned i = 0; i < BATCH; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			address_datagram(&d[i], port,
					 once ? (uint32_t)(seq % flows)
					      : (uint32_t)((random >> 32) % flows));
			d[i].stamp = (struct stamp){seq++, stamp_ns, MAGIC, run};
		}
		n = sendmmsg(sock, m, BATCH, 0);
		failed += n < 0 ? BATCH : (uint64_t)(BATCH - n);
	}
	seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) / NSEC;
	printf("{\"sent\":%llu,\"failed\":%llu,\"pps\":%.0f}\n", (unsigned long long)(seq - failed),
	       (unsigned long long)failed, (double)seq / seconds);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

struct account {
	uint8_t *seen;
	double *us;
	uint64_t received, twice, late, highest, longest_gap_ns, last_ns;
	uint32_t samples, run;
};

static void count_one(struct account *a, const struct stamp *s, uint64_t arrived_ns)
{
	if (s->magic != MAGIC || s->seq >= SEQ_MAX)
		return;
	if (s->run != a->run) {
		if (a->run) /* 8 MiB, meanwhile nobody reads the socket */
			memset(a->seen, 0, SEQ_MAX / 8);
		*a = (struct account){.seen = a->seen, .us = a->us, .run = s->run};
	}
	if (a->seen[s->seq / 8] & 1 << s->seq % 8) {
		a->twice++;
		return;
	}
	a->seen[s->seq / 8] |= (uint8_t)(1 << s->seq % 8);
	a->received++;
	if (s->seq < a->highest)
		a->late++;
	else
		a->highest = s->seq;
	if (a->last_ns && arrived_ns > a->last_ns && arrived_ns - a->last_ns > a->longest_gap_ns)
		a->longest_gap_ns = arrived_ns - a->last_ns;
	a->last_ns = arrived_ns;
	if (a->samples < SAMPLES)
		a->us[a->samples++] = (double)(int64_t)(arrived_ns - s->sent_ns) / 1000;
}

static uint64_t arrival(struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		return (uint64_t)t.tv_sec * NSEC + (uint64_t)t.tv_nsec;
	}
	return now_ns(CLOCK_REALTIME);
}

static void report(struct account *a, uint64_t first_ns)
{
	double *us = a->us, seconds = (double)(a->last_ns - first_ns) / NSEC;
	uint32_t n = a->samples;

	qsort(us, n, sizeof(*us), by_value);
	printf("{\"received\":%llu,\"lost\":%llu,\"twice\":%llu,\"late\":%llu,\"pps\":%.0f,"
	       "\"gap_ms\":%.2f,\"us_median\":%.1f,\"us_p99\":%.1f,\"us_max\":%.1f}\n",
	       (unsigned long long)a->received,
	       (unsigned long long)(a->received ? a->highest + 1 - a->received : 0),
	       (unsigned long long)a->twice, (unsigned long long)a->late,
	       seconds > 0 ? (double)a->received / seconds : 0, (double)a->longest_gap_ns / 1e6,
	       n ? us[n / 2] : 0, n ? us[(uint64_t)n * 99 / 100] : 0, n ? us[n - 1] : 0);
}

/* A socket for one port; for any, one that sees datagrams with their headers, whoever they are to. */
static int recv_socket(const char *port)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6,
				  .sin6_port = htons((uint16_t)atoi(port))};
	bool any = strcmp(port, "any") == 0;
	int on = 1, off = 0, buffer = 64 << 20;
	int sock = any ? socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))
		       : socket(AF_INET6, SOCK_DGRAM, 0);

	if (sock < 0)
		return -1;
	setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)); /* without rights */
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	return any || bind(sock, (struct sockaddr *)&at, sizeof(at)) == 0 ? sock : -1;
}

static int recv_all(const char *port, double seconds)
{
	static uint8_t data[BATCH][128], control[BATCH][64];
	struct account a = {.seen = calloc(1, SEQ_MAX / 8), .us = calloc(SAMPLES, sizeof(double))};
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	size_t data_at = strcmp(port, "any") == 0 ? DATA_AT : 0;
	int sock = recv_socket(port);
	uint64_t first_ns = 0, until = now_ns(CLOCK_REALTIME) + 60 * NSEC;

	if (!a.seen || !a.us || sock < 0)
		return die(port);
	while (!stop && now_ns(CLOCK_REALTIME) < until) {
		struct pollfd p = {.fd = sock, .events = POLLIN};
		int n;

		if (poll(&p, 1, 50) <= 0)
			continue;
		for (int i = 0; i < BATCH; i++) {
			v[i] = (struct iovec){data[i], sizeof(data[i])};
			m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i],
						       .msg_iovlen = 1,
						       .msg_control = control[i],
						       .msg_controllen = sizeof(control[i])};
		}
		n = recvmmsg(sock, m, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			struct stamp s;
			uint64_t ns = arrival(&m[i].msg_hdr);

			if (m[i].msg_len < data_at + sizeof(s))
				continue;
			memcpy(&s, data[i] + data_at, sizeof(s));
			if (first_ns == 0) {
				first_ns = ns;
				until = now_ns(CLOCK_REALTIME) + (uint64_t)(seconds * (double)NSEC);
			}
			count_one(&a, &s, ns);
		}
	}
	report(&a, first_ns);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	size_t size = argc > 6 ? (size_t)atoi(argv[6]) : 64;

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (argc >= 6 && strcmp(argv[1], "send") == 0 && size >= sizeof(struct stamp) &&
	    size <= SIZE_MAX_)
		return send_all(argv[2], argv[3], strtoull(argv[4], NULL, 10), atof(argv[5]), size);
	if (argc == 8 && strcmp(argv[1], "many") == 0 && atoi(argv[7]) > 0)
		return send_many(argv[2], argv[3], (unsigned)atoi(argv[4]),
				 strtoull(argv[5], NULL, 10), atof(argv[6]),
				 (uint32_t)atoi(argv[7]));
	if (argc == 4 && strcmp(argv[1], "recv") == 0)
		return recv_all(argv[2], atof(argv[3]));
	fputs("usage: load send ADDRESS PORT PPS SECONDS [SIZE]\n"
	      "       load many FROM ADDRESS PORT PPS SECONDS FLOWS\n"
	      "       load recv PORT|any SECONDS\n",
	      stderr);
	return 2;
}
