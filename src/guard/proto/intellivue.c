#include "guard/proto/intellivue.h"

#include <math.h>
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

enum attribute {
	ATTR_P_ALARMS = 0x0902,
	ATTR_T_ALARMS = 0x0904,
	ATTR_ALERT_CONDITION = 0x0916,
	ATTR_MODEL = 0x0928,
	ATTR_NU_CMPD_VALUE = 0x094b,
	ATTR_NU_VALUE = 0x0950,
	ATTR_SA_CMPD_VALUE = 0x0967,
	ATTR_SA_SPEC = 0x096d,
	ATTR_SA_VALUE = 0x096e,
	ATTR_SCALE = 0x096f,
	ATTR_SYSTEM_ID = 0x0984,
	ATTR_PERIOD = 0x098d,
	ATTR_SA_MARKS = 0x0a16,
	ATTR_NETWORK = 0xf100,
	ATTR_NU_PRIORITY = 0xf239,
	ATTR_SA_PRIORITY = 0xf23a,
};

static const struct proto_name attributes[] = {
	{ATTR_NU_PRIORITY, "numeric_priority_list"},
	{ATTR_SA_PRIORITY, "wave_priority_list"},
};

static const struct proto_name errors[] = {
	{0, "no_such_object_class"},	 {1, "no_such_object_instance"}, {2, "access_denied"},
	{7, "get_list_error"},		 {8, "set_list_error"},		 {9, "no_such_action"},
	{10, "processing_failure"},	 {15, "invalid_argument_value"}, {16, "invalid_scope"},
	{17, "invalid_object_instance"},
};

static const struct proto_name links[] = {{1, "first"}, {2, "middle"}, {3, "last"}};

#define RESULT_US    256000 /* real-time waves come in such pieces */
#define CONTEXTS     16
#define POLLS	     8
#define MARKS	     4
#define MARK_INVALID 1	    /* SA_FIX_INVALID_MASK */
#define EXT_RANGE    0x1000 /* SA_EXT_VAL_RANGE: bits above the significant ones mark samples */

/* What a wave's samples mean; told now and then, needed always. */
struct context {
	uint32_t
		handle; /* global: the measurement server's context, and what it calls the object */
	uint32_t ticks; /* 0: not told yet */
	uint16_t array;
	uint16_t invalid; /* bits that mark a sample as none; 0: no such */
	uint16_t low, high;
	uint8_t size, significant; /* bits */
	bool ext_range : 1, has_scale : 1;
};

/* An extended poll that was asked for; class 0: none. */
struct poll {
	uint16_t class_, number;
};

struct intellivue {
	uint8_t manufacturer_len, model_len;
	char manufacturer[32], model[32];
	unsigned next, next_poll; /* to be used next */
	struct context context[CONTEXTS];
	struct poll poll[POLLS];
};

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

/* FLOAT-Type: a signed exponent of ten, a signed mantissa of 24 bits; its ends mean no number. */
static double read_float(struct reader *r)
{
	uint32_t v = read_be32(r), m = v & 0xffffff;

	if (m == 0x7fffff || m == 0x800000 || m == 0x7ffffe || m == 0x800002)
		return NAN;
	return ((int32_t)(m << 8) >> 8) * pow(10, (int8_t)(v >> 24));
}

/* "count, length" in front of every list; a reader for what it holds. */
static struct reader read_list(struct reader *r, uint16_t *ret_count)
{
	*ret_count = read_be16(r);
	return read_sub(r, read_be16(r));
}

static void inherit(struct reader *r, const struct reader *inner)
{
	r->bad |= inner->bad;
}

static struct context *context_of(struct intellivue *s, uint32_t handle)
{
	struct context *c;

	for (unsigned i = 0; i < CONTEXTS; i++)
		if (s->context[i].handle == handle)
			return &s->context[i];
	c = &s->context[s->next++ % CONTEXTS];
	*c = (struct context){.handle = handle, .size = 16, .significant = 16};
	return c;
}

/* Waves: an observation may hold a value, what its samples mean, or both in any order. */

struct observation {
	uint32_t handle;
	struct context *context; /* NULL where it says nothing of samples */
	struct bytes value, compound;
};

static void read_spec(struct context *c, struct reader *v)
{
	uint16_t flags;

	c->array = read_be16(v);
	c->size = read_u8(v);
	c->significant = read_u8(v);
	flags = read_be16(v);
	c->ext_range = flags & EXT_RANGE;
	if (c->size != 8)
		c->size = 16;
	if (c->significant == 0 || c->significant > c->size)
		c->significant = c->size;
}

