#include "guard/proto/astm.h"

#include <ctype.h>

#define STX 0x02
#define ETX 0x03
#define EOT 0x04
#define ENQ 0x05
#define ACK 0x06
#define LF  0x0a
#define CR  0x0d
#define NAK 0x15
#define ETB 0x17

#define FRAME_MAX 64000	      /* CLSI LIS1-A §8.3.2.1; 247 in E1381-95 */
#define BLANKS	  4	      /* before a first record */
#define TRAILER	  4	      /* ETX or ETB, two digits of a checksum, CR; LF may follow */
#define KINDS	  "HPORCLQSM" /* LIS2-A2 §6 to §9: the letters that records begin with */

struct state {
	uint32_t scanned[2]; /* bytes of the frame under way that hold no end */
	bool plain[2];	     /* it sends records without frames */
	bool framed;	     /* frames are spoken */
	bool noisy[2];	     /* what came last from it belonged to no frame, and that was told */
	bool sending;	     /* between ENQ and EOT */
	bool known;	     /* the number below is right */
	bool any;	     /* a frame came since ENQ */
	bool continued;	     /* the last frame was intermediate */
	bool before;	     /* so was the one before it */
	uint8_t sender;	     /* which end */
	uint8_t asked;	     /* ends that asked for the line, a bit each */
	bool odd;	     /* a frame came out of turn; where it was taken, the next follows it */
	bool owed;	     /* a frame that was not answered yet */
	uint8_t ahead;	     /* ends whose frame under way was asked for, */
	uint8_t ended;	     /* or whose unnumbered one ended just now, a bit each */
	uint8_t number;	     /* of the last good frame */
	uint8_t odd_number;
	uint8_t delimiter;
};

static const struct proto_name controls[] = {
	{ENQ, "enq"},
	{ACK, "ack"},
	{NAK, "nak"},
	{EOT, "eot"},
};

/* Field `n` of a record, counted from 1 as LIS2 does; data NULL where there is none. */
static struct bytes field(struct bytes record, uint8_t delimiter, unsigned n)
{
	struct bytes left = record;

	for (;;) {
		const uint8_t *end = left.len ? memchr(left.data, delimiter, left.len) : NULL;
		size_t len = end ? (size_t)(end - left.data) : left.len;

		if (--n == 0)
			return len ? (struct bytes){left.data, len} : (struct bytes){NULL, 0};
		if (!end)
			return (struct bytes){NULL, 0};
		left.data += len + 1;
		left.len -= len + 1;
	}
}

/* Does the record go on in the next frame? */
static bool is_cut(const struct astm *m, struct bytes record)
{
	return m->intermediate && record.data + record.len == m->text.data + m->text.len;
}

/* A field that may go on in the next frame, or begin there, is like no pattern. */
static struct bytes whole_field(const struct astm *m, struct bytes record, uint8_t delimiter,
				unsigned n)
{
	struct bytes f = field(record, delimiter, n);
	const uint8_t *end = record.data + record.len;

	return is_cut(m, record) && (!f.data || f.data + f.len == end) ? (struct bytes){end, 0} : f;
}

static bool is_kind(uint8_t c)
{
	return c && strchr(KINDS, c);
}

/*
 * Up to its CR, or to an LF with another record behind it: no text may have one (LIS1-A §8.6), and there
 * are receivers that end a record by either.
 */
static size_t record_len(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == CR ||
		    (text.data[i] == LF && (text.len - i < 3 || (is_kind(text.data[i + 1]) &&
								 ispunct(text.data[i + 2])))))
			return i;
	return text.len;
}

/* The next record of a frame's text; *at is 0 at first. data NULL: no more. */
static struct bytes next_record(const struct astm *m, size_t *at)
{
	struct bytes record = {NULL, 0};
	bool rest = m->continued && !*at;

	while (*at < m->text.len) {
		const uint8_t *start = m->text.data + *at;
		size_t len = record_len((struct bytes){start, m->text.len - *at});

		*at += len + 1;
		while (len && *start == LF) /* the other half of CR LF */
			start++, len--;
		if (len && !rest)
			return (struct bytes){start, len};
		rest = false;
	}
	return record;
}

static bool is_same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

/* LIS2-A2 §6: the letter that a record begins with. */
static struct bytes next_kind(const struct msg *msg, size_t *at)
{
	struct bytes record = next_record((const struct astm *)msg, at);

	return (struct bytes){record.data, record.data ? 1 : 0};
}

/*
 * What an order or a result is of, each record's in turn. Where the frame ends within a record,
 * its test may, too: nothing stands for it.
 */
