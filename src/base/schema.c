#include "base/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct schema_table *schema_table(const struct cyaml_schema_field *fields)
{
	for (const struct schema_table *t = schema_tables; t->name; t++)
		if (t->fields == fields)
			return t;
	return NULL;
}

/* A word's place in memory holds its number plus one, or 0; its default decides then. */
static void settle_word(const struct cyaml_schema_value *v, const char *fallback, void *at)
{
	bool byte = v->data_size == sizeof(uint8_t);
	int64_t n = byte ? *(uint8_t *)at : *(uint32_t *)at;

	for (uint32_t i = 0; n == 0 && fallback && i < v->enumeration.count; i++)
		if (strcmp(v->enumeration.strings[i].str, fallback) == 0)
			n = v->enumeration.strings[i].val;
	n = n > 0 ? n - 1 : 0;
	if (byte)
		*(uint8_t *)at = (uint8_t)n;
	else
		*(uint32_t *)at = (uint32_t)n;
}

static int settle_fields(const struct cyaml_schema_field *fields, void *data);

/* Every text is one line of a table for somebody. */
static int settle_text(const char *text)
{
	return text && strpbrk(text, "\t\n") ? -EINVAL : 0;
}

static int settle_list(const struct cyaml_schema_field *f, void *data)
{
	const struct cyaml_schema_value *entry = f->value.sequence.entry;
	char *list = *(char **)((char *)data + f->data_offset);
	unsigned count = *(unsigned *)((char *)data + f->count_offset);
	int r = 0;

	for (unsigned i = 0; r == 0 && entry->type == CYAML_STRING && i < count; i++)
		r = settle_text(((char **)list)[i]);
	for (unsigned i = 0; r == 0 && entry->type == CYAML_MAPPING && i < count; i++)
		r = settle_fields(entry->mapping.fields, list + (size_t)i * entry->data_size);
	return r;
}

static int settle_field(const struct cyaml_schema_field *f, const struct schema_option *o,
			void *data)
{
	void *at = (char *)data + f->data_offset;
	bool pointer = f->value.flags & CYAML_FLAG_POINTER;
	void *to = pointer ? *(void **)at : at;
	uint32_t n;

	switch (f->value.type) {
	case CYAML_STRING:
		if (!to && o->fallback && !(*(char **)at = strdup(o->fallback)))
			return -ENOMEM;
		return settle_text(to);
	case CYAML_UINT:
		n = to ? *(uint32_t *)to : (uint32_t)strtoul(o->fallback, NULL, 10);
		*(uint32_t *)((char *)data + o->target) = n;
		return n < o->min || n > o->max ? -ERANGE : 0;
	case CYAML_ENUM:
		if (to)
			settle_word(&f->value, o->fallback, to);
		return 0;
	case CYAML_SEQUENCE:
		return settle_list(f, data);
	case CYAML_MAPPING:
		return to ? settle_fields(f->value.mapping.fields, to) : 0;
	default:
		return 0;
	}
}

static int settle_fields(const struct cyaml_schema_field *fields, void *data)
{
	const struct schema_table *t = schema_table(fields);
	int r = 0;

	for (unsigned i = 0; r == 0 && fields[i].key; i++)
		r = settle_field(&fields[i], &t->options[i], data);
	return r;
}

int schema_settle(const struct cyaml_schema_value *schema, void *data)
{
	return settle_fields(schema->mapping.fields, data);
}

static void type_name(const struct cyaml_schema_value *v, const struct schema_option *o,
		      char *ret_text, size_t size)
{
	size_t len = 0;

	switch (v->type) {
	case CYAML_STRING:
		snprintf(ret_text, size, "text");
		return;
	case CYAML_UINT:
		snprintf(ret_text, size, "%u to %u", o->min, o->max);
		return;
	case CYAML_SEQUENCE:
		snprintf(ret_text, size,
			 v->sequence.entry->type == CYAML_MAPPING ? "list of entries"
								  : "list of text");
		return;
	case CYAML_MAPPING:
		snprintf(ret_text, size, "entry");
		return;
	default:
		break;
	}
	ret_text[0] = 0;
	for (uint32_t i = 0; i < v->enumeration.count && len < size; i++)
		len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? "|" : "",
					v->enumeration.strings[i].str);
}

void config_describe(void (*fn)(void *arg, const struct config_option *option), void *arg)
{
	for (const struct schema_table *t = schema_tables; t->name; t++)
		for (unsigned i = 0; t->fields[i].key; i++) {
			const struct cyaml_schema_value *v = &t->fields[i].value;
			struct config_option o = {.section = t->name,
						  .section_what = t->what,
						  .key = t->fields[i].key,
						  .fallback = t->options[i].fallback,
						  .what = t->options[i].what,
						  .required = !(v->flags & CYAML_FLAG_OPTIONAL)};

			type_name(v, &t->options[i], o.type, sizeof(o.type));
			fn(arg, &o);
		}
}
