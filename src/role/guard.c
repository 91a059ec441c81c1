#include "role/guard.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/coalesce.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "guard/archive.h"
#include "guard/engine.h"
#include "guard/evidence.h"
#include "role/child.h"
#include "role/known.h"
#include "role/lender.h"
#include "role/outbox.h"
#include "role/setup.h"

#define BURST		64
#define TICK_NS		(100 * NSEC_PER_MSEC)
#define COUNTS_NS	(500 * NSEC_PER_MSEC)
#define CONDUCT_NS	(2 * NSEC_PER_SEC)
#define EVENTS_WAITING	(4u << 20) /* bytes of events, while the keeper is away or slow */
#define MACHINES	4096	   /* in the inventory, and */
#define MACHINES_QUIET	30000	   /* ms between two events about one */
#define FLOW_EVENTS	1024	   /* of one source, at once */
#define FLOWS_TOLD	8192	   /* most conversations that one question is answered by */
#define FLOWS_WAITING	(8u << 20)
#define OPEN_PATIENCE	2000 /* ms for an earlier guard's sockets to go away */
#define CAPTURE_FDS_MAX (SETUP_PORTS_MAX + 2)
#define TIMER_SLACK_NS	1000ul
#define GATHER_US	40 /* at most, for frames that come fast to come together */
#define DRAIN_QUIET_NS	(5 * NSEC_PER_MSEC)
#define DRAIN_MOST_NS	(500 * NSEC_PER_MSEC)
#define EVIDENCE_RING	(4u << 20)  /* bytes of frames that may become evidence, */
#define EVIDENCE_QUEUE	(4u << 20)  /* and of those that have and wait for the keeper */
#define EVIDENCE_BATCH	32768	    /* as an outbox sends */
#define ARCHIVE_QUEUE	(16u << 20) /* bytes of what is archived, until the keeper takes them */
#define SETTLE_NS	(2 * NSEC_PER_MSEC)
#define SETTLE_MOST_NS	(2 * NSEC_PER_SEC) /* the floor keeps frames for GATE_HOLD_NS in all */
#define KEEPER_PAUSE	(NSEC_PER_MSEC)	   /* for a keeper whose socket is full to read from it */

enum { FROM_PARENT, FROM_KEEPER };

/* Who may say what to a guard. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_SETUP},    {FROM_PARENT, IPC_POLICY},
	{FROM_PARENT, IPC_PEER},   /* the keeper's end */
	{FROM_PARENT, IPC_GRANTS}, /* doors that are open */
	{FROM_PARENT, IPC_STOP},     {FROM_KEEPER, IPC_FLOWS},
	{FROM_PARENT, IPC_LINKS},    {FROM_PARENT, IPC_FRAMES},
	{FROM_PARENT, IPC_WAKE},     {FROM_PARENT, IPC_QUEUES}, /* the sealed link's memory */
	{FROM_PARENT, IPC_BYPASSED},				/* an answer */
};

/* Besides what every role lives on: the counters of its sockets, the seals of memory that is
 * shared, and to leave nothing behind when it goes in order. */
static const char *const calls[] = {"fcntl", "getsockopt", "set_robust_list"};

struct block { /* a policy as it was handed over */
	void *map;
	size_t len;
	const struct policy *policy;
};

struct guard {
	unsigned number;
	struct setup_guard setup;
	bool have_setup, stopping;
	bool heir; /* another gateway's guard and link go on where ours end */
	struct block policy;
	int parent, keeper;
	struct gate_grant_row grants[GATE_GRANTS]; /* what came before there was an engine */
	uint32_t grant_count;
	struct known known; /* the inventory borrows from it */
	struct engine *engine;
	struct capture *capture;
	struct ring_buffer *samples;
	struct outbox events, flows;
	struct evidence *evidence; /* NULL: off */
	struct archive *archive;
	struct lender *lender;
	struct coalesce all;	/* frames, */
	struct coalesce sealed; /* and of them those that are */
	bool keeper_full;	/* its socket takes no more, and is not tried again */
	uint64_t keeper_ns;	/* before then, however much waits */
	uint32_t flows_id;	/* of the question that `flows` answers */
	bool flows_due;
	uint64_t tick_ns, counts_ns;
	uint64_t settle_ns; /* what waits for the link goes then at the latest; 0: nothing waits */
	uint64_t patients_ns; /* wall clock: what was seen until then was told */
	uint64_t conduct_ns;  /* the same */
	uint64_t wall_minus_mono;
	uint8_t buf[IPC_BUF];
};

