/*
 * HTTP: what is told of requests and answers, and every known way to say two
 * things at once; http_body.c: what is in them. libhtp, made for the same purpose, reads the same
 * conversations and must agree.
 */
#include <htp/htp.h>

#include "guard/proto/http_path.h"
#include "http_kit.h"

/* A request that must be found to be two. */
static void refuse_piece(struct talk_piece piece, const char *reason)
{
	char part[64];

	snprintf(part, sizeof(part), "\"reason\":\"%s\"", reason);
	for (size_t cut = 0; cut < 4; cut++) {
		talk_play(r, "http", false, &piece, 1, cut);
		assert_says(r, part);
	}
}

static void refuse(const char *request, const char *reason)
{
	refuse_piece((struct talk_piece){0, request, strlen(request)}, reason);
}

/* RFC 9113 §3.3: who knows that the server speaks it asks for no upgrade. */
static void http_2_is_named(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	const struct talk_piece piece = {0, preface, sizeof(preface) - 1};

	for (size_t cut = 0; cut < 4; cut++) {
		talk_play(r, "http", false, &piece, 1, cut);
		assert_string_equal(r->said, "{\"http\":{\"url\":\"*\",\"http_method\":\"PRI\","
					     "\"protocol\":\"HTTP/2.0\","
					     "\"control\":true},\"reason\":\"http.version\"}\n");
		assert_int_equal(r->last, PARSE_BAD);
	}
	refuse("GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\n", "http.version");
	refuse("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/2.0\r\n\r\n", "http.malformed");
}

static void requests_and_answers_are_paired(void **state)
{
	seed_same(r, "http", "http-talk-1");
	assert_int_equal(seed_count(r, "\"status\":"), 3);
	assert_says(r, "{\"http\":{\"hostname\":\"10.9.0.5\",\"url\":\"/none\","
		       "\"http_content_type\":\"text/html\",\"http_method\":\"GET\","
		       "\"protocol\":\"HTTP/1.1\",\"status\":404");
	assert_silent(r, "Doe"); /* the query names a patient */
	seed_same(r, "http", "http-talk-7");
	assert_int_equal(seed_count(r, "\"status\":200"), 3);
	assert_int_equal(seed_count(r, "reason"), 0);
}

static void bodies_are_passed_over(void **state)
{
	seed_same(r, "http", "http-talk-2");
	assert_says(r, "\"chunked\":true");
	seed_same(r, "http", "http-talk-5");
	assert_says(r, "\"http_method\":\"POST\",\"protocol\":\"HTTP/1.1\",\"status\":200");
	seed_same(r, "http", "http-talk-4");
	assert_says(r, "\"status\":100");
	assert_says(r, "\"status\":204");
	expect("POST /a HTTP/1.1\r\nHost: h:8080\r\nContent-Length: 5\r\n\r\nGET /GET /b "
	       "HTTP/1.1\r\n\r\n",
	       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: "
	       "b\r\n\r\n"
	       "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 nothing",
	       "{\"http\":{\"hostname\":\"h\",\"http_port\":8080,\"url\":\"/a\","
	       "\"http_method\":\"POST\",\"protocol\":\"HTTP/1.1\",\"length\":5,"
	       "\"control\":true}}\n"
	       "{\"http\":{\"url\":\"/b\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\"}}\n"
	       "{\"http\":{\"hostname\":\"h\",\"http_port\":8080,\"url\":\"/a\","
	       "\"http_method\":\"POST\",\"protocol\":\"HTTP/1.1\",\"status\":200,"
	       "\"chunked\":true}}\n"
	       "{\"http\":{\"url\":\"/b\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\","
	       "\"status\":200}}\n");
}

static void an_answer_without_a_body_has_none(void **state)
{
	seed_same(r, "http", "http-talk-3");
	assert_int_equal(seed_count(r, "\n"), 2);
	expect("HEAD / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
	       "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 No\r\nContent-Length: "
	       "9\r\n\r\n",
	       "{\"http\":{\"url\":\"/\",\"http_method\":\"HEAD\",\"protocol\":\"HTTP/1.1\"}}\n"
	       "{\"http\":{\"url\":\"/2\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\"}}\n"
	       "{\"http\":{\"url\":\"/\",\"http_method\":\"HEAD\",\"protocol\":\"HTTP/1.1\","
	       "\"status\":200,\"length\":9}}\n"
	       "{\"http\":{\"url\":\"/2\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\","
	       "\"status\":304,\"length\":9}}\n");
}

