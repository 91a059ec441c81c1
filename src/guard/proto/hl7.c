#include "guard/proto/hl7.h"

#include <ctype.h>
#include <stdio.h>

#include "base/fnv.h"
#include "guard/proto/hl7_ack.h"
#include "guard/proto/hl7_charset.h"
#include "guard/proto/hl7_field.h"
#include "guard/proto/hl7_observation.h"
#include "guard/proto/hl7_probe.h"
#include "guard/proto/hl7_structure.h"
#include "guard/proto/hl7_time.h"
#include "guard/proto/hl7_wide.h"
#include "guard/proto/hl7_xml.h"

#define START  0x0b /* MLLP */
#define END    0x1c
#define CR     0x0d
#define LF     0x0a
#define HOLD   4096 /* characters of a segment that are looked at; what is behind them is passed */
#define BEHIND 4    /* bytes that may stand behind ETX: a sum, an end of a line */

enum phase { OUTSIDE, SEGMENT, LONG_SEGMENT, LOST };

/* What stands around a message: VT and FS; nothing; STX and ETX. */
enum framing { MLLP, BARE, STX_ETX };

/* A text of a header, kept until the message ends. */
#define TEXT(name, size)         \
	struct {                 \
		uint8_t len;     \
		char data[size]; \
	} name

/* What one end says. */
struct side {
	uint8_t phase, framing;
	uint8_t behind;		   /* bytes behind ETX */
	uint8_t ends;		   /* the character that ends segments; 0 not known yet */
	uint8_t field, component;  /* separators */
	bool batch, header, alert; /* header: an MSH was seen and not told yet */
	bool control;
	bool unanswered; /* of the message: no acknowledgement is asked for */
	bool hybrid;	 /* the frame is one of the hybrid lower layer protocol */
	bool bad_name;
	bool worth; /* of the frame: more than bare acknowledgements */
	bool more;  /* of the message: than what an acknowledgement is made of */
	bool begun; /* a frame was seen */
	bool odd; /* of the frame: it is no proper one, and it is known all the same what it says */
	bool owes;	  /* the frame before ended without its CR */
	bool opening;	  /* of the frame: how it is written is not known yet */
	bool told;	  /* the message, by what may have been its end, */
	bool told_answer; /* and as a bare acknowledgement */
	bool ahead;	  /* it was asked for by what had been said of it, */
	bool ahead_answer;
	bool broken;  /* of the message: no characters, or a type that two readings differ in */
	bool far;     /* characters that are read in two ways */
	bool refused; /* the header at hand: what it opened is passed over, up to the next one */
	bool led;     /* zeros stood before the first frame: high bytes come first */
	bool in_xml;  /* the frame is */
	struct hl7_xml xml;
	struct hl7_wide wide;
	uint16_t scanned; /* of the segment at hand, without an end */
	uint32_t length;  /* of the segment at hand, as far as it was passed */
	uint32_t segments, observations;
	uint32_t sent_s;
	TEXT(type, 23);
	TEXT(structure, 23); /* as a type, where it is that of another */
	TEXT(control_id, 63);
	TEXT(version, 11);
	TEXT(sending_application, 47);
	TEXT(sending_facility, 47);
	TEXT(receiving_application, 47);
	TEXT(receiving_facility, 47);
	TEXT(ack_code, 3);
	TEXT(acked_id, 63);
	struct hl7_acks acks;
};

struct hl7 {
	struct side side[2];
	uint8_t kept, kept_end; /* whose message the observations are of */
	uint8_t patient;	/* whose follow, from 0 on */
	bool named, others;	/* there was a PID; more than are told apart */
	uint64_t subjects[HL7_PATIENTS];
	struct hl7_observation observations[HL7_OBSERVATIONS];
};

_Static_assert(sizeof(struct hl7) <= PROTO_STATE_MAX, "a state has its bound");

