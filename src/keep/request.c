#include "keep/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

#include "keep/record.h"

/* A call has its own key and no name here. */
static const char *const commands[REQUEST_CALL] = {
	[REQUEST_STATUS] = "status",	 [REQUEST_DEVICES] = "devices", [REQUEST_FLOWS] = "flows",
	[REQUEST_EVENTS] = "events",	 [REQUEST_GRANTS] = "grants",	[REQUEST_APPLY] = "apply",
	[REQUEST_COUNTERS] = "counters",
};

static int refuse(char error[REQUEST_ERROR], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char error[REQUEST_ERROR], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, REQUEST_ERROR, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

static int take_name(const char *key, const json_t *v, char ret_name[QUERY_NAME_MAX], char *error)
{
	const char *s = json_string_value(v);

	if (!s || strlen(s) >= QUERY_NAME_MAX)
		return refuse(error, "request: '%s' must be a text of at most %d bytes", key,
			      QUERY_NAME_MAX - 1);
	snprintf(ret_name, QUERY_NAME_MAX, "%s", s);
	return 0;
}

static int take_since(const char *key, const json_t *v, struct request *r, char *error)
{
	const char *s = json_string_value(v);

	if (!s || !record_time(s, &r->filter.since_ns))
		return refuse(error, "request: '%s' must be a time, \"2026-01-31T07:15:02+0000\"",
			      key);
	return 0;
}

static int take_limit(const char *key, const json_t *v, struct request *r, char *error)
{
	json_int_t n = json_integer_value(v);

	if (n < 1 || n > REQUEST_LIMIT_MAX)
		return refuse(error, "request: '%s' must be a number from 1 to %d", key,
			      REQUEST_LIMIT_MAX);
	r->filter.limit = (uint32_t)n;
	return 0;
}

static int take_flag(const char *key, const json_t *v, bool *ret_flag, char *error)
{
	if (!json_is_boolean(v))
		return refuse(error, "request: '%s' must be true or false", key);
	*ret_flag = json_is_true(v);
	return 0;
}

static int take_option(struct request *r, const char *key, const json_t *v, char *error)
{
	bool events = r->command == REQUEST_EVENTS;

	if (strcmp(key, "device") == 0 &&
	    (events || r->command == REQUEST_DEVICES || r->command == REQUEST_FLOWS ||
	     r->command == REQUEST_COUNTERS))
		return take_name(key, v, r->filter.device, error);
	if (events && strcmp(key, "reason") == 0)
		return take_name(key, v, r->filter.reason, error);
	if (events && strcmp(key, "since") == 0)
		return take_since(key, v, r, error);
	if (events && strcmp(key, "limit") == 0)
		return take_limit(key, v, r, error);
	if (events && strcmp(key, "all") == 0)
		return take_flag(key, v, &r->all, error);
	if (events && strcmp(key, "follow") == 0)
		return take_flag(key, v, &r->follow, error);
	return refuse(error, "request: '%s' has no option '%.32s'", commands[r->command], key);
}

static int take_command(const json_t *root, struct request *r, char *error)
{
	const char *name = json_string_value(json_object_get(root, "cmd"));

	for (unsigned i = 0; name && i < REQUEST_CALL; i++)
		if (strcmp(commands[i], name) == 0) {
			r->command = (enum request_command)i;
			return 0;
		}
	return refuse(error, "request: 'cmd' must be one of status, devices, flows, events, "
			     "grants, apply, counters");
}

static int take_all(json_t *root, struct request *r, char *error)
{
	const char *key;
	json_t *v;
	int err = take_command(root, r, error);

	json_object_foreach (root, key, v) {
		if (err == 0 && strcmp(key, "cmd") != 0)
			err = take_option(r, key, v, error);
	}
	return err;
}

/* What a call may say, its own function knows. */
static int take_call(json_t *root, struct request *r, char *error)
{
	const char *name = json_string_value(json_object_get(root, "call"));
	const char *key;
	json_t *v;

	if (!name || strlen(name) >= sizeof(r->call))
		return refuse(error, "request: 'call' must be a call's name");
	json_object_foreach (root, key, v)
		if (strcmp(key, "call") != 0 && strcmp(key, "args") != 0 &&
		    strcmp(key, "operator") != 0)
			return refuse(error,
				      "request: a call has 'args' and 'operator', but no '%.32s'",
				      key);
	r->command = REQUEST_CALL;
	memcpy(r->call, name, strlen(name) + 1);
	r->object = json_incref(root);
	return 0;
}

int request_parse(struct bytes line, struct request *ret_request, char ret_error[REQUEST_ERROR])
{
	struct request r = {.filter.limit = REQUEST_LIMIT};
	json_error_t where;
	json_t *root;
	int err;

	if (line.len > REQUEST_MAX)
		return refuse(ret_error, "request: longer than %d bytes", REQUEST_MAX);
	root = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return refuse(ret_error, "request: no JSON at byte %d: %.100s", where.position,
			      where.text);
	if (json_is_object(root) && json_object_get(root, "call"))
		err = take_call(root, &r, ret_error);
	else if (json_is_object(root))
		err = take_all(root, &r, ret_error);
	else
		err = refuse(ret_error, "request: must be one JSON object with 'cmd'");
	json_decref(root);
	if (err == 0)
		*ret_request = r;
	return err;
}
