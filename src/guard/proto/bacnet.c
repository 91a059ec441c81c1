#include "guard/proto/bacnet.h"

#include <stdio.h>

#define VERSION	    1
#define BVLC	    0x81
#define NETWORK	    0x80 /* of the NPDU's control byte */
#define HAS_DEST    0x20
#define HAS_SOURCE  0x08
#define RESERVED    0x50
#define SEGMENTED   0x08
#define MORE	    0x04
#define PROPRIETARY 0x80

enum pdu { CONFIRMED, UNCONFIRMED, SIMPLE_ACK, COMPLEX_ACK, SEGMENT_ACK, ERROR, REJECT, ABORT };

enum bvlc {
	BVLC_RESULT,
	BVLC_WRITE_TABLE,
	BVLC_READ_TABLE,
	BVLC_READ_TABLE_ACK,
	BVLC_FORWARDED,
	BVLC_REGISTER,
	BVLC_READ_FOREIGN,
	BVLC_READ_FOREIGN_ACK,
	BVLC_DELETE_FOREIGN,
	BVLC_DISTRIBUTE,
	BVLC_UNICAST,
	BVLC_BROADCAST,
	BVLC_SECURE,
};

static const char *const bvlcs[] = {
	"BVLC-Result",
	"Write-Broadcast-Distribution-Table",
	"Read-Broadcast-Distribution-Table",
	"Read-Broadcast-Distribution-Table-Ack",
	"Forwarded-NPDU",
	"Register-Foreign-Device",
	"Read-Foreign-Device-Table",
	"Read-Foreign-Device-Table-Ack",
	"Delete-Foreign-Device-Table-Entry",
	"Distribute-Broadcast-To-Network",
	"Original-Unicast-NPDU",
	"Original-Broadcast-NPDU",
	"Secure-BVLL",
};

static const char *const pdus[] = {
	"confirmed_request",
	"unconfirmed_request",
	"simple_ack",
	"complex_ack",
	"segment_ack",
	"error",
	"reject",
	"abort",
};

struct service {
	const char *name;
	bool controls;
	bool names; /* an object and a property are its first two parameters */
};

/* §21, BACnetConfirmedServiceChoice */
static const struct service confirmed[] = {
	{"acknowledgeAlarm", true, false},
	{"confirmedCOVNotification", false, false},
	{"confirmedEventNotification", false, false},
	{"getAlarmSummary", false, false},
	{"getEnrollmentSummary", false, false},
	{"subscribeCOV", false, false},
	{"atomicReadFile", false, false},
	{"atomicWriteFile", true, false},
	{"addListElement", true, true},
	{"removeListElement", true, true},
	{"createObject", true, false},
	{"deleteObject", true, false},
	{"readProperty", false, true},
	{"readPropertyConditional", false, false},
	{"readPropertyMultiple", false, true},
	{"writeProperty", true, true},
	{"writePropertyMultiple", true, true},
	{"deviceCommunicationControl", true, false},
	{"confirmedPrivateTransfer", true, false},
	{"confirmedTextMessage", false, false},
	{"reinitializeDevice", true, false},
	{"vtOpen", true, false},
	{"vtClose", true, false},
	{"vtData", true, false},
	{"authenticate", false, false},
	{"requestKey", false, false},
	{"readRange", false, true},
	{"lifeSafetyOperation", true, false},
	{"subscribeCOVProperty", false, false},
	{"getEventInformation", false, false},
	{"subscribeCOVPropertyMultiple", false, false},
	{"confirmedCOVNotificationMultiple", false, false},
	{"confirmedAuditNotification", false, false},
	{"auditLogQuery", false, false},
};

/* §21, BACnetUnconfirmedServiceChoice */
static const struct service unconfirmed[] = {
	{"i-Am", false, false},
	{"i-Have", false, false},
	{"unconfirmedCOVNotification", false, false},
	{"unconfirmedEventNotification", false, false},
	{"unconfirmedPrivateTransfer", true, false},
	{"unconfirmedTextMessage", false, false},
	{"timeSynchronization", true, false},
	{"who-Has", false, false},
	{"who-Is", false, false},
	{"utcTimeSynchronization", true, false},
	{"writeGroup", true, false},
	{"unconfirmedCOVNotificationMultiple", false, false},
	{"unconfirmedAuditNotification", false, false},
	{"who-Am-I", false, false},
	{"you-Are", true, false},
};

