#ifndef BEDWARDEN_ROLE_SERVE_H
#define BEDWARDEN_ROLE_SERVE_H
/*
 * The control socket's clients: who may connect (SO_PEERCRED: root, and the
 * gateway's own user and group), a request line each, an answer in JSON lines that
 * ends with {"end":true} or {"error":"…"}. A client that is slow, silent, loud
 * or gone costs itself only: its request is bounded, its answer is bounded
 * together with everybody else's, and each has a time in which to move.
 */
#include <poll.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "keep/request.h"

#define SERVE_CLIENTS	16
#define SERVE_BYTES	(64u << 20) /* of answers waiting, all clients together */
#define SERVE_SILENT_MS 10000	    /* to ask, and to take what is there */

struct client {
	int fd;		    /* -1: free */
	uid_t uid;	    /* who asks */
	bool busy;	    /* an answer is under way */
	bool streams;	    /* asks for more whenever its answer was taken */
	bool ending;	    /* closes when its answer was taken */
	bool shut;	    /* will ask no more */
	uint64_t moved_ns;  /* last progress, monotonic */
	uint64_t answer_ns; /* when others must have answered; 0 nobody is waited for */
	char in[REQUEST_MAX + 1];
	size_t in_len;
	uint8_t *out;
	size_t out_cap, out_len, out_off;

	/* The command's own, cleared with every request. */
	struct request request;
	uint32_t ask;	  /* id of the question asked on its behalf */
	uint64_t waiting; /* guards that still owe an answer, a bit each */
	bool queued;	  /* for its turn to ask them */
	int64_t after;	  /* the last event it has */
	uint32_t left;	  /* rows it may still have; 0 no limit */
};

struct serve;
struct serve_calls {
	/* A request: answer it by serve_row() and serve_end(), now or later. */
	void (*asked)(void *arg, struct client *c);
	/* A streaming client took everything: more rows, or serve_end(). */
	void (*more)(void *arg, struct client *c);
	/* Nobody answered on its behalf in time: serve_end() or serve_error(). */
	void (*late)(void *arg, struct client *c);
	/* It is gone, and nobody's pointer must lead to it any longer. NULL: nobody has one. */
	void (*gone)(void *arg, struct client *c);
};

/* Owns neither `sock`, which listens, nor `arg`. Clients of group `gid` are welcome besides
 * root and the process's own user. NULL: no memory. */
struct serve *serve_new(int sock, gid_t gid, const struct serve_calls *calls, void *arg);
void serve_free(struct serve *s);

/* The descriptors to poll, at most SERVE_CLIENTS + 1; how many. */
unsigned serve_poll(struct serve *s, struct pollfd *ret_fds);
/* What poll() said of them. */
void serve_turn(struct serve *s, const struct pollfd *fds, unsigned count, uint64_t now_ns);
/* Streaming clients look again: new events are there. */
void serve_wake(struct serve *s);
/* When serve_turn() must be called at the latest, monotonic; UINT64_MAX never. */
uint64_t serve_deadline(const struct serve *s);

void serve_row(struct serve *s, struct client *c, struct bytes row);
void serve_end(struct serve *s, struct client *c);
void serve_error(struct serve *s, struct client *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The client whose question has this id, or NULL. */
struct client *serve_asker(struct serve *s, uint32_t ask);
/* One that waits for this guard, or NULL. */
struct client *serve_waiting(struct serve *s, unsigned guard);
/* One whose turn to ask the guards has not come yet, or NULL. */
struct client *serve_queued(struct serve *s);

#endif
