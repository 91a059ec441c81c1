#include "guard/proto/telnet.h"

#include "guard/proto/head.h"
#include "guard/proto/logins.h"

#define PORT	  23
#define LINE_MAX  80 /* of the server's, the end of it */
#define ENTRY_MAX 64 /* of the client's */
#define SUB_MAX	  80 /* of a subnegotiation */

enum command {
	END_OF_FILE = 236,
	ABORT = 238,
	SE = 240,
	BREAK = 243,
	INTERRUPT = 244,
	SB = 250,
	WILL = 251,
	DO = 253,
	DONT = 254,
	IAC = 255
};
enum option {
	ECHO = 1,
	NO_GO_AHEAD = 3,
	TERMINAL_TYPE = 24,
	WINDOW_SIZE = 31,
	ENVIRON = 36,
	NEW_ENVIRON = 39,
	COM_PORT = 44
};

enum within { DATA, AFTER_IAC, AFTER_VERB, IN_SUB, IN_SUB_AFTER_IAC };

/* What the server waits for. */
enum asked { ASKED_NOTHING, ASKED_USER, ASKED_PASSWORD, ASKED_TO_WAIT };

struct side {
	uint8_t within, verb, sub_len;
	uint8_t sub[SUB_MAX];
};

struct state {
	struct side side[2];
	bool begun, typed, asked_default;
	bool partial;	    /* what was said may not be all: a password, too */
	uint8_t wanted[32]; /* options that the server speaks of, a bit each */
	uint8_t asked, attempts, failed;
	uint8_t line_len, entry_len, user_len;
	char line[LINE_MAX];
	uint8_t entry[ENTRY_MAX], user[ENTRY_MAX];
};

_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "state");

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool has(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word));
}

static bool ends(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !memcmp(text + len - n, word, n);
}

/* What the end of a line asks for, or says by asking for it. */
static enum asked prompt(const char *line, size_t len)
{
	while (len && line[len - 1] == ' ')
		len--;
	if (!len || line[len - 1] != ':')
		return ASKED_NOTHING;
	if (ends(line, len, "password:") || ends(line, len, "passwd:") ||
	    ends(line, len, "passcode:"))
		return ASKED_PASSWORD;
	if (has(line, len, "last login"))
		return ASKED_NOTHING;
	if (ends(line, len, "login:") || ends(line, len, "username:") || ends(line, len, "user:") ||
	    ends(line, len, "user name:"))
		return ASKED_USER;
	return ASKED_NOTHING;
}

static bool says_no(const char *line, size_t len)
{
	static const char *const words[] = {"incorrect", "failed",  "invalid", "denied",
					    "bad ",	 "failure", "wrong",   "refused"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (has(line, len, words[i]))
			return true;
	return false;
}

/* A greeting, or the prompt of a shell. */
static bool says_yes(const char *line, size_t len, bool ended)
{
	if (has(line, len, "last login") || has(line, len, "welcome"))
		return true;
	return !ended && len >= 2 && line[len - 1] == ' ' && strchr("$#>%", line[len - 2]);
}

static enum parse probe(const struct proto_input *in)
{
	struct bytes b = in->data;
	char text[LINE_MAX];
	size_t n = b.len < LINE_MAX ? b.len : LINE_MAX;

	if (b.data[0] == IAC) {
		/* UTF-16 begins so, too. */
		if (b.len == 1 || (b.data[1] == DONT && b.len < 4))
			return PARSE_MORE;
		if (b.data[1] == DONT && !b.data[3])
			return PARSE_BAD;
		return b.data[1] >= SB && b.data[1] <= DONT ? PARSE_OK : PARSE_BAD;
	}
	/* In the middle nothing need tell any more but the rule. */
	if (in->midstream && in->expected)
		return PARSE_OK;
	/* Without negotiation only a prompt tells, and anybody may have one: the port decides. */
	if (!proto_at_home(in, PORT) || !in->end || in->answering)
		return PARSE_BAD;
	b.data += b.len - n;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)lower(b.data[i]);
	return prompt(text, n) == ASKED_NOTHING ? PARSE_MORE : PARSE_OK;
}

static void tell(struct state *st, struct telnet_msg *m, const char *login)
{
	m->type = "login";
	m->login = login;
	m->attempts = st->attempts;
	m->failed_logins = st->failed;
}

