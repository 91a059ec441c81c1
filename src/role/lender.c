#include "role/lender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "guard/engine.h"

#define LINK_PATIENCE 5 /* as bpf/gate_ways.h has it */
#define LINKS_BYTES   ((GATE_LINKS + 1) * sizeof(struct gate_link))

struct lender {
	uint64_t stale_ns;
	const struct gate_link *links; /* NULL: not told yet */
	struct capture_memory memory;
	struct capture *capture;
	struct engine *engine;
	struct loan *loan;
	int wake[2];   /* the link's, ours: until the queues come */
	int queues;    /* until there is a capture */
	uint64_t said; /* of distrust */
	uint64_t lent; /* frames, when last asked */
};

struct lender *lender_new(void)
{
	struct lender *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->wake[0] = l->wake[1] = l->queues = -1;
	return l;
}

static void put_down(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What a dead link did not begin with goes by each device's fail mode. */
static void end(struct lender *l)
{
	struct gate_verdict v;
	struct frame f;

	loan_end(l->loan);
	while (loan_left(l->loan, &f, &v))
		engine_left(l->engine, l->capture, &f, &v);
	l->capture->ops->flush(l->capture);
}

static int pair(struct lender *l)
{
	int queues = l->queues, link = l->wake[0], us = l->wake[1];

	if (queues < 0 || link < 0 || us < 0)
		return -EBADMSG;
	l->queues = l->wake[0] = l->wake[1] = -1;
	end(l);
	return loan_pair(l->loan, queues, link, us);
}

static int take_links(struct lender *l, int fd)
{
	void *at = mmap(NULL, LINKS_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if (l->links)
		munmap((void *)(uintptr_t)l->links, LINKS_BYTES);
	l->links = at;
	return 0;
}

static int keep(int *to, struct ipc_message *m)
{
	put_down(to);
	*to = m->fd;
	m->fd = -1;
	return 0;
}

int lender_take(struct lender *l, struct ipc_message *m)
{
	uint32_t which = 0;

	if (m->type == IPC_LINKS)
		return take_links(l, m->fd);
	if (!ipc_u32(m, &which))
		return -EBADMSG;
	switch (m->type) {
	case IPC_FRAMES: /* once: what is received lies in it */
		return l->memory.at ? -EBADMSG
				    : share_map_memory(m->fd, &l->memory.at, &l->memory.chunks);
	case IPC_WAKE:
		return keep(&l->wake[(which & IPC_WAKE_GUARD) != 0], m);
	case IPC_QUEUES:
		keep(&l->queues, m);
		return l->loan ? pair(l) : 0;
	default:
		return -EBADMSG;
	}
}

const struct capture_memory *lender_memory(const struct lender *l)
{
	return l->memory.at ? &l->memory : NULL;
}

int lender_start(struct lender *l, struct capture *c, struct engine *e, uint32_t stale_ms)
{
	if (!l->memory.at)
		return 0;
	l->stale_ns = LINK_PATIENCE * stale_ms * NSEC_PER_MSEC;
	l->capture = c;
	l->engine = e;
	l->loan = loan_new(c, l->memory.chunks);
	if (!l->loan)
		return -ENOMEM;
	return l->queues >= 0 ? pair(l) : 0;
}

static bool died(const struct lender *l)
{
	return __atomic_load_n(&l->links[0].owner, __ATOMIC_ACQUIRE) & GATE_OWNER_DIED;
}

bool lender_up(void *arg, uint8_t link)
{
	const struct lender *l = arg;

	return link && link <= GATE_LINKS && l->links && l->loan && loan_paired(l->loan) &&
	       gate_link_up(&l->links[0], &l->links[link], clock_mono_ns(), l->stale_ns);
}

bool lender_carries(struct lender *l)
{
	for (unsigned i = 1; i <= GATE_LINKS; i++)
		if (lender_up(l, (uint8_t)i))
			return true;
	return false;
}

int lender_seal(void *arg, const struct frame *f, const struct gate_verdict *v)
{
	struct lender *l = arg;

	return lender_up(l, v->link) ? loan_seal(l->loan, f, v) : -ENOTCONN;
}

int lender_seal_own(void *arg, struct bytes frame, const struct gate_verdict *v)
{
	struct lender *l = arg;

	return lender_up(l, v->link) ? loan_seal_copy(l->loan, frame, v) : -ENOTCONN;
}

unsigned lender_receive(struct lender *l, struct frame *ret_frames, unsigned max)
{
	return l->loan ? loan_receive(l->loan, ret_frames, max, clock_wall_ns()) : 0;
}

uint64_t lender_lent(struct lender *l)
{
	struct loan_counts n;
	uint64_t before = l->lent;

	if (!l->loan)
		return 0;
	loan_counts(l->loan, &n);
	l->lent = n.sealed;
	return n.sealed - before;
}

void lender_flush(struct lender *l)
{
	struct loan_counts n;

	if (!l->loan || !loan_paired(l->loan))
		return;
	if (l->links && died(l)) {
		end(l);
		return;
	}
	loan_flush(l->loan);
	if (loan_paired(l->loan))
		return;
	loan_counts(l->loan, &n);
	if (n.distrusted != l->said)
		log_error("the link says of frames what cannot be; it is not heard until it is "
			  "started anew");
	l->said = n.distrusted;
	end(l);
}

int lender_fd(const struct lender *l)
{
	return l->loan ? loan_fd(l->loan) : -1;
}

bool lender_sleep(struct lender *l)
{
	return !l->loan || loan_sleep(l->loan);
}

void lender_wake(struct lender *l)
{
	if (l->loan)
		loan_wake(l->loan);
}
