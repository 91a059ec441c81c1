#include "guard/proto/dicom_internal.h"

#include "base/digits.h"

#define ITEM_MAX    (PROTO_UNIT_MAX - 4)
#define NO_DATA_SET 0x0101 /* PS3.7 §E.1 */

/* One call of the parser. */
struct turn {
	struct dicom *d;
	struct dicom_side *s;
	const struct proto_input *in;
	struct reader r;
	struct dicom_msg *m;
	struct proto_output *out;
};

static const struct dicom_side *other(const struct turn *t)
{
	return &t->d->side[!t->in->end];
}

static void tell(struct turn *t)
{
	struct dicom_msg *m = t->m;

	m->type = t->s->pdu;
	m->pdu = dicom_pdu_name(m->type);
	m->state = t->d;
	m->calling_ae = dicom_trim(t->d->calling, DICOM_AE);
	m->called_ae = dicom_trim(t->d->called, DICOM_AE);
	/* What was seen to be blank is held against patterns as that; what was not seen is nothing. */
	if (!m->calling_ae.len && !t->d->titled)
		m->calling_ae.data = NULL;
	if (!m->called_ae.len && !t->d->titled)
		m->called_ae.data = NULL;
	t->out->has_msg = true;
}

static enum parse broken(struct turn *t, enum reason why)
{
	tell(t);
	t->m->msg.reason = why;
	return PARSE_BAD;
}

/* PS3.8 §9.2: may this end say that now? */
static bool is_in_order(const struct turn *t, uint8_t type)
{
	enum dicom_phase phase = t->d->phase;

	if (phase == DICOM_UNKNOWN)
		return true;
	if (t->s->aborted)
		return type == DICOM_ABORT;
	switch (type) {
	case DICOM_ASSOCIATE_RQ:
		return phase == DICOM_IDLE;
	case DICOM_ASSOCIATE_AC:
	case DICOM_ASSOCIATE_RJ:
		return phase == DICOM_REQUESTED && t->in->end != t->d->requester;
	case DICOM_DATA:
		return phase == DICOM_OPEN && !t->s->released;
	case DICOM_RELEASE_RQ:
		return phase == DICOM_OPEN;
	case DICOM_RELEASE_RP:
		/* As often as was asked: some clients ask twice at once. */
		return phase >= DICOM_OPEN && other(t)->released > t->s->answered;
	default:
		return true;
	}
}

static enum reason judge_length(uint8_t type, uint32_t len)
{
	switch (type) {
	case DICOM_ASSOCIATE_RQ:
	case DICOM_ASSOCIATE_AC:
		if (len > DICOM_ASSOCIATE)
			return REASON_DICOM_TOO_LONG;
		return len < DICOM_FIXED ? REASON_DICOM_MALFORMED : REASON_NONE;
	case DICOM_DATA:
		return len < DICOM_HEAD ? REASON_DICOM_MALFORMED : REASON_NONE;
	default:
		return len != 4 ? REASON_DICOM_MALFORMED : REASON_NONE;
	}
}

/* What was offered before is of no more account. */
static void begin_request(struct turn *t)
{
	struct dicom *d = t->d;

	d->phase = DICOM_REQUESTED;
	d->requester = t->in->end;
	d->known = true;
	d->lists = d->owns = 0;
	for (unsigned end = 0; end < 2; end++) {
		d->side[end].max = 0;
		d->side[end].released = d->side[end].answered = 0;
		d->side[end].exceeded = d->side[end].aborted = false;
	}
	memset(d->contexts, 0, sizeof(d->contexts));
	d->contexts_end = 0;
}

/*
 * Both may ask to be released at once, and then both answer (PS3.8 §9.2.1, collisions). An abort
 * ends what its sender says; the other goes on until it hears of it, and is ignored (Sta13).
 */
static bool is_over(const struct turn *t)
{
	if (t->s->pdu == DICOM_RELEASE_RQ || t->s->pdu == DICOM_ABORT)
		return false;
	return t->s->pdu != DICOM_RELEASE_RP || !t->s->released || other(t)->answered;
}

