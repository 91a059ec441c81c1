#include "guard/proto/dicom_internal.h"

#define PRIVATE_SYNTAX	  96	 /* numbers of private ones begin here */
#define PRIVATE_SOP_CLASS 0x8000 /* likewise */

#define EVENT_ROOM 256 /* bytes of an event left for what follows the list */

enum item { /* PS3.8 §9.3.2, §9.3.3 */
	    APPLICATION_CONTEXT = 0x10,
	    CONTEXT_RQ = 0x20,
	    CONTEXT_AC = 0x21,
	    ABSTRACT_SYNTAX = 0x30,
	    TRANSFER_SYNTAX = 0x40,
	    USER_INFORMATION = 0x50,
	    MAXIMUM_LENGTH = 0x51, /* PS3.8 §D.1; the others PS3.7 §D.3.3 */
	    IMPLEMENTATION_UID = 0x52,
	    ASYNCHRONOUS = 0x53,
	    ROLES = 0x54,
	    IMPLEMENTATION_VERSION = 0x55,
	    IDENTITY_RQ = 0x58,
};

_Static_assert(PRIVATE_SYNTAX > DICOM_SYNTAX_MAX && PRIVATE_SYNTAX + DICOM_PRIVATE <= 128,
	       "a bit for each syntax");

bool dicom_is_uid(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if ((b.data[i] < '0' || b.data[i] > '9') && b.data[i] != '.')
			return false;
	return b.len && b.len <= DICOM_UID_MAX;
}

struct bytes dicom_trim(const char *text, size_t len)
{
	while (len && (!text[len - 1] || text[len - 1] == ' '))
		len--;
	while (len && *text == ' ')
		text++, len--;
	return (struct bytes){(const uint8_t *)text, len};
}

static struct bytes static_text(const char *s)
{
	return (struct bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static struct bytes private_uid(const struct dicom *d, unsigned i)
{
	uint16_t at = i ? d->own_end[i - 1] : 0;

	return (struct bytes){(const uint8_t *)d->own + at, d->own_end[i] - at};
}

/* A number for a UID that is not registered; 0 where there is no room for more of them. */
static unsigned find_private(struct dicom *d, struct bytes uid)
{
	size_t at = d->owns ? d->own_end[d->owns - 1] : 0;

	for (unsigned i = 0; i < d->owns; i++) {
		struct bytes kept = private_uid(d, i);

		if (kept.len == uid.len && !memcmp(kept.data, uid.data, uid.len))
			return i + 1;
	}
	if (d->owns == DICOM_PRIVATE || uid.len > sizeof(d->own) - at)
		return 0;
	memcpy(d->own + at, uid.data, uid.len);
	d->own_end[d->owns++] = (uint16_t)(at + uid.len);
	return d->owns;
}

/*
 * False where it is no UID; what is registered need not be looked at again. The one
 * at that place of the context before is the first guess: most contexts are alike.
 */
static bool find_syntax(struct dicom *d, struct bytes uid, unsigned place, unsigned *ret_n)
{
	uint8_t *before = place < DICOM_BEFORE ? &d->before[place] : NULL;
	unsigned n = before && dicom_uid_is(DICOM_SYNTAXES, *before, uid)
			     ? *before
			     : dicom_uid_find(DICOM_SYNTAXES, uid);

	if (n && before)
		*before = (uint8_t)n;
	if (!n) {
		if (!dicom_is_uid(uid))
			return false;
		n = find_private(d, uid);
		n = n ? PRIVATE_SYNTAX + n - 1 : 0;
	}
	*ret_n = n;
	return true;
}

static bool find_sop_class(struct dicom *d, struct bytes uid, uint16_t *ret_n)
{
	unsigned n = dicom_uid_find(DICOM_SOP_CLASSES, uid);

	if (!n) {
		if (!dicom_is_uid(uid))
			return false;
		n = find_private(d, uid);
		n = n ? PRIVATE_SOP_CLASS + n - 1 : 0;
	}
	*ret_n = (uint16_t)n;
	return true;
}

struct bytes dicom_syntax_name(const struct dicom *d, unsigned n)
{
	return n >= PRIVATE_SYNTAX ? private_uid(d, n - PRIVATE_SYNTAX)
				   : static_text(dicom_uid_name(DICOM_SYNTAXES, n));
}

struct bytes dicom_syntax_uid(const struct dicom *d, unsigned n)
{
	return n >= PRIVATE_SYNTAX ? private_uid(d, n - PRIVATE_SYNTAX)
				   : static_text(dicom_uid_text(DICOM_SYNTAXES, n));
}

struct bytes dicom_sop_class_name(const struct dicom *d, const struct dicom_context *c)
{
	return c->sop_class >= PRIVATE_SOP_CLASS
		       ? private_uid(d, c->sop_class - PRIVATE_SOP_CLASS)
		       : static_text(dicom_uid_name(DICOM_SOP_CLASSES, c->sop_class));
}

struct bytes dicom_sop_class_uid(const struct dicom *d, const struct dicom_context *c)
{
	return c->sop_class >= PRIVATE_SOP_CLASS
		       ? private_uid(d, c->sop_class - PRIVATE_SOP_CLASS)
		       : static_text(dicom_uid_text(DICOM_SOP_CLASSES, c->sop_class));
}

/* PS3.5 §6.2: no control characters. Zeros behind a title are sloppy, and mean nothing. */
static bool is_title(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] == 0x7f)
			return false;
	return true;
}

