#include "guard/proto/bacnet_internal.h"

#define VERSION	    1
#define BVLC	    0x81
#define NETWORK	    0x80 /* of the NPDU's control byte */
#define HAS_DEST    0x20
#define HAS_SOURCE  0x08
#define RESERVED    0x50
#define SEGMENTED   0x08
#define MORE	    0x04
#define PROPRIETARY 0x80

struct state {
	struct bacnet_segments segments;
	bool asked[2]; /* the end sent something that is no answer */
};

/* §20.1.2.7: the number of the segment, then how many may be under way. */
static void read_segment(struct reader *r, struct bacnet *m, uint8_t head)
{
	m->segmented = m->has_sequence = true;
	m->more_follows = head & MORE;
	m->sequence_number = read_u8(r);
	read_u8(r);
}

static void read_confirmed(struct reader *r, struct bacnet *m, struct state *st,
			   const struct proto_input *in)
{
	uint8_t head = read_u8(r), choice;
	const struct bacnet_service *s;
	struct reader rest;

	read_u8(r); /* how long an answer may be */
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	s = bacnet_confirmed(choice);
	if (!s) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	m->service = s->name;
	m->msg.control = s->controls;
	rest = *r;
	if (m->segmented)
		bacnet_follow_segment(&st->segments, in, m, &rest, choice, false);
	if (m->sequence_number || (m->segmented && bacnet_is_several(choice)))
		return;
	if (bacnet_is_several(choice))
		bacnet_read_several(r, m, false);
	else if (choice == BACNET_DCC || choice == BACNET_REINITIALIZE)
		bacnet_read_command(r, m, choice);
	else
		bacnet_read_about(r, m, s, choice == BACNET_COV_PROPERTY);
	/* What is cut off from the first segment is in none of the others' events. */
	if (m->segmented && s->about == BACNET_ABOUT_NAMES && !m->has_property)
		m->property_text = (struct bytes){(const uint8_t *)"", 0};
}

static void read_unconfirmed(struct reader *r, struct bacnet *m)
{
	const struct bacnet_service *s;

	read_u8(r);
	s = bacnet_unconfirmed(read_u8(r));
	if (!s) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	m->service = s->name;
	m->msg.control = s->controls;
	bacnet_read_about(r, m, s, false);
}

/* §21, BACnet-Error: some services' stand in a pair of tags, and what failed behind it; so do those of older
 * stacks, whatever the service. */
static void read_error(struct reader *r, struct bacnet *m)
{
	struct bacnet_tag class = bacnet_read_tag(r);

	if (class.opens && !class.number)
		class = bacnet_read_tag(r);
	if (class.context)
		return;
	m->has_error = true;
	m->error_class = (uint16_t)bacnet_number(class);
	m->error_code = (uint16_t)bacnet_number(bacnet_read_tag(r));
}

