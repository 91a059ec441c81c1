#include "people/console/problem.h"

#include <stdarg.h>
#include <stdio.h>

json_t *problem_new(unsigned status, const char *type, const char *title, const char *detail, ...)
{
	json_t *o = json_object(), *t;
	char text[512];
	va_list ap;

	va_start(ap, detail);
	vsnprintf(text, sizeof(text), detail, ap);
	va_end(ap);
	t = json_string(
		text); /* NULL where what came from outside is no UTF-8, or cut within a letter */
	json_object_set_new(o, "type", json_string(type));
	json_object_set_new(o, "title", json_string(title));
	json_object_set_new(o, "status", json_integer(status));
	json_object_set_new(o, "detail", t ? t : json_string(""));
	return o;
}

unsigned problem_status(const json_t *problem)
{
	json_int_t n = json_integer_value(json_object_get(problem, "status"));

	return n >= 400 && n <= 599 ? (unsigned)n : 500;
}
