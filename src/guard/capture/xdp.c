/*
 * AF_XDP under the floor. One UMEM serves the sockets of all ports, so that a
 * frame received on one is transmitted by another where it lies. A chunk is in
 * exactly one place: free, in a port's fill ring, with the caller, or in a
 * port's TX ring until its completion ring gives it back.
 */
#include "guard/capture/capture.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <xdp/xsk.h>

#include "base/clock.h"
#include "base/share.h"
#include "base/will.h"
#include "guard/capture/checksum.h"
#include "guard/capture/held.h"

#define RING	 2048		   /* entries of every ring; the fill ring is kept full */
#define PER_PORT (2 * RING + 1024) /* fill and TX full, and some with the caller */
#define REFILL	 64
#define CHUNK	 SHARE_CHUNK /* the largest the kernel takes; so it sends up frames of 3500 bytes */
#define HUGE	 ((size_t)2 << 20)
#define HEADROOM 256 /* XDP_PACKET_HEADROOM */

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17: how much one sendto() takes from the ring */
#endif

struct port {
	struct capture_port id;
	struct xsk_socket *xsk;
	int fd;
	struct xsk_ring_cons rx, comp;
	struct xsk_ring_prod tx, fill;
	uint32_t filled;      /* chunks in fill ring and kernel, not yet seen in rx */
	uint32_t queued;      /* in TX, not yet submitted */
	uint32_t outstanding; /* submitted, not yet completed */
};

struct xdp {
	struct capture base;
	struct port *ports;
	unsigned count, next;
	unsigned queue;
	struct pollfd *polls;
	struct xsk_umem *umem;
	uint8_t *area;
	size_t area_size;
	uint64_t chunk, chunks;
	uint64_t *free; /* a stack of chunk addresses */
	uint64_t free_count;
	bool shared;	 /* the area, with the link */
	uint64_t own;	 /* chunks before those for the link to fill */
	uint64_t *inbox; /* a stack of those */
	uint64_t inbox_count;
	struct gate_heart *heart; /* ours among the `hearts` of all queues */
	void *hearts;
	size_t hearts_size;
	int xsks;	    /* the floor's XSKMAP */
	struct held *held;  /* what waited for us, of every queue; NULL: another guard's to read */
	struct held *later; /* the same, until settle() */
	bool unsettled;
	bool succeeds; /* one that went in order */
	uint64_t taken;
	bool retired;
	struct capture_counts counts;
};

static struct xdp *of(const struct capture *c)
{
	return (struct xdp *)(uintptr_t)c;
}

static void give_back(struct xdp *x, uint64_t addr)
{
	addr &= ~(x->chunk - 1);
	if (addr / x->chunk < x->own)
		x->free[x->free_count++] = addr;
	else
		x->inbox[x->inbox_count++] = addr;
}

/*
 * The kernel counts what it gives, the guard what it has finished with; the
 * difference is the backlog the floor judges by. Frames that the kernel counted
 * but could not deliver would make it grow for ever: whoever finds every ring
 * empty sets it right.
 */
static void beat(struct xdp *x)
{
	uint64_t given = __atomic_load_n(&x->heart->given, __ATOMIC_RELAXED);

	if ((int64_t)(x->taken - given) > 0)
		x->taken = given;
	__atomic_store_n(&x->heart->taken, x->taken, __ATOMIC_RELAXED);
	if (!x->retired)
		__atomic_store_n(&x->heart->beat_ns, clock_mono_ns(), __ATOMIC_RELEASE);
}