/* In an answer the titles are reserved (§9.3.3): the request's count, where it was seen. */
void dicom_read_fixed(struct dicom *d, unsigned end, struct bytes fixed)
{
	bool request = d->side[end].pdu == DICOM_ASSOCIATE_RQ;

	d->max = 0;
	d->has_max = false;
	d->invoked = d->performed = 0;
	d->asynchronous = false;
	d->identity = 0;
	d->uid_len = d->version_len = 0;
	d->bad_title = false;
	d->side[end].roles = (struct dicom_roles){{0}, {0}};
	if (!request && d->known)
		return;
	d->titled = true;
	memcpy(d->called, fixed.data + 4, DICOM_AE);
	memcpy(d->calling, fixed.data + 20, DICOM_AE);
	d->bad_title = !is_title(dicom_trim(d->called, DICOM_AE)) ||
		       !is_title(dicom_trim(d->calling, DICOM_AE));
}

/* Which of the lists kept is this one; the last where there is no room for more. */
static uint8_t keep_list(struct dicom *d, const uint64_t bits[2])
{
	uint8_t i = 0;

	while (i < d->lists && memcmp(d->list[i], bits, sizeof(d->list[i])))
		i++;
	if (i == d->lists && i < DICOM_LISTS) {
		memcpy(d->list[i], bits, sizeof(d->list[i]));
		d->lists++;
	}
	return i;
}

/* One sub-item of a presentation context holds one UID. */
static bool read_uid_item(struct reader *r, uint8_t *ret_type, struct bytes *ret_uid)
{
	struct bytes b;

	*ret_type = read_u8(r);
	read_u8(r);
	b = read_bytes(r, read_be16(r));
	*ret_uid = dicom_trim((const char *)b.data, b.len);
	return !r->bad;
}

static void note_context(struct dicom *d, uint8_t id)
{
	if (id / 2 >= d->contexts_end)
		d->contexts_end = id / 2 + 1;
}

/* §9.3.2.2: what is offered under a number. */
static enum reason read_offer(struct dicom *d, struct reader item)
{
	uint64_t bits[2] = {0, 0};
	uint8_t id = read_u8(&item), type;
	struct dicom_context *c = &d->contexts[id / 2];
	unsigned abstract = 0, syntaxes = 0, n;
	struct bytes uid;

	read_skip(&item, 3);
	if (item.bad || !(id & 1) || c->flags & DICOM_OFFERED)
		return REASON_DICOM_MALFORMED;
	while (reader_left(&item)) {
		if (!read_uid_item(&item, &type, &uid))
			return REASON_DICOM_MALFORMED;
		if (type != ABSTRACT_SYNTAX && type != TRANSFER_SYNTAX)
			continue;
		if (type == ABSTRACT_SYNTAX) {
			if (abstract++ || !find_sop_class(d, uid, &c->sop_class))
				return REASON_DICOM_MALFORMED;
		} else {
			if (!find_syntax(d, uid, syntaxes++, &n))
				return REASON_DICOM_MALFORMED;
			bits[n / 64] |= UINT64_C(1) << n % 64;
		}
	}
	if (!abstract)
		return REASON_DICOM_MALFORMED;
	c->flags = DICOM_OFFERED;
	note_context(d, id);
	c->syntax = keep_list(d, bits);
	return REASON_NONE;
}

/* Was it offered? Of a list that was not kept nothing can be said. */
static bool is_offered(const struct dicom *d, const struct dicom_context *c, unsigned syntax)
{
	return c->syntax >= d->lists || d->list[c->syntax][syntax / 64] >> syntax % 64 & 1;
}

/* §9.3.3.2: what became of an offer. The syntax of one that was not accepted means nothing. */
static enum reason read_answer(struct dicom *d, struct reader item)
{
	uint8_t id = read_u8(&item), type, result;
	struct dicom_context *c = &d->contexts[id / 2];
	struct bytes uid = {NULL, 0};
	unsigned n = 0;

