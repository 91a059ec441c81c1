#include "guard/proto/soap.h"

#include <strings.h>

static size_t cut(size_t len, size_t max)
{
	return len < max ? len : max;
}

static bool is_blank(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!memchr(" \t\r\n", text.data[i], 4))
			return false;
	return true;
}

/* An action's text may come in pieces; blanks around it are none of it. */
static bool take_text(struct soap *s, struct bytes text)
{
	if (s->place == SOAP_START)
		return xml_is_outside(text);
	if (s->place != SOAP_IN_ACTION)
		return true;
	for (size_t i = 0; i < text.len; i++) {
		if (is_blank((struct bytes){text.data + i, 1}))
			continue;
		/* A reference would be read as what it stands for. */
		if (s->action_len == SOAP_ACTION || text.data[i] == '&')
			return false;
		s->action[s->action_len++] = text.data[i];
	}
	return true;
}

static bool open_element(struct soap *s, const struct xml_token *t)
{
	struct bytes name = xml_local(t->name);
	unsigned depth = s->xml.depth + (t->kind == XML_EMPTY);

	if (depth == 1 && s->place != SOAP_START)
		return false;
	switch (s->place) {
	case SOAP_START:
		s->place = SOAP_ENVELOPE;
		return depth == 1 && t->kind == XML_OPEN && xml_is(name, "Envelope");
	case SOAP_ENVELOPE:
		if (depth == 2 && t->kind == XML_OPEN && xml_is(name, "Header"))
			s->place = SOAP_HEADER;
		else if (depth == 2 && xml_is(name, "Body"))
			s->place = t->kind == XML_OPEN ? SOAP_IN_BODY : SOAP_KNOWN;
		return true;
	case SOAP_HEADER:
		if (depth != 3 || t->kind != XML_OPEN || !xml_is(name, "Action"))
			return true;
		s->place = SOAP_IN_ACTION;
		return !s->action_len; /* a second one would say something else */
	case SOAP_IN_ACTION:
		return false;
	case SOAP_IN_BODY:
		if (depth != 3)
			return true;
		s->body_len = (uint8_t)cut(name.len, SOAP_BODY);
		memcpy(s->body, name.data, s->body_len);
		s->place = SOAP_KNOWN;
		return true;
	case SOAP_KNOWN:
		return depth >
		       3; /* SOAP 1.2 §5.1, DPWS: one body, and in it one thing that is asked for */
	}
	return true;
}

/* BP 1.1 R1012 wants UTF-8 or UTF-16; in these, too, ASCII's bytes are its characters, and no others. */
static bool is_known_encoding(struct bytes name)
{
	static const char *const known[] = {"utf-8", "utf-16", "us-ascii", "iso-8859-",
					    "windows-125"};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (name.len >= strlen(known[i]) &&
		    !strncasecmp((const char *)name.data, known[i], strlen(known[i])))
			return true;
	return !name.data;
}

bool soap_take(struct soap *s, const struct xml_token *t)
{
	switch (t->kind) {
	case XML_TEXT:
		return take_text(s, t->text);
	case XML_OPEN:
	case XML_EMPTY:
		return open_element(s, t);
	case XML_CLOSE:
		if (s->place == SOAP_IN_ACTION)
			s->place = SOAP_HEADER;
		else if (s->place == SOAP_HEADER && s->xml.depth == 1)
			s->place = SOAP_ENVELOPE;
		else if (s->place == SOAP_IN_BODY && s->xml.depth == 1)
			s->place = SOAP_KNOWN; /* it is empty */
		return true;
	case XML_OTHER:
		return is_known_encoding(xml_attribute(t, "encoding"));
	}
	return true;
}

struct bytes soap_action(const struct soap *s)
{
	size_t at = s->action_len;

	while (at && !memchr("/#:", s->action[at - 1], 3)) /* of a URN, too */
		at--;
	return (struct bytes){s->action + at, s->action_len - at};
}

static bool ends(struct bytes name, const char *with)
{
	size_t n = strlen(with);

	return name.len >= n && !memcmp(name.data + name.len - n, with, n);
}

static bool commands(struct bytes name)
{
	if (ends(name, "Response"))
		return false;
	return (name.len > 3 && !memcmp(name.data, "Set", 3)) ||
	       (name.len >= 8 && !memcmp(name.data, "Activate", 8));
}

bool soap_commands(const struct soap *s)
{
	return commands(soap_action(s)) || commands((struct bytes){s->body, s->body_len});
}

bool soap_answers(const struct soap *s)
{
	return ends(soap_action(s), "Response") || ends(soap_action(s), "Matches") ||
	       ends(soap_action(s), "fault");
}
