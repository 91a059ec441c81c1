#include "guard/proto/hl7_internal.h"

#include <stdio.h>

#include "guard/proto/hl7_probe.h"

#define START  0x0b /* MLLP */
#define END    0x1c
#define CR     0x0d
#define LF     0x0a
#define HOLD   4096 /* characters of a segment that are looked at; what is behind them is passed */
#define BEHIND 4    /* bytes that may stand behind ETX: a sum, an end of a line */

enum phase { OUTSIDE, SEGMENT, LONG_SEGMENT, LOST };

/* What stands around a message: VT and FS; nothing; STX and ETX. */
enum framing { MLLP, BARE, STX_ETX };

static void begin_frame(struct hl7_side *s, enum framing framing)
{
	s->phase = SEGMENT;
	s->framing = framing;
	s->odd = s->owes || s->twice || framing != MLLP;
	s->owes = s->twice = false;
	s->begun = true;
	s->ends = 0;
	s->scanned = 0;
	s->length = 0;
	s->batch = s->header = s->alert = s->worth = s->hybrid = false;
	s->told = s->broken = s->far = s->refused = false;
	s->opening = true;
	s->in_xml = false;
	s->wide.width = 0;
}

/*
 * What breaks the framing is told, with as much as was understood. Receivers pass over the rest and
 * take the next frame, so that is read: a stray byte makes nobody blind.
 */
static enum parse lose_frame(struct hl7_side *s, struct hl7_msg *m, enum reason why,
			     struct proto_output *out, size_t used)
{
	s->phase = LOST;
	s->header = false;
	m->kept = 0; /* half of what was measured counts for nothing */
	m->msg.reason = why;
	out->has_msg = true;
	out->used = used ? used : 1;
	return PARSE_OK;
}

/* The first `c` in [from, to), `to` where there is none. */
static size_t find(struct bytes b, size_t from, size_t to, uint8_t c)
{
	const uint8_t *at = from < to ? memchr(b.data + from, c, to - from) : NULL;

	return at ? (size_t)(at - b.data) : to;
}

/*
 * Of a segment that CR ends, up to `end`: LF before a header, which begins a message to receivers that
 * end a segment by either, as is done from there on. Some of them strip what is blank from a line: such
 * a header has a name that is none, and does not pass. *ret_maybe: the bytes do not tell yet.
 */
static size_t find_header_line(struct hl7_side *s, struct bytes b, size_t from, size_t end,
			       bool *ret_maybe)
{
	size_t at = find(b, from, end, LF);

	for (; at < end; at = find(b, at + 1, end, LF)) {
		size_t text = at + 1;
		enum parse got;

		while (text < end && b.data[text] <= ' ' && b.data[text] != LF)
			text++;
		got = hl7_probe_header((struct bytes){b.data + text, end - text});
		*ret_maybe = got == PARSE_MORE && end == b.len;
		if (got == PARSE_OK)
			s->ends = LF;
		if (got == PARSE_OK || *ret_maybe)
			break;
	}
	return at;
}

/*
 * Where the segment ends, `len` where not within the bytes. CR always ends one (HL7 v2.9 §2.5.4), LF
 * where the first one of the frame ended by it.
 */
static size_t segment_end(struct hl7_side *s, struct bytes b, size_t from, bool *ret_maybe)
{
	size_t end = find(b, from, b.len, CR);

	if (s->ends != CR) {
		size_t lf = find(b, from, end, LF);

		if (!s->ends && lf < b.len)
			s->ends = lf < end ? LF : CR;
		end = lf;
	}
	end = find(b, from, end, END);
	end = find(b, from, end, START);
	if (__builtin_expect(s->framing != MLLP, 0))
		end = find(b, from, end, HL7_ETX);
	return s->ends == CR ? find_header_line(s, b, from, end, ret_maybe) : end;
}

/* Where no frames are spoken: the first STX or end of a line with a header behind it, `len` where there
 * is none; *ret_maybe as in find_header_line(). */
