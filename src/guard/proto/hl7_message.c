#include "guard/proto/hl7_internal.h"

#include <ctype.h>

#include "base/fnv.h"
#include "guard/proto/hl7_charset.h"
#include "guard/proto/hl7_field.h"
#include "guard/proto/hl7_observation.h"
#include "guard/proto/hl7_probe.h"
#include "guard/proto/hl7_structure.h"
#include "guard/proto/hl7_time.h"

const struct proto_field hl7_fields[] = {
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
 * bears the code of giving a drug; commands and test settings for an analyser (HL7 v2.5.1 §13.3.7, §13.3.10);
 * master files (§8.4), which change the tests, drugs and operators that it goes by, as POCT1-A's lists do.
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
	       code == CODE('T', 'C', 'U') || code == CODE('M', 'F', 'N');
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
static void keep_structure(struct hl7_side *s, struct bytes code, struct bytes trigger,
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
static void keep_type(struct hl7_side *s, struct bytes field, uint8_t escape)
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
static bool read_separators(struct hl7_side *s, struct bytes segment)
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
static void read_header(struct hl7_side *s, struct bytes segment)
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
	s->segments = s->observations = s->wave = 0;
	s->observed_ns = 0;
	s->samples = false;
	s->bad_name = s->told = s->told_answer = s->ahead = s->more = false;
	s->header = true;
	s->refused = false;
}

/* Where all places are taken, what nothing is compared with leaves one to a vital sign. */
static void keep_observation(struct hl7 *h, const struct hl7_observation *o)
{
	unsigned k = 0;

	if (h->kept == HL7_OBSERVATIONS) {
		while (k < h->kept && h->observations[k].vital)
			k++;
		if (!o->vital || k == h->kept)
			return;
		h->kept--;
		memmove(&h->observations[k], &h->observations[k + 1], (h->kept - k) * sizeof(*o));
	}
	h->observations[h->kept++] = *o;
}

static void read_observation(struct hl7 *h, struct hl7_side *s, unsigned end, struct bytes segment)
{
	struct hl7_observation o;
	struct hl7_fields f;

	s->observations++;
	if (h->kept_end != end || h->others)
		return;
	hl7_split(segment, s->field, &f);
	s->samples = hl7_is_samples(&f) || (s->wave && hl7_is_rate(&f, s->component));
	if (!s->samples && hl7_observation_read(&f, s->component, &o)) {
		o.patient = h->patient & (HL7_PATIENTS - 1);
		keep_observation(h, &o);
	}
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
static void read_subject(struct hl7 *h, const struct hl7_side *s, unsigned end,
			 struct bytes segment)
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

/* Nothing but a bare acknowledgement goes unasked, be it an alert's (ORA^R41): it carries nothing else. */
static bool is_bare_answer(const struct hl7_side *s)
{
	struct bytes code = hl7_component(kept_text(&s->type), '^', 1);

	return !s->more && !s->structure.len && code.len == 3 &&
	       (!memcmp(code.data, "ACK", 3) || !memcmp(code.data, "ORA", 3));
}

/* What is known of the message at hand. */
static void describe(const struct hl7 *h, const struct hl7_side *s, unsigned end, struct hl7_msg *m)
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

bool hl7_has_samples(const struct hl7_side *s, struct bytes segment)
{
	struct bytes type;

	if (!s->header || segment.len < 3 || memcmp(segment.data, "OBX", 3))
		return false;
	type = hl7_field(segment, s->field, 2);
	return type.len == 2 && !memcmp(type.data, "NA", 2);
}

bool hl7_tell_samples(const struct hl7 *h, struct hl7_side *s, unsigned end, struct bytes segment,
		      struct hl7_msg *m)
{
	struct hl7_wave w = {.code = s->wave};
	struct hl7_fields f;

	s->samples = false;
	s->wave = 0;
	if (s->wide.width || s->in_xml ||
	    s->framing) /* in MLLP's frames alone: of others texts do not last */
		return false;
	hl7_split(segment, s->field, &f);
	if (!hl7_is_samples(&f)) {
		if (!hl7_rate_read(&f, &w))
			return false;
	} else if (!hl7_samples_read(&f, s->component, &w)) {
		return false;
	}
	s->wave = w.code;
	w.start_ns =
		hl7_time_fine(hl7_component(hl7_field(segment, s->field, 14), s->component, 1));
	if (!w.start_ns)
		w.start_ns = s->observed_ns;
	describe(h, s, end, m);
	m->msg.part = true;
	m->subject = h->subjects[h->patient];
	m->wave = w;
	return true;
}

bool hl7_is_told(const struct hl7_side *s)
{
	return s->told && !(s->told_answer && s->more);
}

bool hl7_tell(struct hl7 *h, struct hl7_side *s, const struct proto_input *in, struct hl7_msg *m)
{
	if (!s->header)
		return false;
	s->header = false;
	if (hl7_is_told(s))
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

bool hl7_tell_maybe(struct hl7 *h, struct hl7_side *s, const struct proto_input *in,
		    struct hl7_msg *m)
{
	bool broken = s->broken;

	if (!s->header || hl7_is_told(s))
		return false;
	(void)hl7_tell(h, s, in, m);
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

/* HL7 v2.9 §2.10.3: what a batch or file has of its own, in no message. */
static bool is_of_batch(const uint8_t *name)
{
	static const char *const names[] = {"BTS", "FTS", "SFT", "UAC", "NTE"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!memcmp(name, names[i], 3))
			return true;
	return name[0] == 'Z';
}

/* A segment of a batch that no header stands before, as far as it is there. */
static bool is_headerless(const struct hl7_side *s, struct bytes segment)
{
	return s->batch && !s->header && segment.len >= 3 && !hl7_opens(segment.data) &&
	       !is_of_batch(segment.data);
}

enum parse hl7_ask_ahead(struct hl7 *h, unsigned end, struct bytes begun, struct hl7_msg *m,
			 struct proto_output *out)
{
	struct hl7_side *s = &h->side[end];

	if (is_headerless(s, begun) && !s->ahead) {
		m->msg.reason = REASON_HL7_NO_HEADER;
		m->msg.ahead = s->ahead = out->has_msg = true;
		return PARSE_OK;
	}
	s->more |= begun.len >= 3 && !is_of_acknowledgement(begun.data);
	if (!s->header || hl7_is_told(s) || (s->ahead && !(s->ahead_answer && s->more)))
		return PARSE_MORE;
	describe(h, s, end, m);
	m->msg.ahead = s->ahead = true;
	m->msg.answer = s->ahead_answer = is_bare_answer(s);
	out->has_msg = true;
	return PARSE_OK;
}

/* What stands in front of a header's name to receivers that pass it over. */
static bool is_pad(uint8_t c)
{
	return c == ' ' || c == '\t' || !c;
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
	struct hl7_side *s = &h->side[end];

	s->segments++;
	s->more |= !is_of_acknowledgement(segment.data);
	if (!memcmp(segment.data, "MSA", 3)) {
		KEEP(s, ack_code, hl7_field(segment, s->field, 1));
		KEEP(s, acked_id, hl7_field(segment, s->field, 2));
	} else if (!memcmp(segment.data, "OBX", 3)) {
		read_observation(h, s, end, segment);
	} else if (!memcmp(segment.data, "OBR", 3)) {
		s->observed_ns = hl7_time_fine(hl7_field(segment, s->field, 7));
	} else if (!memcmp(segment.data, "PID", 3) || !memcmp(segment.data, "PV1", 3)) {
		read_subject(h, s, end, segment);
	}
}

bool hl7_read_segment(struct hl7 *h, unsigned end, struct bytes segment, enum reason *ret_why)
{
	struct hl7_side *s = &h->side[end];

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
			s->ahead = false;
			return true;
		}
		begin_message(h, end, segment);
	} else if (!s->header && !(s->batch && is_of_batch(segment.data))) {
		*ret_why = REASON_HL7_NO_HEADER;
		return false;
	}
	read_known(h, end, segment);
	return true;
}

bool hl7_ends_message(const struct hl7_side *s, struct bytes segment)
{
	return s->header && segment.len >= 3 &&
	       (hl7_opens(segment.data) || !memcmp(segment.data, "BTS", 3) ||
		!memcmp(segment.data, "FTS", 3));
}

/* HAPI goes by the root, others by MSH-9: the code is the same, and one structure at most another's. */
static bool keep_root(struct hl7_side *s, struct bytes root)
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

bool hl7_take_xml(struct hl7 *h, unsigned end, const struct hl7_xml_unit *u)
{
	struct hl7_side *s = &h->side[end];
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
