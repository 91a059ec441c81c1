#include "guard/proto/bacnet_internal.h"

#include <stdio.h>

struct bacnet_tag bacnet_read_tag_head(struct reader *r, size_t *ret_len)
{
	uint8_t head = read_u8(r), kind = head & 7;
	struct bacnet_tag t = {.number = head >> 4, .context = head & 8};

	*ret_len = 0;
	if (t.number == 15)
		t.number = read_u8(r);
	t.opens = t.context && kind == 6;
	t.closes = t.context && kind == 7;
	if (t.opens || t.closes)
		return t;
	if (!t.context && t.number == 1)
		return t; /* a boolean's value is in its length */
	*ret_len = kind;
	if (kind == 5) {
		*ret_len = read_u8(r);
		if (*ret_len == 254)
			*ret_len = read_be16(r);
		else if (*ret_len == 255)
			*ret_len = read_be32(r);
	} else if (kind > 5) {
		r->bad = true;
	}
	return t;
}

struct bacnet_tag bacnet_read_tag(struct reader *r)
{
	size_t len;
	struct bacnet_tag t = bacnet_read_tag_head(r, &len);

	t.value = read_bytes(r, len);
	return t;
}

uint32_t bacnet_number(struct bacnet_tag t)
{
	uint32_t n = 0;

	for (size_t i = 0; i < t.value.len && i < 4; i++)
		n = n << 8 | t.value.data[i];
	return n;
}

static struct bytes name_or_number(const char *name, uint32_t number, char text[12])
{
	if (!name) {
		snprintf(text, 12, "%u", number);
		name = text;
	}
	return (struct bytes){(const uint8_t *)name, strlen(name)};
}

/* §20.2.14: ten bits of a type, 22 of an instance. */
static void take_object(struct bacnet *m, struct bacnet_tag t)
{
	uint32_t id = bacnet_number(t);

	m->has_object = true;
	m->object_type = (uint16_t)(id >> 22);
	m->instance = id & 0x3fffff;
	m->object_type_text =
		name_or_number(bacnet_object_name(m->object_type), m->object_type, m->numbers[0]);
}

static void take_property(struct bacnet *m, struct bacnet_tag t)
{
	m->has_property = true;
	m->property = bacnet_number(t);
	m->property_text =
		name_or_number(bacnet_property_name(m->property), m->property, m->numbers[1]);
}

#define DEPTH_MAX 7

bool bacnet_tag_fits(struct bacnet_tag t, uint8_t *depth)
{
	if ((t.opens && *depth == DEPTH_MAX) || (t.closes && !*depth) ||
	    (!*depth && (!t.context || t.number > 1)))
		return false;
	*depth = (uint8_t)(*depth + t.opens - t.closes);
	return *depth || t.closes || (!t.number && t.value.len == 4);
}

/*
 * §15.7, §15.10: objects, each with what is asked of it, or written, within a pair of tags. The next
 * object or property. *at is 0 at first, then a place behind 1 and how deep in pairs it is.
 */
static bool next_item(const struct bacnet *m, size_t *at, bool *ret_object,
		      struct bacnet_tag *ret_t)
{
	size_t from = *at ? *at / (DEPTH_MAX + 1) - 1 : 0;
	struct reader r = {.in = m->several, .off = from};
	uint8_t depth = *at ? *at % (DEPTH_MAX + 1) : m->depth;
	bool joint = !*at && m->joint_len;

	while (joint || reader_left(&r)) {
		struct reader first = reader_new(m->joint, m->joint_len);
		struct bacnet_tag t = bacnet_read_tag(joint ? &first : &r);

		joint = false;
		if (r.bad || !bacnet_tag_fits(t, &depth))
			return false;
		*ret_object = !depth && !t.closes;
		*ret_t = t;
		*at = (r.off + 1) * (DEPTH_MAX + 1) + depth;
		if (*ret_object || (depth == 1 && !t.opens && !t.closes && t.context &&
				    t.number == m->property_tag && t.value.len && t.value.len < 5))
			return true;
	}
	return false;
}

void bacnet_take_names(struct bacnet *m)
{
	size_t at = 0;
	struct bacnet_tag t;
	bool object;

	while (next_item(m, &at, &object, &t)) {
		if (object && !m->has_object)
			take_object(m, t);
		else if (!object && !m->has_property)
			take_property(m, t);
	}
}

void bacnet_read_several(struct reader *r, struct bacnet *m, bool answer)
{
	struct reader whole;
	uint8_t depth = 0;

	m->property_tag = answer ? 2 : 0;
	m->several = read_bytes(r, reader_left(r));
	bacnet_take_names(m);
	whole = reader_new(m->several.data, m->several.len);
	while (reader_left(&whole))
		if (!bacnet_tag_fits(bacnet_read_tag(&whole), &depth) || whole.bad)
			r->bad = true;
	if (!m->has_object || depth)
		r->bad = true;
}

