#include "guard/proto/intellivue_internal.h"

#include "guard/proto/intellivue_frame.h"

#include <stdio.h>

/* Session layer ("Association Control Protocol"): the first byte says what it is. */
enum { CN = 0x0d, AC = 0x0e, RF = 0x0c, FN = 0x09, DN = 0x0a, AB = 0x19 };
#define PORT	     24105
#define PORT_CONNECT 24005
#define SESSION_ID   0xe100

enum { ROIV = 1, RORS = 2, ROER = 3, ROLRS = 5 };

enum command {
	EVENT_REPORT = 0,
	CONFIRMED_EVENT_REPORT = 1,
	GET = 3,
	SET = 4,
	CONFIRMED_SET = 5,
	CONFIRMED_ACTION = 7,
};

enum { NOTI_MDS_CREATE = 0x0d06, NOTI_CONNECT = 0x0d17 };
enum { ACT_POLL = 0x0c16, ACT_POLL_EXT = 0xf13b };

enum object { NUMERICS = 0x06, WAVES = 0x09, MONITOR = 0x21, PATIENT = 0x2a, ALARMS = 0x36 };

static const struct proto_name objects[] = {
	{NUMERICS, "numerics"}, {WAVES, "waves"},   {MONITOR, "monitor"},
	{PATIENT, "patient"},	{ALARMS, "alarms"}, {0x05, "enumerations"},
};

/* One of another class is held against patterns, too. */
static const char *object_name(uint16_t class_)
{
	const char *name = PROTO_NAME(objects, class_);

	return name ? name : "other";
}

static const struct proto_name attributes[] = {
	{0xf239, "numeric_priority_list"},
	{0xf23a, "wave_priority_list"},
};

static const struct proto_name errors[] = {
	{0, "no_such_object_class"},	 {1, "no_such_object_instance"}, {2, "access_denied"},
	{7, "get_list_error"},		 {8, "set_list_error"},		 {9, "no_such_action"},
	{10, "processing_failure"},	 {15, "invalid_argument_value"}, {16, "invalid_scope"},
	{17, "invalid_object_instance"},
};

static const struct proto_name links[] = {{1, "first"}, {2, "middle"}, {3, "last"}};

/* The next of them; -1 where there is none, or none that is whole. */
static int read_attribute_id(const struct intellivue_msg *m, size_t *at)
{
	struct reader r = {.in = m->access, .off = *at};
	uint16_t id;

	if (m->access_operators)
		read_skip(&r, 2);
	id = read_be16(&r);
	if (m->access_values)
		read_skip(&r, read_be16(&r));
	if (r.bad)
		return -1;
	*at = r.off;
	return id;
}

/* By its name, or its number where it has none here. */
static struct bytes next_attribute(const struct msg *msg, size_t *at)
{
	struct intellivue_msg *m = (struct intellivue_msg *)(uintptr_t)msg; /* for `number` */
	int id = m->access.data ? read_attribute_id(m, at) : -1;
	const char *name = id < 0 ? NULL : PROTO_NAME(attributes, (uint32_t)id);

	if (id < 0)
		return (struct bytes){NULL, 0};
	if (!name) {
		snprintf(m->number, sizeof(m->number), "%u", (uint16_t)id);
		name = m->number;
	}
	return (struct bytes){(const uint8_t *)name, strlen(name)};
}