/* A rejection, a release, an abort: four bytes, and mostly the end of what was. */
static void read_short(struct turn *t)
{
	uint8_t result, source, reason;

	read_u8(&t->r);
	result = read_u8(&t->r);
	source = read_u8(&t->r);
	reason = read_u8(&t->r);
	tell(t);
	t->m->msg.answer = t->s->pdu == DICOM_ASSOCIATE_RJ || t->s->pdu == DICOM_RELEASE_RP;
	t->s->released += t->s->pdu == DICOM_RELEASE_RQ && t->s->released < UINT8_MAX;
	t->s->answered += t->s->pdu == DICOM_RELEASE_RP && t->s->answered < UINT8_MAX;
	t->s->aborted |= t->s->pdu == DICOM_ABORT;
	if (t->d->phase != DICOM_UNKNOWN && is_over(t))
		t->d->phase = DICOM_CLOSED;
	if (t->s->pdu == DICOM_ASSOCIATE_RJ) {
		t->m->result = dicom_reject_result(result);
		t->m->source = dicom_reject_source(source);
		t->m->diagnostic = dicom_reject_reason(source, reason);
	} else if (t->s->pdu == DICOM_ABORT) {
		t->m->source = dicom_abort_source(source);
		t->m->diagnostic = source ? dicom_abort_reason(reason) : NULL;
	}
}

/* PS3.8 §D.1: what the receiver announced it takes. Told once: it will not get better. */
static void judge_maximum(struct turn *t)
{
	uint32_t max = other(t)->max;

	if (!max || t->s->left <= max || t->s->exceeded)
		return;
	t->s->exceeded = true;
	tell(t);
	t->m->msg.reason = REASON_DICOM_TOO_LONG;
}

/* Was something missed that could have come before, or what the other end said to it? */
static bool is_half_seen(const struct turn *t)
{
	if (t->d->phase == DICOM_IDLE)
		return t->in->midstream || t->in->alone;
	return t->d->phase == DICOM_REQUESTED && t->in->alone;
}

static enum parse read_pdu(struct turn *t)
{
	struct dicom_side *s = t->s;
	uint8_t type = read_u8(&t->r);
	enum reason bad;
	uint32_t len;

	read_u8(&t->r);
	len = read_be32(&t->r);
	if (t->r.bad)
		return PARSE_MORE;
	s->pdu = type;
	if (!dicom_pdu_name(type))
		return broken(t, REASON_DICOM_MALFORMED);
	if (type != DICOM_ASSOCIATE_RQ && is_half_seen(t)) {
		t->d->phase = DICOM_UNKNOWN;
		t->d->known = false;
	}
	bad = judge_length(type, len);
	if (!bad && !is_in_order(t, type))
		bad = REASON_DICOM_OUT_OF_ORDER;
	if (bad)
		return broken(t, bad);
	if (len == 4 && reader_left(&t->r) < 4)
		return PARSE_MORE;
	s->left = len;
	if (type == DICOM_ASSOCIATE_RQ)
		begin_request(t);
	if (type == DICOM_DATA) {
		s->stage = DICOM_AT_PDV;
		judge_maximum(t);
	} else if (len == 4) {
		read_short(t);
	} else {
		s->stage = DICOM_AT_FIXED;
	}
	return PARSE_OK;
}

static enum parse end_association(struct turn *t)
{
	struct dicom_side *s = t->s;

	s->stage = DICOM_AT_PDU;
	s->max = t->d->max;
	dicom_end_association(t->d, t->in->end);
	tell(t);
	dicom_tell_association(t->d, t->m);
	t->m->msg.answer = s->pdu == DICOM_ASSOCIATE_AC;
	if (s->pdu == DICOM_ASSOCIATE_AC && t->d->phase == DICOM_REQUESTED)
		t->d->phase = DICOM_OPEN;
	if (t->d->bad_title)
		t->m->msg.reason = REASON_DICOM_MALFORMED;
	return PARSE_OK;
}

static enum parse read_fixed(struct turn *t)
{
	struct bytes fixed = read_bytes(&t->r, DICOM_FIXED);

	if (t->r.bad)
		return PARSE_MORE;
	dicom_read_fixed(t->d, t->in->end, fixed);
	t->s->left -= DICOM_FIXED;
	t->s->stage = DICOM_AT_ITEM;
	return t->s->left ? PARSE_OK : end_association(t);
}

static enum parse read_item(struct turn *t)
{
	uint8_t type = read_u8(&t->r);
	struct reader item;
	enum reason bad;
	uint16_t len;