static const struct proto_field fields[] = {
	{PROTO_KEY("message_type"), offsetof(struct hl7_msg, type), FIELD_TEXT,
	 FIELD_MATCH | FIELD_MUST},
	/* Some receivers go by the code and the trigger, some by the structure. */
	{PROTO_KEY("type_by_structure"),
	 offsetof(struct hl7_msg, type_by_structure),
	 FIELD_TEXT,
	 FIELD_MATCH,
	 NULL,
	 {"message_type"}},
	{PROTO_KEY("control_id"), offsetof(struct hl7_msg, control_id), FIELD_TEXT, 0},
	{PROTO_KEY("version"), offsetof(struct hl7_msg, version), FIELD_TEXT,
	 FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("sending_application"), offsetof(struct hl7_msg, sending_application),
	 FIELD_TEXT, FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("sending_facility"), offsetof(struct hl7_msg, sending_facility), FIELD_TEXT,
	 FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("receiving_application"), offsetof(struct hl7_msg, receiving_application),
	 FIELD_TEXT, FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("receiving_facility"), offsetof(struct hl7_msg, receiving_facility), FIELD_TEXT,
	 FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("ack_code"), offsetof(struct hl7_msg, ack_code), FIELD_TEXT, 0},
	{PROTO_KEY("acked_control_id"), offsetof(struct hl7_msg, acked_id), FIELD_TEXT, 0},
	{PROTO_KEY("latency_us"), offsetof(struct hl7_msg, latency_us), FIELD_U64, 0},
	{PROTO_KEY("segments"), offsetof(struct hl7_msg, segments), FIELD_U32, 0},
	{PROTO_KEY("observations"), offsetof(struct hl7_msg, observation_count), FIELD_U32, 0},
	{PROTO_KEY("batch"), offsetof(struct hl7_msg, batch), FIELD_BOOL, 0},
	{PROTO_KEY("alert"), offsetof(struct hl7_msg, alert), FIELD_BOOL, FIELD_MATCH},
	{PROTO_KEY("encoding"), offsetof(struct hl7_msg, encoding), FIELD_NAME, FIELD_MATCH},
	{""},
};

static void keep(void *text, size_t size, struct bytes b)
{
	uint8_t *len = text;

	*len = (uint8_t)b.len;
	if (b.len > size) {
		*len = (uint8_t)size;
		for (unsigned i = 0; i < 3 && (b.data[*len] & 0xc0) == 0x80; i++)
			--*len; /* not within a character of UTF-8 */
	}
	if (*len)
		memcpy(len + 1, b.data, *len);
}
#define KEEP(side, name, b) keep(&(side)->name, sizeof((side)->name.data), b)

static struct bytes kept_text(const void *text)
{
	const uint8_t *len = text;

	return *len ? (struct bytes){len + 1, *len} : (struct bytes){NULL, 0};
}

/* Of what every header has: what is empty, or longer than is kept, is held against patterns as it is. */
static struct bytes kept_field(const void *text)
{
	const uint8_t *len = text;

	return (struct bytes){len + 1, *len};
}

/* As far as there is room. */
static void put(struct writer *w, struct bytes b)
{
	write_bytes(w, b.data, b.len < w->cap - w->len ? b.len : w->cap - w->len);
}

#define CODE(a, b, c) ((uint32_t)(a) << 16 | (b) << 8 | (c))

/*
 * What a device carries out itself: IHE PCD-03, Communicate Infusion Order, RGV^O15, and whatever else
 * bears the code of giving a drug; commands and test settings for an analyser (HL7 v2.5.1 §13.3.7, §13.3.10).
 * Codes are known as receivers read them; one that is written with escapes (§2.7) may be any. Other orders
 * ask people.
 */
static bool is_control(struct bytes type)
{
	const uint8_t *c = type.data;
	size_t at = 0;
	uint32_t code;

	while (at < type.len && c[at] <= ' ')
		at++;
	if (type.len - at < 3 || (type.len - at > 3 && isalnum(c[at + 3])))
		return false;
	code = ((uint32_t)c[at] << 16 | (uint32_t)c[at + 1] << 8 | c[at + 2]) & ~0x202020u;
	return code == CODE('R', 'G', 'V') || code == CODE('E', 'A', 'C') ||
	       code == CODE('T', 'C', 'U');
}

