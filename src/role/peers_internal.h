#ifndef BEDWARDEN_ROLE_PEERS_INTERNAL_H
#define BEDWARDEN_ROLE_PEERS_INTERNAL_H
/*
 * Shared by the files of role/peers.h. peers.c: which peers there are, their certificates, the loop's
 * turn; party.c: the memory that each guard shares with us, and frames both ways; peers_tell.c: events
 * and counters.
 */
#include <string.h>

#include <jansson.h>

#include "base/share.h"
#include "bpf/shared.h"
#include "role/peers.h"
#include "role/setup.h"
#include "role/steer.h"
#include "seal/link/link.h"

#define PARTY_BATCH   64
#define PEERS_DEVICES 65536u
#define PEERS_GRAVES  16

/* One guard's memory and queues. */
struct party {
	uint8_t *memory; /* NULL: no such guard yet */
	uint32_t chunks;
	struct share_queues queues; /* at NULL: none */
	int wakes;		    /* the guard */
	uint8_t *fresh;		    /* memory that comes with the next queues */
	uint32_t fresh_chunks;
	int fresh_wakes;
	/* Taken from SHARE_SEAL, and the peer's socket was full. */
	struct spsc_entry held[PARTY_BATCH];
	unsigned held_first, held_count;
	uint32_t spare[SHARE_INBOX]; /* empty chunks */
	unsigned spares;
	bool opened; /* something to publish */
};

struct peer {
	struct link_peer *core;
	json_t *setup; /* what it was made of */
	uint32_t ifindex;
	uint64_t too_late;
};

/* Memory of a guard that is gone, in which a frame may still be under way to be whole. */
struct grave {
	uint8_t *memory;
	uint32_t chunks;
	uint64_t since_ns;
};

struct peers {
	struct link *link;
	struct links *core;
	struct gate_link *links; /* shared with guards and kernel; NULL: not told yet */
	int wake;		 /* by which guards wake us; -1 */
	struct peer list[GATE_LINKS];
	struct party *parties[SETUP_GUARDS_MAX];
	unsigned party_count;
	struct grave graves[PEERS_GRAVES];
	void *estate;	     /* keys that outlive us (IPC_ESTATE); NULL none */
	int sock;	     /* -1: none */
	bool hears;	     /* it is watched */
	bool rests;	     /* what comes by it is for a successor */
	uint64_t sock_ns;    /* since when it is there */
	struct steer *steer; /* used where there are several */
	json_t *setup;	     /* what was told of the link itself */
	char *trust;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	struct setup_sealed *sealed; /* by device */
	uint32_t generation;
	uint64_t beat_ns;
	struct setup_peers report;
};

/* peers.c */
/* A member of a JSON object; "" where there is none. */
const char *peers_text(const json_t *o, const char *key);
/* Tells kernel and guards which peer takes frames, as of `now`. */
void peers_beat(struct peers *ps, uint64_t now);

/* party.c */
/* The guard's, made where there is none yet; NULL: no such guard, or no memory. */
struct party *party_of_guard(struct peers *ps, uint32_t guard);
/* A guard with new queues. What the last one had handed over still goes. False: it lies. */
bool party_begin(struct peers *ps, struct party *y, uint32_t guard, int queues);
/* Seals what it handed over: a few batches, then the next gets its turn. True: there may be more. */
bool party_send(struct peers *ps, struct party *y, uint32_t guard);
/* Shows it what was done. */
void party_publish(struct party *y);
void party_free(struct peers *ps, struct party *y);
/* Memory of guards that are gone, once nothing refers to it; `now` UINT64_MAX: all of it. */
void party_weed(struct peers *ps, uint64_t now);
/* How many frames that come in there is memory for now; 0: no guard has given any. */
unsigned party_room(struct peers *ps);
/* As struct links_calls has them; `arg` is the struct peers. */
uint8_t *party_take(void *arg, uint32_t len);
void party_give(void *arg, uint8_t *data);
void party_deliver(void *arg, struct link_peer *core, const struct link_frame *f);

/* peers_tell.c */
void peers_tell(void *arg, const struct link_fact *f);

#endif
