#include "guard/flow/tcp.h"

#include <endian.h>

#include "base/sum.h"

#define WINDOW_LEAST   65535u
#define WINDOW_UNKNOWN (1u << 20) /* without the handshake the scale is anybody's guess */
#define SCALE_MAX      14	  /* RFC 7323 §2.3 */
#define SCALE_NONE     0xff
#define REPEATED_NS    2000000ull /* by which two mirrored ports may be apart */
#define TCP_WINDOW     14 /* where it stands in the header (RFC 9293 §3.1); the checksum behind it */

#define TCP_SUM 16

/* Kinds of options */
#define SIGNED_MD5   19
#define SIGNED_AO    29
#define MULTIPATH    30
#define SIGNED_LEAST 16 /* bytes of options, one of these among them; time-stamps alone take 12 */

/* tcp_known, by end */
#define KNOWN_NEXT(end)	 (1u << (end))
#define KNOWN_ACKED(end) (4u << (end))
#define KNOWN_FIN(end)	 (16u << (end))
#define UNSEEN		 64u /* what goes by unseen: numbers say nothing */

static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static uint8_t window_scale(const struct packet *p)
{
	struct reader r = reader_new(p->tcp_options.data, p->tcp_options.len);

	while (reader_left(&r)) {
		uint8_t kind = read_u8(&r), len;

		if (kind == 0)
			break;
		if (kind == 1)
			continue;
		len = read_u8(&r);
		if (kind == 3 && len == 3) {
			uint8_t scale = read_u8(&r);

			return scale > SCALE_MAX ? SCALE_MAX : scale;
		}
		read_skip(&r, len < 2 ? 0 : len - 2u);
	}
	return SCALE_NONE;
}

bool tcp_stamp(const struct packet *p, uint32_t *ret_stamp)
{
	static const uint8_t usual[] = {1, 1, 8, 10}; /* how everybody lays it out */
	struct reader r = reader_new(p->tcp_options.data, p->tcp_options.len);

	if (p->tcp_options.len >= 12 && !memcmp(p->tcp_options.data, usual, sizeof(usual))) {
		read_skip(&r, sizeof(usual));
		*ret_stamp = read_be32(&r);
		return true;
	}
	while (reader_left(&r)) {
		uint8_t kind = read_u8(&r), len;

		if (kind == 0)
			break;
		if (kind == 1)
			continue;
		len = read_u8(&r);
		if (kind == 8 && len == 10) {
			uint32_t stamp = read_be32(&r);

			if (!r.bad)
				*ret_stamp = stamp;
			return !r.bad;
		}
		read_skip(&r, len < 2 ? 0 : len - 2u);
	}
	return false;
}

/* How far `end` may be ahead of what the other confirmed. */
static uint32_t window_of(const struct flow *f, unsigned end)
{
	uint32_t w = f->tcp_window[1 - end];

	return w < WINDOW_LEAST ? WINDOW_LEAST : w;
}

bool tcp_in_window(const struct flow *f, const struct packet *p, unsigned end)
{
	uint32_t window = window_of(f, end), base;

	if (f->tcp_known & KNOWN_ACKED(end))
		base = f->tcp_acked[end];
	else if (f->tcp_known & KNOWN_NEXT(end))
		base = f->tcp_next[end];
	else
		return true;
	return ahead(p->tcp_seq, base) <= (int32_t)window &&
	       ahead(p->tcp_seq + p->payload_wire, base) >= -(int32_t)window;
}

/*
 * A reset counts only at a place the receiver could stand at: between what it
 * confirmed and what was sent to it. Before the handshake ends it must confirm
 * the SYN instead (RFC 9293 §3.10.7.3).
 */
static bool reset_holds(const struct flow *f, const struct packet *p, unsigned end)
{
	if (f->state == TCP_SYN_SENT && end == 1)
		return p->tcp_flags & TCP_ACK && p->tcp_ack == f->tcp_next[0];
	if (!(f->tcp_known & KNOWN_NEXT(end)))
		return !(f->tcp_known & KNOWN_ACKED(end)) || p->tcp_seq == f->tcp_acked[end];
	if (!(f->tcp_known & KNOWN_ACKED(end)))
		return ahead(p->tcp_seq, f->tcp_next[end]) <= 0 &&
		       ahead(p->tcp_seq, f->tcp_next[end]) >= -(int32_t)WINDOW_LEAST;
	return ahead(p->tcp_seq, f->tcp_acked[end]) >= 0 &&
	       ahead(p->tcp_seq, f->tcp_next[end]) <= 0;
}