#define SERVICE_READ_SEVERAL  14
#define SERVICE_WRITE_SEVERAL 16
#define SERVICE_DCC	      17
#define SERVICE_REINITIALIZE  20
#define SERVICE_I_AM	      0

/* §6.2.4; the others are reserved, or a maker's own. */
static const struct {
	uint8_t type;
	bool controls;
	const char *name;
} messages[] = {
	{0x00, false, "Who-Is-Router-To-Network"},
	{0x01, false, "I-Am-Router-To-Network"},
	{0x02, false, "I-Could-Be-Router-To-Network"},
	{0x03, false, "Reject-Message-To-Network"},
	{0x04, false, "Router-Busy-To-Network"},
	{0x05, false, "Router-Available-To-Network"},
	{0x06, true, "Initialize-Routing-Table"},
	{0x07, false, "Initialize-Routing-Table-Ack"},
	{0x08, true, "Establish-Connection-To-Network"},
	{0x09, true, "Disconnect-Connection-To-Network"},
	{0x0a, false, "Challenge-Request"},
	{0x0b, false, "Security-Payload"},
	{0x0c, false, "Security-Response"},
	{0x0d, false, "Request-Key-Update"},
	{0x0e, true, "Update-Key-Set"},
	{0x0f, true, "Update-Distribution-Key"},
	{0x10, false, "Request-Master-Key"},
	{0x11, true, "Set-Master-Key"},
	{0x12, false, "What-Is-Network-Number"},
	{0x13, false, "Network-Number-Is"},
};

/* §21, BACnetObjectType */
static const char *const objects[] = {
	"analog-input",
	"analog-output",
	"analog-value",
	"binary-input",
	"binary-output",
	"binary-value",
	"calendar",
	"command",
	"device",
	"event-enrollment",
	"file",
	"group",
	"loop",
	"multi-state-input",
	"multi-state-output",
	"notification-class",
	"program",
	"schedule",
	"averaging",
	"multi-state-value",
	"trend-log",
	"life-safety-point",
	"life-safety-zone",
	"accumulator",
	"pulse-converter",
	"event-log",
	"global-group",
	"trend-log-multiple",
	"load-control",
	"structured-view",
	"access-door",
	"timer",
};

/* §21, BACnetPropertyIdentifier: those that say what a device is, or make it act. */
static const struct proto_name properties[] = {
	{8, "all"},
	{12, "application-software-version"},
	{28, "description"},
	{36, "event-state"},
	{44, "firmware-revision"},
	{62, "max-apdu-length-accepted"},
	{70, "model-name"},
	{75, "object-identifier"},
	{76, "object-list"},
	{77, "object-name"},
	{79, "object-type"},
	{81, "out-of-service"},
	{85, "present-value"},
	{87, "priority-array"},
	{97, "protocol-services-supported"},
	{98, "protocol-version"},
	{103, "reliability"},
	{104, "relinquish-default"},
	{107, "segmentation-supported"},
	{111, "status-flags"},
	{112, "system-status"},
	{117, "units"},
	{120, "vendor-identifier"},
	{121, "vendor-name"},
};

/* §21, ReinitializedStateOfDevice; §16.1, enable-disable */
static const char *const reinitialized[] = {
	"coldstart",	 "warmstart",	"start-backup",	 "end-backup",
	"start-restore", "end-restore", "abort-restore", "activate-changes",
};
static const char *const enabling[] = {"enable", "disable", "disable-initiation"};

#define NAME_IN(table, n) ((n) < sizeof(table) / sizeof((table)[0]) ? (table)[n] : NULL)

struct tag {
	uint8_t number;
	bool context, opens, closes;
	struct bytes value;
};

