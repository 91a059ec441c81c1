#include "guard/proto/rfb.h"

#include "guard/proto/tls.h"

#define VERSION_LEN   12
#define CHALLENGE_LEN 16
#define NAME_MAX_LEN  256
#define SECURITY_NONE 1
#define SECURITY_VNC  2
/* IANA's Remote Framebuffer Security Types. Of RealVNC's kinds there are two that encrypt the login alone. */
#define SECURITY_RA2	  5
#define SECURITY_TLS	  18
#define SECURITY_VENCRYPT 19
#define SECURITY_RA2_256  129
#define VENCRYPT_PLAIN	  256
#define VENCRYPT_LAST	  264

/* What the end says next. */
enum step {
	STEP_VERSION,
	STEP_OFFER,	/* server */
	STEP_CHOICE,	/* client, from 3.7 on */
	STEP_CHALLENGE, /* server */
	STEP_RESPONSE,	/* client */
	STEP_RESULT,	/* server */
	STEP_SHARED,	/* client */
	STEP_SCREEN,	/* server */
	STEP_VENCRYPT,	/* its version, of both */
	STEP_KINDS,	/* of it, server */
	STEP_KIND,	/* client */
	STEP_ACCEPTED,	/* server, ahead of TLS */
	STEP_OVER,
	STEP_WAIT, /* for what the other end says */
};

struct state {
	uint8_t step[2];
	char version[2][VERSION_LEN];
	uint8_t security;
	uint32_t subtype;
	bool modern;  /* 3.7 or later: the client chooses */
	bool results; /* 3.8: a result even where nothing was to prove */
	bool chosen;
};

/* "RFB 003.008\n", §7.1.1, as far as it came; 4 and 5 are RealVNC's. */
static bool is_version(const uint8_t *b, size_t len)
{
	static const char form[] = "RFB 00#.###\n";

	for (size_t i = 0; i < len && i < VERSION_LEN; i++)
		if (form[i] == '#' ? b[i] < '0' || b[i] > '9' : b[i] != form[i])
			return false;
	return len <= 6 || (b[6] >= '3' && b[6] <= '5');
}

static enum parse probe(const struct proto_input *in)
{
	if (!is_version(in->data.data, in->data.len))
		return PARSE_BAD;
	return in->data.len < VERSION_LEN ? PARSE_MORE : PARSE_OK;
}

static void put_versions(const struct state *st, struct rfb_msg *m)
{
	const uint8_t *server = (const uint8_t *)st->version[1];
	const uint8_t *client = (const uint8_t *)st->version[0];

	if (*server) {
		m->server_major = (struct bytes){server + 4, 3};
		m->server_minor = (struct bytes){server + 8, 3};
	}
	if (*client) {
		m->client_major = (struct bytes){client + 4, 3};
		m->client_minor = (struct bytes){client + 8, 3};
	}
	m->security = st->security;
	m->subtype = st->subtype;
	m->encrypted = st->security == SECURITY_RA2 || st->security == SECURITY_RA2_256 ||
		       st->security == SECURITY_TLS || st->subtype > VENCRYPT_PLAIN;
	m->no_password = st->security == SECURITY_NONE;
}

