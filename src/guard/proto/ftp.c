#include "guard/proto/ftp.h"

#include "base/address.h"
#include "guard/proto/head.h"
#include "guard/proto/logins.h"
#include "guard/proto/tls.h"

#define PORT	 21
#define LINE_MAX 2048
#define TEXT_MAX 200 /* of a reply that is told */
#define VERB_MAX 8
#define IAC	 0xff

struct state {
	bool asked_tls, encrypted, asked_login;
	bool asked_default;		    /* by a login that everybody knows */
	bool asked_open;		    /* by a name that no password belongs to, or none yet */
	uint8_t failed, multi;		    /* multi: a reply of several lines goes on */
	bool asked_passive, asked_extended; /* PASV, EPSV: unanswered */
	char code[3];
	struct login_user user;
	uint8_t verb[VERB_MAX];
};

static bool is_code(struct bytes line)
{
	return line.len >= 3 && line.data[0] >= '1' && line.data[0] <= '5' && line.data[1] >= '0' &&
	       line.data[1] <= '9' && line.data[2] >= '0' && line.data[2] <= '9' &&
	       (line.len == 3 || line.data[3] == ' ' || line.data[3] == '-');
}

/* Three or four letters, RFC 959 §5.3.1. */
static bool is_verb(struct bytes word)
{
	for (size_t i = 0; i < word.len; i++)
		if ((word.data[i] | 0x20) < 'a' || (word.data[i] | 0x20) > 'z')
			return false;
	return word.len == 3 || word.len == 4;
}

/* What clients begin with; QUIT, NOOP and the rest are others' as well. */
static bool is_first(struct bytes word)
{
	return head_is(word, "USER") || head_is(word, "AUTH") || head_is(word, "FEAT") ||
	       head_is(word, "SYST") || head_is(word, "OPTS") || head_is(word, "HOST") ||
	       head_is(word, "CLNT") || head_is(word, "HELP");
}

/* A greeting of 220 is SMTP's as well: the word decides, then the port or a rule. */
static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	bool home = proto_at_home(in, PORT);
	struct bytes line, word;

	if (!head_line(&r, &line)) {
		size_t n = in->data.len < 3 ? in->data.len : 3;

		if (proto_serves(in))
			return memcmp(in->data.data, "220", n) ? PARSE_BAD : PARSE_MORE;
		return home && in->data.len < 64 ? PARSE_MORE : PARSE_BAD;
	}
	if (proto_serves(in)) {
		if (!is_code(line) || memcmp(line.data, "220", 3) || head_contains(line, "smtp"))
			return PARSE_BAD;
		return head_contains(line, "ftp") || home ? PARSE_OK : PARSE_BAD;
	}
	word = head_before(line, " ");
	if (!home)
		return PARSE_BAD;
	if (in->midstream && is_verb(word))
		return PARSE_OK;
	return is_first(word) ? PARSE_OK : PARSE_BAD;
}

/* The numbers in a text, the first `max` of them; how many there are, and of commas. */
static unsigned numbers_in(struct bytes b, uint32_t *ret_numbers, unsigned max,
			   unsigned *ret_commas)
{
	unsigned n = 0;
	bool any = false;

	*ret_commas = 0;
	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];

		*ret_commas += c == ',';
		if (c < '0' || c > '9') {
			any = false;
			continue;
		}
		if (!any && n++ < max)
			ret_numbers[n - 1] = 0;
		any = true;
		if (n <= max && ret_numbers[n - 1] <= 65535)
			ret_numbers[n - 1] = ret_numbers[n - 1] * 10 + (uint32_t)(c - '0');
	}
	return n;
}

/* "h1,h2,h3,h4,p1,p2" (RFC 959 §4.1.2): false where it is none. */
static bool read_host_port(struct bytes b, struct ftp_msg *m)
{
	uint32_t n[6];
	unsigned commas;

	if (numbers_in(b, n, 6, &commas) != 6 || commas != 5)
		return false;
	for (unsigned i = 0; i < 6; i++)
		if (n[i] > 255)
			return false;
	m->dynamic_port = (uint16_t)(n[4] << 8 | n[5]);
	memset(m->address, 0, 10);
	m->address[10] = m->address[11] = 0xff;
	for (unsigned i = 0; i < 4; i++)
		m->address[12 + i] = (uint8_t)n[i];
	m->has_address = true;
	return true;
}

/* "|1|132.235.1.2|6275|", "|2|1080::8:800:200C:417A|5282|" (RFC 2428 §2), "|||6446|" (§3): its
 * delimiter is what it begins with. */
