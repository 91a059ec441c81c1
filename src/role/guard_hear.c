#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "role/guard_internal.h"

#define FLOWS_TOLD     8192	       /* most conversations that one question is answered by */
#define EVIDENCE_BATCH 32768	       /* as an outbox sends */
#define KEEPER_PAUSE   (NSEC_PER_MSEC) /* for a keeper whose socket is full to read from it */

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

/* --- what the parent says -------------------------------------------------------------------- */

static void unmap_policy(struct guard_policy *p)
{
	if (p->map)
		munmap(p->map, p->len);
	*p = (struct guard_policy){0};
}

static int map_policy(int fd, struct guard_policy *ret_p)
{
	struct guard_policy p = {0};
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0)
		return -EBADMSG;
	p.len = (size_t)st.st_size;
	p.map = mmap(NULL, p.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p.map == MAP_FAILED)
		return -errno;
	p.policy = policy_open((struct bytes){p.map, p.len});
	if (!p.policy) {
		unmap_policy(&p);
		return -EBADMSG;
	}
	*ret_p = p;
	return 0;
}

/* Between two bursts: no packet is judged by half of one and half of the other. */
static int take_policy(struct guard *g, int fd)
{
	struct guard_policy b;
	int r = map_policy(fd, &b);

	if (r)
		return r;
	r = g->engine ? engine_set_policy(g->engine, b.policy) : 0;
	if (r) {
		unmap_policy(&b);
		return r;
	}
	unmap_policy(&g->policy);
	g->policy = b;
	if (g->engine)
		guard_say_generation(g);
	return 0;
}

static int take_grants(struct guard *g, const struct ipc_message *m)
{
	if (m->body.len % sizeof(*g->grants) || m->body.len > sizeof(g->grants))
		return -EBADMSG;
	if (m->body.len)
		memcpy(g->grants, m->body.data, m->body.len);
	g->grant_count = (uint32_t)(m->body.len / sizeof(*g->grants));
	g->grants_told = true;
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
				b.seen_ns ? b.seen_ns + g->wall_minus_mono : 0);
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

void guard_hear_parent(struct guard *g)
{
	int r = read_messages(g, g->parent, FROM_PARENT, take_from_parent);

	if (r == -EBADMSG)
		fatal("the parent said what it may not");
	if (r)
		exit(0); /* it is gone, and a guard does not outlive it */
}

/* --- what the keeper asks -------------------------------------------------------------------- */

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

void guard_talk_to_keeper(struct guard *g)
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

bool guard_flush_keeper(struct guard *g)
{
	return outbox_flush(&g->events, g->keeper) == -EAGAIN || send_evidence(g) == -EAGAIN ||
	       send_archive(g) == -EAGAIN;
}