static size_t find_bare(struct bytes b, size_t len, bool *ret_maybe)
{
	for (size_t i = 0; i < len; i++) {
		enum parse got = PARSE_BAD;

		if (b.data[i] == CR || b.data[i] == LF || b.data[i] == HL7_STX)
			got = hl7_probe_bare((struct bytes){b.data + i + 1, b.len - i - 1});
		*ret_maybe = got == PARSE_MORE;
		if (got != PARSE_BAD)
			return i;
	}
	return len;
}

/* Behind a hole: the next frame can be read again. */
static enum parse find_start(struct hl7_side *s, const struct proto_input *in,
			     struct proto_output *out)
{
	size_t at = find(in->data, 0, in->data.len, START);
	bool maybe = false;

	if (s->framing != MLLP)
		at = find_bare(in->data, at, &maybe);
	out->used = at;
	if (maybe)
		return at ? PARSE_OK : PARSE_MORE;
	if (at == in->data.len)
		return PARSE_OK;
	if (in->data.data[at] != START) {
		s->phase = OUTSIDE;
		out->used += in->data.data[at] != HL7_STX;
		return PARSE_OK;
	}
	out->used++;
	begin_frame(s, MLLP);
	out->begins = true;
	return PARSE_OK;
}

/* A segment, or the front or the rest of a long one, as it was found. */
struct cut {
	struct bytes text;
	size_t len;	  /* of the input: its whole characters */
	size_t end, used; /* up to what stops it, and with that */
	enum hl7_stop stop;
	bool torn;
};

/* Within a frame the first byte of one: that it begins twice is told with its message. */
static __attribute__((cold, noinline)) enum parse begin_anew(struct hl7 *h,
							     const struct proto_input *in,
							     const struct cut *c, struct hl7_msg *m,
							     struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	if (!s->header && !s->batch && !c->end && !s->wide.width && !s->in_xml) {
		s->odd = true;
		s->ends = 0;
		return PARSE_OK;
	}
	if (s->framing == BARE) {
		out->has_msg = hl7_tell(h, s, in, m);
	} else {
		(void)hl7_tell(h, s, in, m);
		(void)lose_frame(s, m, REASON_HL7_FRAMING, out, c->end);
		out->kept = 0;
		if (c->end)
			return PARSE_OK;
	}
	begin_frame(s, MLLP);
	out->begins = true;
	out->used = c->used;
	return PARSE_OK;
}

/* A message without a frame may have ended where nothing follows. A header alone is none. */
static __attribute__((cold, noinline)) void may_end(struct hl7 *h, const struct proto_input *in,
						    struct hl7_msg *m, struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	if (out->used == in->data.len && s->segments > 1)
		out->has_msg = hl7_tell_maybe(h, s, in, m);
}

/* An empty line ends it. */
static __attribute__((cold, noinline)) void end_line(struct hl7 *h, const struct proto_input *in,
						     const struct cut *c, struct hl7_msg *m,
						     struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	if (!c->end) {
		out->has_msg = hl7_tell(h, s, in, m);
		out->ends = true;
		s->phase = OUTSIDE;
	} else {
		may_end(h, in, m, out);
	}
}

/* What stops the segment is told, if anything is. */
static inline enum parse stop_segment(struct hl7 *h, const struct proto_input *in,
				      const struct cut *c, struct hl7_msg *m,
				      struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	s->phase = SEGMENT;
	s->length = 0;
	out->used = c->used;
	switch (c->stop) {
	case HL7_STOP_START:
		return begin_anew(h, in, c, m, out);
	case HL7_STOP_END:
	case HL7_STOP_WIDE:
		s->phase = OUTSIDE;
		s->owes = s->framing == MLLP;
		s->broken |= c->stop == HL7_STOP_WIDE && s->far && s->wide.big && !s->wide.marked &&
			     !s->led;
		out->has_msg = hl7_tell(h, s, in, m);
		out->ends = true;
		return PARSE_OK;
	default:
		out->kept = c->used;
		if (__builtin_expect(s->framing == BARE, 0))
			end_line(h, in, c, m, out);
		return PARSE_OK;
	}
}