/* In force only where both offered it; RFC 7323 §2.2. */
static unsigned shift_of(const struct flow *f, unsigned end)
{
	return f->tcp_scale[0] <= SCALE_MAX && f->tcp_scale[1] <= SCALE_MAX ? f->tcp_scale[end] : 0;
}

/* Is the header signed (RFC 2385 §3.0, RFC 5925 §2.2)? Who changes it makes the segment worthless. */
static __attribute__((cold)) bool is_signed(const struct packet *p)
{
	struct reader r = reader_new(p->tcp_options.data, p->tcp_options.len);

	while (reader_left(&r)) {
		uint8_t kind = read_u8(&r), len;

		if (kind == 0 || kind == SIGNED_MD5 || kind == SIGNED_AO)
			return kind;
		if (kind == 1)
			continue;
		len = read_u8(&r);
		read_skip(&r, len < 2 ? 0 : len - 2u);
	}
	return false;
}

void tcp_clamp_window(const struct flow *f, const struct packet *p, unsigned end, uint32_t most)
{
	unsigned shift = shift_of(f, end);
	uint8_t *field = (uint8_t *)(uintptr_t)p->l4.data + TCP_WINDOW;
	uint16_t was[2], now[2]; /* window and checksum, as they are in memory */

	if (p->tcp_flags & TCP_SYN || f->state == TCP_MIDSTREAM ||
	    (uint32_t)p->tcp_window << shift <= most ||
	    (p->tcp_options.len >= SIGNED_LEAST && is_signed(p)))
		return;
	memcpy(was, field, sizeof(was));
	now[0] = htobe16((uint16_t)(most >> shift));
	now[1] = was[1];
	if (!packet_sum_is_left(p))
		now[1] = (uint16_t)~sum_fold((uint64_t)(uint16_t)~was[0] + (uint16_t)~was[1] +
					     now[0]);
	memcpy(field, now, sizeof(now));
}

void tcp_one_path(const struct packet *p)
{
	uint8_t *options = (uint8_t *)(uintptr_t)p->tcp_options.data, *sum;
	size_t len = p->tcp_options.len, step;
	uint16_t was, before, after;

	if (!len)
		return;
	before = sum_fold(sum_add(0, options, len));
	for (size_t i = 0; i < len && options[i] != 0; i += step) {
		step = options[i] == 1 ? 1 : len - i < 2 ? 0 : options[i + 1];
		if (step > len - i || (options[i] != 1 && step < 2))
			break;
		if (options[i] == MULTIPATH)
			memset(options + i, 1, step);
	}
	after = sum_fold(sum_add(0, options, len));
	if (after == before || packet_sum_is_left(p))
		return;
	sum = (uint8_t *)(uintptr_t)p->l4.data + TCP_SUM;
	memcpy(&was, sum, sizeof(was));
	was = (uint16_t)~sum_fold((uint64_t)(uint16_t)~was + (uint16_t)~before + after);
	memcpy(sum, &was, sizeof(was));
}

static void learn_window(struct flow *f, const struct packet *p, unsigned end)
{
	uint32_t window = p->tcp_window;

	if (p->tcp_flags & TCP_SYN)
		f->tcp_scale[end] = window_scale(p);
	else if (f->state == TCP_MIDSTREAM)
		window = WINDOW_UNKNOWN;
	else
		window <<= shift_of(f, end);
	if (window > f->tcp_window[end])
		f->tcp_window[end] = window;
}

