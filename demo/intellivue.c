#include "demo/intellivue.h"

#include <math.h>

/* Session layer (guide, "Association Control Protocol"). */
enum {
	CN_SPDU = 0x0d,
	AC_SPDU = 0x0e,
	RF_SPDU = 0x0c,
	FN_SPDU = 0x09,
	DN_SPDU = 0x0a,
	AB_SPDU = 0x19
};
enum { PRESENTATION = 0xc1 };

/* Data export messages: a fixed session and presentation context, then remote operations. */
#define SESSION_ID 0xe100
#define CONTEXT_ID 0x0002

enum { ROIV = 1, RORS = 2 };		/* invoke, result */
enum { CMD_EVENT = 1, CMD_ACTION = 7 }; /* confirmed event report, confirmed action */
enum { MOC_MDS = 0x0021, NOTI_MDS_CREATE = 0x0d06, ACT_POLL_EXT = 0xf13b };
enum { PART_OBJ = 1, PART_SCADA = 2 };

enum attribute {
	ATTR_POLL_PROFILE = 0x0001,
	ATTR_POLL_PROFILE_EXT = 0xf001,
	ATTR_ID_TYPE = 0x092f,
	ATTR_NU_VALUE = 0x0950,
	ATTR_SA_VALUE = 0x096e,
	ATTR_SA_SPEC = 0x096d,
	ATTR_SCALE_SPEC = 0x096f,
	ATTR_PERIOD_SAMPLE = 0x098d,
	ATTR_PERIOD_POLL = 0xf13e,
	ATTR_TIME_REL = 0x098f,
};

#define FLOAT_NAN 0x007fffffu

/*
 * The parts of an association message that never vary: the guide prints them as
 * bytes ("Association Control Protocol Examples"), without taking them apart.
 */
static const uint8_t session_data[] = {0x05, 0x08, 0x13, 0x01, 0x00, 0x16, 0x01,
				       0x02, 0x80, 0x00, 0x14, 0x02, 0x00, 0x02};
static const uint8_t request_header[] = {
	0x31, 0x80, 0xa0, 0x80, 0x80, 0x01, 0x01, 0x00, 0x00, 0xa2, 0x80, 0xa0, 0x03, 0x00, 0x00,
	0x01, 0xa4, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0x06, 0x04, 0x52, 0x01, 0x00, 0x01, 0x30,
	0x80, 0x06, 0x02, 0x51, 0x01, 0x00, 0x00, 0x00, 0x00, 0x30, 0x80, 0x02, 0x01, 0x02, 0x06,
	0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x01, 0x30, 0x80,
	0x06, 0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xa0, 0x80, 0x60,
	0x80, 0xa1, 0x80, 0x06, 0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14, 0x02, 0x01, 0x00, 0x00, 0x00,
	0x03, 0x01, 0x00, 0x00, 0xbe, 0x80, 0x28, 0x80, 0x06, 0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14,
	0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x01, 0x02, 0x01, 0x02, 0x81};
static const uint8_t response_header[] = {
	0x31, 0x80, 0xa0, 0x80, 0x80, 0x01, 0x01, 0x00, 0x00, 0xa2, 0x80, 0xa0, 0x03, 0x00, 0x00,
	0x01, 0xa5, 0x80, 0x30, 0x80, 0x80, 0x01, 0x00, 0x81, 0x02, 0x51, 0x01, 0x00, 0x00, 0x30,
	0x80, 0x80, 0x01, 0x00, 0x81, 0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14, 0x02, 0x01, 0x00, 0x00,
	0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00, 0x61, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0xa0,
	0x80, 0x61, 0x80, 0xa1, 0x80, 0x06, 0x0c, 0x2a, 0x86, 0x48, 0xce, 0x14, 0x02, 0x01, 0x00,
	0x00, 0x00, 0x03, 0x01, 0x00, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x00, 0xa3, 0x05, 0xa1, 0x03,
	0x02, 0x01, 0x00, 0xbe, 0x80, 0x28, 0x80, 0x02, 0x01, 0x02, 0x81};
