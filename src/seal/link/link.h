#ifndef BEDWARDEN_SEAL_LINK_LINK_H
#define BEDWARDEN_SEAL_LINK_LINK_H
/*
 * The sealed link between gateways: Ethernet frames go in here and come out at the
 * peer as they went in. DTLS 1.2 (RFC 6347) over one UDP socket for all peers: ECDHE
 * and ECDSA, certificates on both sides, AES-GCM or ChaCha20-Poly1305. What is inside
 * the records is doc/link.md.
 *
 * The owner has the loop: it calls links_read() when the socket can be read,
 * links_write() when it can be written and links_wants_write(), and links_turn() when
 * the time comes that it asked for. No file, no name lookup, no private key (see
 * `driving`), no thread; one thread a struct links. Frames are read where they lie, and
 * what arrives is opened straight into memory that `take` gave, so that both can be
 * memory shared with another process.
 *
 * Bounded: handshakes under way (LINK_SHAKES, LINK_SHAKES_SOURCE of one address; none
 * costs memory before its cookie came back), frames being rejoined (LINK_REJOIN a peer),
 * what waits for a full socket (LINK_OUT), peers (LINK_PEERS).
 *
 * A peer is up while it is heard. Its keys are replaced by a new handshake beside the old
 * keys, by time and by volume; a frame under way is lost by neither. Nothing here ever
 * leaves in the clear: a peer that is down takes no frames.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/reason.h"

#define LINK_PEERS	   64
#define LINK_SHAKES	   64
#define LINK_SHAKES_SOURCE 8
#define LINK_REJOIN	   64
#define LINK_OUT	   (1u << 20)
/* The longest frame: what a capture socket gives with segmentation left to it, its header in front. */
#define LINK_FRAME_MAX	 (65535 + 14 + 8 + 12)
#define LINK_SOCKET_ROOM (8 << 20) /* of its socket's buffers, where it may have as much */

struct links;
struct link_peer;
struct link_shake; /* a handshake under way */
struct ssl_ctx_st;

/* What a frame's bytes begin with; carried to the peer. */
enum link_form {
	LINK_FORM_ETHERNET, /* the destination's address */
	LINK_FORM_VNET,	    /* a struct virtio_net_hdr (10 bytes), then that */
	LINK_FORM_COUNT,
};

struct link_frame {
	uint8_t *data;	  /* the MSS of a TCP SYN is clamped in place, its checksum with it */
	uint32_t len;	  /* 1 to LINK_FRAME_MAX */
	uint16_t channel; /* the owner's, carried to the peer: which segment it belongs to */
	enum link_form form;
};

enum link_event {
	LINK_UP,      /* frames can be sent; also when it had been up with other keys */
	LINK_DOWN,    /* not any longer: `reason` */
	LINK_RENEWED, /* a handshake replaced its keys */
	LINK_MOVED,   /* it is at `address` now, and was asked there */
	LINK_MTU,     /* what fits in one datagram was found or has changed */
	LINK_REFUSED, /* a handshake came to nothing or a datagram was thrown away: `reason` */
};

/* What is told. Everything is borrowed for the call. */
struct link_fact {
	enum link_event what;
	struct link_peer *peer; /* NULL: nobody's that is known */
	enum reason reason;	/* DOWN, REFUSED; else NONE */
	const char *text;	/* more, for people; or NULL */
	const struct sockaddr *address;
	const char *subject; /* of the certificate that was shown; or NULL */
	uint64_t
		repeats; /* REFUSED: so many more of the kind were not told (one a kind in 10 s is) */
};

struct links_calls {
	/* Memory for a frame of `len` bytes, to be had until deliver() or give(); NULL: none is left,
	 * the frame is lost and counted. */
	uint8_t *(*take)(void *arg, uint32_t len);
	void (*give)(void *arg, uint8_t *data);
	/* A frame of the peer, in what take() gave, which is the callee's from now on. Only out of
	 * links_read(). */
	void (*deliver)(void *arg, struct link_peer *p, const struct link_frame *f);
	void (*tell)(void *arg, const struct link_fact *f);
	/* As in struct relay_calls: whose handshake is about to sign, and that it ends. May be NULL. */
	void (*driving)(void *arg, struct link_shake *s);
	bool (*forget)(void *arg, struct link_shake *s);
	void *arg;
};

/* Zeros stand for what is in brackets. */
struct links_options {
	const char *name;      /* our certificate's */
	bool fips;	       /* AES-GCM alone */
	uint32_t keepalive_ms; /* unheard for so long, a peer is asked whether it is there [1000] */
	uint32_t dead_ms;      /* unheard for so long though asked, it is down [3500] */
	uint32_t shake_ms;     /* a handshake may take so long [8000] */
	uint32_t renew_s;      /* age of keys when they are replaced [3600] */
	uint64_t renew_records; /* … or when they sealed so much [2^26] */
	uint16_t mtu; /* the largest datagram looked for, IP header included, 1280 to 9216 [1500] */
};

struct link_options {
	const char *name; /* that the peer's certificate must have, a DNS name */
	/* Where it is asked for a handshake; len 0: it comes to us. */
	struct sockaddr_storage address;
	socklen_t address_len;
	void *arg; /* link_arg() */
};

