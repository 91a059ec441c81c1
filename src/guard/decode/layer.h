#ifndef BEDWARDEN_GUARD_DECODE_LAYER_H
#define BEDWARDEN_GUARD_DECODE_LAYER_H
/*
 * What the files of this room share: a place in a frame, and the layers that
 * hand it on to each other. A layer that lacks bytes asks layer_need(), which
 * tells a lie of the sender (an anomaly) from a capture that was cut (none).
 */
#include "guard/decode/packet.h"

struct layer {
	const uint8_t *at;
	size_t have;  /* bytes that were captured */
	size_t wire;  /* bytes that were on the wire; never fewer */
	bool offload; /* LINK_OFFLOAD */
	bool wrapped; /* LINK_WRAPPED */
	uint8_t nested;
};

static inline bool layer_need(struct packet *p, const struct layer *l, size_t n, enum anomaly a)
{
	if (__builtin_expect(l->have >= n, 1))
		return true;
	if (l->wire < n)
		anomaly_add(&p->anomalies, a);
	return false;
}

/* n bytes on; the caller has checked that they are there. */
static inline void layer_skip(struct layer *l, size_t n)
{
	l->at += n;
	l->have -= n;
	l->wire -= n;
}

/* Ends the layer after n bytes: behind them is padding. */
static inline void layer_trim(struct layer *l, size_t n)
{
	if (l->wire > n)
		l->wire = n;
	if (l->have > n)
		l->have = n;
}

static inline struct bytes layer_bytes(const struct layer *l)
{
	return (struct bytes){l->at, l->have};
}

static inline uint16_t load_be16(const uint8_t *b)
{
	uint16_t v;

	memcpy(&v, b, 2);
	return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, 4);
	return __builtin_bswap32(v);
}

/* They use the layer up: handing on a copy would cost more than many a header does. */
void layer_ipv4(struct packet *p, struct layer *l);
void layer_ipv6(struct packet *p, struct layer *l);
/* The transport p->proto; of a first fragment only what its header says. */
void layer_transport(struct packet *p, struct layer *l);

#endif