static const uint8_t trailer[16];
static const uint8_t release_request[] = {0x09, 0x18, 0xc1, 0x16, 0x61, 0x80, 0x30, 0x80, 0x02,
					  0x01, 0x01, 0xa0, 0x80, 0x62, 0x80, 0x80, 0x01, 0x00,
					  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
static const uint8_t release_response[] = {0x0a, 0x18, 0xc1, 0x16, 0x61, 0x80, 0x30, 0x80, 0x02,
					   0x01, 0x01, 0xa0, 0x80, 0x63, 0x80, 0x80, 0x01, 0x00,
					   0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
static const uint8_t abort_message[] = {0x19, 0x2e, 0x11, 0x01, 0x03, 0xc1, 0x29, 0xa0, 0x80, 0xa0,
					0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0x06, 0x02, 0x51, 0x01,
					0x00, 0x00, 0x00, 0x00, 0x61, 0x80, 0x30, 0x80, 0x02, 0x01,
					0x01, 0xa0, 0x80, 0x64, 0x80, 0x80, 0x01, 0x01, 0x00, 0x00,
					0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

/* A length written later: open() leaves room, close() counts what followed. */
static size_t open16(struct writer *w)
{
	write_be16(w, 0);
	return w->len;
}

static void close16(struct writer *w, size_t mark)
{
	size_t len = w->len - mark;

	if (w->bad || len > UINT16_MAX) {
		w->bad = true;
		return;
	}
	w->data[mark - 2] = (uint8_t)(len >> 8);
	w->data[mark - 1] = (uint8_t)len;
}

/* FLOAT-Type: signed exponent of ten, then a signed 24-bit mantissa. */
static void write_float(struct writer *w, double v)
{
	int32_t mantissa = (int32_t)lrint(v * 100);

	if (isnan(v) || fabs(v) > 80000)
		write_be32(w, FLOAT_NAN);
	else
		write_be32(w, 0xfe000000u | ((uint32_t)mantissa & 0xffffff));
}

static double read_float(struct reader *r)
{
	uint32_t v = read_be32(r);
	int32_t mantissa = (int32_t)(v << 8) >> 8;

	if ((v & 0xffffff) == FLOAT_NAN)
		return NAN;
	return mantissa * pow(10, (int8_t)(v >> 24));
}

static void write_attribute(struct writer *w, enum attribute id, uint16_t len)
{
	write_be16(w, (uint16_t)id);
	write_be16(w, len);
}

/* MDSEUserInfoStd: what both sides support, behind its ASNLength (here always one byte). */
static void write_user_info(struct writer *w, bool server)
{
	size_t at = w->len, profiles, profile, packages;

	write_u8(w, 0);
	write_be32(w, 0x80000000); /* MDDL_VERSION1 */
	write_be32(w, 0x40000000); /* NOMEN_VERSION */
	write_be32(w, 0);	   /* functional units */
	write_be32(w, server ? 0x00800000 : 0x80000000);
	write_be32(w, 0x20000000); /* COLD_START */
	write_be32(w, 0);	   /* no options */
	write_be16(w, 1);
	profiles = open16(w);
	write_be16(w, ATTR_POLL_PROFILE);
	profile = open16(w);
	write_be32(w, 0x80000000);	     /* POLL_PROFILE_REV_0 */
	write_be32(w, 1000 * IVUE_TICKS_MS); /* min poll period */
	write_be32(w, IVUE_MTU);
	write_be32(w, IVUE_MTU);
	write_be32(w, 0xffffffff); /* max bandwidth: not limited */
	write_be32(w, 0x60000000); /* objects may come and go */
	write_be16(w, 1);
	packages = open16(w);
	write_attribute(w, ATTR_POLL_PROFILE_EXT, 8);
	write_be32(w, 0x88000000); /* numerics every second, real-time waves */
	write_be32(w, 0);
	close16(w, packages);
	close16(w, profile);
	close16(w, profiles);
	if (!w->bad)
		w->data[at] = (uint8_t)(w->len - at - 1);
}

static void write_association(struct writer *w, bool server)
{
	size_t session, presentation;

	write_u8(w, server ? AC_SPDU : CN_SPDU);
	write_u8(w, 0);
	session = w->len;
	write_bytes(w, session_data, sizeof(session_data));
	write_u8(w, PRESENTATION);
	write_u8(w, 0);
	presentation = w->len;
	if (server)
		write_bytes(w, response_header, sizeof(response_header));
	else
		write_bytes(w, request_header, sizeof(request_header));
	write_user_info(w, server);
	write_bytes(w, trailer, sizeof(trailer));
	if (w->bad)
		return;
	w->data[presentation - 1] = (uint8_t)(w->len - presentation);
	w->data[session - 1] = (uint8_t)(w->len - session);
}

struct operation {
	size_t apdu, command, argument;
};

static void write_managed_object(struct writer *w)
{
	write_be16(w, MOC_MDS);
	write_be32(w, 0); /* context and handle: the one monitor there is */
}

static struct operation open_operation(struct writer *w, uint16_t apdu, uint16_t invoke,
				       uint16_t command)
{
	struct operation o = {0};

	write_be16(w, SESSION_ID);
	write_be16(w, CONTEXT_ID);
	write_be16(w, apdu);
	o.apdu = open16(w);
	write_be16(w, invoke);
	write_be16(w, command);
	o.command = open16(w);
	write_managed_object(w);
	return o;
}

static void close_operation(struct writer *w, const struct operation *o)
{
	close16(w, o->argument);
	close16(w, o->command);
	close16(w, o->apdu);
}

static void write_event(struct writer *w, const struct ivue_message *m, bool result)
{
	struct operation o = open_operation(w, result ? RORS : ROIV, m->invoke, CMD_EVENT);
	size_t list;

	write_be32(w, m->time);
	write_be16(w, NOTI_MDS_CREATE);
	o.argument = open16(w);
	if (!result) {
		write_managed_object(w);
		write_be16(w, 1);
		list = open16(w);
		write_attribute(w, ATTR_TIME_REL, 4);
		write_be32(w, m->time);
		close16(w, list);
	}
	close_operation(w, &o);
}

static void write_poll(struct writer *w, const struct ivue_message *m)
{
	struct operation o = open_operation(w, ROIV, m->invoke, CMD_ACTION);

	write_be32(w, 0); /* scope */
	write_be16(w, ACT_POLL_EXT);
	o.argument = open16(w);
	write_be16(w, m->poll);
	write_be16(w, PART_OBJ);
	write_be16(w, m->class_);
	write_be16(w, 0); /* all attribute groups */
	write_be16(w, 1);
	write_be16(w, 8);
	write_attribute(w, ATTR_PERIOD_POLL, 4);
	write_be32(w, m->period);
	close_operation(w, &o);
}

static void write_wave(struct writer *w, const struct ivue_wave *v)
{
	size_t list;

	write_be16(w, v->handle);
	write_be16(w, v->period_ticks ? 5 : 1);
	list = open16(w);
	if (v->period_ticks) {
		write_attribute(w, ATTR_ID_TYPE, 4);
		write_be16(w, PART_SCADA);
		write_be16(w, v->physio);
		write_attribute(w, ATTR_SA_SPEC, 6);
		write_be16(w, (uint16_t)(v->samples.len / 2));
		write_u8(w, 16);
		write_u8(w, v->bits);
		write_be16(w, 0);
		write_attribute(w, ATTR_SCALE_SPEC, 12);
		write_float(w, v->low);
		write_float(w, v->high);
		write_be16(w, v->low_raw);
		write_be16(w, v->high_raw);
		write_attribute(w, ATTR_PERIOD_SAMPLE, 4);
		write_be32(w, v->period_ticks);
	}
	write_attribute(w, ATTR_SA_VALUE, (uint16_t)(6 + v->samples.len));
	write_be16(w, v->physio);
	write_be16(w, v->state);
	write_be16(w, (uint16_t)v->samples.len);
	write_bytes(w, v->samples.data, v->samples.len);
	close16(w, list);
}

static void write_numeric(struct writer *w, const struct ivue_numeric *n)
{
	write_be16(w, n->handle);
	write_be16(w, 2);
	write_be16(w, 4 + 4 + 4 + 10);
	write_attribute(w, ATTR_ID_TYPE, 4);
	write_be16(w, PART_SCADA);
	write_be16(w, n->physio);
	write_attribute(w, ATTR_NU_VALUE, 10);
	write_be16(w, n->physio);
	write_be16(w, n->state);
	write_be16(w, n->unit);
	write_float(w, n->value);
}

/* PollMdibDataReplyExt: one context, one observation an object. */
static void write_result(struct writer *w, const struct ivue_message *m)
{
	static const uint8_t no_absolute_time[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct operation o = open_operation(w, RORS, m->invoke, CMD_ACTION);
	size_t contexts, observations;

	write_be16(w, ACT_POLL_EXT);
	o.argument = open16(w);
	write_be16(w, m->poll);
	write_be16(w, m->sequence);
	write_be32(w, m->time);
	write_bytes(w, no_absolute_time, sizeof(no_absolute_time));
	write_be16(w, PART_OBJ);
	write_be16(w, m->class_);
	write_be16(w, 0);
	write_be16(w, 1);
	contexts = open16(w);
	write_be16(w, 0);
	write_be16(w, (uint16_t)(m->waves + m->numerics));
	observations = open16(w);
	for (unsigned i = 0; i < m->waves; i++)
		write_wave(w, &m->wave[i]);
	for (unsigned i = 0; i < m->numerics; i++)
		write_numeric(w, &m->numeric[i]);
	close16(w, observations);
	close16(w, contexts);
	close_operation(w, &o);
}

void ivue_write(struct writer *w, const struct ivue_message *m)
{
	switch (m->kind) {
	case IVUE_ASSOCIATE:
	case IVUE_ASSOCIATED:
		write_association(w, m->kind == IVUE_ASSOCIATED);
		break;
	case IVUE_REFUSED:
		write_u8(w, RF_SPDU);
		write_u8(w, 2);
		write_be16(w, 0);
		break;
	case IVUE_RELEASE:
		write_bytes(w, release_request, sizeof(release_request));
		break;
	case IVUE_RELEASED:
		write_bytes(w, release_response, sizeof(release_response));
		break;
	case IVUE_ABORT:
		write_bytes(w, abort_message, sizeof(abort_message));
		break;
	case IVUE_MDS_CREATE:
	case IVUE_MDS_CREATED:
		write_event(w, m, m->kind == IVUE_MDS_CREATED);
		break;
	case IVUE_POLL:
		write_poll(w, m);
		break;
	case IVUE_RESULT:
		write_result(w, m);
		break;
	}
}

static void read_observation(struct reader *r, struct ivue_message *m)
{
	uint16_t handle = read_be16(r), count = read_be16(r);
	struct reader list = read_sub(r, read_be16(r));
	struct ivue_wave wave = {.handle = handle};
	struct ivue_numeric number = {.handle = handle};
	bool has_wave = false, has_number = false;

	for (unsigned i = 0; i < count && !list.bad; i++) {
		uint16_t id = read_be16(&list);
		struct reader v = read_sub(&list, read_be16(&list));

		switch (id) {
		case ATTR_SA_VALUE:
			wave.physio = read_be16(&v);
			wave.state = read_be16(&v);
			wave.samples = read_bytes(&v, read_be16(&v));
			has_wave = !v.bad && wave.samples.len % 2 == 0;
			break;
		case ATTR_SA_SPEC:
			read_skip(&v, 3);
			wave.bits = read_u8(&v);
			break;
		case ATTR_SCALE_SPEC:
			wave.low = read_float(&v);
			wave.high = read_float(&v);
			wave.low_raw = read_be16(&v);
			wave.high_raw = read_be16(&v);
			break;
		case ATTR_PERIOD_SAMPLE:
			wave.period_ticks = read_be32(&v);
			break;
		case ATTR_NU_VALUE:
			number.physio = read_be16(&v);
			number.state = read_be16(&v);
			number.unit = read_be16(&v);
			number.value = read_float(&v);
			has_number = !v.bad;
			break;
		}
		list.bad |= v.bad;
	}
	r->bad |= list.bad;
	if (has_wave && m->waves < IVUE_WAVES)
		m->wave[m->waves++] = wave;
	if (has_number && m->numerics < IVUE_NUMERICS)
		m->numeric[m->numerics++] = number;
}

static void read_result(struct reader *r, struct ivue_message *m)
{
	uint16_t contexts, observations;
	struct reader list, context;

	m->kind = IVUE_RESULT;
	m->poll = read_be16(r);
	m->sequence = read_be16(r);
	m->time = read_be32(r);
	read_skip(r, 8 + 2);
	m->class_ = read_be16(r);
	read_skip(r, 2);
	contexts = read_be16(r);
	list = read_sub(r, read_be16(r));
	for (unsigned i = 0; i < contexts && !list.bad; i++) {
		read_skip(&list, 2);
		observations = read_be16(&list);
		context = read_sub(&list, read_be16(&list));
		for (unsigned k = 0; k < observations && !context.bad; k++)
			read_observation(&context, m);
		list.bad |= context.bad;
	}
	r->bad |= list.bad;
}

static void read_poll(struct reader *r, struct ivue_message *m)
{
	uint16_t count;
	struct reader list;

	m->kind = IVUE_POLL;
	m->poll = read_be16(r);
	read_skip(r, 2);
	m->class_ = read_be16(r);
	read_skip(r, 2);
	count = read_be16(r);
	list = read_sub(r, read_be16(r));
	for (unsigned i = 0; i < count && !list.bad; i++) {
		uint16_t id = read_be16(&list);
		struct reader v = read_sub(&list, read_be16(&list));

		if (id == ATTR_PERIOD_POLL)
			m->period = read_be32(&v);
		list.bad |= v.bad;
	}
	r->bad |= list.bad;
}

/* What stands in the command of a remote operation; kind stays 0 for what the demo does not speak. */
static void read_command(struct reader *r, uint16_t apdu, uint16_t command, struct ivue_message *m)
{
	struct reader body;
	uint16_t type;

	read_skip(r, 6);
	if (command == CMD_EVENT)
		m->time = read_be32(r);
	else if (apdu == ROIV)
		read_skip(r, 4); /* scope */
	type = read_be16(r);
	body = read_sub(r, read_be16(r));
	if (command == CMD_EVENT && type == NOTI_MDS_CREATE)
		m->kind = apdu == ROIV ? IVUE_MDS_CREATE : IVUE_MDS_CREATED;
	else if (command == CMD_ACTION && type == ACT_POLL_EXT && apdu == ROIV)
		read_poll(&body, m);
	else if (command == CMD_ACTION && type == ACT_POLL_EXT)
		read_result(&body, m);
	r->bad |= body.bad;
}

static void read_operation(struct reader *r, struct ivue_message *m)
{
	uint16_t apdu, command;
	struct reader body, argument;

	read_skip(r, 4);
	apdu = read_be16(r);
	body = read_sub(r, read_be16(r));
	m->invoke = read_be16(&body);
	command = read_be16(&body);
	argument = read_sub(&body, read_be16(&body));
	if (!argument.bad && (apdu == ROIV || apdu == RORS))
		read_command(&argument, apdu, command, m);
	r->bad |= body.bad || argument.bad;
}

enum parse ivue_read(struct bytes datagram, struct ivue_message *ret_m)
{
	struct reader r = reader_new(datagram.data, datagram.len);
	struct ivue_message m = {0};

	if (datagram.len < 4)
		return PARSE_BAD;
	switch (datagram.data[0]) {
	case CN_SPDU:
		m.kind = IVUE_ASSOCIATE;
		break;
	case AC_SPDU:
		m.kind = IVUE_ASSOCIATED;
		break;
	case RF_SPDU:
		m.kind = IVUE_REFUSED;
		break;
	case FN_SPDU:
		m.kind = IVUE_RELEASE;
		break;
	case DN_SPDU:
		m.kind = IVUE_RELEASED;
		break;
	case AB_SPDU:
		m.kind = IVUE_ABORT;
		break;
	case SESSION_ID >> 8:
		read_operation(&r, &m);
		break;
	}
	if (r.bad || !m.kind)
		return PARSE_BAD;
	*ret_m = m;
	return PARSE_OK;
}
