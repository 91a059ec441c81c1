#include "role/steer.h"

#include <stdlib.h>

#include "base/hash.h"

#define PLACES 16384u

struct steer {
	struct hash_key secret;
	struct {
		uint32_t mark;
		uint32_t guard;
	} at[PLACES];
};

/* Both ends of a frame, the same for both directions; protocols without ports count by address. */
struct ends {
	uint8_t ip[2][16];
	uint16_t port[2];
	uint8_t proto, pad[3];
};

static uint16_t load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put(struct ends *e, const uint8_t *src, const uint8_t *dst, size_t len,
		const uint8_t *l4, size_t left)
{
	bool ports = (e->proto == 6 || e->proto == 17) && left >= 4;
	uint16_t sport = ports ? load16(l4) : 0, dport = ports ? load16(l4 + 2) : 0;
	int r = memcmp(src, dst, len);
	bool turn = r > 0 || (r == 0 && sport > dport);

	memcpy(e->ip[turn], src, len);
	memcpy(e->ip[!turn], dst, len);
	e->port[turn] = sport;
	e->port[!turn] = dport;
}

static bool ends_of(struct bytes f, struct ends *ret_e)
{
	size_t at = 12;
	uint16_t type;

	memset(ret_e, 0, sizeof(*ret_e));
	if (f.len < 14)
		return false;
	type = load16(f.data + at);
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		at += 4;
		if (f.len < at + 2)
			return false;
		type = load16(f.data + at);
	}
	at += 2;
	if (type == 0x0800 && f.len >= at + 20) {
		size_t head = (size_t)(f.data[at] & 15) * 4;
		bool piece = load16(f.data + at + 6) & 0x3fff;

		ret_e->proto = f.data[at + 9];
		put(ret_e, f.data + at + 12, f.data + at + 16, 4, f.data + at + head,
		    piece || f.len < at + head ? 0 : f.len - at - head);
		return true;
	}
	if (type == 0x86dd && f.len >= at + 40) {
		ret_e->proto = f.data[at + 6];
		put(ret_e, f.data + at + 8, f.data + at + 24, 16, f.data + at + 40,
		    f.len - at - 40);
		return true;
	}
	return false;
}

static uint64_t hash(const struct steer *s, struct bytes frame)
{
	struct ends e;

	return ends_of(frame, &e) ? hash_bytes(&s->secret, &e, sizeof(e)) : 0;
}

struct steer *steer_new(void)
{
	struct steer *s = calloc(1, sizeof(*s));

	if (s)
		s->secret = hash_key_random();
	return s;
}

void steer_free(struct steer *s)
{
	free(s);
}

void steer_learn(struct steer *s, struct bytes frame, unsigned guard)
{
	uint64_t h = hash(s, frame);

	s->at[h % PLACES].mark = (uint32_t)(h >> 32);
	s->at[h % PLACES].guard = guard;
}

unsigned steer_find(const struct steer *s, struct bytes frame)
{
	uint64_t h = hash(s, frame);

	return s->at[h % PLACES].mark == (uint32_t)(h >> 32) ? s->at[h % PLACES].guard : 0;
}
