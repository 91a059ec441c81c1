/*
 * Memory that a link's process is left by its predecessor (ADR 37): places and what lies there, as
 * `place, offset, length, bytes` over zeros or over sessions that add up. It is used as it was or
 * wiped, and never kept half; what stands seals and opens.
 *
 * A first byte: how many places hold a session that adds up to begin with. Then patches: place
 * (of ESTATE_SESSIONS; beyond: the head), offset and length of two bytes each, the bytes.
 */
#include <stdlib.h>
#include <unistd.h>

#include <openssl/objects.h>

#include "seal/link/link_internal.h"
#include "touch.h"

#define FORM (0x6265647761726400ull + sizeof(struct estate))

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
	free(f->data);
}

static void put_session(struct session *s, unsigned n)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	*s = (struct session){.whole = ESTATE_WHOLE,
			      .used = n == 0,
			      .secrets.cipher = n % 2 ? NID_aes_256_gcm : NID_aes_128_gcm,
			      .seq = RECORD_FIRST + n,
			      .born_ns = 1,
			      .heard = 1,
			      .at.len = sizeof(at)};
	snprintf(s->peer, sizeof(s->peer), "%s", n % 3 ? "a" : "b");
	snprintf(s->cipher, sizeof(s->cipher), "ECDHE-ECDSA-AES128-GCM-SHA256");
	memset(&s->secrets.seal_key, (int)n + 1, sizeof(s->secrets.seal_key));
	memcpy(&s->at.sa, &at, sizeof(at));
}

static void patch(struct estate *e, struct reader *r)
{
	while (reader_left(r) && !r->bad) {
		unsigned place = read_u8(r);
		size_t off = read_be16(r), len = read_be16(r);
		uint8_t *to =
			place < ESTATE_SESSIONS ? (uint8_t *)&e->sessions[place] : (uint8_t *)e;
		size_t size = place < ESTATE_SESSIONS ? sizeof(struct session) : sizeof(e->form);
		struct bytes b = read_bytes(r, len < reader_left(r) ? len : reader_left(r));

		off = off < size ? off : size;
		if (b.len)
			memcpy(to + off, b.data, b.len < size - off ? b.len : size - off);
	}
}

/* Whole and within its bounds, or nothing at all. */
static void check(const struct session *s)
{
	static const struct session none;

	if (s->whole != ESTATE_WHOLE) {
		if (memcmp(s, &none, sizeof(none)) != 0)
			abort();
		return;
	}
	if (!*s->peer || strnlen(s->peer, sizeof(s->peer)) == sizeof(s->peer) ||
	    strnlen(s->cipher, sizeof(s->cipher)) == sizeof(s->cipher) || s->seq < RECORD_FIRST ||
	    s->seq > RECORD_LAST || s->at.len > sizeof(s->at.sa))
		abort();
}

/* What the next process makes of it: its peers, their status, a frame each, a tick. */
static void go_on(struct estate *e)
{
	struct links_calls calls = {.take = take, .give = give, .deliver = deliver};
	struct links_options o = {.name = "me"};
	struct links *ls = links_new(&o, &calls);
	static uint8_t data[64];
	struct link_frame f = {.data = data, .len = sizeof(data)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const char *const names[] = {"a", "b"};

	if (!ls || fd < 0 || links_estate(ls, e) < 0)
		abort();
	(void)shutdown(fd, SHUT_WR); /* an address may be anybody's: all is done but to send */
	if (links_socket(ls, fd) < 0)
		abort();
	for (unsigned i = 0; i < 2; i++) {
		struct link_options po = {.name = names[i]};
		struct link_peer *p = link_add(ls, &po);
		struct link_status s;

		if (!p)
			abort();
		link_status(p, &s);
		touch((struct bytes){(const uint8_t *)s.subject, strlen(s.subject)});
		(void)link_send(p, &f, 1);
	}
	links_disown(ls);
	links_flush(ls);
	links_turn(ls, clock_mono_ns());
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		check(&e->sessions[i]);
	links_free(ls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	struct estate *e = calloc(1, sizeof(*e));
	unsigned count = read_u8(&r) % 9;

	if (!e)
		abort();
	e->form = FORM;
	for (unsigned i = 0; i < count; i++)
		put_session(&e->sessions[i], i);
	patch(e, &r);
	estate_open(e);
	for (unsigned i = 0; i < ESTATE_SESSIONS; i++)
		check(&e->sessions[i]);
	go_on(e);
	OPENSSL_cleanse(e, sizeof(*e));
	free(e);
	return 0;
}