/* Each answer is told with what it answers, as far as there is room for so many at once. */
static void answers_belong_to_requests(void **state)
{
	struct talk_record *t = malloc(sizeof(*t));
	char text[512], want[512];

	talk_begin(t, "http", false);
	for (int i = 0; i < 20; i++) {
		int n = snprintf(text, sizeof(text), "GET /%d HTTP/1.1\r\nHost: h%d\r\n\r\n", i, i);

		talk_feed(t, 0, text, (size_t)n);
	}
	for (int i = 0; i < 20; i++) {
		t->said[0] = 0;
		if (i == 5) /* not the answer yet */
			talk_feed(t, 1, "HTTP/1.1 100 C\r\n\r\n", 18);
		talk_feed(t, 1, "HTTP/1.1 204 No\r\n\r\n", 19);
		snprintf(want, sizeof(want),
			 i < 12 ? "{\"hostname\":\"h%d\",\"url\":\"/%d\",\"http_method\":\"GET\","
				  "\"protocol\":\"HTTP/1.1\",\"status\":204}"
				: "{\"protocol\":\"HTTP/1.1\",\"status\":204}",
			 i, i);
		assert_non_null(strstr(t->said, want));
	}
	t->said[0] = 0;
	talk_feed(t, 0, "GET /last HTTP/1.1\r\n\r\n", 22);
	talk_feed(t, 1, "HTTP/1.1 204 No\r\n\r\n", 19);
	assert_non_null(strstr(t->said, "\"url\":\"/last\",\"http_method\":\"GET\","
					"\"protocol\":\"HTTP/1.1\",\"status\":204"));
	talk_finish(t);
	free(t);
}

static void a_tunnel_is_not_read(void **state)
{
	expect("CONNECT a:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 999 no\r\n\r\n",
	       "{\"http\":{\"hostname\":\"a\",\"http_port\":443,\"url\":\"a:443\","
	       "\"http_method\":\"CONNECT\",\"protocol\":\"HTTP/1.1\",\"control\":true}}\n"
	       "{\"http\":{\"hostname\":\"a\",\"http_port\":443,\"url\":\"a:443\","
	       "\"http_method\":\"CONNECT\",\"protocol\":\"HTTP/1.1\",\"status\":200}}\n");
}