static void learn_sequence(struct flow *f, const struct packet *p, unsigned end)
{
	uint32_t behind = p->tcp_seq + p->payload_wire + !!(p->tcp_flags & TCP_SYN) +
			  !!(p->tcp_flags & TCP_FIN);
	unsigned other = 1 - end;

	if (p->tcp_flags & TCP_SYN && !(f->tcp_began & 1u << end)) {
		f->tcp_first[end] = p->tcp_seq + 1;
		f->tcp_began |= (uint8_t)(1u << end);
	}
	if (!(f->tcp_known & KNOWN_NEXT(end)) || ahead(behind, f->tcp_next[end]) > 0)
		f->tcp_next[end] = behind;
	f->tcp_known |= KNOWN_NEXT(end);
	if (!(p->tcp_flags & TCP_ACK))
		return;
	if (!(f->tcp_known & KNOWN_ACKED(other)) || ahead(p->tcp_ack, f->tcp_acked[other]) > 0)
		f->tcp_acked[other] = p->tcp_ack;
	/* Confirmed and never seen: it went another way, or the capture lost it. */
	if (!(f->tcp_known & KNOWN_NEXT(other)) || ahead(p->tcp_ack, f->tcp_next[other]) > 0)
		f->tcp_next[other] = p->tcp_ack;
	f->tcp_known |= KNOWN_ACKED(other) | KNOWN_NEXT(other);
}

/* A confirmation of something that was never sent is a guess, or stale. */
static bool ack_holds(const struct flow *f, const struct packet *p, unsigned end)
{
	unsigned other = 1 - end;

	if (!(p->tcp_flags & TCP_ACK) || !(f->tcp_known & KNOWN_NEXT(other)))
		return true;
	return ahead(p->tcp_ack, f->tcp_next[other]) <= (int32_t)window_of(f, other);
}

bool tcp_runs_ahead(const struct flow *f, const struct packet *p, unsigned end)
{
	unsigned other = 1 - end;

	if (!(p->tcp_flags & TCP_ACK) || f->tcp_known & UNSEEN)
		return false;
	if (p->tcp_flags & TCP_SYN)
		return !(f->tcp_began & 1u << other && p->tcp_ack == f->tcp_first[other]) &&
		       !tcp_begins_anew(f, p, end);
	if (!(f->tcp_known & KNOWN_NEXT(other)))
		return f->state == TCP_SYN_SENT && end == 0;
	return f->packets[other] && ahead(p->tcp_ack, f->tcp_next[other]) > 0 &&
	       ack_holds(f, p, end);
}

static void begin(struct flow *f, const struct packet *p, unsigned end)
{
	f->tcp_scale[0] = f->tcp_scale[1] = SCALE_NONE;
	if (p->tcp_flags & TCP_RST)
		f->state = TCP_RESET;
	else if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		f->state = TCP_SYN_SENT;
	else
		f->state = TCP_MIDSTREAM;
	if (end == 1) {
		f->tcp_first[0] = p->tcp_ack;
		f->tcp_began = 1;
	}
	learn_window(f, p, end);
	learn_sequence(f, p, end);
}

static void shake_hands(struct flow *f, const struct packet *p, unsigned end)
{
	uint8_t flags = p->tcp_flags;

	if (f->state == TCP_SYN_SENT && end == 0) {
		/* The SYN again, perhaps with a new number after a refusal. */
		if (flags & TCP_SYN) {
			f->tcp_known = f->tcp_began = 0;
			learn_sequence(f, p, 0);
		} else if (flags & TCP_ACK) {
			/* It was answered on another way than ours. */
			f->state = TCP_MIDSTREAM;
			learn_window(f, p, 0);
			learn_sequence(f, p, 0);
		}
		return;
	}
	if (f->state == TCP_SYN_SENT) {
		if (!(flags & TCP_SYN))
			return;
		/* Of two beginnings it has taken the other one, or somebody lies: where it goes on as
		 * though it had begun there, it has. */
		f->tcp_known &= (uint8_t)~KNOWN_ACKED(0);
		if (flags & TCP_ACK && p->tcp_ack != f->tcp_next[0]) {
			f->tcp_acked[0] = p->tcp_ack;
			f->tcp_known |= KNOWN_ACKED(0);
			return;
		}
		f->state = TCP_SYN_RECV;
	} else if (!tcp_in_window(f, p, end)) {
		return;
	} else if (end == 0 && flags & TCP_ACK && ahead(f->tcp_next[1], p->tcp_ack) >= 0) {
		f->state = TCP_ESTABLISHED;
	}
	learn_window(f, p, end);
	learn_sequence(f, p, end);
}

