#ifndef BEDWARDEN_SEAL_RELAY_RELAY_INTERNAL_H
#define BEDWARDEN_SEAL_RELAY_RELAY_INTERNAL_H
/*
 * Shared by relay.c, the loop and its relays; conn.c, one connection from beginning to end;
 * passing.c, its bytes both ways; secure.c, the socket under its handshake, and the keys that come of it;
 * posthandshake.c, what TLS says besides data; side.c, one end's socket; batch.c, what a turn sends;
 * handover.c, from process to process.
 */
#include <sys/epoll.h>

#include "base/clock.h"
#include "seal/pki/tls.h"
#include "seal/relay/proxy.h"
#include "seal/relay/reading.h"
#include "seal/relay/relay.h"
#include "seal/relay/traffic.h"

#define RELAY_IN     (128u << 10) /* taken of a socket in one piece */
#define RELAY_CLEAR  (160u << 10) /* … and what it may become, with the record that had begun */
#define RELAY_SEALED (256u << 10) /* what that becomes in records, and more */
#define SHAKE_NS     (10 * NSEC_PER_SEC)  /* to connect or to set up encryption */
#define HALF_NS	     (300 * NSEC_PER_SEC) /* quiet, one direction having ended */
#define STUCK_NS     (120 * NSEC_PER_SEC) /* something waits and nothing is taken */
#define EVICT_NS     NSEC_PER_SEC	  /* a handshake this old makes room for another */
#define REPEAT_NS    (60 * NSEC_PER_SEC)  /* refusals of a kind are told so often */

struct side {
	struct conn *conn;
	int fd;		  /* -1: none yet */
	uint32_t watched; /* what epoll reports; its own errors besides */
	bool polled;	  /* epoll knows it */
	bool rest;	  /* there may be more to read, which epoll has reported already */
	bool ended;	  /* will say no more */
	bool closing;	  /* is told that nothing more comes, once the queue is gone */
	bool shut;	  /* was told */
	bool batched;	  /* something for it leaves with what others of the turn are sent */
	uint8_t *queue;	  /* waits for it: queue[off .. len) */
	size_t off, len;
};

enum conn_state {
	CONN_HEADER, /* its PROXY header */
	CONN_SHAKE_IN,
	CONN_CONNECT,
	CONN_SHAKE_OUT,
	CONN_OPEN,
	CONN_OVER, /* freed when the turn has ended */
};

/* While a handshake is on. */
struct agreeing {
	struct traffic_secret client, server; /* TLS 1.3; len 0: not agreed on yet */
	struct traffic_watch watch;	      /* TLS 1.2 */
};

/* What TLS says besides data, piece by piece (posthandshake.c). */
struct post {
	uint8_t head[4];
	uint8_t have;	  /* of it */
	uint32_t left;	  /* of the message that it begins */
	uint8_t wish;	  /* KeyUpdate's */
	unsigned without; /* records in a row that brought no data */
};

struct conn {
	struct relay *relay;
	struct conn *next, *prev;	      /* of the relay's */
	struct conn *shake_next, *shake_prev; /* of those that are not open yet, oldest first */
	struct side in, out;
	SSL *ssl; /* until its handshake is over */
	struct agreeing *agreeing;
	struct traffic *seal, *open; /* from then on */
	struct post post;
	bool is13;		 /* TLS 1.3 */
	struct reading *reading; /* NULL: nothing is read */
	enum conn_state state;
	bool waits; /* for its signature */
	bool told;  /* its opening */
	uint8_t header_len;
	bool farewell;	  /* close_notify was said */
	uint32_t records; /* sealed by the present key */
	uint64_t id, begun_ns, moved_ns;
	uint8_t *
		early; /* was taken from the socket before OpenSSL wanted it: [early_off .. early_len) */
	size_t early_off, early_len;
	uint64_t bytes[2];
	struct proxy_header who; /* who connected, to where */
	struct tls_peer peer;	 /* long, and behind what each message needs */
};

struct told {
	uint64_t last_ns, held;
};

struct relay {
	struct relays *all;
	struct relay *next;
	struct relay_options o;
	char name[64], server_name[256];
	SSL_CTX *ctx;
	int listener;
	bool paused; /* nothing is left to take a connection with */
	bool retired;
	struct conn *conns;
	struct relay_counts counts;
	struct told told[REASON_COUNT];
};

struct other {	/* a descriptor that is somebody else's */
	int fd; /* -1: free */
	void (*fn)(void *arg);
	void *arg;
};

struct relays {
	struct other others[RELAYS_OTHERS];
	struct relay_calls calls;
	int epoll;
	struct relay *list;
	struct conn *shaking, *shaking_last;
	unsigned shaking_count;
	struct conn *over; /* by `next` */
	BIO_METHOD *bio;
	uint64_t now_ns, ids;
	struct batch *batch;
	bool batching;	       /* others have something to say in this turn, too */
	unsigned budget;       /* times the socket under TLS may be read in this turn */
	size_t sealed_len;     /* records on their way out, of the one connection that is on */
	bool flooded;	       /* the records did not fit */
	size_t in_off, in_len; /* of what was taken from the socket under TLS */
	uint8_t in[TRAFFIC_RECORD + RELAY_IN], clear[RELAY_CLEAR], sealed[RELAY_SEALED];
};

