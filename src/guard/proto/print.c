#include "guard/proto/print.h"

#include "guard/proto/head.h"

#define PORT_LPD  515
#define PORT_RAW  9100
#define QUEUE_MAX 256

enum { RECEIVE_JOB = 2 };

/* What a job begins with; HP's Printer Job Language Technical Reference, "Universal Exit". */
static const struct {
	const char *begin, *language;
	bool anywhere; /* nothing else begins so */
} languages[] = {
	{"\x1b%-12345X", "PJL", true},
	{"%!PS", "PostScript", true},
	{"\x1b"
	 "E",
	 "PCL", false},
	{"%PDF-", "PDF", false},
	{"^XA", "ZPL", false}, /* labels */
};

/* RFC 1179 §5. */
static const char *const commands[] = {NULL,	      "print_waiting", "receive_job",
				       "queue_short", "queue_long",    "remove_jobs"};

static const char *command_of(uint8_t code)
{
	return code < sizeof(commands) / sizeof(commands[0]) ? commands[code] : NULL;
}

/* A command, the name of a queue, and the end of the line. */
static enum parse find_command(struct bytes b, const char **ret_command, size_t *ret_used)
{
	const char *command = command_of(b.data[0]);

	for (size_t i = 1; command && i < b.len && i < QUEUE_MAX; i++) {
		if (b.data[i] == '\n') {
			*ret_command = command;
			*ret_used = i + 1;
			return PARSE_OK;
		}
		if (b.data[i] < ' ')
			return PARSE_BAD;
	}
	return command && b.len < QUEUE_MAX ? PARSE_MORE : PARSE_BAD;
}

static enum parse find_language(struct bytes b, bool raw, const char **ret_language)
{
	enum parse got = PARSE_BAD;

	for (unsigned i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		size_t len = strlen(languages[i].begin), n = b.len < len ? b.len : len;

		if ((!raw && !languages[i].anywhere) || memcmp(b.data, languages[i].begin, n))
			continue;
		*ret_language = languages[i].language;
		if (n == len)
			return PARSE_OK;
		got = PARSE_MORE;
	}
	return got;
}

static enum parse find(struct bytes b, bool raw, bool lpd, struct print_msg *m, size_t *ret_used)
{
	enum parse got = find_language(b, raw, &m->language);

	*ret_used = 1;
	return got == PARSE_BAD && lpd ? find_command(b, &m->command, ret_used) : got;
}

static enum parse probe(const struct proto_input *in)
{
	struct print_msg m = {0};
	enum parse got;
	size_t used;

	if (in->end || (in->midstream && !in->expected))
		return PARSE_BAD;
	got = find(in->data, proto_at_home(in, PORT_RAW), proto_at_home(in, PORT_LPD), &m, &used);
	return got == PARSE_MORE && in->last ? PARSE_BAD : got;
}

/* The beginning is all that is looked at. */
static enum parse print_read(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct print_msg *m = (struct print_msg *)ret_m;
	enum parse got = PARSE_BAD;
	size_t used;

	if (!in->end && !in->midstream)
		got = find(in->data, true, true, m, &used);
	if (got == PARSE_MORE && !in->last) {
		m->language = NULL;
		return got;
	}
	ret_out->used = got == PARSE_OK ? used : in->data.len;
	ret_out->skip = UINT64_MAX;
	ret_out->has_msg = got == PARSE_OK;
	m->unencrypted = m->language || m->command == commands[RECEIVE_JOB];
	return PARSE_OK;
}

#define FIELD(name, type)                                                   \
	{                                                                   \
		PROTO_KEY(#name), offsetof(struct print_msg, name), type, 0 \
	}
static const struct proto_field fields[] = {
	FIELD(command, FIELD_NAME),
	FIELD(language, FIELD_NAME),
	FIELD(unencrypted, FIELD_BOOL),
	{""},
};

static void gap(void *state, unsigned end, uint64_t bytes)
{
}

const struct proto print_proto = {
	.name = "print",
	.over = PROTO_OVER_TCP,
	.unmarked = true,
	.msg_size = sizeof(struct print_msg),
	.fields = fields,
	.probe = probe,
	.read = print_read,
	.gap = gap,
};