	read_u8(&item);
	result = read_u8(&item);
	read_u8(&item);
	if (item.bad || !(id & 1) || result > 4 || c->flags & DICOM_ANSWERED)
		return REASON_DICOM_MALFORMED;
	if (d->known && !(c->flags & DICOM_OFFERED))
		return REASON_DICOM_NOT_NEGOTIATED;
	while (reader_left(&item)) {
		if (!read_uid_item(&item, &type, &uid))
			return REASON_DICOM_MALFORMED;
		if (type != TRANSFER_SYNTAX || result)
			continue;
		if (n || !find_syntax(d, uid, 0, &n))
			return REASON_DICOM_MALFORMED;
		if (d->known && !is_offered(d, c, n))
			return REASON_DICOM_NOT_NEGOTIATED;
	}
	c->flags = (c->flags & DICOM_OFFERED) | DICOM_ANSWERED;
	note_context(d, id);
	c->result = result & 0xf;
	c->syntax = (uint8_t)n;
	return REASON_NONE;
}

static unsigned role_bit(unsigned n)
{
	return n < PRIVATE_SOP_CLASS ? n : n - PRIVATE_SOP_CLASS + DICOM_SOP_CLASS_MAX + 1;
}

static bool read_roles(struct dicom *d, struct dicom_roles *roles, struct reader *r)
{
	struct bytes b = read_bytes(r, read_be16(r)), uid = dicom_trim((const char *)b.data, b.len);
	uint8_t scu = read_u8(r), scp = read_u8(r);
	uint16_t n = 0;
	unsigned bit;

	if (r->bad)
		return false;
	if (!find_sop_class(d, uid, &n))
		return true;
	bit = role_bit(n);
	if (scu)
		roles->scu[bit / 8] |= (uint8_t)(1u << bit % 8);
	if (scp)
		roles->scp[bit / 8] |= (uint8_t)(1u << bit % 8);
	return true;
}

/* Items come in any order, and a hundred of each: contexts are looked at once, behind them all. */
void dicom_end_association(struct dicom *d, unsigned end)
{
	const struct dicom_roles *roles = &d->side[end].roles;

	for (unsigned i = 0; i < d->contexts_end; i++) {
		struct dicom_context *c = &d->contexts[i];
		unsigned bit = role_bit(c->sop_class);

		if (!c->sop_class)
			continue;
		if (roles->scu[bit / 8] >> bit % 8 & 1)
			c->flags |= DICOM_SCU;
		if (roles->scp[bit / 8] >> bit % 8 & 1)
			c->flags |= DICOM_SCP;
	}
	memset(&d->side[end].command, 0, sizeof(d->side[end].command));
}

/* As much of it as is kept: some call themselves longer than they should, and are taken nonetheless. */
static bool read_text(struct reader *r, size_t max, char *ret_text, uint8_t *ret_len)
{
	struct bytes b = dicom_trim((const char *)r->in.data, r->in.len);

	if (b.len > max)
		b.len = max;
	if (b.len)
		memcpy(ret_text, b.data, b.len);
	*ret_len = (uint8_t)b.len;
	return true;
}

/* PS3.7 §D.3.3.7: who it is, and how that is proved, stays where it is. */
static bool read_identity(struct dicom *d, struct reader *r)
{
	d->identity = read_u8(r);
	read_u8(r);
	read_skip(r, read_be16(r));
	if (reader_left(r)) /* a passcode's length, which some leave out with the passcode */
		read_skip(r, read_be16(r));
	return !r->bad;
}

static bool read_user_item(struct dicom *d, struct dicom_roles *roles, uint8_t type,
			   struct reader *r)
{
	switch (type) {
	case MAXIMUM_LENGTH:
		d->max = read_be32(r);
		d->has_max = true;
		return !r->bad;
	case IMPLEMENTATION_UID:
		return read_text(r, DICOM_UID_MAX, d->uid, &d->uid_len);
	case IMPLEMENTATION_VERSION:
		return read_text(r, DICOM_AE, d->version, &d->version_len);
	case ASYNCHRONOUS:
		d->asynchronous = true;
		d->invoked = read_be16(r);
		d->performed = read_be16(r);
		return !r->bad;
	case ROLES:
		return read_roles(d, roles, r);
	case IDENTITY_RQ:
		return read_identity(d, r);
	default:
		return true;
	}
}