/* §20.2.1: the next tag with its value. Bad where it does not fit. */
static struct tag read_tag(struct reader *r)
{
	uint8_t head = read_u8(r), kind = head & 7;
	struct tag t = {.number = head >> 4, .context = head & 8};
	size_t len = kind;

	if (t.number == 15)
		t.number = read_u8(r);
	t.opens = t.context && kind == 6;
	t.closes = t.context && kind == 7;
	if (t.opens || t.closes)
		return t;
	if (!t.context && t.number == 1)
		return t; /* a boolean's value is in its length */
	if (kind == 5) {
		len = read_u8(r);
		if (len == 254)
			len = read_be16(r);
		else if (len == 255)
			len = read_be32(r);
	} else if (kind > 5) {
		r->bad = true;
	}
	t.value = read_bytes(r, len);
	return t;
}

static uint32_t number_of(struct tag t)
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
static void take_object(struct bacnet *m, struct tag t)
{
	uint32_t id = number_of(t);

	m->has_object = true;
	m->object_type = (uint16_t)(id >> 22);
	m->instance = id & 0x3fffff;
	m->object_type_text =
		name_or_number(NAME_IN(objects, m->object_type), m->object_type, m->numbers[0]);
}

static void take_property(struct bacnet *m, struct tag t)
{
	m->has_property = true;
	m->property = number_of(t);
	m->property_text =
		name_or_number(PROTO_NAME(properties, m->property), m->property, m->numbers[1]);
}

/*
 * §15.7, §15.10: objects, each with what is asked of it, or written, within a pair of tags. The next
 * object or property. *at is 0 at first, then a place and how deep in pairs it is.
 */
#define DEPTH_MAX 7
static bool next_item(const struct bacnet *m, size_t *at, bool *ret_object, struct tag *ret_t)
{
	struct reader r = {.in = m->several, .off = *at / (DEPTH_MAX + 1)};
	unsigned depth = *at % (DEPTH_MAX + 1);

	while (reader_left(&r)) {
		struct tag t = read_tag(&r);

		if (r.bad || (t.opens && depth == DEPTH_MAX) || (t.closes && !depth) ||
		    (!depth && (!t.context || t.number > 1)))
			return false;
		depth += t.opens;
		depth -= t.closes;
		*ret_object = !depth && !t.closes;
		*ret_t = t;
		if (*ret_object && (t.number || t.value.len != 4))
			return false;
		*at = r.off * (DEPTH_MAX + 1) + depth;
		if (*ret_object || (depth == 1 && !t.opens && !t.closes && t.context &&
				    t.number == m->property_tag && t.value.len && t.value.len < 5))
			return true;
	}
	return false;
}

static void read_several(struct reader *r, struct bacnet *m, bool answer)
{
	struct tag t;
	size_t at = 0;
	bool object;

	m->property_tag = answer ? 2 : 0;
	m->several = read_bytes(r, reader_left(r));
	while (next_item(m, &at, &object, &t)) {
		if (object && !m->has_object)
			take_object(m, t);
		else if (!object && !m->has_property)
			take_property(m, t);
	}
	/* A segment ends where it ends. */
	if (!m->segmented && (!m->has_object || at != m->several.len * (DEPTH_MAX + 1)))
		r->bad = true;
}

/* Of a name's field, the next value: an object's type, or a property. */
static struct bytes next_name(const struct msg *msg, size_t *at, bool types)
{
	struct bacnet *m = (struct bacnet *)(uintptr_t)msg; /* for `numbers` */
	struct bytes one = types ? m->object_type_text : m->property_text;
	struct tag t;
	bool object;

	if (!m->several.data) {
		if ((*at)++)
			one.data = NULL;
		return one;
	}
	while (next_item(m, at, &object, &t)) {
		uint32_t n = number_of(t);

		if (object && types)
			return name_or_number(NAME_IN(objects, n >> 22), n >> 22, m->numbers[0]);
		if (!object && !types)
			return name_or_number(PROTO_NAME(properties, n), n, m->numbers[1]);
	}
	return (struct bytes){NULL, 0};
}

static struct bytes next_object_type(const struct msg *m, size_t *at)
{
	return next_name(m, at, true);
}

