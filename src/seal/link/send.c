#include "seal/link/clamp.h"
#include "seal/link/link_internal.h"

#include <errno.h>

#include <linux/virtio_net.h>

#define VNET	  sizeof(struct virtio_net_hdr)
#define CLAMP_MAX 2048 /* a SYN is not longer */

/* Content bytes of a record that still fits. */
static size_t room_of(const struct link_peer *p)
{
	return p->path.size - record_over(p->use->seal);
}

void link_clamp(struct link_peer *p, const struct link_frame *f)
{
	size_t skip = f->form == LINK_FORM_VNET ? VNET : 0;
	size_t room = room_of(p) - FRAMING_FRAMES(1) - skip;

	if (f->len > CLAMP_MAX || f->len <= skip)
		return;
	if (clamp_frame(f->data + skip, f->len - skip, room,
			skip && f->data[0] & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		p->counts.clamped++;
}

/* One record, which is one datagram. */
static bool seal(struct link_peer *p, struct link_keys *k, const struct where *to,
		 enum record_type type, const struct iovec *parts, unsigned count, size_t len)
{
	struct wire *w = &p->ls->wire;
	size_t most = len + record_over(k->seal), n;
	uint64_t seq = k->s->seq;
	uint8_t *room = wire_room(w, most);

	if (!room && !w->blocked) {
		wire_flush(p->ls);
		room = wire_room(w, most);
	}
	if (!room || seq > RECORD_LAST)
		return false;
	/* Whatever becomes of it, or of us: a number serves once. */
	__atomic_store_n(&k->s->seq, seq + 1, __ATOMIC_RELEASE);
	n = record_seal(k->seal, type, seq, parts, count, len, room);
	if (!n)
		return false;
	wire_add(w, to, n);
	p->counts.records_out++;
	p->counts.wire_out += n;
	return true;
}

bool send_echo(struct link_peer *p, struct link_keys *k, const struct where *to,
	       enum framing_kind kind, enum framing_what what, uint64_t token, size_t size)
{
	static const uint8_t zeros[LINK_MTU_MAX];
	struct framing f = {.kind = kind, .what = what, .token = token};
	uint8_t head[FRAMING_HEAD];
	size_t over = record_over(k->seal), len = framing_write(&f, head);
	struct iovec parts[2] = {{head, len}, {(void *)(uintptr_t)zeros, 0}};

	if (size > over + len && size - over - len <= sizeof(zeros))
		parts[1].iov_len = size - over - len;
	return seal(p, k, to, RECORD_DATA, parts, 2, len + parts[1].iov_len);
}

void send_farewell(struct link_peer *p, struct link_keys *k)
{
	uint8_t alert[2] = {SSL3_AL_WARNING, SSL_AD_CLOSE_NOTIFY};
	struct iovec part = {alert, sizeof(alert)};

	seal(p, k, &p->at, RECORD_ALERT, &part, 1, sizeof(alert));
}

static void count(struct link_peer *p, const struct link_frame *f)
{
	p->counts.frames_out++;
	p->counts.bytes_out += f->len;
}

/* How many of the frames, from the first, share a record; 0: the first is too long for one. */
static unsigned gather(const struct link_frame *frames, unsigned n, size_t room, struct framing *f,
		       struct iovec *parts, size_t *ret_len)
{
	size_t len = FRAMING_FRAMES(0);
	unsigned i;

	for (i = 0; i < n && i < FRAMING_SHARE; i++) {
		const struct link_frame *x = &frames[i];

		if (x->len == 0 || x->form >= LINK_FORM_COUNT ||
		    len + FRAMING_FRAMES(1) - FRAMING_FRAMES(0) + x->len > room)
			break;
		len += FRAMING_FRAMES(1) - FRAMING_FRAMES(0) + x->len;
		f->frames[i] =
			(struct framing_frame){(uint16_t)x->len, x->channel, (uint8_t)x->form};
		parts[1 + i] = (struct iovec){x->data, x->len};
	}
	f->count = i;
	*ret_len = len;
	return i;
}

/* Whether as many records of the size find room, all of them. */
static bool has_room(struct links *ls, unsigned pieces, size_t size)
{
	struct wire *w = &ls->wire;

	if (w->runs + pieces <= WIRE_RUNS && pieces * size <= LINK_OUT - w->out_len)
		return true;
	if (!w->blocked)
		wire_flush(ls);
	return w->runs + pieces <= WIRE_RUNS && pieces * size <= LINK_OUT - w->out_len;
}

/* 1 sealed, 0 no room now, -1 it has no form that passes. */
static int split(struct link_peer *p, const struct link_frame *x)
{
	size_t room = room_of(p), body = room - FRAMING_PIECE;
	struct framing f = {.kind = FRAMING_PART,
			    .form = (uint8_t)x->form,
			    .channel = x->channel,
			    .total = x->len};
	size_t pieces = (x->len + body - 1) / body;
	uint8_t head[FRAMING_HEAD];

	if (x->len == 0 || x->len > LINK_FRAME_MAX || x->form >= LINK_FORM_COUNT ||
	    pieces > FRAMING_PIECES)
		return -1;
	pieces = pieces < 2 ? 2 : pieces;
	if (!has_room(p->ls, (unsigned)pieces, p->path.size))
		return 0;
	f.id = p->split_id++;
	f.pieces = (uint8_t)pieces;
	for (; f.index < pieces; f.index++) {
		struct iovec parts[2];

		if (!framing_piece(f.total, f.pieces, f.index, &f.offset, &f.len))
			return -1;
		parts[0] = (struct iovec){head, framing_write(&f, head)};
		parts[1] = (struct iovec){x->data + f.offset, f.len};
		if (!seal(p, p->use, &p->at, RECORD_DATA, parts, 2, FRAMING_PIECE + f.len))
			return -1;
	}
	p->counts.split++;
	return 1;
}

int link_send(struct link_peer *p, const struct link_frame *frames, unsigned n)
{
	unsigned done = 0;

	if (!p->up)
		return -ENOTCONN;
	for (unsigned i = 0; i < n; i++)
		link_clamp(p, &frames[i]);
	while (done < n) {
		struct framing f = {.kind = FRAMING_WHOLE};
		struct iovec parts[1 + FRAMING_SHARE];
		uint8_t head[FRAMING_HEAD];
		size_t len;
		unsigned got = gather(frames + done, n - done, room_of(p), &f, parts, &len);

		if (got == 0) {
			int sent = split(p, &frames[done]);

			if (sent == 0)
				break;
			if (sent > 0)
				count(p, &frames[done]);
			else
				p->counts.unfit++;
			done++;
			continue;
		}
		parts[0] = (struct iovec){head, framing_write(&f, head)};
		if (!seal(p, p->use, &p->at, RECORD_DATA, parts, 1 + got, len))
			break;
		for (unsigned i = 0; i < got; i++)
			count(p, &frames[done + i]);
		done += got;
	}
	return (int)done;
}