static void failed(struct state *st, struct telnet_msg *m)
{
	st->failed++;
	st->asked = ASKED_NOTHING;
	tell(st, m, "failed");
	m->msg.answer = true;
	if (st->failed >= LOGIN_GUESSES)
		m->msg.reason = REASON_LOGIN_GUESSING;
}

static void succeeded(struct state *st, struct telnet_msg *m)
{
	st->asked = ASKED_NOTHING;
	tell(st, m, "succeeded");
	m->default_login = st->asked_default;
	m->msg.answer = true;
}

/* True where the byte makes a message. */
static bool server_says(struct state *st, uint8_t c, struct telnet_msg *m)
{
	bool ended = c == '\r' || c == '\n', waits = st->asked == ASKED_TO_WAIT;
	enum asked asked;

	if (ended) {
		bool no = waits && says_no(st->line, st->line_len);
		bool yes = waits && !no && says_yes(st->line, st->line_len, true);

		st->line_len = 0;
		if (no)
			failed(st, m);
		else if (yes)
			succeeded(st, m);
		return no || yes;
	}
	if (c < ' ')
		return false;
	if (st->line_len == LINE_MAX)
		memmove(st->line, st->line + 1, --st->line_len);
	st->line[st->line_len++] = (char)lower(c);
	asked = c == ':' ? prompt(st->line, st->line_len) : ASKED_NOTHING;
	if (asked != ASKED_NOTHING) {
		st->entry_len = 0;
		if (asked == ASKED_USER && waits)
			failed(st, m); /* asks again without a word */
		st->asked = (uint8_t)asked;
		return m->type;
	}
	if (!waits || !says_yes(st->line, st->line_len, false))
		return false;
	succeeded(st, m);
	return true;
}

static void entered(struct state *st, struct telnet_msg *m)
{
	m->msg.control = true;
	if (st->asked == ASKED_USER) {
		memcpy(st->user, st->entry, st->entry_len);
		st->user_len = st->entry_len;
		tell(st, m, "user");
		st->asked = ASKED_NOTHING;
	} else {
		st->attempts++;
		tell(st, m, "password");
		m->default_login = login_is_default((struct bytes){st->user, st->user_len},
						    (struct bytes){st->entry, st->entry_len});
		st->asked_default = m->default_login;
		st->asked = ASKED_TO_WAIT;
	}
	memset(st->entry, 0, sizeof(st->entry));
	st->entry_len = 0;
}

/* Commands where nobody asks who one is, or a name ahead of the question: told once. */
static bool typed(struct state *st, struct telnet_msg *m)
{
	if (st->typed)
		return false;
	st->typed = m->msg.control = true;
	m->type = "input";
	m->no_password = !st->partial && !st->attempts && says_yes(st->line, st->line_len, false);
	return true;
}

/*
 * Is the next byte of a subnegotiation one that a server may take for typed? Small ones pass over as
 * much as the options have that they know (RFC 855, RFC 1073), and not up to its end.
 */
static bool is_typed(const struct state *st, const struct side *s, uint8_t c)
{
	if (!s->sub_len)
		return !(st->wanted[c / 8] >> c % 8 & 1);
	/* RFC 2217 §3: 0 is who one is; the others set the line behind a port, or its signals. */
	if (s->sub[0] == COM_PORT && s->sub_len == 1)
		return c;
	return s->sub[0] == WINDOW_SIZE && s->sub_len == 5;
}

/* A key, as far as it is more than a line's end; a rest of what ended one may be late. */
static bool is_key(uint8_t c)
{
	return c >= ' ' || (c && c != '\r' && c != '\n');
}

/* RFC 854, RFC 1184 §2.5: what a key does elsewhere; a console that is sent a break may halt its machine. */
static bool is_key_command(uint8_t c)
{
	return (c >= END_OF_FILE && c <= ABORT) || c == BREAK || c == INTERRUPT || c == IAC;
}

static bool client_says(struct state *st, uint8_t c, struct telnet_msg *m)
{
	if (st->asked != ASKED_USER && st->asked != ASKED_PASSWORD)
		return is_key(c) && typed(st, m);
	if (c == '\r' || c == '\n') {
		entered(st, m);
		return true;
	}
	if ((c == 8 || c == 127) && st->entry_len)
		st->entry_len--;
	else if (c >= ' ' && st->entry_len < ENTRY_MAX)
		st->entry[st->entry_len++] = c;
	return false;
}

