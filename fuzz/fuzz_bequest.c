/*
 * What a gateway says to its own supervisor, whatever it has become by then: the first byte says how many
 * descriptors come with the word. What is taken for a bequest came with two of them and an address, goes to
 * the next gateway as it came, and no descriptor is left open by a word that is none.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ipc.h"
#include "role/bequest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FDS_MOST 4 /* more than are asked for */

static void say(int to, const uint8_t *word, size_t len, unsigned count)
{
	int fds[FDS_MOST];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(fds))];
	} control = {{0}};
	struct iovec io = {(void *)(uintptr_t)word, len};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	struct cmsghdr *c;

	for (unsigned i = 0; i < count; i++)
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (count) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	if (sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		abort();
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

/* As the supervisor leaves it to the next gateway, which reads it from its environment. */
static void leave(struct bequest *b, const char *word)
{
	struct bequest got = BEQUEST_NONE;

	if (strcmp(strchr(word, '=') + 1, b->at) != 0 || b->keys < 0 || b->sock < 0 ||
	    fcntl(b->keys, F_GETFD) != FD_CLOEXEC)
		abort();
	if (bequest_name(b, b->keys, b->sock) < 0 || !bequest_inherit(&got) ||
	    strcmp(got.at, b->at) != 0 || got.keys != b->keys || got.sock != b->sock)
		abort();
	bequest_drop(b);
}

static int lowest(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const int unset = -1;
	struct bequest b = BEQUEST_NONE;
	int pair[2], fds[2], before;
	unsigned count;
	char word[128];
	ssize_t n;

	if (len < 2 || len > 4096)
		return 0;
	count = data[0] % (FDS_MOST + 1);
	if (ipc_pair(pair) < 0)
		abort();
	before = lowest();
	say(pair[0], data + 1, len - 1, count);
	n = bequest_hear(pair[1], word, sizeof(word), fds);
	if (n <= 0 || n >= (ssize_t)sizeof(word) || word[n])
		abort();
	if (bequest_take(&b, word, fds)) {
		if (count < 2 || fds[0] != unset || fds[1] != unset)
			abort();
		leave(&b, word);
	} else if (b.keys != unset || b.sock != unset || *b.at) {
		abort();
	}
	for (unsigned i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (lowest() != before)
		abort();
	close(pair[0]);
	close(pair[1]);
	return 0;
}
