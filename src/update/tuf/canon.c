#include "update/tuf/canon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
	uint8_t *data;
	size_t len, cap;
	int err;
};

static void put(struct text *t, const void *data, size_t len)
{
	size_t cap = t->cap ? t->cap : 4096;
	uint8_t *more;

	if (t->err < 0)
		return;
	if (len > t->cap - t->len) {
		while (cap - t->len < len)
			cap *= 2;
		more = realloc(t->data, cap);
		if (!more) {
			t->err = -ENOMEM;
			return;
		}
		t->data = more;
		t->cap = cap;
	}
	memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void put_string(struct text *t, const char *s, size_t len)
{
	size_t from = 0;

	put(t, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '"' && s[i] != '\\')
			continue;
		put(t, s + from, i - from);
		put(t, "\\", 1);
		from = i;
	}
	put(t, s + from, len - from);
	put(t, "\"", 1);
}

static void put_value(struct text *t, const json_t *v, unsigned depth);

/* Unicode's order is that of the bytes in UTF-8. */
static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_object(struct text *t, const json_t *v, unsigned depth)
{
	size_t count = json_object_size(v), n = 0;
	const char **keys = calloc(count + 1, sizeof(*keys));
	const char *key;
	json_t *value;

	if (!keys) {
		t->err = -ENOMEM;
		return;
	}
	json_object_foreach ((json_t *)v, key, value)
		keys[n++] = key;
	qsort(keys, n, sizeof(*keys), compare);
	put(t, "{", 1);
	for (size_t i = 0; i < n && t->err == 0; i++) {
		if (i > 0)
			put(t, ",", 1);
		put_string(t, keys[i], strlen(keys[i]));
		put(t, ":", 1);
		put_value(t, json_object_get(v, keys[i]), depth);
	}
	put(t, "}", 1);
	free(keys);
}

static void put_array(struct text *t, const json_t *v, unsigned depth)
{
	size_t i;
	json_t *value;

	put(t, "[", 1);
	json_array_foreach (v, i, value) {
		if (t->err < 0)
			return;
		if (i > 0)
			put(t, ",", 1);
		put_value(t, value, depth);
	}
	put(t, "]", 1);
}

static void put_value(struct text *t, const json_t *v, unsigned depth)
{
	char number[24];

	if (depth == CANON_DEPTH_MAX) {
		t->err = -EINVAL;
		return;
	}
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		put_object(t, v, depth + 1);
		break;
	case JSON_ARRAY:
		put_array(t, v, depth + 1);
		break;
	case JSON_STRING:
		put_string(t, json_string_value(v), json_string_length(v));
		break;
	case JSON_INTEGER:
		put(t, number,
		    (size_t)snprintf(number, sizeof(number), "%" PRId64,
				     (int64_t)json_integer_value(v)));
		break;
	case JSON_TRUE:
		put(t, "true", 4);
		break;
	case JSON_FALSE:
		put(t, "false", 5);
		break;
	case JSON_NULL:
		put(t, "null", 4);
		break;
	default:
		t->err = -EINVAL;
	}
}

int canon_encode(const json_t *value, struct bytes *ret_text)
{
	struct text t = {0};

	put_value(&t, value, 0);
	if (t.err < 0) {
		free(t.data);
		return t.err;
	}
	*ret_text = (struct bytes){t.data, t.len};
	return 0;
}

/* Looks at brackets and commas outside strings alone; the parser proper judges the rest. */
static const char *judge_shape(struct bytes text)
{
	size_t values = 0, depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '\\':
			i += quoted;
			break;
		case '"':
			quoted = !quoted;
			break;
		case '{':
		case '[':
			if (!quoted && ++depth > CANON_DEPTH_MAX)
				return "it is nested too deeply";
			values += !quoted;
			break;
		case '}':
		case ']':
			depth -= !quoted && depth > 0;
			break;
		case ',':
			values += !quoted;
			break;
		default:
			break;
		}
		if (values > CANON_VALUES_MAX)
			return "it has too many values";
	}
	return NULL;
}

int canon_parse(struct bytes text, json_t **ret_value, char ret_why[CANON_WHY])
{
	const char *why = text.len ? judge_shape(text) : "it is empty";
	json_error_t at;
	json_t *value;

	if (why) {
		if (ret_why)
			snprintf(ret_why, CANON_WHY, "%s", why);
		return -EBADMSG;
	}
	value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &at);
	if (!value) {
		if (ret_why)
			snprintf(ret_why, CANON_WHY, "line %d: %.120s", at.line, at.text);
		return json_error_code(&at) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	}
	if (!json_is_object(value)) {
		json_decref(value);
		if (ret_why)
			snprintf(ret_why, CANON_WHY, "it is no JSON object");
		return -EBADMSG;
	}
	*ret_value = value;
	return 0;
}