static struct bytes next_test(const struct msg *msg, size_t *at)
{
	const struct astm *m = (const struct astm *)msg;
	struct bytes record, test;

	while ((record = next_record(m, at)).data) {
		unsigned n = record.data[0] == 'O' ? 5 : record.data[0] == 'R' ? 3 : 0;

		if (!n)
			continue;
		test = whole_field(m, record, record.len > 1 ? record.data[1] : 0, n);
		if (test.data)
			return test;
	}
	return (struct bytes){NULL, 0};
}

/* A record is its letter, then its fields; a header brings the delimiters. */
static bool read_record(struct astm *m, struct state *s, struct bytes record)
{
	uint8_t kind = record.data[0], delimiter = s->delimiter ? s->delimiter : '|';
	struct bytes sender = m->sender, receiver = m->receiver;

	if (!is_kind(kind))
		return false;
	if (kind == 'H') {
		if (record.len < 5)
			return false;
		s->delimiter = record.data[1];
		m->sender = whole_field(m, record, s->delimiter, 5);
		m->receiver = whole_field(m, record, s->delimiter, 10);
		m->processing_id = whole_field(m, record, s->delimiter, 12);
		m->version = whole_field(m, record, s->delimiter, 13);
		/* One frame speaks for one sender: a rule is held against who that is. */
		if (m->headed && (!is_same(sender, m->sender) || !is_same(receiver, m->receiver)))
			return false;
		m->headed = true;
	} else if (kind == 'L') {
		m->termination = field(record, delimiter, 3);
	}
	return record.len == 1 || !s->delimiter || record.data[1] == s->delimiter;
}

