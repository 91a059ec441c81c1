#include "role/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "role/bequest.h"
#include "role/supervisor.h"

/* A connection takes 2 to 3 KiB there, and what waits for it besides. */
#define HANDOVER_ROOM (256 << 20)

/* Descriptors by their numbers in the environment, "4 5". */
static bool inherit(int ret_pair[2])
{
	const char *text = getenv(SUPERVISOR_HANDOVER_ENV);
	int pair[2], type;
	socklen_t len = sizeof(type);

	if (!text || sscanf(text, "%d %d", &pair[0], &pair[1]) != 2)
		return false;
	unsetenv(SUPERVISOR_HANDOVER_ENV);
	for (unsigned i = 0; i < 2; i++)
		if (pair[i] <= STDERR_FILENO || fcntl(pair[i], F_SETFD, FD_CLOEXEC) < 0 ||
		    getsockopt(pair[i], SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
		    type != SOCK_SEQPACKET)
			return false;
	memcpy(ret_pair, pair, sizeof(pair));
	return true;
}

static void inherit_link(struct gateway *g)
{
	struct bequest b;

	if (!bequest_inherit(&b))
		return;
	g->estate = b.keys;
	snprintf(g->doors.link.name, sizeof(g->doors.link.name), "link");
	snprintf(g->doors.link.at, sizeof(g->doors.link.at), "%s", b.at);
	g->doors.link.sock = b.sock;
	log_info("sealed links go on by the keys and the socket of the gateway before");
}

void handover_bequeath(struct gateway *g)
{
	struct bequest b = {.keys = g->estate, .sock = g->doors.link.sock};
	int err;

	snprintf(b.at, sizeof(b.at), "%s", g->doors.link.at);
	err = bequest_tell(&b, g->supervisor);
	if (err < 0)
		log_error("sealed links begin anew with the next gateway: the supervisor does not "
			  "take what they leave (%s)",
			  strerror(-err));
}

void handover_open(struct gateway *g)
{
	const int room = HANDOVER_ROOM;
	int err = 0;

	g->handover[0] = g->handover[1] = -1;
	g->followed = inherit(g->handover);
	inherit_link(g);
	if (!g->followed)
		err = ipc_pair(g->handover);
	if (err < 0) {
		g->handover[0] = g->handover[1] = -1;
		log_error("connections of relays cannot outlive the link's process: %s",
			  strerror(-err));
		return;
	}
	(void)setsockopt(g->handover[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
}

void handover_greet(struct gateway *g, struct member *link)
{
	for (uint32_t leave = 0; leave < 2 && g->handover[leave] >= 0; leave++)
		member_send(link, IPC_HANDOVER, 0,
			    (struct bytes){(const uint8_t *)&leave, sizeof(leave)},
			    g->handover[leave]);
}

void handover_close(struct gateway *g)
{
	for (unsigned i = 0; i < 2; i++) {
		if (g->handover[i] >= 0)
			close(g->handover[i]);
		g->handover[i] = -1;
	}
}