	read_u8(&t->r);
	len = read_be16(&t->r);
	if (t->s->left < 4 || (!t->r.bad && len > t->s->left - 4))
		return broken(t, REASON_DICOM_MALFORMED);
	if (len > ITEM_MAX)
		return broken(t, REASON_DICOM_TOO_LONG);
	item = read_sub(&t->r, len);
	if (t->r.bad)
		return PARSE_MORE;
	bad = dicom_read_item(t->d, t->in->end, type, item);
	if (bad)
		return broken(t, bad);
	t->s->left -= 4u + len;
	return t->s->left ? PARSE_OK : end_association(t);
}

/* PS3.8 §E.1: all of a message in one context, and nothing of another in between. */
static bool expects(const struct dicom_side *s, uint8_t context, bool command)
{
	if (s->expect == DICOM_COMMAND)
		return command;
	return context == s->context && command == (s->expect == DICOM_MORE_COMMAND);
}

static void begin_message(struct turn *t, uint8_t context)
{
	const struct dicom_context *c = &t->d->contexts[context / 2];

	t->s->context = context;
	t->s->accepted = !t->d->known || (c->flags & DICOM_ANSWERED && !c->result);
	memset(&t->s->command, 0, sizeof(t->s->command));
}

/* False where this fragment has no place here. */
static bool begin_fragment(struct turn *t, uint8_t context, bool command)
{
	struct dicom_side *s = t->s;

	if (!expects(s, context, command)) {
		if (t->d->phase != DICOM_UNKNOWN)
			return false;
		/* Who knows what came before: begin here, with a message or within a data set. */
		s->expect = command ? DICOM_COMMAND : DICOM_MORE_DATA;
		s->head.other = true;
		if (!command)
			begin_message(t, context);
	}
	if (s->expect == DICOM_COMMAND)
		begin_message(t, context);
	if (s->expect == DICOM_DATA_SET) {
		memset(&s->head, 0, sizeof(s->head));
		t->out->begins = s->command.number[DICOM_COMMAND_FIELD] == DICOM_C_STORE;
	}
	s->expect = command ? DICOM_MORE_COMMAND : DICOM_MORE_DATA;
	return true;
}

/* A name, or the UID of what is private. */
static void tell_sop_class(struct dicom_msg *m, const struct dicom_command *c)
{
	struct bytes uid = {(const uint8_t *)c->sop, c->sop_len};
	const char *name =
		dicom_uid_name(DICOM_SOP_CLASSES, dicom_uid_find(DICOM_SOP_CLASSES, uid));

	m->sop_class_uid = uid;
	m->sop_class = name ? (struct bytes){(const uint8_t *)name, strlen(name)} : uid;
}

static bool is_control(uint16_t field)
{
	return field == DICOM_C_MOVE || field == DICOM_N_SET || field == DICOM_N_ACTION ||
	       field == DICOM_N_CREATE || field == DICOM_N_DELETE;
}

/* The set that names the SOP class: a response may leave it to its request (PS3.7 §10.3). */
static const struct dicom_command *classified(const struct turn *t)
{
	const struct dicom_command *c = &t->s->command, *asked = &other(t)->command;
	bool answers = dicom_has(c, DICOM_RESPONDED_ID) && dicom_has(asked, DICOM_MESSAGE_ID) &&
		       c->number[DICOM_RESPONDED_ID] == asked->number[DICOM_MESSAGE_ID];

	return !c->sop_len && answers ? asked : c;
}

/* What was agreed on and not kept is held against patterns as nothing: it does not escape them. */
static struct bytes or_blank(struct bytes name)
{
	return name.data ? name : (struct bytes){(const uint8_t *)"", 0};
}

/*
 * A meta SOP class stands for several (PS3.4 §H.3.2, for one), and every procedure step is of the class
 * UPS Push, by whichever of its classes it is asked for (PS3.4 §CC.3).
 */
static bool stands_for(struct bytes name, struct bytes uid, struct bytes other)
{
	static const char steps[] = "1.2.840.10008.5.1.4.34.6.", meta[] = "Meta SOP Class";
	size_t len = sizeof(steps) - 1;

	return memmem(name.data, name.len, meta, sizeof(meta) - 1) ||
	       (uid.len > len && other.len > len && !memcmp(uid.data, steps, len) &&
		!memcmp(other.data, steps, len));
}

