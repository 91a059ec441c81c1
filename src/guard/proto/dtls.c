#include "guard/proto/tls.h"

#define RECORD_HEAD  13
#define HEAD	     12 /* RFC 6347 §4.2.2 */
#define HELLO_VERIFY 3

enum content {
	CONTENT_CCS = 20,
	CONTENT_ALERT,
	CONTENT_HANDSHAKE,
	CONTENT_DATA,
	CONTENT_HEARTBEAT
};

struct record {
	uint8_t content;
	uint16_t epoch;
	struct reader body;
};

static bool is_version(uint16_t v)
{
	return v == 0xfeff || v == 0xfefd || v == 0xfefc;
}

static bool read_head(struct reader *r, struct record *ret_r)
{
	uint16_t version;

	ret_r->content = read_u8(r);
	version = read_be16(r);
	ret_r->epoch = read_be16(r);
	read_skip(r, 6); /* sequence number */
	ret_r->body = read_sub(r, read_be16(r));
	return !r->bad && is_version(version) && ret_r->content >= CONTENT_CCS &&
	       ret_r->content <= CONTENT_HEARTBEAT;
}

static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct record rec;
	uint8_t type;

	if (!read_head(&r, &rec) || rec.content != CONTENT_HANDSHAKE || rec.epoch)
		return PARSE_BAD;
	type = read_u8(&rec.body);
	return rec.body.in.len >= HEAD && (type == TLS_CLIENT_HELLO || type == TLS_SERVER_HELLO)
		       ? PARSE_OK
		       : PARSE_BAD;
}

static uint32_t read_be24(struct reader *r)
{
	uint32_t high = read_u8(r);

	return high << 16 | read_be16(r);
}

/* True where there is a message to tell. A later fragment alone says nothing. */
static bool read_handshake(struct tls_kept *k, const struct proto_input *in, struct reader *r,
			   struct tls_msg *m)
{
	uint8_t type = read_u8(r);
	uint32_t len = read_be24(r), offset, part;

	read_skip(r, 2);
	offset = read_be24(r);
	part = read_be24(r);
	if (r->bad || part > reader_left(r) || part > len || offset > len - part) {
		m->msg.reason = REASON_TLS_MALFORMED;
		return true;
	}
	if (offset)
		return false;
	if (!tls_is_wanted(type))
		return type != HELLO_VERIFY && tls_no_certificate(k, in, type == TLS_NEW_TICKET, m);
	return tls_handshake(k, in, type, read_bytes(r, part), part < len, m);
}

static enum parse dtls_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct tls_msg *m = (struct tls_msg *)ret_m;
	struct reader r = reader_new(in->data.data, in->data.len);
	struct record rec;

	/* RFC 9147 §4: the records of DTLS 1.3 that are encrypted begin otherwise. */
	if ((in->data.data[0] & 0xe0) == 0x20) {
		ret_out->used = in->data.len;
		return PARSE_OK;
	}
	if (!read_head(&r, &rec)) {
		m->msg.reason = REASON_TLS_MALFORMED;
		ret_out->has_msg = true;
		return PARSE_BAD;
	}
	ret_out->used = r.off;
	if (rec.content == CONTENT_CCS || rec.epoch)
		ret_out->has_msg = tls_no_certificate(state, in, true, m);
	else if (rec.content == CONTENT_HANDSHAKE)
		ret_out->has_msg = read_handshake(state, in, &rec.body, m);
	return m->msg.reason == REASON_TLS_MALFORMED ? PARSE_BAD : PARSE_OK;
}

/* Datagrams get lost; each stands for itself. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
}

const struct proto dtls_proto = {
	.name = "dtls",
	.over = PROTO_OVER_UDP,
	.unmarked = true,
	.state_size = sizeof(struct tls_kept),
	.msg_size = sizeof(struct tls_msg),
	.msg_zero = offsetof(struct tls_msg, room),
	.fields = tls_fields,
	.probe = probe,
	.read = dtls_read,
	.gap = gap,
	.write = tls_write,
};
