/*
 * A wire made of a capture back end: whatever arrives at one of two ports
 * leaves by the other, undisturbed. What capture alone costs and gets right,
 * without the engine behind it.
 *
 *   wire xdp MAPS_DIR PORT PORT [SECONDS] | wire packet PORT PORT [SECONDS]
 *
 * Says "ready" on stdout when the ports are open, and its counts as a JSON
 * object when SIGTERM or the time ends it.
 */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "guard/capture/capture.h"

#define BURST 64

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

static void pass_on(struct capture *c, const struct capture_port ports[2])
{
	struct frame f[BURST];
	int n = c->ops->receive(c, f, BURST);

	for (int i = 0; i < n; i++)
		c->ops->forward(c, &f[i], ports[f[i].ifindex == ports[0].ifindex].ifindex);
	c->ops->flush(c);
}

int main(int argc, char **argv)
{
	bool xdp = argc > 1 && strcmp(argv[1], "xdp") == 0;
	int at = xdp ? 3 : 2;
	struct sigaction sa = {.sa_handler = on_signal};
	struct capture_port ports[2] = {0};
	struct capture_counts n;
	struct capture *c;
	uint64_t until;

	if (argc < at + 2)
		return 2;
	for (int i = 0; i < 2; i++) {
		snprintf(ports[i].name, sizeof(ports[i].name), "%s", argv[at + i]);
		ports[i].ifindex = if_nametoindex(argv[at + i]);
	}
	c = xdp ? capture_xdp_open(ports, 2, 0, argv[2], NULL)
		: capture_packet_open(ports, 2, NULL);
	if (!c) {
		fprintf(stderr, "wire: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	sigaction(SIGTERM, &sa, NULL);
	puts("ready");
	fflush(stdout);
	until = argc > at + 2 ? clock_mono_ns() + strtoull(argv[at + 2], NULL, 10) * NSEC_PER_SEC
			      : UINT64_MAX;
	while (!stop && clock_mono_ns() < until)
		if (c->ops->wait(c, 100) == 1)
			pass_on(c, ports);
	c->ops->counts(c, &n);
	printf("{\"received\":%llu,\"forwarded\":%llu,\"dropped\":%llu,\"lost_receive\":%llu,"
	       "\"lost_send\":%llu}\n",
	       (unsigned long long)n.received, (unsigned long long)n.forwarded,
	       (unsigned long long)n.dropped, (unsigned long long)n.lost_receive,
	       (unsigned long long)n.lost_send);
	c->ops->close(c);
	return 0;
}
