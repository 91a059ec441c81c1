#include "guard/mirror.h"

#include <stdlib.h>
#include <string.h>

#define KEPT  64 /* what came last: a copy is right behind */
#define SLOTS 256

struct seen {
	uint64_t time_ns, mark;
	uint8_t macs[12];
	uint16_t len;
	bool again;
	uint8_t data[MIRROR_LEN];
};

struct mirror {
	unsigned next;
	uint8_t at[SLOTS]; /* in `kept`, by mark: what has the same one makes room */
	struct seen kept[KEPT];
};

struct mirror *mirror_new(void)
{
	return calloc(1, sizeof(struct mirror));
}

void mirror_free(struct mirror *m)
{
	free(m);
}

/* What pads the frame, and a tag that only one of the ports has, is not of it. */
static struct bytes said(const struct packet *p)
{
	const uint8_t *b = p->l3.len ? p->l3.data : p->frame.data;
	const uint8_t *end = p->l4.data	 ? p->l4.data + p->l4.len
			     : p->l3.len ? p->l3.data + p->l3.len
					 : p->frame.data + p->frame.len;

	return (struct bytes){b, (size_t)(end - b)};
}

/* The heads of IP, with its number, and of UDP, with its sum: seldom the same, and quickly found. */
static uint64_t mark_of(const struct packet *p, struct bytes b)
{
	uint64_t head[2] = {0, 0};

	memcpy(&head[0], b.data, b.len < 8 ? b.len : 8);
	if (p->l4.len >= 8)
		memcpy(&head[1], p->l4.data, 8);
	return (head[0] * 0x9e3779b97f4a7c15 ^ head[1]) * 0xc2b2ae3d27d4eb4f;
}

static bool is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= MIRROR_NS;
}

static bool is_same(const struct seen *s, const struct packet *p, struct bytes b)
{
	return s->len == b.len && memcmp(s->macs, p->src_mac, 6) == 0 &&
	       memcmp(s->macs + 6, p->dst_mac, 6) == 0 && memcmp(s->data, b.data, b.len) == 0;
}

static void keep(struct mirror *m, uint8_t *at, uint64_t mark, const struct packet *p,
		 struct bytes b)
{
	struct seen *s = &m->kept[m->next];

	*at = (uint8_t)m->next;
	m->next = (m->next + 1) % KEPT;
	s->time_ns = p->time_ns;
	s->mark = mark;
	s->len = (uint16_t)b.len;
	s->again = false;
	memcpy(s->macs, p->src_mac, 6);
	memcpy(s->macs + 6, p->dst_mac, 6);
	memcpy(s->data, b.data, b.len);
}

bool mirror_is_copy(struct mirror *m, const struct packet *p)
{
	bool stream = p->proto == PROTO_TCP && p->has_ports && !p->fragment, copy;
	struct bytes b = said(p);
	struct seen *s;
	uint64_t mark;
	uint8_t *at;

	if (stream || p->frame.len < p->wire_len || b.len > MIRROR_LEN)
		return false;
	mark = mark_of(p, b);
	at = &m->at[mark >> 56];
	s = &m->kept[*at];
	if (s->mark != mark || !is_near(p->time_ns, s->time_ns) || !is_same(s, p, b)) {
		keep(m, at, mark, p, b);
		return false;
	}
	copy = !s->again;
	s->time_ns = p->time_ns;
	s->again = true;
	return copy;
}
