#ifndef BEDWARDEN_GUARD_DOOR_H
#define BEDWARDEN_GUARD_DOOR_H
/*
 * Conversations that pass because a grant says so, each with what it takes to
 * end it for both ends when nobody sends: the last packet's headers, and which
 * byte each end expects next. Which grants are in force is told by doors_set();
 * the floor judges packets by the same rows. Bounded: a full table forgets the
 * conversation that has been silent longest, which then is merely refused.
 */
#include "guard/decode/packet.h"

#define DOORS_MAX 1024 /* conversations at once */

struct doors;

struct door {
	struct gate_flow_key key;
	uint32_t grant; /* 0: a free place */
	uint32_t ifindex, segment;
	uint64_t seen_ns;
	uint32_t next[2];      /* by the key's end: one behind the last byte it sent */
	uint8_t known;	       /* a bit an end: that holds */
	struct packet p;       /* the last one; its bytes are gone, lengths hold */
	struct gate_verdict v; /* of it */
	uint8_t sender;	       /* the key's end that sent it */
};

struct doors *doors_new(void); /* NULL: no memory */
void doors_free(struct doors *d);

/* A packet that passes under v->grant. `sender` is the key's end that sends. */
void doors_see(struct doors *d, const struct gate_flow_key *key, uint8_t sender,
	       const struct packet *p, const struct gate_verdict *v, uint32_t ifindex,
	       uint64_t now_ns);
/* It has ended by itself. */
void doors_forget(struct doors *d, const struct gate_flow_key *key);
/* The grants in force, copied: at most GATE_GRANTS. */
void doors_set(struct doors *d, const struct gate_grant_row *rows, uint32_t count);
/*
 * A conversation whose grant is no longer in force, taken out of the table, made ready for
 * reset_make(): p.tcp_seq is what the receiver of p expects next, p.tcp_ack what its sender
 * does. False: there is none (any more), or nobody has said yet which are in force.
 */
bool doors_take(struct doors *d, uint64_t boot_ns, struct door *ret_door);

#endif
