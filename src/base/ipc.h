#ifndef BEDWARDEN_BASE_IPC_H
#define BEDWARDEN_BASE_IPC_H
/*
 * Messages between the gateway's own processes, over the SOCK_SEQPACKET pairs
 * that the parent made. One datagram is one message: a header, a body, and at
 * most one descriptor. A malformed message is refused and costs its sender the
 * connection, never the receiver anything.
 */
#include "base/bytes.h"

enum ipc_type {
	IPC_READY = 1,	  /* child → parent: sandboxed and at work */
	IPC_POLICY,	  /* parent → guard, keeper: fd of a sealed memfd, a policy block */
	IPC_POLICY_TAKEN, /* guard → parent: u32 generation now in force there */
	IPC_EVENTS,	  /* guard, parent → keeper: EVE lines, each ended by '\n' */
	IPC_STATUS,	  /* keeper → parent: ask; parent → keeper: JSON object */
	IPC_FLOWS,	  /* keeper → guard: ask; guard → keeper: JSON lines, empty body ends them */
	IPC_APPLY,	  /* keeper → parent: read the config again; answer: JSON object */
	IPC_STOP,	  /* parent → child: finish what is begun and exit 0 */
	IPC_PEER,	  /* parent → keeper: fd of the keeper's end of a pair with a guard, u32 its number */
	IPC_TYPE_COUNT,
};

/* One datagram's body at most; a sender splits what is larger. */
#define IPC_BODY_MAX 65536

struct ipc_header {
	uint32_t type;
	uint32_t id; /* pairs an answer with its question; the asker chooses */
	uint32_t len;
	uint32_t flags;
};

struct ipc_message {
	enum ipc_type type;
	uint32_t id;
	struct bytes body; /* borrowed from the caller's buffer */
	int fd;		   /* -1 none; the receiver's to close */
};

/* A pair, both ends close-on-exec and non-blocking. 0 or -errno. */
int ipc_pair(int ret_fds[2]);
/* 0; -EAGAIN where the receiver is full; -errno. `fd` -1 for none, stays the caller's. */
int ipc_send(int sock, enum ipc_type type, uint32_t id, struct bytes body, int fd);
/* One message into buf (IPC_BODY_MAX + sizeof(struct ipc_header) bytes). 0; -EAGAIN none there;
 * -EPIPE the other end is gone; -EBADMSG it was malformed. */
int ipc_recv(int sock, void *buf, struct ipc_message *ret_m);

/* Who may say what: a role's file begins with its table. */
struct ipc_right {
	int from;	 /* the role's own name for the peer */
	enum ipc_type type;
};
bool ipc_may(const struct ipc_right *table, size_t count, int from, enum ipc_type type);

#endif
