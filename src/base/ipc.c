#include "base/ipc.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Whether a message of a type carries a descriptor. */
enum fd_rule { FD_NEVER, FD_MUST };

static const enum fd_rule fd_rules[IPC_TYPE_COUNT] = {
	[IPC_POLICY] = FD_MUST,	  [IPC_PEER] = FD_MUST,	       [IPC_LINK] = FD_MUST,
	[IPC_RELAYS] = FD_MUST,	  [IPC_LISTEN] = FD_MUST,      [IPC_CONSOLE] = FD_MUST,
	[IPC_COURIER] = FD_MUST,  [IPC_POLICY_TEXT] = FD_MUST, [IPC_LINKS] = FD_MUST,
	[IPC_FRAMES] = FD_MUST,	  [IPC_WAKE] = FD_MUST,	       [IPC_QUEUES] = FD_MUST,
	[IPC_UPDATER] = FD_MUST,  [IPC_EXPORT] = FD_MUST,      [IPC_ESTATE] = FD_MUST,
	[IPC_ROOTS] = FD_MUST,	  [IPC_FIRMWARE] = FD_MUST,    [IPC_AGENTS] = FD_MUST,
	[IPC_AGENT] = FD_MUST,	  [IPC_ROLLOUTS] = FD_MUST,    [IPC_SURVEYED] = FD_MUST,
	[IPC_HANDOVER] = FD_MUST, [IPC_CONTENT] = FD_MUST,     [IPC_ERRAND] = FD_MUST,
	[IPC_COUNTED] = FD_MUST,
};

/* Room for more descriptors than one, so that a sender of several is seen and refused. */
#define FDS_ROOM 8

union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(FDS_ROOM * sizeof(int))];
};

static bool well_formed(uint32_t type, size_t len, bool has_fd)
{
	if (type == 0 || type >= IPC_TYPE_COUNT || len > IPC_BODY_MAX)
		return false;
	return has_fd == (fd_rules[type] == FD_MUST);
}

int ipc_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

static void attach_fd(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *c;

	*control = (union control){0};
	msg->msg_control = control->data;
	msg->msg_controllen = CMSG_SPACE(sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

int ipc_send(int sock, enum ipc_type type, uint32_t id, struct bytes body, int fd)
{
	struct ipc_header h = {.type = type, .id = id, .len = (uint32_t)body.len};
	struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)body.data, body.len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = body.len ? 2 : 1};
	union control control;
	ssize_t n;

	if (!well_formed(type, body.len, fd >= 0))
		return -EINVAL;
	if (fd >= 0)
		attach_fd(&msg, &control, fd);
	do
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* ETOOMANYREFS: too many descriptors in flight, which the receiver's reading cures. */
	if (errno == ENOBUFS || errno == ETOOMANYREFS)
		return -EAGAIN;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

/* Takes every descriptor that came along. How many; the first FDS_ROOM of them in fds. */
static unsigned take_fds(struct msghdr *msg, int fds[FDS_ROOM])
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t off = CMSG_LEN(0); off + sizeof(int) <= c->cmsg_len && count < FDS_ROOM;
		     off += sizeof(int))
			memcpy(&fds[count++], (char *)c + off, sizeof(int));
	}
	return count;
}

int ipc_recv(int sock, void *buf, struct ipc_message *ret_m)
{
	struct iovec iov = {buf, IPC_BUF};
	union control control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.data,
			     .msg_controllen = sizeof(control.data)};
	int fds[FDS_ROOM], err = -EBADMSG;
	struct ipc_header h;
	unsigned count;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;

	count = take_fds(&msg, fds);
	if (n == 0) { /* the end, or an empty datagram: nobody of ours sends that */
		err = -EPIPE;
		goto refuse;
	}
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)n < sizeof(h) || count > 1)
		goto refuse;
	memcpy(&h, buf, sizeof(h));
	if (h.len != (size_t)n - sizeof(h) || h.flags || !well_formed(h.type, h.len, count == 1))
		goto refuse;

	if (h.type == IPC_ALIVE) {
		(void)ipc_send(sock, IPC_READY, h.id, (struct bytes){0}, -1);
		return -EAGAIN;
	}
	*ret_m = (struct ipc_message){
		.type = (enum ipc_type)h.type,
		.id = h.id,
		.body = {(uint8_t *)buf + sizeof(h), h.len},
		.fd = count ? fds[0] : -1,
	};
	return 0;

refuse:
	while (count)
		close(fds[--count]);
	return err;
}

bool ipc_u32(const struct ipc_message *m, uint32_t *ret_value)
{
	if (m->body.len != sizeof(*ret_value))
		return false;
	memcpy(ret_value, m->body.data, sizeof(*ret_value));
	return true;
}

bool ipc_may(const struct ipc_right *table, size_t count, int from, enum ipc_type type)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].from == from && table[i].type == type)
			return true;
	return false;
}

int ipc_hear(int sock, void *buf, const struct ipc_right *table, size_t count, int from,
	     struct ipc_message *ret_m)
{
	struct ipc_message m;
	int err = ipc_recv(sock, buf, &m);

	if (err != 0)
		return err;
	if (!ipc_may(table, count, from, m.type)) {
		if (m.fd >= 0)
			close(m.fd);
		return -EBADMSG;
	}
	*ret_m = m;
	return 0;
}