/* Of a header nothing may be left unread. */
static __attribute__((cold, noinline)) bool is_header_cut(const struct hl7_side *s,
							  const struct cut *c)
{
	return s->header && c->len >= HOLD * (s->wide.width ? s->wide.width : 1u);
}

static inline __attribute__((always_inline)) enum parse
take_segment(struct hl7 *h, const struct proto_input *in, const struct cut *c, struct hl7_msg *m,
	     struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	bool passing = s->phase == LONG_SEGMENT, headed = s->header || passing;
	enum reason why = REASON_NONE;

	if (!passing && hl7_ends_message(s, c->text)) {
		bool bare = s->framing == BARE && !s->batch;

		out->has_msg = hl7_tell(h, s, in, m);
		if (bare)
			s->phase = OUTSIDE;
		out->ends = bare;
		if (out->has_msg || bare) {
			s->scanned = (uint16_t)(c->len < HOLD ? c->len : 0); /* it comes again */
			return PARSE_OK;
		}
	}
	s->length += (uint32_t)c->end;
	if (s->length > HL7_SEGMENT_MAX) {
		(void)hl7_tell(h, s, in, m);
		return lose_frame(s, m, REASON_HL7_SEGMENT_TOO_LONG, out, c->end);
	}
	s->broken |= c->torn;
	if (!passing && c->text.len && !hl7_read_segment(h, in->end, c->text, &why)) {
		(void)lose_frame(s, m, why, out, c->end);
		/* The next header of the frame opens a message of its own. */
		s->refused =
			why == REASON_HL7_DELIMITERS || (why == REASON_HL7_NO_HEADER && s->batch);
		if (s->refused)
			s->phase = c->stop == HL7_STOP_NONE ? LONG_SEGMENT : SEGMENT;
		s->scanned = 0;
		return PARSE_OK;
	}
	if (__builtin_expect(c->len >= HOLD, 0) && !headed && is_header_cut(s, c)) {
		(void)hl7_tell(h, s, in, m);
		return lose_frame(s, m, REASON_HL7_SEGMENT_TOO_LONG, out, c->end);
	}
	if (__builtin_expect(s->samples, 0))
		out->has_msg =
			c->stop == HL7_STOP_LINE && hl7_tell_samples(h, s, in->end, c->text, m);
	s->scanned = 0;
	out->used = out->kept = c->end;
	if (c->stop == HL7_STOP_NONE) {
		s->phase = LONG_SEGMENT;
		return PARSE_OK;
	}
	return stop_segment(h, in, c, m, out);
}

/* The frame's first character, where it is a mark, is none of its header. */
static struct bytes unmarked(const struct hl7_side *s, struct bytes b)
{
	if (!s->wide.marked || s->ends || s->phase == LONG_SEGMENT || b.len < s->wide.width)
		return b;
	return (struct bytes){b.data + s->wide.width, b.len - s->wide.width};
}

static struct bytes wide_text(struct hl7_side *s, struct bytes raw, uint8_t room[HOLD], bool *torn)
{
	raw = unmarked(s, raw);
	return (struct bytes){room, hl7_wide_text(&s->wide, raw, room, HOLD, torn, &s->far)};
}

/*
 * Bytes that are the end to some receivers, and to others a character whose rest is still to come:
 * the message is told by what there is of it, before they pass. A header alone is none.
 */
static enum parse read_maybe(struct hl7 *h, const struct proto_input *in, struct cut *c,
			     struct hl7_msg *m, struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	if (s->phase != LONG_SEGMENT && c->text.len >= 3 && hl7_opens(c->text.data))
		return PARSE_MORE;
	if (c->end) {
		c->stop = HL7_STOP_NONE;
		return take_segment(h, in, c, m, out);
	}
	if (s->told)
		return PARSE_MORE;
	out->has_msg = hl7_tell_maybe(h, s, in, m);
	return out->has_msg ? PARSE_OK : PARSE_MORE;
}

