#include "guard/flow/fragment.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/sum.h"

#include <errno.h>
#include <stdlib.h>

#define NONE	   UINT32_MAX
#define FRAMES_MIN 8u
#define PIECES_MAX 128u /* 65535 bytes in the smallest pieces a sane link makes (576) */
#define SOURCES	   256u
#define PAIRS	   4096u
#define FRESH_NS   (15 * NSEC_PER_SEC) /* in so long */
#define FRESH_MAX  (65536u / 5) /* so many are given, so that none comes again in four times that */
#define IP_MAX	   65535u
#define WHOLE_MAX  (IP_MAX + 40 + 14 + 4 * PACKET_VLANS)

struct piece {
	struct frame frame;
	struct bytes body;
	uint32_t offset;
	uint32_t came_next;   /* in the order they came; of free pieces, the free list */
	uint32_t sorted_next; /* by offset; exact duplicates are not in it */
};

struct key {
	struct gate_ip src, dst;
	uint32_t id, ifindex;
	/* What else decides who gets a piece, or whether anybody does: who sends a whole datagram sends
	 * all of it the same way, and of two that went by different ways a receiver could make a third. */
	uint8_t src_mac[6], dst_mac[6];
	uint16_t vlan[PACKET_VLANS];
	uint8_t version, proto; /* IPv6: 0, the pieces need not agree (RFC 8200 §4.5) */
	uint8_t ttl, vlan_count;
};

struct links {
	uint32_t prev, next;
};

struct list {
	uint32_t head, tail;
};

struct datagram {
	struct key key;
	uint64_t first_ns;
	uint32_t hash, next;   /* chain of the bucket; of free datagrams, the free list */
	struct links age, kin; /* among all, and among those of its source; oldest first */
	uint32_t came_head, came_tail, sorted;
	uint32_t count; /* frames held */
	uint32_t total; /* bytes; 0 until the last piece is there */
	uint32_t source;
	enum anomaly refused; /* ANOMALY_COUNT: not; else what is still to come is refused too */
};

struct source {
	struct list datagrams;
	uint32_t held;
};

/* What two ends have for identifications, or several such pairs; given one after the other. */
struct pair {
	uint64_t since_ns;
	uint32_t given; /* since then */
	uint32_t last;
};

struct fragment_table {
	struct piece *pieces;
	struct datagram *datagrams;
	uint32_t *buckets;
	uint32_t mask;
	uint32_t max, quota, held;
	uint32_t free_piece, free_datagram;
	uint32_t unused_piece, unused_datagram; /* never used from here on; the free lists' last */
	struct list age;
	struct source sources[SOURCES];
	struct pair pairs[PAIRS];
	uint64_t timeout_ns;
	struct hash_key hash_key;
	fragment_ended_fn ended;
	void *arg;
	struct frame given[PIECES_MAX + 1];
	uint8_t whole[WHOLE_MAX];
};

/* What is behind free entry i: those never used come one after the other, untouched until then. */
static uint32_t behind(const struct fragment_table *t, uint32_t i, uint32_t next, uint32_t *unused)
{
	if (i != *unused)
		return next;
	return ++*unused < t->max ? *unused : NONE;
}

static void empty(struct fragment_table *t)
{
	memset(t->buckets, 0xff, (t->mask + 1) * sizeof(*t->buckets));
	t->age = (struct list){NONE, NONE};
	for (unsigned i = 0; i < SOURCES; i++)
		t->sources[i].datagrams = (struct list){NONE, NONE};
}

struct fragment_table *fragment_table_new(const struct fragment_limits *l, fragment_ended_fn ended,
					  void *arg)
{
	struct fragment_table *t;
	uint32_t buckets = 64;

	if (l->frames < FRAMES_MIN || l->frames > 1u << 24) {
		errno = EINVAL;
		return NULL;
	}
	while (buckets < l->frames)
		buckets *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->pieces = calloc(l->frames, sizeof(*t->pieces));
	t->datagrams = calloc(l->frames, sizeof(*t->datagrams));
	t->buckets = calloc(buckets, sizeof(*t->buckets));
	if (!t->pieces || !t->datagrams || !t->buckets) {
		fragment_table_free(t);
		errno = ENOMEM;
		return NULL;
	}
	t->mask = buckets - 1;
	t->max = l->frames;
	t->quota = l->frames / 8 < 4 ? 4 : l->frames / 8;
	t->timeout_ns = l->timeout_ms * NSEC_PER_MSEC;
	t->hash_key = hash_key_random();
	for (unsigned i = 0; i < PAIRS; i++)
		t->pairs[i].last = (uint32_t)hash_bytes(&t->hash_key, &i, sizeof(i));
	t->ended = ended;
	t->arg = arg;
	empty(t);
	return t;
}