static void read_marks(struct context *c, struct reader *v)
{
	uint16_t count;
	struct reader list = read_list(v, &count);

	c->invalid = 0;
	for (unsigned i = 0; i < count && i < MARKS && reader_left(&list); i++) {
		uint16_t kind = read_be16(&list), bits = read_be16(&list);

		if (kind == MARK_INVALID)
			c->invalid = bits;
	}
	inherit(v, &list);
}

static void read_scale(struct context *c, struct reader *v)
{
	read_skip(v, 8); /* the physical values: integrity compares a wave with itself */
	c->low = read_be16(v);
	c->high = read_be16(v);
	c->has_scale = !v->bad && c->low < c->high;
}

static void read_samples(const struct context *c, struct bytes data, int32_t *ret_samples)
{
	uint32_t bits = c->ext_range && c->significant < 16 ? (1u << c->significant) - 1 : 0xffff;
	size_t each = c->size / 8;

	for (size_t i = 0; i < data.len / each; i++) {
		const uint8_t *at = data.data + i * each;
		uint32_t v = each == 1 ? at[0] : (uint32_t)at[0] << 8 | at[1];
		bool invalid = c->invalid && (v & c->invalid) == c->invalid;

		ret_samples[i] = invalid ? INTELLIVUE_NO_VALUE : (int32_t)(v & bits);
	}
}

/* SaObsValue: physiological id, state, the samples. */
static void read_wave(struct intellivue_msg *m, const struct context *c, struct reader *r)
{
	struct intellivue_wave w = {0};
	struct reader v;
	size_t count;

	w.code = read_be16(r);
	w.state = read_be16(r);
	v = read_sub(r, read_be16(r));
	count = reader_left(&v) / (c->size / 8);
	inherit(r, &v);
	if (r->bad)
		return;
	m->wave_count++;
	if (m->waves == INTELLIVUE_WAVES || count > (size_t)INTELLIVUE_SAMPLES - m->samples)
		return;
	w.first = m->samples;
	w.count = (uint16_t)count;
	/* a lead of several at once comes at half the rate that its context says */
	w.period_us = c->ticks && c->array == count ? c->ticks * 125
		      : count			    ? (uint32_t)(RESULT_US / count)
						    : 0;
	w.has_range = c->has_scale;
	w.low = c->low;
	w.high = c->high;
	read_samples(c, read_bytes(&v, count * (c->size / 8)), &m->sample[m->samples]);
	m->samples = (uint16_t)(m->samples + count);
	m->wave[m->waves++] = w;
}

/* NuObsValue */
static void read_numeric(struct intellivue_msg *m, struct reader *r)
{
	struct intellivue_numeric n;

	n.code = read_be16(r);
	n.state = read_be16(r);
	n.unit = read_be16(r);
	n.value = read_float(r);
	if (r->bad)
		return;
	m->numeric_count++;
	if (m->numerics < INTELLIVUE_NUMERICS)
		m->numeric[m->numerics++] = n;
}

static void read_numerics(struct intellivue_msg *m, struct reader *v)
{
	uint16_t count;
	struct reader list = read_list(v, &count);

	for (unsigned i = 0; i < count && reader_left(&list); i++)
		read_numeric(m, &list);
	inherit(v, &list);
}

/* DevAlarmList */
static void read_alarms(struct intellivue_msg *m, struct reader *v, bool technical)
{
	uint16_t count;
	struct reader list = read_list(v, &count);

	m->has_alarms = true;
	for (unsigned i = 0; i < count && reader_left(&list); i++) {
		struct intellivue_alarm a = {.technical = technical};

		a.source = read_be16(&list);
		a.code = read_be16(&list);
		a.priority = read_be16(&list);
		a.state = read_be16(&list);
		read_skip(&list, 6 + 2); /* the object it is about; what form its text has */
		read_skip(&list, read_be16(&list));
		if (list.bad)
			break;
		m->alarm_count++;
		if (m->alarms < INTELLIVUE_ALARMS)
			m->alarm[m->alarms++] = a;
	}
	inherit(v, &list);
}

/* Two counted texts; a monitor pads them with zeros. */
static void keep_text(char *to, uint8_t *ret_len, struct reader *v)
{
	struct bytes b = read_bytes(v, read_be16(v));
	size_t len = 0;

	while (len < b.len && len < sizeof(((struct intellivue *)0)->model) && b.data[len])
		len++;
	if (len)
		memcpy(to, b.data, len);
	*ret_len = (uint8_t)len;
}

static void read_model(struct intellivue *s, struct intellivue_msg *m, struct reader *v)
{
	keep_text(s->manufacturer, &s->manufacturer_len, v);
	keep_text(s->model, &s->model_len, v);
	if (s->manufacturer_len)
		m->manufacturer = (struct bytes){(uint8_t *)s->manufacturer, s->manufacturer_len};
	if (s->model_len)
		m->model = (struct bytes){(uint8_t *)s->model, s->model_len};
}

