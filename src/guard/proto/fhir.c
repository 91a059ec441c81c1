#include "guard/proto/fhir.h"

#include <ctype.h>

enum form { UNKNOWN, JSON, XML, NEITHER };
enum place { TEXT, OPENED, NAME, ATTRIBUTES, MARKUP, COMMENT };
enum { NOTHING, METHOD, URL, REQUEST };

/* One byte more than there is room for is one too many. */
static void add_to_word(struct fhir_bundle *s, uint8_t c)
{
	if (s->word_len < FHIR_WORD)
		s->word[s->word_len] = c;
	s->word_len = (uint8_t)(s->word_len + (s->word_len <= FHIR_WORD));
}

static bool is_word(const struct fhir_bundle *s, const char *text)
{
	size_t n = strlen(text);

	return s->word_len == n && !memcmp(s->word, text, n);
}

static void begin_value(struct fhir_bundle *s)
{
	if (s->value_of == METHOD) {
		s->twice |= s->has_method;
		s->has_method = true;
	} else if (s->value_of == URL) {
		s->twice |= s->has_url;
		s->has_url = true;
		s->query = false;
	}
}

/* What a method or a path would need an escape for is none. */
static void add_to_value(struct fhir_bundle *s, uint8_t c)
{
	if (s->value_of == METHOD) {
		s->twice |= s->method_len == FHIR_WORD || !isalpha(c);
		if (s->method_len < FHIR_WORD)
			s->method[s->method_len++] = c;
	} else if (s->value_of == URL) {
		s->query |= c == '?';
		s->twice |= !s->query && (s->url_len == FHIR_URL || c == '&' || c == '\\');
		if (!s->query && s->url_len < FHIR_URL)
			s->url[s->url_len++] = c;
	}
}

static void begin_request(struct fhir_bundle *s)
{
	s->has_method = s->has_url = s->twice = false;
	s->method_len = s->url_len = 0;
}

/* Of a request; what is deeper in it has the same names. */
static void take_name(struct fhir_bundle *s)
{
	s->value_of = NOTHING;
	if (!s->depth && is_word(s, "request"))
		s->value_of = REQUEST;
	else if (s->depth == 1)
		s->value_of = is_word(s, "method") ? METHOD : is_word(s, "url") ? URL : NOTHING;
}

/* JSON: true where a request ends, or where a name has letters in escapes, which none needs. */

/* Of an escape as \u0041. */
static void take_escape(struct fhir_bundle *s, uint8_t c)
{
	static const char start[] = "\\u00";

	s->escaped |= s->escape == 4 && c >= '0' && c <= '7';
	if (s->escape != 1 && c == '\\')
		s->escape = 1;
	else
		s->escape = s->escape < 4 && c == start[s->escape] ? (uint8_t)(s->escape + 1) : 0;
}

static void take_string(struct fhir_bundle *s, uint8_t c)
{
	if (s->escape != 1 && c == '"') {
		s->quote = 0;
		s->key = s->value_of == NOTHING;
		s->value_of = NOTHING;
		return;
	}
	take_escape(s, c);
	if (s->value_of)
		add_to_value(s, c);
	else
		add_to_word(s, c);
}

static bool take_json(struct fhir_bundle *s, uint8_t c)
{
	bool key = s->key;

	if (s->quote) {
		take_string(s, c);
		return false;
	}
	if (isspace(c))
		return false;
	s->key = false;
	switch (c) {
	case '"':
		s->quote = c;
		s->escape = 0;
		s->escaped = false;
		s->word_len = 0;
		begin_value(s);
		return false;
	case ':':
		if (key && s->escaped) {
			s->twice = true;
			return true;
		}
		if (key)
			take_name(s);
		return false;
	case '{':
	case '[':
		if (!s->depth && s->value_of == REQUEST)
			begin_request(s);
		if (s->depth || s->value_of == REQUEST) {
			s->twice |= s->depth == UINT8_MAX;
			s->depth = (uint8_t)(s->depth + (s->depth < UINT8_MAX));
		}
		break;
	case '}':
	case ']':
		s->value_of = NOTHING;
		return s->depth && !--s->depth;
	}
	s->value_of = NOTHING;
	return false;
}

/* XML: the same; a section or a DTD may hide names, too. */

