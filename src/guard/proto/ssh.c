#include "guard/proto/ssh.h"

#include "base/digest.h"
#include "guard/proto/head.h"
#include "guard/proto/logins.h"

#define BANNER_MAX 255	 /* RFC 4253 §4.2 */
#define PACKET_MAX 35000 /* §6.1 */
#define LINES_MAX  40	 /* that a server may say before its banner, §4.2 */
#define LINE_MAX   1024	 /* bytes of one of those */
#define PORT	   22

#define MSG_KEXINIT 20
#define MSG_NEWKEYS 21

#define TURNS_MAX 40 /* in which a login may still be under way */

/*
 * A request to log in is this much longer, on the wire, than the one before it, whether login may begin: with
 * a password at least, for users of up to twelve characters (shorter ones ask which methods there are);
 * with the shortest of keys. What a prompt is answered may be a little shorter.
 */
#define GUESS_MORE 32
#define KEY_MORE   96
#define SHORTER	   8

enum phase { PHASE_BANNER, PHASE_PACKETS, PHASE_ENCRYPTED };

struct side {
	uint8_t phase, lines, version_len, software_len;
	bool narrow; /* has a cipher with blocks of 8 bytes to offer, the client first of all */
	char version[8], software[SSH_SOFTWARE_MAX], hassh[SSH_HASSH_LEN];
};

/* A turn: what the client said, then what the server said to it. */
struct turns {
	bool over, answered, judged, asked;
	uint8_t count, failed;
	uint8_t none; /* what asks which methods there are is so much longer than `accept` */
	uint32_t client, server; /* bytes of this turn */
	uint32_t
		accept; /* the server's, that login may begin; the client's, whether it may, is as long */
	uint32_t failure; /* the server's, to a login that failed */
};

struct state {
	struct side side[2];
	struct turns turns;
};

_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "state");

/* Is this as text as a greeting is? */
static bool is_text(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < ' ' && line.data[i] != '\t' && line.data[i] != '\r')
			return false;
	return true;
}

/*
 * Lines of a greeting before a server's banner. A banner behind them tells; until it comes,
 * the port or a rule does.
 */
static enum parse probe_greeting(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct bytes line;

	for (unsigned n = 0; n < LINES_MAX && head_line(&r, &line); n++) {
		if (!is_text(line) || line.len > LINE_MAX)
			return PARSE_BAD;
		if (n && line.len >= 4 && !memcmp(line.data, "SSH-", 4))
			return PARSE_OK;
	}
	line = read_bytes(&r, reader_left(&r));
	return (in->port[1] == PORT || in->expected) && is_text(line) && line.len <= LINE_MAX
		       ? PARSE_MORE
		       : PARSE_BAD;
}

static enum parse probe(const struct proto_input *in)
{
	size_t n = in->data.len < 4 ? in->data.len : 4;

	if (!memcmp(in->data.data, "SSH-", n))
		return n == 4 ? PARSE_OK : PARSE_MORE;
	return in->end == 1 && !in->midstream ? probe_greeting(in) : PARSE_BAD;
}

static enum parse broken(struct ssh_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_SSH_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

static struct bytes text(const char *s, size_t len)
{
	return (struct bytes){len ? (const uint8_t *)s : NULL, len};
}

static void put_ends(const struct state *st, struct ssh_msg *m)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct side *s = &st->side[i];

		m->end[i].version = text(s->version, s->version_len);
		m->end[i].software = text(s->software, s->software_len);
		m->end[i].hassh = text(s->hassh, strlen(s->hassh));
	}
}

static uint8_t keep(char *room, size_t cap, struct bytes b)
{
	size_t n = b.len < cap ? b.len : cap;

	if (n)
		memcpy(room, b.data, n);
	return (uint8_t)n;
}

/* "SSH-2.0-OpenSSH_9.2p1 comments"; a server may say other lines before. */
static enum parse read_banner(struct side *s, const struct proto_input *in, struct ssh_msg *m,
			      struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct bytes line, version;

	if (!head_line(&r, &line))
		return in->data.len > (in->end == 1 ? LINE_MAX : BANNER_MAX) ? broken(m, out)
									     : PARSE_MORE;
	out->used = r.off;
	if (line.len < 4 || memcmp(line.data, "SSH-", 4))
		return in->end == 1 && s->lines++ < LINES_MAX ? PARSE_OK : broken(m, out);
	version = head_before((struct bytes){line.data + 4, line.len - 4}, "-");
	if (line.len > BANNER_MAX || !version.len || 4 + version.len == line.len)
		return broken(m, out);
	s->version_len = keep(s->version, sizeof(s->version), version);
	line = (struct bytes){version.data + version.len + 1, line.len - version.len - 5};
	s->software_len = keep(s->software, sizeof(s->software), line);
	s->phase = PHASE_PACKETS;
	return PARSE_OK;
}