/* ---- what the parent says ---- */

static void block_close(struct block *b)
{
	if (b->map)
		munmap(b->map, b->len);
	*b = (struct block){0};
}

static int block_open(int fd, struct block *ret_b)
{
	struct block b = {0};
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0)
		return -EBADMSG;
	b.len = (size_t)st.st_size;
	b.map = mmap(NULL, b.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (b.map == MAP_FAILED)
		return -errno;
	b.policy = policy_open((struct bytes){b.map, b.len});
	if (!b.policy) {
		block_close(&b);
		return -EBADMSG;
	}
	*ret_b = b;
	return 0;
}

static void say_generation(struct guard *g)
{
	uint32_t generation = policy_generation(g->policy.policy);

	ipc_send(g->parent, IPC_POLICY_TAKEN, 0,
		 (struct bytes){(const uint8_t *)&generation, sizeof(generation)}, -1);
}

/* Between two bursts: no packet is judged by half of one and half of the other. */
static int take_policy(struct guard *g, int fd)
{
	struct block b;
	int r = block_open(fd, &b);

	if (r)
		return r;
	r = g->engine ? engine_set_policy(g->engine, b.policy) : 0;
	if (r) {
		block_close(&b);
		return r;
	}
	block_close(&g->policy);
	g->policy = b;
	if (g->engine)
		say_generation(g);
	return 0;
}

static int take_grants(struct guard *g, const struct ipc_message *m)
{
	if (m->body.len % sizeof(*g->grants) || m->body.len > sizeof(g->grants))
		return -EBADMSG;
	if (m->body.len)
		memcpy(g->grants, m->body.data, m->body.len);
	g->grant_count = (uint32_t)(m->body.len / sizeof(*g->grants));
	if (!g->engine)
		return 0;
	engine_set_grants(g->engine, g->capture, g->grants, g->grant_count, clock_boot_ns());
	if (g->capture)
		g->capture->ops->flush(g->capture);
	return 0;
}

static int take_peer(struct guard *g, int fd)
{
	if (g->keeper >= 0)
		close(g->keeper);
	if (g->archive)
		archive_interrupt(g->archive);
	g->keeper = fd;
	g->keeper_full = false;
	return 0;
}

/* Of the sealed link: what cannot be used leaves the guard without one, and each device's fail
 * mode decides. */
static int take_lent(struct guard *g, struct ipc_message *m)
{
	int r = lender_take(g->lender, m);

	if (r && r != -EBADMSG)
		log_error("memory shared with the link cannot be used: %s", strerror(-r));
	return r == -EBADMSG ? r : 0;
}

static int take_bypassed(struct guard *g, const struct ipc_message *m)
{
	struct setup_bypassed b;

	if (!setup_take(m, &b, sizeof(b)))
		return -EBADMSG;
	if (g->engine)
		engine_bypassed(g->engine, &b.key, b.passes != 0, b.passed,
				b.seen_ns ? (uint64_t)((int64_t)b.seen_ns + g->wall_minus_mono)
					  : 0);
	return 0;
}

static int take_from_parent(struct guard *g, struct ipc_message *m)
{
	uint32_t heir;
	int r = 0;

	switch (m->type) {
	case IPC_SETUP:
		if (g->have_setup || !setup_take(m, &g->setup, sizeof(g->setup)) ||
		    g->setup.port_count > SETUP_PORTS_MAX)
			return -EBADMSG;
		g->have_setup = true;
		break;
	case IPC_POLICY:
		r = take_policy(g, m->fd);
		if (r)
			log_error("a policy could not be taken: %s", strerror(-r));
		r = 0; /* the old one stays; the parent sees that by the generation */
		break;
	case IPC_GRANTS:
		return take_grants(g, m);
	case IPC_PEER:
		r = take_peer(g, m->fd);
		m->fd = -1;
		break;
	case IPC_BYPASSED:
		return take_bypassed(g, m);
	case IPC_LINKS:
	case IPC_FRAMES:
	case IPC_WAKE:
	case IPC_QUEUES:
		return take_lent(g, m);
	default:
		g->heir = ipc_u32(m, &heir) && heir;
		g->stopping = true;
	}
	return r;
}