static struct bytes next_property(const struct msg *m, size_t *at)
{
	return next_name(m, at, false);
}

/* Object, property and index. */
static void read_names(struct reader *r, struct bacnet *m)
{
	struct tag t = read_tag(r);

	if (!t.context || t.number || t.value.len != 4) {
		r->bad = true;
		return;
	}
	take_object(m, t);
	if (!reader_left(r))
		return;
	t = read_tag(r);
	if (r->bad || !t.context || t.number != 1 || !t.value.len || t.value.len > 4) {
		r->bad = true;
		return;
	}
	take_property(m, t);
	if (!reader_left(r))
		return;
	t = read_tag(r);
	if (t.context && t.number == 2 && !t.opens && !t.closes) {
		m->has_index = true;
		m->array_index = number_of(t);
	}
}

/* What is to be done, and whether there is a password to it (§16.1, §16.4). */
static void read_command(struct reader *r, struct bacnet *m, uint8_t service)
{
	uint8_t what = service == SERVICE_DCC, secret = service == SERVICE_DCC ? 2 : 1;

	while (reader_left(r)) {
		struct tag t = read_tag(r);
		uint32_t n = number_of(t);

		if (!t.context || t.opens || t.closes)
			r->bad = true;
		else if (t.number == secret)
			m->password = true;
		else if (t.number == what)
			m->state = service == SERVICE_DCC ? NAME_IN(enabling, n)
							  : NAME_IN(reinitialized, n);
	}
}

/* §20.1.2.7: the number of the segment, then how many may be under way. */
static void read_segment(struct reader *r, struct bacnet *m, uint8_t head)
{
	m->segmented = m->has_sequence = true;
	m->more_follows = head & MORE;
	m->sequence_number = read_u8(r);
	read_u8(r);
}

static void read_confirmed(struct reader *r, struct bacnet *m)
{
	uint8_t head = read_u8(r), choice;
	const struct service *s;
	bool several;

	read_u8(r); /* how long an answer may be */
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	if (choice >= sizeof(confirmed) / sizeof(confirmed[0])) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	s = &confirmed[choice];
	m->service = s->name;
	m->msg.control = s->controls;
	several = choice == SERVICE_READ_SEVERAL || choice == SERVICE_WRITE_SEVERAL;
	if (m->sequence_number) {
		m->unnamed = several;
		if (several)
			m->object_type_text = m->property_text = (struct bytes){r->in.data, 0};
		return;
	}
	if (several)
		read_several(r, m, false);
	else if (s->names)
		read_names(r, m);
	else if (choice == SERVICE_DCC || choice == SERVICE_REINITIALIZE)
		read_command(r, m, choice);
}

static void read_unconfirmed(struct reader *r, struct bacnet *m)
{
	uint8_t choice;
	struct tag t;

	read_u8(r);
	choice = read_u8(r);
	if (choice >= sizeof(unconfirmed) / sizeof(unconfirmed[0])) {
		m->service = "unknown";
		m->msg.control = true;
		return;
	}
	m->service = unconfirmed[choice].name;
	m->msg.control = unconfirmed[choice].controls;
	if (choice != SERVICE_I_AM)
		return;
	t = read_tag(r);
	if (t.context || t.number != 12 || t.value.len != 4)
		r->bad = true;
	else
		take_object(m, t);
}

static void read_answer(struct reader *r, struct bacnet *m, enum pdu pdu)
{
	uint8_t head = read_u8(r), choice;

	m->msg.answer = true;
	m->has_invoke = true;
	m->invoke_id = read_u8(r);
	if (pdu == SEGMENT_ACK) {
		m->has_sequence = true;
		m->sequence_number = read_u8(r);
		read_u8(r);
		return;
	}
	if (pdu == REJECT || pdu == ABORT) {
		m->has_error = true;
		m->error_code = read_u8(r);
		return;
	}
	if (pdu == COMPLEX_ACK && head & SEGMENTED)
		read_segment(r, m, head);
	choice = read_u8(r);
	if (choice < sizeof(confirmed) / sizeof(confirmed[0]))
		m->service = confirmed[choice].name;
	if (pdu == ERROR) {
		struct tag class = read_tag(r);

		/* Some services' errors say more, in front of it or behind. */
		if (class.context)
			return;
		m->has_error = true;
		m->error_class = (uint8_t)number_of(class);
		m->error_code = (uint8_t)number_of(read_tag(r));
	} else if (pdu == COMPLEX_ACK && !m->sequence_number && choice == SERVICE_READ_SEVERAL) {
		read_several(r, m, true);
	} else if (pdu == COMPLEX_ACK && !m->sequence_number && m->service &&
		   confirmed[choice].names) {
		read_names(r, m);
	}
}