static struct bytes trimmed(struct bytes b)
{
	while (b.len && b.data[b.len - 1] == ' ')
		b.len--;
	while (b.len && b.data[0] == ' ')
		b = (struct bytes){b.data + 1, b.len - 1};
	return b;
}

/* "ORM_O01" is kept as "ORM^O01". */
static void keep_structure(struct side *s, struct bytes code, struct bytes trigger,
			   struct bytes structure)
{
	char *mark;

	structure = trimmed(structure);
	s->structure.len = 0;
	if (hl7_structure_fits(code, trigger, structure))
		return;
	KEEP(s, structure, structure);
	mark = memchr(s->structure.data, '_', s->structure.len);
	if (mark)
		*mark = '^';
}

/* MSH-9 with the standard's own character between code and trigger. */
static void keep_type(struct side *s, struct bytes field, uint8_t escape)
{
	struct bytes code = hl7_component(field, s->component, 1);
	struct bytes trigger = hl7_component(field, s->component, 2);
	struct writer w = writer_new(s->type.data, sizeof(s->type.data));

	put(&w, code);
	if (trigger.len) {
		put(&w, (struct bytes){(const uint8_t *)"^", 1});
		put(&w, trigger);
	}
	s->type.len = (uint8_t)w.len;
	keep_structure(s, code, trigger, hl7_component(field, s->component, 3));
	s->control = is_control(code) || is_control(kept_text(&s->structure)) ||
		     (field.len && memchr(field.data, escape, field.len));
	s->alert = w.len == 7 && (!memcmp(w.data, "ORU^R40", 7) || !memcmp(w.data, "ORA^R41", 7));
}

/* MSH, BHS and FHS begin alike: the name, the field separator, the others. */
static bool read_separators(struct side *s, struct bytes segment)
{
	struct bytes others;

	if (segment.len < 5)
		return false;
	others = hl7_field(segment, segment.data[3], 1);
	if (!hl7_are_separators(segment.data[3], others))
		return false;
	s->field = segment.data[3];
	s->component = others.data[0];
	return true;
}

static bool asks(struct bytes condition)
{
	return condition.len && (condition.len != 2 || (memcmp(condition.data, "NE", 2) &&
							memcmp(condition.data, "ER", 2)));
}

/*
 * HL7 v2.9 §2.9.2: where either says anything, what the other does not ask for is not sent, nor is what
 * is asked for in the event of an error alone.
 */
static bool is_unanswered(struct bytes commit, struct bytes application)
{
	return (commit.len || application.len) && !asks(commit) && !asks(application);
}

/* MSH-1 is the separator itself, so MSH-n is the (n-1)th behind the name. */
static void read_header(struct side *s, struct bytes segment)
{
	uint8_t c = s->component;
	struct hl7_fields f;

	if (s->wide.width || s->in_xml)
		hl7_split(segment, s->field, &f);
	else if (!hl7_charset_split(segment, s->field, c, &f))
		s->broken = true;
	KEEP(s, sending_application, hl7_component(f.at[2], c, 1));
	KEEP(s, sending_facility, hl7_component(f.at[3], c, 1));
	KEEP(s, receiving_application, hl7_component(f.at[4], c, 1));
	KEEP(s, receiving_facility, hl7_component(f.at[5], c, 1));
	s->sent_s = hl7_time(hl7_component(f.at[6], c, 1));
	keep_type(s, f.at[8], f.at[1].len > 2 ? f.at[1].data[2] : 0);
	KEEP(s, control_id, f.at[9]);
	KEEP(s, version, hl7_component(f.at[11], c, 1));
	s->unanswered = s->alert && is_unanswered(hl7_field(segment, s->field, 14),
						  hl7_field(segment, s->field, 15));
	s->ack_code.len = s->acked_id.len = 0;
	s->segments = s->observations = 0;
	s->bad_name = s->told = s->told_answer = s->ahead = s->more = false;
	s->header = true;
	s->refused = false;
}