/* Characters of two or four bytes, segment by segment in UTF-8. */
static __attribute__((cold, noinline)) enum parse
read_wide(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m, struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	bool passing = s->phase == LONG_SEGMENT;
	size_t scanned = passing ? 0 : s->scanned, width = s->wide.width;
	uint8_t room[HOLD];
	struct hl7_wide_cut found;
	struct cut c;

	found = hl7_wide_cut(&s->wide, in->data, &scanned);
	if (found.stop == HL7_STOP_NONE) {
		found.end -= hl7_wide_half(&s->wide, (struct bytes){in->data.data, found.end});
		found.len = found.used = found.end;
	}
	if (found.stop == HL7_STOP_NONE && (!found.end || (found.end < HOLD * width && !passing))) {
		s->scanned = (uint16_t)found.end;
		return PARSE_MORE;
	}
	c = (struct cut){
		.len = found.len, .end = found.end, .used = found.used, .stop = found.stop};
	for (size_t i = found.len; i < found.end; i++)
		c.torn |= in->data.data[i] != 0;
	c.text = wide_text(s, (struct bytes){in->data.data, found.len}, room, &c.torn);
	if (found.stop == HL7_STOP_LINE)
		s->ends = CR; /* or LF: either does */
	if (found.stop == HL7_STOP_MAYBE)
		return read_maybe(h, in, &c, m, out);
	return take_segment(h, in, &c, m, out);
}

/* What may be read in two ways is not read any further. */
static enum parse refuse_xml(struct hl7 *h, const struct proto_input *in, size_t used,
			     struct hl7_msg *m, struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];

	(void)hl7_tell(h, s, in, m);
	m->msg.readable = false;
	return lose_frame(s, m, REASON_HL7_XML, out, used);
}

static __attribute__((cold, noinline)) enum parse open_xml(struct hl7_side *s, struct bytes frame)
{
	enum parse got = s->framing == MLLP ? hl7_xml_probe(frame) : PARSE_BAD;

	if (got == PARSE_OK) {
		s->in_xml = true;
		s->xml = (struct hl7_xml){0};
		s->field = HL7_XML_FIELD;
		s->component = HL7_XML_COMPONENT;
	}
	return got;
}

/* One message, a unit at a time. */
static __attribute__((cold, noinline)) enum parse
read_xml(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m, struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	size_t len = in->data.len < HL7_XML_WINDOW ? in->data.len : HL7_XML_WINDOW;
	size_t stop = find(in->data, s->scanned, len, END);
	uint8_t room[HL7_XML_WINDOW];
	struct hl7_xml_unit u;
	enum parse got;

	stop = find(in->data, s->scanned, stop, START);
	if (!stop) {
		bool ends = in->data.data[0] == END;
		struct cut c = {.used = 1, .stop = ends ? HL7_STOP_END : HL7_STOP_START};

		if (ends && (!s->header || !hl7_xml_is_whole(&s->xml)))
			return refuse_xml(h, in, 0, m, out);
		return stop_segment(h, in, &c, m, out);
	}
	got = hl7_xml_next(&s->xml, (struct bytes){in->data.data, stop}, room, &u);
	if (got == PARSE_MORE && stop == len) {
		s->scanned = (uint16_t)stop;
		return PARSE_MORE;
	}
	if (got != PARSE_OK || !hl7_take_xml(h, in->end, &u))
		return refuse_xml(h, in, got == PARSE_OK ? u.used : stop, m, out);
	s->scanned = (uint16_t)(stop - u.used);
	out->used = out->kept = u.used;
	return PARSE_OK;
}

/* Samples are read with all that is said of them behind them. */
static __attribute__((cold, noinline)) size_t hold_of(const struct hl7_side *s,
						      struct bytes segment)
{
	return s->phase == SEGMENT && hl7_has_samples(s, segment) ? HL7_WAVE_MAX : HOLD;
}

