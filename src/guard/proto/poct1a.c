#include "guard/proto/poct1a.h"

#include <ctype.h>

#include "guard/proto/xml.h"

#define ROOT_MAX  32
#define PROBE_MAX 1024

/* A message as far as it was read. */
struct half {
	struct xml xml;
	enum xml_encoding encoding;
	uint32_t observations;
	uint8_t root_len;
	bool told;  /* what follows begins another one */
	bool twice; /* something was said twice, and not the same */
	uint8_t len[POCT1A_VALUES];
	uint8_t root[ROOT_MAX];
	uint8_t value[POCT1A_VALUES][POCT1A_TEXT];
};

struct state {
	struct half half[2];
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "a state has its bound");

static const char *const elements[POCT1A_VALUES] = {
	[POCT1A_TYPE] = "HDR.message_type",	     [POCT1A_CONTROL_ID] = "HDR.control_id",
	[POCT1A_VERSION] = "HDR.version_id",	     [POCT1A_ACK_CODE] = "ACK.type_cd",
	[POCT1A_ACK_CONTROL] = "ACK.ack_control_id", [POCT1A_DEVICE_ID] = "DEV.device_id",
	[POCT1A_VENDOR_ID] = "DEV.vendor_id",	     [POCT1A_MODEL_ID] = "DEV.model_id",
	[POCT1A_SERIAL_ID] = "DEV.serial_id",	     [POCT1A_SW_VERSION] = "DEV.sw_version",
	[POCT1A_COMMAND] = "DTV.command_cd",	     [POCT1A_REQUEST] = "REQ.request_cd",
};

/* The messages of POCT1-A2 appendix B, by how their types begin; the last ones write into a device. */
static const char kinds[][4] = {"HEL", "ACK", "DST", "OBS", "EVS", "REQ", "EOT",
				"END", "ESC", "KPA", "DTV", "OPL", "PTL"};
#define READING 10

static size_t find_kind(struct bytes type)
{
	size_t i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && memcmp(type.data, kinds[i], 3))
		i++;
	return type.len > 3 && type.data[3] == '.' ? i : sizeof(kinds) / sizeof(kinds[0]);
}

/* "OBS.R01", or a maker's own directive: "DTV.ABC.XYZ". */
static bool is_type(struct bytes name)
{
	return name.len >= 5 && name.len <= ROOT_MAX &&
	       find_kind(name) < sizeof(kinds) / sizeof(kinds[0]);
}

/* A maker's own message: "NOVA.FRM" brings firmware, others lots and settings. */
static bool is_makers(struct bytes name)
{
	size_t dots = 0;

	for (size_t i = 0; i < name.len; i++) {
		if (!isalnum(name.data[i]) && !memchr("._-", name.data[i], 3))
			return false;
		dots += i && name.data[i] == '.';
	}
	return dots && name.len <= ROOT_MAX && isalpha(name.data[0]);
}

static bool is_kind(struct bytes type, const char *kind)
{
	return type.len > 3 && !memcmp(type.data, kind, 3);
}

static void keep(struct half *h, const struct xml_token *t)
{
	struct bytes v = xml_attribute(t, "V"), name = xml_local(t->name);
	uint8_t text[POCT1A_TEXT];
	size_t len;

	h->observations += xml_is(name, "OBS") && t->kind == XML_OPEN;
	for (unsigned i = 0; v.data && i < POCT1A_VALUES; i++) {
		if (!xml_is(name, elements[i]))
			continue;
		len = xml_unescape(v, text, sizeof(text));
		if (h->len[i]) {
			h->twice |= len != h->len[i] || memcmp(h->value[i], text, len);
			continue;
		}
		h->len[i] = (uint8_t)len;
		memcpy(h->value[i], text, len);
	}
}

/* False where the token has no place here. */
static bool take(struct half *h, const struct xml_token *t)
{
	bool root = h->xml.depth == (t->kind == XML_OPEN);
	struct bytes name = xml_local(t->name);

	if (t->kind == XML_TEXT)
		return h->xml.depth || xml_is_outside(t->text);
	if (t->kind != XML_OPEN && t->kind != XML_EMPTY)
		return true;
	if (!root) {
		keep(h, t);
		return true;
	}
	if (!is_type(name) && !is_makers(name))
		return false;
	h->root_len = (uint8_t)name.len;
	memcpy(h->root, name.data, name.len);
	return true;
}