static void read_extended(struct bytes b, struct ftp_msg *m)
{
	char delimiter[2] = {b.len ? (char)b.data[0] : 0, 0}, text[64];
	struct bytes rest = b, part[3];
	uint8_t address[16];
	uint32_t port;
	unsigned len, commas;

	if (!delimiter[0] || (delimiter[0] >= '0' && delimiter[0] <= '9'))
		return;
	for (unsigned i = 0; i < 3; i++) {
		if (!rest.len || rest.data[0] != (uint8_t)delimiter[0])
			return;
		rest = (struct bytes){rest.data + 1, rest.len - 1};
		part[i] = head_before(rest, delimiter);
		rest = (struct bytes){rest.data + part[i].len, rest.len - part[i].len};
	}
	if (!rest.len || numbers_in(part[2], &port, 1, &commas) != 1 || port > 65535)
		return;
	m->dynamic_port = (uint16_t)port;
	if (!part[1].len || part[1].len >= sizeof(text))
		return;
	memcpy(text, part[1].data, part[1].len);
	text[part[1].len] = 0;
	if (address_prefix(text, address, &len) && len == 128) {
		memcpy(m->address, address, sizeof(address));
		m->has_address = true;
	}
}

/* RFC 1635 §2: whose password is whatever one says. */
static bool is_anybody(struct bytes user)
{
	return head_is(user, "anonymous") || head_is(user, "ftp");
}

static void read_login(struct state *st, struct ftp_msg *m, struct bytes data)
{
	if (head_is(m->command, "USER")) {
		m->login = "user";
		login_user_set(&st->user, data);
		st->asked_open = true;
	} else if (head_is(m->command, "PASS")) {
		m->login = "password";
		m->default_login = login_is_default(login_user(&st->user), data);
		st->asked_login = true;
		st->asked_default = m->default_login;
		st->asked_open = is_anybody(login_user(&st->user));
	}
}

/* What neither changes anything at the server's nor says who one is, nor hides either (AUTH): RFC 959, 2228, 2389, 2428, 2640,
 * 3659, 7151. */