/* Receivers go by what was agreed on, or by what the command says. */
static void tell_abstract_syntax(struct dicom_msg *m)
{
	struct bytes name = m->context_class, uid = m->context_class_uid, said = m->sop_class_uid;

	if (!uid.len || (uid.len == said.len && !memcmp(uid.data, said.data, uid.len)) ||
	    stands_for(name, uid, said))
		return;
	m->abstract_syntax = name;
	m->abstract_syntax_uid = uid;
}

static void tell_command(struct turn *t)
{
	const struct dicom_context *context = &t->d->contexts[t->s->context / 2];
	const struct dicom_command *c = &t->s->command, *named = classified(t);
	uint16_t field = c->number[DICOM_COMMAND_FIELD];
	struct dicom_msg *m = t->m;

	tell(t);
	m->set = c;
	m->context = t->s->context;
	m->context_class = dicom_sop_class_name(t->d, context);
	m->context_class_uid = dicom_sop_class_uid(t->d, context);
	m->command = dicom_command_name(field);
	/* Who calls off what was asked (PS3.7 §9.3.2.3) asks for nothing. */
	m->msg.answer = field & DICOM_RESPONSE || field == DICOM_C_CANCEL;
	m->msg.control = is_control(field);
	if (named->sop_len) {
		tell_sop_class(m, named);
		tell_abstract_syntax(m);
	} else {
		m->sop_class = m->context_class;
		m->sop_class_uid = m->context_class_uid;
	}
	if (context->flags & DICOM_ANSWERED && !context->result) {
		m->sop_class = or_blank(m->sop_class);
		m->transfer_syntax = or_blank(dicom_syntax_name(t->d, context->syntax));
	}
	if (dicom_has(c, DICOM_PRIORITY))
		m->priority = dicom_priority_name(c->number[DICOM_PRIORITY]);
	if (c->move_len || field == DICOM_C_MOVE) /* nowhere is held against patterns, too */
		m->move_destination = (struct bytes){(const uint8_t *)c->move, c->move_len};
	if (!dicom_has(c, DICOM_STATUS))
		return;
	memcpy(m->status_text, "0x", 2);
	*digits_hex(m->status_text + 2, c->number[DICOM_STATUS], 4) = 0;
	m->status = (struct bytes){(const uint8_t *)m->status_text, 6};
	m->status_name = dicom_status_name(field, c->number[DICOM_STATUS]);
}

static enum parse end_command(struct turn *t)
{
	struct dicom_side *s = t->s;
	const struct dicom_command *c = &s->command;

	if (dicom_command_end(c))
		return broken(t, REASON_DICOM_MALFORMED);
	s->expect = c->number[DICOM_DATA_SET_TYPE] == NO_DATA_SET ? DICOM_COMMAND : DICOM_DATA_SET;
	tell_command(t);
	if (c->is_explicit)
		t->m->msg.reason = REASON_DICOM_COMMAND_CODING;
	if (!s->accepted)
		t->m->msg.reason = REASON_DICOM_NOT_NEGOTIATED;
	return PARSE_OK;
}

/* All of the fragment was taken, or is being passed over. */
static enum parse end_fragment(struct turn *t)
{
	struct dicom_side *s = t->s;

	s->stage = s->left ? DICOM_AT_PDV : DICOM_AT_PDU;
	if (!s->last)
		return PARSE_OK;
	if (s->expect == DICOM_MORE_COMMAND)
		return end_command(t);
	s->expect = DICOM_COMMAND;
	t->out->ends = true;
	return PARSE_OK;
}

static void pass_over(struct turn *t)
{
	t->out->skip = t->s->fragment;
	t->out->skip_kept = true;
	t->s->fragment = 0;
}

static enum parse read_pdv(struct turn *t)
{
	struct dicom_side *s = t->s;
	uint32_t len = read_be32(&t->r);
	uint8_t context = read_u8(&t->r), control = read_u8(&t->r);
	bool command = control & DICOM_COMMAND_FRAGMENT;

	if (s->left < DICOM_HEAD)
		return broken(t, REASON_DICOM_MALFORMED);
	if (t->r.bad)
		return PARSE_MORE;
	if (len < 2 || len > s->left - 4 || !(context & 1))
		return broken(t, REASON_DICOM_MALFORMED);
	if (!begin_fragment(t, context, command))
		return broken(t, REASON_DICOM_OUT_OF_ORDER);
	s->left -= 4 + len;
	s->fragment = len - 2;
	s->last = control & DICOM_LAST_FRAGMENT;
	s->stage = command ? DICOM_IN_COMMAND : DICOM_IN_HEAD;
	if (!command && (s->head.other || s->head.seen == PART10_HEAD))
		pass_over(t);
	return s->fragment ? PARSE_OK : end_fragment(t);
}