/* NULL with errno. Strings are copied, here and below. */
struct links *links_new(const struct links_options *o, const struct links_calls *calls);
/* Peers are told that we go; then everything is gone at once. */
void links_free(struct links *ls);
/*
 * Memory of links_estate_size() bytes that outlives this process, zeros at first: the keys in use
 * are kept there, and what a predecessor left there of a peer is taken up by link_add(). A
 * process that ends in whatever way leaves its successor able to go on opening what
 * peers send; links_free() leaves nothing. At most one struct links has it at a time. The caller's,
 * and kept until links_free(). 0; -EBUSY there are peers already.
 */
size_t links_estate_size(void);
int links_estate(struct links *ls, void *memory);
/* Other options from now on; peers and keys stay. */
void links_tune(struct links *ls, const struct links_options *o);
/* Wipes what a predecessor left of peers that there are not (any more). */
void links_disown(struct links *ls);
/* Takes a bound UDP socket, AF_INET or (for both) AF_INET6 without IPV6_V6ONLY; an earlier one is
 * closed. Sets its options. -1: none. 0 or -errno. */
int links_socket(struct links *ls, int fd);
/*
 * The contexts for handshakes we begin and those that come to us, made by tls_context_new() with
 * `datagram`, `mutual` and a trust and without names, which are checked here. References of their own;
 * NULL: none begins until there is one. Keys in use are not touched; with `renew`, every peer's are
 * replaced soon (what is trusted has changed).
 */
void links_context(struct links *ls, struct ssl_ctx_st *client, struct ssl_ctx_st *server,
		   bool renew);

/* True: there may be more, call again (others got their turn meanwhile). */
bool links_read(struct links *ls);
bool links_wants_write(const struct links *ls);
void links_write(struct links *ls);
/* What the time brings. Answers when it wants to be called again (monotonic ns). */
uint64_t links_turn(struct links *ls, uint64_t now_ns);
/* The signature that `who` waited for is there. False: that is no handshake of ours that is still
 * under way; `who` is not looked into. */
bool links_resume(struct links *ls, const void *who);

/* NULL with errno: EEXIST the name, ENOSPC LINK_PEERS, EINVAL, ENOMEM. The first handshake begins
 * in the next links_turn(). It is up at once where a predecessor had agreed on keys with it, which
 * are replaced soon. */
struct link_peer *link_add(struct links *ls, const struct link_options *o);
/* It is told that we go, and its frames under way are lost. */
void link_remove(struct link_peer *p);
void *link_arg(const struct link_peer *p);
bool link_is_up(const struct link_peer *p);

/*
 * Seals frames for the peer, from the first, reading them where they lie; small ones that
 * are offered together share records. They go out by links_flush() at the latest. How many were
 * taken, whose memory is free again; fewer than n: the socket is full, offer the rest once
 * links_wants_write() is over. -ENOTCONN: the peer is down, nothing was taken. A frame that
 * can't be sealed (its length) counts as taken, and in `unfit`.
 */
int link_send(struct link_peer *p, const struct link_frame *frames, unsigned n);
void links_flush(struct links *ls);

struct link_counts {
	uint64_t frames_out, bytes_out, frames_in, bytes_in; /* as they were given and delivered */
	uint64_t records_out, datagrams_out, wire_out;	     /* bytes of UDP payload */
	uint64_t records_in, wire_in;
	uint64_t split, rejoined;    /* frames that did not fit in a datagram */
	uint64_t unfit;		     /* to send: too long or empty */
	uint64_t replayed;	     /* come before, or too late to know */
	uint64_t forged;	     /* datagrams that no key opens */
	uint64_t malformed;	     /* opened, and yet against doc/link.md */
	uint64_t missing;	     /* records that never came, as far as numbers tell */
	uint64_t incomplete;	     /* frames of which a piece never came */
	uint64_t no_memory;	     /* take() gave none */
	uint64_t clamped;	     /* TCP SYNs */
	uint64_t handshakes, failed; /* finished; come to nothing */
	uint64_t moved;
};
void link_counts(const struct link_peer *p, struct link_counts *ret_counts);

struct link_status {
	bool up;
	uint64_t since_ns;     /* of `up`, monotonic */
	uint64_t handshake_ns; /* when the keys in use were agreed; 0 never */
	uint64_t heard_ns;
	uint64_t rtt_ns; /* smoothed; 0 not known */
	uint16_t
		mtu; /* the largest datagram that was found to pass, IP header included; 0 not known */
	struct sockaddr_storage address; /* family 0: not known */
	const char *cipher;		 /* OpenSSL's name; NULL none */
	char subject[128];
	uint64_t not_after_s; /* of its certificate, since 1970 */
};
void link_status(const struct link_peer *p, struct link_status *ret_status);

/* What nobody's keys open, and what came of handshakes of strangers. */
struct links_counts {
	uint64_t strange;	  /* datagrams of unknown sources that no key opens */
	uint64_t hellos, cookies; /* ClientHellos without, and asked for, a cookie */
	uint64_t refused;	  /* handshakes beyond the bounds */
	uint64_t shaking;	  /* handshakes under way now */
};
void links_counts(const struct links *ls, struct links_counts *ret_counts);

#endif