static bool is_reading(struct bytes command)
{
	static const char *const words[] = {
		"ABOR", "ALLO", "CDUP", "CWD",	"EPRT", "EPSV", "FEAT", "HELP", "HOST", "LANG",
		"LIST", "LPRT", "LPSV", "MDTM", "MLSD", "MLST", "MODE", "NLST", "NOOP", "OPTS",
		"PASV", "PBSZ", "PORT", "PROT", "PWD",	"QUIT", "REIN", "REST", "RETR", "SIZE",
		"STAT", "STRU", "SYST", "TYPE", "XCUP", "XCWD", "XPWD",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (head_is(command, words[i]))
			return true;
	return false;
}

/* MDTM with a time before the name sets it, as some servers have it. */
static bool sets_time(struct bytes command, struct bytes data)
{
	size_t n = 0;

	while (n < data.len && data.data[n] >= '0' && data.data[n] <= '9')
		n++;
	return head_is(command, "MDTM") && n == 14 && n < data.len && data.data[n] == ' ';
}

/* A command of Telnet (RFC 854): two bytes, or three where something is agreed on. What is left of one
 * whose first byte was urgent is one, too. */
static size_t telnet_len(struct bytes rest)
{
	if (rest.data[0] < 0x80)
		return 0;
	if (rest.data[0] != IAC || rest.len < 2)
		return 1;
	return rest.data[1] >= 0xfb && rest.data[1] < IAC ? 3 : 2;
}

/*
 * What servers take for the command: letters up to a blank, without what Telnet says between them and
 * blanks before. *ret_len: of the line. False where it is none that anybody knows.
 */
static bool read_verb(struct state *st, struct bytes line, struct bytes *ret_verb, size_t *ret_len)
{
	size_t n = 0, at = 0, skip;
	bool plain = true;

	for (; at < line.len; at += skip ? skip : 1) {
		uint8_t c = line.data[at];

		skip = telnet_len((struct bytes){line.data + at, line.len - at});
		plain &= !skip;
		if (skip || (!n && c <= ' ')) {
			plain = false;
			continue;
		}
		if (c <= ' ')
			break;
		if (n == VERB_MAX || ((c | 0x20) < 'a' || (c | 0x20) > 'z'))
			return false;
		st->verb[n++] = c;
	}
	*ret_len = at < line.len ? at : line.len;
	*ret_verb = (struct bytes){plain ? line.data : st->verb, n};
	return n >= 3;
}

static bool read_command(struct state *st, struct bytes line, struct ftp_msg *m)
{
	struct bytes data;
	size_t len;

	if (!line.len)
		return false;
	if (!read_verb(st, line, &m->command, &len)) {
		m->command = (struct bytes){NULL, 0};
		m->msg.reason = REASON_FTP_MALFORMED;
		return true;
	}
	/* RFC 959 §5.3.1: some servers end a command there, and others do not. */
	if (memchr(line.data, '\r', line.len) || memchr(line.data, 0, line.len))
		m->msg.reason = REASON_FTP_MALFORMED;
	data = head_trim((struct bytes){line.data + len, line.len - len});
	m->msg.control = !is_reading(m->command) || sets_time(m->command, data);
	if (!head_is(m->command, "PASS") && !head_is(m->command, "ACCT") && data.len)
		m->data = data;
	read_login(st, m, data);
	if (head_is(m->command, "PORT")) {
		m->mode = "active";
		read_host_port(data, m);
	} else if (head_is(m->command, "EPRT")) {
		m->mode = "active";
		read_extended(data, m);
	} else if (head_is(m->command, "PASV")) {
		st->asked_passive = true;
	} else if (head_is(m->command, "EPSV")) {
		st->asked_extended = true;
	} else if (head_is(m->command, "AUTH")) {
		st->asked_tls = true;
		m->msg.opens = &tls_proto;
	}
	return true;
}

/* What a reply has in its parentheses; all of it where it has none. */
static struct bytes inner_part(struct bytes reply)
{
	struct bytes before = head_before(reply, "(");

	if (before.len == reply.len)
		return reply;
	reply = (struct bytes){reply.data + before.len + 1, reply.len - before.len - 1};
	return head_before(reply, ")");
}

/* Says whether it was asked, which is thereby answered. */
static bool answered(bool *asked)
{
	bool was = *asked;

	*asked = false;
	return was;
}

static void judge_reply(struct state *st, struct ftp_msg *m)
{
	if (!memcmp(m->code.data, "227", 3)) {
		m->mode = "passive";
		m->asked = answered(&st->asked_passive);
		read_host_port(inner_part(m->reply), m);
	} else if (!memcmp(m->code.data, "229", 3)) {
		m->mode = "passive";
		m->asked = answered(&st->asked_extended);
		read_extended(inner_part(m->reply), m);
	} else if (st->asked_tls &&
		   (!memcmp(m->code.data, "234", 3) || !memcmp(m->code.data, "235", 3))) {
		st->encrypted = m->encrypted = true;
		m->msg.opens = m->code.data[2] == '4' ? &tls_proto : NULL; /* RFC 4217 §4 */
	} else if (!memcmp(m->code.data, "230", 3)) {
		m->login = "succeeded";
		m->default_login = st->asked_default;
		m->no_password = st->asked_open;
	} else if (!memcmp(m->code.data, "530", 3) && st->asked_login) {
		st->failed++;
		m->login = "failed";
		m->failed_logins = st->failed;
		if (st->failed >= LOGIN_GUESSES)
			m->msg.reason = REASON_LOGIN_GUESSING;
	}
	if (m->code.data[0] >= '4')
		st->asked_passive = st->asked_extended = false;
	st->asked_login = st->asked_default = st->asked_open = false;
}

/* RFC 959 §4.2: of a reply in several lines the last begins as the first did, with a space. */
static bool read_reply(struct state *st, struct bytes line, struct ftp_msg *m)
{
	if (st->multi && (!is_code(line) || memcmp(line.data, st->code, 3) ||
			  (line.len > 3 && line.data[3] == '-')))
		return false;
	if (!is_code(line))
		return false;
	st->multi = line.len > 3 && line.data[3] == '-';
	memcpy(st->code, line.data, 3);
	if (st->multi)
		return false;
	m->code = (struct bytes){line.data, 3};
	m->reply = head_trim((struct bytes){line.data + 3, line.len - 3});
	if (m->reply.len > TEXT_MAX)
		m->reply.len = TEXT_MAX;
	m->msg.answer = true;
	m->msg.opens = &tls_proto;
	judge_reply(st, m);
	return true;
}

static enum parse ftp_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct ftp_msg *m = (struct ftp_msg *)ret_m;
	struct state *st = state;
	struct bytes line;

	if (st->encrypted) {
		ret_out->used = in->data.len;
		ret_out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	if (!head_line(&r, &line)) {
		if (in->data.len < LINE_MAX)
			return PARSE_MORE;
		m->msg.reason = REASON_FTP_MALFORMED;
		ret_out->has_msg = true;
		return PARSE_BAD;
	}
	ret_out->used = r.off;
	ret_out->has_msg = proto_serves(in) ? read_reply(st, line, m) : read_command(st, line, m);
	ret_out->next = m->encrypted ? m->msg.opens : NULL;
	return PARSE_OK;
}

/* What is behind the hole begins in the middle of a line; the next one is whole. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
	struct state *st = state;

	st->multi = 0;
	st->asked_login = st->asked_open = false;
	st->asked_passive = st->asked_extended = false;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct ftp_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("command", command, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	{PROTO_KEY("command_data"), offsetof(struct ftp_msg, data), FIELD_TEXT,
	 FIELD_MATCH | FIELD_VARIES, .meant = proto_path},
	FIELD("completion_code", code, FIELD_TEXT, 0),
	FIELD("reply", reply, FIELD_TEXT, 0),
	FIELD("mode", mode, FIELD_NAME, FIELD_MATCH | FIELD_VARIES),
	FIELD("dynamic_port", dynamic_port, FIELD_U16, 0),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	FIELD("no_password", no_password, FIELD_BOOL, 0),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	{""},
};

const struct proto ftp_proto = {
	.name = "ftp",
	.over = PROTO_OVER_TCP,
	.lines = true,
	.urgent = true,
	.leads_to = &tls_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct ftp_msg),
	.fields = fields,
	.probe = probe,
	.read = ftp_read,
	.gap = gap,
};
