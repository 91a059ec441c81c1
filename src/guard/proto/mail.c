#include "guard/proto/mail.h"

#include "guard/proto/head.h"
#include "guard/proto/logins.h"
#include "guard/proto/tls.h"

#define LINE_MAX  12288 /* RFC 4954 §4.5.3.1.5's longest */
#define GREET_MAX 512	/* looked at before it is known */

struct dialect {
	uint16_t port, port_too;
	bool tagged; /* a word of the client's own is ahead of each command, and of its answer */
	const char *greeting;	     /* what the server's first line begins with */
	const char *says;	     /* and has in it, or it is at home */
	const char *auth, *tls;	     /* commands */
	const char *user, *password; /* whose argument is one; NULL: there is none */
	const char *both;	     /* whose two arguments they are */
	const char *mail;	     /* begins one; NULL: a login does */
};

static const struct dialect smtp = {
	.port = 25,
	.port_too = 587,
	.greeting = "220",
	.says = "smtp",
	.auth = "AUTH",
	.tls = "STARTTLS",
	.mail = "MAIL",
};

static const struct dialect pop3 = {
	.port = 110,
	.greeting = "+OK",
	.says = "pop3",
	.auth = "AUTH",
	.tls = "STLS",
	.user = "USER",
	.password = "PASS",
};

static const struct dialect imap = {
	.port = 143,
	.tagged = true,
	.greeting = "* ",
	.says = "imap",
	.auth = "AUTHENTICATE",
	.tls = "STARTTLS",
	.both = "LOGIN",
};

enum step { STEP_NONE, STEP_USER, STEP_PASSWORD, STEP_PLAIN, STEP_SECRET };

struct state {
	bool over;	 /* nothing is read any more */
	bool as_default; /* asked by a login that everybody knows */
	uint8_t step;	 /* enum step: what the client's next line is of its login, not a command */
	uint8_t failed;
	uint16_t unanswered; /* commands */
	uint16_t login, tls; /* so many answers on, the one to it comes; 0 none */
	struct login_user user;
};

static struct bytes behind(struct bytes b, size_t n)
{
	return n < b.len ? (struct bytes){b.data + n, b.len - n} : (struct bytes){NULL, 0};
}

/* The next word, also in quotes, and what is behind it. */
static struct bytes next_word(struct bytes *rest)
{
	bool quoted;
	struct bytes word, b = head_trim(*rest);

	quoted = b.len && b.data[0] == '"';
	if (quoted)
		b = behind(b, 1);
	word = head_before(b, quoted ? "\"" : " ");
	*rest = behind(b, word.len + quoted);
	return word;
}

static bool is_command(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (((b.data[i] | 0x20) < 'a' || (b.data[i] | 0x20) > 'z') && b.data[i] != '-' &&
		    (b.data[i] < '0' || b.data[i] > '9'))
			return false;
	return b.len > 0;
}

static bool is(struct bytes b, const char *word)
{
	return word && head_is(b, word);
}

static bool begins(struct bytes b, const char *text)
{
	return b.len >= strlen(text) && head_is((struct bytes){b.data, strlen(text)}, text);
}

static bool at_home(const struct dialect *d, const struct proto_input *in)
{
	return proto_at_home(in, d->port) || (d->port_too && proto_at_home(in, d->port_too));
}

/* The server speaks first; who hears the client alone goes by the port. */
static enum parse mail_probe(const struct dialect *d, const struct proto_input *in)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	size_t n = strlen(d->greeting);
	struct bytes line;

	if (in->midstream && !in->expected)
		return PARSE_BAD;
	if (in->end && memcmp(in->data.data, d->greeting, in->data.len < n ? in->data.len : n))
		return PARSE_BAD;
	if (!head_line(&r, &line))
		return (in->end || at_home(d, in)) && in->data.len < GREET_MAX ? PARSE_MORE
									       : PARSE_BAD;
	if (in->end)
		return at_home(d, in) || head_contains(line, d->says) ? PARSE_OK : PARSE_BAD;
	if (d->tagged)
		next_word(&line);
	return at_home(d, in) && is_command(next_word(&line)) ? PARSE_OK : PARSE_BAD;
}

static void password_said(struct state *st, struct mail_msg *m, struct bytes password)
{
	m->login = "password";
	st->as_default = login_is_default(login_user(&st->user), password);
	st->step = STEP_SECRET;
}