static bool read_records(struct astm *m, struct state *s)
{
	struct bytes record;
	size_t at = 0;

	while ((record = next_record(m, &at)).data)
		if (!read_record(m, s, record))
			return false;
	return true;
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* LIS1-A §8.3.3: the sum of all from the number to ETX or ETB, modulo 256. */
static bool is_sum_right(struct bytes frame, size_t end)
{
	uint8_t sum = 0;
	int high = hex(frame.data[end + 1]), low = hex(frame.data[end + 2]);

	for (size_t i = 1; i <= end; i++)
		sum = (uint8_t)(sum + frame.data[i]);
	return high >= 0 && low >= 0 && sum == (high << 4 | low);
}

/* Where the frame's ETX or ETB stands, or what interrupts it. MORE remembers how far it looked. */
static enum parse find_end(struct bytes in, uint32_t *scanned, size_t *ret_end)
{
	for (size_t i = *scanned > 2 ? *scanned : 2; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (c == ETX || c == ETB) {
			*scanned = (uint32_t)i;
			*ret_end = i;
			return PARSE_OK;
		}
		if (c == STX || c == EOT || c == ENQ || c == ACK || c == NAK || i > FRAME_MAX) {
			*ret_end = i;
			return PARSE_BAD;
		}
	}
	*scanned = (uint32_t)in.len;
	return PARSE_MORE;
}

/* Of two that ask for the line one gives way (LIS1-A §8.2.7.1), some at once; who had asked before the
 * conversation was picked up was not heard. */
static void take_line(struct state *s, const struct proto_input *in)
{
	bool unheard = !s->sending && in->midstream && !s->known;

	if (unheard || (s->sending && !s->any && s->asked >> in->end & 1)) {
		s->sending = true;
		s->sender = in->end;
	}
}

/* LIS1-A §8.3.1.2: 1 after ENQ, then each one more, modulo 8; a repetition keeps its number. */
static void check_turn(struct astm *m, struct state *s, const struct proto_input *in)
{
	uint8_t number = m->number.data[0] - '0';

	if (!s->sending || s->sender != in->end) {
		m->msg.reason = REASON_ASTM_SEQUENCE;
		return;
	}
	m->repeated = s->any && number == s->number;
	if (s->known && !m->repeated && number != (s->number + 1) % 8 &&
	    !(s->odd && number == (s->odd_number + 1) % 8)) {
		/* Its receiver does not take it: the number before it counts, unless it goes on. */
		m->msg.reason = REASON_ASTM_SEQUENCE;
		s->odd = true;
		s->odd_number = number;
		return;
	}
	s->odd = false;
	if (!m->repeated)
		s->before = s->continued;
	m->continued = s->before;
	s->known = s->any = true;
	s->number = number;
	s->continued = m->intermediate && m->text.len && m->text.data[m->text.len - 1] != CR &&
		       m->text.data[m->text.len - 1] != LF;
}

/*
 * LIS1-A §8.3.2.6: it counts for nothing, is answered by NAK, and will come again, as lines are noisy.
 * Receivers that do not add up take it all the same, so what it says has to be readable.
 */
static void read_garbled(struct astm *m, const struct state *s)
{
	struct state spare = *s;

	m->continued = s->continued;
	m->msg.reason = REASON_ASTM_CHECKSUM;
	m->msg.readable = read_records(m, &spare);
}

static enum parse refuse(struct astm *m, struct proto_output *out)
{
	m->msg.reason = REASON_ASTM_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

/*
 * What is no frame, up to where one may begin: receivers pass over it, as over the noise of a
 * serial line (LIS1-A §8.2.4), so it is told, once in a row, and what follows is read.
 */
static enum parse pass_over(struct astm *m, struct state *s, unsigned end, size_t used,
			    struct proto_output *out)
{
	s->scanned[end] = 0;
	out->used = used;
	if (!s->noisy[end]) {
		m->msg.reason = REASON_ASTM_MALFORMED;
		out->has_msg = true;
	}
	s->noisy[end] = true;
	return PARSE_OK;
}

/* LIS2-A2 §7.1.1: a header with its four delimiters, all different, and nothing but a field behind. */
static enum parse probe_header(struct bytes d)
{
	if (d.len && d.data[0] != 'H')
		return PARSE_BAD;
	for (size_t i = 1; i < d.len && i < 5; i++)
		if (!ispunct(d.data[i]) || memchr(d.data + 1, d.data[i], i - 1))
			return PARSE_BAD;
	if (d.len < 6)
		return PARSE_MORE;
	return d.data[5] == d.data[1] || d.data[5] == CR || d.data[5] == LF ? PARSE_OK : PARSE_BAD;
}

static void tell_record(struct astm *m, struct state *s, struct bytes record,
			struct proto_output *out)
{
	m->frame = "record";
	m->text = record;
	if (!read_records(m, s))
		m->msg.reason = REASON_ASTM_MALFORMED;
	out->has_msg = true;
}

/* What may stand behind a record in no numbered frame, besides the end of a line. */
static bool is_control(uint8_t c)
{
	return c == STX || c == ETX || c == ETB || c == EOT || c == ENQ;
}

/* A record without a frame, or in one without a number, is a line. */
static enum parse take_record(const struct proto_input *in, struct astm *m, struct state *s,
			      struct proto_output *out)
{
	uint32_t *scanned = &s->scanned[in->end];
	struct bytes d = in->data;
	size_t i = *scanned;

	while (i < d.len && d.data[i] != CR && d.data[i] != LF && !is_control(d.data[i]))
		i++;
	if (i > FRAME_MAX)
		return refuse(m, out);
	*scanned = i < d.len ? 0 : (uint32_t)i;
	if (i == d.len)
		return PARSE_MORE;
	out->used = i + !is_control(d.data[i]);
	tell_record(m, s, (struct bytes){d.data, i}, out);
	return PARSE_OK;
}

/*
 * Some analysers begin with STX and end with ETX, and number and sum up nothing: their records are
 * lines, each of which may be answered.
 */
static enum parse begin_unnumbered(const struct proto_input *in, struct state *s,
				   struct proto_output *out)
{
	s->plain[in->end] = true;
	s->noisy[in->end] = false;
	out->used = 1;
	return PARSE_OK;
}

/* Behind its ETX some have a sum all the same. */
static enum parse end_unnumbered(const struct proto_input *in, struct state *s,
				 struct proto_output *out)
{
	uint8_t bit = (uint8_t)(1u << in->end);

	if (in->data.data[0] == ETX || in->data.data[0] == ETB) {
		s->ended |= bit;
		out->used = 1;
		return PARSE_OK;
	}
	if (hex(in->data.data[0]) >= 0 && in->data.len < 2)
		return PARSE_MORE;
	s->ended &= (uint8_t)~bit;
	if (hex(in->data.data[0]) >= 0 && hex(in->data.data[1]) >= 0)
		out->used = 2;
	return PARSE_OK;
}

/* Bytes of the frame that ends there; 0: its trailer is not whole yet. Some leave out CR, or the sum, too. */
static size_t frame_len(struct bytes data, size_t end)
{
	for (size_t i = 1; i < TRAILER; i++) {
		if (end + i == data.len)
			return 0;
		if (i == TRAILER - 1 ? data.data[end + i] != CR : hex(data.data[end + i]) < 0)
			return i == TRAILER - 1 ? end + i : end + 1;
	}
	return end + TRAILER;
}

/* What ends at its ETX to receivers that wait for no sum is asked for before it is theirs. */
static enum parse ask_ahead(const struct proto_input *in, struct astm *m, struct state *s,
			    struct proto_output *out)
{
	uint8_t bit = (uint8_t)(1u << in->end);
	struct state spare = *s;

	if (s->ahead & bit)
		return PARSE_MORE;
	s->ahead |= bit;
	take_line(&spare, in);
	check_turn(m, &spare, in);
	m->msg.reason = read_records(m, &spare) ? REASON_NONE : REASON_ASTM_MALFORMED;
	m->msg.ahead = out->has_msg = true;
	return PARSE_OK;
}

/* What is framed carelessly is wrong, and read all the same. */
static void read_frame(const struct proto_input *in, struct astm *m, struct state *s, bool summed,
		       bool careless)
{
	take_line(s, in);
	s->owed = s->sending && s->sender == in->end;
	if (summed) {
		check_turn(m, s, in);
		m->msg.readable = careless && !m->msg.reason;
		if (!read_records(m, s)) {
			m->msg.reason = REASON_ASTM_MALFORMED;
			m->msg.readable = false;
		}
	} else {
		read_garbled(m, s);
	}
	if (careless && m->msg.reason != REASON_ASTM_SEQUENCE)
		m->msg.reason = REASON_ASTM_MALFORMED;
}

/* `last`: nothing follows. */
static enum parse take_frame(const struct proto_input *in, struct astm *m, struct state *s,
			     struct proto_output *out, bool last)
{
	struct bytes data = in->data;
	size_t end = 0, len;
	bool careless;
	enum parse got;

	if (data.len > 1 && is_kind(data.data[1]))
		return begin_unnumbered(in, s, out);
	m->frame = "data";
	s->framed = true;
	s->noisy[in->end] = false;
	if (data.len > 1 && (data.data[1] < '0' || data.data[1] > '7'))
		return pass_over(m, s, in->end, 1, out);
	got = find_end(data, &s->scanned[in->end], &end);
	if (got == PARSE_BAD)
		return end > FRAME_MAX ? refuse(m, out) : pass_over(m, s, in->end, end, out);
	if (got == PARSE_MORE)
		return got;
	m->number = (struct bytes){data.data + 1, 1};
	m->intermediate = data.data[end] == ETB;
	m->text = (struct bytes){data.data + 2, end - 2};
	len = frame_len(data, end);
	if (!len && !last)
		return ask_ahead(in, m, s, out);
	careless = len < end + TRAILER;
	s->scanned[in->end] = 0;
	s->ahead &= (uint8_t) ~(1u << in->end);
	s->noisy[in->end] = careless;
	out->used = len ? len : data.len;
	out->has_msg = true;
	read_frame(in, m, s, out->used >= end + 3 && is_sum_right(data, end), careless);
	return PARSE_OK;
}

static void take_control(const struct proto_input *in, struct astm *m, struct state *s)
{
	uint8_t c = in->data.data[0];

	m->msg.answer = c == ACK || c == NAK;
	if (c == ENQ && s->sending && s->any && s->sender != in->end) {
		/* Who receives has no line to ask for: what is sent goes on. */
		m->msg.reason = REASON_ASTM_SEQUENCE;
	} else if (c == ENQ) {
		s->framed = true;
		/* Both may ask for the line; it is the one's whose frames come. */
		s->asked = (uint8_t)((s->sending && !s->any ? s->asked : 0) | 1 << in->end);
		s->sending = s->known = true;
		s->sender = in->end;
		s->number = 0;
		s->any = s->continued = s->odd = s->owed = false;
	} else if (c == EOT && s->owed && s->sender != in->end) {
		/* LIS1-A §8.3.5: in place of ACK it asks the sender to stop, who may go on. */
		m->msg.answer = true;
	} else if (c == EOT) {
		if (!in->midstream && !s->plain[in->end] && (!s->sending || s->sender != in->end))
			m->msg.reason = REASON_ASTM_SEQUENCE;
		s->sending = false;
		s->asked = 0;
	}
	if (s->sender != in->end)
		s->owed = false;
}

static enum parse astm_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct astm *m = (struct astm *)ret_m;
	struct state *s = state;
	uint8_t c = in->data.data[0];

	if (c == STX)
		return take_frame(in, m, s, ret_out, false);
	if (s->ended >> in->end & 1 || (s->plain[in->end] && (c == ETX || c == ETB))) {
		enum parse got = end_unnumbered(in, s, ret_out);

		if (got != PARSE_OK || ret_out->used)
			return got;
	}
	m->frame = PROTO_NAME(controls, c);
	if (!m->frame && c != LF && c != CR) {
		enum parse got = s->plain[in->end] ? PARSE_OK
				 : s->framed	   ? PARSE_BAD
						   : probe_header(in->data);

		s->plain[in->end] |= got == PARSE_OK;
		return got == PARSE_OK	  ? take_record(in, m, s, ret_out)
		       : got == PARSE_BAD ? pass_over(m, s, in->end, 1, ret_out)
					  : got;
	}
	if (m->frame)
		s->noisy[in->end] = false;
	ret_out->used = 1;
	ret_out->has_msg = m->frame;
	if (m->frame)
		take_control(in, m, s);
	return PARSE_OK;
}

/* A line, or a frame, that has no end is one to who takes the connection's for it. */
static enum parse astm_closed(void *state, const struct proto_input *in, struct msg *ret_m,
			      struct proto_output *ret_out)
{
	struct astm *m = (struct astm *)ret_m;
	struct state *s = state;

	if (in->data.len && in->data.data[0] == STX)
		(void)take_frame(in, m, s, ret_out, true);
	else if (s->plain[in->end] && in->data.len)
		tell_record(m, s, in->data, ret_out);
	return PARSE_OK;
}

/* May a first one be part of it? Who answers says no more than this. */
static bool is_word(uint8_t c, bool first, bool expected)
{
	return c == ENQ || (c == EOT && (!first || expected)) ||
	       (expected && (c == ACK || c == NAK));
}

/*
 * An ENQ is SOCKS 5 as well, until a frame with a record comes behind it, which may be after
 * many of them: analysers ask until somebody answers, or to keep the line. The answering
 * end says too little to tell it by.
 */
static enum parse astm_probe(const struct proto_input *in)
{
	struct bytes d = in->data;
	size_t i = 0;

	while (i < d.len && i < BLANKS && (d.data[i] == CR || d.data[i] == LF))
		i++;
	if (i < d.len && d.data[i] == 'H')
		return probe_header((struct bytes){d.data + i, d.len - i});
	if (i)
		return i < d.len ? PARSE_BAD : PARSE_MORE;
	while (i < d.len && is_word(d.data[i], !i, in->expected))
		i++;
	if (!i && !in->midstream && d.len && d.data[0] != STX)
		return PARSE_BAD;
	if (d.len > i && d.data[i] != STX)
		return PARSE_BAD;
	if (d.len > i + 1 && d.data[i + 1] == 'H')
		return probe_header((struct bytes){d.data + i + 1, d.len - i - 1});
	if (d.len > i + 1 && (d.data[i + 1] < '0' || d.data[i + 1] > '7'))
		return PARSE_BAD;
	if (d.len > i + 2 && !is_kind(d.data[i + 2]))
		return PARSE_BAD;
	if (d.len > i + 3 && !ispunct(d.data[i + 3]))
		return PARSE_BAD;
	return d.len > i + 3 ? PARSE_OK : PARSE_MORE;
}

static void astm_write(const struct msg *msg, struct json *j)
{
	proto_texts(j, "test", next_test, msg);
}

#define FIELD(name, type, flags)                                           \
	{                                                                  \
		PROTO_KEY(#name), offsetof(struct astm, name), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD(frame, FIELD_NAME, 0),
	FIELD(number, FIELD_TEXT, 0),
	FIELD(intermediate, FIELD_BOOL, 0),
	FIELD(repeated, FIELD_BOOL, 0),
	{PROTO_KEY("records"), 0, FIELD_LIST, FIELD_MATCH, next_kind},
	FIELD(sender, FIELD_TEXT, FIELD_MATCH),
	FIELD(receiver, FIELD_TEXT, FIELD_MATCH),
	FIELD(processing_id, FIELD_TEXT, FIELD_MATCH | FIELD_VARIES),
	FIELD(version, FIELD_TEXT, FIELD_MATCH),
	{PROTO_KEY("test"), 0, FIELD_LIST, FIELD_MATCH | FIELD_VARIES | FIELD_SILENT, next_test},
	FIELD(termination, FIELD_TEXT, 0),
	{""},
};

const struct proto astm_proto = {
	.name = "astm",
	.over = PROTO_OVER_TCP,
	.lines = true,
	.unmarked = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct astm),
	.fields = fields,
	.probe = astm_probe,
	.read = astm_read,
	.closed = astm_closed,
	.write = astm_write,
};
