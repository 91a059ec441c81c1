#ifndef BEDWARDEN_SEAL_LINK_LINK_INTERNAL_H
#define BEDWARDEN_SEAL_LINK_LINK_INTERNAL_H
/*
 * Shared by the link's files. links.c: all of it, its options and what is told;
 * wire.c: the socket; shake.c: a handshake; hello.c: cookies, and who may begin one;
 * peer.c: a peer and its keys in time; send.c, receive.c: frames into records and out of
 * them; path.c: how large a datagram may be.
 */
#include "base/clock.h"
#include "seal/link/estate.h"
#include "seal/link/framing.h"
#include "seal/link/link.h"
#include "seal/link/rejoin.h"
#include "seal/pki/tls.h"

#define LINK_KEYS    3		  /* of a peer at once: in use, the ones before, the ones after */
#define EVICT_NS     NSEC_PER_SEC /* a handshake that is older gives way to others */
#define SHAKE_FIRST  300000u	  /* us, until something is said again */
#define SHAKE_LAST   2000000u
#define SHAKE_QUEUE  8			  /* datagrams that wait while it signs */
#define HELLO_RANDOM 27			  /* where a ClientHello's is, in its datagram */
#define SHAKE_MTU    1200		  /* of its datagrams, UDP payload */
#define OLD_NS	     (10 * NSEC_PER_SEC)  /* keys are kept after their successors are in use */
#define TELL_NS	     (10 * NSEC_PER_SEC)  /* refusals of a kind are told so often */
#define TURN_NS	     (50 * NSEC_PER_MSEC) /* the clock of all that has no hurry */
#define DIAL_NS	     NSEC_PER_SEC	  /* between handshakes that came to nothing; doubles */
#define DIAL_MAX_NS  (8 * NSEC_PER_SEC)
#define LINK_MTU_MAX 9216 /* of links_options.mtu; at least LINK_MTU_MIN */
#define LINK_MTU_MIN 1280
#define YIELD_NS     (250 * NSEC_PER_MSEC) /* who is to be called gives the caller so much time */

#define STRANGE_SECOND 256  /* records of unknown sources that are tried on every peer's keys */
#define HELLOS_SECOND  4096 /* ClientHellos that are looked at */
#define NUDGES_SECOND  10   /* … and that are answered with a request to begin anew */

bool where_same(const struct where *a, const struct where *b);

/* --- wire.c ------------------------------------------------------------------------ */

#define WIRE_RUNS 256
#define WIRE_IN	  8 /* messages taken by one system call, each of many datagrams maybe */
#define WIRE_SIZE 65536

/* Datagrams of one length (the last may be shorter) to one place: one message for the kernel to cut. */
struct wire_run {
	struct where to;
	uint32_t off, len;
	uint16_t seg, count;
	bool closed;
};

struct wire {
	int fd; /* -1: none */
	int family;
	bool segments; /* the kernel cuts */
	uint32_t out_len;
	unsigned runs, sent; /* waiting: runs[sent .. runs) */
	struct wire_run run[WIRE_RUNS];
	uint8_t *out; /* LINK_OUT */
	uint8_t *in;  /* WIRE_IN * WIRE_SIZE */
	bool blocked; /* the socket is full */
};

int wire_open(struct wire *w);
void wire_close(struct wire *w);
int wire_take(struct wire *w, int fd);
/* An address as the socket wants it: IPv4's in IPv6's clothes where it is one for both. */
void wire_fit(const struct wire *w, struct where *at);
/* Room for a datagram of `len`; NULL: there is none before wire_flush(). */
uint8_t *wire_room(struct wire *w, size_t len);
/* The `len` bytes in the room are a datagram for `to`. */
void wire_add(struct wire *w, const struct where *to, size_t len);
/* Hands what waits to the kernel. What it can't send, for whatever reason but a full socket, is lost. */
void wire_flush(struct links *ls);
/* One round of recvmmsg(); each datagram to receive_datagram(). True: there may be more. */
bool wire_read(struct links *ls);

/* --- a handshake ----------------------------------------------------------------------- */

/* What is under OpenSSL: one datagram, handed to it; what it says goes to the wire. */
struct link_bio {
	struct links *ls;
	const struct where *at;
	const uint8_t *data;
	size_t len;
	bool peek, nonce_seen;
	uint64_t nonce; /* the first that OpenSSL used */
};

struct link_shake {
	struct links *ls;
	struct link_shake *next, *prev; /* oldest first */
	struct link_peer *peer; /* whom we call; NULL: who called will be known at its end */
	struct where at;
	SSL *ssl;
	struct link_bio bio;
	struct tls_peer who;
	uint64_t begun_ns, until_ns;
	bool client, waits;		  /* for its signature */
	bool over;			  /* to be freed */
	uint8_t random[SSL3_RANDOM_SIZE]; /* of the ClientHello that it answers */
	uint8_t alert;			  /* what the other end said, unauthenticated; 0 nothing */
	unsigned queued;
	struct {
		uint8_t *data;
		size_t len;
	} queue[SHAKE_QUEUE];
};

/* --- a peer ---------------------------------------------------------------------------- */

/* What one handshake has agreed on, at work. */
struct link_keys {
	struct session *s; /* in the estate */
	SSL *ssl; /* says its last words again if they got lost; NULL: a predecessor had it */
	struct link_bio bio;
	struct record_key *seal, *open;
};