static void age_append(struct fragment_table *t, uint32_t i)
{
	struct datagram *d = &t->datagrams[i];

	d->age = (struct links){t->age.tail, NONE};
	*(t->age.tail == NONE ? &t->age.head : &t->datagrams[t->age.tail].age.next) = i;
	t->age.tail = i;
}

static void age_unlink(struct fragment_table *t, struct datagram *d)
{
	*(d->age.prev == NONE ? &t->age.head : &t->datagrams[d->age.prev].age.next) = d->age.next;
	*(d->age.next == NONE ? &t->age.tail : &t->datagrams[d->age.next].age.prev) = d->age.prev;
}

static void kin_append(struct fragment_table *t, uint32_t i)
{
	struct datagram *d = &t->datagrams[i];
	struct list *l = &t->sources[d->source].datagrams;

	d->kin = (struct links){l->tail, NONE};
	*(l->tail == NONE ? &l->head : &t->datagrams[l->tail].kin.next) = i;
	l->tail = i;
}

static void kin_unlink(struct fragment_table *t, struct datagram *d)
{
	struct list *l = &t->sources[d->source].datagrams;

	*(d->kin.prev == NONE ? &l->head : &t->datagrams[d->kin.prev].kin.next) = d->kin.next;
	*(d->kin.next == NONE ? &l->tail : &t->datagrams[d->kin.next].kin.prev) = d->kin.prev;
}

/* A receiver tells datagrams apart by both addresses, protocol and identification (RFC 791 §3.2). */
static bool fresh_id(struct fragment_table *t, const struct key *k, uint64_t now_ns,
		     uint32_t *ret_id)
{
	struct gate_ip of[3] = {k->src, k->dst, {.b = {k->proto}}};
	struct pair *p = &t->pairs[hash_bytes(&t->hash_key, of, sizeof(of)) % PAIRS];

	if (now_ns - p->since_ns >= FRESH_NS) {
		p->since_ns = now_ns;
		p->given = 0;
	}
	if (k->version == 4 && p->given == FRESH_MAX)
		return false;
	p->given++;
	*ret_id = ++p->last;
	return true;
}

/* Gives every frame back, `last` with them if there is one; the datagram stays, empty. */
static void give_back(struct fragment_table *t, struct datagram *d, enum fragment_end how,
		      enum anomaly why, const struct frame *last, const struct frame *whole)
{
	struct fragment_datagram told = {.how = how, .anomaly = why, .frames = t->given};
	uint32_t i = d->came_head;

	while (i != NONE) {
		struct piece *q = &t->pieces[i];
		uint32_t next = q->came_next;

		t->given[told.count++] = q->frame;
		q->came_next = t->free_piece;
		t->free_piece = i;
		i = next;
	}
	if (last)
		t->given[told.count++] = *last;
	if (whole) {
		told.whole = *whole;
		told.is_fresh = fresh_id(t, &d->key, whole->time_ns, &told.fresh_id);
	}
	t->held -= d->count;
	t->sources[d->source].held -= d->count;
	d->count = 0;
	d->came_head = d->came_tail = d->sorted = NONE;
	if (told.count)
		t->ended(t->arg, &told);
}

static void forget(struct fragment_table *t, struct datagram *d)
{
	uint32_t i = (uint32_t)(d - t->datagrams), *at = &t->buckets[d->hash & t->mask];

	while (*at != i)
		at = &t->datagrams[*at].next;
	*at = d->next;
	age_unlink(t, d);
	kin_unlink(t, d);
	d->next = t->free_datagram;
	t->free_datagram = i;
}

static void end(struct fragment_table *t, struct datagram *d, enum fragment_end how,
		enum anomaly why)
{
	give_back(t, d, how, why, NULL, NULL);
	forget(t, d);
}

/* What is here goes back with `last`; what still comes will too, until the time is out. */
static void refuse(struct fragment_table *t, struct datagram *d, enum anomaly why,
		   const struct frame *last)
{
	d->refused = why;
	give_back(t, d, FRAGMENT_REFUSED, why, last, NULL);
}

