/*
 * What a hostile process could put into its socket: the first byte says how
 * many descriptors come along, the rest is the datagram, header and all.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void send_raw(int sock, const uint8_t *data, size_t len, unsigned fds)
{
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)data, len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (unsigned i = 0; i < fds; i++)
			memcpy((int *)(void *)CMSG_DATA(&control.align) + i, &sock, sizeof(int));
	}
	sendmsg(sock, &msg, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ipc_message m = {.fd = -1};
	int pair[2], first_free, after, err;
	uint8_t *buf = malloc(IPC_BUF);
	uint32_t number;

	if (!buf || len == 0 || ipc_pair(pair) < 0)
		goto out;
	first_free = dup(0);
	close(first_free);
	send_raw(pair[0], data + 1, len - 1, data[0] % 17);
	err = ipc_recv(pair[1], buf, &m);
	if (err == 0) {
		assert(m.type > 0 && m.type < IPC_TYPE_COUNT && m.body.len <= IPC_BODY_MAX);
		ipc_u32(&m, &number);
		/* Whatever is accepted can be said again, and reads the same. */
		assert(ipc_send(pair[0], m.type, m.id, m.body, m.fd) == 0);
	} else {
		assert(m.fd == -1);
	}
	if (m.fd >= 0)
		close(m.fd);
	after = dup(0);
	close(after);
	assert(after == first_free); /* no descriptor stayed behind */
	close(pair[0]);
	close(pair[1]);
out:
	free(buf);
	return 0;
}
