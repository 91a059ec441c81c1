#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/log.h"
#include "role/guard_internal.h"
#include "role/lock_in.h"

#define EVENTS_WAITING (4u << 20) /* bytes of events, while the keeper is away or slow */
#define MACHINES       4096	  /* in the inventory, and */
#define MACHINES_QUIET 30000	  /* ms between two events about one */
#define FLOW_EVENTS    1024	  /* of one source, at once */
#define FLOWS_WAITING  (8u << 20)
#define OPEN_PATIENCE  2000 /* ms for an earlier guard's sockets to go away */
#define TIMER_SLACK_NS 1000ul
#define GATHER_US      40	   /* at most, for frames that come fast to come together */
#define EVIDENCE_RING  (4u << 20)  /* bytes of frames that may become evidence, */
#define EVIDENCE_QUEUE (4u << 20)  /* and of those that have and wait for the keeper */
#define ARCHIVE_QUEUE  (16u << 20) /* bytes of what is archived, until the keeper takes them */
#define SETTLE_MOST_NS (2 * NSEC_PER_SEC) /* the floor keeps frames for GATE_HOLD_NS in all */

/* Besides what every role lives on: the counters of its sockets, the seals of memory that is
 * shared, and to leave nothing behind when it goes in order. */
static const char *const calls[] = {"fcntl", "getsockopt", "set_robust_list"};

static void list_ports(const struct guard *g, struct capture_port ret_ports[SETUP_PORTS_MAX])
{
	for (uint32_t i = 0; i < g->setup.port_count; i++) {
		memset(&ret_ports[i], 0, sizeof(ret_ports[i]));
		memcpy(ret_ports[i].name, g->setup.ports[i].name, sizeof(ret_ports[i].name) - 1);
		ret_ports[i].ifindex = g->setup.ports[i].ifindex;
	}
}

static struct evidence *open_evidence(const struct guard *g)
{
	static struct capture_port ports[SETUP_PORTS_MAX];
	struct evidence_options o = {.ports = ports,
				     .port_count = g->setup.port_count,
				     .ring_bytes = EVIDENCE_RING,
				     .queue_bytes = EVIDENCE_QUEUE};
	struct evidence *e;

	if (!g->setup.evidence)
		return NULL;
	list_ports(g, ports);
	e = evidence_new(&o);
	if (!e)
		fatal("no memory for evidence");
	return e;
}

/* The kernel lets go of a dead guard's queues a moment after its death. */
static struct capture *open_capture(const struct guard *g)
{
	const struct setup_guard *s = &g->setup;
	struct capture_port ports[SETUP_PORTS_MAX];
	struct timespec nap = {.tv_nsec = (long)NSEC_PER_MSEC};
	const struct capture_memory *memory = lender_memory(g->lender);
	struct capture *c = NULL;

	list_ports(g, ports);
	for (int ms = 0; ms < OPEN_PATIENCE; ms++) {
		c = s->capture == SETUP_XDP
			    ? capture_xdp_open(ports, s->port_count, s->queue, s->bpf_dir, memory)
			    : capture_packet_open(ports, s->port_count, memory);
		if (c || errno != EBUSY)
			break;
		nanosleep(&nap, NULL);
	}
	return c;
}

static int on_sample(void *arg, void *data, size_t len)
{
	struct guard *g = arg;
	const struct gate_sample *s = data;

	if (len >= sizeof(*s) && s->captured <= GATE_SAMPLE_BYTES)
		engine_blocked(g->engine, s, s->time_ns + g->wall_minus_mono);
	return 0;
}

/* What the kernel's floor refused, to be named here: one guard does that for all. */
static struct ring_buffer *open_samples(struct guard *g)
{
	struct ring_buffer *rb;
	char path[SETUP_PATH + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/samples", g->setup.bpf_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fatal("%s: %s; was the floor loaded by this version?", path, strerror(errno));
	rb = ring_buffer__new(fd, on_sample, g, NULL);
	if (!rb)
		fatal("%s: %s", path, strerror(errno));
	return rb; /* which goes on using the descriptor */
}

static void wait_for_setup(struct guard *g)
{
	struct pollfd p = {.fd = g->parent, .events = POLLIN};

	while (!g->have_setup || !g->policy.policy) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			fatal("waiting for instructions: %s", strerror(errno));
		guard_hear_parent(g);
		if (g->stopping)
			exit(0);
	}
}