static void read_apdu(struct reader *r, struct bacnet *m)
{
	struct reader head = *r;
	enum pdu pdu = read_u8(&head) >> 4;

	if (head.bad || pdu > ABORT) {
		r->bad = true;
		return;
	}
	m->pdu = pdus[pdu];
	if (pdu == CONFIRMED)
		read_confirmed(r, m);
	else if (pdu == UNCONFIRMED)
		read_unconfirmed(r, m);
	else
		read_answer(r, m, pdu);
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
	m->network = "reserved";
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type) {
			m->network = messages[i].name;
			m->msg.control = messages[i].controls;
		}
}

/* §6.2 */
static void read_npdu(struct reader *r, struct bacnet *m)
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
		read_apdu(r, m);
}

/* Annex J.2 */
static bool read_message(struct bytes data, struct bacnet *m)
{
	struct reader r = reader_new(data.data, data.len);
	uint8_t kind = read_u8(&r), function = read_u8(&r);

	if (kind != BVLC || read_be16(&r) != data.len || r.bad || function > BVLC_SECURE)
		return false;
	m->bvlc = bvlcs[function];
	m->msg.answer = function == BVLC_RESULT || function == BVLC_READ_TABLE_ACK ||
			function == BVLC_READ_FOREIGN_ACK;
	m->msg.control = function == BVLC_WRITE_TABLE || function == BVLC_DELETE_FOREIGN;
	if (function == BVLC_FORWARDED)
		read_skip(&r, 6); /* whose it was */
	if (function == BVLC_FORWARDED || (function >= BVLC_DISTRIBUTE && function < BVLC_SECURE))
		read_npdu(&r, m);
	return !r.bad;
}

static enum parse read_datagram(void *state, const struct proto_input *in, struct msg *ret_m,
				struct proto_output *ret_out)
{
	ret_out->has_msg = true;
	ret_out->used = in->data.len;
	if (!read_message(in->data, (struct bacnet *)ret_m))
		ret_m->reason = REASON_BACNET_MALFORMED;
	return PARSE_OK;
}

/* The length that must be the datagram's says enough; what it holds may be broken. */
static enum parse probe(const struct proto_input *in)
{
	struct bytes d = in->data;

	return d.len >= 4 && d.data[0] == BVLC && d.data[1] <= BVLC_SECURE &&
			       (size_t)(d.data[2] << 8 | d.data[3]) == d.len
		       ? PARSE_OK
		       : PARSE_BAD;
}

static void write_rest(const struct msg *msg, struct json *j)
{
	const struct bacnet *m = (const struct bacnet *)msg;

	if (!m->unnamed) {
		proto_texts(j, "object_type", next_object_type, msg);
		proto_texts(j, "property", next_property, msg);
	}
	if (m->has_invoke)
		json_u64(j, "invoke_id", m->invoke_id);
	if (m->has_sequence)
		json_u64(j, "sequence_number", m->sequence_number);
	if (m->more_follows)
		json_bool(j, "more_follows", true);
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
	{PROTO_KEY("object_type"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_object_type},
	{PROTO_KEY("property"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT, next_property},
	{""},
};

const struct proto bacnet_proto = {
	.name = "bacnet",
	.over = PROTO_OVER_UDP,
	.msg_size = sizeof(struct bacnet),
	.fields = fields,
	.probe = probe,
	.read = read_datagram,
	.write = write_rest,
};