static void read_observation(struct hl7 *h, struct side *s, unsigned end, struct bytes segment)
{
	struct hl7_fields f;

	s->observations++;
	if (h->kept == HL7_OBSERVATIONS || h->kept_end != end || h->others)
		return;
	hl7_split(segment, s->field, &f);
	h->observations[h->kept].patient = h->patient & (HL7_PATIENTS - 1);
	h->kept += hl7_observation_read(&f, s->component, &h->observations[h->kept]);
}

/* Delimiters and "" (HL7 v2.9 §2.5.3: it is empty) name nobody. */
static bool names(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (!ispunct(b.data[i]) && b.data[i] != ' ')
			return true;
	return false;
}

/* Whose observations these are, told apart and not told: the first of PID-3 and PV1-3. */
static void read_subject(struct hl7 *h, const struct side *s, unsigned end, struct bytes segment)
{
	bool patient = segment.data[1] == 'I';
	struct bytes id = hl7_field(segment, s->field, 3);
	uint64_t v;

	if (h->kept_end != end)
		return;
	if (patient && h->named) {
		h->others |= h->patient + 1 == HL7_PATIENTS;
		if (!h->others)
			h->subjects[++h->patient] = 0;
	}
	h->named |= patient;
	if (h->subjects[h->patient] || h->others ||
	    !names(patient ? hl7_component(id, s->component, 1) : id))
		return;
	v = fnv64(FNV64_START, id);
	h->subjects[h->patient] = v ? v : 1;
}

static bool is_name(const uint8_t *name)
{
	return isupper(name[0]) && isalnum(name[1]) && isalnum(name[2]);
}

/* Nothing but a bare acknowledgement goes unasked: it carries nothing else. */
static bool is_bare_answer(const struct side *s)
{
	return !s->more && !s->structure.len && s->type.len >= 3 &&
	       !memcmp(s->type.data, "ACK", 3) && (s->type.len == 3 || s->type.data[3] == '^');
}

/* What is known of the message at hand. */
static void describe(const struct hl7 *h, const struct side *s, unsigned end, struct hl7_msg *m)
{
	bool mine = h->kept_end == end;

	m->type = kept_field(&s->type);
	m->type_by_structure = kept_text(&s->structure);
	m->control_id = kept_text(&s->control_id);
	m->version = kept_field(&s->version);
	m->sending_application = kept_field(&s->sending_application);
	m->sending_facility = kept_field(&s->sending_facility);
	m->receiving_application = kept_field(&s->receiving_application);
	m->receiving_facility = kept_field(&s->receiving_facility);
	m->ack_code = kept_text(&s->ack_code);
	m->acked_id = kept_text(&s->acked_id);
	m->segments = s->segments;
	m->sent_s = s->sent_s;
	m->observation_count = s->observations;
	m->batch = s->batch;
	m->alert = s->alert;
	m->unanswered = s->unanswered;
	m->encoding = s->wide.width == 2 ? "UTF-16"
		      : s->wide.width	 ? "UTF-32"
		      : s->in_xml	 ? "XML"
					 : NULL;
	m->msg.control = s->control;
	m->kept = mine ? h->kept : 0;
	m->patients = mine ? h->patient + 1u : 0;
	m->subjects = h->subjects;
	m->observations = h->observations;
	m->msg.answer = m->ack_code.data && is_bare_answer(s);
	m->msg.readable = s->odd && !s->bad_name && !s->broken;
	if (s->odd)
		m->msg.reason = REASON_HL7_FRAMING;
	if (s->bad_name)
		m->msg.reason = REASON_HL7_SEGMENT_NAME;
	if (s->broken)
		m->msg.reason = REASON_HL7_ENCODING;
}

/* Was the message told, and is still what it was told as? */
static bool is_told(const struct side *s)
{
	return s->told && !(s->told_answer && s->more);
}

/* The message at hand is whole. */
static bool tell(struct hl7 *h, struct side *s, const struct proto_input *in, struct hl7_msg *m)
{
	if (!s->header)
		return false;
	s->header = false;
	if (is_told(s))
		return s->told = false;
	describe(h, s, in->end, m);
	s->broken = false;
	if (m->ack_code.data)
		m->latency_us = hl7_ack_latency_us(&h->side[!in->end].acks, m->ack_code,
						   m->acked_id, in->time_ns);
	/* What acknowledges may itself be acknowledged. */
	hl7_ack_await(&s->acks, m->control_id, in->time_ns);
	s->worth |= !m->msg.answer;
	return true;
}