/* Who has it takes it, if the client wants it most (RFC 4253 §7.1). */
static bool has_narrow(struct bytes list, bool first)
{
	struct reader r = reader_new(list.data, list.len);

	while (reader_left(&r)) {
		struct bytes name =
			head_before((struct bytes){list.data + r.off, reader_left(&r)}, ",");

		if (head_is(name, "chacha20-poly1305@openssh.com") || head_is(name, "3des-cbc"))
			return true;
		if (first)
			break;
		read_skip(&r, name.len + (name.len < reader_left(&r)));
	}
	return false;
}

/* HASSH: key exchange, ciphers, MACs and compressions of the end's own direction. */
static bool read_offer(struct side *s, unsigned end, struct reader *r, struct ssh_msg *m)
{
	struct digest d = digest_new(DIGEST_MD5);
	struct writer w = writer_new(m->text, sizeof(m->text));
	char hex[DIGEST_HEX_MAX];

	read_skip(r, 16); /* cookie */
	for (unsigned i = 0; i < 8; i++) {
		struct bytes list = read_bytes(r, read_be32(r));

		if (r->bad)
			return false;
		/* after the two lists of keys: each for client and for server */
		if (i == 2)
			s->narrow = has_narrow(list, end == 0);
		if (i == 1 || (i >= 2 && (i & 1) != end))
			continue;
		if (i) {
			digest_add(&d, ";", 1);
			write_u8(&w, ';');
		}
		digest_add(&d, list.data, list.len);
		write_bytes(&w, list.data, list.len);
	}
	digest_hex(&d, hex);
	memcpy(s->hassh, hex, SSH_HASSH_LEN);
	if (!w.bad)
		m->end[end].hassh_text = (struct bytes){w.data, w.len};
	return true;
}

/* It has packets of its own; that it is spoken is all that matters. 1.99 speaks both. */
static bool is_version_1(const struct side *s)
{
	return s->version[0] == '1' && memcmp(s->version, "1.99", 4) != 0;
}

static enum parse read_packet(struct state *st, const struct proto_input *in, struct ssh_msg *m,
			      struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	struct reader r = reader_new(in->data.data, in->data.len), body;
	uint32_t len = read_be32(&r);
	uint8_t padding, kind;

	if (r.bad)
		return PARSE_MORE;
	if (is_version_1(&st->side[0]) || is_version_1(&st->side[1])) {
		out->used = in->data.len;
		out->skip = UINT64_MAX;
		put_ends(st, m);
		out->has_msg = true;
		return PARSE_OK;
	}
	if (len < 2 || len > PACKET_MAX)
		return broken(m, out);
	body = read_sub(&r, len);
	if (body.bad)
		return PARSE_MORE;
	out->used = r.off;
	padding = read_u8(&body);
	kind = read_u8(&body);
	if (padding + 1u >= len)
		return broken(m, out);
	if (kind == MSG_NEWKEYS) {
		s->phase = PHASE_ENCRYPTED;
	} else if (kind == MSG_KEXINIT && !s->hassh[0]) {
		struct bytes hassh;

		if (!read_offer(s, in->end, &body, m))
			return broken(m, out);
		hassh = m->end[in->end].hassh_text;
		put_ends(st, m);
		m->end[in->end].hassh_text = hassh;
		m->msg.answer = in->end == 1;
		out->has_msg = true;
	}
	return PARSE_OK;
}

static bool is_openssh(const struct side *client)
{
	return client->software_len > 7 && !memcmp(client->software, "OpenSSH", 7);
}

static bool is_narrow(const struct state *st)
{
	return st->side[0].narrow && st->side[1].narrow;
}

/*
 * May the client have given a password? OpenSSH asks at first which methods there are, and fills up to 64
 * bytes, or twice as many, what has a password in it: no key is as long then, but by chance. Of others'
 * requests the length tells those that ask, and keys.
 */
static bool is_guess(const struct state *st)
{
	const struct turns *t = &st->turns;
	uint32_t more = t->client - t->accept;

	if (!is_openssh(&st->side[0]))
		return more + SHORTER < KEY_MORE + SHORTER && (t->failure || more >= GUESS_MORE);
	if (is_narrow(st))
		return t->failure && (more == 64 - 24 || more == 128 - 24);
	return t->failure && more == 128 - 32;
}

/* "keyboard-interactive" and two texts more than "none" (RFC 4256 §3.1): the server prompts, or, the first
 * time, does not know it. What OpenSSH fills up may be as long. */
static bool is_asking(struct state *st)
{
	struct turns *t = &st->turns;

	if (!t->none || is_openssh(&st->side[0]) ||
	    t->client - t->accept != t->none + (is_narrow(st) ? 24u : 32u))
		return false;
	if (t->server == t->failure && t->asked)
		return false;
	t->asked = true;
	return true;
}