/* Linear in what came, however it is cut: what was scanned is not scanned again. */
static enum parse read_inside(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			      struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	bool passing = s->phase == LONG_SEGMENT;
	struct cut c = {.stop = HL7_STOP_NONE};
	size_t hold = HOLD;
	bool maybe = false;

	if (s->opening) {
		if (hl7_wide_probe(in->data, &s->wide) == PARSE_MORE)
			return PARSE_MORE;
		if (in->data.data[0] != 'M' && !s->wide.width &&
		    open_xml(s, in->data) == PARSE_MORE)
			return PARSE_MORE;
		s->opening = false;
	}
	if (s->wide.width)
		return read_wide(h, in, m, out);
	if (__builtin_expect(s->in_xml, 0))
		return read_xml(h, in, m, out);
	/* The other half of CR LF. */
	if (!passing && !s->scanned && s->ends == CR && in->data.data[0] == LF) {
		out->used = out->kept = 1;
		if (s->framing == BARE)
			may_end(h, in, m, out);
		return PARSE_OK;
	}
	c.len = c.end = segment_end(s, in->data, passing ? 0 : s->scanned, &maybe);
	if (__builtin_expect(c.end >= HOLD, 0))
		hold = hold_of(s, in->data);
	c.text = (struct bytes){in->data.data, c.end < hold ? c.end : hold};
	c.used = c.end + (c.end < in->data.len);
	if (c.end < in->data.len && !maybe)
		c.stop = in->data.data[c.end] == START				 ? HL7_STOP_START
			 : in->data.data[c.end] == END				 ? HL7_STOP_END
			 : in->data.data[c.end] == HL7_ETX && s->framing != MLLP ? HL7_STOP_END
										 : HL7_STOP_LINE;
	else if (passing ? !c.end : c.end < hold) {
		s->scanned = (uint16_t)c.end;
		return PARSE_MORE;
	}
	return take_segment(h, in, &c, m, out);
}

/* A header without a frame, which is waited for to its end; or behind STX. */
static enum parse begin_bare(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			     struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	bool middle = in->midstream && !s->begun, maybe = false;
	enum parse got = PARSE_OK;

	if (in->data.data[0] == HL7_STX) {
		begin_frame(s, STX_ETX);
		s->behind = 0;
		out->begins = true;
		return PARSE_OK;
	}
	s->ends = 0;
	s->framing = BARE;
	if (segment_end(s, in->data, 0, &maybe) == in->data.len && in->data.len < HOLD)
		return PARSE_MORE;
	begin_frame(s, BARE);
	s->odd = !middle; /* what stood before it is not known */
	out->used = 0;
	got = read_inside(h, in, m, out);
	out->begins = got == PARSE_OK;
	return got;
}

/* Between frames nothing stands but what careless senders leave there. */
static enum parse read_outside(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			       struct proto_output *out)
{
	struct hl7_side *s = &h->side[in->end];
	uint8_t c = in->data.data[0];
	enum parse got;

	out->used = 1;
	if (c == START) {
		begin_frame(s, MLLP);
		out->begins = true;
		return PARSE_OK;
	}
	s->led |= !s->begun && c == 0;
	/* A frame's end may be said twice, by a sender and by what it sends through. */
	s->twice |= c == END && s->begun && s->framing == MLLP;
	s->owes &= c != CR;
	if (c == CR || (c == END && s->twice) || c == LF || c == ' ' || c == '\t' || c == 0)
		return PARSE_OK;
	got = hl7_probe_bare(in->data);
	if (got != PARSE_BAD)
		return got == PARSE_OK ? begin_bare(h, in, m, out) : got;
	if (s->framing == STX_ETX && s->behind++ < BEHIND)
		return PARSE_OK;
	/* A mark of wide characters, the frame's first byte being of them. */
	if ((c == 0xfe || c == 0xff) && hl7_probe_wide_start(in->data) != PARSE_BAD)
		return PARSE_OK;
	return lose_frame(s, m, REASON_HL7_FRAMING, out, 1);
}

