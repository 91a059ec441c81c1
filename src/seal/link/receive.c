#include "seal/link/link_internal.h"

#include <errno.h>

#include <openssl/err.h>

#define FIRST 32 /* opened of a record before its form is known: two blocks of the cipher */

/* Where the parts of a record under way go. */
struct opening {
	struct framing f;
	uint8_t *to[FRAMING_SHARE]; /* WHOLE; NULL: no memory */
	uint8_t *place, *fresh;	    /* PART */
	bool none, malformed;
	uint8_t head[FRAMING_HEAD + 16];
	size_t got, len; /* of the head: opened; of the content */
};

/* The next `n` bytes of content, those that came out with the head first. `to` NULL: nowhere. */
static int place(struct links *ls, struct link_keys *k, struct opening *o, size_t *at, size_t n,
		 uint8_t *to)
{
	size_t have = *at < o->got ? o->got - *at : 0;

	if (!to)
		to = ls->scratch;
	have = have < n ? have : n;
	if (have)
		memcpy(to, o->head + *at, have);
	*at += n;
	return record_open_some(k->open, n - have, to + have);
}

/* The head, as far as it says how long it is. */
static int open_head(struct link_keys *k, struct opening *o)
{
	size_t need;
	int err;

	o->got = o->len < FIRST ? o->len : FIRST;
	err = record_open_some(k->open, o->got, o->head);
	if (err < 0)
		return err;
	need = o->len >= 2 ? framing_head(o->head) : 0;
	if (need > o->len || need == 0) {
		o->malformed = true;
		return 0;
	}
	if (need > o->got) {
		size_t more = (need - o->got + 15) / 16 * 16;

		more = more < o->len - o->got ? more : o->len - o->got;
		err = record_open_some(k->open, more, o->head + o->got);
		o->got += more;
	}
	if (err == 0)
		o->malformed = !framing_read((struct bytes){o->head, o->got}, o->len, &o->f);
	return err;
}

static int open_body(struct link_peer *p, struct link_keys *k, struct opening *o)
{
	struct links *ls = p->ls;
	size_t at = o->f.head;
	int err = 0;

	if (o->malformed || o->f.kind == FRAMING_ASK || o->f.kind == FRAMING_ANSWER)
		return record_open_some(k->open, o->len - o->got, ls->scratch);
	if (o->f.kind == FRAMING_PART) {
		o->place = rejoin_place(&p->rejoin, &o->f, &ls->calls, ls->now_ns, &o->fresh,
					&o->none);
		return place(ls, k, o, &at, o->f.len, o->place);
	}
	for (unsigned i = 0; i < o->f.count; i++)
		o->to[i] = NULL;
	for (unsigned i = 0; i < o->f.count && err == 0; i++) {
		o->to[i] = ls->calls.take(ls->calls.arg, o->f.frames[i].len);
		err = place(ls, k, o, &at, o->f.frames[i].len, o->to[i]);
	}
	return err;
}

static void give_back(struct links *ls, struct opening *o)
{
	if (o->malformed)
		return;
	for (unsigned i = 0; o->f.kind == FRAMING_WHOLE && i < o->f.count; i++)
		if (o->to[i])
			ls->calls.give(ls->calls.arg, o->to[i]);
	if (o->fresh)
		ls->calls.give(ls->calls.arg, o->fresh);
}

static void deliver(struct link_peer *p, const struct link_frame *f)
{
	link_clamp(p, f);
	p->counts.frames_in++;
	p->counts.bytes_in += f->len;
	p->ls->calls.deliver(p->ls->calls.arg, p, f);
}

static void take_whole(struct link_peer *p, struct opening *o)
{
	for (unsigned i = 0; i < o->f.count; i++) {
		const struct framing_frame *x = &o->f.frames[i];
		struct link_frame f = {
			.data = o->to[i], .len = x->len, .channel = x->channel, .form = x->form};

		if (f.data)
			deliver(p, &f);
		else
			p->counts.no_memory++;
	}
}