/* "authorised NUL name NUL password" (RFC 4616 §2), or one of the lines of LOGIN. False: no password. */
static bool read_sasl(struct state *st, struct bytes line, struct mail_msg *m)
{
	uint8_t room[2 * LOGIN_USER + 2];
	struct bytes plain = {room, login_decode(line, room, sizeof(room))}, name;
	const uint8_t *zero;

	if (st->step == STEP_USER) {
		login_user_set(&st->user, plain);
		st->step = STEP_PASSWORD;
		return false;
	}
	if (st->step == STEP_PLAIN) {
		zero = plain.len ? memchr(plain.data, 0, plain.len) : NULL;
		if (!zero) { /* it gives up ("*") */
			st->step = STEP_SECRET;
			return false;
		}
		name = behind(plain, (size_t)(zero - plain.data) + 1);
		zero = name.len ? memchr(name.data, 0, name.len) : NULL;
		plain = zero ? behind(name, (size_t)(zero - name.data) + 1) : plain;
		name.len = zero ? (size_t)(zero - name.data) : 0;
		login_user_set(&st->user, name);
	}
	password_said(st, m, plain);
	return true;
}

static void begin_sasl(struct state *st, struct bytes rest, struct mail_msg *m)
{
	m->mechanism = next_word(&rest);
	st->as_default = false;
	st->step = is(m->mechanism, "PLAIN")   ? STEP_PLAIN
		   : is(m->mechanism, "LOGIN") ? STEP_USER
					       : STEP_SECRET;
	rest = head_trim(rest);
	if (rest.len && st->step != STEP_SECRET)
		read_sasl(st, rest, m);
}

/* IMAP's LOGIN; what stands in the lines behind (RFC 9051 §4.3) is not read, but that it is one. */
static void begin_login(struct state *st, struct bytes rest, struct mail_msg *m)
{
	st->as_default = false;
	if (rest.len && rest.data[rest.len - 1] == '}') {
		st->step = STEP_PASSWORD;
		return;
	}
	login_user_set(&st->user, next_word(&rest));
	password_said(st, m, next_word(&rest));
}

/* What is no command is not told: it may be of a password. */
static bool read_login(const struct dialect *d, struct state *st, struct bytes line,
		       struct mail_msg *m)
{
	if (d->both && line.len && line.data[line.len - 1] == '}')
		return false;
	return st->step != STEP_SECRET && read_sasl(st, line, m);
}

/* Whether there is TLS, or for nothing: so much a rule for TLS lets be said before it. */
static bool asks(struct bytes command)
{
	return is(command, "EHLO") || is(command, "CAPA") || is(command, "CAPABILITY") ||
	       is(command, "ID") || is(command, "NOOP") || is(command, "QUIT") ||
	       is(command, "LOGOUT");
}

static bool read_command(const struct dialect *d, struct state *st, struct bytes line,
			 struct mail_msg *m)
{
	struct bytes command, rest = line;

	if (st->step)
		return read_login(d, st, line, m);
	if (!line.len)
		return false;
	if (d->tagged)
		next_word(&rest);
	command = next_word(&rest);
	/* MAIL FROM:<a@b>, without a blank where it should be. */
	if (!is_command(command)) {
		m->msg.reason = REASON_MAIL_MALFORMED;
		return true;
	}
	m->command = command;
	/* RFC 3207 §4: behind STARTTLS nothing is said until it is answered. Servers that take it for a command
	 * within TLS let whoever is in between give it (CVE-2011-0411). */
	if (st->tls) {
		m->msg.reason = REASON_MAIL_MALFORMED;
		return true;
	}
	st->unanswered++;
	if (is(command, d->auth) && head_trim(rest).len) {
		begin_sasl(st, rest, m);
	} else if (is(command, d->both)) {
		begin_login(st, rest, m);
	} else if (is(command, d->user)) {
		m->login = "user";
		login_user_set(&st->user, head_trim(rest));
		return true;
	} else if (is(command, d->password)) {
		password_said(st, m, head_trim(rest));
		st->step = STEP_NONE; /* it is the whole of it */
	} else if (is(command, d->tls)) {
		st->tls = st->unanswered;
		m->msg.opens = &tls_proto;
		return true;
	} else {
		m->unencrypted = st->over = is(command, d->mail);
		m->msg.opens = asks(command) ? &tls_proto : NULL;
		return true;
	}
	st->login = st->unanswered;
	return true;
}