/* relay.c */
void relay_tell(struct conn *c, struct relay_fact *f);
void relay_refuse(struct relay *r, const struct proxy_header *who, enum reason why,
		  const char *text, const struct conn *c);
/* Between its list and the dead. */
void relay_forget(struct conn *c);
void relay_shaken(struct conn *c);

/* The encrypted end and the other; whose they are. */
static inline struct side *conn_secure(struct conn *c)
{
	return c->relay->o.tls_in ? &c->in : &c->out;
}

static inline struct side *conn_plain(struct conn *c)
{
	return c->relay->o.tls_in ? &c->out : &c->in;
}

static inline struct relays *conn_all(struct conn *c)
{
	return c->relay->all;
}

/* conn.c */
/* Takes the descriptor. */
void conn_new(struct relay *r, int fd, const struct proxy_header *who);
/* What epoll said of a side. */
void conn_event(struct side *s, uint32_t events);
void conn_resume(struct conn *c);
/* Not in order: both ends are cut off; NONE: in order. */
void conn_end(struct conn *c, enum reason why, const char *text);
/* An end has hung up. */
void conn_gone(struct conn *c, struct side *s);
void conn_tick(struct conn *c);
/* Opened elsewhere: its memory, in its relay's list. NULL. */
struct conn *conn_adopt(struct relay *r);
/* It goes on elsewhere; nobody is told. */
void conn_release(struct conn *c);
void conn_free(struct conn *c);

/* passing.c */
/* What there is of an end, to the other. */
void conn_move(struct conn *c, struct side *s);
/* What can be told of an end's end is told; both ends ended: it is over. */
void conn_conclude(struct conn *c);

/* secure.c */
BIO_METHOD *secure_bio(void);
/* Before OpenSSL is asked to read: what the socket holds may be taken so often. */
void secure_may_read(struct conn *c, unsigned times);
/* After it: nothing of what was taken gets lost. False: no memory. */
bool secure_keep(struct conn *c);
/* OpenSSL's handshake is over: its keys, from now on ours. 0 or -errno. */
int secure_agree(struct conn *c);
/* Both ways to hear what OpenSSL agreed on: library_watch(), and SSL_CTX_set_keylog_callback(). */
void secure_secret(void *conn, bool client, struct bytes secret);
void secure_keylog(const SSL *ssl, const char *line);
void secure_forget(struct conn *c); /* what the handshake needed */
/* What came early is moved to `ret_data`, which has room for all of it. Its length. */
size_t secure_early(struct conn *c, uint8_t *ret_data);
/* Seals, to go out by secure_flush(). False: the library failed, or there is no room. */
bool secure_put(struct conn *c, uint8_t type, const void *data, size_t len);
/* What was sealed goes out. False: the encrypted end is gone, or takes nothing. */
bool secure_flush(struct conn *c);

/* posthandshake.c */
enum post_said { POST_NOTHING, POST_END, POST_BAD };
/* A record that is no data. BAD: an alert is put, and *ret_text says why for a person. */
enum post_said post_take(struct conn *c, uint8_t type, struct bytes content, const char **ret_text);
/* A fatal alert is put. */
void post_alert(struct conn *c, uint8_t alert);
/* Our key was used long enough (RFC 8446 §5.5): another. False: the library failed. */
bool post_renew(struct conn *c);

/* side.c */
static inline bool side_waits(const struct side *s)
{
	return s->len > s->off;
}

/* Sends at once what is taken at once, or with the turn's batch; the rest waits. False: the end is gone. */
bool side_send(struct side *s, const uint8_t *data, size_t len);
/* Waits, behind what does. False: no memory, or it is too much. */
bool side_keep(struct side *s, const uint8_t *data, size_t len);
/* As recv(2). Less than there is room for: more will be reported when it comes. */
ssize_t side_recv(struct side *s, uint8_t *ret_data, size_t room);
/* Of what epoll reports: less than there is room for does not mean that there is no more. */
#define SIDE_REST (EPOLLRDHUP | EPOLLPRI)
/* What waits. False: the end is gone. */
bool side_flush(struct side *s);
/* Tells epoll what is to be reported of it now. */
void side_watch(struct conn *c, struct side *s);
/* `cut`: by a reset. */
void side_close(struct relays *all, struct side *s, bool cut);
/* A socket's settings; those of one that listens are its connections', too. */
void side_tune(int fd);

/*
 * batch.c: what the conversations of one turn send, by one call of the kernel (ADR 52). Who is woken by
 * it then takes the processor from us once in a turn, not once a message. Of a side no more than one
 * piece is in it: what a side is sent after that is preceded by batch_send().
 */
#define BATCH_PIECE 4096 /* a longer one is worth its own call */
#define BATCH_EVENT 2	 /* pieces that one event puts, at most */

/* NULL: no memory. Where it turns out that the kernel has no such call it takes nothing. */
struct batch *batch_new(void);
void batch_free(struct batch *b);
/* A copy, for a side for which nothing waits. False: it is to be sent otherwise. */
bool batch_put(struct batch *b, struct side *s, const uint8_t *data, size_t len);
/* There is no room for another event. */
bool batch_full(const struct batch *b);
/* Everything in it leaves, or waits in its side's queue. What else is to be done, batch_settle() does. */
void batch_send(struct batch *b);
/* The same, between two events: ends are told gone, or watched for room. It is empty then. */
void batch_settle(struct batch *b);

#endif