/* What waits on a socket. 0; or -errno: it is of no more use. */
static int read_messages(struct guard *g, int sock, int from,
			 int (*take)(struct guard *, struct ipc_message *))
{
	struct ipc_message m;
	int r;

	while ((r = ipc_hear(sock, g->buf, rights, sizeof(rights) / sizeof(*rights), from, &m)) ==
	       0) {
		r = take(g, &m);
		if (m.fd >= 0)
			close(m.fd);
		if (r)
			return r;
	}
	return r == -EAGAIN ? 0 : r;
}

static void hear_parent(struct guard *g)
{
	int r = read_messages(g, g->parent, FROM_PARENT, take_from_parent);

	if (r == -EBADMSG)
		fatal("the parent said what it may not");
	if (r)
		exit(0); /* it is gone, and a guard does not outlive it */
}

/* ---- what the keeper asks ---- */

static int take_from_keeper(struct guard *g, struct ipc_message *m)
{
	if (g->flows_due)
		return 0; /* one question at a time: the asker gives up on its own */
	g->flows_due = true;
	g->flows_id = m->id;
	engine_tell_flows(g->engine, FLOWS_TOLD, outbox_put, &g->flows);
	return 0;
}

static void lose_keeper(struct guard *g)
{
	close(g->keeper);
	g->keeper = -1;
	g->keeper_full = false;
	archive_interrupt(g->archive); /* the next one knows of nothing that was begun */
	g->flows.first = g->flows.end = 0;
	g->flows_due = false;
}

static int send_evidence(struct guard *g)
{
	struct bytes batch;
	int r;

	while (g->evidence && (batch = evidence_waiting(g->evidence, EVIDENCE_BATCH)).len) {
		r = ipc_send(g->keeper, IPC_EVIDENCE, 0, batch, -1);
		if (r)
			return r;
		evidence_sent(g->evidence, batch.len);
	}
	return 0;
}

static int send_archive(struct guard *g)
{
	struct bytes batch;
	int r = 0;

	while (r == 0 && (batch = archive_waiting(g->archive, IPC_BODY_MAX)).len) {
		r = ipc_send(g->keeper, IPC_ARCHIVE, 0, batch, -1);
		if (r == 0)
			archive_sent(g->archive, batch.len);
	}
	return r;
}

static void talk_to_keeper(struct guard *g)
{
	int r;

	if (g->keeper < 0)
		return;
	r = read_messages(g, g->keeper, FROM_KEEPER, take_from_keeper);
	if (r) {
		lose_keeper(g);
		return;
	}
	r = outbox_flush(&g->events, g->keeper);
	if (r == 0 && g->flows_due)
		r = outbox_flush_as(&g->flows, g->keeper, IPC_FLOWS, g->flows_id);
	if (r == 0 && g->flows_due) {
		r = ipc_send(g->keeper, IPC_FLOWS, g->flows_id, (struct bytes){0}, -1);
		g->flows_due = r != 0;
	}
	if (r == 0)
		r = send_evidence(g);
	if (r == 0)
		r = send_archive(g);
	g->keeper_full = r == -EAGAIN;
	if (g->keeper_full)
		g->keeper_ns = clock_mono_ns() + KEEPER_PAUSE;
	else if (r)
		lose_keeper(g);
}

/* ---- packets ---- */

static int on_sample(void *arg, void *data, size_t len)
{
	struct guard *g = arg;
	const struct gate_sample *s = data;

	if (len >= sizeof(*s) && s->captured <= GATE_SAMPLE_BYTES)
		engine_blocked(g->engine, s, s->time_ns + g->wall_minus_mono);
	return 0;
}

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

static void say_counts(struct guard *g)
{
	struct evidence_counts evidence = {0};
	struct archive_counts archive;
	struct capture_counts n;
	struct engine_stats s;
	struct setup_counts c;

	g->capture->ops->counts(g->capture, &n);
	engine_stats(g->engine, &s);
	if (g->evidence)
		evidence_counts(g->evidence, &evidence);
	archive_counts(g->archive, &archive);
	c = (struct setup_counts){.received = n.received,
				  .forwarded = n.forwarded,
				  .dropped = n.dropped,
				  .lost_receive = n.lost_receive,
				  .lost_send = n.lost_send,
				  .would_drop = s.would_drop,
				  .events = g->events.lines,
				  .events_lost = g->events.lost,
				  .evidence_lost = evidence.lost,
				  .archive_lost = archive.lost,
				  .flows_untold = s.flows_untold,
				  .flows = flow_count(engine_flows(g->engine))};
	ipc_send(g->parent, IPC_COUNTS, 0, (struct bytes){(const uint8_t *)&c, sizeof(c)}, -1);
}

