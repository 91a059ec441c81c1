#ifndef BEDWARDEN_GUARD_FLOW_FLOW_INTERNAL_H
#define BEDWARDEN_GUARD_FLOW_FLOW_INTERNAL_H
/*
 * The table of flows, shared by its own files: flow.c, what becomes of a flow; flow_index.c, how it
 * is found; flow_idle.c, how long it has been silent.
 */
#include "base/hash.h"
#include "guard/flow/flow.h"

#define FLOW_NONE 0 /* no flow has this number: memory that was never touched names none */

/*
 * One list a timeout: in each, flows stand in the order they were last moved to its
 * tail. A flow whose timeout has become much longer stays where it is until that is
 * its turn: moving it costs cache misses on its neighbours.
 */
enum idle_class {
	IDLE_TCP_NEW,
	IDLE_TCP_ESTABLISHED,
	IDLE_TCP_CLOSED,
	IDLE_UDP_NEW,
	IDLE_UDP_ESTABLISHED,
	IDLE_ICMP,
	IDLE_OTHER,
	IDLE_CLASSES, /* also: in no list yet */
};

struct flow_idle_list {
	uint32_t head, tail;
	uint64_t timeout_ns;
	/* from the one to the other the head, where it still is, does not end */
	uint64_t looked_ns, due_ns;
};

/*
 * Whom a flow stands between in its list are two more that are not in the cache. So those that
 * are to be moved are gathered, and moved when what they need of memory has come.
 */
#define FLOW_DUE 32

/*
 * A cache line: the hashes tell, without a look at the flows, which of them it
 * is, so that the right one can be prefetched. What does not fit is chained.
 */
#define FLOW_SLOTS 7
struct flow_bucket {
	uint32_t hash[FLOW_SLOTS];
	uint32_t flow[FLOW_SLOTS]; /* FLOW_NONE: free */
	uint32_t chain;
	uint32_t pad;
};

struct flow_table {
	struct flow *flows;
	struct flow_bucket *buckets;
	size_t flows_size, buckets_size; /* bytes */
	uint32_t mask;			 /* buckets - 1 */
	uint32_t max, count;
	uint32_t grow_at; /* with so many flows it grows; above `max`: it does not */
	uint32_t free;	  /* of those once used; linked by `next` */
	uint32_t used;	  /* never used from here on: memory not touched yet */
	bool of_file;	  /* nobody sees what it does and answers to that: `pairs` is the key */
	struct hash_key key;
	struct hash_pairs_key pairs;
	uint64_t id;
	anomaly_set fresh;
	struct flow_idle_list idle[IDLE_CLASSES];
	uint32_t due[FLOW_DUE]; /* flows that are to be moved to the tail of their list */
	unsigned due_count;
	flow_ended_fn ended;
	flow_stays_fn stays; /* NULL: nobody is asked */
	void *arg;
};

static inline void flow_fetch(const struct flow_table *t, uint32_t i)
{
	for (unsigned line = 0; line < sizeof(*t->flows); line += 64)
		__builtin_prefetch((const char *)&t->flows[i] + line, 1);
}

static inline void flow_fetch_session(const struct flow *f)
{
	if (!f->session)
		return;
	__builtin_prefetch(f->session, 1);
	__builtin_prefetch((const char *)f->session + 64, 1);
}

/* Into its bucket, by its hash; out of it. */
void flow_index_add(struct flow_table *t, struct flow *f);
void flow_index_remove(struct flow_table *t, const struct flow *f);
/* NULL: there is none. */
struct flow *flow_index_find(const struct flow_table *t, const struct flow_hint *h);
/* Of a file's, where that found none: the one of the same ends in another VLAN that the packet is of. */
struct flow *flow_index_across(const struct flow_table *t, const struct flow_hint *h,
			       const struct packet *p);
/* Buckets for twice the flows; where there is no memory for them, more flows share one. */
void flow_index_grow(struct flow_table *t);

void flow_idle_set_timeouts(struct flow_table *t, const struct flow_timeouts *s);
/* A packet of it came: where that is due, it goes to the tail of its list. */
void flow_idle_touch(struct flow_table *t, struct flow *f, uint64_t now_ns);
void flow_idle_unlink(struct flow_table *t, struct flow *f);
/* Of a full table, the one that is to go; never NULL. */
struct flow *flow_idle_worst(struct flow_table *t, uint64_t now_ns);

/* Tells of it and takes it out: its place is free. */
void flow_table_end(struct flow_table *t, struct flow *f, enum flow_end how);

#endif