/* A ward is guarded as well without knowing who made what. */
static void learn_makers(struct guard *g, struct inventory_options *ret_o)
{
	if (known_load(g->setup.config_file, g->setup.profiles_dir, &g->known) < 0)
		fatal("no memory for what machines are recognised by");
	if (!g->known.makers && g->setup.number == 0)
		log_info("/usr/share/ieee-data holds no registry: makers are not named");
	ret_o->oui = g->known.oui;
	ret_o->profiles = g->known.rows;
	ret_o->profile_count = g->known.profile_count;
}

void guard_prepare(struct guard *g)
{
	struct engine_options o = {.inline_ = true,
				   .timeouts = flow_default_timeouts,
				   .inventory = {.machines = MACHINES, .quiet_ms = MACHINES_QUIET},
				   .flow_events = FLOW_EVENTS,
				   .sink = outbox_put,
				   .sink_arg = &g->events,
				   .block = guard_block,
				   .block_arg = g,
				   .announce = guard_announce,
				   .announce_arg = g,
				   .seal = {lender_up, lender_seal, lender_seal_own}};

	if (outbox_init(&g->events, EVENTS_WAITING) || outbox_init(&g->flows, FLOWS_WAITING))
		fatal("no memory for events");
	g->lender = lender_new();
	if (!g->lender)
		fatal("no memory");
	wait_for_setup(g);
	o.seal.arg = g->lender;
	learn_makers(g, &o.inventory);
	o.max_flows = g->setup.max_flows;
	o.max_fragments = g->setup.max_fragments;
	o.stream_bytes = (size_t)g->setup.streams_mb << 20;
	o.vitals_streams = g->setup.vitals;
	memcpy(&o.agents, g->setup.agents, sizeof(o.agents));
	o.agents_port = g->setup.agents_port;
	if (g->setup.bypass && g->setup.capture == SETUP_XDP) {
		o.bypass = guard_bypass;
		o.bypass_arg = g;
	}
	o.evidence = g->evidence = open_evidence(g);
	o.archive = g->archive = archive_new(ARCHIVE_QUEUE);
	if (!g->archive)
		fatal("no memory for what is archived");
	g->engine = engine_new(g->policy.policy, &o);
	if (!g->engine)
		fatal("no memory for %u conversations", o.max_flows);
	if (g->grants_told)
		engine_set_grants(g->engine, NULL, g->grants, g->grant_count, clock_boot_ns());
	if (g->setup.capture == SETUP_XDP && g->setup.queue == 0)
		g->samples = open_samples(g);
	g->wall_minus_mono = clock_wall_ns() - clock_mono_ns();
	g->capture = open_capture(g);
	if (!g->capture)
		fatal("queue %u of the ports could not be opened: %s", g->setup.queue,
		      strerror(errno));
	if (!g->capture->ops->succeeds || !g->capture->ops->succeeds(g->capture))
		engine_begin_alone(g->engine);
	if (g->capture->ops->is_unsettled && g->capture->ops->is_unsettled(g->capture))
		g->settle_ns = clock_mono_ns() + SETTLE_MOST_NS;
	if (lender_start(g->lender, g->capture, g->engine, g->setup.stale_ms))
		log_error("no memory for the link");
	coalesce_init(&g->all, GATHER_US);
	coalesce_init(&g->sealed, g->setup.coalesce_us);
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); /* or a nap takes 50 us more */
	lock_in(SETUP_USER, false, calls, sizeof(calls) / sizeof(*calls));
	ipc_send(g->parent, IPC_READY, 0, (struct bytes){0}, -1);
	guard_say_generation(g);
}