/* A message is whole; what it calls itself in its header must be what its root says. */
static void tell(struct half *h, struct poct1a *m)
{
	m->type = (struct bytes){h->root, h->root_len};
	for (unsigned i = 0; i < POCT1A_VALUES; i++)
		if (h->len[i])
			m->value[i] = (struct bytes){h->value[i], h->len[i]};
	/* A directive that names none is like no pattern. */
	if (is_kind(m->type, "DTV") && !h->len[POCT1A_COMMAND])
		m->value[POCT1A_COMMAND] = (struct bytes){h->value[POCT1A_COMMAND], 0};
	m->observations = h->observations;
	m->msg.control = (m->type.len && find_kind(m->type) >= READING) || h->len[POCT1A_COMMAND];
	/* What brings anything but an acknowledgement is asked like what it brings. */
	m->msg.answer = is_kind(m->type, "ACK") && !h->len[POCT1A_COMMAND] &&
			!h->len[POCT1A_REQUEST] && !h->observations;
	/* Of two commands a device might take the other one. */
	if (h->twice)
		m->msg.reason = REASON_POCT1A_MALFORMED;
	if (h->len[POCT1A_TYPE] && (h->len[POCT1A_TYPE] != h->root_len ||
				    memcmp(h->value[POCT1A_TYPE], h->root, h->root_len)))
		m->msg.reason = REASON_POCT1A_MALFORMED;
	h->told = true;
}

static enum parse read_token(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct half *h = &((struct state *)state)->half[in->end];
	struct poct1a *m = (struct poct1a *)ret_m;
	uint8_t room[XML_TAG];
	struct xml_token t;
	enum parse got;

	if (h->told)
		*h = (struct half){.encoding = h->encoding};
	if (!h->root_len && xml_sniff(in->data, &h->encoding) == PARSE_MORE)
		return PARSE_MORE;
	got = xml_next_of(&h->xml, h->encoding, in->data, room, &t, &ret_out->used);
	if (got == PARSE_OK && !take(h, &t))
		got = PARSE_BAD;
	if (got == PARSE_BAD) {
		tell(h, m);
		m->msg.reason = REASON_POCT1A_MALFORMED;
		ret_out->has_msg = true;
	}
	if (got != PARSE_OK || h->xml.depth || !h->root_len)
		return got;
	ret_out->has_msg = true;
	tell(h, m);
	return PARSE_OK;
}

/* As far as the tag's name is there. */
static bool may_be_type(struct bytes tag)
{
	size_t n = 1;
	struct bytes name;

	while (n < tag.len && (isalnum(tag.data[n]) || memchr("._-:", tag.data[n], 4)))
		n++;
	name = xml_local((struct bytes){tag.data + 1, n - 1});
	return !name.len || isupper(name.data[0]) || !isalpha(name.data[0]) ||
	       (n == tag.len && !memchr(tag.data, ':', n));
}

/* The root of a first message, behind what may stand before it. */
static enum parse probe(const struct proto_input *in)
{
	enum xml_encoding encoding = XML_BYTES;
	struct bytes d = in->data;
	uint8_t room[PROBE_MAX];
	struct xml x = {0};
	struct xml_token t;
	size_t used = 0;
	enum parse got = xml_sniff(d, &encoding);

	if (got == PARSE_MORE)
		return got;
	if (encoding != XML_BYTES)
		d = xml_narrow(d, encoding, room, PROBE_MAX);
	if (d.len > PROBE_MAX)
		d.len = PROBE_MAX;
	while (d.len) {
		if (d.data[0] == '<' && !may_be_type(d))
			return PARSE_BAD;
		got = xml_next(&x, d, &t, &used);
		if (got != PARSE_OK)
			return got;
		if (t.kind == XML_OPEN)
			return is_type(xml_local(t.name)) ? PARSE_OK : PARSE_BAD;
		if (t.kind != XML_OTHER && (t.kind != XML_TEXT || !xml_is_outside(t.text)))
			return PARSE_BAD;
		d.data += used;
		d.len -= used;
	}
	return in->data.len < PROBE_MAX ? PARSE_MORE : PARSE_BAD;
}

#define FIELD(name, member, type, flags)                                      \
	{                                                                     \
		PROTO_KEY(name), offsetof(struct poct1a, member), type, flags \
	}
#define VALUE(name, at, flags) FIELD(name, value[at], FIELD_TEXT, flags)
static const struct proto_field fields[] = {
	FIELD("message_type", type, FIELD_TEXT, FIELD_MATCH),
	VALUE("control_id", POCT1A_CONTROL_ID, 0),
	VALUE("version", POCT1A_VERSION, FIELD_MATCH),
	VALUE("ack_code", POCT1A_ACK_CODE, 0),
	VALUE("ack_control_id", POCT1A_ACK_CONTROL, 0),
	VALUE("device_id", POCT1A_DEVICE_ID, FIELD_MATCH),
	VALUE("vendor_id", POCT1A_VENDOR_ID, FIELD_MATCH),
	VALUE("model_id", POCT1A_MODEL_ID, FIELD_MATCH),
	VALUE("serial_id", POCT1A_SERIAL_ID, FIELD_MATCH),
	VALUE("sw_version", POCT1A_SW_VERSION, 0),
	VALUE("command", POCT1A_COMMAND, FIELD_MATCH),
	VALUE("request", POCT1A_REQUEST, FIELD_MATCH),
	FIELD("observations", observations, FIELD_U32, 0),
	{""},
};

const struct proto poct1a_proto = {
	.name = "poct1a",
	.over = PROTO_OVER_TCP,
	.lines = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct poct1a),
	.fields = fields,
	.probe = probe,
	.read = read_token,
};