static void take_part(struct link_peer *p, struct opening *o)
{
	struct links *ls = p->ls;
	struct link_frame f;
	unsigned lost;

	if (!o->place) {
		p->counts.no_memory += o->none;
		return;
	}
	if (rejoin_add(&p->rejoin, &o->f, &ls->calls, o->fresh, ls->now_ns, &f, &lost)) {
		p->counts.rejoined++;
		deliver(p, &f);
	}
	p->counts.incomplete += lost;
}

static void take_data(struct link_peer *p, struct link_keys *k, const struct where *from,
		      struct opening *o)
{
	if (o->malformed) {
		p->counts.malformed++;
		links_refuse(p->ls, p, from, REASON_SEAL_MALFORMED, "what a record holds",
			     k->s->who.subject);
		return;
	}
	switch (o->f.kind) {
	case FRAMING_WHOLE:
		take_whole(p, o);
		break;
	case FRAMING_PART:
		take_part(p, o);
		break;
	case FRAMING_ASK:
		/* To where it came from: that is what a challenge asks. */
		send_echo(p, k, from, FRAMING_ANSWER, o->f.what, o->f.token, 0);
		break;
	case FRAMING_ANSWER:
		peer_answered(p, from, &o->f);
		break;
	}
}

/* It is authentic: numbers and places. */
static void came(struct link_peer *p, struct link_keys *k, const struct record *r,
		 const struct where *from)
{
	bool newest = !k->s->window.began || r->seq > k->s->window.top;
	int64_t missing = window_take(&k->s->window, r->seq);

	p->counts.records_in++;
	p->counts.wire_in += RECORD_HEAD + r->len;
	if (missing >= 0 || p->counts.missing > 0)
		p->counts.missing += (uint64_t)missing;
	peer_heard(p, k, from, newest);
}

static bool open_alert(struct link_peer *p, struct link_keys *k, const struct record *r,
		       const struct where *from)
{
	int len = record_content(k->open, r);

	if (len < 0 || record_open_begin(k->open, r) < 0 ||
	    record_open_some(k->open, (size_t)len, p->ls->scratch) < 0 ||
	    record_open_end(k->open) < 0)
		return false;
	came(p, k, r, from);
	if (len == 2 &&
	    (p->ls->scratch[1] == SSL_AD_CLOSE_NOTIFY || p->ls->scratch[0] == SSL3_AL_FATAL))
		peer_left(p, k);
	return true;
}

/* False: not sealed by these keys. */
static bool open_record(struct link_peer *p, struct link_keys *k, const struct record *r,
			const struct where *from)
{
	struct opening o = {0};
	int len;

	if (r->type == RECORD_ALERT)
		return open_alert(p, k, r, from);
	len = record_content(k->open, r);
	if (len < 0 || record_open_begin(k->open, r) < 0)
		return false;
	o.len = (size_t)len;
	if (open_head(k, &o) < 0)
		return false;
	if (open_body(p, k, &o) < 0 || record_open_end(k->open) < 0) {
		give_back(p->ls, &o);
		return false;
	}
	came(p, k, r, from);
	take_data(p, k, from, &o);
	return true;
}

enum opened { OPENED, OPENED_REPLAY, OPENED_NOT };

/* By the keys in use first: nearly always the ones. */
static enum opened open_by(struct link_peer *p, const struct record *r, const struct where *from)
{
	enum opened said = OPENED_NOT;
	struct link_keys *list[1 + LINK_KEYS] = {p->use};
	unsigned n = p->use ? 1 : 0;

	for (unsigned i = 0; i < LINK_KEYS; i++)
		if (p->keys[i] && p->keys[i] != p->use)
			list[n++] = p->keys[i];
	for (unsigned i = 0; i < n; i++) {
		if (!window_fresh(&list[i]->s->window, r->seq))
			said = OPENED_REPLAY;
		else if (open_record(p, list[i], r, from))
			return OPENED;
		else
			list[i]->s->forged++;
	}
	return said;
}

static struct link_peer *peer_at(struct links *ls, const struct where *from)
{
	for (unsigned i = 0; i < ls->peer_count; i++)
		if (where_same(&ls->peers[i]->at, from))
			return ls->peers[i];
	/* Its new keys may be from a new place. */
	for (unsigned i = 0; i < ls->peer_count; i++)
		if (ls->peers[i]->keys[0] && where_same(&ls->peers[i]->keys[0]->s->at, from))
			return ls->peers[i];
	return NULL;
}

