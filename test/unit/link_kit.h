#ifndef BEDWARDEN_TEST_LINK_KIT_H
#define BEDWARDEN_TEST_LINK_KIT_H
/* Certificates made on the spot, and two ends of a link with somebody on the wire between them. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/x509v3.h>

#include "base/clock.h"
#include "seal/link/link.h"
#include "seal/pki/tls.h"

#define DAY 86400l

struct kit_issuer {
	EVP_PKEY *key;
	X509 *certificate;
	long serial;
};

static inline EVP_PKEY *kit_key(void)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");

	assert_non_null(k);
	return k;
}

static inline void kit_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Valid from `from` to `to`, seconds from now. `issuer` NULL: an issuer itself. */
static inline X509 *kit_certificate(struct kit_issuer *issuer, EVP_PKEY *key, const char *name,
				    long from, long to, const char *usage)
{
	X509 *x = X509_new(), *by = issuer && issuer->certificate ? issuer->certificate : x;
	char san[300];

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? ++issuer->serial : 1);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), to);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(by));
	X509_set_pubkey(x, key);
	if (by == x) {
		kit_extend(x, by, NID_basic_constraints, "critical,CA:TRUE");
		kit_extend(x, by, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		snprintf(san, sizeof(san), "DNS:%s", name);
		kit_extend(x, by, NID_subject_alt_name, san);
		kit_extend(x, by, NID_ext_key_usage, usage);
	}
	assert_true(X509_sign(x, by == x ? key : issuer->key, EVP_sha256()) > 0);
	return x;
}

static inline void kit_issuer_new(struct kit_issuer *i, const char *name)
{
	*i = (struct kit_issuer){.key = kit_key()};
	i->certificate = kit_certificate(NULL, i->key, name, -DAY, 10 * DAY, NULL);
}

static inline void kit_issuer_free(struct kit_issuer *i)
{
	EVP_PKEY_free(i->key);
	X509_free(i->certificate);
}

static inline struct trust *kit_trust(struct kit_issuer *i, X509_CRL *crl)
{
	struct trust *t = trust_new();
	uint8_t *der = NULL;
	int len = i2d_X509(i->certificate, &der);

	assert_int_equal(trust_add(t, (struct bytes){der, (size_t)len}), 1);
	OPENSSL_free(der);
	if (crl) {
		der = NULL;
		len = i2d_X509_CRL(crl, &der);
		assert_int_equal(trust_add(t, (struct bytes){der, (size_t)len}), 1);
		OPENSSL_free(der);
	}
	return t;
}

static inline SSL_CTX *kit_context(bool server, EVP_PKEY *key, X509 *x, const struct trust *t)
{
	struct tls_options o = {
		.server = server, .datagram = true, .mutual = true, .key = key, .trust = t};
	char error[TLS_ERROR];
	SSL_CTX *ctx;

	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, x);
	ctx = tls_context_new(&o, error);
	if (!ctx)
		print_error("%s\n", error);
	assert_non_null(ctx);
	sk_X509_free(o.chain);
	return ctx;
}

static inline int kit_socket(struct sockaddr_storage *ret_at)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), buf = 8 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buf, sizeof(buf));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	memset(ret_at, 0, sizeof(*ret_at));
	memcpy(ret_at, &a, sizeof(a));
	return fd;
}

/* One end, and what it was told and given. */
#define KIT_KEPT 4096
struct kit_end {
	const char *name;
	struct links *links;
	struct link_peer *peer;
	struct sockaddr_storage at;
	unsigned took, gave, frames, told[8], reasons[REASON_COUNT];
	char text[TLS_ERROR];
	uint8_t *kept[KIT_KEPT];
	uint32_t len[KIT_KEPT];
	uint16_t channel[KIT_KEPT];
	unsigned no_memory; /* so many times none is had */
	struct link_shake *waits;
};

static inline uint8_t *kit_take(void *arg, uint32_t len)
{
	struct kit_end *e = arg;

	if (e->no_memory) {
		e->no_memory--;
		return NULL;
	}
	e->took++;
	return malloc(len);
}

static inline void kit_give(void *arg, uint8_t *data)
{
	struct kit_end *e = arg;

	e->gave++;
	free(data);
}

static inline void kit_deliver(void *arg, struct link_peer *p, const struct link_frame *f)
{
	struct kit_end *e = arg;

	assert_ptr_equal(p, e->peer);
	assert_true(e->frames < KIT_KEPT);
	e->kept[e->frames] = f->data;
	e->channel[e->frames] = f->channel;
	e->len[e->frames++] = f->len;
}