static enum reason read_user_information(struct dicom *d, unsigned end, struct reader item)
{
	while (reader_left(&item)) {
		uint8_t type = read_u8(&item);
		struct reader sub;

		read_u8(&item);
		sub = read_sub(&item, read_be16(&item));
		if (item.bad || !read_user_item(d, &d->side[end].roles, type, &sub))
			return REASON_DICOM_MALFORMED;
	}
	return REASON_NONE;
}

/* §9.3.1: items of other types are ignored. */
enum reason dicom_read_item(struct dicom *d, unsigned end, uint8_t type, struct reader item)
{
	bool request = d->side[end].pdu == DICOM_ASSOCIATE_RQ;

	if (type == USER_INFORMATION)
		return read_user_information(d, end, item);
	if (type == CONTEXT_RQ && request)
		return read_offer(d, item);
	if (type == CONTEXT_AC && !request)
		return read_answer(d, item);
	return REASON_NONE;
}

void dicom_tell_association(const struct dicom *d, struct dicom_msg *m)
{
	m->whole = true;
	m->result = m->type == DICOM_ASSOCIATE_AC ? "accepted" : NULL;
	m->max_pdu_length = d->max;
	if (m->type == DICOM_ASSOCIATE_RQ) /* who does not say it is held against patterns, too */
		m->user_identity = d->identity ? dicom_identity_name(d->identity) : "";
	if (d->uid_len)
		m->implementation_class_uid = (struct bytes){(const uint8_t *)d->uid, d->uid_len};
	if (d->version_len)
		m->implementation_version =
			(struct bytes){(const uint8_t *)d->version, d->version_len};
}

static bool has_room(const struct json *j)
{
	return !j->out.bad && j->out.cap - j->out.len >= EVENT_ROOM;
}

static void write_text(struct json *j, const char *key, struct bytes b)
{
	if (b.data)
		json_text(j, key, b);
}

static void write_offer(const struct dicom *d, const struct dicom_context *c, struct json *j)
{
	if (c->syntax >= d->lists)
		return;
	json_list(j, "transfer_syntaxes");
	for (unsigned half = 0; half < 2; half++)
		for (uint64_t bits = d->list[c->syntax][half]; bits; bits &= bits - 1)
			write_text(
				j, NULL,
				dicom_syntax_name(d, 64 * half + (unsigned)__builtin_ctzll(bits)));
	json_end(j);
}

static void write_context(const struct dicom_msg *m, unsigned i, struct json *j)
{
	const struct dicom_context *c = &m->state->contexts[i];

	json_open(j, NULL);
	json_u64(j, "id", 2 * i + 1);
	write_text(j, "abstract_syntax", dicom_sop_class_name(m->state, c));
	if (m->type == DICOM_ASSOCIATE_RQ) {
		write_offer(m->state, c, j);
	} else {
		json_name(j, "result", dicom_context_result(c->result));
		if (!c->result)
			write_text(j, "transfer_syntax", dicom_syntax_name(m->state, c->syntax));
	}
	if (c->flags & (DICOM_SCU | DICOM_SCP)) {
		json_bool(j, "scu", c->flags & DICOM_SCU);
		json_bool(j, "scp", c->flags & DICOM_SCP);
	}
	json_close(j);
}

/* Of an answer first what was accepted, then what was not. */
static bool is_of_pass(const struct dicom_msg *m, const struct dicom_context *c, unsigned pass)
{
	if (m->type == DICOM_ASSOCIATE_RQ)
		return !pass && c->flags & DICOM_OFFERED;
	return c->flags & DICOM_ANSWERED && !!c->result == pass;
}

/* Not all of 128 contexts fit one event: those that don't are taken back, and counted. */
static void write_contexts(const struct dicom_msg *m, struct json *j)
{
	unsigned omitted = 0;
	struct json before;

	json_list(j, "presentation_contexts");
	for (unsigned n = 0; n < 2u * m->state->contexts_end; n++) {
		unsigned pass = n >= m->state->contexts_end;
		unsigned i = n - pass * m->state->contexts_end;

		if (!is_of_pass(m, &m->state->contexts[i], pass))
			continue;
		before = *j;
		write_context(m, i, j);
		if (has_room(j))
			continue;
		*j = before;
		omitted++;
	}
	json_end(j);
	if (omitted)
		json_u64(j, "presentation_contexts_omitted", omitted);
}

void dicom_write_association(const struct dicom_msg *m, struct json *j)
{
	if (m->state->has_max && !m->max_pdu_length)
		json_u64(j, "max_pdu_length", 0); /* no limit (§D.1.1), which was said */
	if (m->state->asynchronous) {
		json_open(j, "asynchronous_operations");
		json_u64(j, "invoked", m->state->invoked);
		json_u64(j, "performed", m->state->performed);
		json_close(j);
	}
	write_contexts(m, j);
}
