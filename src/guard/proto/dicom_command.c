#include "guard/proto/dicom_internal.h"

enum kind { NUMBER, UID, AE_TITLE, INSTANCE };

static const struct {
	uint16_t element;
	uint8_t kind;
} wanted[DICOM_ELEMENTS] = {
	[DICOM_AFFECTED_SOP_CLASS] = {0x0002, UID},
	[DICOM_REQUESTED_SOP_CLASS] = {0x0003, UID},
	[DICOM_AFFECTED_SOP_INSTANCE] = {0x1000, INSTANCE},
	[DICOM_COMMAND_FIELD] = {0x0100, NUMBER},
	[DICOM_MESSAGE_ID] = {0x0110, NUMBER},
	[DICOM_RESPONDED_ID] = {0x0120, NUMBER},
	[DICOM_MOVE_DESTINATION] = {0x0600, AE_TITLE},
	[DICOM_PRIORITY] = {0x0700, NUMBER},
	[DICOM_DATA_SET_TYPE] = {0x0800, NUMBER},
	[DICOM_STATUS] = {0x0900, NUMBER},
	[DICOM_EVENT_TYPE] = {0x1002, NUMBER},
	[DICOM_ACTION_TYPE] = {0x1008, NUMBER},
	[DICOM_REMAINING] = {0x1020, NUMBER},
	[DICOM_COMPLETED] = {0x1021, NUMBER},
	[DICOM_FAILED] = {0x1022, NUMBER},
	[DICOM_WARNING] = {0x1023, NUMBER},
};

bool dicom_has(const struct dicom_command *c, enum dicom_element e)
{
	return c->have >> e & 1;
}

static enum dicom_element find(uint32_t element)
{
	unsigned e = 0;

	while (e < DICOM_ELEMENTS && wanted[e].element != element)
		e++;
	return e;
}

static bool fits(enum dicom_element e, uint32_t len)
{
	if (e == DICOM_ELEMENTS)
		return true;
	switch (wanted[e].kind) {
	case NUMBER:
		return len == 2;
	case UID:
		return len <= DICOM_UID_MAX;
	case INSTANCE: /* which is for who keeps the object, and no reason to refuse it */
		return true;
	default:
		return len <= DICOM_AE;
	}
}

/* PS3.5 §7.1.2: of these a length of four bytes stands behind two that say nothing. */
static bool is_long(const uint8_t *vr)
{
	static const char names[] = "OBODOFOLOVOWSQSVUCUNURUTUV";

	for (const char *n = names; *n; n += 2)
		if (vr[0] == n[0] && vr[1] == n[1])
			return true;
	return false;
}

static bool is_vr(const uint8_t *vr)
{
	return vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z';
}

/* Of the element at hand, as far as it is known. */
static size_t head_size(const struct dicom_command *c)
{
	return c->is_explicit && c->head_len >= 8 && is_long(c->head + 4) ? 12 : 8;
}

/* PS3.5 §7.1: elements stand in order, each once. */
static enum reason begin_element(struct dicom_command *c)
{
	struct reader r = reader_new(c->head, c->head_len);
	uint16_t group = read_le16(&r);

	c->element = read_le16(&r);
	if (c->is_explicit)
		read_skip(&r, c->head_len == 12 ? 4 : 2);
	c->len = c->is_explicit && c->head_len == 8 ? read_le16(&r) : read_le32(&r);
	c->got = 0;
	if (c->len > DICOM_SET - c->total)
		return group ? REASON_DICOM_MALFORMED : REASON_DICOM_TOO_LONG;
	c->total += c->len;
	if (group || c->element < c->next || !fits(find(c->element), c->len) ||
	    (c->is_explicit && !is_vr(c->head + 4)))
		return REASON_DICOM_MALFORMED;
	c->next = c->element + 1;
	return REASON_NONE;
}

static enum reason keep_sop_class(struct dicom_command *c)
{
	struct bytes uid = dicom_trim((const char *)c->value, c->len);

	if (uid.len && !dicom_is_uid(uid))
		return REASON_DICOM_MALFORMED;
	/* No message has both an affected and a requested class (PS3.7 §9.3, §10.3): which one a
	 * receiver goes by nobody could say. */
	if (c->sop_len && (c->sop_len != uid.len || memcmp(c->sop, uid.data, uid.len)))
		return REASON_DICOM_MALFORMED;
	if (uid.len)
		memcpy(c->sop, uid.data, uid.len);
	c->sop_len = (uint8_t)uid.len;
	return REASON_NONE;
}

static void keep_instance(struct dicom_command *c)
{
	size_t len = c->len < sizeof(c->value) ? c->len : sizeof(c->value);
	struct bytes uid = dicom_trim((const char *)c->value, len);

	c->instance_len = 0;
	if (c->len > sizeof(c->value) || !dicom_is_uid(uid))
		return;
	memcpy(c->instance, uid.data, uid.len);
	c->instance_len = (uint8_t)uid.len;
}

static enum reason end_element(struct dicom_command *c)
{
	enum dicom_element e = find(c->element);
	struct bytes title;

	c->head_len = 0;
	if (e == DICOM_ELEMENTS)
		return REASON_NONE;
	c->have |= (uint16_t)(1u << e);
	switch (wanted[e].kind) {
	case NUMBER:
		c->number[e] = (uint16_t)(c->value[1] << 8 | c->value[0]);
		break;
	case UID:
		return keep_sop_class(c);
	case INSTANCE:
		keep_instance(c);
		break;
	default:
		title = dicom_trim((const char *)c->value, c->len);
		if (title.len)
			memcpy(c->move, title.data, title.len);
		c->move_len = (uint8_t)title.len;
	}
	return REASON_NONE;
}

static bool has_head(const struct dicom_command *c)
{
	return c->head_len == head_size(c);
}

/* The first element tells how they are all encoded: its length never looks like a VR. */
static enum reason take_head(struct dicom_command *c, struct reader *r)
{
	while (!has_head(c) && reader_left(r)) {
		c->head[c->head_len++] = read_u8(r);
		if (!c->next && c->head_len == 8)
			c->is_explicit = is_vr(c->head + 4);
	}
	if (!has_head(c))
		return REASON_NONE;
	c->total += c->head_len;
	return c->total > DICOM_SET ? REASON_DICOM_TOO_LONG : begin_element(c);
}

static void take_value(struct dicom_command *c, struct reader *r)
{
	size_t n = c->len - c->got < reader_left(r) ? c->len - c->got : reader_left(r);
	struct bytes b = read_bytes(r, n);
	size_t room = c->got < sizeof(c->value) ? sizeof(c->value) - c->got : 0;

	if (n && room)
		memcpy(c->value + c->got, b.data, n < room ? n : room);
	c->got += (uint32_t)n;
}

enum reason dicom_command_take(struct dicom_command *c, struct bytes fragment)
{
	struct reader r = reader_new(fragment.data, fragment.len);
	enum reason bad = REASON_NONE;

	while (reader_left(&r) && !bad) {
		if (!has_head(c))
			bad = take_head(c, &r);
		if (bad || !has_head(c))
			continue;
		take_value(c, &r);
		if (c->got == c->len)
			bad = end_element(c);
	}
	return bad;
}

enum reason dicom_command_end(const struct dicom_command *c)
{
	bool whole = !c->head_len && dicom_has(c, DICOM_COMMAND_FIELD) &&
		     dicom_has(c, DICOM_DATA_SET_TYPE) &&
		     dicom_command_name(c->number[DICOM_COMMAND_FIELD]);

	return whole ? REASON_NONE : REASON_DICOM_MALFORMED;
}