/* What may have been its end tells the message, which may go on all the same. */
static bool tell_maybe(struct hl7 *h, struct side *s, const struct proto_input *in,
		       struct hl7_msg *m)
{
	bool broken = s->broken;

	if (!s->header || is_told(s))
		return false;
	(void)tell(h, s, in, m);
	s->header = s->told = true;
	s->broken = broken;
	s->told_answer = m->msg.answer;
	return true;
}

/* The hybrid protocol's: five digits of a length, three of a sum; before them a refusal has why. */
static bool is_trailer(struct bytes segment)
{
	size_t at = segment.len == 9;

	if (segment.len != 8 + at || (at && !memchr("CXBG", segment.data[0], 4)))
		return false;
	while (at < segment.len && isdigit(segment.data[at]))
		at++;
	return at == segment.len;
}

/* HL7 v2.9 §2.13.1, and what makers add. */
static bool is_of_acknowledgement(const uint8_t *name)
{
	static const char *const names[] = {"MSH", "SFT", "ARV", "UAC", "MSA",
					    "ERR", "NTE", "QAK", "DSC"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!memcmp(name, names[i], 3))
			return true;
	return name[0] == 'Z';
}

/*
 * Without a frame a message has no end but silence, which comes behind any byte: whether it may pass
 * is asked before the first packet of it does.
 */
static enum parse ask_ahead(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			    struct proto_output *out)
{
	struct side *s = &h->side[in->end];

	s->more |=
		s->phase == SEGMENT && in->data.len >= 3 && !is_of_acknowledgement(in->data.data);
	if (!s->header || is_told(s) || (s->ahead && !(s->ahead_answer && s->more)))
		return PARSE_MORE;
	describe(h, s, in->end, m);
	m->msg.ahead = s->ahead = true;
	m->msg.answer = s->ahead_answer = is_bare_answer(s);
	out->has_msg = true;
	return PARSE_OK;
}