static uint64_t read_mac(struct reader *v)
{
	uint64_t high = read_be16(v);

	return high << 32 | read_be32(v);
}

static void read_attribute(struct intellivue *s, struct intellivue_msg *m, struct observation *o,
			   uint16_t id, struct reader *v)
{
	switch (id) {
	case ATTR_SA_SPEC:
		read_spec(o->context = context_of(s, o->handle), v);
		break;
	case ATTR_SA_MARKS:
		read_marks(o->context = context_of(s, o->handle), v);
		break;
	case ATTR_SCALE:
		read_scale(o->context = context_of(s, o->handle), v);
		break;
	case ATTR_PERIOD:
		(o->context = context_of(s, o->handle))->ticks = read_be32(v);
		break;
	case ATTR_SA_VALUE:
		o->value = read_bytes(v, reader_left(v));
		break;
	case ATTR_SA_CMPD_VALUE:
		o->compound = read_bytes(v, reader_left(v));
		break;
	case ATTR_NU_VALUE:
		read_numeric(m, v);
		break;
	case ATTR_NU_CMPD_VALUE:
		read_numerics(m, v);
		break;
	case ATTR_P_ALARMS:
	case ATTR_T_ALARMS:
		read_alarms(m, v, id == ATTR_T_ALARMS);
		break;
	case ATTR_ALERT_CONDITION:
		m->alert_state = read_be16(v);
		break;
	case ATTR_MODEL:
		read_model(s, m, v);
		break;
	case ATTR_SYSTEM_ID:
		if (read_be16(v) == 6)
			m->system = read_mac(v);
		break;
	case ATTR_NETWORK:
		m->system = read_mac(v);
		break;
	default:
		break;
	}
}

static void read_values(struct intellivue *s, struct intellivue_msg *m, const struct observation *o,
			struct reader *r)
{
	static const struct context plain = {.size = 16, .significant = 16};
	const struct context *c = &plain;
	struct reader v = reader_new(o->value.data, o->value.len);
	struct reader all = reader_new(o->compound.data, o->compound.len);
	uint16_t count;
	struct reader list;

	for (unsigned i = 0; i < CONTEXTS; i++)
		if (s->context[i].handle == o->handle && s->context[i].size)
			c = &s->context[i];
	if (o->value.len)
		read_wave(m, c, &v);
	inherit(r, &v);
	if (!o->compound.len)
		return;
	list = read_list(&all, &count);
	for (unsigned i = 0; i < count && reader_left(&list); i++)
		read_wave(m, c, &list);
	inherit(&all, &list);
	inherit(r, &all);
}

static void read_attributes(struct intellivue *s, struct intellivue_msg *m, uint32_t handle,
			    struct reader *r)
{
	struct observation o = {.handle = handle};
	uint16_t count;
	struct reader list = read_list(r, &count);

	for (unsigned i = 0; i < count && reader_left(&list); i++) {
		uint16_t id = read_be16(&list);
		struct reader v = read_sub(&list, read_be16(&list));

		read_attribute(s, m, &o, id, &v);
		inherit(&list, &v);
	}
	read_values(s, m, &o, &list);
	inherit(r, &list);
}

/* PollInfoList: contexts, in each observations, in each attributes. */
static void read_poll_info(struct intellivue *s, struct intellivue_msg *m, struct reader *r)
{
	uint16_t contexts, observations;
	struct reader list = read_list(r, &contexts);

	for (unsigned i = 0; i < contexts && reader_left(&list); i++) {
		uint32_t server = (uint32_t)read_be16(&list) << 16;
		struct reader context = read_list(&list, &observations);

		for (unsigned k = 0; k < observations && reader_left(&context); k++)
			read_attributes(s, m, server | read_be16(&context), &context);
		inherit(&list, &context);
	}
	inherit(r, &list);
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
	for (unsigned i = 0; i < POLLS; i++)
		if (s->poll[i].class_ == m->class_ && s->poll[i].number == m->poll_number)
			return;
	s->poll[s->next_poll++ % POLLS] = (struct poll){m->class_, m->poll_number};
}

/*
 * Which of the polls of its class a result belongs to: each is numbered for itself. One that nobody
 * asked for is counted with one that somebody did, so that who makes up a poll stands out beside it;
 * where no request was seen, there is nothing but what the result says.
 */
