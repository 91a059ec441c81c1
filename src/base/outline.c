#include "base/outline.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#define MAX_DEPTH 16
#define MAX_NODES (4u << 20)

struct outline {
	struct outline_node *nodes;
	uint32_t count, cap;
	char *text;
	uint32_t text_len, text_cap;
};

static void add(struct errors *e, unsigned line, unsigned column, const char *fmt, va_list ap)
{
	struct config_error *to;

	if (e->count >= e->max)
		return;
	to = &e->list[e->count++];
	snprintf(to->file, sizeof(to->file), "%s", e->file);
	to->line = line;
	to->column = column;
	vsnprintf(to->text, sizeof(to->text), fmt, ap);
}

void errors_add(struct errors *e, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(e, line, column, fmt, ap);
	va_end(ap);
}

static bool grow(void **block, uint32_t *cap, uint64_t need, size_t size)
{
	uint64_t n = *cap ? *cap : 256;
	void *p;

	if (need <= *cap)
		return true;
	while (n < need)
		n *= 2;
	if (n > UINT32_MAX)
		return false;
	p = realloc(*block, n * size);
	if (!p)
		return false;
	*block = p;
	*cap = (uint32_t)n;
	return true;
}

static bool keep_text(struct outline *o, const yaml_event_t *event, uint32_t *ret_at)
{
	size_t len = event->data.scalar.length;

	if (!grow((void **)&o->text, &o->text_cap, (uint64_t)o->text_len + len + 1, 1))
		return false;
	memcpy(o->text + o->text_len, event->data.scalar.value, len);
	o->text[o->text_len + len] = 0;
	*ret_at = o->text_len;
	o->text_len += (uint32_t)len + 1;
	return true;
}

/* What is open while events come in. */
struct building {
	struct outline *o;
	struct errors *e;
	uint32_t open[MAX_DEPTH], last[MAX_DEPTH];
	unsigned depth;
	unsigned documents;
};

static bool refuse(struct building *b, const yaml_event_t *event, const char *why)
{
	errors_add(b->e, (unsigned)event->start_mark.line + 1,
		   (unsigned)event->start_mark.column + 1, "%s", why);
	return false;
}

/*
 * Escapes bring in what a file itself may not hold: control characters, which would
 * command the terminal that shows them, and those that turn the direction of writing,
 * by which a policy reads otherwise than it is (Unicode UAX #9 §2). Lines may break.
 */
bool outline_hides(struct bytes text)
{
	const uint8_t *s = text.data;

	for (size_t i = 0; i < text.len; i++) {
		const uint8_t *next = s + i + 1;
		size_t left = text.len - i - 1;

		if ((s[i] < 0x20 && s[i] != '\t' && s[i] != '\n' && s[i] != '\r') || s[i] == 0x7f)
			return true;
		if (s[i] == 0xc2 && left >= 1 && next[0] < 0xa0)
			return true; /* U+0080 to U+009F */
		if (s[i] != 0xe2 || left < 2)
			continue;
		if ((next[0] == 0x80 && next[1] >= 0xaa && next[1] <= 0xae) ||
		    (next[0] == 0x81 && next[1] >= 0xa6 && next[1] <= 0xa9))
			return true; /* U+202A to U+202E, U+2066 to U+2069 */
	}
	return false;
}

static bool add_node(struct building *b, const yaml_event_t *event, enum outline_kind kind)
{
	struct outline *o = b->o;
	struct outline_node n = {.kind = (uint8_t)kind,
				 .line = (uint32_t)event->start_mark.line + 1,
				 .column = (uint32_t)event->start_mark.column + 1,
				 .first = OUTLINE_NONE,
				 .next = OUTLINE_NONE};

	if (o->count == MAX_NODES)
		return refuse(b, event,
			      "the file holds more than the gateway reads; split the site");
	if (kind != OUTLINE_SCALAR && b->depth == MAX_DEPTH)
		return refuse(b, event,
			      "nested too deeply; nothing in this file is nested so deeply");
	if (kind == OUTLINE_SCALAR) {
		n.plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
			return refuse(b, event, "text with a zero byte in it; expected plain text");
		if (outline_hides(
			    (struct bytes){event->data.scalar.value, event->data.scalar.length}) ||
		    memchr(event->data.scalar.value, '\r', event->data.scalar.length))
			return refuse(
				b, event,
				"text with a character that is not shown or changes how others "
				"are; expected plain text");
		if (!keep_text(o, event, &n.text))
			return refuse(b, event, "out of memory");
	}
	if (!grow((void **)&o->nodes, &o->cap, (uint64_t)o->count + 1, sizeof(n)))
		return refuse(b, event, "out of memory");
	o->nodes[o->count] = n;
	if (b->depth) {
		struct outline_node *up = &o->nodes[b->open[b->depth - 1]];

		if (up->count++)
			o->nodes[b->last[b->depth - 1]].next = o->count;
		else
			up->first = o->count;
		b->last[b->depth - 1] = o->count;
	}
	if (kind != OUTLINE_SCALAR)
		b->open[b->depth++] = o->count;
	o->count++;
	return true;
}

static bool take(struct building *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++)
			return refuse(b, event, "a second document begins; expected one a file");
		return true;
	case YAML_ALIAS_EVENT:
		return refuse(b, event, "an alias (*name); write the value out where it is used");
	case YAML_SCALAR_EVENT:
		return add_node(b, event, OUTLINE_SCALAR);
	case YAML_SEQUENCE_START_EVENT:
		return add_node(b, event, OUTLINE_LIST);
	case YAML_MAPPING_START_EVENT:
		return add_node(b, event, OUTLINE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return true;
	default:
		return true;
	}
}

