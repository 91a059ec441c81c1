#include "guard/proto/intellivue_internal.h"

#include <math.h>

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
};

#define RESULT_US    256000 /* real-time waves come in such pieces */
#define MARKS	     4
#define MARK_INVALID 1	    /* SA_FIX_INVALID_MASK */
#define EXT_RANGE    0x1000 /* SA_EXT_VAL_RANGE: bits above the significant ones mark samples */

/* FLOAT-Type: a signed exponent of ten, a signed mantissa of 24 bits; its ends mean no number. */
static double read_float(struct reader *r)
{
	uint32_t v = read_be32(r), m = v & 0xffffff;

	if (m == 0x7fffff || m == 0x800000 || m == 0x7ffffe || m == 0x800002)
		return NAN;
	return ((int32_t)(m << 8) >> 8) * pow(10, (int8_t)(v >> 24));
}

static struct intellivue_context *context_of(struct intellivue *s, uint32_t handle)
{
	struct intellivue_context *c;

	for (unsigned i = 0; i < INTELLIVUE_CONTEXTS; i++)
		if (s->context[i].handle == handle)
			return &s->context[i];
	c = &s->context[s->next++ % INTELLIVUE_CONTEXTS];
	*c = (struct intellivue_context){.handle = handle, .size = 16, .significant = 16};
	return c;
}

/* Waves: an observation may hold a value, what its samples mean, or both in any order. */

struct observation {
	uint32_t handle;
	struct intellivue_context *context; /* NULL where it says nothing of samples */
	struct bytes value, compound;
};

static void read_spec(struct intellivue_context *c, struct reader *v)
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

static void read_marks(struct intellivue_context *c, struct reader *v)
{
	uint16_t count;
	struct reader list = intellivue_list(v, &count);

	c->invalid = 0;
	for (unsigned i = 0; i < count && i < MARKS && reader_left(&list); i++) {
		uint16_t kind = read_be16(&list), bits = read_be16(&list);

		if (kind == MARK_INVALID)
			c->invalid = bits;
	}
	intellivue_inherit(v, &list);
}

static void read_scale(struct intellivue_context *c, struct reader *v)
{
	read_skip(v, 8); /* the physical values: integrity compares a wave with itself */
	c->low = read_be16(v);
	c->high = read_be16(v);
	c->has_scale = !v->bad && c->low < c->high;
}

static void read_samples(const struct intellivue_context *c, struct bytes data,
			 int32_t *ret_samples)
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
static void read_wave(struct intellivue_msg *m, const struct intellivue_context *c,
		      struct reader *r)
{
	struct intellivue_wave w = {0};
	struct reader v;
	size_t count;

	w.code = read_be16(r);
	w.state = read_be16(r);
	v = read_sub(r, read_be16(r));
	count = reader_left(&v) / (c->size / 8);
	intellivue_inherit(r, &v);
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
	struct reader list = intellivue_list(v, &count);

	for (unsigned i = 0; i < count && reader_left(&list); i++)
		read_numeric(m, &list);
	intellivue_inherit(v, &list);
}

/* DevAlarmList */
static void read_alarms(struct intellivue_msg *m, struct reader *v, bool technical)
{
	uint16_t count;
	struct reader list = intellivue_list(v, &count);

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
	intellivue_inherit(v, &list);
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
	static const struct intellivue_context plain = {.size = 16, .significant = 16};
	const struct intellivue_context *c = &plain;
	struct reader v = reader_new(o->value.data, o->value.len);
	struct reader all = reader_new(o->compound.data, o->compound.len);
	uint16_t count;
	struct reader list;

	for (unsigned i = 0; i < INTELLIVUE_CONTEXTS; i++)
		if (s->context[i].handle == o->handle && s->context[i].size)
			c = &s->context[i];
	if (o->value.len)
		read_wave(m, c, &v);
	intellivue_inherit(r, &v);
	if (!o->compound.len)
		return;
	list = intellivue_list(&all, &count);
	for (unsigned i = 0; i < count && reader_left(&list); i++)
		read_wave(m, c, &list);
	intellivue_inherit(&all, &list);
	intellivue_inherit(r, &all);
}

void intellivue_read_attributes(struct intellivue *s, struct intellivue_msg *m, uint32_t handle,
				struct reader *r)
{
	struct observation o = {.handle = handle};
	uint16_t count;
	struct reader list = intellivue_list(r, &count);

	for (unsigned i = 0; i < count && reader_left(&list); i++) {
		uint16_t id = read_be16(&list);
		struct reader v = read_sub(&list, read_be16(&list));

		read_attribute(s, m, &o, id, &v);
		intellivue_inherit(&list, &v);
	}
	read_values(s, m, &o, &list);
	intellivue_inherit(r, &list);
}
