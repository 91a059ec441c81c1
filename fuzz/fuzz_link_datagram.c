/*
 * Datagrams as anybody may send them to the sealed link, from where a peer is and from elsewhere:
 * nothing is delivered, no peer comes up, no memory is kept. Input: pieces of a source (even or odd),
 * a length (two bytes) and bytes.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "seal/link/link_internal.h"

static uint8_t *take(void *arg, uint32_t len)
{
	return malloc(len);
}

static void give(void *arg, uint8_t *data)
{
	free(data);
}

static void deliver(void *arg, struct link_peer *p, const struct link_frame *f)
{
	abort(); /* nobody has sealed it */
}

static SSL_CTX *context(bool server)
{
	static EVP_PKEY *key;
	static X509 *x;
	struct tls_options o = {.server = server, .datagram = true, .mutual = true};
	static const uint8_t pin[1][CRYPTO_HASH];
	char error[TLS_ERROR];
	SSL_CTX *ctx;

	if (!key) {
		key = EVP_EC_gen("P-256");
		x = X509_new();
		X509_set_version(x, 2);
		X509_gmtime_adj(X509_getm_notBefore(x), 0);
		X509_gmtime_adj(X509_getm_notAfter(x), 86400);
		X509_set_pubkey(x, key);
		X509_sign(x, key, EVP_sha256());
	}
	o.key = key;
	o.chain = sk_X509_new_null();
	sk_X509_push(o.chain, x);
	o.pins = pin;
	o.pin_count = 1;
	ctx = tls_context_new(&o, error);
	sk_X509_free(o.chain);
	if (!ctx)
		abort();
	return ctx;
}

static struct links *make(void)
{
	struct links_options o = {.name = "b.example"};
	struct links_calls calls = {.take = take, .give = give, .deliver = deliver};
	struct link_options peer = {.name = "a.example"};
	struct sockaddr_in *at = (struct sockaddr_in *)&peer.address;
	static SSL_CTX *client, *server;
	struct links *ls = links_new(&o, &calls);

	if (!client) {
		client = context(false);
		server = context(true);
	}
	links_context(ls, client, server, false);
	at->sin_family = AF_INET;
	at->sin_port = htons(9);
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer.address_len = sizeof(*at);
	if (!link_add(ls, &peer))
		abort();
	return ls;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct links *ls;
	struct reader r = reader_new(data, size);
	struct where from = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *at = (struct sockaddr_in *)&from.sa;
	struct links_counts c;
	int fd;

	if (!ls)
		ls = make();
	/* A socket that is full stands for the wire: what is said goes nowhere. */
	if (ls->wire.fd < 0) {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		links_socket(ls, fd);
	}
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ls->peers[0]->at = from;
	((struct sockaddr_in *)&ls->peers[0]->at.sa)->sin_port = htons(9);
	ls->now_ns += NSEC_PER_MSEC;
	while (reader_left(&r)) {
		uint8_t source = read_u8(&r);
		uint16_t len = read_be16(&r);
		size_t n = len < reader_left(&r) ? len : reader_left(&r);
		uint8_t *copy = malloc(n ? n : 1);

		if (n)
			memcpy(copy, read_bytes(&r, n).data, n);
		at->sin_port = htons(source & 1 ? 9 : 10);
		receive_datagram(ls, &from, (struct bytes){copy, n});
		free(copy);
	}
	shakes_bury(ls);
	ls->wire.runs = ls->wire.sent = 0;
	ls->wire.out_len = 0;
	links_counts(ls, &c);
	if (link_is_up(ls->peers[0]) || c.shaking > LINK_SHAKES + 1)
		abort();
	return 0;
}
