/*
 * A request as the network sends it, behind TLS and the head: path, query,
 * Content-Type and body, a line each, the body last. Whatever comes becomes arguments of
 * the declared types or a problem, never both, never neither.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "people/console/api.h"
#include "people/console/problem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The next line, ended by a zero; the caller's. */
static char *line(const uint8_t **data, size_t *len)
{
	const uint8_t *newline = memchr(*data, '\n', *len);
	size_t n = newline ? (size_t)(newline - *data) : *len;
	char *copy = malloc(n + 1);

	memcpy(copy, *data, n);
	copy[n] = 0;
	n += newline != NULL;
	*data += n;
	*len -= n;
	return copy;
}

static void check(const struct api_route *r, json_t *args)
{
	const char *name;
	json_t *v;

	json_object_foreach (args, name, v) {
		const struct api_field *f = r->takes;

		while (f && f->name && strcmp(f->name, name) != 0)
			f++;
		if (!f || !f->name)
			abort(); /* nobody declared it */
		if (f->type == API_TEXT	    ? !json_is_string(v)
		    : f->type == API_NUMBER ? !json_is_integer(v)
		    : f->type == API_FLAG   ? !json_is_boolean(v)
		    : f->type == API_LIST   ? !json_is_array(v)
					    : !json_is_object(v))
			abort();
	}
	for (const struct api_field *f = r->takes; f && f->name; f++)
		if (f->required && !json_object_get(args, f->name))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *path = line(&data, &len), *query = line(&data, &len), *type = line(&data, &len);
	uint8_t *body = malloc(len ? len : 1);
	const struct api_route *r = api_find(path);
	json_t *problem = NULL, *args = NULL;

	if (len)
		memcpy(body, data, len);
	if (r) {
		args = api_args(r, *query ? query : NULL, *type ? type : NULL,
				(struct bytes){body, len}, &problem);
		if ((args == NULL) == (problem == NULL))
			abort();
		if (args)
			check(r, args);
		else if (problem_status(problem) >= 500)
			abort();
	}
	json_decref(args);
	json_decref(problem);
	free(path);
	free(query);
	free(type);
	free(body);
	return 0;
}
