/* Logins to databases, and print jobs: whether they are in clear text. */
#include "guard/proto/database.h"
#include "guard/proto/print.h"
#include "guard/proto/talk.h"
#include "talk_case.h"

#define EXPECT(proto, pieces, said) \
	talk_expect(proto, false, pieces, sizeof(pieces) / sizeof((pieces)[0]), said)

#define PG_STARTUP "\0\0\0\x12\0\3\0\0user\0lis\0\0"
#define PG_TLS	   "\0\0\0\x08\x04\xd2\x16\x2f"
#define PG_GSS	   "\0\0\0\x08\x04\xd2\x16\x30"
#define PG_LET_IN  "R\0\0\0\x08\0\0\0\0"

/* PostgreSQL's manual, §55.7. */
static void pgsql_passwords_are_seen(void **state)
{
	static const struct talk_piece clear[] = {
		TALK_PIECE(0, PG_TLS),
		TALK_PIECE(1, "N"),
		TALK_PIECE(0, PG_STARTUP),
		TALK_PIECE(1, "R\0\0\0\x08\0\0\0\3"),
		TALK_PIECE(0, "p\0\0\0\x0bsecret\0"),
		TALK_PIECE(1, PG_LET_IN "Z\0\0\0\5I"),
		TALK_PIECE(0, "Q\0\0\0\x0dselect 1\0"),
	};
	static const struct talk_piece scram[] = {
		TALK_PIECE(0, PG_STARTUP),
		TALK_PIECE(1, "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"),
		TALK_PIECE(0, "p\0\0\0\x0bsecret\0"),
		TALK_PIECE(1, "E\0\0\0\5\0"),
	};
	static const struct talk_piece trust[] = {TALK_PIECE(0, PG_STARTUP),
						  TALK_PIECE(1, PG_LET_IN)};
	static const struct talk_piece tls[] = {
		TALK_PIECE(0, PG_GSS), TALK_PIECE(1, "N"),	  TALK_PIECE(0, PG_TLS),
		TALK_PIECE(1, "S"),    TALK_PIECE(0, "\x16\3\1"), TALK_PIECE(1, "\x16\3\3")};

	EXPECT("pgsql", clear,
	       "{\"pgsql\":{\"login\":\"password\"}}\n"
	       "{\"pgsql\":{\"login\":\"succeeded\",\"unencrypted\":true}}\n");
	EXPECT("pgsql", scram, "{\"pgsql\":{\"login\":\"failed\"}}\n");
	EXPECT("pgsql", trust,
	       "{\"pgsql\":{\"login\":\"succeeded\",\"no_password\":true,\"unencrypted\":true}}\n");
	EXPECT("pgsql", tls, "{\"pgsql\":{\"encrypted\":true}}\n");
}

#define MYSQL_HELLO "\x14\0\0\0\n8.0.36-log\0\1\0\0\0salt"

