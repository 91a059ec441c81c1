#include "guard/door.h"

#include <stdlib.h>

#include "base/hash.h"

#define SLOTS (2 * DOORS_MAX)
#define NEAR  32 /* places that a conversation may stand in */

struct doors {
	struct door *slots;
	unsigned count;
	struct hash_key secret;
	struct gate_grant_row rows[GATE_GRANTS];
	uint32_t row_count;
	bool told;   /* which are in force */
	unsigned at; /* where doors_take() goes on */
};

struct doors *doors_new(void)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->secret = hash_key_random();
	d->slots = calloc(SLOTS, sizeof(*d->slots));
	if (d->slots)
		return d;
	free(d);
	return NULL;
}

void doors_free(struct doors *d)
{
	if (!d)
		return;
	free(d->slots);
	free(d);
}

void doors_forget(struct doors *d, const struct gate_flow_key *key)
{
	uint64_t hash = hash_bytes(&d->secret, key, sizeof(*key));

	for (unsigned i = 0; i < NEAR; i++) {
		struct door *s = &d->slots[(hash + i) % SLOTS];

		if (!s->grant || memcmp(&s->key, key, sizeof(*key)) != 0)
			continue;
		s->grant = 0;
		d->count--;
		return;
	}
}

/* Its place; else a free one near, or that of the one silent longest. */
static struct door *place(struct doors *d, const struct gate_flow_key *key)
{
	uint64_t hash = hash_bytes(&d->secret, key, sizeof(*key));
	struct door *best = NULL;

	for (unsigned i = 0; i < NEAR; i++) {
		struct door *s = &d->slots[(hash + i) % SLOTS];

		if (s->grant && memcmp(&s->key, key, sizeof(*key)) == 0)
			return s;
		if (!best || (best->grant && (!s->grant || s->seen_ns < best->seen_ns)))
			best = s;
	}
	d->count += best->grant == 0 && d->count < SLOTS;
	*best = (struct door){.key = *key};
	return best;
}

static bool ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void learn(struct door *s, uint8_t end, uint32_t next)
{
	if (!(s->known & 1u << end) || ahead(next, s->next[end]))
		s->next[end] = next;
	s->known |= (uint8_t)(1u << end);
}

void doors_see(struct doors *d, const struct gate_flow_key *key, uint8_t sender,
	       const struct packet *p, const struct gate_verdict *v, uint32_t ifindex,
	       uint64_t now_ns)
{
	struct door *s = place(d, key);

	/* The same ports anew: numbers begin anew. */
	if (s->grant != v->grant || (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		s->known = 0;
	s->grant = v->grant;
	s->ifindex = ifindex;
	s->segment = key->segment;
	s->seen_ns = now_ns;
	s->sender = sender & 1;
	s->v = *v;
	s->p = *p;
	s->p.frame.data = s->p.l3.data = s->p.l4.data = NULL;
	s->p.payload.data = s->p.fragment_body.data = s->p.embedded.data = NULL;
	s->p.tcp_options.data = NULL;
	if (p->proto != PROTO_TCP)
		return;
	learn(s, s->sender,
	      p->tcp_seq + p->payload_wire + !!(p->tcp_flags & TCP_SYN) +
		      !!(p->tcp_flags & TCP_FIN));
	if (p->tcp_flags & TCP_ACK)
		learn(s, !s->sender, p->tcp_ack);
}

void doors_set(struct doors *d, const struct gate_grant_row *rows, uint32_t count)
{
	if (count > GATE_GRANTS)
		count = GATE_GRANTS;
	if (count)
		memcpy(d->rows, rows, count * sizeof(*rows));
	d->row_count = count;
	d->told = true;
}

static bool in_force(const struct doors *d, uint32_t grant, uint64_t boot_ns)
{
	for (uint32_t i = 0; i < d->row_count; i++)
		if (d->rows[i].grant.id == grant && d->rows[i].grant.until_ns > boot_ns)
			return true;
	return false;
}

bool doors_take(struct doors *d, uint64_t boot_ns, struct door *ret_door)
{
	for (; d->told && d->count && d->at < SLOTS; d->at++) {
		struct door *s = &d->slots[d->at];

		if (!s->grant || in_force(d, s->grant, boot_ns))
			continue;
		*ret_door = *s;
		ret_door->p.tcp_seq = s->next[s->sender];
		ret_door->p.tcp_ack = s->next[!s->sender];
		ret_door->p.payload.len = 0;
		s->grant = 0;
		d->count--;
		return true;
	}
	d->at = 0;
	return false;
}
