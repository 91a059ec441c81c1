#include "people/console/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "people/auth/base64url.h"
#include "people/console/problem.h"

/* --- arguments ------------------------------------------------------------- */

static const struct api_field *field_of(const struct api_route *r, const char *name)
{
	for (const struct api_field *f = r->takes; f && f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static json_t *bad_argument(const char *name, const char *what)
{
	return problem_new(400, "request.argument", "An argument is not what it must be",
			   "%.64s: %s", name, what);
}

static json_t *unknown(const char *name)
{
	return problem_new(400, "request.unknown_argument", "There is no such argument",
			   "%.64s; /api/openapi.json names those of each call", name);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* WHATWG URL, application/x-www-form-urlencoded: in place. false: a broken escape, or a zero. */
static bool decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		int high, low;

		if (*text == '+') {
			*to++ = ' ';
		} else if (*text != '%') {
			*to++ = *text;
		} else {
			high = hex(text[1]);
			low = high < 0 ? -1 : hex(text[2]);
			if (low < 0 || high + low == 0)
				return false;
			*to++ = (char)(high << 4 | low);
			text += 2;
		}
	}
	*to = 0;
	return true;
}

/* A text of the query as its row's type; NULL it is none. */
static json_t *value_of(const struct api_field *f, const char *text)
{
	char *end;
	long long n;

	switch (f->type) {
	case API_TEXT:
		return strlen(text) <= API_TEXT_MAX ? json_string(text) : NULL;
	case API_NUMBER:
		if (strspn(text, "0123456789") != strlen(text) || !*text || strlen(text) > 18)
			return NULL;
		n = strtoll(text, &end, 10);
		return json_integer(n);
	case API_FLAG:
		if (strcmp(text, "true") == 0)
			return json_true();
		return strcmp(text, "false") == 0 ? json_false() : NULL;
	default:
		return NULL; /* lists and objects only in a body */
	}
}

static const char *const type_says[] = {
	[API_TEXT] = "a text of at most 4096 bytes",
	[API_NUMBER] = "a whole number",
	[API_FLAG] = "true or false",
	[API_LIST] = "a list of texts",
	[API_OBJECT] = "an object",
};

/* NULL: well. */
static json_t *take_pair(const struct api_route *r, char *pair, json_t *args)
{
	char *value = strchr(pair, '=');
	const struct api_field *f;
	json_t *v;

	if (value)
		*value++ = 0;
	else
		value = pair + strlen(pair);
	if (!decode(pair) || !decode(value))
		return problem_new(400, "request.query", "The query is malformed",
				   "an escape that is none, or a zero");
	f = field_of(r, pair);
	if (!f)
		return unknown(json_is_utf8((struct bytes){(uint8_t *)pair, strlen(pair)}) ? pair
											   : "?");
	if (json_object_get(args, f->name))
		return bad_argument(f->name, "given twice");
	v = value_of(f, value);
	if (!v)
		return bad_argument(f->name, type_says[f->type]);
	json_object_set_new(args, f->name, v);
	return NULL;
}

static json_t *take_query(const struct api_route *r, const char *query, json_t *args)
{
	json_t *problem = NULL;
	char *copy, *save = NULL;

	if (strlen(query) > API_QUERY_MAX)
		return problem_new(414, "request.query", "The query is too long",
				   "at most %d bytes", API_QUERY_MAX);
	copy = strdup(query);
	if (!copy)
		return problem_new(503, "gateway.memory", "Out of memory", "try again");
	for (char *pair = strtok_r(copy, "&", &save); pair && !problem;
	     pair = strtok_r(NULL, "&", &save))
		problem = take_pair(r, pair, args);
	free(copy);
	return problem;
}

static bool fits(const struct api_field *f, const json_t *v)
{
	const json_t *entry;
	size_t i;

	switch (f->type) {
	case API_TEXT:
		return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v) &&
		       (json_string_length(v) <= API_TEXT_MAX || strcmp(f->name, "text") == 0);
	case API_NUMBER:
		return json_is_integer(v);
	case API_FLAG:
		return json_is_boolean(v);
	case API_OBJECT:
		return json_is_object(v);
	case API_LIST:
		if (!json_is_array(v) || json_array_size(v) > 1000)
			return false;
		json_array_foreach (v, i, entry)
			if (!json_is_string(entry))
				return false;
		return true;
	}
	return false;
}

/* RFC 9110 §8.3.1: parameters may follow. */
static bool is_json(const char *type)
{
	size_t len = strcspn(type, "; \t");

	return len == strlen("application/json") && strncasecmp(type, "application/json", len) == 0;
}

static json_t *take_body(const struct api_route *r, const char *type, struct bytes body,
			 json_t *args)
{
	json_t *root, *v, *problem = NULL;
	const char *name;
	json_error_t where;

	if (!type || !is_json(type))
		return problem_new(415, "request.type", "The body must be JSON",
				   "Content-Type: application/json");
	root = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(root)) {
		json_decref(root);
		return problem_new(400, "request.json", "The body is no JSON object", "at byte %d",
				   root ? 0 : where.position);
	}
	json_object_foreach (root, name, v) {
		const struct api_field *f = field_of(r, name);

		if (json_is_null(v) && f)
			continue; /* as if it were not there */
		if (!f)
			problem = unknown(name);
		else if (!fits(f, v))
			problem = bad_argument(name, type_says[f->type]);
		if (problem)
			break;
		json_object_set(args, name, v);
	}
	json_decref(root);
	return problem;
}

/* A piece of a file, as the keeper takes it. */
static json_t *take_bytes(const char *type, struct bytes body, json_t *args)
{
	size_t len = type ? strcspn(type, "; \t") : 0;
	char *text;

	if (len != strlen("application/octet-stream") ||
	    strncasecmp(type, "application/octet-stream", len) != 0)
		return problem_new(415, "request.type", "The body must be bytes",
				   "Content-Type: application/octet-stream");
	if (body.len == 0)
		return problem_new(400, "request.argument", "There is no body",
				   "send a piece of the file as the body");
	text = malloc(BASE64URL_LEN(body.len) + 1);
	if (!text)
		return problem_new(503, "gateway.memory", "Out of memory", "try again");
	base64url_write(body.data, body.len, text);
	json_object_set_new(args, API_BYTES, json_string(text));
	free(text);
	return NULL;
}

json_t *api_args(const struct api_route *r, const char *query, const char *type, struct bytes body,
		 json_t **ret_problem)
{
	json_t *args = json_object(), *problem = NULL;

	if (query && *query && r->changes && !r->bytes)
		problem = problem_new(400, "request.query", "This takes no query",
				      "arguments go into the body, as a JSON object");
	else if (query && *query)
		problem = take_query(r, query, args);
	if (!problem && r->bytes)
		problem = take_bytes(type, body, args);
	else if (!problem && r->changes && body.len > 0)
		problem = take_body(r, type, body, args);
	for (const struct api_field *f = r->takes; !problem && f && f->name; f++)
		if (f->required && !json_object_get(args, f->name))
			problem = bad_argument(f->name, "is needed");
	if (!problem)
		return args;
	json_decref(args);
	*ret_problem = problem;
	return NULL;
}