/* RFC 1572: USER with a value that a login program takes for an option of its own. */
static bool is_bypass(struct bytes env)
{
	const uint8_t *at = env.len ? memmem(env.data, env.len, "USER\1", 5) : NULL;

	return at && at + 5 < env.data + env.len && at[5] == '-';
}

static bool negotiated(struct side *s, struct telnet_msg *m)
{
	struct bytes sub = {s->sub, s->sub_len};

	if (sub.len > 2 && s->sub[0] == TERMINAL_TYPE && s->sub[1] == 0) {
		m->type = "terminal";
		m->terminal = (struct bytes){s->sub + 2, sub.len - 2u};
		return true;
	}
	if (sub.len && (s->sub[0] == NEW_ENVIRON || s->sub[0] == ENVIRON) && is_bypass(sub)) {
		m->type = "login";
		m->msg.control = true;
		m->msg.reason = REASON_TELNET_BYPASS;
		return true;
	}
	return false;
}

/* Takes the protocol's own commands out; true where the byte makes a message. */
static bool take(struct state *st, struct side *s, bool server, uint8_t c, struct telnet_msg *m)
{
	bool told;

	switch (s->within) {
	case AFTER_IAC:
		s->within = c == SB ? IN_SUB : c >= WILL && c <= DONT ? AFTER_VERB : DATA;
		s->sub_len = 0;
		s->verb = c;
		return !server && is_key_command(c) && typed(st, m);
	case AFTER_VERB:
		s->within = DATA;
		if (server && (s->verb == DO || s->verb == WILL) && c != ECHO && c != NO_GO_AHEAD)
			st->wanted[c / 8] |= (uint8_t)(1 << c % 8);
		return false;
	case IN_SUB_AFTER_IAC:
		s->within = c == SE ? DATA : IN_SUB;
		if (c == SE)
			return negotiated(s, m);
		break;
	case IN_SUB:
		if (c == IAC) {
			s->within = IN_SUB_AFTER_IAC;
			return false;
		}
		break;
	case DATA:
		if (c == IAC) {
			s->within = AFTER_IAC;
			return false;
		}
		return server ? server_says(st, c, m) : client_says(st, c, m);
	}
	told = !server && is_typed(st, s, c) && typed(st, m);
	if (s->sub_len < SUB_MAX)
		s->sub[s->sub_len++] = c;
	return told;
}

static enum parse telnet_read(void *state, const struct proto_input *in, struct msg *ret_m,
			      struct proto_output *ret_out)
{
	struct telnet_msg *m = (struct telnet_msg *)ret_m;
	struct state *st = state;
	bool server;

	if (!st->begun) {
		st->begun = true;
		st->partial = in->midstream || in->alone;
		m->type = "begin";
		ret_out->has_msg = true;
		return PARSE_OK;
	}
	/* Which end serves is known by the port, or by the rule, where the opening was not seen. */
	server = in->midstream && in->port[0] == PORT ? !in->end : proto_serves(in);
	while (ret_out->used < in->data.len && !ret_out->has_msg)
		ret_out->has_msg =
			take(st, &st->side[in->end], server, in->data.data[ret_out->used++], m);
	return PARSE_OK;
}

/* Whatever was being said, it starts anew. */
static void gap(void *state, unsigned end, uint64_t bytes)
{
	struct state *st = state;

	st->side[end].within = DATA;
	st->partial = true;
	st->line_len = st->entry_len = 0;
}

#define FIELD(name, member, type, flags)                                          \
	{                                                                         \
		PROTO_KEY(name), offsetof(struct telnet_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("type", type, FIELD_NAME, 0),
	FIELD("login", login, FIELD_NAME, 0),
	FIELD("attempts", attempts, FIELD_U8, 0),
	FIELD("failed_logins", failed_logins, FIELD_U8, 0),
	FIELD("default_login", default_login, FIELD_BOOL, 0),
	FIELD("no_password", no_password, FIELD_BOOL, 0),
	FIELD("terminal", terminal, FIELD_TEXT, FIELD_MATCH),
	{""},
};

const struct proto telnet_proto = {
	.name = "telnet",
	.over = PROTO_OVER_TCP,
	.urgent = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct telnet_msg),
	.fields = fields,
	.probe = probe,
	.read = telnet_read,
	.gap = gap,
};
