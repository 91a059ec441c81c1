#ifndef BEDWARDEN_TEST_LINK_PAIR_H
#define BEDWARDEN_TEST_LINK_PAIR_H
/*
 * Two gateways over loopback that know each other, and somebody on the wire between them.
 */
#include "link_kit.h"

#include "seal/link/link_internal.h"

#define FROM "ward.example"
#define TO   "servers.example"
#define BOTH "serverAuth,clientAuth"

static struct kit_issuer issuer;
static struct trust *trust;
static EVP_PKEY *key[2];
static X509 *certificate[2];
static struct kit_end a, b;
static struct kit_wire wire;

static inline int once(void **state)
{
	static const char *const names[2] = {FROM, TO};

	kit_issuer_new(&issuer, "clinic");
	trust = kit_trust(&issuer, NULL);
	for (int i = 0; i < 2; i++) {
		key[i] = kit_key();
		certificate[i] = kit_certificate(&issuer, key[i], names[i], -DAY, DAY, BOTH);
	}
	return 0;
}

static inline int last(void **state)
{
	for (int i = 0; i < 2; i++) {
		EVP_PKEY_free(key[i]);
		X509_free(certificate[i]);
	}
	trust_free(trust);
	kit_issuer_free(&issuer);
	return 0;
}

/* A calls B, through the wire; B waits. */
static inline void begin(struct links_options o)
{
	kit_open(&a, FROM, o);
	kit_open(&b, TO, o);
	kit_wire_open(&wire, &a, &b);
	kit_believe(&a, key[0], certificate[0], trust);
	kit_believe(&b, key[1], certificate[1], trust);
	kit_peer(&a, TO, &wire.at[0]);
	kit_peer(&b, FROM, NULL);
}

static inline void end(void)
{
	kit_close(&a);
	kit_close(&b);
	kit_wire_close(&wire);
}

static inline bool both_up(void)
{
	return link_is_up(a.peer) && link_is_up(b.peer);
}

static inline void come_up(void)
{
	KIT_UNTIL(&a, &b, &wire, 5000, both_up());
	assert_true(both_up());
}

static inline uint16_t mtu_of(const struct kit_end *e)
{
	struct link_status s;

	link_status(e->peer, &s);
	return s.mtu;
}

static inline struct link_counts counts_of(const struct kit_end *e)
{
	struct link_counts c;

	link_counts(e->peer, &c);
	return c;
}

/* Frame number n of the test: its bytes follow from n. */
static inline uint8_t *make(uint32_t n, uint32_t len)
{
	uint8_t *d = malloc(len);

	for (uint32_t i = 0; i < len; i++)
		d[i] = (uint8_t)(n * 31 + i * 7 + (i >> 8));
	return d;
}

static inline bool is_made(const struct kit_end *e, unsigned at, uint32_t n, uint32_t len)
{
	uint8_t *want = make(n, len);
	bool same = e->len[at] == len && memcmp(e->kept[at], want, len) == 0;

	free(want);
	return same;
}

static inline void send_one(struct kit_end *e, uint32_t n, uint32_t len)
{
	struct link_frame f = {.data = make(n, len), .len = len, .channel = (uint16_t)n};

	assert_int_equal(link_send(e->peer, &f, 1), 1);
	links_flush(e->links);
	free(f.data);
}

#endif
