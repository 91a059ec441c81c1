#include "people/console/limit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/hash.h"

#define PROBE 16 /* places an address may be in */
#define BURST 4

struct source {
	uint64_t key; /* 0: free */
	uint32_t connections;
	uint64_t full_ns; /* when all its requests are to be had again */
};

struct limit {
	struct limit_rates rates;
	uint64_t seed;
	struct source sources[LIMIT_SOURCES];
};

struct limit *limit_new(const struct limit_rates *rates)
{
	struct limit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->rates = *rates;
	if (crypto_random(&l->seed, sizeof(l->seed)) < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void limit_free(struct limit *l)
{
	free(l);
}

static uint64_t key_of(const struct sockaddr *from)
{
	uint64_t key = 0;

	if (from->sa_family == AF_INET)
		key = 1ull << 32 |
		      ((const struct sockaddr_in *)(const void *)from)->sin_addr.s_addr;
	else if (from->sa_family == AF_INET6)
		memcpy(&key, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
		       sizeof(key));
	return key ? key : 1;
}

static uint64_t mix(const struct limit *l, uint64_t key)
{
	uint64_t mixed = key * 0x9e3779b97f4a7c15ull ^ l->seed;

	mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull;
	return mixed ^ mixed >> 32;
}

/* Its place, or one that can be had; NULL where all around hold connections. */
static struct source *place(struct limit *l, const struct sockaddr *from)
{
	uint64_t key = key_of(from), mixed = mix(l, key);
	struct source *idle = NULL;

	for (unsigned i = 0; i < PROBE; i++) {
		struct source *s = &l->sources[(mixed + i) % LIMIT_SOURCES];

		if (s->key == key)
			return s;
		if (s->connections == 0 && (!idle || s->full_ns < idle->full_ns))
			idle = s;
	}
	if (idle)
		*idle = (struct source){.key = key};
	return idle;
}

bool limit_enter(struct limit *l, const struct sockaddr *from, uint64_t now_ns)
{
	struct source *s = place(l, from);

	if (!s || s->connections >= l->rates.connections)
		return false;
	s->connections++;
	if (s->full_ns < now_ns)
		s->full_ns = now_ns;
	return true;
}

void limit_leave(struct limit *l, const struct sockaddr *from)
{
	struct source *s = place(l, from);

	if (s && s->connections > 0)
		s->connections--;
}

uint32_t limit_connections(struct limit *l, const struct sockaddr *from)
{
	uint64_t key = key_of(from), mixed = mix(l, key);

	for (unsigned i = 0; i < PROBE; i++)
		if (l->sources[(mixed + i) % LIMIT_SOURCES].key == key)
			return l->sources[(mixed + i) % LIMIT_SOURCES].connections;
	return 0;
}

bool limit_ask(struct limit *l, const struct sockaddr *from, uint64_t now_ns, unsigned *ret_wait_s)
{
	uint64_t each = NSEC_PER_SEC / l->rates.requests;
	uint64_t most = each * l->rates.requests * BURST;
	struct source *s = place(l, from);

	*ret_wait_s = 1;
	if (!s)
		return false;
	if (s->full_ns < now_ns)
		s->full_ns = now_ns;
	if (s->full_ns + each - now_ns > most)
		return false;
	s->full_ns += each;
	return true;
}
