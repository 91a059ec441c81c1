#include "base/conform.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 63

struct conforming {
	const struct outline *o;
	struct errors *e;
	size_t unknown; /* how many of the errors are keys that nobody knows */
};

/* Damerau's distance, restricted: one letter wrong, missing, added, or two swapped count 1. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 2];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = tolower((uint8_t)a[i - 1]) == tolower((uint8_t)b[j - 1]);
			unsigned d = up[j - 1] + !same;

			if (up[j] + 1 < d)
				d = up[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    up2[j - 2] + 1 < d)
				d = up2[j - 2] + 1;
			row[j] = d;
		}
	}
	return rows[na % 3][nb];
}

void nearest_offer(struct nearest *n, const char *word)
{
	unsigned d = distance(n->text, word);
	size_t len = strlen(n->text);

	/* A third of the letters may be wrong, but one always may. */
	if (d > 1 && d > len / 3)
		return;
	if (!n->best || d < n->distance) {
		n->best = word;
		n->distance = d;
	}
}

static const char *kind_name(const struct outline *o, uint32_t node)
{
	const struct outline_node *n = outline_node(o, node);

	if (n->kind == OUTLINE_LIST)
		return "a list";
	if (n->kind == OUTLINE_MAP)
		return "a mapping";
	return *outline_text(o, node) ? "a single value" : "nothing";
}

__attribute__((format(printf, 3, 4))) static void wrong(struct conforming *c, uint32_t node,
							const char *fmt, ...)
{
	const struct outline_node *n = outline_node(c->o, node);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors_add(c->e, n->line, n->column, "%s", text);
}

static void list_words(const cyaml_strval_t *words, uint32_t count, char *ret_text, size_t size)
{
	size_t len = 0;

	ret_text[0] = 0;
	for (uint32_t i = 0; i < count && len < size; i++)
		len += (size_t)snprintf(ret_text + len, size - len, "%s%s",
					i == 0		 ? ""
					: i == count - 1 ? " or "
							 : ", ",
					words[i].str);
}

static void list_keys(const struct cyaml_schema_field *fields, char *ret_text, size_t size)
{
	size_t len = 0;

	ret_text[0] = 0;
	for (unsigned i = 0; fields[i].key && len < size; i++)
		len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? ", " : "",
					fields[i].key);
}

static bool is_scalar(struct conforming *c, uint32_t node, const char *key, const char *expected)
{
	if (outline_node(c->o, node)->kind == OUTLINE_SCALAR)
		return true;
	wrong(c, node, "'%s' is %s; expected %s", key, kind_name(c->o, node), expected);
	return false;
}

static void check_text(struct conforming *c, uint32_t node, const char *key,
		       const struct cyaml_schema_value *v)
{
	size_t len;

	if (!is_scalar(c, node, key, "text"))
		return;
	len = strlen(outline_text(c->o, node));
	if (len < v->string.min && len == 0)
		wrong(c, node, "'%s' is empty; expected text", key);
	else if (len < v->string.min)
		wrong(c, node, "'%s' is too short; expected at least %u characters", key,
		      v->string.min);
	else if (len > v->string.max)
		wrong(c, node, "'%s' is %zu characters long; expected at most %u", key, len,
		      v->string.max);
	else if (strpbrk(outline_text(c->o, node), "\t\n"))
		wrong(c, node, "'%s' has a tab or a line break in it; expected one line", key);
}

static void check_number(struct conforming *c, uint32_t node, const char *key,
			 const struct schema_option *o)
{
	const char *text = outline_text(c->o, node);
	unsigned long long n;
	char *end;

	if (!is_scalar(c, node, key, "a number"))
		return;
	errno = 0;
	n = strtoull(text, &end, 0); /* as libcyaml does, so 0x400 is a number too */
	if (end == text || *end || *text == '-' || errno || n < o->min || n > o->max)
		wrong(c, node, "'%s' is '%.40s'; expected a number from %u to %u", key, text,
		      o->min, o->max);
}

static void check_word(struct conforming *c, uint32_t node, const char *key,
		       const struct cyaml_schema_value *v)
{
	struct nearest near = {.text = outline_text(c->o, node)};
	char words[128];

	list_words(v->enumeration.strings, v->enumeration.count, words, sizeof(words));
	if (!is_scalar(c, node, key, words))
		return;
	for (uint32_t i = 0; i < v->enumeration.count; i++) {
		if (strcmp(near.text, v->enumeration.strings[i].str) == 0)
			return;
		nearest_offer(&near, v->enumeration.strings[i].str);
	}
	if (near.best)
		wrong(c, node, "'%s' is '%.40s'; did you mean '%s'? Expected %s", key, near.text,
		      near.best, words);
	else
		wrong(c, node, "'%s' is '%.40s'; expected %s", key, near.text, words);
}

