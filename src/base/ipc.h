#ifndef BEDWARDEN_BASE_IPC_H
#define BEDWARDEN_BASE_IPC_H
/*
 * Messages between the gateway's own processes, over the SOCK_SEQPACKET pairs
 * that the parent made. One datagram is one message: a header, a body, and at
 * most one descriptor. A malformed message is refused and costs its sender the
 * connection, never the receiver anything.
 */
#include "base/bytes.h"

/*
 * Parent and child speak over the pair whose one end is the child's descriptor
 * 3; keeper and each guard over a pair that IPC_PEER hands to both. A guard
 * first gets IPC_SETUP, once, and IPC_PEER and IPC_POLICY, each again whenever
 * it changes; it opens what it needs, locks itself in, says IPC_READY.
 * A request is answered by a message of the same type and id.
 */
enum ipc_type {
	IPC_SETUP = 1, /* parent → guard: struct setup_guard (role/setup.h) */
	IPC_READY,     /* child → parent: sandboxed and at work; empty */
	IPC_POLICY,    /* parent → guard, keeper: fd of a sealed memfd, a policy block; empty */
	IPC_POLICY_TAKEN, /* guard → parent: u32 generation now in force there */
	IPC_PEER,   /* parent → guard, keeper: fd of its end of their pair, replacing an earlier
			   * one; u32 the guard's number */
	IPC_EVENTS, /* guard, parent → keeper: EVE lines, each ended by '\n' */
	IPC_COUNTS, /* guard → parent: struct setup_counts, every half second: its sign of life */
	IPC_STATUS, /* keeper → parent: empty, asks; parent → keeper: JSON object */
	IPC_FLOWS, /* keeper → guard: empty, asks; guard → keeper: JSON lines, an empty body ends */
	IPC_APPLY,    /* keeper → parent: empty, read the config again; parent → keeper: JSON
			   * object, {"generation":N} or {"error":"what, where, what to do"} */
	IPC_EVIDENCE, /* guard → keeper: frames around a finding (base/evidence.h) */
	IPC_STOP, /* parent → child: finish what is begun and exit 0; empty, or to guards and link
			   * u32, who comes after them (enum setup_stop) */
	/* What only the keeper's keys can do, asked for by others (role/secrets.h). */
	IPC_SIGN,
	IPC_WRAP,
	IPC_UNWRAP,
	IPC_TLS_KEY,  /* the public half of a certificate's key */
	IPC_TLS_SIGN, /* ECDSA by it, of a digest */
	IPC_ARCHIVE,  /* guard → keeper: what is archived (base/archive.h) */
	IPC_CERT,     /* console → keeper: a certificate to keep (PEM), or a JSON list of
			* the names that it is to have, asks for it; keeper →
			* console: the one that is kept, empty: none */
	IPC_GRANTS, /* keeper → parent → guard: struct gate_grant_row (bpf/shared.h), as many as are
		     * in force; parent → keeper: i32, 0 they are in force or -errno */
	IPC_CONSOLE, /* parent → keeper: fd of its end of its pair with the console; u32 0 calls, 1
			* signatures of TLS handshakes */
	IPC_CALL, /* console → keeper: a call (role/call.h); keeper → console: its answer. In pieces of
			* one JSON object each way, an empty body ends */
	IPC_LIVE, /* console → keeper: u32 1 hand out events as they are stored, 0 do not; keeper →
			* console: lines "NUMBER EVENT", each ended by '\n' */
	IPC_POLICY_FILE, /* keeper → parent: empty, asks for the policy's file; keeper → parent:
			* see IPC_POLICY_TEXT; parent → keeper: JSON object */
	IPC_POLICY_TEXT, /* parent → keeper: fd of a memfd, the file's text; keeper → parent: fd of a
			* memfd, the text to put in its place, if its SHA-256 is still the body */
	IPC_LINK,	 /* parent → keeper, link: fd of its end of their pair; empty */
	IPC_RELAYS, /* parent → link: fd of a memfd, JSON: the relays there are (role/doors.h) */
	IPC_LISTEN, /* parent → link: fd that listens; the relay's name; empty: the sealed link's UDP socket */
	IPC_PKI, /* link → keeper: JSON object, a question about certificates (role/pki.h); keeper →
		     * link: its answer, with id 0: ask again */
	IPC_COURIER, /* parent → keeper, courier: fd of its end of their pair; empty */
	IPC_SMS, /* keeper → courier: a URL to fetch; courier → keeper: u32 HTTP status, 0: nobody
		  * answered */
	IPC_BLOCK, /* guard → parent: struct setup_block (role/setup.h), a conversation that the kernel
		    * is to keep blocked, whoever guards */
	/* The sealed link's memory, guard by guard (base/share.h), and what all of them see of it. */
	IPC_LINKS, /* parent → guard, link: fd of the memory of struct gate_link (bpf/shared.h); empty */
	IPC_FRAMES, /* parent → guard, link: fd of a memfd, frames; u32 the guard's number */
	IPC_WAKE, /* parent → guard, link: fd, an eventfd; u32 the guard's number, with IPC_WAKE_GUARD
		     * the one that wakes the guard, else the one that wakes the link */
	IPC_QUEUES, /* parent → guard, link: fd of a memfd, their queues, to be used from now on with
		     * what came before; u32 the guard's number */
	IPC_PEERS,	/* link → parent: struct setup_peers (role/setup.h), every half second */
	IPC_LINK_STATE, /* link → keeper: JSON object, how what it carries stands (role/link.c), each
		     * second that it changed */
	IPC_PATIENTS, /* guard → keeper: struct setup_patient (role/setup.h), some: they are on a
		       * patient */
	IPC_UPDATER,  /* parent → keeper, updater: fd of its end of their pair; empty */
	IPC_FETCHED,  /* updater → keeper: JSON object, what came of looking (role/updater.h);
		      * keeper → updater: empty, look now */
	IPC_INSTALL, /* keeper → parent → installer: JSON object, {"targets":[name]}; back: what is
		      * in place now (role/installer.h) */
	IPC_SWITCH, /* keeper → parent: the release to start, "" the packaged one; parent → keeper:
		      * "" it is under way, or why not */
	IPC_WISHES, /* parent → keeper: JSON object (role/wishes.h) */
	IPC_EXPORT, /* parent → keeper, exporter: fd of its end of their pair; empty */
	IPC_AUDIT, /* keeper → exporter: JSON object, entries of the audit trail to be sent; exporter →
		    * keeper: u64 up to which they arrived, 0 none yet, and why nothing more does;
		    * without a reason it waits for more */
	IPC_ESTATE, /* parent → link: fd of a memfd in which the sealed link's keys outlive the link's
		     * process (seal/link/link.h); empty */
	IPC_ROOTS, /* parent → keeper: fd of a file, PEM: who may vouch for authenticators; empty */
	IPC_ANNOUNCED, /* guard → parent: struct setup_announced (role/setup.h), a door for data; the
			* answer is IPC_GRANTS to all of them */
	/* Firmware for devices (role/rollout.h). */
	IPC_FIRMWARE, /* parent → updater: fd of a memfd, JSON: who gets it and how (role/firmware.h) */
	IPC_AGENTS, /* parent → link, updater: fd of its end of their pair; empty */
	IPC_AGENT, /* link → updater: fd of a conversation with an agent, in the clear; the name in
		    * its certificate */
	IPC_ROLLOUT, /* keeper → updater: JSON object, what a person wants of one; updater → keeper:
		       * JSON object, what came of it */
	IPC_ROLLOUTS, /* updater → keeper: fd of a memfd, JSON: how they stand, when it changed */
	IPC_SIGHT,    /* keeper → updater: struct setup_sight (role/setup.h), some */
	IPC_CONDUCT,  /* guard → keeper: struct setup_conduct (role/setup.h), some */
	IPC_SURVEY,   /* keeper → parent: empty, hold the advisories against the devices */
	IPC_SURVEYED, /* surveyor → parent → keeper: fd of a memfd, JSON (role/surveyor.h); empty */
	IPC_HANDOVER, /* parent → link: fd of an end of a pair in which connections lie from one link's
		       * process to the next (seal/relay/relay.h); u32 0 take what is there, 1 leave
		       * them here */
	IPC_CONTENT, /* keeper → console: fd to be read to its end, what a call's answer tells of, which
			* follows under the same id; empty */
	IPC_ERRAND, /* keeper → parent: fd of what it is about, JSON object, what the command line shall
		     * do (role/errand.h); clerk → parent → keeper: fd of a memfd, what it printed;
		     * JSON object, how it ended */
	IPC_ALIVE, /* parent → child: empty, are you there? Who hears at all answers by IPC_READY, see
		    * ipc_recv() */
	IPC_COUNTERS, /* keeper → parent: empty, what did each rule count? */
	IPC_COUNTED, /* parent → keeper: fd of a memfd, struct setup_counted (role/setup.h) and what
		      * follows it; empty where the kernel has no floor of ours. Empty */
	IPC_BYPASS,   /* guard → parent: struct setup_bypass (role/setup.h), of a conversation */
	IPC_BYPASSED, /* parent → guard: struct setup_bypassed (role/setup.h), what came of it */
	IPC_TYPE_COUNT,
};