/* A rule's host name is whom the proxy asks, not what the Host field claims. */
static void the_target_names_the_host(void **state)
{
	expect("GET http://u@b:81/x?q HTTP/1.1\r\nHost: B:81\r\n\r\n", "",
	       "{\"http\":{\"hostname\":\"b\",\"http_port\":81,\"url\":\"b:81/x\","
	       "\"query\":true,\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\"}}\n");
	expect("GET /x?u=http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "",
	       "{\"http\":{\"hostname\":\"a\",\"url\":\"/x\",\"query\":true,"
	       "\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\"}}\n");
	refuse("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "http.smuggling");
	refuse("GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", "http.smuggling");
	refuse("CONNECT b:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "http.smuggling");
	/* Who reads up to a zero takes these for the same. */
	refuse_piece(
		(struct talk_piece)TALK_PIECE(0, "GET http://a\0b/ HTTP/1.1\r\nHost: a\0c\r\n\r\n"),
		"http.smuggling");
}

/* It may turn out to be SDC's; what is long enough, or ends so, is not waited for. */
static void a_post_is_known_by_its_whole_head(void **state)
{
	static const struct {
		const char *text;
		enum parse expected;
	} cases[] = {{"POST / HTTP/1.1\r\nHost: a\r\n", PARSE_MORE},
		     {"POST / HTTP/1.1\r\nHost: a\r\n\r\n", PARSE_OK},
		     {"GET / HTTP/1.1\r\n", PARSE_OK},
		     {"\r\n\nGET / HTTP/1.1\r\n", PARSE_OK},
		     {"\r\nPOST / HTTP/1.1\r\n", PARSE_MORE},
		     {"get / HTTP/1.1\r\n", PARSE_OK},
		     {"GET /\r\n", PARSE_OK}};
	char text[2100] = "POST / HTTP/1.1\r\nX: ";

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proto_input in = {.data = unit_exact(cases[i].text, strlen(cases[i].text))};

		assert_int_equal(proto_find("http")->probe(&in), cases[i].expected);
		in.last = true;
		assert_int_equal(proto_find("http")->probe(&in), PARSE_OK);
		free((void *)(uintptr_t)in.data.data);
	}
	memset(text + strlen(text), 'x', 2000);
	assert_int_equal(proto_find("http")->probe(
				 &(struct proto_input){.data = {(const uint8_t *)text, 1999}}),
			 PARSE_MORE);
	assert_int_equal(proto_find("http")->probe(
				 &(struct proto_input){.data = {(const uint8_t *)text, 2000}}),
			 PARSE_OK);
}

/* What only some servers take for a request is told, and no rule's pattern is passed by it. */
static void careless_requests_are_read(void **state)
{
	static const char small[] = "\r\n\r\nget /a HTTP/1.0\r\n\r\n", old[] = "GET /a?x\r\n";
	struct talk_piece piece = {0, old, sizeof(old) - 1};

	expect(small, NULL,
	       "{\"http\":{\"url\":\"/a\",\"http_method\":\"get\",\"protocol\":\"HTTP/1.0\"}}\n");
	for (size_t cut = 0; cut < 4; cut++) {
		talk_play(r, "http", false, &piece, 1, cut);
		assert_says(r, "{\"http\":{\"url\":\"/a\",\"query\":true,\"http_method\":\"GET\"},"
			       "\"reason\":\"http.malformed\"}");
	}
}

static void two_lengths_are_refused(void **state)
{
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
	refuse(POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: 4\r\nContent-Length: 5\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: 4, 5\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: +4\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: 0x4\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: \r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length: 99999999999999999999\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length : 4\r\n\r\n", "http.smuggling");
	refuse(POST "Content-Length:\r\n 4\r\n\r\n", "http.smuggling");
	refuse(POST "Transfer-Encoding: xchunked\r\n\r\n", "http.smuggling");
	refuse(POST "Transfer-Encoding: chunked, identity\r\n\r\n", "http.smuggling");
	refuse(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	       "http.smuggling");
	refuse(POST "Transfer-Encoding\t: chunked\r\n\r\n", "http.smuggling");
	refuse(POST "\x0bTransfer-Encoding: chunked\r\n\r\n", "http.smuggling");
	refuse(POST "Transfer-Encoding: \x0b"
		    "chunked\r\n\r\n",
	       "http.smuggling");
	refuse(POST "Content-Length: 4\x0c\r\n\r\n", "http.smuggling");
	refuse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "http.smuggling");
	refuse(POST "Host: b\r\n\r\n", "http.smuggling");
	refuse(POST "X: a\rContent-Length: 4\r\n\r\n", "http.malformed");
	expect(POST "Content-Length: 0, 0\r\n\r\n", NULL,
	       "{\"http\":{\"hostname\":\"a\",\"url\":\"/\",\"http_method\":\"POST\","
	       "\"protocol\":\"HTTP/1.1\",\"control\":true}}\n");
}

static void chunks_are_written_one_way(void **state)
{
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
	refuse(CHUNKED "0x3\r\nabc\r\n", "http.smuggling");
	refuse(CHUNKED "-1\r\n", "http.smuggling");
	refuse(CHUNKED " 3\r\nabc\r\n", "http.smuggling");
	refuse(CHUNKED "3\nabc\r\n", "http.smuggling");
	refuse(CHUNKED "3\r\nabcd\r\n", "http.smuggling");
	refuse(CHUNKED "3 3\r\nabc\r\n", "http.smuggling");
	refuse(CHUNKED "10000000000000000\r\n", "http.smuggling");
	refuse(CHUNKED "\r\n", "http.smuggling");
}

/* Method and version with nothing between them are no request. */
static void a_request_without_a_target_is_none(void **state)
{
	refuse("GETGETGET HTTP/1.1\r\nHost: a\r\n\r\n", "http.malformed");
	refuse("GETGETGET  HTTP/1.1\r\nHost: a\r\n\r\n", "http.malformed");
}

static void the_wrong_end_asks(void **state)
{
	refuse("GET / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "http.malformed");
}

static void logins_are_told_and_never_shown(void **state)
{
	seed_same(r, "http", "http-talk-6");
	assert_says(r, "\"auth\":\"Basic\",\"default_login\":true");
	assert_silent(r, "YWRt");
	expect("GET / HTTP/1.1\r\nAuthorization: Basic c29tZTpzZWNyZXQ=\r\n\r\n", NULL,
	       "{\"http\":{\"url\":\"/\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\","
	       "\"auth\":\"Basic\"}}\n");
}

/* What libhtp makes of the seed, in the words of ours. */
static void oracle(const char *name, char *told, size_t size)
{
	static uint8_t file[1 << 17];
	htp_cfg_t *cfg = htp_config_create();
	htp_connp_t *c = htp_connp_create(cfg);
	htp_conn_t *conn;
	struct reader in;
	char path[512];
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/fuzz/seeds/http/%s", UNIT_SOURCE, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	in = reader_new(file, fread(file, 1, sizeof(file), f));
	fclose(f);
	htp_config_set_server_personality(cfg, HTP_SERVER_GENERIC);
	htp_connp_open(c, "1.1.1.1", 1, "2.2.2.2", 80, NULL);
	for (read_u8(&in); reader_left(&in) >= 3;) {
		unsigned end = read_u8(&in) & 1;
		struct bytes b = read_bytes(&in, read_be16(&in));

		if (end)
			htp_connp_res_data(c, NULL, b.data, b.len);
		else
			htp_connp_req_data(c, NULL, b.data, b.len);
	}
	conn = htp_connp_get_connection(c);
	for (size_t i = 0; i < htp_list_size(conn->transactions); i++) {
		htp_tx_t *tx = htp_list_get(conn->transactions, i);
		bstr *uri = tx->request_uri, *method = tx->request_method;
		const uint8_t *query = memchr(bstr_ptr(uri), '?', bstr_len(uri));
		int path_len = query ? (int)(query - bstr_ptr(uri)) : (int)bstr_len(uri);

		len += (size_t)snprintf(told + len, size - len, "%.*s %.*s %d\n",
					(int)bstr_len(method), bstr_ptr(method), path_len,
					bstr_ptr(uri), tx->response_status_number);
	}
	htp_connp_destroy_all(c);
	htp_config_destroy(cfg);
}

/* The n-th line that has the member, from there on. */
static const char *member(const char *said, const char *key, unsigned n)
{
	for (const char *at = said; (at = strstr(at, key)); at++)
		if (!n--)
			return at + strlen(key);
	return NULL;
}

/* Requests in their order beside final answers in theirs. */
static void ours(char *told, size_t size)
{
	unsigned answer = 0;
	size_t len = 0;
	char line[8192], *save = NULL, *all = strdup(r->said);

	for (char *at = strtok_r(all, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		const char *method = member(at, "\"http_method\":\"", 0);
		const char *url = member(at, "\"url\":\"", 0);
		const char *status;

		if (strstr(at, "\"status\"") || !method || !url)
			continue;
		do {
			status = member(r->said, "\"status\":", answer++);
			assert_non_null(status);
		} while (atoi(status) < 200);
		snprintf(line, sizeof(line), "%.*s %.*s %d\n", (int)strcspn(method, "\""), method,
			 (int)strcspn(url, "\""), url, atoi(status));
		len += (size_t)snprintf(told + len, size - len, "%s", line);
	}
	free(all);
}

static void libhtp_agrees(void **state)
{
	static char theirs[4096], mine[4096];
	char name[32];

	for (unsigned i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "http-talk-%u", i);
		seed_play(r, "http", name, 0);
		memset(theirs, 0, sizeof(theirs));
		memset(mine, 0, sizeof(mine));
		oracle(name, theirs, sizeof(theirs));
		ours(mine, sizeof(mine));
		assert_true(strlen(theirs) > 10);
		assert_string_equal(mine, theirs);
	}
}

static void a_path_is_what_servers_read(void **state)
{
	static const struct {
		const char *target, *path; /* NULL: it is read as it is written */
		bool unsure;
	} rows[] = {
		{"/a/b", NULL},
		{"/a//b", NULL},
		{"/a?x=%2e", NULL},
		{"/a#/../../admin", "/admin", true}, /* a fragment to some, a segment to others */
		{"*", NULL},
		{"lis:443", NULL},
		{"", NULL},
		{"/a/../b", "/b"},
		{"/../../b", "/b"},
		{"/a/./b/.", "/a/b/"},
		{"/a/b/..", "/a/"},
		{"/.well-known/x", "/.well-known/x"},
		{"/a/.../b", "/a/.../b"},
		{"/%61dmin", "/admin"},
		{"/%2561dmin", "/admin"},
		{"/%25252561dmin", "/admin"},
		{"/J%C3%BCrgen%20D", "/J%C3%BCrgen%20D"},
		{"/100%25", "/100%25"},
		{"/100%", "/100%"},
		{"/100%2", "/100%2"},
		{"/100%zz", "/100%zz"},
		{"/a%2Fb", "/a/b"},
		{"/a\\..\\b", "/b", true},
		{"/a\\b", "/a/b"},
		{"/a;v=1/..;/b;x", "/b", true},
		{"/a//../b/%2e", "/b/", true},
		{"/a/%2e%2e/b", "/b", true},
		{"/a/..b", "/a/..b"},
		{"/a/..%20/b", "/a/..%20/b", true},
		{"http://lis/admin", NULL},
		{"http://lis/a//b", NULL},
		{"http://lis\\a", "/a"},
		{"/x://lis/a", NULL},
		{"x/y://lis/../a", NULL},
		{"http://lis:80/a/../admin?x", "/admin"},
		{"http://lis", NULL},
		{"http://lis?/x", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].target), got;
		uint8_t *target = malloc(len + !len), *path = malloc(HTTP_PATH_MAX);
		bool unsure;

		memcpy(target, rows[i].target, len);
		got = http_path_read((struct bytes){target, len}, path, &unsure);
		assert_int_equal(got, rows[i].path ? strlen(rows[i].path) : 0);
		if (got)
			assert_memory_equal(path, rows[i].path, got);
		assert_int_equal(unsure, rows[i].unsure);
		free(path);
		free(target);
	}
}

/* However long the way round is, where it leads is known. */
static void long_paths_are_read_to_their_end(void **state)
{
	enum { DEEP = 3000 };
	uint8_t *target = malloc(2 * DEEP + 3 * DEEP + 6), *path = malloc(HTTP_PATH_MAX);
	size_t len = 0;
	bool unsure;

	for (unsigned i = 0; i < DEEP; i++, len += 2)
		memcpy(target + len, "/a", 2);
	assert_int_equal(http_path_read((struct bytes){target, len}, path, &unsure), 0);
	for (unsigned i = 0; i < DEEP; i++, len += 3)
		memcpy(target + len, "/..", 3);
	memcpy(target + len, "/admin", 6);
	assert_int_equal(http_path_read((struct bytes){target, len + 6}, path, &unsure), 6);
	assert_memory_equal(path, "/admin", 6);
	/* One that does not fit leaves whole segments. */
	memset(target, 'b', 2 * HTTP_PATH_MAX);
	memcpy(target, "/a/./", 5);
	assert_int_equal(http_path_read((struct bytes){target, 2 * HTTP_PATH_MAX}, path, &unsure),
			 3);
	assert_memory_equal(path, "/a/", 3);
	free(path);
	free(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_answers_are_paired),
		cmocka_unit_test(bodies_are_passed_over),
		cmocka_unit_test(an_answer_without_a_body_has_none),
		cmocka_unit_test(answers_belong_to_requests),
		cmocka_unit_test(a_tunnel_is_not_read),
		cmocka_unit_test(the_target_names_the_host),
		cmocka_unit_test(a_post_is_known_by_its_whole_head),
		cmocka_unit_test(careless_requests_are_read),
		cmocka_unit_test(two_lengths_are_refused),
		cmocka_unit_test(chunks_are_written_one_way),
		cmocka_unit_test(a_request_without_a_target_is_none),
		cmocka_unit_test(the_wrong_end_asks),
		cmocka_unit_test(logins_are_told_and_never_shown),
		cmocka_unit_test(http_2_is_named),
		cmocka_unit_test(a_path_is_what_servers_read),
		cmocka_unit_test(long_paths_are_read_to_their_end),
		cmocka_unit_test(libhtp_agrees),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
