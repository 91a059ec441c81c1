#include "cli/shield_edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outline.h"
#include "cli/yaml.h"

static int fail(char why[SHIELD_WHY], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char why[SHIELD_WHY], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SHIELD_WHY, fmt, ap);
	va_end(ap);
	return err;
}

static struct outline *read_outline(const char *text, char why[SHIELD_WHY])
{
	struct config_error error = {.line = 0};
	struct errors e = {.list = &error, .max = 1, .file = "the policy"};
	struct outline *o = outline_read((struct bytes){(const uint8_t *)text, strlen(text)}, &e);

	if (!o)
		fail(why, -EINVAL, "line %u: %.200s", error.line, error.text);
	return o;
}

/* The node behind a key of a map; OUTLINE_NONE. *ret_key: the key's. */
static uint32_t member(const struct outline *o, uint32_t map, const char *name, uint32_t *ret_key)
{
	const struct outline_node *m = outline_node(o, map);

	if (m->kind != OUTLINE_MAP)
		return OUTLINE_NONE;
	for (uint32_t key = m->first; key != OUTLINE_NONE;) {
		uint32_t value = outline_node(o, key)->next;

		if (value == OUTLINE_NONE)
			break;
		if (outline_node(o, key)->kind == OUTLINE_SCALAR &&
		    strcmp(outline_text(o, key), name) == 0) {
			if (ret_key)
				*ret_key = key;
			return value;
		}
		key = outline_node(o, value)->next;
	}
	return OUTLINE_NONE;
}

/* Where a line begins, 1-based; the end where there are fewer. */
static size_t line_at(const char *text, unsigned line)
{
	const char *at = text;

	while (line > 1 && *at) {
		at += strcspn(at, "\n");
		at += *at == '\n';
		line--;
	}
	return (size_t)(at - text);
}

/* Columns count characters, and a policy may hold any. */
static size_t place_of(const char *text, const struct outline_node *n)
{
	size_t at = line_at(text, n->line);

	for (unsigned column = 1; column < n->column && text[at] && text[at] != '\n'; at++)
		column += ((uint8_t)text[at + 1] & 0xc0) != 0x80;
	return at;
}

/* `from` up to `to` becomes `with`. NULL: no memory. */
static char *splice(const char *text, size_t from, size_t to, const char *with)
{
	size_t len = strlen(text), n = strlen(with);
	char *out = malloc(len - (to - from) + n + 1);

	if (!out)
		return NULL;
	memcpy(out, text, from);
	memcpy(out + from, with, n);
	memcpy(out + from + n, text + to, len - to + 1);
	return out;
}

/* --- adding ---------------------------------------------------------------------- */

static void write_texts(FILE *out, const char *key, char *const *list, unsigned count)
{
	if (!count)
		return;
	fprintf(out, ", %s: ", key);
	yaml_list(out, list, count);
}

static void write_text(FILE *out, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, ", %s: ", key);
	yaml_quoted(out, text);
}