/* The next bytes of the fragment, `max` of them at most. */
static struct bytes read_fragment(struct turn *t, size_t max)
{
	size_t n = reader_left(&t->r) < max ? reader_left(&t->r) : max;

	if (n > t->s->fragment)
		n = t->s->fragment;
	t->s->fragment -= (uint32_t)n;
	return read_bytes(&t->r, n);
}

static enum parse read_command(struct turn *t)
{
	struct bytes b = read_fragment(t, SIZE_MAX);
	enum reason bad = dicom_command_take(&t->s->command, b);

	if (bad)
		return broken(t, bad);
	return t->s->fragment ? PARSE_OK : end_fragment(t);
}

/* A data set has no preamble (PS3.10 §7.1 is about files); one that has is a file sent as it is. */
static enum parse read_head(struct turn *t)
{
	struct bytes b = read_fragment(t, PART10_HEAD - t->s->head.seen);
	const char *program = NULL;
	enum parse got = part10_take(&t->s->head, b, &program);

	t->out->kept = b.len;

	if (program) {
		tell_command(t);
		t->m->preamble = program;
		t->m->msg.reason = REASON_DICOM_PREAMBLE_EXECUTABLE;
	}
	if (got != PARSE_MORE)
		pass_over(t);
	return t->s->fragment ? PARSE_OK : end_fragment(t);
}

static enum parse probe(const struct proto_input *in)
{
	return dicom_recognise(in->data, in->midstream);
}

/* Behind a hole the next PDU that begins where a segment does is where reading goes on. */
static bool is_found_again(struct turn *t)
{
	struct dicom_side *s = t->s;

	if (s->lost && dicom_recognise(t->in->data, true) == PARSE_OK)
		*s = (struct dicom_side){.max = s->max, .exceeded = s->exceeded};
	return !s->lost;
}

static enum parse read(void *state, const struct proto_input *in, struct msg *ret_m,
		       struct proto_output *ret_out)
{
	static enum parse (*const stages[])(struct turn *) = {
		[DICOM_AT_PDU] = read_pdu,	   [DICOM_AT_FIXED] = read_fixed,
		[DICOM_AT_ITEM] = read_item,	   [DICOM_AT_PDV] = read_pdv,
		[DICOM_IN_COMMAND] = read_command, [DICOM_IN_HEAD] = read_head,
	};
	struct dicom *d = state;
	struct turn t = {.d = d,
			 .s = &d->side[in->end],
			 .in = in,
			 .r = reader_new(in->data.data, in->data.len),
			 .m = (struct dicom_msg *)ret_m,
			 .out = ret_out};
	enum parse got;

	if (!is_found_again(&t)) {
		ret_out->used = in->data.len;
		return PARSE_OK;
	}
	got = stages[t.s->stage](&t);
	ret_out->used = t.r.off;
	return got;
}

static void gap(void *state, unsigned end, uint64_t bytes)
{
	struct dicom *d = state;

	(void)bytes;
	d->side[end].lost = true;
	d->known = false;
	d->phase = DICOM_UNKNOWN;
}

static void write_suboperations(const struct dicom_command *c, struct json *j)
{
	static const struct {
		enum dicom_element element;
		const char *name;
	} counts[] = {
		{DICOM_REMAINING, "remaining"},
		{DICOM_COMPLETED, "completed"},
		{DICOM_FAILED, "failed"},
		{DICOM_WARNING, "warning"},
	};
	bool open = false;

	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!dicom_has(c, counts[i].element))
			continue;
		if (!open)
			json_open(j, "suboperations");
		open = true;
		json_u64(j, counts[i].name, c->number[counts[i].element]);
	}
	if (open)
		json_close(j);
}

static void write_number(const struct dicom_command *c, enum dicom_element e, const char *name,
			 struct json *j)
{
	if (dicom_has(c, e))
		json_u64(j, name, c->number[e]);
}