static void mysql_passwords_are_seen(void **state)
{
	static const struct talk_piece native[] = {
		TALK_PIECE(1, MYSQL_HELLO),
		TALK_PIECE(0, "\x24\0\0\1\x85\xa6\xff\1\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			      "\0\0\0\0\0\0\0\0lis\0"),
		TALK_PIECE(1, "\7\0\0\2\0\0\0\2\0\0\0"),
		TALK_PIECE(0, "\7\0\0\0\3select"),
	};
	static const struct talk_piece clear[] = {
		TALK_PIECE(1, MYSQL_HELLO),
		TALK_PIECE(0, "\x24\0\0\1\x85\xa6\xff\1\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			      "\0\0\0\0\0\0\0\0lis\0"),
		TALK_PIECE(1, "\x16\0\0\2\xfemysql_clear_password\0"),
		TALK_PIECE(0, "\7\0\0\3secret\0"),
		TALK_PIECE(1, "\x09\0\0\4\xff\x15\4denied"),
	};
	static const struct talk_piece tls[] = {
		TALK_PIECE(1, MYSQL_HELLO),
		TALK_PIECE(0, "\x20\0\0\1\x85\xae\xff\1\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			      "\0\0\0\0\0\0\0\0"),
		TALK_PIECE(0, "\x16\3\1\2\0"),
	};

	EXPECT("mysql", native, "{\"mysql\":{\"login\":\"succeeded\",\"unencrypted\":true}}\n");
	EXPECT("mysql", clear,
	       "{\"mysql\":{\"login\":\"password\"}}\n{\"mysql\":{\"login\":\"failed\"}}\n");
	EXPECT("mysql", tls, "{\"mysql\":{\"encrypted\":true}}\n");
}

/* MS-TDS §2.2.6.5: version and encryption, and where they are. */
#define TDS_ASKS	  "\x12\1\0\x1a\0\0\0\0\0\0\x0b\0\6\1\0\x11\0\1\xff\x10\0\0\0\0\0\0"
#define TDS_ANSWERS(word) "\4\1\0\x1a\0\0\1\0\0\0\x0b\0\6\1\0\x11\0\1\xff\x10\0\0\0\0\0" word

static void tds_passwords_are_seen(void **state)
{
	static uint8_t login[102] = {0x10, 1, 0, 102};
	struct talk_piece clear[] = {TALK_PIECE(0, TDS_ASKS),
				     TALK_PIECE(1, TDS_ANSWERS("\2")),
				     {0, login, sizeof(login)},
				     TALK_PIECE(0, "\1\1\0\x0a\0\0\1\0ab")};
	static const struct talk_piece half[] = {TALK_PIECE(0, TDS_ASKS),
						 TALK_PIECE(1, TDS_ANSWERS("\0")),
						 TALK_PIECE(0, "\x16\3\1")};
	static const struct talk_piece tls[] = {TALK_PIECE(0, TDS_ASKS),
						TALK_PIECE(1, TDS_ANSWERS("\3")),
						TALK_PIECE(0, "\x12\1\0\x0a\0\0\0\0\x16\3")};

	login[54] = 6;
	EXPECT("tds", clear,
	       "{\"tds\":{\"unencrypted\":true}}\n{\"tds\":{\"login\":\"password\"}}\n");
	login[54] = 0; /* who is known by Windows says none */
	EXPECT("tds", clear, "{\"tds\":{\"unencrypted\":true}}\n");
	EXPECT("tds", half, "{\"tds\":{\"unencrypted\":true}}\n");
	EXPECT("tds", tls, "{\"tds\":{\"encrypted\":true}}\n");
}

static void nonsense_is_named(void **state)
{
	static const struct {
		const char *proto;
		struct talk_piece piece;
	} wrong[] = {
		{"pgsql", TALK_PIECE(0, "\0\0\0\4\0\3\0\0")},
		{"pgsql", TALK_PIECE(0, "\0\0\0\x09\0\2\0\0x")},
		{"pgsql", TALK_PIECE(1, "R\0\0\0\3\0\0\0\0")},
		{"mysql", TALK_PIECE(1, "\0\0\1\0\n8")},
		{"tds", TALK_PIECE(0, "\x12\1\0\7\0\0\0\0")},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		talk_play(r, wrong[i].proto, false, &wrong[i].piece, 1, 0);
		assert_says(r, "\"reason\":\"database.malformed\"");
		talk_seed(wrong[i].proto, false, &wrong[i].piece, 1);
	}
	/* Nobody knows what an offset beyond the end would say. */
	talk_begin(r, "tds", false);
	talk_feed(r, 1, "\4\1\0\x0e\0\0\1\0\1\0\xff\0\1\xff", 14);
	assert_says(r, "{\"tds\":{\"unencrypted\":true}}\n");
	talk_finish(r);
}

static enum parse identify(const char *proto, unsigned end, uint16_t port, const char *data,
			   size_t n)
{
	struct proto_input in = {.end = (uint8_t)end, .port = {4000, port}};
	enum parse got;

	in.data = unit_exact(data, n);
	got = proto_find(proto)->probe(&in);
	free((void *)in.data.data);
	return got;
}

static void databases_are_known_by_their_bytes(void **state)
{
	assert_int_equal(identify("pgsql", 0, 5433, PG_STARTUP, 18), PARSE_OK);
	assert_int_equal(identify("pgsql", 0, 5433, PG_TLS, 8), PARSE_OK);
	assert_int_equal(identify("pgsql", 0, 5433, PG_TLS, 5), PARSE_MORE);
	assert_int_equal(identify("pgsql", 0, 502, "\0\1\0\0\0\6\1\3", 8), PARSE_BAD);
	assert_int_equal(identify("mysql", 1, 3307, MYSQL_HELLO, sizeof(MYSQL_HELLO) - 1),
			 PARSE_OK);
	assert_int_equal(identify("mysql", 1, 3306, MYSQL_HELLO, 9), PARSE_MORE);
	assert_int_equal(identify("mysql", 0, 3306, MYSQL_HELLO, 9), PARSE_BAD);
	/* Error 1040: too many connections. */
	assert_int_equal(identify("mysql", 1, 3306, "\x17\0\0\0\xff\x10\4Too many", 15), PARSE_OK);
	assert_int_equal(identify("mysql", 1, 3307, "\x17\0\0\0\xff\x10\4Too many", 15), PARSE_BAD);
	assert_int_equal(identify("tds", 0, 1433, TDS_ASKS, sizeof(TDS_ASKS) - 1), PARSE_OK);
	assert_int_equal(identify("tds", 0, 1433, TDS_ASKS, 4), PARSE_MORE);
	assert_int_equal(identify("tds", 0, 1433, "\x12\1\0\x1a\0\0\0\0\x16", 9), PARSE_BAD);
}

static void print_jobs_are_told(void **state)
{
	static const struct talk_piece lpd[] = {TALK_PIECE(0, "\2lp\n"), TALK_PIECE(1, "\0"),
						TALK_PIECE(0, "\2"
							      "120 cfA1\n")};
	static const struct talk_piece queue[] = {TALK_PIECE(0, "\3lp\n"),
						  TALK_PIECE(1, "no jobs\n")};
	static const struct talk_piece pjl[] = {
		TALK_PIECE(0, "\x1b%-12345X@PJL JOB NAME=\"x\"\r\n")};

	EXPECT("print", lpd, "{\"print\":{\"command\":\"receive_job\",\"unencrypted\":true}}\n");
	EXPECT("print", queue, "{\"print\":{\"command\":\"queue_short\"}}\n");
	EXPECT("print", pjl, "{\"print\":{\"language\":\"PJL\",\"unencrypted\":true}}\n");
	assert_int_equal(identify("print", 0, 515, "\2lp\n", 4), PARSE_OK);
	assert_int_equal(identify("print", 0, 515, "\2lp", 3), PARSE_MORE);
	assert_int_equal(identify("print", 0, 9100, "\2lp\n", 4), PARSE_BAD);
	assert_int_equal(identify("print", 0, 9100, "^XA^FO50,50", 11), PARSE_OK);
	assert_int_equal(identify("print", 0, 9101, "^XA^FO50,50", 11), PARSE_BAD);
	assert_int_equal(identify("print", 0, 9101, "%!PS-Adobe", 10), PARSE_OK);
	assert_int_equal(identify("print", 1, 9100, "%!PS-Adobe", 10), PARSE_BAD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pgsql_passwords_are_seen),
		cmocka_unit_test(mysql_passwords_are_seen),
		cmocka_unit_test(tds_passwords_are_seen),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(databases_are_known_by_their_bytes),
		cmocka_unit_test(print_jobs_are_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