static bool end_name(struct fhir_bundle *s)
{
	s->place = ATTRIBUTES;
	s->attribute = false;
	if (s->closing) {
		s->value_of = NOTHING;
		if (!s->depth || !is_word(s, "request"))
			return false;
		s->depth = 0;
		return true;
	}
	if (!s->rooted && !is_word(s, "Bundle"))
		s->form = NEITHER;
	s->rooted = true;
	take_name(s);
	if (s->value_of != REQUEST)
		return false;
	begin_request(s);
	s->depth = 1;
	return false;
}

static bool is_name(uint8_t c)
{
	return isalnum(c) || c == '_' || c == '-' || c == '.' || c > 127;
}

static void take_attribute(struct fhir_bundle *s, uint8_t c)
{
	if (s->quote && c == s->quote) {
		s->quote = 0;
		s->attribute = false;
	} else if (s->quote) {
		if (is_word(s, "value"))
			add_to_value(s, c);
	} else if (c == '"' || c == '\'') {
		s->quote = c;
		if (is_word(s, "value"))
			begin_value(s);
	} else if (is_name(c)) {
		if (!s->attribute)
			s->word_len = 0;
		s->attribute = true;
		add_to_word(s, c);
	} else if (c == '>') {
		s->place = TEXT;
		s->value_of = NOTHING;
	}
}

static bool take_markup(struct fhir_bundle *s, uint8_t c)
{
	add_to_word(s, c);
	if (!is_word(s, "-") && !is_word(s, "--")) {
		s->place = TEXT;
		s->twice = true;
		return true;
	}
	if (s->word_len == 2) {
		s->place = COMMENT;
		s->word_len = 0;
	}
	return false;
}

/* `word` is as many dashes as were before. */
static void take_comment(struct fhir_bundle *s, uint8_t c)
{
	if (c == '>' && s->word_len >= 2)
		s->place = TEXT;
	if (c == '-')
		add_to_word(s, c);
	else
		s->word_len = 0;
}

static bool take_xml(struct fhir_bundle *s, uint8_t c)
{
	bool ends;

	switch (s->place) {
	case TEXT:
		s->place = c == '<' ? OPENED : TEXT;
		s->word_len = 0;
		s->closing = false;
		return false;
	case OPENED:
		if (c == '!') {
			s->place = MARKUP;
			return false;
		}
		s->place = c == '?' ? ATTRIBUTES : NAME;
		s->closing = c == '/';
		if (is_name(c))
			add_to_word(s, c);
		return false;
	case NAME:
		if (c == ':') /* behind a prefix */
			s->word_len = 0;
		else if (is_name(c))
			add_to_word(s, c);
		if (c == ':' || is_name(c))
			return false;
		ends = end_name(s);
		take_attribute(s, c);
		return ends;
	case MARKUP:
		return take_markup(s, c);
	case COMMENT:
		take_comment(s, c);
		return false;
	}
	take_attribute(s, c);
	return false;
}

static bool take(struct fhir_bundle *s, uint8_t c)
{
	if (s->form == UNKNOWN && !isspace(c) && c < 128) /* a mark may be ahead */
		s->form = c == '<' ? XML : c == '{' || c == '[' ? JSON : NEITHER;
	return s->form == JSON ? take_json(s, c) : s->form == XML && take_xml(s, c);
}

/* What is neither a name nor a value, as take() does, at a few times its speed; how many bytes. */
static size_t pass_over(const struct fhir_bundle *s, struct bytes b)
{
	const uint8_t *tag;
	size_t i = 0;

	if (s->form == XML && s->place == TEXT) {
		tag = memchr(b.data, '<', b.len);
		return tag ? (size_t)(tag - b.data) : b.len;
	}
	if (s->form != JSON || !s->quote || s->value_of || s->escape || s->word_len <= FHIR_WORD)
		return 0;
	while (i < b.len && b.data[i] != '"' && b.data[i] != '\\')
		i++;
	return i;
}

bool fhir_bundle_take(struct fhir_bundle *s, struct bytes piece, size_t *ret_used)
{
	bool found = false;
	size_t used = 0;

	while (used < piece.len && !found && s->form != NEITHER) {
		used += pass_over(s, (struct bytes){piece.data + used, piece.len - used});
		if (used < piece.len)
			found = take(s, piece.data[used++]) &&
				(s->has_method || s->has_url || s->twice);
	}
	*ret_used = found ? used : piece.len;
	return found;
}

struct bytes fhir_bundle_method(const struct fhir_bundle *s)
{
	return (struct bytes){s->method, s->twice ? 0 : s->method_len};
}

struct bytes fhir_bundle_url(const struct fhir_bundle *s)
{
	return (struct bytes){s->url, s->twice ? 0 : s->url_len};
}
