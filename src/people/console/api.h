#ifndef BEDWARDEN_PEOPLE_CONSOLE_API_H
#define BEDWARDEN_PEOPLE_CONSOLE_API_H
/*
 * What the API offers: one row a call. The table says how a request is read,
 * what of it is refused before the keeper ever hears of it, and what the
 * OpenAPI document tells; so the three cannot differ.
 *
 * A call's path is its name with a slash for each dot: policy.apply is
 * /api/policy/apply. What only looks is a GET with its arguments in the query, what
 * changes something a POST with a JSON object.
 */
#include <stdbool.h>

#include <jansson.h>

#include "base/bytes.h"

#define API_TEXT_MAX  4096	   /* bytes of a text, where its row says nothing else */
#define API_BODY_MAX  (256u << 10) /* of a request's body */
#define API_QUERY_MAX 8192

enum api_type { API_TEXT, API_NUMBER, API_FLAG, API_LIST, API_OBJECT };

struct api_field {
	const char *name; /* NULL ends a list */
	enum api_type type;
	bool required;
	const char *what;
};

/* What an answer means to the session that the browser has. */
enum api_effect {
	API_NONE,
	API_SESSION, /* a `token` in it becomes the cookie, and is given to nobody else */
	API_END,     /* the cookie is taken away */
};

struct api_route {
	const char *call; /* NULL ends the table */
	bool changes;	  /* POST */
	bool open;	  /* for who has not signed in, too */
	bool stream;	  /* server-sent events */
	bool file;	  /* is answered by a file, where `gives` is there: by one or the other */
	bool bytes;	  /* the body is no JSON but bytes; what it takes is in the query */
	enum api_effect effect;
	const char *what;
	const char *file_type;		       /* of the file; may not be NULL there */
	const struct api_field *takes, *gives; /* NULL: nothing, anything */
};

extern const struct api_route api_routes[];

/* The route of a path, "/api/policy/get"; NULL there is none. */
const struct api_route *api_find(const char *path);
#define API_PATH_MAX 96
const char *api_path(const struct api_route *r, char ret_path[API_PATH_MAX]);

/*
 * The arguments of a request as one object, each of its row's type and none besides; NULL,
 * and *ret_problem is what to answer (problem.h). `query` may be NULL; `type` is the body's Content-Type.
 */
json_t *api_args(const struct api_route *r, const char *query, const char *type, struct bytes body,
		 json_t **ret_problem);

/* What the keeper calls the bytes of such a body. */
#define API_BYTES "data"

/* The OpenAPI 3.1 document. NULL: no memory. */
json_t *api_document(void);

#endif
