/*
 * A pair of AF_PACKET sockets per segment, for where BPF is not permitted. A
 * frame is received in the kernel's ring (TPACKET_V2: a slot a frame, no block
 * timeout that would add latency) and sent from there by the other socket.
 *
 * The virtio header in front of each frame (PACKET_VNET_HDR) goes along with it:
 * what the sender left to its network card, checksum and segmentation, the
 * sending side's kernel then does. Two kinds of frames are copied out of the
 * ring: those too large for a slot, and pieces of IP packets, because a caller
 * may hold those for seconds while the ring moves on. What is lent to the link is copied into
 * the memory shared with it: the ring is the kernel's.
 */
#include "guard/capture/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/share.h"
#include "guard/capture/checksum.h"

#define SLOTS	    4096u /* of each port's ring */
#define BLOCK	    (128u * 1024)
#define VNET	    sizeof(struct virtio_net_hdr)
#define RESERVE	    16	/* in front of the frame: room to put a VLAN tag back */
#define SLOT_HEAD   160 /* TPACKET2_HDRLEN, virtio header and RESERVE, aligned */
#define TAG	    4
#define FRAME_MAX   (65535 + 14 + 2 * TAG)
#define QUEUE	    128	 /* frames a port sends by one system call */
#define COPIES_MAX  8192 /* frames copied out and not settled yet */
#define COPIES_ROOM (64u << 20)
#define LENT_MAX    2048u /* frames with the link to be sealed */

struct copy {
	size_t size;
	uint8_t data[];
};

struct port {
	struct capture_port id;
	int fd;
	uint8_t *ring;
	size_t ring_size;
	uint32_t slot_size, next;
	uint32_t busy; /* slots handed out and not settled */
	struct mmsghdr out[QUEUE];
	struct iovec iov[QUEUE];
	uint64_t handle[QUEUE];
	unsigned queued;
};

struct pair {
	struct capture base;
	struct port *ports;
	unsigned count, next;
	struct pollfd *polls;
	uint64_t copies, copies_room;
	struct capture_memory memory; /* shared with the link; at NULL: none is */
	uint32_t *free, free_count;   /* stacks of chunks' offsets: of our own, */
	uint32_t *inbox, inbox_count; /* and of those that the link fills */
	struct capture_counts counts;
};

/* A handle is a slot, port << 32 | slot << 1, a copy's address | 1, or in shared memory an
 * offset << 1 | HANDLE_SHARED. */
#define HANDLE_COPY   1u
#define HANDLE_SHARED (1ull << 63)

static struct pair *of(const struct capture *c)
{
	return (struct pair *)(uintptr_t)c;
}

static struct tpacket2_hdr *slot_of(const struct port *p, uint32_t slot)
{
	return (struct tpacket2_hdr *)(p->ring + (size_t)slot * p->slot_size);
}

static void give_back(struct pair *x, uint32_t offset)
{
	offset -= offset % SHARE_CHUNK;
	if (offset / SHARE_CHUNK < x->memory.chunks - SHARE_INBOX)
		x->free[x->free_count++] = offset;
	else
		x->inbox[x->inbox_count++] = offset;
}

static void release(struct pair *x, uint64_t handle)
{
	struct port *p;
	struct copy *copy;

	if (handle & HANDLE_SHARED) {
		give_back(x, (uint32_t)(handle >> 1));
		return;
	}
	if (handle & HANDLE_COPY) {
		copy = (struct copy *)(uintptr_t)(handle & ~(uint64_t)HANDLE_COPY);
		x->copies--;
		x->copies_room -= copy->size;
		free(copy);
		return;
	}
	p = &x->ports[handle >> 32];
	__atomic_store_n(&slot_of(p, (uint32_t)handle >> 1)->tp_status, TP_STATUS_KERNEL,
			 __ATOMIC_RELEASE);
	p->busy--;
}