void fragment_table_free(struct fragment_table *t)
{
	if (!t)
		return;
	while (t->max && t->age.head != NONE)
		end(t, &t->datagrams[t->age.head], FRAGMENT_SHUTDOWN, ANOMALY_FRAGMENT_TIMEOUT);
	free(t->pieces);
	free(t->datagrams);
	free(t->buckets);
	free(t);
}

static struct key key_of(const struct packet *p, const struct frame *f)
{
	struct key k;

	memset(&k, 0, sizeof(k));
	k.src = p->src_ip;
	k.dst = p->dst_ip;
	k.id = p->fragment_id;
	k.ifindex = f->ifindex;
	memcpy(k.src_mac, p->src_mac, sizeof(k.src_mac));
	memcpy(k.dst_mac, p->dst_mac, sizeof(k.dst_mac));
	memcpy(k.vlan, p->vlan, sizeof(k.vlan));
	k.vlan_count = p->vlan_count;
	k.ttl = p->ttl;
	k.version = p->ip_version;
	k.proto = p->ip_version == 4 ? p->proto : 0;
	return k;
}

static struct datagram *start(struct fragment_table *t, const struct key *k, uint32_t hash,
			      uint64_t now_ns)
{
	struct datagram *d;
	uint32_t i;

	if (t->free_datagram == NONE)
		end(t, &t->datagrams[t->age.head], FRAGMENT_EVICTED, ANOMALY_FRAGMENT_TOO_MANY);
	i = t->free_datagram;
	d = &t->datagrams[i];
	t->free_datagram = behind(t, i, d->next, &t->unused_datagram);
	*d = (struct datagram){.key = *k,
			       .first_ns = now_ns,
			       .hash = hash,
			       .next = t->buckets[hash & t->mask],
			       .came_head = NONE,
			       .came_tail = NONE,
			       .sorted = NONE,
			       .refused = ANOMALY_COUNT};
	d->source = (uint32_t)hash_bytes(&t->hash_key, &k->src, sizeof(k->src)) % SOURCES;
	t->buckets[hash & t->mask] = i;
	age_append(t, i);
	kin_append(t, i);
	return d;
}

static struct datagram *find(struct fragment_table *t, const struct packet *p,
			     const struct frame *f)
{
	struct key k = key_of(p, f);
	uint32_t hash = (uint32_t)hash_bytes(&t->hash_key, &k, sizeof(k));

	for (uint32_t i = t->buckets[hash & t->mask]; i != NONE; i = t->datagrams[i].next)
		if (!memcmp(&t->datagrams[i].key, &k, sizeof(k)))
			return &t->datagrams[i];
	return start(t, &k, hash, f->time_ns);
}