static enum parse read_unit(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct hl7 *h = state;
	struct hl7_msg *m = (struct hl7_msg *)ret_m;
	struct hl7_side *s = &h->side[in->end];
	const struct bytes nothing = {NULL, 0};
	enum parse got;

	switch (s->phase) {
	case OUTSIDE:
		/* Picked up in its middle, an end is not outside but in a message of old. */
		if (in->midstream && !s->begun && hl7_probe_bare(in->data) == PARSE_BAD)
			return find_start(s, in, ret_out);
		return read_outside(h, in, m, ret_out);
	case LOST:
		return find_start(s, in, ret_out);
	}
	got = read_inside(h, in, m, ret_out);
	if (got != PARSE_MORE || s->framing != BARE)
		return got;
	return hl7_ask_ahead(h, in->end, s->phase == SEGMENT ? in->data : nothing, m, ret_out);
}

/*
 * A frame without its end is none, but some receivers take a connection that is closed
 * for the end: what the message is has to be known before they do.
 */
static enum parse closed(void *state, const struct proto_input *in, struct msg *ret_m,
			 struct proto_output *ret_out)
{
	struct hl7 *h = state;
	struct hl7_side *s = &h->side[in->end];
	struct bytes last = in->data;
	uint8_t room[HOLD];
	enum reason why, wrong = REASON_NONE;

	if (s->phase == OUTSIDE && last.len && last.data[0] != HL7_STX &&
	    hl7_probe_bare(last) == PARSE_OK) {
		begin_frame(s, BARE);
		ret_out->begins = true;
	}
	if (s->phase != SEGMENT && s->phase != LONG_SEGMENT)
		return PARSE_OK;
	if (s->wide.width)
		last = wide_text(s, last, room, &s->broken);
	if (s->phase == SEGMENT && last.len && !s->in_xml && !hl7_ends_message(s, last) &&
	    !hl7_read_segment(h, in->end, last, &why))
		wrong = why;
	s->phase = OUTSIDE;
	ret_out->has_msg = hl7_tell(h, s, in, (struct hl7_msg *)ret_m);
	if (s->framing == BARE) {
		if (wrong && !ret_out->has_msg) {
			ret_m->reason = wrong;
			ret_out->has_msg = true;
		}
		ret_out->kept = in->data.len;
		ret_out->ends = true;
		return PARSE_OK;
	}
	ret_m->reason = REASON_HL7_FRAMING;
	return PARSE_BAD;
}

static void gap(void *state, unsigned end, uint64_t bytes)
{
	((struct hl7 *)state)->side[end].phase = LOST;
}

static bool amid(const void *state, unsigned end)
{
	const struct hl7_side *s = &((const struct hl7 *)state)->side[end];

	return (s->phase == SEGMENT || s->phase == LONG_SEGMENT) &&
	       !(s->framing == BARE && hl7_is_told(s));
}

/* A frame is one file: a message, or all of a batch. Type and number of its last message. */
static bool object(const void *state, unsigned end, bool whole, struct proto_object *ret_o)
{
	const struct hl7_side *s = &((const struct hl7 *)state)->side[end];

	*ret_o = (struct proto_object){.suffix = ".hl7"};
	if (!whole)
		return true;
	snprintf(ret_o->label, sizeof(ret_o->label), "%.*s-%.*s", s->type.len, s->type.data,
		 s->control_id.len, s->control_id.data);
	return s->worth;
}

const struct proto hl7_proto = {
	.name = "hl7",
	.over = PROTO_OVER_TCP,
	.lines = true,
	.state_size = sizeof(struct hl7),
	.msg_size = sizeof(struct hl7_msg),
	.fields = hl7_fields,
	.probe = hl7_probe,
	.read = read_unit,
	.gap = gap,
	.closed = closed,
	.amid = amid,
	.object = object,
};