/* Of a name's field, the next value: an object's type, or a property. */
static struct bytes next_name(const struct msg *msg, size_t *at, bool types)
{
	struct bacnet *m = (struct bacnet *)(uintptr_t)msg; /* for `numbers` */
	struct bytes one = types ? m->object_type_text : m->property_text;
	struct bacnet_tag t;
	bool object;

	if (!m->several.data && !m->joint_len) {
		if ((*at)++)
			one.data = NULL;
		return one;
	}
	while (next_item(m, at, &object, &t)) {
		uint32_t n = bacnet_number(t);

		if (object && types)
			return name_or_number(bacnet_object_name(n >> 22), n >> 22, m->numbers[0]);
		if (!object && !types)
			return name_or_number(bacnet_property_name(n), n, m->numbers[1]);
	}
	return (struct bytes){NULL, 0};
}

struct bytes bacnet_next_object_type(const struct msg *m, size_t *at)
{
	return next_name(m, at, true);
}

struct bytes bacnet_next_property(const struct msg *m, size_t *at)
{
	return next_name(m, at, false);
}

void bacnet_read_names(struct reader *r, struct bacnet *m)
{
	struct bacnet_tag t = bacnet_read_tag(r);

	if (!t.context || t.number || t.value.len != 4) {
		r->bad = true;
		return;
	}
	take_object(m, t);
	if (!reader_left(r))
		return;
	t = bacnet_read_tag(r);
	if (r->bad || !t.context || t.number != 1 || !t.value.len || t.value.len > 4) {
		r->bad = true;
		return;
	}
	take_property(m, t);
	if (!reader_left(r))
		return;
	t = bacnet_read_tag(r);
	if (t.context && t.number == 2 && !t.opens && !t.closes) {
		m->has_index = true;
		m->array_index = bacnet_number(t);
	}
}

void bacnet_unname(struct bacnet *m)
{
	m->unnamed = true;
	m->object_type_text = m->property_text = (struct bytes){(const uint8_t *)"", 0};
}

/* The parameter `n` of a service; of SubscribeCOVProperty (§13.15) also the property, within its fifth.
 * Where there is none, as LifeSafetyOperation (§13.13) leaves out which, it is all of them. */
static void find_object(struct reader *r, struct bacnet *m, uint8_t n, bool property)
{
	uint8_t depth = 0, within = 0;

	while (reader_left(r) && !r->bad && (property || !m->has_object)) {
		struct bacnet_tag t = bacnet_read_tag(r);

		if (t.opens && !depth++)
			within = t.number;
		else if (t.closes && !depth--)
			r->bad = true;
		else if (!depth && t.context && t.number == n && t.value.len == 4)
			take_object(m, t);
		else if (depth == 1 && property && within == 4 && !t.number && t.value.len)
			take_property(m, t);
	}
	if (!m->has_object)
		bacnet_unname(m);
}

/* §15.3: of an object that is to be, what it is to be. */
static void read_new(struct reader *r, struct bacnet *m)
{
	struct bacnet_tag pair = bacnet_read_tag(r), t = bacnet_read_tag(r);

	if (!pair.opens || !t.context || t.number > 1 || !t.value.len || t.value.len > 4) {
		r->bad = true;
	} else if (t.number) {
		take_object(m, t);
	} else {
		m->object_type = (uint16_t)bacnet_number(t);
		m->object_type_text = name_or_number(bacnet_object_name(m->object_type),
						     m->object_type, m->numbers[0]);
	}
}

static void read_first(struct reader *r, struct bacnet *m)
{
	struct bacnet_tag t = bacnet_read_tag(r);

	if (t.context || t.number != 12 || t.value.len != 4)
		r->bad = true;
	else
		take_object(m, t);
}

void bacnet_read_about(struct reader *r, struct bacnet *m, const struct bacnet_service *s,
		       bool property)
{
	switch (s->about) {
	case BACNET_ABOUT_NONE:
		break;
	case BACNET_ABOUT_NAMES:
		bacnet_read_names(r, m);
		break;
	case BACNET_ABOUT_FIRST:
		read_first(r, m);
		break;
	case BACNET_ABOUT_NEW:
		read_new(r, m);
		break;
	case BACNET_ABOUT_MANY:
		bacnet_unname(m);
		break;
	default:
		find_object(r, m, s->about - BACNET_ABOUT_TAG, property);
		break;
	}
}

void bacnet_read_command(struct reader *r, struct bacnet *m, uint8_t service)
{
	uint8_t what = service == BACNET_DCC, secret = service == BACNET_DCC ? 2 : 1;

	while (reader_left(r)) {
		struct bacnet_tag t = bacnet_read_tag(r);
		uint32_t n = bacnet_number(t);

		if (!t.context || t.opens || t.closes)
			r->bad = true;
		else if (t.number == secret)
			m->password = true;
		else if (t.number == what)
			m->state = service == BACNET_DCC ? bacnet_enabling_name(n)
							 : bacnet_reinitialized_name(n);
	}
}