static enum parse broken(struct rfb_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_RFB_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

/* §7.1.1: a client says no more than its server; where it does, servers go on as they began. */
static const char *lower(const struct state *st)
{
	const char *client = st->version[0] + 4, *server = st->version[1] + 4;

	return st->version[1][0] && memcmp(server, client, 7) < 0 ? server : client;
}

static bool read_version(struct state *st, unsigned end, struct reader *r)
{
	struct bytes b = read_bytes(r, VERSION_LEN);

	if (r->bad)
		return true;
	if (!is_version(b.data, b.len))
		return false;
	memcpy(st->version[end], b.data, VERSION_LEN);
	st->step[end] = end ? STEP_OFFER : STEP_WAIT;
	if (!end) {
		const char *spoken = lower(st);

		st->modern = memcmp(spoken, "003.007", 7) >= 0;
		st->results = memcmp(spoken, "003.008", 7) >= 0;
	}
	if (!end && b.data[6] > '3') /* what follows is not published */
		st->step[0] = st->step[1] = STEP_OVER;
	return true;
}

/* Both know now how the client proves itself. */
static void choose(struct state *st, uint8_t security)
{
	st->security = security;
	st->chosen = true;
	if (security == SECURITY_VNC) {
		st->step[1] = STEP_CHALLENGE;
		st->step[0] = STEP_RESPONSE;
	} else if (security == SECURITY_NONE) {
		st->step[1] = st->results ? STEP_RESULT : STEP_SCREEN;
		st->step[0] = STEP_SHARED;
	} else {
		st->step[0] = st->step[1] =
			security == SECURITY_VENCRYPT ? STEP_VENCRYPT : STEP_OVER;
	}
}

/* The community's RFB protocol, "VeNCrypt": both say a version, of which there is one, the server says
 * that it will do and its kinds, the client chooses. What else is said is somebody's own. */
static void read_vencrypt(struct state *st, unsigned end, struct reader *r)
{
	uint16_t version = read_be16(r);

	if (r->bad)
		return;
	if (version != 2)
		st->step[0] = st->step[1] = STEP_OVER;
	else
		st->step[end] = end ? STEP_KINDS : STEP_KIND;
}

static void read_kinds(struct state *st, struct reader *r)
{
	uint8_t refused = read_u8(r);

	if (!refused)
		read_skip(r, 4 * (size_t)read_u8(r));
	if (!r->bad)
		st->step[1] = refused ? STEP_OVER : STEP_WAIT;
}

static void read_accepted(struct state *st, struct reader *r, struct proto_output *out)
{
	if (read_u8(r) == 1)
		out->next = &tls_proto;
	if (!r->bad)
		st->step[1] = STEP_OVER;
}

static void read_kind(struct state *st, struct rfb_msg *m, struct reader *r,
		      struct proto_output *out)
{
	uint32_t kind = read_be32(r);

	if (r->bad)
		return;
	st->subtype = kind >= VENCRYPT_PLAIN && kind <= VENCRYPT_LAST ? kind : 0;
	st->step[0] = STEP_OVER;
	st->step[1] = st->subtype > VENCRYPT_PLAIN && st->step[1] == STEP_WAIT ? STEP_ACCEPTED
									       : STEP_OVER;
	m->msg.control = out->has_msg = true;
}

/* §7.1.2; before 3.7 the server decides alone. Zero kinds: it refuses and says why. */
static void read_offer(struct state *st, struct rfb_msg *m, struct reader *r,
		       struct proto_output *out)
{
	uint32_t count;

	if (st->modern) {
		count = read_u8(r);
		if (!count)
			st->step[0] = st->step[1] = STEP_OVER;
		else
			read_skip(r, count);
		if (!r->bad && count) {
			st->step[1] = STEP_WAIT;
			st->step[0] = STEP_CHOICE;
		}
		return;
	}
	count = read_be32(r);
	if (r->bad)
		return;
	if (!count) {
		st->step[0] = st->step[1] = STEP_OVER;
		return;
	}
	choose(st, count > 255 ? 255 : (uint8_t)count);
	m->msg.control = true;
	out->has_msg = true;
}

static void read_result(struct state *st, struct rfb_msg *m, struct reader *r,
			struct proto_output *out)
{
	uint32_t result = read_be32(r);

	if (r->bad)
		return;
	m->result = result ? "FAIL" : "OK";
	m->login = result ? "failed" : "succeeded";
	m->msg.answer = true;
	out->has_msg = true;
	st->step[1] = result ? STEP_OVER : STEP_SCREEN;
	if (result)
		st->step[0] = STEP_OVER;
}

static void read_screen(struct state *st, struct rfb_msg *m, struct reader *r,
			struct proto_output *out)
{
	uint32_t len;

	m->width = read_be16(r);
	m->height = read_be16(r);
	read_skip(r, 16);
	len = read_be32(r);
	if (r->bad)
		return;
	if (len <= NAME_MAX_LEN)
		m->name = read_bytes(r, len);
	m->msg.answer = true;
	out->has_msg = !r->bad;
	if (!r->bad)
		st->step[1] = STEP_OVER;
}

/* A step of the server's, or of the client's; `r` bad: more is needed. */
static bool read_step(struct state *st, unsigned end, struct rfb_msg *m, struct reader *r,
		      struct proto_output *out)
{
	switch (st->step[end]) {
	case STEP_VERSION:
		return read_version(st, end, r);
	case STEP_OFFER:
		read_offer(st, m, r, out);
		return true;
	case STEP_CHOICE:
		choose(st, read_u8(r));
		m->msg.control = out->has_msg = true;
		return true;
	case STEP_CHALLENGE:
		read_skip(r, CHALLENGE_LEN);
		if (!r->bad)
			st->step[1] = STEP_RESULT;
		return true;
	case STEP_RESPONSE:
		read_skip(r, CHALLENGE_LEN);
		if (!r->bad)
			st->step[0] = STEP_SHARED;
		return true;
	case STEP_RESULT:
		read_result(st, m, r, out);
		return true;
	case STEP_SHARED:
		read_skip(r, 1);
		st->step[0] = STEP_OVER;
		return true;
	case STEP_SCREEN:
		read_screen(st, m, r, out);
		return true;
	case STEP_VENCRYPT:
		read_vencrypt(st, end, r);
		return true;
	case STEP_KINDS:
		read_kinds(st, r);
		return true;
	case STEP_KIND:
		read_kind(st, m, r, out);
		return true;
	case STEP_ACCEPTED:
		read_accepted(st, r, out);
		return true;
	default:
		return false;
	}
}

/* Picked up behind the server's greeting, and ahead of the client's: does the server go on? */
static bool is_joined(const struct state *st, const struct proto_input *in)
{
	return in->midstream && st->step[1] == STEP_VERSION && st->version[0][0] && in->data.len &&
	       in->data.data[0] != 'R';
}

static enum parse rfb_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct rfb_msg *m = (struct rfb_msg *)ret_m;
	struct state *st = state;
	bool greets = !in->end && st->step[0] == STEP_VERSION;

	if (in->end && is_joined(st, in))
		st->step[1] = STEP_OFFER;
	if (st->step[in->end] == STEP_OVER) {
		ret_out->used = in->data.len;
		ret_out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	if (!read_step(st, in->end, m, &r, ret_out))
		return broken(m, ret_out);
	if (r.bad) {
		ret_out->has_msg = false;
		return PARSE_MORE;
	}
	ret_out->used = r.off;
	if (greets) { /* both versions */
		ret_out->has_msg = true;
		/* A login, for all that is known. */
		m->msg.control = m->msg.unread = st->step[0] == STEP_OVER;
	}
	if (ret_out->has_msg)
		put_versions(st, m);
	return PARSE_OK;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct rfb_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("server_protocol_version.major", server_major, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("server_protocol_version.minor", server_minor, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("client_protocol_version.major", client_major, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("client_protocol_version.minor", client_minor, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("authentication.security_type", security, FIELD_U8, FIELD_MATCH | FIELD_INNER),
	FIELD("authentication.security_subtype", subtype, FIELD_U32, FIELD_INNER),
	FIELD("authentication.security_result", result, FIELD_NAME, FIELD_INNER),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("no_password", no_password, FIELD_BOOL, FIELD_MATCH),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	FIELD("framebuffer.width", width, FIELD_U16, FIELD_INNER),
	FIELD("framebuffer.height", height, FIELD_U16, FIELD_INNER),
	FIELD("framebuffer.name", name, FIELD_TEXT, FIELD_INNER),
	{""},
};

const struct proto rfb_proto = {
	.name = "rfb",
	.over = PROTO_OVER_TCP,
	.leads_to = &tls_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct rfb_msg),
	.fields = fields,
	.probe = probe,
	.read = rfb_read,
};