/* Lies that decode has seen already. ANOMALY_COUNT where there are none. */
static enum anomaly check_piece(const struct packet *p)
{
	static const enum anomaly bad[] = {
		ANOMALY_FRAGMENT_TOO_BIG,   ANOMALY_FRAGMENT_BAD_LEN,
		ANOMALY_FRAGMENT_TINY,	    ANOMALY_IPV6_FRAGMENT_NESTED,
		ANOMALY_IPV4_BAD_TOTAL_LEN, ANOMALY_IPV6_BAD_PAYLOAD_LEN,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (p->anomalies & 1ull << bad[i])
			return bad[i];
	return p->fragment_body.len ? ANOMALY_COUNT : ANOMALY_FRAGMENT_BAD_LEN;
}

/* The last piece says how long the whole is; nothing may lie behind it. */
static bool total_holds(const struct fragment_table *t, struct datagram *d, const struct packet *p)
{
	uint32_t last = p->fragment_offset + (uint32_t)p->fragment_body.len;

	if (d->total)
		return p->fragment_more ? last <= d->total : last == d->total;
	if (p->fragment_more)
		return true;
	for (uint32_t i = d->sorted; i != NONE; i = t->pieces[i].sorted_next)
		if (t->pieces[i].offset + t->pieces[i].body.len > last)
			return false;
	d->total = last;
	return true;
}

enum fit { FIT_NEW, FIT_DUPLICATE, FIT_OVERLAP };

static enum fit fits(const struct fragment_table *t, const struct datagram *d,
		     const struct packet *p)
{
	uint32_t from = p->fragment_offset, to = from + (uint32_t)p->fragment_body.len;

	for (uint32_t i = d->sorted; i != NONE; i = t->pieces[i].sorted_next) {
		const struct piece *q = &t->pieces[i];
		uint32_t q_to = q->offset + (uint32_t)q->body.len;
		uint32_t low = from > q->offset ? from : q->offset, high = to < q_to ? to : q_to;

		if (low >= high)
			continue;
		if (memcmp(p->fragment_body.data + (low - from), q->body.data + (low - q->offset),
			   high - low))
			return FIT_OVERLAP;
		if (from == q->offset && to == q_to)
			return FIT_DUPLICATE;
		if (p->ip_version == 6)
			return FIT_OVERLAP;
	}
	return FIT_NEW;
}

/* The source's own oldest goes first, so that a flood of beginnings starves nobody else. */
static bool make_room(struct fragment_table *t, struct datagram *d)
{
	struct source *s = &t->sources[d->source];

	if (d->count >= PIECES_MAX)
		return false;
	while (s->held >= t->quota) {
		struct datagram *oldest = &t->datagrams[s->datagrams.head];

		if (oldest == d)
			return false;
		end(t, oldest, FRAGMENT_EVICTED, ANOMALY_FRAGMENT_TOO_MANY);
	}
	while (t->free_piece == NONE) {
		struct datagram *oldest = &t->datagrams[t->age.head];

		if (oldest == d)
			return false;
		end(t, oldest, FRAGMENT_EVICTED, ANOMALY_FRAGMENT_TOO_MANY);
	}
	return true;
}

static void hold(struct fragment_table *t, struct datagram *d, const struct packet *p,
		 const struct frame *f, bool duplicate)
{
	uint32_t i = t->free_piece, *at = &d->sorted;
	struct piece *q = &t->pieces[i];

	t->free_piece = behind(t, i, q->came_next, &t->unused_piece);
	*q = (struct piece){.frame = *f,
			    .body = p->fragment_body,
			    .offset = p->fragment_offset,
			    .came_next = NONE,
			    .sorted_next = NONE};
	*(d->came_tail == NONE ? &d->came_head : &t->pieces[d->came_tail].came_next) = i;
	d->came_tail = i;
	d->count++;
	t->sources[d->source].held++;
	t->held++;
	if (duplicate)
		return;
	while (*at != NONE && t->pieces[*at].offset < q->offset)
		at = &t->pieces[*at].sorted_next;
	q->sorted_next = *at;
	*at = i;
}

static bool is_complete(const struct fragment_table *t, const struct datagram *d)
{
	uint32_t reached = 0;

	if (!d->total)
		return false;
	for (uint32_t i = d->sorted; i != NONE; i = t->pieces[i].sorted_next) {
		const struct piece *q = &t->pieces[i];

		if (q->offset > reached)
			return false;
		if (q->offset + q->body.len > reached)
			reached = q->offset + (uint32_t)q->body.len;
	}
	return reached == d->total;
}

/* RFC 791 §3.1 */
static void put_sum(uint8_t *header, size_t len)
{
	uint16_t sum;

	header[10] = header[11] = 0;
	sum = (uint16_t)~sum_fold(sum_add(0, header, len));
	memcpy(header + 10, &sum, sizeof(sum));
}

static void write_ipv4(struct writer *w, const struct packet *first, uint32_t total)
{
	size_t header = (size_t)(first->fragment_body.data - first->l3.data), at = w->len;
	uint8_t *b = w->data + at;

	write_bytes(w, first->l3.data, header);
	if (w->bad)
		return;
	b[2] = (uint8_t)((header + total) >> 8);
	b[3] = (uint8_t)(header + total);
	b[6] = b[7] = 0;
	put_sum(b, header);
}

/* What stands ahead of the Fragment header, with that header taken out of the chain. */
static void write_ipv6(struct writer *w, const struct packet *first, uint32_t total)
{
	size_t l3 = (size_t)(first->l3.data - first->frame.data);
	size_t header = first->fragment_header - l3;
	uint32_t payload = (uint32_t)(header - 40 + total);
	uint8_t *b = w->data + w->len;

	write_bytes(w, first->l3.data, header);
	if (w->bad)
		return;
	b[4] = (uint8_t)(payload >> 8);
	b[5] = (uint8_t)payload;
	b[first->fragment_next - l3] = first->frame.data[first->fragment_header];
}

static void write_link(struct writer *w, const struct packet *first)
{
	write_bytes(w, first->dst_mac, 6);
	write_bytes(w, first->src_mac, 6);
	for (unsigned i = 0; i < first->vlan_count; i++) {
		write_be16(w, 0x8100);
		write_be16(w, first->vlan[i]);
	}
	write_be16(w, first->ethertype);
}

/* The frame that would have come in had no link been too narrow; false if none could hold it. */
static bool assemble(struct fragment_table *t, const struct datagram *d, struct frame *ret_f)
{
	const struct piece *q = &t->pieces[d->sorted];
	struct writer w = writer_new(t->whole, sizeof(t->whole));
	struct packet first;
	size_t link, header;
	bool has_link;

	packet_decode(q->frame.data, q->frame.link, q->frame.time_ns, q->frame.wire_len, &first);
	has_link = first.has_mac && !first.no_dst_mac;
	if (has_link)
		write_link(&w, &first);
	link = w.len;
	if (first.ip_version == 4)
		write_ipv4(&w, &first, d->total);
	else
		write_ipv6(&w, &first, d->total);
	header = w.len;
	if (w.bad || header - link + d->total > IP_MAX + (first.ip_version == 6 ? 40u : 0))
		return false;
	for (uint32_t i = d->sorted; i != NONE; i = t->pieces[i].sorted_next)
		memcpy(t->whole + header + t->pieces[i].offset, t->pieces[i].body.data,
		       t->pieces[i].body.len);
	ret_f->data = (struct bytes){t->whole, header + d->total};
	ret_f->wire_len = (uint32_t)ret_f->data.len;
	ret_f->link = has_link ? LINK_ETHERNET : LINK_RAW;
	return true;
}

static void complete(struct fragment_table *t, struct datagram *d, const struct frame *last)
{
	struct frame whole = {.time_ns = last->time_ns, .ifindex = last->ifindex};

	if (!assemble(t, d, &whole)) {
		refuse(t, d, ANOMALY_FRAGMENT_TOO_BIG, NULL);
		return;
	}
	give_back(t, d, FRAGMENT_WHOLE, ANOMALY_COUNT, NULL, &whole);
	forget(t, d);
}

bool fragment_add(struct fragment_table *t, const struct packet *p, const struct frame *f)
{
	enum anomaly why;
	struct datagram *d;
	enum fit fit;

	if (p->frame.len < p->wire_len)
		return false;
	d = find(t, p, f);
	why = d->refused != ANOMALY_COUNT ? d->refused : check_piece(p);
	if (why == ANOMALY_COUNT && !total_holds(t, d, p))
		why = ANOMALY_FRAGMENT_OVERLAP;
	if (why != ANOMALY_COUNT) {
		refuse(t, d, why, f);
		return true;
	}
	fit = fits(t, d, p);
	if (fit == FIT_OVERLAP) {
		refuse(t, d, ANOMALY_FRAGMENT_OVERLAP, f);
		return true;
	}
	if (!make_room(t, d)) {
		refuse(t, d, ANOMALY_FRAGMENT_TOO_MANY, f);
		return true;
	}
	hold(t, d, p, f, fit == FIT_DUPLICATE);
	if (is_complete(t, d))
		complete(t, d, f);
	return true;
}

void fragment_renumber(const struct frame *f, uint32_t id)
{
	uint8_t *frame = (uint8_t *)(uintptr_t)f->data.data, *b;
	struct packet p;

	packet_decode(f->data, f->link, f->time_ns, f->wire_len, &p);
	if (!p.fragment || p.proto == PROTO_AH)
		return;
	b = frame + (p.l3.data - f->data.data);
	if (p.ip_version == 6) {
		id = __builtin_bswap32(id);
		memcpy(frame + p.fragment_header + 4, &id, sizeof(id));
		return;
	}
	b[4] = (uint8_t)(id >> 8);
	b[5] = (uint8_t)id;
	put_sum(b, (size_t)(p.fragment_body.data - b));
}

unsigned fragment_expire(struct fragment_table *t, uint64_t now_ns, unsigned budget)
{
	unsigned ended = 0;

	for (; budget && t->age.head != NONE; budget--) {
		struct datagram *d = &t->datagrams[t->age.head];

		/* The clock was set back: it starts to wait now. */
		if (d->first_ns > now_ns) {
			d->first_ns = now_ns;
			age_unlink(t, d);
			age_append(t, (uint32_t)(d - t->datagrams));
			continue;
		}
		if (now_ns - d->first_ns < t->timeout_ns)
			break;
		end(t, d, FRAGMENT_LATE, ANOMALY_FRAGMENT_TIMEOUT);
		ended++;
	}
	return ended;
}

uint32_t fragment_count(const struct fragment_table *t)
{
	return t->held;
}