/* HelloRequest (RFC 5246 §7.4.1.1): whoever seals by keys that we do not have is to begin anew. */
static void nudge(struct links *ls, const struct where *to)
{
	static const uint8_t request[RECORD_HEAD + 12] = {
		RECORD_HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12};
	uint8_t *room = wire_room(&ls->wire, sizeof(request));

	if (!ls->nudges_left || !room)
		return;
	ls->nudges_left--;
	memcpy(room, request, sizeof(request));
	wire_add(&ls->wire, to, sizeof(request));
}

static void take_strange(struct links *ls, const struct where *from, const struct record *r)
{
	if (ls->strange_left) {
		ls->strange_left--;
		for (unsigned i = 0; i < ls->peer_count; i++)
			if (ls->peers[i]->keys[0] && open_by(ls->peers[i], r, from) == OPENED)
				return;
	}
	ls->counts.strange++;
	if (r->len <= RECORD_OVER)
		return;
	links_refuse(ls, NULL, from, REASON_SEAL_FORGED, "from where no peer is", NULL);
	nudge(ls, from);
}

static void take_record(struct links *ls, const struct where *from, const struct record *r)
{
	struct link_peer *p = peer_at(ls, from);

	if (!p || !p->keys[0]) {
		take_strange(ls, from, r);
		return;
	}
	switch (open_by(p, r, from)) {
	case OPENED:
		break;
	case OPENED_REPLAY:
		p->counts.replayed++;
		links_refuse(ls, p, from, REASON_SEAL_REPLAYED, NULL, NULL);
		break;
	case OPENED_NOT:
		p->counts.forged++;
		links_refuse(ls, p, from, REASON_SEAL_FORGED, "from where the peer is", NULL);
		break;
	}
}

/* The last words of a handshake that was answered here have got lost: OpenSSL says them again. */
static void say_again(struct link_peer *p, struct bytes d)
{
	uint8_t none;
	size_t n;

	for (unsigned i = 0; i < LINK_KEYS && p->keys[i]; i++) {
		struct link_keys *k = p->keys[i];

		if (k->s->client || !k->ssl)
			continue;
		k->bio.data = d.data;
		k->bio.len = d.len;
		ERR_clear_error();
		SSL_read_ex(k->ssl, &none, 1, &n);
		ERR_clear_error();
		k->bio.len = 0;
		return;
	}
}

static bool is_same_hello(const struct link_shake *s, struct bytes d)
{
	return !s->client && d.len >= HELLO_RANDOM + sizeof(s->random) &&
	       memcmp(d.data + HELLO_RANDOM, s->random, sizeof(s->random)) == 0;
}

static void take_handshake(struct links *ls, const struct where *from, const struct record *first,
			   struct bytes d)
{
	struct link_shake *s = shake_at(ls, from);
	struct link_peer *p = peer_at(ls, from);

	if (hello_is(d)) {
		if (s && is_same_hello(s, d))
			shake_input(s, d);
		else
			hello_take(ls, from, d);
	} else if (s) {
		shake_input(s, d);
	} else if (p && first->epoch == 1) {
		say_again(p, d);
	} else if (p && first->type == RECORD_HANDSHAKE && first->len == 12 && !first->data[0]) {
		peer_nudged(p);
	} else {
		ls->counts.strange++;
	}
}

void receive_datagram(struct links *ls, const struct where *from, struct bytes datagram)
{
	struct reader r = reader_new(datagram.data, datagram.len);
	struct record x;

	while (reader_left(&r)) {
		size_t at = r.off;

		if (!record_read(&r, &x)) {
			struct link_peer *p = peer_at(ls, from);

			if (p)
				p->counts.forged++;
			else
				ls->counts.strange++;
			links_refuse(ls, p, from, REASON_SEAL_FORGED, "no record of DTLS", NULL);
			return;
		}
		if (x.epoch != 1 || (x.type != RECORD_DATA && x.type != RECORD_ALERT)) {
			take_handshake(ls, from, &x,
				       (struct bytes){datagram.data + at, datagram.len - at});
			return;
		}
		take_record(ls, from, &x);
	}
}
