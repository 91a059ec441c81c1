#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "people/console/api.h"
#include "people/console/ask.h"
#include "people/console/cookie.h"
#include "people/console/limit.h"
#include "people/console/live.h"
#include "people/console/problem.h"
#include "role/call.h"

/* What api_args() makes of a request: the arguments as JSON, or the problem's type. */
static char *args_of(const char *path, const char *query, const char *type, const char *body)
{
	const struct api_route *r = api_find(path);
	struct bytes exact = unit_exact(body, strlen(body));
	json_t *problem = NULL, *args;
	char *text;

	assert_non_null(r);
	args = api_args(r, query, type, exact, &problem);
	assert_true((args == NULL) == (problem != NULL));
	text = args ? json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS)
		    : strdup(json_string_value(json_object_get(problem, "type")));
	json_decref(args);
	json_decref(problem);
	free((void *)exact.data);
	return text;
}

#define JSON "application/json"

static void arguments_are_read_as_their_row_says(void **state)
{
	static const struct {
		const char *path, *query, *type, *body, *want;
	} cases[] = {
		{"/api/events", NULL, NULL, "", "{}"},
		{"/api/events", "", NULL, "", "{}"},
		{"/api/events", "device=pump-1&limit=5&grouped=true", NULL, "",
		 "{\"device\":\"pump-1\",\"grouped\":true,\"limit\":5}"},
		{"/api/events", "text=a+b%20c%2B%C3%A4", NULL, "", "{\"text\":\"a b c+\\u00e4\"}"},
		{"/api/events", "device=", NULL, "", "{\"device\":\"\"}"},
		{"/api/events", "&&device=x&", NULL, "", "{\"device\":\"x\"}"},
		{"/api/events", "limit=", NULL, "", "request.argument"},
		{"/api/events", "limit=-1", NULL, "", "request.argument"},
		{"/api/events", "limit=1e3", NULL, "", "request.argument"},
		{"/api/events", "limit=1234567890123456789", NULL, "", "request.argument"},
		{"/api/events", "grouped=1", NULL, "", "request.argument"},
		{"/api/events", "device=a&device=b", NULL, "", "request.argument"},
		{"/api/events", "device=%", NULL, "", "request.query"},
		{"/api/events", "device=%4", NULL, "", "request.query"},
		{"/api/events", "device=%zz", NULL, "", "request.query"},
		{"/api/events", "device=%00", NULL, "", "request.query"},
		{"/api/events", "device=%ff", NULL, "", "request.argument"},
		{"/api/events", "devise=x", NULL, "", "request.unknown_argument"},
		{"/api/events", "%ff=x", NULL, "", "request.unknown_argument"},
		{"/api/policy/check", NULL, JSON, "{\"text\":\"a\"}", "{\"text\":\"a\"}"},
		{"/api/policy/check", NULL, "Application/JSON ; charset=utf-8", "{\"text\":\"a\"}",
		 "{\"text\":\"a\"}"},
		{"/api/policy/check", NULL, "application/jsonx", "{\"text\":\"a\"}",
		 "request.type"},
		{"/api/policy/check", NULL, NULL, "{\"text\":\"a\"}", "request.type"},
		{"/api/policy/check", "text=a", JSON, "", "request.query"},
		{"/api/policy/check", NULL, JSON, "", "request.argument"},
		{"/api/policy/check", NULL, JSON, "{", "request.json"},
		{"/api/policy/check", NULL, JSON, "[]", "request.json"},
		{"/api/policy/check", NULL, JSON, "{\"text\":\"a\",\"text\":\"b\"}",
		 "request.json"},
		{"/api/policy/check", NULL, JSON, "{\"text\":1}", "request.argument"},
		{"/api/policy/check", NULL, JSON, "{\"text\":null}", "request.argument"},
		{"/api/policy/check", NULL, JSON, "{\"text\":\"a\",\"more\":null}",
		 "request.unknown_argument"},
		{"/api/policy/check", NULL, JSON, "{\"text\":\"a\\u0000\"}", "request.json"},
		{"/api/key/make", NULL, JSON, "{\"name\":\"a\",\"days\":1,\"scopes\":[\"events\"]}",
		 "{\"days\":1,\"name\":\"a\",\"scopes\":[\"events\"]}"},
		{"/api/key/make", NULL, JSON, "{\"name\":\"a\",\"days\":1,\"scopes\":[1]}",
		 "request.argument"},
		{"/api/key/make", NULL, JSON, "{\"name\":\"a\",\"days\":1.0,\"scopes\":[]}",
		 "request.argument"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *was = args_of(cases[i].path, cases[i].query, cases[i].type, cases[i].body);
		json_t *a = json_loads(was, 0, NULL), *b = json_loads(cases[i].want, 0, NULL);

		if (a && b ? !json_equal(a, b) : strcmp(was, cases[i].want) != 0)
			fail_msg("%s?%s %s\nexpected %s\nwas      %s", cases[i].path,
				 cases[i].query ? cases[i].query : "", cases[i].body, cases[i].want,
				 was);
		json_decref(a);
		json_decref(b);
		free(was);
	}
}

static void long_arguments_are_refused(void **state)
{
	char query[API_QUERY_MAX + 64], *was;

	memset(query, 'x', sizeof(query));
	memcpy(query, "device=", 7);
	query[7 + API_TEXT_MAX] = 0;
	was = args_of("/api/events", query, NULL, "");
	assert_string_equal(was + strlen(was) - 2, "\"}");
	free(was);
	query[7 + API_TEXT_MAX] = 'x';
	query[7 + API_TEXT_MAX + 1] = 0;
	was = args_of("/api/events", query, NULL, "");
	assert_string_equal(was, "request.argument");
	free(was);
	query[7 + API_TEXT_MAX + 1] = 'x';
	query[sizeof(query) - 1] = 0;
	was = args_of("/api/events", query, NULL, "");
	assert_string_equal(was, "request.query");
	free(was);
}

static void every_route_is_found_and_described(void **state)
{
	json_t *document = api_document(), *paths = json_object_get(document, "paths");
	char path[API_PATH_MAX];
	size_t count = 0;

	assert_non_null(document);
	for (const struct api_route *r = api_routes; r->call; r++, count++) {
		const json_t *o = json_object_get(paths, api_path(r, path));

		assert_ptr_equal(api_find(path), r);
		assert_non_null(json_object_get(o, r->changes ? "post" : "get"));
		assert_true(*r->what != 0);
	}
	assert_int_equal(json_object_size(paths), count); /* none twice */
	assert_null(api_find("/api/"));
	assert_null(api_find("/api/policy.get"));
	assert_null(api_find("/api/policy/get/"));
	assert_null(api_find(""));
	json_decref(document);
}

/* What the keeper does for people and what the API offers are the same, but what is done on the box. */
static void every_call_has_a_route(void **state)
{
	const struct call_row *const *tables;
	size_t count = call_tables(&tables), calls = 0, routes = 0;
	char path[API_PATH_MAX];

	for (size_t i = 0; i < count; i++)
		for (const struct call_row *r = tables[i]; r->name; r++) {
			const struct api_route *route =
				api_find(api_path(&(struct api_route){.call = r->name}, path));

			if (r->on_box && route)
				fail_msg("%s is for the box alone", r->name);
			if (!r->on_box && !route)
				fail_msg("%s is not in the API", r->name);
			if (!r->on_box && r->changes && !route->changes)
				fail_msg("%s changes something and is a GET", r->name);
			if (!r->on_box && route->open != (r->roles == 0))
				fail_msg("%s: open to whom?", r->name);
			calls += !r->on_box;
		}
	for (const struct api_route *r = api_routes; r->call; r++)
		routes++;
	assert_int_equal(routes, calls);
}

static void cookies(void **state)
{
	static const struct {
		const char *header;
		enum cookie_found want;
		const char *token;
	} cases[] = {
		{"", COOKIE_NONE, NULL},
		{"a=b; c=d", COOKIE_NONE, NULL},
		{COOKIE_NAME "=tok", COOKIE_FOUND, "tok"},
		{"a=b; " COOKIE_NAME "=to-k_1.2;c=d", COOKIE_FOUND, "to-k_1.2"},
		{"  " COOKIE_NAME "=tok  ; ", COOKIE_FOUND, "tok"},
		{COOKIE_NAME "=", COOKIE_BAD, NULL},
		{COOKIE_NAME, COOKIE_BAD, NULL},
		{COOKIE_NAME "x=tok", COOKIE_NONE, NULL},
		{"x" COOKIE_NAME "=tok", COOKIE_NONE, NULL},
		{COOKIE_NAME "=a b", COOKIE_BAD, NULL},
		{COOKIE_NAME "=\"tok\"", COOKIE_BAD, NULL},
		{COOKIE_NAME "=a=b", COOKIE_BAD, NULL},
		{COOKIE_NAME "=tok; " COOKIE_NAME "=tok", COOKIE_BAD, NULL},
		{COOKIE_NAME "=\xff", COOKIE_BAD, NULL},
		{";;;;" COOKIE_NAME "=t", COOKIE_FOUND, "t"},
	};
	char token[COOKIE_TOKEN_MAX], long_[COOKIE_TOKEN_MAX + 64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes exact = unit_exact(cases[i].header, strlen(cases[i].header) + 1);

		*token = 0;
		assert_int_equal(cookie_session((const char *)exact.data, token), cases[i].want);
		if (cases[i].token)
			assert_string_equal(token, cases[i].token);
		free((void *)exact.data);
	}
	memset(long_, 'a', sizeof(long_));
	memcpy(long_, COOKIE_NAME "=", strlen(COOKIE_NAME) + 1);
	long_[strlen(COOKIE_NAME) + 1 + COOKIE_TOKEN_MAX - 1] = 0;
	assert_int_equal(cookie_session(long_, token), COOKIE_FOUND);
	long_[strlen(COOKIE_NAME) + 1 + COOKIE_TOKEN_MAX - 1] = 'a';
	long_[sizeof(long_) - 1] = 0;
	assert_int_equal(cookie_session(long_, token), COOKIE_BAD);

	assert_int_equal(cookie_bearer("Bearer abc", token), COOKIE_FOUND);
	assert_string_equal(token, "abc");
	assert_int_equal(cookie_bearer("bearer   abc", token), COOKIE_FOUND);
	assert_int_equal(cookie_bearer("Bearer a b", token), COOKIE_BAD);
	assert_int_equal(cookie_bearer("Bearer ", token), COOKIE_BAD);
	assert_int_equal(cookie_bearer("Basic abc", token), COOKIE_BAD);
	assert_int_equal(cookie_bearer("", token), COOKIE_BAD);
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage s = {0};
	struct sockaddr_in *v4 = (void *)&s;
	struct sockaddr_in6 *v6 = (void *)&s;

	s.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (s.ss_family == AF_INET)
		assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	return s;
}

#define FROM(text) ((struct sockaddr *)(void *)&(struct sockaddr_storage[]){address(text)}[0])

static void one_address_has_its_share(void **state)
{
	struct limit *l = limit_new(&(struct limit_rates){2, 10});
	uint64_t now = NSEC_PER_SEC;
	unsigned wait, done = 0;

	assert_true(limit_enter(l, FROM("10.0.0.1"), now));
	assert_true(limit_enter(l, FROM("10.0.0.1"), now));
	assert_false(limit_enter(l, FROM("10.0.0.1"), now));
	assert_true(limit_enter(l, FROM("10.0.0.2"), now));
	limit_leave(l, FROM("10.0.0.1"));
	assert_int_equal(limit_connections(l, FROM("10.0.0.1")), 1);
	assert_true(limit_enter(l, FROM("10.0.0.1"), now));
	assert_int_equal(limit_connections(l, FROM("10.0.0.1")), 2);
	assert_int_equal(limit_connections(l, FROM("10.0.0.3")), 0);
	/* The whole of a /64 is one address. */
	assert_true(limit_enter(l, FROM("fd00:1::1"), now));
	assert_true(limit_enter(l, FROM("fd00:1::2"), now));
	assert_false(limit_enter(l, FROM("fd00:1::3"), now));
	assert_true(limit_enter(l, FROM("fd00:1:0:1::3"), now));

	while (limit_ask(l, FROM("10.0.0.1"), now, &wait))
		done++;
	assert_int_equal(done, 40); /* four seconds' worth at once */
	assert_true(wait >= 1);
	assert_true(limit_ask(l, FROM("10.0.0.2"), now, &wait));
	assert_true(limit_ask(l, FROM("10.0.0.1"), now + NSEC_PER_SEC / 10, &wait));
	assert_false(limit_ask(l, FROM("10.0.0.1"), now + NSEC_PER_SEC / 10, &wait));
	limit_free(l);
}

static void who_is_connected_is_not_forgotten(void **state)
{
	struct limit *l = limit_new(&(struct limit_rates){1, 10});
	uint64_t now = NSEC_PER_SEC;
	char text[32];

	assert_true(limit_enter(l, FROM("10.0.0.1"), now));
	for (unsigned i = 0; i < 4 * LIMIT_SOURCES; i++) { /* as many others come by */
		snprintf(text, sizeof(text), "11.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		if (limit_enter(l, FROM(text), now + i))
			limit_leave(l, FROM(text));
	}
	assert_false(limit_enter(l, FROM("10.0.0.1"), now));
	limit_free(l);
}

/* --- questions ------------------------------------------------------------- */

struct sent {
	int answer;
	uint32_t id;
	unsigned count;
	char said[64];
};

static int send_it(void *arg, uint32_t id, struct bytes text)
{
	struct sent *s = arg;

	s->id = id;
	s->count++;
	return s->answer;
}

static void told(void *arg, const json_t *answer)
{
	struct sent *s = arg;
	const json_t *error = json_object_get(answer, "error");

	snprintf(s->said, sizeof(s->said), "%s",
		 error ? json_string_value(json_object_get(error, "type")) : "ok");
}

static bool piece(struct asks *a, uint32_t id, const char *text)
{
	return ask_piece(a, id, (struct bytes){(const uint8_t *)text, strlen(text)});
}

static void every_question_has_an_end(void **state)
{
	struct sent s = {0};
	struct asks *a = asks_new(send_it, &s);
	json_t *call = json_pack("{s:s}", "call", "status");
	uint32_t id = ask_keeper(a, call, 0, told, &s);

	assert_true(id != 0 && id == s.id);
	assert_true(piece(a, id, "{\"ok\":"));
	assert_true(piece(a, id, "{}}"));
	assert_string_equal(s.said, "");
	assert_true(piece(a, id, ""));
	assert_string_equal(s.said, "ok");
	assert_true(piece(a, id, "late")); /* harmless */
	assert_false(piece(a, id + 7, "never asked"));

	id = ask_keeper(a, call, 0, told, &s);
	assert_true(piece(a, id, "nonsense") && piece(a, id, ""));
	assert_string_equal(s.said, "gateway.nonsense");

	id = ask_keeper(a, call, 0, told, &s);
	ask_turn(a, ASK_MS * NSEC_PER_MSEC - 1);
	assert_string_equal(s.said, "gateway.nonsense");
	ask_turn(a, ASK_MS * NSEC_PER_MSEC);
	assert_string_equal(s.said, "gateway.late");

	*s.said = 0;
	id = ask_keeper(a, call, 0, told, &s);
	ask_forget(a, id);
	ask_fail_all(a);
	assert_string_equal(s.said, "");
	ask_keeper(a, call, 0, told, &s);
	ask_fail_all(a);
	assert_string_equal(s.said, "gateway.busy");

	*s.said = 0;
	s.answer = -1;
	assert_int_equal(ask_keeper(a, call, 0, told, &s), 0);
	assert_string_equal(s.said, "gateway.busy");

	s.answer = 0;
	for (unsigned i = 0; i < ASK_WAITING; i++)
		assert_true(ask_keeper(a, call, 0, told, &s) != 0);
	*s.said = 0;
	assert_int_equal(ask_keeper(a, call, 0, told, &s), 0);
	assert_string_equal(s.said, "gateway.busy");
	json_decref(call);
	asks_free(a);
}

static void views_get_what_they_asked_for(void **state)
{
	static const char line[] =
		"{\"event_type\":\"policy\",\"device\":\"pump-1\",\"reason\":\"policy.not_"
		"allowed\","
		"\"verdict\":{\"action\":\"drop\"},\"http\":{\"url\":\"/Admin\"}}";
	static const struct {
		const char *args;
		bool fits;
	} cases[] = {
		{"{}", true},
		{"{\"device\":\"pump-1\"}", true},
		{"{\"device\":\"pump-2\"}", false},
		{"{\"reason\":\"policy\"}", true},
		{"{\"reason\":\"policy.not_allowed\"}", true},
		{"{\"reason\":\"pol\"}", false},
		{"{\"reason\":\"policy.not\"}", false},
		{"{\"type\":\"policy\",\"verdict\":\"blocked\"}", true},
		{"{\"verdict\":\"passed\"}", false},
		{"{\"text\":\"/admin\"}", true},
		{"{\"text\":\"/root\"}", false},
	};
	struct bytes exact = unit_exact(line, sizeof(line) - 1);
	json_t *event = json_loads(line, 0, NULL);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *args = json_loads(cases[i].args, 0, NULL);

		if (live_fits(args, event, exact) != cases[i].fits)
			fail_msg("%s", cases[i].args);
		json_decref(args);
	}
	json_decref(event);
	free((void *)exact.data);
}

static void problems_stay_json(void **state)
{
	json_t *p = problem_new(400, "a.b", "Title", "%s", "cut within a letter \xc3");

	assert_int_equal(problem_status(p), 400);
	assert_string_equal(json_string_value(json_object_get(p, "detail")), "");
	json_object_set_new(p, "status", json_integer(200));
	assert_int_equal(problem_status(p), 500);
	json_decref(p);
	assert_int_equal(problem_status(NULL), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_read_as_their_row_says),
		cmocka_unit_test(long_arguments_are_refused),
		cmocka_unit_test(every_route_is_found_and_described),
		cmocka_unit_test(every_call_has_a_route),
		cmocka_unit_test(cookies),
		cmocka_unit_test(one_address_has_its_share),
		cmocka_unit_test(who_is_connected_is_not_forgotten),
		cmocka_unit_test(every_question_has_an_end),
		cmocka_unit_test(views_get_what_they_asked_for),
		cmocka_unit_test(problems_stay_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
