#include "role/gateway.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/share.h"
#include "guard/capture/capture.h"
#include "guard/capture/gate.h"
#include "seal/link/link.h"

bool sealing_wanted(const struct gateway *g)
{
	return g->site.config->peers_count > 0;
}

static void put_down(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = 0;
}

/* The kernel's own table, or one beside it. */
static int links_of(struct gateway *g)
{
	int fd;

	if (g->gate)
		return gate_fd(g->gate, GATE_MAP_LINKS);
	if (g->links > 0)
		return g->links;
	fd = share_make("links", (GATE_LINKS + 1) * sizeof(struct gate_link));
	return fd < 0 ? -1 : (g->links = fd);
}

static void send_numbered(struct member *m, enum ipc_type type, uint32_t number, int fd)
{
	member_send(m, type, 0, (struct bytes){(const uint8_t *)&number, sizeof(number)}, fd);
}

/* The last link is dead, and the next has not begun: nothing that one left is to be believed. */
static void clear_links(int links)
{
	size_t size = (GATE_LINKS + 1) * sizeof(struct gate_link);
	struct gate_link *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, links, 0);

	if (at == MAP_FAILED)
		return;
	for (unsigned i = GATE_LINKS + 1; i-- > 0;) {
		__atomic_store_n(&at[i].beat_ns, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&at[i].owner, 0, __ATOMIC_RELEASE);
	}
	munmap(at, size);
}

/* New queues for the two. Whoever dies meanwhile is told of anew when started again. */
static void pair(struct gateway *g, struct member *guard, struct member *link)
{
	uint32_t number = guard->child.number;
	int queues, wakes;

	if (guard->frames <= 0 || !link || guard->child.sock < 0 || link->child.sock < 0)
		return; /* whoever starts later pairs them */
	queues = share_make_queues();
	wakes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queues >= 0 && wakes >= 0 && g->link_wake > 0) {
		send_numbered(link, IPC_FRAMES, number, guard->frames);
		send_numbered(link, IPC_WAKE, 0, g->link_wake);
		send_numbered(link, IPC_WAKE, number | IPC_WAKE_GUARD, wakes);
		send_numbered(link, IPC_QUEUES, number, queues);
		send_numbered(guard, IPC_WAKE, number, g->link_wake);
		send_numbered(guard, IPC_WAKE, number | IPC_WAKE_GUARD, wakes);
		send_numbered(guard, IPC_QUEUES, number, queues);
	} else {
		log_error("guard %u and link: no memory to share", number);
	}
	if (queues >= 0)
		close(queues);
	if (wakes >= 0)
		close(wakes);
}

void sealing_guard(struct gateway *g, struct member *guard)
{
	int links = links_of(g);

	put_down(&guard->frames);
	if (!guard->setup.chunks || links < 0)
		return;
	guard->frames = share_make_memory(guard->setup.chunks);
	if (guard->frames < 0) {
		log_error("guard %u: no memory to share with the link: %s", guard->child.number,
			  strerror(-guard->frames));
		return;
	}
	member_send(guard, IPC_LINKS, 0, (struct bytes){0}, links);
	send_numbered(guard, IPC_FRAMES, guard->child.number, guard->frames);
	pair(g, guard, member_link(g));
}

/* We keep it and never look into it. */
static void send_estate(struct gateway *g, struct member *link)
{
	if (g->estate <= 0)
		g->estate = share_make("keys", links_estate_size());
	if (g->estate > 0)
		member_send(link, IPC_ESTATE, 0, (struct bytes){0}, g->estate);
	else
		log_error("the link's keys cannot outlive it: %s", strerror(-g->estate));
}

void sealing_link(struct gateway *g, struct member *link)
{
	int links = links_of(g);

	g->link_shares = true;
	memset(&g->peers, 0, sizeof(g->peers));
	put_down(&g->link_wake);
	g->link_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (links < 0 || g->link_wake < 0)
		return;
	clear_links(links);
	member_send(link, IPC_LINKS, 0, (struct bytes){0}, links);
	send_estate(g, link);
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == ROLE_GUARD)
			pair(g, &g->members[i], link);
}

void sealing_close(struct gateway *g)
{
	for (unsigned i = 0; i < g->member_count; i++)
		put_down(&g->members[i].frames);
	put_down(&g->links);
	put_down(&g->link_wake);
	put_down(&g->estate);
}