static void refill(struct xdp *x, struct port *p)
{
	uint64_t want = RING - p->filled;
	uint32_t at;

	if (want > x->free_count)
		want = x->free_count;
	if (want == 0 || (want < REFILL && p->filled > RING / 2))
		return;
	if (xsk_ring_prod__reserve(&p->fill, (uint32_t)want, &at) != want)
		return;
	for (uint64_t i = 0; i < want; i++)
		*xsk_ring_prod__fill_addr(&p->fill, at++) = x->free[--x->free_count];
	xsk_ring_prod__submit(&p->fill, (uint32_t)want);
	p->filled += (uint32_t)want;
	if (xsk_ring_prod__needs_wakeup(&p->fill))
		recvfrom(p->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void reap(struct xdp *x, struct port *p)
{
	uint32_t at, n;

	if (p->outstanding == 0)
		return;
	n = xsk_ring_cons__peek(&p->comp, p->outstanding, &at);
	for (uint32_t i = 0; i < n; i++)
		give_back(x, *xsk_ring_cons__comp_addr(&p->comp, at++));
	xsk_ring_cons__release(&p->comp, n);
	p->outstanding -= n;
}

/* Hands what is queued to the kernel. An old kernel takes 32 a call and says EAGAIN for more. */
static void transmit(struct xdp *x, struct port *p)
{
	if (p->queued) {
		xsk_ring_prod__submit(&p->tx, p->queued);
		p->outstanding += p->queued;
		p->queued = 0;
	}
	for (int calls = 0; p->outstanding && calls < RING / 32; calls++) {
		if (xsk_ring_prod__needs_wakeup(&p->tx) &&
		    sendto(p->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno == EAGAIN) {
			reap(x, p);
			continue;
		}
		break;
	}
	reap(x, p);
}

static void xdp_flush(struct capture *c)
{
	struct xdp *x = of(c);

	for (unsigned i = 0; i < x->count; i++) {
		if (x->ports[i].outstanding || x->ports[i].queued)
			transmit(x, &x->ports[i]);
		refill(x, &x->ports[i]);
	}
	beat(x);
}

static bool pending(const struct xdp *x)
{
	if (x->held && held_peek(x->held))
		return true;
	for (unsigned i = 0; i < x->count; i++)
		if (xsk_cons_nb_avail(&x->ports[i].rx, 1))
			return true;
	return false;
}

static int xdp_wait(struct capture *c, int timeout_ms)
{
	struct xdp *x = of(c);
	uint64_t given = __atomic_load_n(&x->heart->given, __ATOMIC_ACQUIRE);
	int n;

	if (pending(x)) {
		beat(x);
		return 1;
	}
	x->taken = given;
	beat(x);
	if (timeout_ms == 0)
		return 0;
	n = poll(x->polls, x->count + (x->held != NULL), timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	beat(x);
	return pending(x);
}

/*
 * The floor's word lies right in front of the frame. Behind a driver that does
 * not align its frames it is moved, into headroom that nobody else uses.
 */
static const struct gate_verdict *verdict_of(const struct xdp *x, uint8_t *data)
{
	uint8_t *at = data - sizeof(struct gate_verdict);
	size_t chunk_start = (size_t)(data - x->area) & ~(x->chunk - 1);

	if ((size_t)(at - x->area) < chunk_start)
		return NULL;
	if ((uintptr_t)at % _Alignof(struct gate_verdict)) {
		uint8_t *to = (uint8_t *)((uintptr_t)at & ~(uintptr_t)7);

		if ((size_t)(to - x->area) < chunk_start)
			return NULL;
		at = memmove(to, at, sizeof(struct gate_verdict));
	}
	return ((const struct gate_verdict *)at)->abi == GATE_ABI ? (const void *)at : NULL;
}

static unsigned receive_port(struct xdp *x, struct port *p, struct frame *f, unsigned max,
			     uint64_t now)
{
	uint32_t at, n = xsk_ring_cons__peek(&p->rx, max, &at);

	for (uint32_t i = 0; i < n; i++) {
		const struct xdp_desc *d = xsk_ring_cons__rx_desc(&p->rx, at++);
		uint8_t *data = xsk_umem__get_data(x->area, d->addr);

		f[i] = (struct frame){.data = {data, d->len},
				      .time_ns = now,
				      .wire_len = d->len,
				      .ifindex = p->id.ifindex,
				      .link = LINK_ETHERNET,
				      .verdict = verdict_of(x, data),
				      .handle = d->addr};
		checksum_finish(data, d->len);
	}
	if (n) {
		xsk_ring_cons__release(&p->rx, n);
		p->filled -= n;
		refill(x, p);
	}
	return n;
}

/* As if it had come by a ring: the floor's word right in front of the frame. */
static struct frame copy_held(struct xdp *x, const struct gate_held *h, uint64_t age)
{
	uint64_t addr = x->free[--x->free_count] + HEADROOM;
	uint8_t *data = x->area + addr;

	memcpy(data - sizeof(h->verdict), &h->verdict, sizeof(h->verdict));
	memcpy(data, h + 1, h->len);
	checksum_finish(data, h->len);
	return (struct frame){.data = {data, h->len},
			      .time_ns = clock_wall_ns() - age,
			      .wire_len = h->len,
			      .ifindex = h->verdict.ifindex,
			      .link = LINK_ETHERNET,
			      .verdict = verdict_of(x, data),
			      .handle = addr};
}

/* What came while nobody was there, before what came since. */
static unsigned receive_held(struct xdp *x, struct frame *f, unsigned max)
{
	const struct gate_held *h;
	unsigned got = 0;

	while (got < max && x->free_count && (h = held_peek(x->held))) {
		uint64_t now = clock_mono_ns(), age = now > h->time_ns ? now - h->time_ns : 0;

		if (age > GATE_HOLD_NS || h->len > GATE_HELD_MAX)
			x->counts.lost_receive++;
		else
			f[got++] = copy_held(x, h, age);
		held_release(x->held);
	}
	return got;
}

static int xdp_receive(struct capture *c, struct frame *ret_frames, unsigned max)
{
	struct xdp *x = of(c);
	uint64_t now = clock_wall_ns();
	unsigned kept = x->held ? receive_held(x, ret_frames, max) : 0, got = kept;

	/* Another port first every time, so that a flood on one does not starve the rest. */
	for (unsigned i = 0; i < x->count && got < max; i++) {
		struct port *p = &x->ports[(x->next + i) % x->count];

		got += receive_port(x, p, ret_frames + got, max - got, now);
	}
	x->next = (x->next + 1) % x->count;
	x->counts.received += got;
	x->taken += got - kept;
	return (int)got;
}

static struct port *port_by_ifindex(struct xdp *x, uint32_t ifindex)
{
	for (unsigned i = 0; i < x->count; i++)
		if (x->ports[i].id.ifindex == ifindex)
			return &x->ports[i];
	return NULL;
}

/* A place in the port's TX ring, or NULL: no such port, or it does not send. */
static struct xdp_desc *tx_slot(struct xdp *x, uint32_t ifindex)
{
	struct port *p = port_by_ifindex(x, ifindex);
	uint32_t at;

	if (!p)
		return NULL;
	if (xsk_ring_prod__reserve(&p->tx, 1, &at) != 1) {
		transmit(x, p);
		if (xsk_ring_prod__reserve(&p->tx, 1, &at) != 1)
			return NULL;
	}
	p->queued++;
	return xsk_ring_prod__tx_desc(&p->tx, at);
}

static void xdp_forward(struct capture *c, const struct frame *f, uint32_t out_ifindex)
{
	struct xdp *x = of(c);
	struct xdp_desc *d = tx_slot(x, out_ifindex);

	if (!d) {
		x->counts.lost_send++;
		give_back(x, f->handle);
		return;
	}
	*d = (struct xdp_desc){.addr = f->handle, .len = (uint32_t)f->data.len};
	x->counts.forwarded++;
}

static void xdp_drop(struct capture *c, const struct frame *f)
{
	of(c)->counts.dropped++;
	give_back(of(c), f->handle);
}

static int xdp_inject(struct capture *c, struct bytes data, uint32_t out_ifindex)
{
	struct xdp *x = of(c);
	struct xdp_desc *d;
	uint64_t addr;

	if (data.len > x->chunk - HEADROOM)
		return -EMSGSIZE;
	if (x->free_count == 0)
		return -ENOBUFS;
	d = tx_slot(x, out_ifindex);
	if (!d)
		return -ENOBUFS;
	addr = x->free[--x->free_count] + HEADROOM;
	memcpy(x->area + addr, data.data, data.len);
	*d = (struct xdp_desc){.addr = addr, .len = (uint32_t)data.len};
	return 0;
}

/* ---- memory shared with the link ---- */

static int xdp_lend(struct capture *c, const struct frame *f, uint32_t *ret_offset)
{
	*ret_offset = (uint32_t)f->handle;
	return 0;
}

static int xdp_lend_copy(struct capture *c, struct bytes data, uint32_t *ret_offset)
{
	struct xdp *x = of(c);
	uint64_t addr;

	if (data.len > x->chunk - HEADROOM)
		return -EMSGSIZE;
	if (x->free_count == 0)
		return -ENOBUFS;
	addr = x->free[--x->free_count] + HEADROOM;
	memcpy(x->area + addr, data.data, data.len);
	*ret_offset = (uint32_t)addr;
	return 0;
}

static void xdp_restore(struct capture *c, uint32_t offset)
{
	give_back(of(c), offset);
}

static bool xdp_spare(struct capture *c, uint32_t *ret_offset)
{
	struct xdp *x = of(c);

	if (x->inbox_count == 0)
		return false;
	*ret_offset = (uint32_t)x->inbox[--x->inbox_count];
	return true;
}

static void xdp_adopt(struct capture *c, uint32_t offset, uint32_t len, struct frame *ret_f)
{
	ret_f->data = (struct bytes){of(c)->area + offset, len};
	ret_f->handle = offset;
}

static void stop_heart(struct xdp *x)
{
	x->retired = true;
	__atomic_store_n(&x->heart->beat_ns, 0, __ATOMIC_RELEASE);
}

static void xdp_retire(struct capture *c, bool sealed)
{
	struct xdp *x = of(c);
	uint64_t until = clock_mono_ns() + GATE_HOLD_NS;

	__atomic_store_n(&x->heart->seal_until_ns, sealed ? until : 0, __ATOMIC_RELEASE);
	__atomic_store_n(&x->heart->hold_until_ns, until, __ATOMIC_RELEASE);
	stop_heart(x);
	held_close(x->held); /* the successor's from now on */
	held_close(x->later);
	x->held = x->later = NULL;
}

static bool xdp_succeeds(const struct capture *c)
{
	return of(c)->succeeds;
}

static bool xdp_is_unsettled(const struct capture *c)
{
	return of(c)->unsettled;
}

/* First the floor stops keeping, then what it kept is read: nothing overtakes it but what comes now. */
static void xdp_settle(struct capture *c)
{
	struct xdp *x = of(c);

	__atomic_store_n(&x->heart->seal_until_ns, 0, __ATOMIC_RELEASE);
	x->unsettled = false;
	x->held = x->later;
	x->later = NULL;
	if (x->held)
		x->polls[x->count] = (struct pollfd){.fd = held_fd(x->held), .events = POLLIN};
}

static unsigned xdp_fds(struct capture *c, int *ret_fds, unsigned max)
{
	struct xdp *x = of(c);
	unsigned n = x->count < max ? x->count : max;

	for (unsigned i = 0; i < n; i++)
		ret_fds[i] = x->ports[i].fd;
	if (x->held && n < max)
		ret_fds[n++] = held_fd(x->held);
	return n;
}

static void xdp_counts(const struct capture *c, struct capture_counts *ret_counts)
{
	const struct xdp *x = of(c);

	*ret_counts = x->counts;
	for (unsigned i = 0; i < x->count; i++) {
		struct xdp_statistics s = {0};
		socklen_t len = sizeof(s);

		if (getsockopt(x->ports[i].fd, SOL_XDP, XDP_STATISTICS, &s, &len) == 0)
			ret_counts->lost_receive += s.rx_dropped + s.rx_ring_full;
	}
}

static void close_sockets(struct xdp *x)
{
	for (unsigned i = 0; i < x->count; i++)
		if (x->ports[i].xsk)
			xsk_socket__delete(x->ports[i].xsk);
	for (unsigned i = 0; i < x->count; i++)
		x->ports[i] = (struct port){.id = x->ports[i].id};
	if (x->umem)
		xsk_umem__delete(x->umem);
	x->umem = NULL;
}

static void xdp_close(struct capture *c)
{
	struct xdp *x = of(c);

	if (x->heart) {
		stop_heart(x);
		(void)will_make(NULL);
		munmap(x->hearts, x->hearts_size);
	}
	close_sockets(x);
	held_close(x->held);
	held_close(x->later);
	if (x->xsks >= 0)
		close(x->xsks);
	if (x->area && !x->shared)
		munmap(x->area, x->area_size);
	free(x->inbox);
	free(x->free);
	free(x->ports);
	free(x->polls);
	free(x);
}

static const struct capture_ops ops = {
	.name = "xdp",
	.wait = xdp_wait,
	.receive = xdp_receive,
	.forward = xdp_forward,
	.drop = xdp_drop,
	.inject = xdp_inject,
	.flush = xdp_flush,
	.retire = xdp_retire,
	.succeeds = xdp_succeeds,
	.is_unsettled = xdp_is_unsettled,
	.settle = xdp_settle,
	.fds = xdp_fds,
	.counts = xdp_counts,
	.lend = xdp_lend,
	.lend_copy = xdp_lend_copy,
	.restore = xdp_restore,
	.spare = xdp_spare,
	.adopt = xdp_adopt,
	.close = xdp_close,
};

static int open_port(struct xdp *x, struct port *p, uint16_t bind_flags)
{
	struct xsk_socket_config cfg = {
		.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = bind_flags,
	};
	uint32_t budget = RING;
	int r = xsk_socket__create_shared(&p->xsk, p->id.name, x->queue, x->umem, &p->rx, &p->tx,
					  &p->fill, &p->comp, &cfg);

	if (r) {
		p->xsk = NULL;
		return r;
	}
	p->fd = xsk_socket__fd(p->xsk);
	(void)setsockopt(p->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
	return 0;
}

/* Every port zero-copy, or every port by the kernel's copy: they share the UMEM. */
static int open_ports(struct xdp *x, uint16_t bind_flags)
{
	struct xsk_umem_config cfg = {.fill_size = RING,
				      .comp_size = RING,
				      .frame_size = (uint32_t)x->chunk,
				      .frame_headroom = 0};
	struct xsk_ring_prod fill = {0};
	struct xsk_ring_cons comp = {0};
	int r;

	/* Made with the UMEM, taken over by the first socket. libxdp counts on zeros here. */
	r = xsk_umem__create(&x->umem, x->area, x->chunk * x->chunks, &fill, &comp, &cfg);
	if (r) {
		x->umem = NULL;
		return r;
	}
	for (unsigned i = 0; i < x->count; i++) {
		r = open_port(x, &x->ports[i], bind_flags);
		if (r) {
			close_sockets(x);
			return r;
		}
	}
	return 0;
}

static int open_pin(const char *maps_dir, const char *name)
{
	char path[512];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", maps_dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* An array map is mapped as a whole, so the hearts of other queues come along. */
static int map_heart(struct xdp *x, const char *maps_dir)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int r = 0, fd = open_pin(maps_dir, "hearts");
	void *p;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		r = -errno;
	} else if (x->queue >= info.max_entries || info.value_size != sizeof(struct gate_heart)) {
		r = -EINVAL;
	} else {
		x->hearts_size = (size_t)info.max_entries * sizeof(struct gate_heart);
		p = mmap(NULL, x->hearts_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED) {
			r = -errno;
		} else {
			x->hearts = p;
			x->heart = (struct gate_heart *)p + x->queue;
		}
	}
	close(fd);
	return r;
}

/* Every guard would do; that of the first queue is always there. */
static int open_held(struct xdp *x, const char *maps_dir)
{
	int fd, r = 0;

	if (x->queue != 0)
		return 0;
	fd = open_pin(maps_dir, "held");
	if (fd < 0)
		return fd;
	x->held = held_open(fd);
	if (!x->held)
		r = -errno;
	close(fd);
	return r;
}

/* The heart beats before the first frame can arrive; what arrives until the sockets are in
 * their places is kept, if it was until now. */
static int attach(struct xdp *x, const char *maps_dir)
{
	int indexes, r = map_heart(x, maps_dir);

	if (r == 0)
		r = open_held(x, maps_dir);

	if (r)
		return r;
	/* A process that is killed keeps its sockets, and so its place in the XSKMAP, for the many
	 * milliseconds that the kernel takes to clear it away: one grace period a socket. */
	r = will_make(&x->heart->owner);
	if (r)
		return r;
	x->taken = __atomic_load_n(&x->heart->given, __ATOMIC_ACQUIRE);
	beat(x);
	x->xsks = open_pin(maps_dir, "xsks");
	if (x->xsks < 0)
		return x->xsks;
	indexes = open_pin(maps_dir, "indexes");
	if (indexes < 0)
		return indexes;
	for (unsigned i = 0; i < x->count && r == 0; i++) {
		uint32_t key, index;

		r = bpf_map_lookup_elem(indexes, &x->ports[i].id.ifindex, &index);
		if (r)
			break;
		key = GATE_SLOT(index, x->queue);
		r = bpf_map_update_elem(x->xsks, &key, &x->ports[i].fd, BPF_ANY);
	}
	close(indexes);
	if (r == 0)
		x->succeeds = __atomic_exchange_n(&x->heart->hold_until_ns, 0, __ATOMIC_ACQ_REL) >
			      clock_mono_ns();
	return r;
}

/*
 * In huge pages where the kernel has them: a killed guard stays in the XSKMAP
 * until its memory is gone, and 20 pages go ten times faster than 10,000.
 */
static int map_area(struct xdp *x)
{
	size_t size = (x->chunk * x->chunks + HUGE - 1) & ~(HUGE - 1);
	uint8_t *p = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *area;

	if (p == MAP_FAILED)
		return -errno;
	area = (uint8_t *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	if (area > p)
		munmap(p, (size_t)(area - p));
	if (area + size < p + size + HUGE)
		munmap(area + size, (size_t)(p + size + HUGE - (area + size)));
	(void)madvise(area, size, MADV_HUGEPAGE);
	x->area = area;
	x->area_size = size;
	memset(area, 0, size); /* now, not under the first packets */
	return 0;
}

uint32_t capture_xdp_chunks(unsigned port_count)
{
	return port_count * PER_PORT + SHARE_INBOX;
}

/* The area: the caller's, or one of our own. */
static int take_area(struct xdp *x, const struct capture_memory *memory)
{
	if (!memory)
		return map_area(x);
	x->shared = true;
	x->area = memory->at;
	x->area_size = (size_t)memory->chunks * SHARE_CHUNK;
	return memory->chunks == x->chunks ? 0 : -EINVAL;
}

struct capture *capture_xdp_open(const struct capture_port *ports, unsigned count, unsigned queue,
				 const char *maps_dir, const struct capture_memory *memory)
{
	struct xdp *x = calloc(1, sizeof(*x));
	int r = -ENOMEM;

	if (!x)
		return NULL;
	x->base.ops = &ops;
	x->xsks = -1;
	x->queue = queue;
	x->count = count;
	x->chunk = CHUNK;
	x->own = (uint64_t)count * PER_PORT;
	x->chunks = memory ? capture_xdp_chunks(count) : x->own;
	x->ports = calloc(count, sizeof(*x->ports));
	x->polls = calloc(count + 1, sizeof(*x->polls));
	x->free = calloc(x->own, sizeof(*x->free));
	x->inbox = calloc(SHARE_INBOX, sizeof(*x->inbox));
	if (!x->ports || !x->polls || !x->free || !x->inbox)
		goto fail;
	r = take_area(x, memory);
	if (r)
		goto fail;
	for (uint64_t i = x->chunks; i-- > 0;)
		give_back(x, i * x->chunk);
	for (unsigned i = 0; i < count; i++)
		x->ports[i].id = ports[i];
	r = open_ports(x, XDP_USE_NEED_WAKEUP);
	if (r)
		r = open_ports(x, XDP_USE_NEED_WAKEUP | XDP_COPY);
	if (r)
		goto fail;
	for (unsigned i = 0; i < count; i++) {
		refill(x, &x->ports[i]);
		x->polls[i] = (struct pollfd){.fd = x->ports[i].fd, .events = POLLIN};
	}
	r = attach(x, maps_dir);
	if (r)
		goto fail;
	x->unsettled =
		__atomic_load_n(&x->heart->seal_until_ns, __ATOMIC_ACQUIRE) > clock_mono_ns();
	if (x->unsettled) {
		x->later = x->held;
		x->held = NULL;
	}
	if (x->held)
		x->polls[count] = (struct pollfd){.fd = held_fd(x->held), .events = POLLIN};
	return &x->base;

fail:
	xdp_close(&x->base);
	errno = -r;
	return NULL;
}