struct path {
	uint16_t size;	    /* UDP payload that passes */
	uint16_t low, high; /* looked for in between, both included */
	uint16_t probing;   /* 0: nothing is asked */
	uint8_t tries;
	bool told;
	uint64_t token, sent_ns, next_ns, raise_ns;
};

struct link_peer {
	struct links *ls;
	char name[256];
	struct where dial, at; /* configured; where it is */
	void *arg;
	struct link_keys *keys[LINK_KEYS]; /* newest first */
	struct link_keys *use;		   /* what is sealed by; NULL none */
	bool up;
	bool renew; /* soon, whatever the age of its keys */
	uint64_t up_ns, heard_ns, rtt_ns, ping_ns, ping_token;
	uint64_t dial_ns, dial_wait_ns; /* not before; doubled each time */
	uint64_t nudge_ns;
	unsigned dial_turn;
	enum reason refused; /* why the last handshake came to nothing */
	struct {
		struct where to;
		uint64_t token, sent_ns;
	} moving;
	struct path path;
	struct rejoin rejoin;
	uint32_t split_id;
	struct link_counts counts;
};

struct told {
	uint64_t last_ns, held;
};

struct links {
	struct links_options o;
	struct links_calls calls;
	char name[256];
	SSL_CTX *client, *server;
	BIO_METHOD *bio;
	struct wire wire;
	struct estate *estate, *own_estate; /* in use; and ours, where the owner gave none */
	struct link_peer *peers[LINK_PEERS];
	unsigned peer_count;
	struct link_shake *shakes, *shakes_last;
	unsigned shake_count;
	SSL *listener; /* answers ClientHellos until one brings its cookie */
	struct link_bio listener_bio;
	uint8_t cookie_key[2][CRYPTO_KEY]; /* now, and before */
	uint64_t cookie_ns;
	uint64_t now_ns, tick_ns;
	uint8_t scratch[WIRE_SIZE]; /* what is opened and goes nowhere */
	uint64_t strange_ns;	    /* strangers' records are tried so often: tokens */
	unsigned strange_left, nudges_left, hellos_left;
	struct links_counts counts;
	struct told told[REASON_COUNT];
};

/* links.c */
void links_tell(struct links *ls, struct link_fact *f);
void links_refuse(struct links *ls, struct link_peer *p, const struct where *at, enum reason why,
		  const char *text, const char *subject);

/* shake.c */
BIO_METHOD *shake_bio(void);
/* A handshake with the peer, where it is or is said to be. */
void shake_call(struct link_peer *p, const struct where *at);
/* Takes the SSL, whose ClientHello brought its cookie. */
void shake_answer(struct links *ls, SSL *ssl, const struct where *at, struct bytes hello);
struct link_shake *shake_at(struct links *ls, const struct where *at);
void shake_input(struct link_shake *s, struct bytes datagram);
/* When it wants to be called again. */
uint64_t shake_turn(struct link_shake *s);
void shake_resume(struct link_shake *s);
void shake_end(struct link_shake *s, enum reason why, const char *text);
/* Frees those that are over. */
void shakes_bury(struct links *ls);
SSL *shake_ssl(struct links *ls, SSL_CTX *ctx, struct link_bio *b, bool client);

/* hello.c */
int hello_setup(SSL_CTX *server);
/* A ClientHello of somebody with whom there is no handshake. */
void hello_take(struct links *ls, const struct where *at, struct bytes datagram);
bool hello_is(struct bytes datagram);
void hello_forget(struct links *ls);

/* peer.c */
struct link_peer *peer_named(struct links *ls, X509 *certificate);
/* A handshake has ended well: takes its SSL. */
void peer_agreed(struct link_peer *p, struct link_shake *s);
void peer_failed(struct link_peer *p, enum reason why);
/* What a predecessor of ours had agreed on with it goes on; it may be up by that. */
void peer_adopt(struct link_peer *p);
/* An authentic record came, from there, the newest of its keys or not. */
void peer_heard(struct link_peer *p, struct link_keys *k, const struct where *from, bool newest);
/* An authentic answer to what was asked. */
void peer_answered(struct link_peer *p, const struct where *from, const struct framing *f);
void peer_left(struct link_peer *p, struct link_keys *k);
/* It asks, unauthenticated, for a new handshake. */
void peer_nudged(struct link_peer *p);
uint64_t peer_turn(struct link_peer *p);
void peer_free(struct link_peer *p);

/* send.c */
/* A question or answer, padded to `size` bytes of UDP payload (0: not); at once, to `to`. */
bool send_echo(struct link_peer *p, struct link_keys *k, const struct where *to,
	       enum framing_kind kind, enum framing_what what, uint64_t token, size_t size);
void send_farewell(struct link_peer *p, struct link_keys *k);
/* A TCP SYN's MSS, lowered to what passes this peer's link whole. */
void link_clamp(struct link_peer *p, const struct link_frame *f);

/* receive.c */
void receive_datagram(struct links *ls, const struct where *from, struct bytes datagram);

/* path.c: the size of datagrams, RFC 8899 */
void path_start(struct link_peer *p);
void path_answer(struct link_peer *p, uint64_t token);
uint64_t path_turn(struct link_peer *p);
/* Bytes of IP and UDP headers in front of a payload. */
unsigned path_over(const struct where *at);

#endif