/* Patients as they are gathered for the keeper. */
struct patients_told {
	const struct guard *guard;
	uint32_t generation, count;
	struct setup_patient rows[256];
};

static void flush_patients(struct patients_told *t)
{
	if (t->count)
		ipc_send(t->guard->keeper, IPC_PATIENTS, 0,
			 (struct bytes){(const uint8_t *)t->rows, t->count * sizeof(t->rows[0])},
			 -1);
	t->count = 0;
}

static void tell_patient(void *arg, uint32_t device, uint64_t wall_ns)
{
	struct patients_told *t = arg;

	t->rows[t->count++] = (struct setup_patient){device, t->generation, wall_ns};
	if (t->count == sizeof(t->rows) / sizeof(t->rows[0]))
		flush_patients(t);
}

/* What does not arrive is said again with the next vital sign. */
static void say_patients(struct guard *g, uint64_t wall)
{
	struct patients_told t = {.guard = g};

	if (g->keeper < 0)
		return;
	if (wall < g->patients_ns)
		g->patients_ns = 0; /* the clock was set back: all of them, once more */
	t.generation = policy_generation(g->policy.policy);
	engine_patients(g->engine, g->patients_ns, tell_patient, &t);
	flush_patients(&t);
	g->patients_ns = wall;
}

/* The same of their conduct. */
struct conduct_told {
	const struct guard *guard;
	uint32_t generation, count;
	struct setup_conduct rows[256];
};

static void flush_conduct(struct conduct_told *t)
{
	if (t->count)
		ipc_send(t->guard->keeper, IPC_CONDUCT, 0,
			 (struct bytes){(const uint8_t *)t->rows, t->count * sizeof(t->rows[0])},
			 -1);
	t->count = 0;
}

static void tell_conduct(void *arg, uint32_t device, uint64_t talked_ns, uint64_t misbehaved_ns)
{
	struct conduct_told *t = arg;

	t->rows[t->count++] =
		(struct setup_conduct){device, t->generation, talked_ns, misbehaved_ns};
	if (t->count == sizeof(t->rows) / sizeof(t->rows[0]))
		flush_conduct(t);
}

static void say_conduct(struct guard *g, uint64_t wall)
{
	struct conduct_told t = {.guard = g};

	if (g->keeper < 0 || (wall - g->conduct_ns < CONDUCT_NS && wall >= g->conduct_ns))
		return;
	if (wall < g->conduct_ns)
		g->conduct_ns = 0;
	t.generation = policy_generation(g->policy.policy);
	engine_conduct(g->engine, g->conduct_ns, tell_conduct, &t);
	flush_conduct(&t);
	g->conduct_ns = wall;
}

/* What is to be done by the clock, or because somebody other than a port spoke. */
static void housekeeping(struct guard *g, uint64_t now)
{
	uint64_t wall = clock_wall_ns();

	g->wall_minus_mono = wall - now;
	hear_parent(g);
	if (g->samples)
		ring_buffer__consume(g->samples);
	if (now >= g->tick_ns) {
		g->tick_ns = now + TICK_NS;
		engine_boot(g->engine, clock_boot_ns());
		engine_tick(g->engine, g->capture, wall);
		g->capture->ops->flush(g->capture);
	}
	lender_flush(g->lender);
	talk_to_keeper(g);
	if (now >= g->counts_ns) {
		g->counts_ns = now + COUNTS_NS;
		say_counts(g);
		say_patients(g, wall);
		say_conduct(g, wall);
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
	say_counts(g); /* the conversations it counts are about to end */
	engine_finish(g->engine, g->capture);
	g->capture->ops->flush(g->capture);
	for (int i = 0; i < 100 && g->keeper >= 0 &&
			(outbox_flush(&g->events, g->keeper) == -EAGAIN ||
			 send_evidence(g) == -EAGAIN || send_archive(g) == -EAGAIN);
	     i++)
		nanosleep(&nap, NULL);
	g->capture->ops->close(g->capture);
}

/* ---- start ---- */

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
		hear_parent(g);
		if (g->stopping)
			exit(0);
	}
}