/* On one line, whatever stands before it. */
static char *entry_of(const struct config_shield *s, const char *before)
{
	static const char *const directions[] = {"both", "accepts", "starts"};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fprintf(out, "%s- {advisory: ", before);
	yaml_quoted(out, s->advisory);
	write_texts(out, "device", s->device, s->device_count);
	fprintf(out, ", mode: %s, direction: %s", s->enforce ? "enforce" : "simulate",
		directions[s->direction]);
	write_text(out, "proto", s->proto);
	write_texts(out, "port", s->port, s->port_count);
	write_text(out, "peer", s->peer);
	write_text(out, "app", s->app);
	write_texts(out, "deny", s->deny, s->deny_count);
	if (!s->control)
		fputs(", control: no", out);
	fputs("}\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Before the first of a block list, at its dash. */
static int add_first(const char *text, const struct outline_node *first,
		     const struct config_shield *s, char **ret_text, char why[SHIELD_WHY])
{
	size_t at = line_at(text, first->line), dash = strspn(text + at, " ");
	char indent[64], *entry;

	if (text[at + dash] != '-' || dash >= sizeof(indent))
		return fail(why, -EINVAL,
			    "line %u: shields is not written as one entry a line; write it so, or "
			    "add the entry by hand",
			    first->line);
	memset(indent, ' ', dash);
	indent[dash] = 0;
	entry = entry_of(s, indent);
	*ret_text = entry ? splice(text, at, at, entry) : NULL;
	free(entry);
	return *ret_text ? 0 : -ENOMEM;
}

static int add_section(const char *text, const struct config_shield *s, char **ret_text)
{
	size_t len = strlen(text);
	char *entry = entry_of(s, "  "), *with = NULL;

	if (entry && asprintf(&with, "%s\nshields:\n%s", len && text[len - 1] != '\n' ? "\n" : "",
			      entry) < 0)
		with = NULL;
	*ret_text = with ? splice(text, len, len, with) : NULL;
	free(entry);
	free(with);
	return *ret_text ? 0 : -ENOMEM;
}

int shield_edit_add(const char *text, const struct config_shield *s, char **ret_text,
		    char ret_why[SHIELD_WHY])
{
	struct outline *o = read_outline(text, ret_why);
	uint32_t list;
	int err;

	if (!o)
		return -EINVAL;
	list = member(o, 0, "shields", NULL);
	if (list == OUTLINE_NONE)
		err = add_section(text, s, ret_text);
	else if (outline_node(o, list)->kind == OUTLINE_LIST &&
		 outline_node(o, list)->first != OUTLINE_NONE)
		err = add_first(text, outline_node(o, outline_node(o, list)->first), s, ret_text,
				ret_why);
	else
		err = fail(ret_why, -EINVAL, "line %u: shields is empty; take the line away",
			   outline_node(o, list)->line);
	outline_free(o);
	return err;
}

/* --- changing -------------------------------------------------------------------- */

static bool is_meant(const struct config_shield *s, const struct config_shield *which)
{
	if (strcmp(s->advisory, which->advisory) != 0)
		return false;
	for (unsigned i = 0; i < s->device_count; i++)
		for (unsigned j = 0; j < which->device_count; j++)
			if (strcmp(s->device[i], which->device[j]) == 0)
				return true;
	return !which->device_count;
}

/* One change leaves all numbers of lines below it; so the last entry is changed first. */
typedef int (*change_fn)(const char *text, const struct outline *o, uint32_t entry, unsigned of,
			 const void *arg, char **ret_text, char why[SHIELD_WHY]);

static int change_all(const char *text, const struct config *c, const struct config_shield *which,
		      change_fn fn, const void *arg, char **ret_text, char why[SHIELD_WHY])
{
	char *now = strdup(text), *next = NULL;
	unsigned changed = 0, left = c->shields_count;
	int err = now ? 0 : -ENOMEM;

	for (unsigned i = c->shields_count; err == 0 && i-- > 0;) {
		struct outline *o;
		char path[40];

		if (!is_meant(&c->shields[i], which))
			continue;
		o = read_outline(now, why);
		snprintf(path, sizeof(path), "shields[%u]", i);
		err = o ? fn(now, o, outline_find(o, path), left, arg, &next, why) : -EINVAL;
		outline_free(o);
		if (err != 0)
			break;
		free(now);
		now = next;
		changed++;
		left--;
	}
	if (err == 0 && !changed)
		err = fail(why, -ENOENT, "there is no shield for %.95s%s", which->advisory,
			   which->device_count ? " of these devices" : "");
	if (err == 0)
		*ret_text = now;
	else
		free(now);
	return err;
}

static int set_mode(const char *text, const struct outline *o, uint32_t entry, unsigned of,
		    const void *arg, char **ret_text, char why[SHIELD_WHY])
{
	const char *word = arg;
	uint32_t mode = member(o, entry, "mode", NULL);
	const struct outline_node *n = outline_node(o, mode == OUTLINE_NONE ? entry : mode);
	size_t at = place_of(text, n), len;
	char with[160];

	if (mode != OUTLINE_NONE) {
		len = strlen(outline_text(o, mode));
		if (!n->plain || strncmp(text + at, outline_text(o, mode), len) != 0)
			return fail(why, -EINVAL, "line %u: write mode without quotes", n->line);
		snprintf(with, sizeof(with), "%s", word);
		*ret_text = splice(text, at, at + len, with);
	} else if (text[at] == '{') {
		snprintf(with, sizeof(with), "mode: %s, ", word);
		*ret_text = splice(text, at + 1, at + 1, with);
	} else {
		snprintf(with, sizeof(with), "mode: %s\n%*s", word, (int)(n->column - 1) % 100, "");
		*ret_text = splice(text, at, at, with);
	}
	return *ret_text ? 0 : -ENOMEM;
}

int shield_edit_mode(const char *text, const struct config *c, const struct config_shield *which,
		     bool enforce, char **ret_text, char ret_why[SHIELD_WHY])
{
	return change_all(text, c, which, set_mode, enforce ? "enforce" : "simulate", ret_text,
			  ret_why);
}

static int take_away(const char *text, const struct outline *o, uint32_t entry, unsigned of,
		     const void *arg, char **ret_text, char why[SHIELD_WHY])
{
	const struct outline_node *n = outline_node(o, entry);
	size_t from = line_at(text, n->line), to = line_at(text, n->line + 1), end = to;
	size_t dash = from + strspn(text + from, " ");
	uint32_t key = OUTLINE_NONE;

	while (end > from && strchr(" \r\n", text[end - 1]))
		end--;
	if (text[dash] != '-' || text[place_of(text, n)] != '{' || end == from ||
	    text[end - 1] != '}' || place_of(text, n) != dash + 1 + strspn(text + dash + 1, " "))
		return fail(why, -EINVAL,
			    "line %u: the entry stands on more than one line; take it away by hand",
			    n->line);
	/* The last one takes its heading along. */
	if (of == 1 && member(o, 0, "shields", &key) != OUTLINE_NONE &&
	    outline_node(o, key)->line + 1 == n->line)
		from = line_at(text, outline_node(o, key)->line);
	*ret_text = splice(text, from, to, "");
	return *ret_text ? 0 : -ENOMEM;
}

int shield_edit_remove(const char *text, const struct config *c, const struct config_shield *which,
		       char **ret_text, char ret_why[SHIELD_WHY])
{
	return change_all(text, c, which, take_away, NULL, ret_text, ret_why);
}