static bool is_pad(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct bytes unpadded(struct bytes segment)
{
	while (segment.len && is_pad(segment.data[0]))
		segment = (struct bytes){segment.data + 1, segment.len - 1};
	return segment;
}

/* Some senders fill up with blanks, and leave a line of them behind the last segment. */
static bool is_blank(struct bytes segment)
{
	return !unpadded(segment).len;
}

static void begin_message(struct hl7 *h, unsigned end, struct bytes header)
{
	read_header(&h->side[end], header);
	h->kept = 0;
	h->kept_end = (uint8_t)end;
	h->named = h->others = false;
	h->subjects[h->patient = 0] = 0;
}

/* A segment of a message. */
static inline __attribute__((always_inline)) void read_known(struct hl7 *h, unsigned end,
							     struct bytes segment)
{
	struct side *s = &h->side[end];

	s->segments++;
	s->more |= !is_of_acknowledgement(segment.data);
	if (!memcmp(segment.data, "MSA", 3)) {
		KEEP(s, ack_code, hl7_field(segment, s->field, 1));
		KEEP(s, acked_id, hl7_field(segment, s->field, 2));
	} else if (!memcmp(segment.data, "OBX", 3)) {
		read_observation(h, s, end, segment);
	} else if (!memcmp(segment.data, "PID", 3) || !memcmp(segment.data, "PV1", 3)) {
		read_subject(h, s, end, segment);
	}
}

/* One segment, or the front of a long one. False with a reason where it cannot be. */
static bool read_segment(struct hl7 *h, unsigned end, struct bytes segment, enum reason *ret_why)
{
	struct side *s = &h->side[end];

	if (!s->header && !s->batch) {
		if (segment.len == 1 && hl7_is_commit(segment.data[0]))
			return true;
		if (is_pad(segment.data[0])) {
			s->odd = true;
			segment = unpadded(segment);
			if (!segment.len)
				return true;
		}
		if (hl7_has_mark(segment) && !s->hybrid) {
			segment.data += 3;
			segment.len -= 3;
		}
		if (hl7_is_hybrid(segment) && !s->hybrid)
			return s->hybrid = true;
	}
	if (s->hybrid && is_trailer(segment))
		return true;
	if ((s->header || s->batch) && is_blank(segment))
		return true;
	if (s->refused && (segment.len < 3 || !hl7_opens(segment.data)))
		return true;
	if (segment.len < 3 || !is_name(segment.data)) {
		s->segments++;
		s->bad_name = true;
		*ret_why = hl7_probe_wide(segment) == PARSE_OK ? REASON_HL7_ENCODING
							       : REASON_HL7_NO_HEADER;
		return s->header;
	}
	if (hl7_opens(segment.data)) {
		*ret_why = REASON_HL7_DELIMITERS;
		if (!read_separators(s, segment))
			return false;
		if (segment.data[0] != 'M') {
			s->batch = true;
			return true;
		}
		begin_message(h, end, segment);
	} else if (!s->header && !s->batch) {
		*ret_why = REASON_HL7_NO_HEADER;
		return false;
	}
	read_known(h, end, segment);
	return true;
}

/* Does the segment end the message before it: the next header, or a trailer of the batch? */
static bool ends_message(const struct side *s, struct bytes segment)
{
	return s->header && segment.len >= 3 &&
	       (hl7_opens(segment.data) || !memcmp(segment.data, "BTS", 3) ||
		!memcmp(segment.data, "FTS", 3));
}

static void begin_frame(struct side *s, enum framing framing)
{
	s->phase = SEGMENT;
	s->framing = framing;
	s->odd = s->owes || framing != MLLP;
	s->owes = false;
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
static enum parse lose_frame(struct side *s, struct hl7_msg *m, enum reason why,
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
 * end a segment by either, as is done from there on. *ret_maybe: the bytes do not tell yet.
 */
static size_t find_header_line(struct side *s, struct bytes b, size_t from, size_t end,
			       bool *ret_maybe)
{
	size_t at = find(b, from, end, LF);

	for (; at < end; at = find(b, at + 1, end, LF)) {
		enum parse got = hl7_probe_header((struct bytes){b.data + at + 1, end - at - 1});

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
static size_t segment_end(struct side *s, struct bytes b, size_t from, bool *ret_maybe)
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
static enum parse find_start(struct side *s, const struct proto_input *in, struct proto_output *out)
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
	struct side *s = &h->side[in->end];

	if (!s->header && !s->batch && !c->end && !s->wide.width && !s->in_xml) {
		s->odd = true;
		s->ends = 0;
		return PARSE_OK;
	}
	if (s->framing == BARE) {
		out->has_msg = tell(h, s, in, m);
	} else {
		(void)tell(h, s, in, m);
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
	struct side *s = &h->side[in->end];

	if (out->used == in->data.len && s->segments > 1)
		out->has_msg = tell_maybe(h, s, in, m);
}

/* An empty line ends it. */
static __attribute__((cold, noinline)) void end_line(struct hl7 *h, const struct proto_input *in,
						     const struct cut *c, struct hl7_msg *m,
						     struct proto_output *out)
{
	struct side *s = &h->side[in->end];

	if (!c->end) {
		out->has_msg = tell(h, s, in, m);
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
	struct side *s = &h->side[in->end];

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
		out->has_msg = tell(h, s, in, m);
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
static __attribute__((cold, noinline)) bool is_header_cut(const struct side *s, const struct cut *c)
{
	return s->header && c->len >= HOLD * (s->wide.width ? s->wide.width : 1u);
}

static inline __attribute__((always_inline)) enum parse
take_segment(struct hl7 *h, const struct proto_input *in, const struct cut *c, struct hl7_msg *m,
	     struct proto_output *out)
{
	struct side *s = &h->side[in->end];
	bool passing = s->phase == LONG_SEGMENT, headed = s->header || passing;
	enum reason why = REASON_NONE;

	if (!passing && ends_message(s, c->text)) {
		bool bare = s->framing == BARE && !s->batch;

		out->has_msg = tell(h, s, in, m);
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
		(void)tell(h, s, in, m);
		return lose_frame(s, m, REASON_HL7_SEGMENT_TOO_LONG, out, c->end);
	}
	s->broken |= c->torn;
	if (!passing && c->text.len && !read_segment(h, in->end, c->text, &why)) {
		(void)lose_frame(s, m, why, out, c->end);
		/* The next header of the frame opens a message of its own. */
		s->refused = why == REASON_HL7_DELIMITERS;
		if (s->refused)
			s->phase = c->stop == HL7_STOP_NONE ? LONG_SEGMENT : SEGMENT;
		s->scanned = 0;
		return PARSE_OK;
	}
	if (__builtin_expect(c->len >= HOLD, 0) && !headed && is_header_cut(s, c)) {
		(void)tell(h, s, in, m);
		return lose_frame(s, m, REASON_HL7_SEGMENT_TOO_LONG, out, c->end);
	}
	s->scanned = 0;
	out->used = out->kept = c->end;
	if (c->stop == HL7_STOP_NONE) {
		s->phase = LONG_SEGMENT;
		return PARSE_OK;
	}
	return stop_segment(h, in, c, m, out);
}

/* The frame's first character, where it is a mark, is none of its header. */
static struct bytes unmarked(const struct side *s, struct bytes b)
{
	if (!s->wide.marked || s->ends || s->phase == LONG_SEGMENT || b.len < s->wide.width)
		return b;
	return (struct bytes){b.data + s->wide.width, b.len - s->wide.width};
}

static struct bytes wide_text(struct side *s, struct bytes raw, uint8_t room[HOLD], bool *torn)
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
	struct side *s = &h->side[in->end];

	if (s->phase != LONG_SEGMENT && c->text.len >= 3 && hl7_opens(c->text.data))
		return PARSE_MORE;
	if (c->end) {
		c->stop = HL7_STOP_NONE;
		return take_segment(h, in, c, m, out);
	}
	if (s->told)
		return PARSE_MORE;
	out->has_msg = tell_maybe(h, s, in, m);
	return out->has_msg ? PARSE_OK : PARSE_MORE;
}

/* Characters of two or four bytes, segment by segment in UTF-8. */
static __attribute__((cold, noinline)) enum parse
read_wide(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m, struct proto_output *out)
{
	struct side *s = &h->side[in->end];
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
	struct side *s = &h->side[in->end];

	(void)tell(h, s, in, m);
	m->msg.readable = false;
	return lose_frame(s, m, REASON_HL7_XML, out, used);
}

/* HAPI goes by the root, others by MSH-9: the code is the same, and one structure at most another's. */
static bool keep_root(struct side *s, struct bytes root)
{
	struct bytes type = kept_text(&s->type), code = hl7_component(type, '^', 1);
	struct bytes trigger = hl7_component(type, '^', 2);

	if (hl7_structure_fits(code, trigger, root))
		return true;
	if (s->structure.len || code.len != 3 || memcmp(code.data, root.data, 3))
		return false;
	keep_structure(s, code, trigger, root);
	return true;
}

static bool take_xml(struct hl7 *h, unsigned end, const struct hl7_xml_unit *u)
{
	struct side *s = &h->side[end];
	bool header = u->text.len && !memcmp(u->text.data, "MSH", 3);
	char room[sizeof(s->type.data)];
	struct bytes root = {(const uint8_t *)room, s->type.len};

	if (u->root.len)
		KEEP(s, type, u->root);
	if (!u->text.len)
		return true;
	if (header == s->header || (!u->clear && (header || !memcmp(u->text.data, "MSA", 3))))
		return false;
	if (header) {
		memcpy(room, s->type.data, root.len);
		begin_message(h, end, u->text);
	}
	read_known(h, end, u->text);
	return !header || keep_root(s, root);
}

static __attribute__((cold, noinline)) enum parse open_xml(struct side *s, struct bytes frame)
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
	struct side *s = &h->side[in->end];
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
	if (got != PARSE_OK || !take_xml(h, in->end, &u))
		return refuse_xml(h, in, got == PARSE_OK ? u.used : stop, m, out);
	s->scanned = (uint16_t)(stop - u.used);
	out->used = out->kept = u.used;
	return PARSE_OK;
}

/* Linear in what came, however it is cut: what was scanned is not scanned again. */
static enum parse read_inside(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			      struct proto_output *out)
{
	struct side *s = &h->side[in->end];
	bool passing = s->phase == LONG_SEGMENT;
	struct cut c = {.stop = HL7_STOP_NONE};
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
	c.text = (struct bytes){in->data.data, c.end < HOLD ? c.end : HOLD};
	c.used = c.end + (c.end < in->data.len);
	if (c.end < in->data.len && !maybe)
		c.stop = in->data.data[c.end] == START				 ? HL7_STOP_START
			 : in->data.data[c.end] == END				 ? HL7_STOP_END
			 : in->data.data[c.end] == HL7_ETX && s->framing != MLLP ? HL7_STOP_END
										 : HL7_STOP_LINE;
	else if (passing ? !c.end : c.end < HOLD) {
		s->scanned = (uint16_t)c.end;
		return PARSE_MORE;
	}
	return take_segment(h, in, &c, m, out);
}

/* A header without a frame, which is waited for to its end; or behind STX. */
static enum parse begin_bare(struct hl7 *h, const struct proto_input *in, struct hl7_msg *m,
			     struct proto_output *out)
{
	struct side *s = &h->side[in->end];
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
	struct side *s = &h->side[in->end];
	uint8_t c = in->data.data[0];
	enum parse got;

	out->used = 1;
	if (c == START) {
		begin_frame(s, MLLP);
		out->begins = true;
		return PARSE_OK;
	}
	s->led |= !s->begun && c == 0;
	s->owes &= c != CR;
	if (c == CR || c == LF || c == ' ' || c == '\t' || c == 0)
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
	struct side *s = &h->side[in->end];
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
	return got == PARSE_MORE && s->framing == BARE ? ask_ahead(h, in, m, ret_out) : got;
}

/*
 * A frame without its end is none, but some receivers take a connection that is closed
 * for the end: what the message is has to be known before they do.
 */
static enum parse closed(void *state, const struct proto_input *in, struct msg *ret_m,
			 struct proto_output *ret_out)
{
	struct hl7 *h = state;
	struct side *s = &h->side[in->end];
	struct bytes last = in->data;
	uint8_t room[HOLD];
	enum reason ignored;

	if (s->phase == OUTSIDE && last.len && last.data[0] != HL7_STX &&
	    hl7_probe_bare(last) == PARSE_OK) {
		begin_frame(s, BARE);
		ret_out->begins = true;
	}
	if (s->phase != SEGMENT && s->phase != LONG_SEGMENT)
		return PARSE_OK;
	if (s->wide.width)
		last = wide_text(s, last, room, &s->broken);
	if (s->phase == SEGMENT && last.len && !s->in_xml && !ends_message(s, last))
		(void)read_segment(h, in->end, last, &ignored);
	s->phase = OUTSIDE;
	ret_out->has_msg = tell(h, s, in, (struct hl7_msg *)ret_m);
	if (s->framing == BARE) {
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
	const struct side *s = &((const struct hl7 *)state)->side[end];

	return (s->phase == SEGMENT || s->phase == LONG_SEGMENT) &&
	       !(s->framing == BARE && is_told(s));
}

/* A frame is one file: a message, or all of a batch. Type and number of its last message. */
static bool object(const void *state, unsigned end, bool whole, struct proto_object *ret_o)
{
	const struct side *s = &((const struct hl7 *)state)->side[end];

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
	.state_size = sizeof(struct hl7),
	.msg_size = sizeof(struct hl7_msg),
	.fields = fields,
	.probe = hl7_probe,
	.read = read_unit,
	.gap = gap,
	.closed = closed,
	.amid = amid,
	.object = object,
};
