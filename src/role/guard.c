#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "role/child.h"
#include "role/guard_internal.h"

#define BURST		64
#define TICK_NS		(100 * NSEC_PER_MSEC)
#define COUNTS_NS	(500 * NSEC_PER_MSEC)
#define CAPTURE_FDS_MAX (SETUP_PORTS_MAX + 2)
#define DRAIN_QUIET_NS	(5 * NSEC_PER_MSEC)
#define DRAIN_MOST_NS	(500 * NSEC_PER_MSEC)
#define SETTLE_NS	(2 * NSEC_PER_MSEC)

/* At most a burst of each before anything else gets its turn. How many frames there were. */
static unsigned turn(struct guard *g)
{
	const struct capture_ops *ops = g->capture->ops;
	struct frame frames[BURST];
	int n;

	n = (int)lender_receive(g->lender, frames, BURST / 2);
	if (ops->wait(g->capture, 0) > 0) {
		int more = ops->receive(g->capture, frames + n, BURST - (unsigned)n);

		n += more > 0 ? more : 0;
	} else if (n == 0) {
		lender_flush(g->lender); /* what the link is done with */
		return 0;
	}
	engine_boot(g->engine, clock_boot_ns());
	if (n > 0)
		engine_burst(g->engine, g->capture, frames, (unsigned)n);
	ops->flush(g->capture);
	lender_flush(g->lender);
	return (unsigned)n;
}

/* What is to be done by the clock, or because somebody other than a port spoke. */
static void housekeeping(struct guard *g, uint64_t now)
{
	uint64_t wall = clock_wall_ns();

	g->wall_minus_mono = wall - now;
	guard_hear_parent(g);
	if (g->samples)
		ring_buffer__consume(g->samples);
	if (now >= g->tick_ns) {
		g->tick_ns = now + TICK_NS;
		engine_boot(g->engine, clock_boot_ns());
		engine_tick(g->engine, g->capture, wall);
		g->capture->ops->flush(g->capture);
	}
	lender_flush(g->lender);
	guard_talk_to_keeper(g);
	if (now >= g->counts_ns) {
		g->counts_ns = now + COUNTS_NS;
		guard_say_counts(g);
		guard_say_patients(g, wall);
		guard_say_conduct(g, wall);
	}
}

static void sleep_until_something(struct guard *g, uint64_t now)
{
	struct pollfd p[CAPTURE_FDS_MAX + 3];
	int fds[CAPTURE_FDS_MAX];
	unsigned n = g->capture->ops->fds(g->capture, fds, CAPTURE_FDS_MAX), ports = n;
	uint64_t ms = now < g->tick_ns ? (g->tick_ns - now) / NSEC_PER_MSEC + 1 : 0;
	bool others = false;
	int r;

	for (unsigned i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	p[n++] = (struct pollfd){.fd = lender_fd(g->lender), .events = POLLIN};
	ports = n;
	p[n++] = (struct pollfd){.fd = g->parent, .events = POLLIN};
	p[n++] = (struct pollfd){.fd = g->keeper,
				 .events = (short)(POLLIN | (g->keeper_full ? POLLOUT : 0))};
	if (g->samples)
		p[n++] = (struct pollfd){.fd = ring_buffer__epoll_fd(g->samples), .events = POLLIN};
	if (!lender_sleep(g->lender))
		return;
	r = poll(p, n, (int)ms);
	lender_wake(g->lender);
	if (r <= 0)
		return;
	for (unsigned i = ports; i < n; i++)
		others = others || p[i].revents;
	if (others)
		housekeeping(g, clock_mono_ns());
}

/* Waits more than should wait for the next tick, and for somebody who may take it? */
static bool is_urgent(const struct guard *g, uint64_t now)
{
	return g->keeper >= 0 && now >= g->keeper_ns &&
	       (outbox_urgent(&g->events) || archive_urgent(g->archive));
}

/*
 * Frames come fast enough to wait for company: one wake-up and one call to the kernel do for
 * several, and what each needs of memory is fetched while another is worked on.
 */
static void gather(struct guard *g, unsigned came, uint64_t now)
{
	uint64_t wait = coalesce_came(&g->all, came, now);
	uint64_t link = coalesce_came(&g->sealed, lender_lent(g->lender), now);
	struct timespec nap = {.tv_nsec = (long)(wait > link ? wait : link)};

	if (nap.tv_nsec && came < BURST)
		nanosleep(&nap, NULL);
}

/* What waits for the link to be there does not wait for longer than the floor keeps it. */
static void settle(struct guard *g, uint64_t now)
{
	const struct capture_ops *ops = g->capture->ops;

	if (lender_carries(g->lender) || now >= g->settle_ns) {
		ops->settle(g->capture);
		g->settle_ns = 0;
	} else if (g->tick_ns > now + SETTLE_NS) {
		g->tick_ns = now + SETTLE_NS;
	}
}

static void run(struct guard *g)
{
	while (!g->stopping) {
		unsigned came = turn(g);
		uint64_t now = clock_mono_ns();

		if (g->settle_ns)
			settle(g, now);
		if (now >= g->tick_ns || is_urgent(g, now))
			housekeeping(g, now);
		else if (came)
			gather(g, came, now);
		else
			sleep_until_something(g, now);
	}
}

/* Everything that has arrived goes on its way, while the floor already does without us. */
static void drain(struct guard *g)
{
	uint64_t begun = clock_mono_ns(), quiet = begun, now = begun;

	if (g->capture->ops->retire)
		g->capture->ops->retire(g->capture, g->heir && lender_carries(g->lender));
	while (now - quiet < DRAIN_QUIET_NS && now - begun < DRAIN_MOST_NS) {
		unsigned came = turn(g);

		now = clock_mono_ns();
		if (came)
			quiet = now;
	}
	if (g->samples)
		ring_buffer__consume(g->samples);
}

/* Last words; the keeper has a moment to take them. */
static void finish(struct guard *g)
{
	struct timespec nap = {.tv_nsec = 5 * (long)NSEC_PER_MSEC};

	drain(g);
	guard_say_counts(g); /* the conversations it counts are about to end */
	engine_finish(g->engine, g->capture);
	g->capture->ops->flush(g->capture);
	for (int i = 0; i < 100 && g->keeper >= 0 && guard_flush_keeper(g); i++)
		nanosleep(&nap, NULL);
	g->capture->ops->close(g->capture);
}

int guard_main(int argc, char **argv)
{
	static struct guard g = {.parent = CHILD_IPC_FD, .keeper = -1};
	static char name[16];

	if (argc != 2) {
		fputs("bedwarden: _guard is started by 'bedwarden run'\n", stderr);
		return 2;
	}
	g.number = (unsigned)strtoul(argv[1], NULL, 10);
	snprintf(name, sizeof(name), "guard %u", g.number);
	log_init(name, LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	guard_prepare(&g);
	run(&g);
	finish(&g);
	return 0;
}