static void note_fin(struct flow *f, unsigned end)
{
	f->tcp_known |= KNOWN_FIN(end);
	f->state = f->tcp_known & KNOWN_FIN(1 - end) ? TCP_CLOSED : TCP_FIN_WAIT;
}

/* One that only repeats the flow's own is no offer, nor is what crosses the first. */
static __attribute__((cold)) void note_offer(struct flow *f, const struct packet *p, unsigned end)
{
	uint32_t first = p->tcp_seq + 1;

	if (f->state == TCP_SYN_SENT || (f->tcp_began & 1u << end && f->tcp_first[end] == first))
		return;
	f->tcp_offer = (struct tcp_offer){
		.first = first,
		.window = p->tcp_window,
		.scale = window_scale(p),
		.by = (uint8_t)(1 + end),
	};
}

bool tcp_confirmed(const struct flow *f, unsigned end, uint32_t *ret_acked)
{
	if (!(f->tcp_known & KNOWN_ACKED(end)))
		return false;
	*ret_acked = f->tcp_acked[end];
	return true;
}

bool tcp_answers_another(const struct flow *f, const struct packet *p, unsigned end)
{
	return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
	       f->tcp_began & 1u << !end && p->tcp_ack != f->tcp_first[!end];
}

bool tcp_begins_anew(const struct flow *f, const struct packet *p, unsigned end)
{
	return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) &&
	       f->tcp_offer.by == 1 + !end && p->tcp_ack == f->tcp_offer.first;
}

void tcp_resume(struct flow *f, const struct tcp_offer *o)
{
	f->tcp_scale[0] = o->scale;
	f->tcp_scale[1] = SCALE_NONE;
	f->tcp_window[0] = o->window;
	f->tcp_flags[0] = TCP_SYN;
	f->tcp_next[0] = f->tcp_first[0] = o->first;
	f->tcp_known = KNOWN_NEXT(0);
	f->tcp_began = 1;
	f->state = TCP_SYN_SENT;
}

bool tcp_is_repeated(const struct flow *f, const struct packet *p, unsigned end)
{
	uint64_t apart =
		p->time_ns > f->last_ns ? p->time_ns - f->last_ns : f->last_ns - p->time_ns;

	if (p->proto != PROTO_TCP || apart > REPEATED_NS)
		return false;
	if (p->tcp_flags & TCP_SYN)
		return f->tcp_began & 1u << end && p->tcp_seq + 1 == f->tcp_first[end];
	return f->tcp_known & KNOWN_NEXT(end) && tcp_in_window(f, p, end);
}

void tcp_unseen(struct flow *f, bool unseen)
{
	f->tcp_known &= KNOWN_FIN(0) | KNOWN_FIN(1);
	if (unseen)
		f->tcp_known |= UNSEEN;
}

void tcp_track(struct flow *f, const struct packet *p, unsigned end)
{
	f->tcp_flags[end] |= p->tcp_flags;
	if (__builtin_expect(f->tcp_known & UNSEEN, 0))
		tcp_unseen(f, true);
	if (__builtin_expect(f->state == TCP_NONE, 0)) {
		begin(f, p, end);
		return;
	}
	if (__builtin_expect((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN, 0))
		note_offer(f, p, end);
	if (__builtin_expect(p->tcp_flags & TCP_RST, 0)) {
		if (reset_holds(f, p, end))
			f->state = TCP_RESET;
		else
			anomaly_add(&f->anomalies, ANOMALY_TCP_BLIND_RESET);
		return;
	}
	if (f->state == TCP_SYN_SENT || f->state == TCP_SYN_RECV) {
		shake_hands(f, p, end);
	} else {
		if (f->state == TCP_RESET || !tcp_in_window(f, p, end) || !ack_holds(f, p, end))
			return;
		learn_window(f, p, end);
		learn_sequence(f, p, end);
	}
	/* One behind which something was said already ends nothing. */
	if (p->tcp_flags & TCP_FIN && f->state != TCP_SYN_SENT && tcp_in_window(f, p, end) &&
	    ahead(p->tcp_seq + p->payload_wire + 1, f->tcp_next[end]) >= 0)
		note_fin(f, end);
}
