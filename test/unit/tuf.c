#include "unit.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <unistd.h>

#include "update/bundle/tar.h"
#include "update/tuf/canon.h"
#include "update/tuf/delegation.h"
#include "update/tuf/glob.h"
#include "update/tuf/local.h"
#include "update/tuf/source.h"

static void patterns_stay_in_their_part(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} t[] = {
		{"*", "a", true},
		{"*", "", true},
		{"*", "a/b", false},
		{"a/*", "a/b", true},
		{"a/*", "a/b/c", false},
		{"a/*", "a/", true},
		{"*/*", "a/b", true},
		{"*.tgz", "foo.tgz", true},
		{"*.tgz", "x/foo.tgz", false},
		{"foo-?.tgz", "foo-2.tgz", true},
		{"foo-?.tgz", "foo-.tgz", false},
		{"?", "/", false},
		{"[/]", "/", false},
		{"[a-c]x", "bx", true},
		{"[!a-c]x", "bx", false},
		{"[!a-c]x", "dx", true},
		{"[!a]", "/", false},
		{"[]]", "]", true},
		{"[!]]", "]", false},
		{"[a", "[a", true},
		{"[", "[", true},
		{"a[]", "a[]", true},
		{"[a-]", "-", true},
		{"\\*", "\\x", true},
		{"\\*", "*", false},
		{"*a*b", "xaxb", true},
		{"*a*b", "xaxbx", false},
		{"**", "ab", true},
		{"*/x", "a/x", true},
		{"*x/y", "ax/bx/y", false},
		{"?", "\xc3\xa9", true},
		{"?", "\xff", true},
		{"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{".*", ".hidden", true},
		{"*", ".hidden", true},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (glob_match(t[i].pattern, t[i].path) != t[i].match)
			fail_msg("'%s' against '%s' is not %d", t[i].pattern, t[i].path,
				 t[i].match);
}

/* What the C library says of the same question, where both know the same signs. */
static void patterns_agree_with_fnmatch(void **state)
{
	static const char letters[] = "ab/*?ab*";
	unsigned seed = 1;

	for (unsigned i = 0; i < 200000; i++) {
		char pattern[9], path[9];
		unsigned n = rand_r(&seed) % 8, m = rand_r(&seed) % 8;

		for (unsigned j = 0; j < n; j++)
			pattern[j] = letters[rand_r(&seed) % 8];
		for (unsigned j = 0; j < m; j++)
			path[j] = letters[rand_r(&seed) % 3];
		pattern[n] = path[m] = 0;
		if (glob_match(pattern, path) !=
		    (fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE) == 0))
			fail_msg("'%s' against '%s'", pattern, path);
	}
}

static void check_canon(const char *in, const char *want)
{
	struct bytes text = unit_exact(in, strlen(in)), out;
	json_t *v;

	assert_int_equal(canon_parse(text, &v, NULL), 0);
	assert_int_equal(canon_encode(v, &out), 0);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data, want, out.len);
	free((void *)out.data);
	free((void *)text.data);
	json_decref(v);
}

static void canonical_form(void **state)
{
	check_canon(" { \"b\" : [ 1 , -2,true,false,null ], \"a\":{} } ",
		    "{\"a\":{},\"b\":[1,-2,true,false,null]}");
	check_canon("{\"x\":\"a\\\"b\\\\c\\n\\u0001\\u00e9\\/\"}",
		    "{\"x\":\"a\\\"b\\\\c\n\x01\xc3\xa9/\"}");
	/* U+FF5E before U+1F600, as code points and as UTF-8, but not as UTF-16. */
	check_canon("{\"\\ud83d\\ude00\":1,\"\\uff5e\":2}",
		    "{\"\xef\xbd\x9e\":2,\"\xf0\x9f\x98\x80\":1}");
	check_canon("{\"n\":9223372036854775807,\"m\":-0}", "{\"m\":0,\"n\":9223372036854775807}");
}

static void what_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"1",
		"{\"a\":1,\"a\":2}",
		"{\"a\":99999999999999999999}",
		"{\"a\"}",
		"{\"a\":\"\\u0000\"}",
		"{} {}",
		"{\"a\":\"\\ud800\"}",
	};
	char why[CANON_WHY], deep[300];
	struct bytes out;
	json_t *v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes text = unit_exact(bad[i], strlen(bad[i]));

		assert_int_equal(canon_parse(text, &v, why), -EBADMSG);
		assert_true(strlen(why) > 0);
		free((void *)text.data);
	}
	memset(deep, '[', sizeof(deep));
	assert_int_equal(canon_parse((struct bytes){(uint8_t *)deep, sizeof(deep)}, &v, why),
			 -EBADMSG);
	assert_string_equal(why, "it is nested too deeply");
	assert_int_equal(canon_parse((struct bytes){(uint8_t *)"{\"a\":1.5}", 9}, &v, why), 0);
	assert_int_equal(canon_encode(v, &out), -EINVAL);
	json_decref(v);
}