static inline void kit_tell(void *arg, const struct link_fact *f)
{
	struct kit_end *e = arg;

	e->told[f->what]++;
	e->reasons[f->reason]++;
	if (f->text)
		snprintf(e->text, sizeof(e->text), "%s", f->text);
}

static inline void kit_clear(struct kit_end *e)
{
	while (e->frames) {
		free(e->kept[--e->frames]);
		e->gave++;
	}
}

static inline void kit_open(struct kit_end *e, const char *name, struct links_options o)
{
	struct links_calls calls = {.take = kit_take,
				    .give = kit_give,
				    .deliver = kit_deliver,
				    .tell = kit_tell,
				    .arg = e};
	int fd;

	memset(e, 0, sizeof(*e));
	e->name = name;
	o.name = name;
	e->links = links_new(&o, &calls);
	assert_non_null(e->links);
	fd = kit_socket(&e->at);
	assert_int_equal(links_socket(e->links, fd), 0);
}

static inline void kit_close(struct kit_end *e)
{
	links_free(e->links);
	e->links = NULL;
	kit_clear(e);
	assert_int_equal(e->took, e->gave);
}

static inline void kit_peer(struct kit_end *e, const char *name, const struct sockaddr_storage *at)
{
	struct link_options o = {.name = name};

	if (at) {
		o.address = *at;
		o.address_len = sizeof(struct sockaddr_in);
	}
	e->peer = link_add(e->links, &o);
	assert_non_null(e->peer);
}

static inline void kit_believe(struct kit_end *e, EVP_PKEY *key, X509 *x, const struct trust *t)
{
	SSL_CTX *client = kit_context(false, key, x, t), *server = kit_context(true, key, x, t);

	links_context(e->links, client, server, false);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}

/*
 * Whoever is on the wire: what one end sends to `to_a` comes to the other from `to_b`, and the
 * other way round, if `pass` says so, which may change it.
 */
struct kit_wire {
	int fd[2];			/* what ends 0 and 1 take for the other */
	struct sockaddr_storage at[2];	/* of these */
	struct sockaddr_storage end[2]; /* of the ends */
	bool (*pass)(struct kit_wire *w, unsigned from, uint8_t *data, size_t *len);
	unsigned passed[2];
	void *arg;
};

static inline void kit_send(struct kit_wire *w, unsigned to, const void *data, size_t len)
{
	sendto(w->fd[to], data, len, 0, (struct sockaddr *)&w->end[to], sizeof(struct sockaddr_in));
}

static inline void kit_wire_turn(struct kit_wire *w)
{
	uint8_t data[65536];

	for (unsigned i = 0; i < 2; i++) {
		for (int left = 200; left; left--) {
			struct sockaddr_storage from;
			socklen_t size = sizeof(from);
			ssize_t n = recvfrom(w->fd[i], data, sizeof(data), 0,
					     (struct sockaddr *)&from, &size);
			size_t len = (size_t)n;

			if (n < 0)
				break;
			w->end[i] = from;
			if (w->pass && !w->pass(w, i, data, &len))
				continue;
			w->passed[i]++;
			kit_send(w, !i, data, len);
		}
	}
}

static inline void kit_wire_open(struct kit_wire *w, const struct kit_end *a,
				 const struct kit_end *b)
{
	memset(w, 0, sizeof(*w));
	w->fd[0] = kit_socket(&w->at[0]);
	w->fd[1] = kit_socket(&w->at[1]);
	w->end[0] = a->at;
	w->end[1] = b->at;
}

static inline void kit_wire_close(struct kit_wire *w)
{
	close(w->fd[0]);
	close(w->fd[1]);
}

static inline void kit_turn(struct kit_end *a, struct kit_end *b, struct kit_wire *w)
{
	struct kit_end *ends[2] = {a, b};

	for (unsigned i = 0; i < 2; i++) {
		if (!ends[i] || !ends[i]->links)
			continue;
		while (links_read(ends[i]->links))
			;
		links_turn(ends[i]->links, clock_mono_ns());
	}
	if (w)
		kit_wire_turn(w);
}

/* Turns until `cond`, or for `ms` and, on a busy machine, as many turns. */
#define KIT_UNTIL(a, b, w, ms, cond)                                                            \
	do {                                                                                    \
		uint64_t end_ = clock_mono_ns() + (uint64_t)(ms)*NSEC_PER_MSEC;                 \
		for (unsigned turns_ = 0; !(cond) && (turns_ < (ms) || clock_mono_ns() < end_); \
		     turns_++) {                                                                \
			kit_turn(a, b, w);                                                      \
			usleep(500);                                                            \
		}                                                                               \
	} while (0)

#endif