static void lock_in(void)
{
	int r = sandbox_drop(SETUP_USER);

	if (r)
		fatal("could not give up its rights: %s", strerror(-r));
	r = sandbox_files(NULL, 0);
	if (r && r != -ENOSYS && r != -EOPNOTSUPP)
		fatal("could not give up the file system: %s", strerror(-r));
	r = sandbox_network();
	if (r && r != -ENOSYS && r != -EOPNOTSUPP)
		fatal("could not give up the network: %s", strerror(-r));
	r = sandbox_calls(calls, sizeof(calls) / sizeof(*calls));
	if (r)
		fatal("could not give up system calls: %s", strerror(-r));
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

/* The parent has the rights to. Where its socket is full, the resets have to do. */
static void block(void *arg, const struct gate_flow_key *key, enum reason why, uint64_t for_ns)
{
	struct guard *g = arg;
	struct setup_block b;

	memset(&b, 0, sizeof(b));
	b.key = *key;
	b.reason = why;
	b.for_ns = for_ns;
	ipc_send(g->parent, IPC_BLOCK, 0, (struct bytes){(const uint8_t *)&b, sizeof(b)}, -1);
}

/* So it has to. Where its socket is full, the next try has to do. */
static int announce(void *arg, const struct gate_grant_row *row, enum engine_door what, uint64_t by,
		    uint16_t other_port)
{
	struct guard *g = arg;
	struct setup_announced a;

	memset(&a, 0, sizeof(a));
	a.key = row->key;
	a.grant = row->grant.id;
	a.what = what;
	a.by = by;
	a.other_port = other_port;
	return ipc_send(g->parent, IPC_ANNOUNCED, 0, (struct bytes){(const uint8_t *)&a, sizeof(a)},
			-1);
}

static int bypass(void *arg, const struct gate_flow_key *key, uint64_t for_ns)
{
	struct guard *g = arg;
	struct setup_bypass b;

	memset(&b, 0, sizeof(b));
	b.key = *key;
	b.for_ns = for_ns;
	return ipc_send(g->parent, IPC_BYPASS, 0, (struct bytes){(const uint8_t *)&b, sizeof(b)},
			-1);
}

static void prepare(struct guard *g)
{
	struct engine_options o = {.inline_ = true,
				   .timeouts = flow_default_timeouts,
				   .inventory = {.machines = MACHINES, .quiet_ms = MACHINES_QUIET},
				   .flow_events = FLOW_EVENTS,
				   .sink = outbox_put,
				   .sink_arg = &g->events,
				   .block = block,
				   .block_arg = g,
				   .announce = announce,
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
		o.bypass = bypass;
		o.bypass_arg = g;
	}
	o.evidence = g->evidence = open_evidence(g);
	o.archive = g->archive = archive_new(ARCHIVE_QUEUE);
	if (!g->archive)
		fatal("no memory for what is archived");
	g->engine = engine_new(g->policy.policy, &o);
	if (!g->engine)
		fatal("no memory for %u conversations", o.max_flows);
	engine_set_grants(g->engine, NULL, g->grants, g->grant_count, clock_boot_ns());
	if (g->setup.capture == SETUP_XDP && g->setup.queue == 0)
		g->samples = open_samples(g);
	g->wall_minus_mono = clock_wall_ns() - clock_mono_ns();
	g->capture = open_capture(g);
	if (!g->capture)
		fatal("queue %u of the ports could not be opened: %s", g->setup.queue,
		      strerror(errno));
	if (g->capture->ops->is_unsettled && g->capture->ops->is_unsettled(g->capture))
		g->settle_ns = clock_mono_ns() + SETTLE_MOST_NS;
	if (lender_start(g->lender, g->capture, g->engine, g->setup.stale_ms))
		log_error("no memory for the link");
	coalesce_init(&g->all, GATHER_US);
	coalesce_init(&g->sealed, g->setup.coalesce_us);
	(void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); /* or a nap takes 50 us more */
	lock_in();
	ipc_send(g->parent, IPC_READY, 0, (struct bytes){0}, -1);
	say_generation(g);
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
	prepare(&g);
	run(&g);
	finish(&g);
	return 0;
}