static void read_answer(struct reader *r, struct bacnet *m, enum bacnet_pdu pdu, struct state *st,
			const struct proto_input *in)
{
	uint8_t head = read_u8(r), choice;
	const struct bacnet_service *s;
	struct reader rest;

	m->msg.answer = true;
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (pdu == BACNET_SEGMENT_ACK) {
		m->has_sequence = true;
		m->sequence_number = read_u8(r);
		read_u8(r);
		return;
	}
	if (pdu == BACNET_REJECT || pdu == BACNET_ABORT) {
		m->has_error = true;
		m->error_code = read_u8(r);
		return;
	}
	if (pdu == BACNET_COMPLEX_ACK && head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	s = bacnet_confirmed(choice);
	if (s)
		m->service = s->name;
	rest = *r;
	if (m->segmented)
		bacnet_follow_segment(&st->segments, in, m, &rest, choice, true);
	if (pdu == BACNET_ERROR) {
		read_error(r, m);
	} else if (pdu == BACNET_COMPLEX_ACK && !m->segmented && choice == BACNET_READ_SEVERAL) {
		bacnet_read_several(r, m, true);
	} else if (pdu == BACNET_COMPLEX_ACK && !m->sequence_number && s &&
		   s->about == BACNET_ABOUT_NAMES && choice != BACNET_READ_SEVERAL) {
		bacnet_read_names(r, m);
	}
}

static void read_apdu(struct reader *r, struct bacnet *m, struct state *st,
		      const struct proto_input *in)
{
	struct reader head = *r;
	enum bacnet_pdu pdu = read_u8(&head) >> 4;

	if (head.bad || pdu > BACNET_ABORT) {
		r->bad = true;
		return;
	}
	m->pdu = bacnet_pdu_name(pdu);
	if (pdu == BACNET_CONFIRMED)
		read_confirmed(r, m, st, in);
	else if (pdu == BACNET_UNCONFIRMED)
		read_unconfirmed(r, m);
	else
		read_answer(r, m, pdu, st, in);
}

static void read_network(struct reader *r, struct bacnet *m)
{
	uint8_t type = read_u8(r);

	m->network = "proprietary";
	m->msg.control = true;
	if (type >= PROPRIETARY) {
		read_be16(r); /* whose */
		return;
	}
	m->network = bacnet_network_name(type, &m->msg.control);
	if (!m->network)
		m->network = "reserved";
}

/* §6.2 */
static void read_npdu(struct reader *r, struct bacnet *m, struct state *st,
		      const struct proto_input *in)
{
	uint8_t version = read_u8(r), control = read_u8(r);

	if (version != VERSION || control & RESERVED) {
		r->bad = true;
		return;
	}
	if (control & HAS_DEST) {
		m->has_dnet = true;
		m->dnet = read_be16(r);
		read_skip(r, read_u8(r));
	}
	if (control & HAS_SOURCE) {
		m->has_snet = true;
		m->snet = read_be16(r);
		read_skip(r, read_u8(r));
		/* §6.2.2.1: nobody is network 0 or all networks. */
		if (!m->snet || m->snet == 0xffff)
			r->bad = true;
	}
	if (control & HAS_DEST)
		read_u8(r); /* hops left */
	if (control & NETWORK)
		read_network(r, m);
	else
		read_apdu(r, m, st, in);
}

/* Annex J.2 */
static bool read_message(struct bacnet *m, struct state *st, const struct proto_input *in)
{
	struct bytes data = in->data;
	struct reader r = reader_new(data.data, data.len);
	uint8_t kind = read_u8(&r), function = read_u8(&r);

	if (kind != BVLC || read_be16(&r) != data.len || r.bad || function > BACNET_BVLC_SECURE)
		return false;
	m->bvlc = bacnet_bvlc_name(function);
	m->msg.answer = function == BACNET_BVLC_RESULT || function == BACNET_BVLC_READ_TABLE_ACK ||
			function == BACNET_BVLC_READ_FOREIGN_ACK;
	/* What is sealed may be anything. Who is registered is sent every broadcast (Annex J.5.2). */
	m->msg.control = function == BACNET_BVLC_WRITE_TABLE || function == BACNET_BVLC_REGISTER ||
			 function == BACNET_BVLC_DELETE_FOREIGN || function == BACNET_BVLC_SECURE;
	if (function == BACNET_BVLC_FORWARDED)
		read_skip(&r, 6); /* whose it was */
	if (function == BACNET_BVLC_FORWARDED ||
	    (function >= BACNET_BVLC_DISTRIBUTE && function < BACNET_BVLC_SECURE))
		read_npdu(&r, m, st, in);
	return !r.bad;
}

/* An answer to what nobody asked in this conversation is judged like a request. */
static void pair(struct bacnet *m, struct state *st, const struct proto_input *in)
{
	if (!m->msg.answer)
		st->asked[in->end] = true;
	else
		m->msg.answer = in->midstream || st->asked[!in->end];
}

static enum parse read_datagram(void *state, const struct proto_input *in, struct msg *ret_m,
				struct proto_output *ret_out)
{
	ret_out->has_msg = true;
	ret_out->used = in->data.len;
	if (!read_message((struct bacnet *)ret_m, state, in))
		ret_m->reason = REASON_BACNET_MALFORMED;
	else
		pair((struct bacnet *)ret_m, state, in);
	return PARSE_OK;
}

/* The length that must be the datagram's says enough; what it holds may be broken. */
static enum parse probe(const struct proto_input *in)
{
	struct bytes d = in->data;

	return d.len >= 4 && d.data[0] == BVLC && d.data[1] <= BACNET_BVLC_SECURE &&
			       (size_t)(d.data[2] << 8 | d.data[3]) == d.len
		       ? PARSE_OK
		       : PARSE_BAD;
}

static void write_rest(const struct msg *msg, struct json *j)
{
	const struct bacnet *m = (const struct bacnet *)msg;

	if (!m->unnamed) {
		proto_texts(j, "object_type", bacnet_next_object_type, msg);
		proto_texts(j, "property", bacnet_next_property, msg);
	}
	if (m->has_invoke)
		json_u64(j, "invoke_id", m->invoke_id);
	if (m->has_sequence)
		json_u64(j, "sequence_number", m->sequence_number);
	if (m->more_follows)
		json_bool(j, "more_follows", true);
	if (m->duplicate)
		json_bool(j, "duplicate", true);
	if (m->gap)
		json_bool(j, "gap", true);
	if (m->has_object)
		json_u64(j, "instance", m->instance);
	if (m->has_index)
		json_u64(j, "array_index", m->array_index);
	if (m->has_error && m->service)
		json_u64(j, "error_class", m->error_class);
	if (m->has_error)
		json_u64(j, "error_code", m->error_code);
	if (m->has_dnet)
		json_u64(j, "dnet", m->dnet);
	if (m->has_snet)
		json_u64(j, "snet", m->snet);
}

#define FIELD(name, member, type, flags)                                      \
	{                                                                     \
		PROTO_KEY(name), offsetof(struct bacnet, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("bvlc", bvlc, FIELD_NAME, FIELD_MATCH),
	FIELD("network_message", network, FIELD_NAME, FIELD_MATCH),
	FIELD("pdu_type", pdu, FIELD_NAME, FIELD_MATCH),
	FIELD("service", service, FIELD_NAME, FIELD_MATCH),
	FIELD("segmented", segmented, FIELD_BOOL, 0),
	FIELD("state", state, FIELD_NAME, 0),
	FIELD("password", password, FIELD_BOOL, 0),
	{PROTO_KEY("object_type"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT,
	 bacnet_next_object_type},
	{PROTO_KEY("property"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, bacnet_next_property},
	{""},
};

const struct proto bacnet_proto = {
	.name = "bacnet",
	.over = PROTO_OVER_UDP,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct bacnet),
	.fields = fields,
	.probe = probe,
	.read = read_datagram,
	.write = write_rest,
};