static void times(void **state)
{
	static const char *const bad[] = {
		"",
		"2030-01-31",
		"2030-01-31T07:15:02",
		"2030-01-31 07:15:02Z",
		"2030-02-30T00:00:00Z",
		"2030-13-01T00:00:00Z",
		"2030-01-01T24:00:00Z",
		"2030-01-01T00:60:00Z",
		"2030-01-01T00:00:00+00:00",
		"2030-01-01T00:00:00.5Z",
		"+030-01-01T00:00:00Z",
		"2030-00-01T00:00:00Z",
	};
	char text[TUF_TIME_LEN];
	int64_t t;

	assert_int_equal(tuf_time_read("2030-01-31T07:15:02Z", &t), 0);
	assert_int_equal(t, 1896074102);
	tuf_time_write(t, text);
	assert_string_equal(text, "2030-01-31T07:15:02Z");
	assert_int_equal(tuf_time_read("9999-12-31T23:59:59Z", &t), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tuf_time_read(bad[i], &t), -EINVAL);
}

static void check_name(const char *text, const char *want)
{
	char *name = local_name(text, "");

	assert_non_null(name);
	assert_null(strchr(name, '/'));
	assert_true(strlen(name) <= 255 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
	if (want)
		assert_string_equal(name, want);
	free(name);
}

static void names_stay_inside(void **state)
{
	char longer[1000];

	check_name("plain-1.0_x~.bin", "plain-1.0_x~.bin");
	check_name("a/b c", "a%2Fb%20c");
	check_name("../x", "..%2Fx");
	check_name("\xc3\xa9%", "%C3%A9%25");
	check_name(".", NULL);
	check_name("..", NULL);
	check_name("", NULL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	check_name(longer, NULL);
}

static json_t *delegations(const char *text)
{
	json_t *v = json_loads(text, 0, NULL);

	assert_non_null(v);
	return v;
}

static void bins_are_named_by_the_first_bits(void **state)
{
	json_t *d = delegations("{\"keys\":{},\"succinct_roles\":{\"keyids\":[\"a\"],"
				"\"threshold\":2,\"bit_length\":10,\"name_prefix\":\"targets\"}}");
	struct tuf_delegation next;
	size_t at = 0;

	assert_null(delegations_judge(d));
	/* SHA-256 of "abc" begins with ba78: the first ten bits are 1011101001. */
	assert_true(delegation_next(d, "abc", &at, &next));
	assert_string_equal(next.name, "targets-2e9");
	assert_int_equal(next.by.threshold, 2);
	assert_true(next.terminating);
	assert_false(delegation_next(d, "abc", &at, &next));
	json_decref(d);
}

static void delegations_come_in_order(void **state)
{
	json_t *d = delegations(
		"{\"keys\":{},\"roles\":["
		"{\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"terminating\":false,\"paths\":["
		"\"x\",\"ab*\"]},"
		"{\"name\":\"b\",\"keyids\":[],\"threshold\":1,\"terminating\":false,\"paths\":[]},"
		"{\"name\":\"c\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"path_hash_"
		"prefixes\":[\"00\",\"BA7\"]}]}");
	struct tuf_delegation next;
	size_t at = 0;

	assert_null(delegations_judge(d));
	assert_true(delegation_next(d, "abc", &at, &next));
	assert_string_equal(next.name, "a");
	assert_true(delegation_next(d, "abc", &at, &next));
	assert_string_equal(next.name, "c");
	assert_false(delegation_next(d, "abc", &at, &next));
	json_decref(d);
}

static void malformed_delegations(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"keys\":{}}",
		"{\"keys\":{},\"roles\":{}}",
		"{\"keys\":{},\"roles\":[1]}",
		"{\"keys\":{},\"roles\":[],\"succinct_roles\":{}}",
		"{\"keys\":{},\"succinct_roles\":{\"keyids\":[],\"threshold\":1,\"bit_length\":33,"
		"\"name_prefix\":\"x\"}}",
		"{\"keys\":{},\"succinct_roles\":{\"keyids\":[],\"threshold\":1,\"bit_length\":0,"
		"\"name_prefix\":\"x\"}}",
		"{\"keys\":{},\"roles\":[{\"name\":\"root\",\"keyids\":[],\"threshold\":1,"
		"\"terminating\":true,\"paths\":[]}]}",
		"{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[],\"threshold\":0,"
		"\"terminating\":true,\"paths\":[]}]}",
		"{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[\"x\",\"x\"],\"threshold\":1,"
		"\"terminating\":true,\"paths\":[]}]}",
		"{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"paths\":[]"
		"}]}",
		"{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[],\"threshold\":1,"
		"\"terminating\":true,\"paths\":[1]}]}",
		"{\"keys\":{},\"roles\":[{\"name\":\"a\",\"keyids\":[],\"threshold\":1,"
		"\"terminating\":true,\"paths\":[],\"path_hash_prefixes\":[]}]}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *d = delegations(bad[i]);

		if (!delegations_judge(d))
			fail_msg("taken: %s", bad[i]);
		json_decref(d);
	}
}

static void files_fit(void **state)
{
	json_t *v = json_loads("{\"length\":3,\"hashes\":{\"sha256\":"
			       "\"BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
			       "\",\"md5\":\"x\"}}",
			       0, NULL);
	struct tuf_file f;
	char hex[HASH_HEX_MAX];

	assert_int_equal(tuf_file_of_target(v, &f), 0);
	assert_string_equal(tuf_file_name(&f, hex),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(tuf_file_fits(&f, (struct bytes){(const uint8_t *)"abc", 3}));
	assert_false(tuf_file_fits(&f, (struct bytes){(const uint8_t *)"abd", 3}));
	assert_false(tuf_file_fits(&f, (struct bytes){(const uint8_t *)"abc", 2}));
	json_object_del(json_object_get(v, "hashes"), "sha256");
	assert_int_equal(tuf_file_of_target(v, &f), 0);
	assert_false(tuf_file_fits(&f, (struct bytes){(const uint8_t *)"abc", 3}));
	assert_null(tuf_file_name(&f, hex));
	json_object_del(v, "length");
	assert_int_equal(tuf_file_of_target(v, &f), -EBADMSG);
	json_decref(v);
}

static void tar_headers_come_back(void **state)
{
	static const size_t lengths[] = {1, 99, 100, 101, 155, 490, 500, 510, 1000, 2000};
	uint8_t blocks[6 * TAR_BLOCK];
	char name[TAR_NAME_MAX], got[TAR_NAME_MAX];
	struct tar_entry e;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i], len;

		memset(name, 'n', n);
		name[n] = 0;
		len = tar_write_header(name, TAR_SIZE_MAX, blocks);
		assert_true(len <= sizeof(blocks) && len % TAR_BLOCK == 0);
		assert_int_equal(tar_read_header(blocks, &e), 0);
		if (n > 100) {
			assert_int_equal(e.type, 'x');
			assert_int_equal(
				tar_read_path((struct bytes){blocks + TAR_BLOCK, e.size}, got), 0);
			assert_string_equal(got, name);
			assert_int_equal(tar_read_header(blocks + len - TAR_BLOCK, &e), 0);
		} else {
			assert_string_equal(e.name, name);
		}
		assert_int_equal(e.type, '0');
		assert_true(e.size == TAR_SIZE_MAX);
		blocks[3] ^= 1;
		assert_int_equal(tar_read_header(blocks, &e), -EBADMSG);
	}
	memset(blocks, 0, sizeof(blocks));
	assert_int_equal(tar_read_header(blocks, &e), -ENODATA);
}

static void pax_records(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
		{"10 path=a\n", 0},	{"11 path=a\n", -EBADMSG},  {"8 path=a\n", -EBADMSG},
		{"", -ENOENT},		{"12 mtime=12\n", -ENOENT}, {"8 path=\n", -EBADMSG},
		{"path=a\n", -EBADMSG}, {"10 path=a", -EBADMSG},    {"99999999999 x", -EBADMSG},
		{"0 \n", -EBADMSG},
	};
	char name[TAR_NAME_MAX];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct bytes b = unit_exact(t[i].text, strlen(t[i].text));

		if (tar_read_path(b, name) != t[i].err)
			fail_msg("'%s'", t[i].text);
		free((void *)b.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_stay_in_their_part),
		cmocka_unit_test(patterns_agree_with_fnmatch),
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(what_json_is_refused),
		cmocka_unit_test(times),
		cmocka_unit_test(names_stay_inside),
		cmocka_unit_test(bins_are_named_by_the_first_bits),
		cmocka_unit_test(delegations_come_in_order),
		cmocka_unit_test(malformed_delegations),
		cmocka_unit_test(files_fit),
		cmocka_unit_test(tar_headers_come_back),
		cmocka_unit_test(pax_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