static const struct proto_field fields[] = {
	{PROTO_KEY("message"), offsetof(struct intellivue_msg, message), FIELD_NAME, FIELD_MATCH},
	{PROTO_KEY("object"), offsetof(struct intellivue_msg, object), FIELD_NAME, FIELD_MATCH},
	{PROTO_KEY("invoke_id"), offsetof(struct intellivue_msg, invoke_id), FIELD_U16, 0},
	{PROTO_KEY("poll_number"), offsetof(struct intellivue_msg, poll_number), FIELD_U16, 0},
	{PROTO_KEY("linked"), offsetof(struct intellivue_msg, linked), FIELD_NAME, 0},
	{PROTO_KEY("error"), offsetof(struct intellivue_msg, error), FIELD_NAME, 0},
	{PROTO_KEY("attribute"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_attribute},
	{PROTO_KEY("framing"), offsetof(struct intellivue_msg, framing), FIELD_NAME, 0},
	{PROTO_KEY("manufacturer"), offsetof(struct intellivue_msg, manufacturer), FIELD_TEXT, 0},
	{PROTO_KEY("model"), offsetof(struct intellivue_msg, model), FIELD_TEXT, 0},
	{PROTO_KEY("waves"), offsetof(struct intellivue_msg, wave_count), FIELD_U16, 0},
	{PROTO_KEY("numerics"), offsetof(struct intellivue_msg, numeric_count), FIELD_U16, 0},
	{PROTO_KEY("alarms"), offsetof(struct intellivue_msg, alarm_count), FIELD_U16, 0},
	{""},
};

/* PollInfoList: contexts, in each observations, in each attributes. */
static void read_poll_info(struct intellivue *s, struct intellivue_msg *m, struct reader *r)
{
	uint16_t contexts, observations;
	struct reader list = intellivue_list(r, &contexts);

	for (unsigned i = 0; i < contexts && reader_left(&list); i++) {
		uint32_t server = (uint32_t)read_be16(&list) << 16;
		struct reader context = intellivue_list(&list, &observations);

		for (unsigned k = 0; k < observations && reader_left(&context); k++)
			intellivue_read_attributes(s, m, server | read_be16(&context), &context);
		intellivue_inherit(&list, &context);
	}
	intellivue_inherit(r, &list);
}

static void read_polled(struct intellivue_msg *m, struct reader *r)
{
	read_skip(r, 2); /* partition */
	m->class_ = read_be16(r);
	m->object = object_name(m->class_);
	read_skip(r, 2); /* attribute group */
}

static void note_poll(struct intellivue *s, const struct intellivue_msg *m)
{
	for (unsigned i = 0; i < INTELLIVUE_POLLS; i++)
		if (s->poll[i].class_ == m->class_ && s->poll[i].number == m->poll_number)
			return;
	s->poll[s->next_poll++ % INTELLIVUE_POLLS] =
		(struct intellivue_poll){m->class_, m->poll_number};
}

/*
 * Which of the polls of its class a result belongs to: each is numbered for itself. One that nobody
 * asked for is counted with one that somebody did, so that who makes up a poll stands out beside it;
 * where no request was seen, there is nothing but what the result says.
 */
static uint16_t row_of(const struct intellivue *s, const struct intellivue_msg *m)
{
	const struct intellivue_poll *asked = NULL;

	for (unsigned i = 0; i < INTELLIVUE_POLLS; i++) {
		if (s->poll[i].class_ != m->class_)
			continue;
		if (s->poll[i].number == m->poll_number)
			return m->poll_number;
		asked = &s->poll[i];
	}
	return asked ? asked->number : m->poll_number;
}

static void read_poll_result(struct intellivue *s, struct intellivue_msg *m, struct reader *r,
			     bool extended)
{
	m->message = extended ? "extended_poll_result" : "poll_result";
	m->poll_number = read_be16(r);
	m->has_sequence = m->extended = extended;
	if (extended)
		m->sequence = read_be16(r);
	m->time = read_be32(r);
	m->has_time = true;
	read_skip(r, 8); /* absolute time */
	read_polled(m, r);
	if (extended)
		m->row = row_of(s, m);
	if (m->class_ != PATIENT)
		read_poll_info(s, m, r);
}

static void read_action(struct intellivue *s, struct intellivue_msg *m, struct reader *r,
			unsigned apdu)
{
	uint16_t type;
	struct reader body;

	if (apdu == ROIV)
		read_skip(r, 4); /* scope */
	type = read_be16(r);
	body = read_sub(r, read_be16(r));
	if (type != ACT_POLL && type != ACT_POLL_EXT) {
		m->message = apdu == ROIV ? "action" : "action_result";
		m->msg.control = apdu == ROIV;
	} else if (apdu != ROIV) {
		read_poll_result(s, m, &body, type == ACT_POLL_EXT);
	} else {
		m->message = type == ACT_POLL_EXT ? "extended_poll" : "poll";
		m->is_poll = true;
		m->extended = type == ACT_POLL_EXT;
		m->poll_number = read_be16(&body);
		read_polled(m, &body);
		m->row = m->extended ? m->poll_number : 0;
		if (m->extended && !body.bad)
			note_poll(s, m);
	}
	intellivue_inherit(r, &body);
}

static void read_event(struct intellivue *s, struct intellivue_msg *m, struct reader *r,
		       unsigned apdu)
{
	uint16_t type;
	struct reader body;

	m->time = read_be32(r);
	type = read_be16(r);
	body = read_sub(r, read_be16(r));
	m->message = apdu == ROIV ? "event_report" : "event_result";
	if (type == NOTI_MDS_CREATE) {
		m->message = apdu == ROIV ? "mds_create" : "mds_create_result";
		m->restart = apdu == ROIV;
		if (apdu == ROIV) {
			read_skip(&body, 6);
			intellivue_read_attributes(s, m, 0, &body);
		}
	} else if (type == NOTI_CONNECT) {
		m->message = "connect_indication";
		intellivue_read_attributes(s, m, 0, &body);
	}
	intellivue_inherit(r, &body);
}

/* The attributes that are asked for, or set, or that an answer brings. */
static void read_access(struct intellivue_msg *m, struct reader *r, unsigned apdu, bool set)
{
	uint16_t count;
	struct reader list;

	m->message = set	    ? apdu == ROIV ? "set" : "set_result"
		     : apdu == ROIV ? "get"
				    : "get_result";
	m->msg.control = set && apdu == ROIV;
	if (apdu == ROIV)
		read_skip(r, 4); /* scope */
	list = intellivue_list(r, &count);
	m->access = list.in;
	m->access_operators = set && apdu == ROIV;
	m->access_values = set || apdu != ROIV;
	for (size_t at = 0; count && read_attribute_id(m, &at) >= 0;)
		count--;
	list.bad |= count != 0;
	intellivue_inherit(r, &list);
}

static void read_command(struct intellivue *s, struct intellivue_msg *m, struct reader *r,
			 unsigned apdu, uint16_t command)
{
	uint16_t class_ = read_be16(r);

	read_skip(r, 4); /* context and handle of the object */
	switch (command) {
	case EVENT_REPORT:
	case CONFIRMED_EVENT_REPORT:
		read_event(s, m, r, apdu);
		break;
	case GET:
	case SET:
	case CONFIRMED_SET:
		m->object = object_name(class_);
		read_access(m, r, apdu, command != GET);
		break;
	case CONFIRMED_ACTION:
		read_action(s, m, r, apdu);
		break;
	default:
		r->bad = true;
	}
}

/* ROapdus, behind the session or nomenclature header. */
static void read_operation(struct intellivue *s, struct intellivue_msg *m, struct reader *r)
{
	uint16_t apdu = read_be16(r), command;
	struct reader body = read_sub(r, read_be16(r)), argument;

	if (apdu == ROLRS) {
		m->linked = PROTO_NAME(links, read_u8(&body));
		m->part = read_u8(&body);
	}
	m->invoke_id = read_be16(&body);
	command = read_be16(&body);
	argument = read_sub(&body, read_be16(&body));
	m->msg.answer = apdu != ROIV;
	if (apdu == ROER) {
		m->message = "error";
		m->error = PROTO_NAME(errors, command);
	} else if (apdu == ROIV || apdu == RORS || apdu == ROLRS) {
		read_command(s, m, &argument, apdu, command);
	} else {
		r->bad = true;
	}
	intellivue_inherit(&body, &argument);
	intellivue_inherit(r, &body);
	r->bad |= reader_left(r) > 0 && !r->bad;
}

static const struct proto_name associations[] = {
	{CN, "association_request"}, {AC, "association_response"}, {RF, "association_refuse"},
	{FN, "release_request"},     {DN, "release_response"},	   {AB, "abort"},
};

/* The length behind the first byte: one byte, or 0xff and two. */
static bool session_fits(struct bytes b)
{
	struct reader r = reader_new(b.data, b.len);
	size_t len;

	read_skip(&r, 1);
	len = read_u8(&r);
	if (len == 0xff)
		len = read_be16(&r);
	return !r.bad && len == reader_left(&r);
}

static bool read_association(struct intellivue_msg *m, struct bytes b)
{
	m->message = b.len ? PROTO_NAME(associations, b.data[0]) : NULL;
	if (!m->message || !session_fits(b))
		return false;
	m->restart = b.data[0] == AC;
	m->msg.answer = b.data[0] == AC || b.data[0] == RF || b.data[0] == DN;
	return true;
}

static bool is_operation(struct bytes b)
{
	return b.len >= 4 && b.data[0] == SESSION_ID >> 8 && b.data[1] == 0;
}

/* "Connect Indication Event": a nomenclature header of four bytes, the first two zero. */
static bool is_connect(struct bytes b)
{
	struct reader r = reader_new(b.data, b.len);
	uint16_t len;

	if (read_be16(&r) != 0)
		return false;
	read_skip(&r, 2);
	if (read_be16(&r) != ROIV)
		return false;
	len = read_be16(&r);
	read_skip(&r, 2);
	return len == reader_left(&r) + 2 && read_be16(&r) == EVENT_REPORT && !r.bad;
}

static bool read_message(struct intellivue *s, struct bytes b, struct intellivue_msg *m)
{
	struct reader r = reader_new(b.data, b.len);

	memset(m, 0, offsetof(struct intellivue_msg, sample));
	if (!is_operation(b) && !is_connect(b))
		return read_association(m, b);
	read_skip(&r, 4);
	read_operation(s, m, &r);
	return !r.bad && m->message;
}

static enum parse probe(const struct proto_input *in)
{
	static const uint8_t session[] = {0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01};
	bool at_port = in->port[1] == PORT || in->port[0] == PORT || in->port[1] == PORT_CONNECT;
	struct bytes b = in->data;
	struct reader r = reader_new(b.data, b.len);
	uint16_t apdu;

	if (!in->datagram)
		return intellivue_frame_probe(b);
	if (is_operation(b)) {
		read_skip(&r, 4);
		apdu = read_be16(&r);
		if ((apdu >= ROIV && apdu <= ROER) || apdu == ROLRS)
			return read_be16(&r) == reader_left(&r) && !r.bad ? PARSE_OK : PARSE_BAD;
		return PARSE_BAD;
	}
	if (is_connect(b))
		return PARSE_OK;
	if (!PROTO_NAME(associations, b.data[0]) || !session_fits(b))
		return PARSE_BAD;
	/* A release or an abort is short, and says little of whose it is. */
	if (at_port)
		return PARSE_OK;
	read_skip(&r, b.len > 1 && b.data[1] == 0xff ? 4 : 2);
	b = read_bytes(&r, sizeof(session));
	return b.len && !memcmp(b.data, session, sizeof(session)) ? PARSE_OK : PARSE_BAD;
}

/*
 * A receiver on a serial line throws away what is no sound frame, and goes on with the next:
 * so it is told, and whoever spoils one frame does not go unread from then on.
 */
static enum parse pass_over(const struct proto_input *in, size_t len, struct intellivue_msg *m,
			    struct proto_output *ret_out)
{
	const uint8_t *next = memchr(in->data.data + 1, INTELLIVUE_BOF, in->data.len - 1);
	bool control = m->msg.control;

	if (!len)
		len = next ? (size_t)(next - in->data.data) : in->data.len;
	memset(m, 0, offsetof(struct intellivue_msg, sample)); /* nobody is to count half of it */
	m->msg.control = control;
	m->msg.reason = REASON_PROTO_MALFORMED;
	m->framing = "mib";
	ret_out->used = len;
	ret_out->has_msg = true;
	return PARSE_OK;
}

static enum parse read_stream(struct intellivue *s, const struct proto_input *in,
			      struct intellivue_msg *m, struct proto_output *ret_out)
{
	uint8_t frame[INTELLIVUE_FRAME_MAX];
	size_t len = 0, used = 0;
	enum parse p = intellivue_frame_read(in->data, frame, &len, &used);
	struct bytes content;

	if (p == PARSE_MORE && in->data.len > 2 * INTELLIVUE_FRAME_MAX + 2)
		p = PARSE_BAD;
	if (p == PARSE_MORE)
		return p;
	if (p == PARSE_BAD)
		return pass_over(in, 0, m, ret_out);
	ret_out->used = used;
	if (!len)
		return PARSE_OK;
	content = intellivue_frame_content(frame, len);
	if (!content.data || !read_message(s, content, m))
		return pass_over(in, used, m, ret_out);
	m->framing = "mib";
	ret_out->has_msg = true;
	return PARSE_OK;
}

static enum parse read_proto(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct intellivue_msg *m = (struct intellivue_msg *)ret_m;

	if (!in->datagram)
		return read_stream(state, in, m, ret_out);
	if (!read_message(state, in->data, m)) {
		memset(m, 0, offsetof(struct intellivue_msg, sample));
		m->msg.reason = REASON_PROTO_MALFORMED;
		return PARSE_BAD;
	}
	ret_out->used = in->data.len;
	ret_out->has_msg = true;
	return PARSE_OK;
}

/* A sequence number may be zero, and is told then too. */
static void write_more(const struct msg *msg, struct json *j)
{
	const struct intellivue_msg *m = (const struct intellivue_msg *)msg;
	static const char digit[] = "0123456789abcdef";
	char mac[18] = "";

	proto_texts(j, "attribute", next_attribute, msg);
	if (m->has_sequence)
		json_u64(j, "sequence", m->sequence);
	if (!m->system)
		return;
	for (unsigned i = 0; i < 6; i++) {
		uint8_t b = (uint8_t)(m->system >> (40 - 8 * i));

		mac[3 * i] = digit[b >> 4];
		mac[3 * i + 1] = digit[b & 15];
		mac[3 * i + 2] = i < 5 ? ':' : 0;
	}
	json_name(j, "system_id", mac);
}

const struct proto intellivue_proto = {
	.name = "intellivue",
	.over = PROTO_OVER_TCP | PROTO_OVER_UDP,
	.state_size = sizeof(struct intellivue),
	.msg_size = sizeof(struct intellivue_msg),
	.msg_zero = offsetof(struct intellivue_msg, wave),
	.fields = fields,
	.probe = probe,
	.read = read_proto,
	.write = write_more,
};