static bool ready(const struct port *p)
{
	return p->busy < SLOTS &&
	       __atomic_load_n(&slot_of(p, p->next)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

static bool pending(const struct pair *x)
{
	for (unsigned i = 0; i < x->count; i++)
		if (ready(&x->ports[i]))
			return true;
	return false;
}

static int packet_wait(struct capture *c, int timeout_ms)
{
	struct pair *x = of(c);

	if (pending(x))
		return 1;
	if (timeout_ms == 0)
		return 0;
	if (poll(x->polls, x->count, timeout_ms) < 0)
		return errno == EINTR ? 0 : -errno;
	return pending(x);
}

static uint16_t load(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Whether it could be a piece of an IP packet, which a caller may hold until the others come. */
static bool may_be_held(const uint8_t *frame, size_t len)
{
	size_t at = 12;
	uint16_t type = ETH_P_8021Q;

	for (int tags = 0; tags <= 2 && (type == ETH_P_8021Q || type == ETH_P_8021AD); tags++) {
		if (len < at + 2)
			return false;
		type = load(frame + at);
		at += type == ETH_P_8021Q || type == ETH_P_8021AD ? TAG : 2;
	}
	if (type == ETH_P_IP)
		return len >= at + 20 && (load(frame + at + 6) & 0x3fff);
	if (type == ETH_P_IPV6 && len >= at + 40)
		return frame[at + 6] == 0 || frame[at + 6] == 43 || frame[at + 6] == 44 ||
		       frame[at + 6] == 60;
	return false;
}

/* The kernel took the outer tag out of the frame; `vnet` has TAG bytes of room in front. */
static uint8_t *put_tag_back(uint8_t *vnet, const struct tpacket2_hdr *h)
{
	uint16_t tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : ETH_P_8021Q;
	struct virtio_net_hdr v;
	uint8_t *tag;

	memmove(vnet - TAG, vnet, VNET + 12);
	vnet -= TAG;
	tag = vnet + VNET + 12;
	tag[0] = (uint8_t)(tpid >> 8);
	tag[1] = (uint8_t)tpid;
	tag[2] = (uint8_t)(h->tp_vlan_tci >> 8);
	tag[3] = (uint8_t)h->tp_vlan_tci;
	memcpy(&v, vnet, VNET);
	if (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		v.csum_start += TAG;
	if (v.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		v.hdr_len += TAG;
	memcpy(vnet, &v, VNET);
	return vnet;
}

static struct copy *copy_new(struct pair *x, size_t size)
{
	struct copy *copy;

	if (x->copies >= COPIES_MAX || x->copies_room + size > COPIES_ROOM)
		return NULL;
	copy = malloc(sizeof(*copy) + size);
	if (!copy)
		return NULL;
	copy->size = size;
	x->copies++;
	x->copies_room += size;
	return copy;
}

/* The whole of a frame that a slot holds the beginning of waits in the socket's queue. */
static uint8_t *fetch_large(struct pair *x, struct port *p, size_t len, uint64_t *ret_handle)
{
	struct copy *copy = len > FRAME_MAX ? NULL : copy_new(x, RESERVE + VNET + len);
	uint8_t scrap[1];

	if (!copy) {
		recv(p->fd, scrap, sizeof(scrap), MSG_DONTWAIT | MSG_TRUNC);
		return NULL;
	}
	*ret_handle = (uint64_t)(uintptr_t)copy | HANDLE_COPY;
	if (recv(p->fd, copy->data + RESERVE, VNET + len, MSG_DONTWAIT) != (ssize_t)(VNET + len)) {
		release(x, *ret_handle);
		return NULL;
	}
	return copy->data + RESERVE;
}

/* One filled slot as a frame; false where it is not one to forward, and the slot is free again. */
static bool take(struct pair *x, struct port *p, uint32_t slot, struct frame *ret_f)
{
	struct tpacket2_hdr *h = slot_of(p, slot);
	const struct sockaddr_ll *from = (const void *)((uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));
	uint64_t handle = (uint64_t)(p - x->ports) << 32 | slot << 1;
	uint64_t large = 0;
	uint8_t *vnet = (uint8_t *)h + h->tp_mac - VNET;
	struct virtio_net_hdr v;
	size_t len = h->tp_len;

	p->busy++;
	if (from->sll_pkttype == PACKET_OUTGOING)
		goto skip;
	if (h->tp_status & TP_STATUS_COPY)
		vnet = fetch_large(x, p, len, &large);
	else if (h->tp_snaplen != h->tp_len)
		vnet = NULL;
	if (!vnet || len < ETH_HLEN) {
		x->counts.lost_receive++;
		goto skip;
	}
	if (!large && may_be_held(vnet + VNET, len)) {
		struct copy *copy = copy_new(x, RESERVE + VNET + len);

		if (!copy) {
			x->counts.lost_receive++;
			goto skip;
		}
		memcpy(copy->data + RESERVE, vnet, VNET + len);
		large = (uint64_t)(uintptr_t)copy | HANDLE_COPY;
		vnet = copy->data + RESERVE;
	}
	if (h->tp_status & TP_STATUS_VLAN_VALID) {
		vnet = put_tag_back(vnet, h);
		len += TAG;
	}
	memcpy(&v, vnet, VNET);
	*ret_f = (struct frame){.data = {vnet + VNET, len},
				.segment = v.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : v.gso_size,
				.time_ns = h->tp_sec * NSEC_PER_SEC + h->tp_nsec,
				.wire_len = (uint32_t)len,
				.ifindex = p->id.ifindex,
				.link = LINK_ETHERNET,
				.handle = large ? large : handle};
	if (large)
		release(x, handle);
	return true;
skip:
	if (large)
		release(x, large);
	release(x, handle);
	return false;
}

static int packet_receive(struct capture *c, struct frame *ret_frames, unsigned max)
{
	struct pair *x = of(c);
	unsigned got = 0;

	/* Another port first every time, so that a flood on one does not starve the rest. */
	for (unsigned i = 0; i < x->count; i++) {
		struct port *p = &x->ports[(x->next + i) % x->count];

		while (got < max && ready(p)) {
			uint32_t slot = p->next;

			p->next = (p->next + 1) % SLOTS;
			got += take(x, p, slot, &ret_frames[got]);
		}
	}
	x->next = (x->next + 1) % x->count;
	x->counts.received += got;
	return (int)got;
}

static void transmit(struct pair *x, struct port *p)
{
	unsigned done = 0;

	while (done < p->queued) {
		int n = sendmmsg(p->fd, p->out + done, p->queued - done, MSG_DONTWAIT);

		if (n > 0) {
			done += (unsigned)n;
			x->counts.forwarded += (unsigned)n;
		} else if (errno != EINTR) { /* this one is refused; the next may pass */
			x->counts.lost_send++;
			done++;
		}
	}
	for (unsigned i = 0; i < p->queued; i++)
		release(x, p->handle[i]);
	p->queued = 0;
}

static void packet_flush(struct capture *c)
{
	struct pair *x = of(c);

	for (unsigned i = 0; i < x->count; i++)
		if (x->ports[i].queued)
			transmit(x, &x->ports[i]);
}

static struct port *port_by_ifindex(struct pair *x, uint32_t ifindex)
{
	for (unsigned i = 0; i < x->count; i++)
		if (x->ports[i].id.ifindex == ifindex)
			return &x->ports[i];
	return NULL;
}

static void packet_forward(struct capture *c, const struct frame *f, uint32_t out_ifindex)
{
	struct pair *x = of(c);
	struct port *p = port_by_ifindex(x, out_ifindex);
	uint8_t *vnet = (uint8_t *)(uintptr_t)f->data.data - VNET;

	if (!p) {
		x->counts.lost_send++;
		release(x, f->handle);
		return;
	}
	if (p->queued == QUEUE)
		transmit(x, p);
	vnet[0] &= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* the other flags are the receiver's alone */
	p->iov[p->queued] = (struct iovec){vnet, VNET + f->data.len};
	p->handle[p->queued++] = f->handle;
}

static void packet_drop(struct capture *c, const struct frame *f)
{
	of(c)->counts.dropped++;
	release(of(c), f->handle);
}

static int packet_inject(struct capture *c, struct bytes data, uint32_t out_ifindex)
{
	struct pair *x = of(c);
	struct port *p = port_by_ifindex(x, out_ifindex);
	struct virtio_net_hdr v = {0};
	struct iovec iov[2] = {{&v, VNET}, {(void *)(uintptr_t)data.data, data.len}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	if (!p)
		return -ENODEV;
	return sendmsg(p->fd, &m, MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* ---- memory shared with the link ---- */

static int packet_lend_copy(struct capture *c, struct bytes data, uint32_t *ret_offset)
{
	struct pair *x = of(c);
	uint32_t offset;

	if (data.len > SHARE_FRAME)
		return -EMSGSIZE;
	if (x->free_count == 0)
		return -ENOBUFS;
	offset = x->free[--x->free_count] + SHARE_HEAD;
	memcpy(x->memory.at + offset, data.data, data.len);
	checksum_finish(x->memory.at + offset, data.len);
	*ret_offset = offset;
	return 0;
}

static int packet_lend(struct capture *c, const struct frame *f, uint32_t *ret_offset)
{
	int r;

	if (f->segment)
		return -EMSGSIZE;
	r = packet_lend_copy(c, f->data, ret_offset);
	if (r == 0)
		release(of(c), f->handle);
	return r;
}

static void packet_restore(struct capture *c, uint32_t offset)
{
	give_back(of(c), offset);
}

static bool packet_spare(struct capture *c, uint32_t *ret_offset)
{
	struct pair *x = of(c);

	if (x->inbox_count == 0)
		return false;
	*ret_offset = x->inbox[--x->inbox_count];
	return true;
}

/* With an empty virtio header in front: the frame is whole. */
static void packet_adopt(struct capture *c, uint32_t offset, uint32_t len, struct frame *ret_f)
{
	uint8_t *data = of(c)->memory.at + offset;

	memset(data - VNET, 0, VNET);
	ret_f->data = (struct bytes){data, len};
	ret_f->handle = HANDLE_SHARED | (uint64_t)offset << 1;
}

static unsigned packet_fds(struct capture *c, int *ret_fds, unsigned max)
{
	struct pair *x = of(c);
	unsigned n = x->count < max ? x->count : max;

	for (unsigned i = 0; i < n; i++)
		ret_fds[i] = x->ports[i].fd;
	return n;
}

static void packet_counts(const struct capture *c, struct capture_counts *ret_counts)
{
	struct pair *x = of(c);

	for (unsigned i = 0; i < x->count; i++) {
		struct tpacket_stats s = {0};
		socklen_t len = sizeof(s);

		/* Reading resets it. */
		if (getsockopt(x->ports[i].fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) == 0)
			x->counts.lost_receive += s.tp_drops;
	}
	*ret_counts = x->counts;
}

static void packet_close(struct capture *c)
{
	struct pair *x = of(c);

	for (unsigned i = 0; x->ports && i < x->count; i++) {
		struct port *p = &x->ports[i];

		for (unsigned k = 0; k < p->queued; k++)
			release(x, p->handle[k]);
		if (p->ring)
			munmap(p->ring, p->ring_size);
		if (p->fd >= 0)
			close(p->fd);
	}
	free(x->free);
	free(x->inbox);
	free(x->ports);
	free(x->polls);
	free(x);
}

static const struct capture_ops ops = {
	.name = "packet",
	.wait = packet_wait,
	.receive = packet_receive,
	.forward = packet_forward,
	.drop = packet_drop,
	.inject = packet_inject,
	.flush = packet_flush,
	.fds = packet_fds,
	.counts = packet_counts,
	.lend = packet_lend,
	.lend_copy = packet_lend_copy,
	.restore = packet_restore,
	.spare = packet_spare,
	.adopt = packet_adopt,
	.close = packet_close,
};

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) ? -errno : 0;
}

/* A slot for every frame of the port's MTU: a power of two, so that slots tile a block. */
static uint32_t slot_size(const struct port *p)
{
	struct ifreq r = {0};
	uint32_t need, size = 2048;

	memcpy(r.ifr_name, p->id.name, IFNAMSIZ - 1);
	need = SLOT_HEAD + ETH_HLEN + 2 * TAG +
	       (ioctl(p->fd, SIOCGIFMTU, &r) == 0 ? (uint32_t)r.ifr_mtu : 1500);
	while (size < need && size < BLOCK / 8)
		size *= 2;
	return size;
}

static int map_ring(struct port *p)
{
	struct tpacket_req req = {.tp_block_size = BLOCK};
	void *ring;

	p->slot_size = req.tp_frame_size = slot_size(p);
	req.tp_frame_nr = SLOTS;
	req.tp_block_nr = SLOTS / (BLOCK / req.tp_frame_size);
	if (setsockopt(p->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		return -errno;
	p->ring_size = (size_t)req.tp_block_nr * BLOCK;
	ring = mmap(NULL, p->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	p->ring = ring;
	return 0;
}

static int open_port(struct port *p)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)p->id.ifindex};
	struct packet_mreq promiscuous = {.mr_ifindex = (int)p->id.ifindex,
					  .mr_type = PACKET_MR_PROMISC};
	int r, buffer = 8 << 20;

	/* Protocol 0 receives nothing until the bind. */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	r = set(p->fd, PACKET_VERSION, TPACKET_V2);
	r = r ? r : set(p->fd, PACKET_VNET_HDR, 1);
	r = r ? r : set(p->fd, PACKET_RESERVE, RESERVE);
	r = r ? r : set(p->fd, PACKET_COPY_THRESH, 1);
	r = r ? r : set(p->fd, PACKET_IGNORE_OUTGOING, 1);
	r = r ? r : map_ring(p);
	if (r)
		return r;
	/* More room where we may: without the right to, the system's limit stands. */
	if (setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)))
		(void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		(void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous,
		       sizeof(promiscuous)) ||
	    bind(p->fd, (struct sockaddr *)&at, sizeof(at)))
		return -errno;
	for (unsigned i = 0; i < QUEUE; i++)
		p->out[i].msg_hdr = (struct msghdr){.msg_iov = &p->iov[i], .msg_iovlen = 1};
	return 0;
}

uint32_t capture_packet_chunks(void)
{
	return LENT_MAX + SHARE_INBOX;
}

static int share(struct pair *x, const struct capture_memory *memory)
{
	if (!memory)
		return 0;
	if (memory->chunks <= SHARE_INBOX)
		return -EINVAL;
	x->memory = *memory;
	x->free = calloc(memory->chunks, sizeof(*x->free));
	x->inbox = calloc(SHARE_INBOX, sizeof(*x->inbox));
	if (!x->free || !x->inbox)
		return -ENOMEM;
	for (uint32_t i = memory->chunks; i-- > 0;)
		give_back(x, i * SHARE_CHUNK);
	return 0;
}

struct capture *capture_packet_open(const struct capture_port *ports, unsigned count,
				    const struct capture_memory *memory)
{
	struct pair *x = calloc(1, sizeof(*x));
	int r = -ENOMEM;

	if (!x)
		return NULL;
	x->base.ops = &ops;
	x->count = count;
	x->ports = calloc(count, sizeof(*x->ports));
	x->polls = calloc(count, sizeof(*x->polls));
	if (!x->ports || !x->polls)
		goto fail;
	for (unsigned i = 0; i < count; i++) {
		x->ports[i].id = ports[i];
		x->ports[i].fd = -1;
	}
	r = share(x, memory);
	if (r)
		goto fail;
	for (unsigned i = 0; i < count; i++) {
		r = open_port(&x->ports[i]);
		if (r)
			goto fail;
		x->polls[i] = (struct pollfd){.fd = x->ports[i].fd, .events = POLLIN};
	}
	return &x->base;

fail:
	packet_close(&x->base);
	errno = -r;
	return NULL;
}