/* Is it the last line of an answer to a command? */
static bool is_answer(const struct dialect *d, struct bytes line, bool *ret_well)
{
	struct bytes rest = line;

	if (d->tagged) {
		if (begins(line, "* ") || begins(line, "+"))
			return false;
		next_word(&rest);
		*ret_well = head_is(next_word(&rest), "OK");
		return true;
	}
	if (d->password) {
		*ret_well = begins(line, "+OK");
		return *ret_well || begins(line, "-ERR");
	}
	*ret_well = line.len && line.data[0] == '2';
	return line.len >= 3 && line.data[0] != '3' && (line.len == 3 || line.data[3] == ' ');
}

static bool login_answered(const struct dialect *d, struct state *st, bool well, struct mail_msg *m)
{
	st->step = STEP_NONE;
	m->msg.answer = true;
	m->login = well ? "succeeded" : "failed";
	m->default_login = well && st->as_default;
	m->unencrypted = well && !d->mail;
	st->over = m->unencrypted;
	st->failed += !well;
	m->failed_logins = well ? 0 : st->failed;
	if (st->failed >= LOGIN_GUESSES && !well)
		m->msg.reason = REASON_LOGIN_GUESSING;
	return true;
}

/* Answers come in the order of the commands. */
static bool read_answer(const struct dialect *d, struct state *st, struct bytes line,
			struct mail_msg *m)
{
	bool well, login, tls;

	/* A greeting answers no command; this one stands for a login (RFC 9051 §7.1.4). */
	if (d->tagged && begins(line, "* PREAUTH")) {
		m->msg.answer = m->unencrypted = st->over = true;
		return true;
	}
	if (!is_answer(d, line, &well) || !st->unanswered)
		return false;
	st->unanswered--;
	login = st->login && !--st->login;
	tls = st->tls && !--st->tls;
	if (login)
		return login_answered(d, st, well, m);
	if (!tls || !well)
		return false;
	m->msg.answer = m->encrypted = st->over = true;
	m->msg.opens = &tls_proto;
	return true;
}

static enum parse mail_read(const struct dialect *d, struct state *st, const struct proto_input *in,
			    struct mail_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	struct bytes line;

	if (st->over || in->midstream) {
		out->used = in->data.len;
		out->skip = UINT64_MAX;
		return PARSE_OK;
	}
	if (!head_line(&r, &line)) {
		if (in->data.len < LINE_MAX)
			return PARSE_MORE;
		m->msg.reason = REASON_MAIL_MALFORMED;
		out->has_msg = true;
		return PARSE_BAD;
	}
	out->used = r.off;
	out->has_msg = in->end ? read_answer(d, st, line, m) : read_command(d, st, line, m);
	out->next = m->encrypted ? m->msg.opens : NULL;
	return PARSE_OK;
}

/* Nobody knows what is of a login and what of a mail behind a hole. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
	((struct state *)state)->over = true;
}

#define FIELD(name, member, type, flags)                                        \
	{                                                                       \
		PROTO_KEY(name), offsetof(struct mail_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("command", command, FIELD_TEXT, 0),
	FIELD("mechanism", mechanism, FIELD_TEXT, 0),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	FIELD("unencrypted", unencrypted, FIELD_BOOL, 0),
	{""},
};

#define DIALECT(dialect)                                                              \
	static enum parse dialect##_probe(const struct proto_input *in)               \
	{                                                                             \
		return mail_probe(&dialect, in);                                      \
	}                                                                             \
	static enum parse dialect##_read(void *state, const struct proto_input *in,   \
					 struct msg *ret_m, struct proto_output *out) \
	{                                                                             \
		return mail_read(&dialect, state, in, (struct mail_msg *)ret_m, out); \
	}                                                                             \
	const struct proto dialect##_proto = {                                        \
		.name = #dialect,                                                     \
		.over = PROTO_OVER_TCP,                                               \
		.unmarked = true,                                                     \
		.leads_to = &tls_proto,                                               \
		.state_size = sizeof(struct state),                                   \
		.msg_size = sizeof(struct mail_msg),                                  \
		.fields = fields,                                                     \
		.probe = dialect##_probe,                                             \
		.read = dialect##_read,                                               \
		.gap = gap,                                                           \
	}

DIALECT(smtp);
DIALECT(pop3);
DIALECT(imap);