#define IPC_WAKE_GUARD 0x80000000u

/* One datagram's body at most; a sender splits what is larger. */
#define IPC_BODY_MAX 65536

struct ipc_header {
	uint32_t type;
	uint32_t id; /* pairs an answer with its question; the asker chooses */
	uint32_t len;
	uint32_t flags; /* 0 */
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
/*
 * One message into buf (IPC_BUF bytes). 0; -EAGAIN none there; -EPIPE the other
 * end is gone; -EBADMSG it was malformed: too long, a header that lies, an
 * unknown type, a descriptor where the type has none or none where it must.
 * On failure every descriptor that came along is closed. After anything but 0
 * and -EAGAIN the socket is to be closed. IPC_ALIVE is answered here, and is none.
 */
#define IPC_BUF (IPC_BODY_MAX + sizeof(struct ipc_header))
int ipc_recv(int sock, void *buf, struct ipc_message *ret_m);

/* The u32 that some bodies are; false where the body has another size. */
bool ipc_u32(const struct ipc_message *m, uint32_t *ret_value);

/* Who may say what: a role's file begins with its table. */
struct ipc_right {
	int from; /* the role's own name for the peer */
	enum ipc_type type;
};
bool ipc_may(const struct ipc_right *table, size_t count, int from, enum ipc_type type);
/* As ipc_recv(); what `from` may not say is malformed too. */
int ipc_hear(int sock, void *buf, const struct ipc_right *table, size_t count, int from,
	     struct ipc_message *ret_m);

#endif