/* Lines and characters before an offset. */
static void count_to(struct bytes text, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < offset && i < text.len; i++)
		if (text.data[i] == '\n') {
			line++;
			column = 1;
		} else if ((text.data[i] & 0xc0) != 0x80) {
			column++;
		}
	*ret_line = line;
	*ret_column = column;
}

static bool is_tab(struct bytes text, unsigned line, unsigned column)
{
	unsigned at_line, at_column;

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\t') {
			count_to(text, i, &at_line, &at_column);
			if (at_line >= line)
				return at_line == line && at_column == column;
		}
	return false;
}

/* UTF-16 or UTF-32, with a mark or without: what a policy begins with are ASCII's characters. */
static bool is_wide(struct bytes text)
{
	return text.len >= 2 &&
	       (!text.data[0] || !text.data[1] || !memcmp(text.data, "\xff\xfe", 2) ||
		!memcmp(text.data, "\xfe\xff", 2));
}

static void syntax_error(const yaml_parser_t *p, struct bytes text, struct errors *e)
{
	unsigned line = (unsigned)p->problem_mark.line + 1;
	unsigned column = (unsigned)p->problem_mark.column + 1;

	/* The reader runs ahead of the marks; it knows the offset of what it could not decode. */
	if (p->error == YAML_READER_ERROR)
		count_to(text, p->problem_offset, &line, &column);
	if (is_wide(text))
		errors_add(e, 1, 1, "the file is in UTF-16 or UTF-32; save it as UTF-8");
	else if (p->error == YAML_READER_ERROR && strstr(p->problem, "UTF-8"))
		errors_add(e, line, column, "not YAML: %s; save the file as UTF-8", p->problem);
	else if (is_tab(text, line, column))
		errors_add(e, line, column, "not YAML: a tab stands here; indent with blanks");
	else if (p->context && p->context_mark.line + 1 < line)
		errors_add(e, line, column, "not YAML: %s, %s that began on line %u",
			   p->problem ? p->problem : "unreadable", p->context,
			   (unsigned)p->context_mark.line + 1);
	else
		errors_add(e, line, column, "not YAML: %s%s%s",
			   p->problem ? p->problem : "unreadable", p->context ? ", " : "",
			   p->context ? p->context : "");
}

static bool read_events(yaml_parser_t *parser, struct bytes text, struct building *b)
{
	yaml_event_t event;
	bool good = true, end = false;

	while (good && !end) {
		if (!yaml_parser_parse(parser, &event)) {
			syntax_error(parser, text, b->e);
			return false;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		good = take(b, &event);
		yaml_event_delete(&event);
	}
	if (good && !b->o->count) {
		errors_add(b->e, 1, 1, "the file is empty");
		return false;
	}
	return good;
}

struct outline *outline_read(struct bytes text, struct errors *e)
{
	struct building b = {.o = calloc(1, sizeof(*b.o)), .e = e};
	yaml_parser_t parser;
	bool good;

	/* YAML 1.2 §5.2: it may begin with a byte order mark, as some editors have it. */
	if (text.len >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3))
		text = (struct bytes){text.data + 3, text.len - 3};
	if (!text.len) {
		errors_add(e, 1, 1, "the file is empty");
		free(b.o);
		return NULL;
	}
	if (!b.o || !yaml_parser_initialize(&parser)) {
		errors_add(e, 0, 0, "out of memory");
		free(b.o);
		return NULL;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, text.data, text.len);
	good = read_events(&parser, text, &b);
	yaml_parser_delete(&parser);
	if (!good) {
		outline_free(b.o);
		return NULL;
	}
	return b.o;
}

void outline_free(struct outline *o)
{
	if (!o)
		return;
	free(o->nodes);
	free(o->text);
	free(o);
}

const struct outline_node *outline_node(const struct outline *o, uint32_t node)
{
	return &o->nodes[node];
}

const char *outline_text(const struct outline *o, uint32_t node)
{
	return o->nodes[node].kind == OUTLINE_SCALAR ? o->text + o->nodes[node].text : "";
}

static uint32_t find_key(const struct outline *o, uint32_t map, const char *key, size_t len)
{
	uint32_t k = o->nodes[map].kind == OUTLINE_MAP ? o->nodes[map].first : OUTLINE_NONE;

	while (k != OUTLINE_NONE) {
		const char *have = outline_text(o, k);
		uint32_t value = o->nodes[k].next;

		if (strlen(have) == len && memcmp(have, key, len) == 0)
			return value;
		k = value == OUTLINE_NONE ? OUTLINE_NONE : o->nodes[value].next;
	}
	return OUTLINE_NONE;
}

static uint32_t find_item(const struct outline *o, uint32_t list, unsigned long i)
{
	uint32_t n = o->nodes[list].kind == OUTLINE_LIST ? o->nodes[list].first : OUTLINE_NONE;

	while (n != OUTLINE_NONE && i--)
		n = o->nodes[n].next;
	return n;
}

uint32_t outline_find(const struct outline *o, const char *path)
{
	uint32_t at = 0, to;

	while (*path) {
		if (*path == '[') {
			to = find_item(o, at, strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			size_t len;

			path += *path == '.';
			len = strcspn(path, ".[");
			to = find_key(o, at, path, len);
			path += len;
		}
		if (to == OUTLINE_NONE)
			break;
		at = to;
	}
	return at;
}

void errors_at(struct errors *e, const struct outline *o, const char *path, const char *fmt, ...)
{
	const struct outline_node *n = o ? outline_node(o, outline_find(o, path)) : NULL;
	va_list ap;

	va_start(ap, fmt);
	add(e, n ? n->line : 0, n ? n->column : 0, fmt, ap);
	va_end(ap);
}