static void check_value(struct conforming *c, uint32_t node, const char *key,
			const struct cyaml_schema_value *v, const struct schema_option *o);

static void check_list(struct conforming *c, uint32_t node, const char *key,
		       const struct cyaml_schema_value *v)
{
	const struct outline_node *n = outline_node(c->o, node);
	bool maps = v->sequence.entry->type == CYAML_MAPPING;

	if (n->kind != OUTLINE_LIST) {
		bool empty = n->kind == OUTLINE_SCALAR && !*outline_text(c->o, node);

		wrong(c, node, "'%s' is %s; expected a list%s%s", key, kind_name(c->o, node),
		      maps ? " of entries, each begun with '-'" : ", as [one, two]",
		      empty ? ", or leave it out" : "");
		return;
	}
	if (n->count < v->sequence.min || n->count > v->sequence.max)
		wrong(c, node, "'%s' has %u entries; expected %u to %u", key, n->count,
		      v->sequence.min, v->sequence.max);
	for (uint32_t i = n->first; i != OUTLINE_NONE; i = outline_node(c->o, i)->next)
		check_value(c, i, key, v->sequence.entry, NULL);
}

static void unknown_key(struct conforming *c, uint32_t key, const char *what,
			const struct cyaml_schema_field *fields)
{
	struct nearest near = {.text = outline_text(c->o, key)};
	char keys[384];

	for (unsigned i = 0; fields[i].key; i++)
		nearest_offer(&near, fields[i].key);
	list_keys(fields, keys, sizeof(keys));
	c->unknown++;
	if (near.best)
		wrong(c, key, "unknown key '%.40s'%s%s; did you mean '%s'?", near.text,
		      *what ? " in " : "", what, near.best);
	else
		wrong(c, key, "unknown key '%.40s'%s%s; expected one of %s", near.text,
		      *what ? " in " : "", what, keys);
}

/* The line each key of a mapping was first seen on; schema tables are short. */
#define KEYS_MAX 32

static void check_map(struct conforming *c, uint32_t node, const char *what,
		      const struct cyaml_schema_field *fields)
{
	const struct schema_table *t = schema_table(fields);
	const struct outline_node *n = outline_node(c->o, node);
	uint32_t seen[KEYS_MAX] = {0};
	char keys[384];

	if (n->kind != OUTLINE_MAP) {
		list_keys(fields, keys, sizeof(keys));
		wrong(c, node, "%s%s%s is %s; expected a mapping with the keys %s",
		      *what ? "'" : "", *what ? what : "the file", *what ? "'" : "",
		      kind_name(c->o, node), keys);
		return;
	}
	for (uint32_t key = n->first, value; key != OUTLINE_NONE;
	     key = outline_node(c->o, value)->next) {
		const char *text = outline_text(c->o, key);
		unsigned i = 0;

		value = outline_node(c->o, key)->next;
		while (fields[i].key && strcmp(fields[i].key, text) != 0)
			i++;
		if (!fields[i].key) {
			unknown_key(c, key, what, fields);
			continue;
		}
		if (seen[i])
			wrong(c, key, "'%s' is given twice, first on line %u; expected it once",
			      text, seen[i]);
		else
			check_value(c, value, text, &fields[i].value, &t->options[i]);
		seen[i] = outline_node(c->o, key)->line;
	}
	for (unsigned i = 0; fields[i].key; i++)
		if (!seen[i] && !(fields[i].value.flags & CYAML_FLAG_OPTIONAL))
			wrong(c, node, "'%s' is missing%s%s: %s", fields[i].key,
			      *what ? " from this entry of " : "", what, t->options[i].what);
}

static void check_value(struct conforming *c, uint32_t node, const char *key,
			const struct cyaml_schema_value *v, const struct schema_option *o)
{
	switch (v->type) {
	case CYAML_STRING:
		check_text(c, node, key, v);
		return;
	case CYAML_UINT:
		check_number(c, node, key, o);
		return;
	case CYAML_ENUM:
		check_word(c, node, key, v);
		return;
	case CYAML_SEQUENCE:
		check_list(c, node, key, v);
		return;
	case CYAML_MAPPING:
		check_map(c, node, key, v->mapping.fields);
		return;
	default:
		return;
	}
}

void conform(const struct outline *o, const struct cyaml_schema_value *schema, struct errors *e,
	     bool *ret_unknown_only)
{
	struct conforming c = {.o = o, .e = e};
	size_t before = e->count;

	check_value(&c, 0, "", schema, NULL);
	*ret_unknown_only = e->count - before == c.unknown && e->count < e->max;
}
