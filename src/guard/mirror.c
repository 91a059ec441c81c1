#include "guard/mirror.h"

#include <stdlib.h>

#include "base/hash.h"

#define SETS 2048
#define WAYS 4

struct mirror {
	struct hash_key secret;
	struct seen {
		uint64_t is, time_ns; /* 0: nothing */
		bool again;
	} seen[SETS][WAYS];
};

struct mirror *mirror_new(void)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (m)
		m->secret = hash_key_random();
	return m;
}

void mirror_free(struct mirror *m)
{
	free(m);
}

/* What pads the frame, and a tag that only one of the ports has, is not of it. */
static uint64_t identify(const struct mirror *m, const struct packet *p)
{
	const uint8_t *b = p->l3.len ? p->l3.data : p->frame.data;
	size_t len = p->l4.data	 ? (size_t)(p->l4.data + p->l4.len - b)
		     : p->l3.len ? p->l3.len
				 : p->frame.len;
	struct {
		uint8_t macs[2][6];
		uint32_t said[2];
	} parts = {0};
	uint64_t said = hash_bytes(&m->secret, b, len);

	memcpy(parts.macs[0], p->src_mac, 6);
	memcpy(parts.macs[1], p->dst_mac, 6);
	memcpy(parts.said, &said, sizeof(said));
	return hash_bytes(&m->secret, &parts, sizeof(parts));
}

static bool is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= MIRROR_NS;
}

bool mirror_is_copy(struct mirror *m, const struct packet *p)
{
	bool stream = p->proto == PROTO_TCP && p->has_ports && !p->fragment;
	struct seen *set, *s;
	uint64_t is;

	if (stream || p->frame.len < p->wire_len)
		return false;
	is = identify(m, p);
	s = set = m->seen[is % SETS];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].is == is && is_near(p->time_ns, set[i].time_ns)) {
			bool copy = !set[i].again;

			set[i].time_ns = p->time_ns;
			set[i].again = true;
			return copy;
		}
		s = set[i].time_ns < s->time_ns ? &set[i] : s;
	}
	*s = (struct seen){.is = is, .time_ns = p->time_ns};
	return false;
}
