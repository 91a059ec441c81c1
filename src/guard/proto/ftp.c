#include "guard/proto/ftp.h"

#include "guard/proto/head.h"
#include "guard/proto/logins.h"

#define PORT	 21
#define LINE_MAX 2048
#define TEXT_MAX 200 /* of a reply that is told */
#define USER_MAX 64

struct state {
	bool asked_tls, encrypted, asked_login;
	uint8_t user_len, failed, multi; /* multi: a reply of several lines goes on */
	char code[3];
	uint8_t user[USER_MAX];
};

static bool is_code(struct bytes line)
{
	return line.len >= 3 && line.data[0] >= '1' && line.data[0] <= '5' && line.data[1] >= '0' &&
	       line.data[1] <= '9' && line.data[2] >= '0' && line.data[2] <= '9' &&
	       (line.len == 3 || line.data[3] == ' ' || line.data[3] == '-');
}

static bool contains(struct bytes b, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= b.len; i++)
		if (head_is((struct bytes){b.data + i, n}, word))
			return true;
	return false;
}

/* A greeting of 220 is SMTP's as well: the word decides, then the port. */
static enum parse probe(const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct bytes line, word;

	if (!head_line(&r, &line)) {
		size_t n = in->data.len < 3 ? in->data.len : 3;

		if (in->end)
			return memcmp(in->data.data, "220", n) ? PARSE_BAD : PARSE_MORE;
		return in->port[1] == PORT && in->data.len < 64 ? PARSE_MORE : PARSE_BAD;
	}
	if (in->end) {
		if (!is_code(line) || memcmp(line.data, "220", 3) || contains(line, "smtp"))
			return PARSE_BAD;
		return contains(line, "ftp") || in->port[1] == PORT ? PARSE_OK : PARSE_BAD;
	}
	word = head_before(line, " ");
	if (in->port[1] != PORT)
		return PARSE_BAD;
	return head_is(word, "USER") || head_is(word, "AUTH") || head_is(word, "FEAT") ||
			       head_is(word, "SYST") || head_is(word, "HELP")
		       ? PARSE_OK
		       : PARSE_BAD;
}

/* "h1,h2,h3,h4,p1,p2", or "(|||port|)" of RFC 2428: the number that ends it. */
static uint16_t port_of(struct bytes b)
{
	uint32_t number[2] = {0, 0};
	unsigned commas = 0, n = 0;
	bool any = false;

	for (size_t i = 0; i < b.len; i++) {
		uint8_t c = b.data[i];

		if (c >= '0' && c <= '9') {
			if (!any)
				number[0] = number[1], number[1] = 0;
			any = true;
			number[1] = number[1] > 65535 ? number[1]
						      : number[1] * 10 + (uint32_t)(c - '0');
			continue;
		}
		n += any;
		any = false;
		commas += c == ',';
	}
	n += any;
	if (commas == 5 && n >= 6 && number[0] < 256 && number[1] < 256)
		return (uint16_t)(number[0] << 8 | number[1]);
	return commas == 0 && n && number[1] < 65536 ? (uint16_t)number[1] : 0;
}

static void read_login(struct state *st, struct ftp_msg *m, struct bytes data)
{
	if (head_is(m->command, "USER")) {
		m->login = "user";
		st->user_len = (uint8_t)(data.len < USER_MAX ? data.len : USER_MAX);
		if (st->user_len)
			memcpy(st->user, data.data, st->user_len);
	} else if (head_is(m->command, "PASS")) {
		m->login = "password";
		m->default_login = login_is_default((struct bytes){st->user, st->user_len}, data);
		st->asked_login = true;
	}
}

/* What changes something at the server's: files, or who one is. */
static bool is_control(struct bytes command)
{
	static const char *const words[] = {"USER", "PASS", "STOR", "STOU", "APPE", "DELE", "RNFR",
					    "RNTO", "MKD",  "RMD",  "XMKD", "XRMD", "SITE"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (head_is(command, words[i]))
			return true;
	return false;
}

static bool read_command(struct state *st, struct bytes line, struct ftp_msg *m)
{
	struct bytes data;

	m->command = head_before(line, " ");
	if (m->command.len < 3 || m->command.len > 4)
		return false;
	data = head_trim((struct bytes){line.data + m->command.len, line.len - m->command.len});
	m->msg.control = is_control(m->command);
	if (!head_is(m->command, "PASS") && !head_is(m->command, "ACCT") && data.len)
		m->data = data;
	read_login(st, m, data);
	if (head_is(m->command, "PORT") || head_is(m->command, "EPRT")) {
		m->mode = "active";
		m->dynamic_port = port_of(data);
	} else if (head_is(m->command, "AUTH")) {
		st->asked_tls = true;
	}
	return true;
}

static void judge_reply(struct state *st, struct ftp_msg *m)
{
	struct bytes inner = m->reply;

	if (!memcmp(m->code.data, "227", 3) || !memcmp(m->code.data, "229", 3)) {
		inner = head_before(inner, "(");
		inner = (struct bytes){inner.data + inner.len, m->reply.len - inner.len};
		m->mode = "passive";
		m->dynamic_port = port_of(head_before(inner.len ? inner : m->reply, ")"));
	} else if (!memcmp(m->code.data, "234", 3) && st->asked_tls) {
		st->encrypted = true;
	} else if (!memcmp(m->code.data, "230", 3)) {
		m->login = "succeeded";
	} else if (!memcmp(m->code.data, "530", 3) && st->asked_login) {
		st->failed++;
		m->login = "failed";
		m->failed_logins = st->failed;
		if (st->failed >= LOGIN_GUESSES)
			m->msg.reason = REASON_LOGIN_GUESSING;
	}
	st->asked_login = false;
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
	ret_out->has_msg = in->end ? read_reply(st, line, m) : read_command(st, line, m);
	return PARSE_OK;
}

/* What is behind the hole begins in the middle of a line; the next one is whole. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
	struct state *st = state;

	st->multi = 0;
	st->asked_login = false;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct ftp_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("command", command, FIELD_TEXT, FIELD_MATCH),
	FIELD("command_data", data, FIELD_TEXT, FIELD_MATCH),
	FIELD("completion_code", code, FIELD_TEXT, 0),
	FIELD("reply", reply, FIELD_TEXT, 0),
	FIELD("mode", mode, FIELD_NAME, FIELD_MATCH),
	FIELD("dynamic_port", dynamic_port, FIELD_U16, 0),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	{""},
};

const struct proto ftp_proto = {
	.name = "ftp",
	.over = PROTO_OVER_TCP,
	.urgent = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct ftp_msg),
	.fields = fields,
	.probe = probe,
	.read = ftp_read,
	.gap = gap,
};
