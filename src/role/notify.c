#include "role/notify.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FIRST 3 /* sd_listen_fds(3) */

static int through = -1;

void notify_through(int sock)
{
	through = sock;
}

static bool manager(struct sockaddr_un *ret_at, socklen_t *ret_len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	*ret_at = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len < 2 || len >= sizeof(ret_at->sun_path) || (path[0] != '/' && path[0] != '@'))
		return false;
	memcpy(ret_at->sun_path, path, len);
	if (path[0] == '@')
		ret_at->sun_path[0] = 0; /* unix(7): the abstract namespace */
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* A manager that does not listen is none of the gateway's troubles. */
static void say(const char *state, int fd)
{
	struct sockaddr_un at;
	struct iovec iov = {(void *)(uintptr_t)state, strlen(state)};
	struct msghdr msg = {.msg_name = &at, .msg_iov = &iov, .msg_iovlen = 1};
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct cmsghdr *c;
	int s;

	if (!manager(&at, &msg.msg_namelen))
		return;
	if (fd >= 0) {
		msg.msg_control = control.data;
		msg.msg_controllen = sizeof(control.data);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return;
	(void)!sendmsg(s, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(s);
}

void notify_say(const char *state)
{
	if (through >= 0)
		(void)!send(through, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		say(state, -1);
}

void notify_keep(const char *name, int fd)
{
	char text[96];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	say(text, fd);
}

int notify_kept(const char *name)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS"),
		   *at = getenv("LISTEN_FDNAMES");

	if (!pid || !count || !at || strtol(pid, NULL, 10) != (long)getpid())
		return -1;
	for (int i = 0; i < atoi(count) && i < 64; i++) {
		size_t len = strcspn(at, ":");

		if (len == strlen(name) && strncmp(at, name, len) == 0)
			return fcntl(LISTEN_FIRST + i, F_SETFD, FD_CLOEXEC) < 0 ? -1
										: LISTEN_FIRST + i;
		at += len + (at[len] == ':');
	}
	return -1;
}
