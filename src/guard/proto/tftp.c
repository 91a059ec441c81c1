#include "guard/proto/tftp.h"

#include "guard/proto/head.h"

enum opcode { OPCODE_READ = 1, OPCODE_WRITE, OPCODE_DATA, OPCODE_ACK, OPCODE_ERROR, OPCODE_OACK };

/* A text up to its zero; the reader goes bad where there is none. */
static struct bytes read_text(struct reader *r)
{
	struct bytes rest = {r->in.data + r->off, reader_left(r)};
	const uint8_t *zero = rest.len ? memchr(rest.data, 0, rest.len) : NULL;
	struct bytes text = read_bytes(r, zero ? (size_t)(zero - rest.data) : rest.len + 1);

	read_skip(r, 1);
	return text;
}

static bool is_mode(struct bytes b)
{
	return head_is(b, "octet") || head_is(b, "netascii") || head_is(b, "mail");
}

static bool is_name(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < ' ')
			return false;
	return b.len > 0;
}

static bool read_request(struct bytes data, struct tftp_msg *m)
{
	struct reader r = reader_new(data.data, data.len);
	uint16_t opcode = read_be16(&r);

	if (opcode != OPCODE_READ && opcode != OPCODE_WRITE)
		return false;
	m->packet = opcode == OPCODE_READ ? "read" : "write";
	m->msg.control = opcode == OPCODE_WRITE;
	m->file = read_text(&r);
	m->mode = read_text(&r);
	return !r.bad && is_name(m->file) && is_mode(m->mode);
}

static enum parse probe(const struct proto_input *in)
{
	struct tftp_msg m;

	return !in->end && read_request(in->data, &m) ? PARSE_OK : PARSE_BAD;
}

static enum parse tftp_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct tftp_msg *m = (struct tftp_msg *)ret_m;
	uint16_t opcode = read_be16(&r);

	ret_out->used = in->data.len;
	switch (opcode) {
	case OPCODE_READ:
	case OPCODE_WRITE:
		ret_out->has_msg = true;
		if (read_request(in->data, m))
			return PARSE_OK;
		break;
	case OPCODE_ERROR:
		m->packet = "error";
		m->error_code = read_be16(&r);
		m->msg.answer = true;
		ret_out->has_msg = true;
		if (!r.bad)
			return PARSE_OK;
		break;
	case OPCODE_DATA:
	case OPCODE_ACK:
	case OPCODE_OACK:
		return PARSE_OK;
	}
	m->msg.reason = REASON_TFTP_MALFORMED;
	ret_out->has_msg = true;
	return PARSE_BAD;
}

#define FIELD(name, member, type, flags)                                        \
	{                                                                       \
		PROTO_KEY(name), offsetof(struct tftp_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("packet", packet, FIELD_NAME, FIELD_MATCH),
	{PROTO_KEY("file"), offsetof(struct tftp_msg, file), FIELD_TEXT, FIELD_MATCH,
	 .meant = proto_path},
	FIELD("mode", mode, FIELD_TEXT, 0),
	FIELD("error_code", error_code, FIELD_U16, 0),
	{""},
};

const struct proto tftp_proto = {
	.name = "tftp",
	.over = PROTO_OVER_UDP,
	.msg_size = sizeof(struct tftp_msg),
	.fields = fields,
	.probe = probe,
	.read = tftp_read,
};
