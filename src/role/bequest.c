#include "role/bequest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEQUEST_ENV  "BEDWARDEN_LINK"
#define BEQUEST_WORD "LINK="

/* A message's ancillary data: two descriptors. */
union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

int bequest_tell(const struct bequest *b, int sock)
{
	const int fds[2] = {b->keys, b->sock};
	char word[sizeof(BEQUEST_WORD) + sizeof(b->at)];
	union control control = {{0}};
	struct iovec io = {.iov_base = word};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	io.iov_len = (size_t)snprintf(word, sizeof(word), BEQUEST_WORD "%s", b->at);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	return sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t bequest_hear(int sock, char *ret_word, size_t size, int ret_fds[2])
{
	struct iovec io = {ret_word, size - 1};
	union control control = {{0}};
	struct msghdr m = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = control.room,
			   .msg_controllen = sizeof(control.room)};
	ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	size_t len = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
			     ? c->cmsg_len - CMSG_LEN(0)
			     : 0;

	ret_fds[0] = ret_fds[1] = -1;
	if (n < 0)
		return -errno;
	if (len)
		memcpy(ret_fds, CMSG_DATA(c), len < 2 * sizeof(int) ? len : 2 * sizeof(int));
	ret_word[n] = 0;
	return n;
}

/* As the policy file has an address and a port: nothing that could be taken for more. */
static bool is_address(const char *text)
{
	return *text && strlen(text) < sizeof(((struct bequest *)0)->at) &&
	       strspn(text, "0123456789abcdefABCDEF.:[]") == strlen(text);
}

bool bequest_take(struct bequest *b, const char *word, int fds[2])
{
	const char *at = word + sizeof(BEQUEST_WORD) - 1;

	if (strncmp(word, BEQUEST_WORD, sizeof(BEQUEST_WORD) - 1) != 0 || !is_address(at) ||
	    fds[0] < 0 || fds[1] < 0)
		return false;
	bequest_drop(b);
	*b = (struct bequest){.keys = fds[0], .sock = fds[1]};
	snprintf(b->at, sizeof(b->at), "%s", at);
	fds[0] = fds[1] = -1;
	return true;
}

void bequest_drop(struct bequest *b)
{
	if (b->keys >= 0)
		close(b->keys);
	if (b->sock >= 0)
		close(b->sock);
	*b = (struct bequest)BEQUEST_NONE;
}

int bequest_name(const struct bequest *b, int keys, int sock)
{
	char text[32 + sizeof(b->at)];

	snprintf(text, sizeof(text), "%d %d %s", keys, sock, b->at);
	return setenv(BEQUEST_ENV, text, 1) < 0 ? -errno : 0;
}

bool bequest_inherit(struct bequest *ret_b)
{
	const char *text = getenv(BEQUEST_ENV);
	struct bequest b = BEQUEST_NONE;
	socklen_t len = sizeof(int);
	int type;

	if (!text)
		return false;
	if (sscanf(text, "%d %d %63s", &b.keys, &b.sock, b.at) != 3)
		b.keys = -1;
	unsetenv(BEQUEST_ENV);
	if (b.keys <= STDERR_FILENO || b.sock <= STDERR_FILENO || !is_address(b.at) ||
	    fcntl(b.keys, F_SETFD, FD_CLOEXEC) < 0 || fcntl(b.sock, F_SETFD, FD_CLOEXEC) < 0 ||
	    getsockopt(b.sock, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_DGRAM)
		return false;
	*ret_b = b;
	return true;
}