/* Success is a block or two shorter than the answer that login may begin. */
static bool is_success(const struct turns *t)
{
	return t->accept - t->server == 16 || t->accept - t->server == 8;
}

/*
 * The first answer that is no success is a failure, maybe behind a banner. A shorter one shows that there was
 * one, or is a prompt: of OpenSSH's it is known whether a password was given.
 */
static bool is_failure(const struct state *st)
{
	const struct turns *t = &st->turns;

	if (t->server == t->failure || !t->failure)
		return is_guess(st);
	return t->server < t->failure && is_openssh(&st->side[0]) && is_guess(st);
}

/* What does the turn come to? */
static void judge_turn(struct state *st, struct ssh_msg *m, struct proto_output *out)
{
	struct turns *t = &st->turns;

	if (is_success(t)) {
		m->login = "succeeded";
		t->over = true;
	} else if (t->server < t->accept || is_asking(st)) {
		return;
	} else if (is_failure(st)) {
		m->login = "failed";
		if (++t->failed >= LOGIN_GUESSES)
			m->msg.reason = REASON_LOGIN_GUESSING;
	}
	if (!t->failure && t->client - t->accept < GUESS_MORE)
		t->none = (uint8_t)(t->client - t->accept);
	if (!t->failure || (t->server < t->failure && (m->login || !is_openssh(&st->side[0]))))
		t->failure = t->server;
	if (!m->login)
		return;
	m->failed_logins = t->failed;
	m->msg.answer = true;
	out->has_msg = true;
	put_ends(st, m);
}

/* Both ask and allow in as many bytes that login may begin; but some clients ask which methods there are at once. */
static void begin_login(struct turns *t)
{
	if (t->client == t->server) {
		t->accept = t->server;
	} else if (t->client > 2 * t->accept && t->server > t->accept) {
		t->failure = t->server - t->accept;
		t->none = (uint8_t)(t->client - 2 * t->accept);
	}
}

/* The client speaks again. Does it still log in? */
static void end_turn(struct state *st, struct ssh_msg *m, struct proto_output *out)
{
	struct turns *t = &st->turns;

	if (t->client && !t->count)
		begin_login(t);
	else if (t->client && !t->judged)
		judge_turn(st, m, out);
	if (t->client)
		t->over |= ++t->count > TURNS_MAX || t->client + SHORTER < t->accept ||
			   t->server > 4 * (t->accept + t->failure);
	t->client = t->server = 0;
	t->answered = t->judged = false;
}

static enum parse read_encrypted(struct state *st, const struct proto_input *in, struct ssh_msg *m,
				 struct proto_output *out)
{
	struct turns *t = &st->turns;
	uint32_t len = (uint32_t)in->data.len;

	out->used = in->data.len;
	if (t->over) {
		out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	if (in->end == 0) {
		if (t->answered)
			end_turn(st, m, out);
		t->client += len;
		return PARSE_OK;
	}
	if (t->client && !t->count && !t->server)
		t->accept = len;
	t->server += len;
	t->answered = true;
	/* Nobody may say anything behind the last one. */
	if (t->client && t->failure && t->server == t->failure && !t->judged) {
		judge_turn(st, m, out);
		t->judged = true;
	}
	return PARSE_OK;
}

static enum parse ssh_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct ssh_msg *m = (struct ssh_msg *)ret_m;
	struct state *st = state;
	struct side *s = &st->side[in->end];

	if (s->phase == PHASE_BANNER)
		return read_banner(s, in, m, ret_out);
	if (s->phase == PHASE_PACKETS)
		return read_packet(st, in, m, ret_out);
	return read_encrypted(st, in, m, ret_out);
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct ssh_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("client.proto_version", end[0].version, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("client.software_version", end[0].software, FIELD_TEXT,
	      FIELD_MATCH | FIELD_VARIES | FIELD_INNER),
	FIELD("client.hassh.hash", end[0].hassh, FIELD_TEXT,
	      FIELD_MATCH | FIELD_VARIES | FIELD_INNER),
	FIELD("client.hassh.string", end[0].hassh_text, FIELD_TEXT, FIELD_INNER),
	FIELD("server.proto_version", end[1].version, FIELD_TEXT, FIELD_MATCH | FIELD_INNER),
	FIELD("server.software_version", end[1].software, FIELD_TEXT,
	      FIELD_MATCH | FIELD_VARIES | FIELD_INNER),
	FIELD("server.hassh.hash", end[1].hassh, FIELD_TEXT,
	      FIELD_MATCH | FIELD_VARIES | FIELD_INNER),
	FIELD("server.hassh.string", end[1].hassh_text, FIELD_TEXT, FIELD_INNER),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	{""},
};

const struct proto ssh_proto = {
	.name = "ssh",
	.over = PROTO_OVER_TCP,
	.unmarked = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct ssh_msg),
	.msg_zero = offsetof(struct ssh_msg, text),
	.fields = fields,
	.probe = probe,
	.read = ssh_read,
};