static uint16_t row_of(const struct intellivue *s, const struct intellivue_msg *m)
{
	const struct poll *asked = NULL;

	for (unsigned i = 0; i < POLLS; i++) {
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
	inherit(r, &body);
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
			read_attributes(s, m, 0, &body);
		}
	} else if (type == NOTI_CONNECT) {
		m->message = "connect_indication";
		read_attributes(s, m, 0, &body);
	}
	inherit(r, &body);
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
	list = read_list(r, &count);
	m->access = list.in;
	m->access_operators = set && apdu == ROIV;
	m->access_values = set || apdu != ROIV;
	for (size_t at = 0; count && read_attribute_id(m, &at) >= 0;)
		count--;
	list.bad |= count != 0;
	inherit(r, &list);
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
	inherit(&body, &argument);
	inherit(r, &body);
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

/* Frames ("MIB/RS-232 Interface"): BOF, header, data, check sum, EOF; escaped between the ends. */

enum { BOF = 0xc0, EOF_ = 0xc1, ESCAPE = 0x7d, ESCAPED = 0x20 };
#define FRAME_ID   0x11
#define FRAME_TYPE 0x01
#define FRAME_MAX  2048 /* escapes taken out; a monitor sends at most 1,364 */

/* CRC-CCITT as PPP has it (RFC 1662 appendix C.2). */
static uint16_t check_sum(const uint8_t *p, size_t len)
{
	uint16_t fcs = 0xffff;

	for (size_t i = 0; i < len; i++) {
		fcs ^= p[i];
		for (int k = 0; k < 8; k++)
			fcs = fcs & 1 ? (uint16_t)(fcs >> 1 ^ 0x8408) : fcs >> 1;
	}
	return (uint16_t)~fcs;
}

/*
 * PARSE_OK: *ret_used bytes are a frame, its content unescaped at `frame`; of one that its sender
 * gave up nothing is. A frame begins at BOF whatever is before it: an escape does not hide that.
 */
static enum parse read_frame(struct bytes in, uint8_t frame[FRAME_MAX], size_t *ret_len,
			     size_t *ret_used)
{
	size_t len = 0, i = 1;

	if (in.data[0] != BOF)
		return PARSE_BAD;
	for (; i < in.len && in.data[i] != EOF_; i++) {
		uint8_t b = in.data[i];

		if (b == BOF)
			return PARSE_BAD;
		if (b == ESCAPE) {
			if (++i == in.len)
				return PARSE_MORE;
			if (in.data[i] == BOF)
				return PARSE_BAD;
			if (in.data[i] == EOF_) { /* "Frame Abort" */
				len = 0;
				break;
			}
			b = in.data[i] ^ ESCAPED;
		}
		if (len == FRAME_MAX)
			return PARSE_BAD;
		frame[len++] = b;
	}
	if (i == in.len)
		return PARSE_MORE;
	*ret_len = len;
	*ret_used = i + 1;
	return PARSE_OK;
}

/* The message in a frame; data NULL where the frame is not sound. */
static struct bytes frame_content(const uint8_t *frame, size_t len)
{
	struct reader r = reader_new(frame, len);
	bool ours = read_u8(&r) == FRAME_ID;
	struct bytes b, none = {NULL, 0};

	ours &= read_u8(&r) == FRAME_TYPE;
	b = read_bytes(&r, read_be16(&r));
	ours &= read_le16(&r) == check_sum(frame, r.bad ? 0 : 4 + b.len);
	return ours && !r.bad && !reader_left(&r) ? b : none;
}

static enum parse probe_stream(struct bytes in)
{
	static const uint8_t begin[] = {BOF, FRAME_ID, FRAME_TYPE};
	size_t n = in.len < sizeof(begin) ? in.len : sizeof(begin);

	if (memcmp(in.data, begin, n) != 0)
		return PARSE_BAD;
	return n == sizeof(begin) ? PARSE_OK : PARSE_MORE;
}

static enum parse probe(const struct proto_input *in)
{
	static const uint8_t session[] = {0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01};
	bool at_port = in->port[1] == PORT || in->port[0] == PORT || in->port[1] == PORT_CONNECT;
	struct bytes b = in->data;
	struct reader r = reader_new(b.data, b.len);
	uint16_t apdu;

	if (!in->datagram)
		return probe_stream(b);
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
	const uint8_t *next = memchr(in->data.data + 1, BOF, in->data.len - 1);
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
	uint8_t frame[FRAME_MAX];
	size_t len = 0, used = 0;
	enum parse p = read_frame(in->data, frame, &len, &used);
	struct bytes content;

	if (p == PARSE_MORE && in->data.len > 2 * FRAME_MAX + 2)
		p = PARSE_BAD;
	if (p == PARSE_MORE)
		return p;
	if (p == PARSE_BAD)
		return pass_over(in, 0, m, ret_out);
	ret_out->used = used;
	if (!len)
		return PARSE_OK;
	content = frame_content(frame, len);
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
