/* The text of a connection from another process, with two sockets: it goes on whole or not at all. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guard/proto/proto.h"
#include "seal/relay/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *arg, const struct relay_fact *f)
{
}

static enum reason judge(void *arg, const struct proto *p, const struct msg *m)
{
	return m->reason;
}

static void put(int sock, const uint8_t *data, size_t size, const int fds[2])
{
	uint8_t head[8];
	struct writer w = writer_new(head, sizeof(head));
	struct iovec iov[] = {{head, sizeof(head)}, {(void *)(uintptr_t)data, size}};
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control.data,
			     .msg_controllen = sizeof(control.data)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	write_be32(&w, 0x42774331);
	write_be32(&w, (uint32_t)size);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	(void)!sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct relay_calls calls = {.tell = tell};
	struct relay_options plain = {.name = "a", .tls_in = true, .connections = 8},
			     read = {.name = "b", .connections = 8, .judge = judge};
	struct relays *rs = relays_new(&calls);
	int pair[2], one[2], two[2];
	unsigned lost, count;

	signal(SIGPIPE, SIG_IGN);
	if (!rs || !size || size > 32u << 10)
		goto out;
	read.proto = proto_find("hl7");
	relay_add(rs, &plain);
	relay_add(rs, &read);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, one) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, two) < 0)
		abort();
	put(pair[1], data, size, (int[]){one[0], two[0]});
	close(one[0]);
	close(two[0]);
	count = relays_take_over(rs, pair[0], &lost);
	if (count + lost != 1 || relays_open(rs) > count)
		abort();
	(void)!send(one[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)!send(two[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	relays_turn(rs, 0);
	relays_tick(rs);
	/* What stands can be handed over again, and taken. */
	count = relays_hand_over(rs, pair[1]);
	if (count != relays_take_over(rs, pair[0], &lost) || lost)
		abort();
	close(one[1]);
	close(two[1]);
	close(pair[0]);
	close(pair[1]);
out:
	relays_free(rs);
	return 0;
}
