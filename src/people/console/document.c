#include <stdio.h>
#include <string.h>

#include "people/console/api.h"
#include "people/console/cookie.h"

/* The OpenAPI document (spec.openapis.org/oas/v3.1.0), out of the same table that routes. */

static json_t *schema_of(const struct api_field *f)
{
	static const char *const types[] = {[API_TEXT] = "string",
					    [API_NUMBER] = "integer",
					    [API_FLAG] = "boolean",
					    [API_LIST] = "array",
					    [API_OBJECT] = "object"};
	json_t *o = json_pack("{s:s}", "type", types[f->type]);

	if (*f->what)
		json_object_set_new(o, "description", json_string(f->what));
	return o;
}

static json_t *object_of(const struct api_field *fields, bool closed)
{
	json_t *properties = json_object(), *required = json_array(), *o;

	for (const struct api_field *f = fields; f && f->name; f++) {
		json_object_set_new(properties, f->name, schema_of(f));
		if (f->required)
			json_array_append_new(required, json_string(f->name));
	}
	o = json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
		      required);
	if (closed)
		json_object_set_new(o, "additionalProperties", json_false());
	return o;
}

static json_t *parameters_of(const struct api_route *r)
{
	json_t *list = json_array();

	for (const struct api_field *f = r->takes; f && f->name; f++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o}", "name", f->name, "in",
						      "query", "required", (int)f->required,
						      "schema", schema_of(f)));
	return list;
}

static json_t *refusal(const char *what)
{
	return json_pack("{s:s, s:{s:{s:{s:s}}}}", "description", what, "content",
			 "application/problem+json", "schema", "$ref",
			 "#/components/schemas/Problem");
}

static json_t *responses_of(const struct api_route *r)
{
	static const struct {
		const char *status, *what;
		bool signed_in, changes;
	} all[] = {
		{"400", "The request is not what it must be.", false, false},
		{"401", "Nobody is signed in.", true, false},
		{"403", "Not allowed: role, origin, or a fresh factor is needed.", false, false},
		{"404", "There is no such thing.", false, false},
		{"409", "It changed meanwhile.", false, true},
		{"413", "The body is too large.", false, true},
		{"415", "The body is no JSON.", false, true},
		{"422", "Understood, and refused.", false, true},
		{"429", "Too many requests.", false, false},
		{"503", "Too busy just now.", false, false},
		{"504", "Another process did not answer in time.", false, false},
		{"507", "There is no room on the disk.", false, true},
	};
	json_t *o = json_object(), *content = json_object();

	if (r->stream)
		json_object_set_new(content, "text/event-stream",
				    json_pack("{s:{s:s}}", "schema", "type", "string"));
	if (r->file) /* OpenAPI 3.1: bytes need no schema */
		json_object_set_new(content, r->file_type, json_object());
	if (!r->stream && (!r->file || r->gives))
		json_object_set_new(content, "application/json",
				    json_pack("{s:o}", "schema", object_of(r->gives, false)));
	json_object_set_new(o, "200",
			    json_pack("{s:s, s:o}", "description", "Done.", "content", content));
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if ((!all[i].signed_in || !r->open) && (!all[i].changes || r->changes))
			json_object_set_new(o, all[i].status, refusal(all[i].what));
	return o;
}

static void add_csrf(json_t *operation)
{
	json_t *list = json_object_get(operation, "parameters");

	if (!list) {
		list = json_array();
		json_object_set_new(operation, "parameters", list);
	}
	json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:{s:s}, s:s}", "name",
					      "X-CSRF-Token", "in", "header", "required", 0,
					      "schema", "type", "string", "description",
					      "`csrf` of the session; API keys need none."));
}

static json_t *operation_of(const struct api_route *r)
{
	json_t *o = json_pack("{s:s, s:s, s:o}", "operationId", r->call, "summary", r->what,
			      "responses", responses_of(r));

	if (r->open)
		json_object_set_new(o, "security", json_array());
	if (r->takes && (!r->changes || r->bytes))
		json_object_set_new(o, "parameters", parameters_of(r));
	if (r->bytes)
		json_object_set_new(o, "requestBody",
				    json_pack("{s:b, s:{s:{}}}", "required", 1, "content",
					      "application/octet-stream"));
	if (r->changes && r->takes && !r->bytes)
		json_object_set_new(o, "requestBody",
				    json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content",
					      "application/json", "schema",
					      object_of(r->takes, true)));
	if (r->changes && !r->open)
		add_csrf(o);
	return o;
}

json_t *api_document(void)
{
	json_t *paths = json_object();
	char path[API_PATH_MAX];

	for (const struct api_route *r = api_routes; r->call; r++)
		json_object_set_new(
			paths, api_path(r, path),
			json_pack("{s:o}", r->changes ? "post" : "get", operation_of(r)));
	return json_pack(
		"{s:s, s:{s:s, s:s, s:s}, s:[{s:[]}, {s:[]}], s:o, s:{s:{s:{s:s, s:s, s:s},"
		" s:{s:s, s:s}}, s:{s:{s:s, s:[s, s, s], s:{s:{s:s}, s:{s:s}, s:{s:s}, "
		"s:{s:s}}}}}}",
		"openapi", "3.1.0", "info", "title", "Bedwarden", "version", BEDWARDEN_VERSION,
		"description",
		"What people and machines may ask of the gateway. Errors are problem+json; their "
		"`type` is stable.",
		"security", "session", "key", "paths", paths, "components", "securitySchemes",
		"session", "type", "apiKey", "in", "cookie", "name", COOKIE_NAME, "key", "type",
		"http", "scheme", "bearer", "schemas", "Problem", "type", "object", "required",
		"type", "title", "status", "properties", "type", "type", "string", "title", "type",
		"string", "status", "type", "integer", "detail", "type", "string");
}
