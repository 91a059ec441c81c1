#ifndef BEDWARDEN_SEAL_RELAY_RELAY_H
#define BEDWARDEN_SEAL_RELAY_RELAY_H
/*
 * TCP in one form in, in the other out: what a device says in the clear goes on
 * inside TLS, or the reverse. One thread, one epoll, any number of relays.
 *
 * Bounded: connections a relay, handshakes under way in all and from one source,
 * what waits for a slow end (RELAY_QUEUE a direction; whoever sends is not read
 * until it has gone), and how long each may take. Half-closed conversations go on in
 * the other direction. What was judged unfit never goes on whole. A new
 * certificate serves new connections; those that stand are not touched.
 *
 * Descriptors are given or made here by socket(2) and connect(2); no file, no name
 * lookup, no private key (see `driving`).
 */
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/reason.h"

#define RELAY_QUEUE	 (1u << 20) /* bytes that wait for one end, before it counts as stuck */
#define RELAY_HANDSHAKES 1024	    /* under way at once */
#define RELAY_SOURCE_MAX 256	    /* of those from one address */

struct relay;
struct relays;
struct conn;
struct ssl_ctx_st;
struct proto;
struct msg;

enum relay_proxy { RELAY_PROXY_NONE, RELAY_PROXY_OUT, RELAY_PROXY_IN, RELAY_PROXY_BOTH };

/* What is told of a connection. Everything is borrowed for the call. */
struct relay_fact {
	enum { RELAY_OPENED, RELAY_CLOSED, RELAY_REFUSED, RELAY_MESSAGE, RELAY_LATE } what;
	const char *relay;
	uint64_t id;		  /* of the connection, the same from its opening to its end */
	uint8_t from[16], to[16]; /* who connected, and to whom it is passed on */
	uint16_t from_port, to_port;
	enum reason reason; /* REFUSED, LATE, and CLOSED where it was not in order */
	const char *text;   /* more about it, for people; or NULL */
	const char *subject, *version, *cipher; /* of the encrypted end; NULL not known */
	uint64_t bytes[2];			/* from who connected, and back */
	uint64_t duration_ms;
	const struct proto *proto; /* MESSAGE */
	const struct msg *msg;
	unsigned end;	  /* who said it: 0 connected */
	uint64_t repeats; /* REFUSED: this many more of the kind were not told */
};

struct relay_options {
	const char *name;
	bool tls_in; /* TLS where it listens, clear where it connects; else the reverse */
	struct sockaddr_storage connect;
	socklen_t connect_len;
	const char *server_name; /* sent as SNI where we connect by TLS; NULL none */
	enum relay_proxy proxy;
	uint32_t connections; /* at most, */
	uint32_t per_source;  /* and of these from one address; 0: as many */
	uint32_t idle_s;      /* quiet for so long, it is ended; 0 never */
	/* Whether this address may connect at all; NULL all may. */
	bool (*admits)(void *arg, const uint8_t ip[16]);
	const struct proto *proto; /* is read, and nothing else passes; NULL: nothing is read */
	/* Why a message must not pass; REASON_NONE it may. */
	enum reason (*judge)(void *arg, const struct proto *p, const struct msg *m);
	/*
	 * Instead of connecting: takes the far end of a socket pair, and whose certificate
	 * was shown (DER, borrowed; empty none). 0 or -errno. NULL: it connects.
	 */
	int (*serve)(void *arg, int fd, const uint8_t from[16], struct bytes certificate);
	void *arg; /* of these */
};

struct relay_calls {
	void (*tell)(void *arg, const struct relay_fact *f);
	/* A handshake of `c` is about to be driven; NULL: not any longer. May be NULL. */
	void (*driving)(void *arg, struct conn *c);
	/* `c` ends: whatever stands still for it fails, to be driven once more. True: something did. */
	bool (*forget)(void *arg, struct conn *c);
	void *arg;
};

/* NULL with errno. Whoever has one ignores SIGPIPE. */
struct relays *relays_new(const struct relay_calls *calls);
/* Ends every connection at once. */
void relays_free(struct relays *rs);
/*
 * A process gives its place to the next: what stands goes into `sock`, one end of a pair of
 * SOCK_SEQPACKET, and lies in there, sockets and keys, until the next one reads it from the other end
 * (ADR 43). How many; who is left (it was not open yet, or the pair is full) stands as before.
 */
unsigned relays_hand_over(struct relays *rs, int sock);
/* What lies there goes on here, by the relay of the same name. How many; *ret_lost could not. */
unsigned relays_take_over(struct relays *rs, int sock, unsigned *ret_lost);
/* Handshakes under way. */
unsigned relays_shaking(const struct relays *rs);
/* Waits until something is to be done, `timeout_ms` at most, and does it. */
void relays_turn(struct relays *rs, int timeout_ms);
/*
 * The loop looks after another descriptor, too: `fn` is called when it can be read. It stays the
 * caller's, who takes it out before closing it. 0 or -errno; -ENOBUFS there are RELAYS_OTHERS.
 */
#define RELAYS_OTHERS 96
int relays_watch(struct relays *rs, int fd, void (*fn)(void *arg), void *arg);
void relays_unwatch(struct relays *rs, int fd);
/* Once a second or so: what took too long. */
void relays_tick(struct relays *rs);
/* The signature that `c` waited for is there. */
void relays_resume(struct relays *rs, struct conn *c);

/* A relay without listener or context yet. Options are copied, `name` and `server_name` too. NULL. */
struct relay *relay_add(struct relays *rs, const struct relay_options *o);
/* Takes the context, one of tls_context_new()'s (a reference of its own); NULL: nobody is let in until there is one. */
void relay_context(struct relay *r, struct ssl_ctx_st *ctx);
/* Takes the descriptor, which listens; -1: listens no more. 0 or -errno. */
int relay_listen(struct relay *r, int fd);
/* No more listening; when its last connection has ended, it goes. */
void relay_retire(struct relay *r);
const char *relay_name(const struct relay *r);

struct relay_counts {
	uint64_t accepted, refused, open, handshakes, bytes, messages;
};
void relay_counts(const struct relay *r, struct relay_counts *ret_counts);
/* It listens and has a certificate to show, or to judge others by. */
bool relay_ready(const struct relay *r);
/* Connections that stand, of all relays. */
uint64_t relays_open(const struct relays *rs);

#endif