static void write(const struct msg *msg, struct json *j)
{
	const struct dicom_msg *m = (const struct dicom_msg *)msg;

	if (m->set) {
		json_u64(j, "presentation_context", m->context);
		write_number(m->set, DICOM_MESSAGE_ID, "message_id", j);
		write_number(m->set, DICOM_RESPONDED_ID, "message_id_responded_to", j);
		write_number(m->set, DICOM_EVENT_TYPE, "event_type_id", j);
		write_number(m->set, DICOM_ACTION_TYPE, "action_type_id", j);
		json_bool(j, "data_set", m->set->number[DICOM_DATA_SET_TYPE] != NO_DATA_SET);
		write_suboperations(m->set, j);
	} else if (m->whole) {
		dicom_write_association(m, j);
	}
}

#define AT(member) offsetof(struct dicom_msg, member)

static const struct proto_field fields[] = {
	{PROTO_KEY("pdu"), AT(pdu), FIELD_NAME, FIELD_MATCH | FIELD_VARIES},
	{PROTO_KEY("calling_ae"), AT(calling_ae), FIELD_TEXT, FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("called_ae"), AT(called_ae), FIELD_TEXT, FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("result"), AT(result), FIELD_NAME, FIELD_MATCH | FIELD_VARIES},
	{PROTO_KEY("source"), AT(source), FIELD_NAME, 0},
	{PROTO_KEY("diagnostic"), AT(diagnostic), FIELD_NAME, 0},
	{PROTO_KEY("command"), AT(command), FIELD_NAME, FIELD_MATCH},
	{PROTO_KEY("sop_class"), AT(sop_class), FIELD_TEXT, FIELD_MATCH},
	{PROTO_KEY("sop_class_uid"), AT(sop_class_uid), FIELD_TEXT, FIELD_MATCH},
	/* A rule's own patterns are for every context, those for classes where it is of another one. */
	{PROTO_KEY("abstract_syntax"), AT(context_class), FIELD_TEXT,
	 FIELD_MATCH | FIELD_SILENT | FIELD_VARIES},
	{PROTO_KEY("abstract_syntax"), AT(abstract_syntax), FIELD_TEXT, 0, NULL, {"sop_class"}},
	{PROTO_KEY("abstract_syntax_uid"), AT(context_class_uid), FIELD_TEXT,
	 FIELD_MATCH | FIELD_SILENT | FIELD_VARIES},
	{PROTO_KEY("abstract_syntax_uid"),
	 AT(abstract_syntax_uid),
	 FIELD_TEXT,
	 0,
	 NULL,
	 {"sop_class_uid"}},
	{PROTO_KEY("status"), AT(status), FIELD_TEXT, 0},
	{PROTO_KEY("status_name"), AT(status_name), FIELD_NAME, 0},
	{PROTO_KEY("transfer_syntax"), AT(transfer_syntax), FIELD_TEXT, FIELD_MATCH},
	{PROTO_KEY("priority"), AT(priority), FIELD_NAME, FIELD_MATCH | FIELD_VARIES},
	{PROTO_KEY("move_destination"), AT(move_destination), FIELD_TEXT, FIELD_MATCH},
	{PROTO_KEY("user_identity"), AT(user_identity), FIELD_NAME, FIELD_MATCH | FIELD_MUST},
	{PROTO_KEY("implementation_class_uid"), AT(implementation_class_uid), FIELD_TEXT,
	 FIELD_MATCH | FIELD_VARIES},
	{PROTO_KEY("implementation_version"), AT(implementation_version), FIELD_TEXT,
	 FIELD_MATCH | FIELD_VARIES},
	{PROTO_KEY("max_pdu_length"), AT(max_pdu_length), FIELD_U32, 0},
	{PROTO_KEY("preamble"), AT(preamble), FIELD_NAME, 0},
	{""},
};

_Static_assert(sizeof(struct dicom) <= PROTO_STATE_MAX, "the state has a bound");
_Static_assert(sizeof(struct dicom_msg) <= PROTO_MSG_MAX, "so has a message");

static bool amid(const void *state, unsigned end)
{
	return ((const struct dicom *)state)->side[end].stage != DICOM_AT_PDU;
}

const struct proto dicom_proto = {
	.name = "dicom",
	.over = PROTO_OVER_TCP,
	.framed = true,
	.state_size = sizeof(struct dicom),
	.msg_size = sizeof(struct dicom_msg),
	.fields = fields,
	.probe = probe,
	.read = read,
	.gap = gap,
	.object = dicom_object,
	.write = write,
	.amid = amid,
};
