#include "cli/explain_internal.h"

#include <string.h>

#include "guard/policy/data.h"
#include "guard/policy/vocabulary.h"

/* A rule's text about messages (guard/policy/message.h), taken apart. */
struct spoken {
	char app[32]; /* "" any */
	bool no_control;
	const char *lines; /* the first behind the app's, or its end */
};

static size_t line_len(const char *line)
{
	return strcspn(line, "\n");
}

static const char *behind(const char *line)
{
	line += line_len(line);
	return *line ? line + 1 : line;
}

/* The next "member=pattern" from `line` on, NULL none is left. */
static const char *next_pattern(const char *line)
{
	while (*line && (line_len(line) == 10 && !memcmp(line, "control=no", 10)))
		line = behind(line);
	return *line ? line : NULL;
}

static void take_apart(const char *text, struct spoken *ret_s)
{
	size_t len = line_len(text) < sizeof(ret_s->app) ? line_len(text) : sizeof(ret_s->app) - 1;

	memcpy(ret_s->app, text, len);
	ret_s->app[len] = 0;
	ret_s->lines = behind(text);
	ret_s->no_control = false;
	for (const char *line = ret_s->lines; *line; line = behind(line))
		ret_s->no_control |= line_len(line) == 10 && !memcmp(line, "control=no", 10);
}

static bool is_of(const char *line, const char *member, size_t len)
{
	return strncmp(line, member, len) == 0 && line[len] == '=';
}

/* Was the member of this line named by one before it? */
static bool is_repeated(const struct spoken *s, const char *line)
{
	size_t len = strcspn(line, "=");

	for (const char *l = next_pattern(s->lines); l && l < line; l = next_pattern(behind(l)))
		if (is_of(l, line, len))
			return true;
	return false;
}

/* "ORU^R01 (results and measurements)"; what is empty, or anything, by its meaning alone. */
static void print_value(FILE *out, const char *app, const char *line, size_t member)
{
	const char *value = line + member + 1;
	size_t len = line_len(line) - member - 1;
	const char *means = explain_value(app, line, member, value, len);

	if (!len || (len == 1 && *value == '*'))
		fputs(means, out);
	else if (means)
		fprintf(out, "%.*s (%s)", (int)len, value, means);
	else
		fprintf(out, "%.*s", (int)len, value);
}

/* "type ORU^R01 (results and measurements) or ACK (acknowledgements)" */
static void print_member(FILE *out, const char *app, const char *first)
{
	size_t len = strcspn(first, "=");
	const char *words = explain_member(app, first, len);
	unsigned said = 0;

	if (words)
		fputs(words, out);
	else
		fprintf(out, "%.*s", (int)len, first);
	for (const char *l = first; l; l = next_pattern(behind(l)))
		if (is_of(l, first, len)) {
			fputs(said++ ? " or " : " ", out);
			print_value(out, app, l, len);
		}
}

const struct proto *explain_protocol(const char *text)
{
	struct spoken s;

	take_apart(text, &s);
	return *s.app ? proto_find(s.app) : NULL;
}

/* A promise is made where it is kept only: nobody reads what is sealed. */
static const char *control_words(const struct spoken *s)
{
	const struct proto *p = proto_find(s->app);

	if (p && p->unmarked)
		return s->no_control ? "; what changes a device is NOT told apart there" : "";
	return s->no_control ? "; nothing that changes a device"
			     : "; what changes a device may pass";
}

void explain_messages(FILE *out, const char *text)
{
	struct spoken s;
	unsigned said = 0;

	take_apart(text, &s);
	if (!*s.app)
		return;
	fprintf(out, "      only %s is spoken there", s.app);
	for (const char *l = next_pattern(s.lines); l; l = next_pattern(behind(l))) {
		if (is_repeated(&s, l))
			continue;
		fputs(said++ ? ", and " : "; messages: ", out);
		print_member(out, s.app, l);
	}
	fprintf(out, "%s%s\n", control_words(&s),
		data_is_app(s.app)
			? "; the connections for data that are announced there are included"
			: "");
}

json_t *explain_messages_json(const char *text)
{
	json_t *allow = json_object(), *list;
	struct spoken s;
	char member[64];

	take_apart(text, &s);
	for (const char *l = *s.app ? next_pattern(s.lines) : NULL; l;
	     l = next_pattern(behind(l))) {
		size_t len = strcspn(l, "=");

		snprintf(member, sizeof(member), "%.*s", (int)len, l);
		list = json_object_get(allow, member);
		if (!list) {
			list = json_array();
			json_object_set_new(allow, member, list);
		}
		json_array_append_new(list, json_stringn(l + len + 1, line_len(l) - len - 1));
	}
	if (!*s.app) {
		json_decref(allow);
		return json_null();
	}
	return json_pack("{s:s, s:b, s:o}", "app", s.app, "control", !s.no_control, "allow", allow);
}

/* One pattern: "message_type=RGV^O15". */
static void warn_pattern(const char *service, const struct spoken *s, const char *line,
			 const struct warning *w)
{
	char member[64], pattern[64];
	size_t len = strcspn(line, "="), rest = line_len(line) - len - 1;

	if (rest >= sizeof(pattern))
		return;
	snprintf(member, sizeof(member), "%.*s", (int)len, line);
	snprintf(pattern, sizeof(pattern), "%.*s", (int)rest, line + len + 1);
	if (s->no_control && vocabulary_is_control(s->app, member, pattern))
		explain_warn(w,
			     "the line '%s' names %s and refuses it: that changes a device, and "
			     "control is no; if it is meant to pass, say control: yes",
			     service, pattern);
	if (!strcmp(s->app, "hl7") && !strcmp(member, "message_type") &&
	    vocabulary_is_foreign(pattern))
		explain_warn(w,
			     "the line '%s' names %s: HL7 has no message of that type (a site's "
			     "own begin with Z), so probably nothing will fit",
			     service, pattern);
}

void explain_messages_vain(const char *service, const char *text, const struct warning *w)
{
	struct spoken s;

	take_apart(text, &s);
	for (const char *l = *s.app ? next_pattern(s.lines) : NULL; l; l = next_pattern(behind(l)))
		warn_pattern(service, &s, l, w);
}
